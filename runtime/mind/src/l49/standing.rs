//! Where Level 4.9 stands: from the check of its six criteria through Shadow, Advisory and Half to Full, and back (MSCP
//! Level 4.9, section 10). A pure state machine.
//!
//! ```text
//!            six criteria, 100 checks        500           200        200
//!   Checking ──────────────────────→ Shadow ────→ Advisory ────→ Half ────→ Full
//!      ↑ regression ────────────────────┘             │            │          │
//!      ↑ instability ─────────────────────────────────┘            │          │
//!                                          ↑ instability ──────────┴──────────┘
//! ```
//!
//! Beside that path stand, each a ceiling of its own: the recovery after a freeze or a thin margin ([`Recovery`]), the
//! mode of the resources ([`super::resources::Regime`]), and an operator. The level has the least of all; the ladder
//! keeps it at most at the authority of the level below.
//!
//! Invariants:
//! 1. The stage rises by one step at a time, and only on a pass whose live state violates nothing.
//! 2. A level that had not been at Full before a freeze begins at the check again.
//! 3. Nothing here leaves a suspension, or a freeze that is held: only [`Standing::reenable`], an operator's order.

use super::below::Below;
use super::resources::Regime;
use super::stability::{Action, LiveVerdict, Recovery, Stage as RecoveryStage, StageChange};
use rungs_types::Authority;
use serde::{Deserialize, Serialize};

/// Criteria of section 10.1.
pub const CRITERIA: usize = 6;
/// What they are, for people.
pub const CRITERIA_NAMES: [&str; CRITERIA] = [
    "L4.8 qualified",
    "strategic maturity at least 0.85",
    "no goal pathology",
    "calibration error below 0.08",
    "environmental uncertainty below 0.20",
    "no instability",
];
/// For how long each must have held, in cycles (section 10.1, "window"); 0 where the seed says "sustained": the checks in
/// a row see to that.
pub const CRITERIA_CYCLES: [u64; CRITERIA] = [0, 0, 500, 0, 500, 1_000];
/// Checks in a row at which all six must hold: one for each pass of L4.8 (section 10.2).
pub const CHECKS: u16 = 100;
/// Cycles of Shadow (section 10.2).
pub const SHADOW_CYCLES: u64 = 500;
/// Cycles of Advisory, then of Half (section 10.2).
pub const STEP_CYCLES: u64 = 200;
/// Least Strategic Maturity Score.
pub const MIN_SMS: f64 = 0.85;
/// Mean calibration error must be below this.
pub const MAX_CALIBRATION_ERROR: f64 = 0.08;
/// Environmental uncertainty must be below this.
pub const MAX_EU: f64 = 0.20;
/// The criteria whose failure counts once the level acts: its own goals may be in each other's way, and a world that is
/// uncertain for a while is no instability of the agent.
const COUNTS_WHILE_ACTING: [usize; 2] = [0, STABLE];
/// The place of "no instability".
const STABLE: usize = 5;

/// Which criteria hold now.
pub fn criteria(below: &Below) -> [bool; CRITERIA] {
    let (world, self_model) = (&below.level48.world, &below.level48.capability);
    let (qualification, floor) = (&below.qualification, &below.floor);
    [
        qualification.qualified,
        qualification.sms.is_some_and(|sms| sms >= MIN_SMS),
        below.plan.stack.pathologies.is_empty(),
        self_model.mce.is_some_and(|mce| mce < MAX_CALIBRATION_ERROR),
        world.eu < MAX_EU,
        below.level48.stability.passed() && floor.tier == 0,
    ]
}

/// Since when each criterion has held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    since: [Option<u64>; CRITERIA],
}

impl Held {
    /// Takes in which hold at `cycle`.
    pub fn note(&mut self, now: &[bool; CRITERIA], cycle: u64) {
        for (since, holds) in self.since.iter_mut().zip(now) {
            *since = holds.then(|| since.unwrap_or(cycle));
        }
    }

    /// For how many cycles a criterion has held; `None` if it does not.
    pub fn cycles(&self, index: usize, cycle: u64) -> Option<u64> {
        self.since[index].map(|since| cycle.saturating_sub(since))
    }

    /// Those that do not hold, or not for long enough, in their order.
    pub fn missing(&self, cycle: u64) -> impl Iterator<Item = usize> + '_ {
        let lasts = move |index: &usize| {
            self.cycles(*index, cycle)
                .is_some_and(|held| held >= CRITERIA_CYCLES[*index])
        };
        (0..CRITERIA).filter(move |index| !lasts(index))
    }
}

/// The stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Computes nothing; waits for the six criteria.
    Checking {
        /// Checks in a row at which all six held.
        checks: u16,
    },
    /// Computes, hidden, since this cycle.
    Shadow {
        /// Since.
        since: u64,
    },
    /// Visible, since this cycle.
    Advisory {
        /// Since.
        since: u64,
    },
    /// Weighs half, since this cycle.
    Half {
        /// Since.
        since: u64,
    },
    /// Weighs fully.
    Full,
}

