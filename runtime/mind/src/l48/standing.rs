//! Where Level 4.8 stands: from Shadow through Advisory and Half to Full, and back (MSCP Level 4.8, sections 6.4 and
//! 9). A pure state machine over the checks made every 10 cycles.
//!
//! ```text
//!            six criteria         200            300
//!   Shadow ────────────→ Advisory ────→ Half ────────→ Full      path "activation"
//!      ↑ instability ────────┘ ↑ instability ┘           │
//!                                                        │ two violations: Advisory 100, Half 100, path "rebalance"
//!   Frozen ── 5 clean checks ─→ Advisory 100, Half 100, Full    path "recovery"
//!      └───── none by t0 + 100 ─→ Suspended
//! ```
//!
//! Invariants:
//! 1. Authority rises by one step at a time, and only on a check without a violation.
//! 2. A level that had not been at Full before a freeze goes back to Shadow, not up the shorter path of recovery.
//! 3. Nothing here leaves Suspended, or a freeze that is held: only [`Standing::reenable`], an operator's order.

use super::verify::Response;
use crate::report::REPORT_CYCLES;
use rungs_types::Authority;
use serde::{Deserialize, Serialize};

/// For how long each criterion of section 9.1 must have held: cycles, and for the fourth checks in a row.
pub const CRITERIA_SUSTAINED: [u32; 6] = [1_000, 500, 500, 20, 300, 200];
/// What the six criteria are, for people.
pub const CRITERIA_NAMES: [&str; 6] = [
    "C_L4 at most 0.15",
    "SEOF maturity at least 0.70",
    "identity integrity at least 0.90",
    "formalization audit passed",
    "divergence below 0.30",
    "no forced degradation",
];
/// Checks without a violation in a row that end stage 1 of the re-enablement: 50 cycles.
pub const CLEAN_CHECKS: u8 = 5;
/// Cycles after the freeze by which they must be complete.
pub const RECOVERY_LIMIT_CYCLES: u64 = 100;

/// How the level came to Advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// By the six criteria (section 9.2).
    Activation,
    /// After a freeze (section 6.4).
    Recovery,
    /// After two violated invariants (section 6.1).
    Rebalance,
}

impl Path {
    fn advisory_cycles(self) -> u64 {
        if self == Path::Activation { 200 } else { 100 }
    }

    fn half_cycles(self) -> u64 {
        if self == Path::Activation { 300 } else { 100 }
    }

    fn reason(self) -> &'static str {
        match self {
            Path::Activation => "activation",
            Path::Recovery => "recovery",
            Path::Rebalance => "rebalance",
        }
    }
}

/// The stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Computes, hidden, until the six criteria hold.
    Shadow,
    /// Visible.
    Advisory {
        /// Since this cycle.
        since: u64,
        /// How it came here.
        path: Path,
    },
    /// Weighs half.
    Half {
        /// Since this cycle.
        since: u64,
        /// How it came here.
        path: Path,
    },
    /// Weighs fully.
    Full,
    /// Frozen: stages 0 and 1 of the re-enablement.
    Frozen {
        /// The cycle of the freeze, t0.
        since: u64,
        /// Clean checks in a row since.
        clean: u8,
        /// An operator's freeze: waits for an operator.
        held: bool,
    },
    /// Stays down until an operator clears it.
    Suspended,
}

/// What a check changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The level gets another authority.
    Authority {
        /// Which.
        to: Authority,
        /// Why.
        reason: &'static str,
    },
    /// The level did not recover in time and is suspended.
    NoRecovery,
}

/// The state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    stage: Stage,
    /// The highest authority that an operator lets it reach.
    ceiling: Authority,
    /// The highest that the mode of the resources lets it have.
    mode_ceiling: Authority,
    /// It has been at Full since it last left Shadow.
    proven: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            stage: Stage::Shadow,
            ceiling: Authority::Full,
            mode_ceiling: Authority::Full,
            proven: false,
        }
    }
}