impl Stage {
    /// A level that only checks its criteria counts as in Shadow: there is nothing of it to be seen.
    fn authority(self) -> Authority {
        match self {
            Stage::Checking { .. } | Stage::Shadow { .. } => Authority::Shadow,
            Stage::Advisory { .. } => Authority::Advisory,
            Stage::Half { .. } => Authority::Half,
            Stage::Full => Authority::Full,
        }
    }
}

/// The level gets another authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub to: Authority,
    /// Why.
    pub reason: &'static str,
}

/// The state machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    stage: Stage,
    recovery: Recovery,
    held_criteria: Held,
    /// The highest authority that an operator lets it reach.
    ceiling: Authority,
    /// The highest that the mode of the resources lets it have.
    mode_ceiling: Authority,
    /// It has been at Full since it last began at the check.
    proven: bool,
    /// An operator put it where it is: that stands in for the check of the criteria.
    placed: bool,
    /// Frozen by an operator.
    held: bool,
    /// Stays down until an operator clears it.
    suspended: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            stage: Stage::Checking { checks: 0 },
            recovery: Recovery::default(),
            held_criteria: Held::default(),
            ceiling: Authority::Full,
            mode_ceiling: Authority::Full,
            proven: false,
            placed: false,
            held: false,
            suspended: false,
        }
    }
}

impl Standing {
    /// The stage of the activation.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The way back after a freeze or a thin margin.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The least of what stage, recovery, mode and operator allow.
    pub fn authority(&self) -> Authority {
        if self.held || self.suspended {
            return Authority::Frozen;
        }
        let least = self.stage.authority().min(self.recovery.stage().authority());
        least.min(self.ceiling).min(self.mode_ceiling)
    }

    /// The level makes passes.
    pub fn runs(&self) -> bool {
        self.authority() >= Authority::Shadow && !matches!(self.stage, Stage::Checking { .. })
    }

    /// A pass of L4.8 at `cycle`, with which criteria hold.
    pub fn on_criteria(&mut self, now: &[bool; CRITERIA], cycle: u64) -> Option<Change> {
        let before = self.authority();
        self.held_criteria.note(now, cycle);
        let reason = self.follow_criteria(now, cycle)?;
        self.changed(before, reason)
    }

    fn follow_criteria(&mut self, now: &[bool; CRITERIA], cycle: u64) -> Option<&'static str> {
        let all = now.iter().all(|holds| *holds);
        let serious = COUNTS_WHILE_ACTING.iter().any(|index| !now[*index]);
        if self.placed {
            return self.follow_stability(now, cycle);
        }
        let (stage, reason) = match self.stage {
            Stage::Checking { .. } if self.recovery.stage() != RecoveryStage::Full => return None,
            Stage::Checking { checks } => {
                let holds = self.held_criteria.missing(cycle).next().is_none();
                let checks = if holds { checks.saturating_add(1) } else { 0 };
                let passed = checks >= CHECKS;
                let next = if passed {
                    Stage::Shadow { since: cycle }
                } else {
                    Stage::Checking { checks }
                };
                (next, "activation")
            }
            Stage::Shadow { .. } if !all => (Stage::Checking { checks: 0 }, "regression"),
            Stage::Advisory { .. } if !all => (Stage::Checking { checks: 0 }, "instability"),
            Stage::Half { .. } | Stage::Full if serious => (Stage::Advisory { since: cycle }, "instability"),
            _ => return None,
        };
        if matches!(stage, Stage::Checking { .. }) {
            self.proven = false;
        }
        self.stage = stage;
        Some(reason)
    }

    /// Of a level that an operator has put where it is, only instability takes authority away.
    fn follow_stability(&mut self, now: &[bool; CRITERIA], cycle: u64) -> Option<&'static str> {
        let acts = matches!(self.stage, Stage::Half { .. } | Stage::Full);
        (acts && !now[STABLE]).then(|| {
            self.stage = Stage::Advisory { since: cycle };
            "instability"
        })
    }

    /// The check of the live state at `cycle`: of a pass, or of what the levels below say while the level is frozen.
    pub fn on_live(&mut self, verdict: &LiveVerdict, cycle: u64) -> Option<Change> {
        if self.held || self.suspended {
            return None;
        }
        let before = self.authority();
        let mut reason = "activation";
        if let Some(change) = self.recovery.decide(verdict, cycle) {
            let on_the_way_up = change.to.authority() > self.recovery.stage().authority();
            reason = if on_the_way_up { "recovery" } else { "instability" };
            self.recovery.apply(&change);
            // Who has not been at Full has nothing to recover: it begins at the check.
            if on_the_way_up && !self.proven {
                self.recovery.apply(&to(RecoveryStage::Full));
            }
        }
        if before >= Authority::Shadow && verdict.action == Action::Continue && verdict.passed() {
            self.advance(cycle);
        }
        self.changed(before, reason)
    }

    fn advance(&mut self, cycle: u64) {
        let after = |since: u64, cycles: u64| cycle >= since.saturating_add(cycles);
        let next = match self.stage {
            Stage::Shadow { since } if after(since, SHADOW_CYCLES) => Stage::Advisory { since: cycle },
            Stage::Advisory { since } if after(since, STEP_CYCLES) => Stage::Half { since: cycle },
            Stage::Half { since } if after(since, STEP_CYCLES) => Stage::Full,
            _ => return,
        };
        // A level that may not be higher than it is does not get on meanwhile.
        let allowed = self
            .ceiling
            .min(self.mode_ceiling)
            .min(self.recovery.stage().authority());
        if next.authority() <= allowed {
            self.stage = next;
            self.proven |= next == Stage::Full;
        }
    }

    /// The mode of the resources is in force.
    pub fn on_regime(&mut self, regime: &Regime) -> Option<Change> {
        let before = self.authority();
        self.mode_ceiling = regime.l49.ceiling();
        self.changed(before, "resources")
    }

    fn changed(&self, before: Authority, reason: &'static str) -> Option<Change> {
        let to = self.authority();
        (to != before).then_some(Change { to, reason })
    }

    /// The level freezes at `cycle`; `held` = until an operator thaws it.
    pub fn freeze(&mut self, cycle: u64, held: bool) {
        self.placed = false;
        self.held |= held;
        self.recovery.apply(&StageChange {
            to: RecoveryStage::Monitoring { since: cycle },
            rolls_back: true,
        });
        if !self.proven {
            self.stage = Stage::Checking { checks: 0 };
        }
    }

    /// The level stays down until an operator clears it.
    pub fn suspend(&mut self) {
        self.suspended = true;
    }

    /// An operator starts the re-enablement at `cycle`.
    pub fn reenable(&mut self, cycle: u64) {
        let frozen = self.authority() == Authority::Frozen;
        (self.held, self.suspended) = (false, false);
        if frozen {
            self.recovery.apply(&StageChange {
                to: RecoveryStage::Monitoring { since: cycle },
                rolls_back: self.recovery.rollbacks() == 0,
            });
        }
    }

    /// An operator puts the level on `authority` at `cycle`; it does not rise above it by itself.
    pub fn place(&mut self, cycle: u64, authority: Authority) {
        self.ceiling = authority;
        self.held = authority == Authority::Frozen;
        self.stage = match authority {
            Authority::Frozen => self.stage,
            Authority::Shadow => Stage::Shadow { since: cycle },
            Authority::Advisory => Stage::Advisory { since: cycle },
            Authority::Half => Stage::Half { since: cycle },
            Authority::Full => Stage::Full,
        };
        if authority != Authority::Frozen {
            self.recovery.apply(&to(RecoveryStage::Full));
        }
        self.proven |= authority == Authority::Full;
        self.placed = authority != Authority::Frozen;
    }

    /// Why the level is not at full authority, in a few words; empty when it is.
    pub fn waiting_for(&self, cycle: u64) -> String {
        if self.suspended {
            return "an operator: suspended".into();
        }
        if self.held {
            return "an operator: frozen".into();
        }
        let until =
            |what: &str, since: u64, cycles: u64| format!("{what} until cycle {}", since.saturating_add(cycles));
        match self.recovery.stage() {
            RecoveryStage::Monitoring { since } => {
                return until("monitoring", since, super::stability::MONITORING_CYCLES);
            }
            RecoveryStage::Advisory { since } | RecoveryStage::Half { since } => {
                return until("recovery", since, STEP_CYCLES);
            }
            RecoveryStage::Full => {}
        }
        let at_its_ceiling = |ceiling: Authority| ceiling < Authority::Full && self.authority() == ceiling;
        if at_its_ceiling(self.ceiling) {
            return format!("an operator: at most {}", self.ceiling);
        }
        if at_its_ceiling(self.mode_ceiling) {
            return format!("resources: at most {}", self.mode_ceiling);
        }
        match self.stage {
            Stage::Full => String::new(),
            Stage::Shadow { since } => until("activation", since, SHADOW_CYCLES),
            Stage::Advisory { since } | Stage::Half { since } => until("activation", since, STEP_CYCLES),
            Stage::Checking { checks } => self.waits_in_check(checks, cycle),
        }
    }

    fn waits_in_check(&self, checks: u16, cycle: u64) -> String {
        let missing = self.held_criteria.missing(cycle).map(|index| {
            let name = CRITERIA_NAMES[index];
            match (self.held_criteria.cycles(index, cycle), CRITERIA_CYCLES[index]) {
                (_, 0) => name.to_owned(),
                (held, needed) => format!("{name} ({} of {needed})", held.unwrap_or(0)),
            }
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            return format!("activation check {checks} of {CHECKS}");
        }
        missing.join(", ")
    }
}

fn to(stage: RecoveryStage) -> StageChange {
    StageChange {
        to: stage,
        rolls_back: false,
    }
}

#[cfg(test)]
mod tests;