impl Standing {
    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// It only advises since two invariants were violated.
    pub fn is_rebalancing(&self) -> bool {
        matches!(
            self.stage,
            Stage::Advisory {
                path: Path::Rebalance,
                ..
            }
        )
    }

    /// The authority of the stage, as far as the mode of the resources lets it have that.
    pub fn authority(&self) -> Authority {
        self.of_stage().min(self.mode_ceiling)
    }

    /// The mode of the resources lets the level have this at most; the stage is not touched, so that the level is where it
    /// was when the mode is over.
    pub fn constrain(&mut self, ceiling: Authority) {
        self.mode_ceiling = ceiling;
    }

    fn of_stage(&self) -> Authority {
        match self.stage {
            Stage::Frozen { .. } | Stage::Suspended => Authority::Frozen,
            Stage::Shadow => Authority::Shadow,
            Stage::Advisory { .. } => Authority::Advisory,
            Stage::Half { .. } => Authority::Half,
            Stage::Full => Authority::Full,
        }
    }

    /// The check of a pass at `cycle`: the verifier's response and for how long the criteria have held.
    pub fn on_verdict(&mut self, cycle: u64, response: Response, sustained: &[u32; 6]) -> Option<Change> {
        let before = self.authority();
        let reason = if response == Response::Continue {
            self.advance(cycle, sustained)
        } else {
            self.fall_back(cycle, response)
        }?;
        let to = self.authority();
        (to != before).then_some(Change::Authority { to, reason })
    }

    fn advance(&mut self, cycle: u64, sustained: &[u32; 6]) -> Option<&'static str> {
        let (next, reason) = match self.stage {
            Stage::Shadow if criteria_hold(sustained) => {
                let path = Path::Activation;
                (Stage::Advisory { since: cycle, path }, path.reason())
            }
            Stage::Advisory { since, path } if cycle >= after(since, path.advisory_cycles()) => {
                (Stage::Half { since: cycle, path }, path.reason())
            }
            Stage::Half { since, path } if cycle >= after(since, path.half_cycles()) => (Stage::Full, path.reason()),
            _ => return None,
        };
        let held = Standing { stage: next, ..*self };
        if held.of_stage() > self.ceiling.min(self.mode_ceiling) {
            return None;
        }
        self.stage = next;
        self.proven |= next == Stage::Full;
        Some(reason)
    }

    /// Instability: one step back while on the way up; a rebalance from Full on two violations.
    fn fall_back(&mut self, cycle: u64, response: Response) -> Option<&'static str> {
        let (next, reason) = match self.stage {
            Stage::Advisory {
                path: Path::Activation, ..
            } => (Stage::Shadow, "instability"),
            Stage::Advisory { path, .. } | Stage::Half { path, .. } => {
                (Stage::Advisory { since: cycle, path }, "instability")
            }
            Stage::Full if response >= Response::Rebalance => {
                let path = Path::Rebalance;
                (Stage::Advisory { since: cycle, path }, path.reason())
            }
            _ => return None,
        };
        self.stage = next;
        Some(reason)
    }

    /// The check of a frozen level at `cycle`: whether all five invariants hold on the floor's state. A check speaks for
    /// the ten cycles before it; one that reaches back to before the freeze is no clean one, and no unclean one either.
    pub fn on_floor_check(&mut self, cycle: u64, clean_now: bool) -> Option<Change> {
        let Stage::Frozen {
            since,
            clean,
            held: false,
        } = self.stage
        else {
            return None;
        };
        let of_the_freeze = cycle >= after(since, REPORT_CYCLES as u64);
        let clean = match clean_now {
            true if of_the_freeze => clean.saturating_add(1),
            true => clean,
            false => 0,
        };
        let in_time = cycle <= after(since, RECOVERY_LIMIT_CYCLES);
        if clean >= CLEAN_CHECKS && in_time {
            let path = Path::Recovery;
            let advisory = self.proven && self.ceiling >= Authority::Advisory;
            self.stage = if advisory {
                Stage::Advisory { since: cycle, path }
            } else {
                Stage::Shadow
            };
            return Some(Change::Authority {
                to: self.authority(),
                reason: path.reason(),
            });
        }
        if cycle >= after(since, RECOVERY_LIMIT_CYCLES) {
            self.stage = Stage::Suspended;
            return Some(Change::NoRecovery);
        }
        self.stage = Stage::Frozen {
            since,
            clean,
            held: false,
        };
        None
    }

    /// What froze the level lasts at `cycle`: the re-enablement begins when it is over.
    pub fn hold_off(&mut self, cycle: u64) {
        if let Stage::Frozen { since, clean, .. } = &mut self.stage {
            (*since, *clean) = (cycle.max(*since), 0);
        }
    }

    /// The level freezes at `cycle`; `held` = until an operator thaws it.
    pub fn freeze(&mut self, cycle: u64, held: bool) {
        let suspended = self.stage == Stage::Suspended;
        let held = held || matches!(self.stage, Stage::Frozen { held: true, .. });
        if !suspended {
            self.stage = Stage::Frozen {
                since: cycle,
                clean: 0,
                held,
            };
        }
    }

    /// The level stays down until an operator clears it.
    pub fn suspend(&mut self) {
        self.stage = Stage::Suspended;
    }

    /// An operator starts the re-enablement at `cycle`.
    pub fn reenable(&mut self, cycle: u64) {
        if self.authority() == Authority::Frozen {
            self.stage = Stage::Frozen {
                since: cycle,
                clean: 0,
                held: false,
            };
        }
    }

    /// An operator puts the level on `authority` at `cycle`; it does not rise above it by itself.
    pub fn place(&mut self, cycle: u64, authority: Authority) {
        self.ceiling = authority;
        let path = Path::Activation;
        self.stage = match authority {
            Authority::Frozen => Stage::Frozen {
                since: cycle,
                clean: 0,
                held: true,
            },
            Authority::Shadow => Stage::Shadow,
            Authority::Advisory => Stage::Advisory { since: cycle, path },
            Authority::Half => Stage::Half { since: cycle, path },
            Authority::Full => Stage::Full,
        };
        self.proven |= authority == Authority::Full;
    }

    /// Why the level is not at full authority, in a few words; empty when it is.
    pub fn waiting_for(&self, sustained: &[u32; 6]) -> String {
        if self.of_stage() > self.mode_ceiling {
            return format!("resources: at most {}", self.mode_ceiling);
        }
        match self.stage {
            Stage::Full => String::new(),
            Stage::Suspended => "an operator: suspended".into(),
            Stage::Frozen { held: true, .. } => "an operator: frozen".into(),
            Stage::Frozen { clean, .. } => format!("recovery: {clean} of {CLEAN_CHECKS} clean checks"),
            _ if self.of_stage() >= self.ceiling => format!("an operator: at most {}", self.ceiling),
            Stage::Advisory { since, path } => {
                format!("{} until cycle {}", path.reason(), after(since, path.advisory_cycles()))
            }
            Stage::Half { since, path } => {
                format!("{} until cycle {}", path.reason(), after(since, path.half_cycles()))
            }
            Stage::Shadow => (0..CRITERIA_NAMES.len())
                .filter(|&i| sustained[i] < CRITERIA_SUSTAINED[i])
                .map(|i| format!("{} ({} of {})", CRITERIA_NAMES[i], sustained[i], CRITERIA_SUSTAINED[i]))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}

/// The cycle so many after another, which may come from a snapshot and be any.
fn after(since: u64, cycles: u64) -> u64 {
    since.saturating_add(cycles)
}

/// All six activation criteria have held for long enough (section 9.1).
pub fn criteria_hold(sustained: &[u32; 6]) -> bool {
    sustained
        .iter()
        .zip(&CRITERIA_SUSTAINED)
        .all(|(held, needed)| held >= needed)
}

#[cfg(test)]
mod tests;
