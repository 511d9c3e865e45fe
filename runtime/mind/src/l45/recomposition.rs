//! Recomposition: the agent changes how it processes what it sees, one step at a time and only if it pays (L4.5).
//!
//! A recomposition is an [`Operation`] on the graph of one group. It is tried, never just made:
//!
//! ```text
//! propose → Shadow (computed, not used) → vote, four of five → a fifth → four fifths → all → Commit
//!                └───────────── any limit broken, or no gain: rolled back ──────────┘
//! ```
//!
//! Each stage takes 200 cycles; old and new graph are computed over the same observations throughout. *Gain.* SEOF as it
//! is, against SEOF as it would be with the new graph: what differs between the two is P(t), so the gain is 0.25 times the
//! difference of P between the graphs, per 100 cycles. (Measured before and after, a change could never show: SEOF is of
//! derivatives, and at rest one graph has the same as any other.)
//!
//! Invariants:
//! 1. One at a time, and none within [`COOLDOWN_CYCLES`] of the last.
//! 2. Committed only with SEOF up by [`MIN_GAIN`], C_L4 below the limit of growth, IIS at or above 0.85, and structural
//!    change permitted; on anything else the old graph is in use again at once.
//! 3. Ethical kernel, guard and identity are no nodes that can be named ([`Node::is_open`]).

mod kinds;

pub use kinds::{Node, Recompositions, RolledBack};

use super::growth::GROWTH_FROZEN;
use super::projection::AGGRESSIVE_MIN_IIS;
use crate::l3::action::MAX_GROUPS;
use crate::l3::graph::{Operation, TrialOrder, TrialReport, TrialStage};
use serde::{Deserialize, Serialize};

/// Cycles of each stage (L4.5).
pub const STAGE_CYCLES: u64 = 200;
/// Cycles from the end of one recomposition to the beginning of the next (L4.5).
pub const COOLDOWN_CYCLES: u64 = 300;
/// Share by which SEOF must rise (L4.5).
pub const MIN_GAIN: f64 = 0.08;
/// Weight of dP/dt in SEOF (L4.5).
const PERFORMANCE_WEIGHT: f64 = 0.25;
/// Checks without word of a trial after which the kernel is taken not to do it.
pub const UNHEARD_CHECKS: u32 = 10;
/// Votes on one recomposition after which one that nobody can agree on is given up.
pub const MAX_VOTES: u32 = 10;
/// Cycles before which nothing is recomposed: the identity reference is not taken earlier.
pub const FROM_CYCLE: u64 = 1_000;

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// The cycle.
    pub cycle: u64,
    /// SEOF.
    pub seof: f64,
    /// C_L4.
    pub c_l4: f64,
    /// Identity integrity; `None` while warming up: nothing is recomposed.
    pub iis: Option<f64>,
    /// Structural change is permitted.
    pub permitted: bool,
    /// Forecast skill of each domain, `None` without evidence; empty for an agent whose performance is its tasks: its
    /// forecasts are not in P(t), and no recomposition of them can raise it.
    pub skills: &'a [Option<f64>],
    /// Share of the environment's dimensions in each domain.
    pub shares: &'a [f64],
    /// What the kernel says of the trial.
    pub trial: Option<TrialReport>,
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Nothing that others must do.
    Wait,
    /// The frames are to vote on it: [`Recomposition::decided`].
    Vote {
        /// The group.
        group: u16,
        /// How much forecast skill the group gains.
        gain: f64,
    },
    /// The trial was rolled back after it had been in use.
    Withdrawn,
}

/// The recomposition under way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Active {
    order: TrialOrder,
    since: u64,
    unheard: u32,
    /// The kernel has spoken of it.
    heard: bool,
    /// Votes that settled nothing.
    votes: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recomposition {
    last_number: u32,
    active: Option<Active>,
    not_before: u64,
    /// For each group, the place in [`Operation::ALL`] of the operation that is tried next.
    next: Vec<u8>,
    ended: Recompositions,
}

impl Recomposition {
    /// Nothing tried yet.
    pub fn new(groups: usize) -> Self {
        Self {
            last_number: 0,
            active: None,
            not_before: FROM_CYCLE,
            next: vec![0; groups.min(MAX_GROUPS)],
            ended: Recompositions::default(),
        }
    }

    /// What the kernel is asked to do.
    pub fn order(&self) -> Option<TrialOrder> {
        self.active.map(|active| active.order)
    }

    /// What became of recompositions so far.
    pub fn ended(&self) -> Recompositions {
        self.ended
    }

    /// One check, each ten cycles.
    pub fn check(&mut self, standing: &Standing<'_>) -> Step {
        match self.active {
            Some(active) => self.go_on(active, standing),
            None => {
                self.propose(standing);
                Step::Wait
            }
        }
    }

    /// The frames have voted; `None` = they want to know more first, and the stage is looked at again at the next check.
    pub fn decided(&mut self, passed: Option<bool>, cycle: u64) {
        match (self.active, passed) {
            (Some(active), Some(true)) => self.advance(active, cycle),
            (Some(active), None) if active.votes + 1 < MAX_VOTES => {
                self.active = Some(Active {
                    votes: active.votes + 1,
                    ..active
                });
            }
            (Some(active), _) => self.end(active, Some(RolledBack::Outvoted), cycle),
            (None, _) => {}
        }
    }

    /// Takes up the group that forecasts worst, if there is as much to gain in it as a commit needs.
    fn propose(&mut self, standing: &Standing<'_>) {
        if standing.cycle < self.not_before || !within_bounds(standing) {
            return;
        }
        let needed = needed_gain(standing.seof);
        let known = standing
            .skills
            .iter()
            .zip(standing.shares)
            .take(self.next.len())
            .enumerate();
        let worst = known
            .filter_map(|(group, (skill, share))| skill.map(|skill| (group, skill, *share)))
            .filter(|(_, skill, share)| PERFORMANCE_WEIGHT * (1.0 - skill) * share >= needed)
            .reduce(|worst, next| if next.1 < worst.1 { next } else { worst });
        let Some((group, ..)) = worst else { return };
        let Some(operation) = Operation::ALL.get(usize::from(self.next[group])).copied() else {
            return;
        };
        self.next[group] = (self.next[group] + 1) % Operation::ALL.len() as u8;
        // A kernel that has outlived this level knows numbers that it does not.
        let known = standing.trial.map_or(0, |trial| trial.number);
        self.last_number = self.last_number.max(known).saturating_add(1);
        let group = group as u16;
        debug_assert!(Node::of(operation, group).is_open(), "only open nodes have operations");
        self.active = Some(Active {
            order: TrialOrder {
                number: self.last_number,
                group,
                operation,
                stage: TrialStage::Shadow,
            },
            since: standing.cycle,
            unheard: 0,
            heard: false,
            votes: 0,
        });
    }

    fn go_on(&mut self, active: Active, standing: &Standing<'_>) -> Step {
        let used = active.order.stage > TrialStage::Shadow;
        let step_of = |used: bool| if used { Step::Withdrawn } else { Step::Wait };
        let said = standing.trial.filter(|trial| trial.number == active.order.number);
        if said.is_some_and(|trial| trial.committed) {
            self.end(active, None, standing.cycle);
            return Step::Wait;
        }
        if !within_bounds(standing) {
            self.end(active, Some(RolledBack::OutOfBounds), standing.cycle);
            return step_of(used);
        }
        let Some(said) = said.filter(|trial| trial.applicable) else {
            return self.unheard(active, said.is_some(), standing.cycle);
        };
        let active = Active {
            unheard: 0,
            heard: true,
            ..active
        };
        self.active = Some(active);
        if active.order.stage == TrialStage::Commit || standing.cycle.saturating_sub(active.since) < STAGE_CYCLES {
            return Step::Wait;
        }
        let share = standing.shares.get(usize::from(active.order.group)).copied();
        let gained = said.skill.map(|[old, new]| new - old);
        let gain = gained
            .zip(share)
            .map(|(gained, share)| PERFORMANCE_WEIGHT * gained * share);
        if gain.is_none_or(|gain| gain.is_nan() || gain < needed_gain(standing.seof)) {
            self.end(active, Some(RolledBack::NoGain), standing.cycle);
            return step_of(used);
        }
        if used {
            self.advance(active, standing.cycle);
            return Step::Wait;
        }
        Step::Vote {
            group: active.order.group,
            gain: gained.unwrap_or(0.0),
        }
    }

    /// The kernel says nothing of the trial, or that there is nothing to try.
    fn unheard(&mut self, active: Active, spoken: bool, cycle: u64) -> Step {
        let used = active.order.stage > TrialStage::Shadow;
        let unheard = active.unheard + 1;
        let cause = if spoken && !active.heard {
            RolledBack::NotApplicable
        } else if spoken || unheard >= UNHEARD_CHECKS {
            RolledBack::Unheard
        } else {
            self.active = Some(Active { unheard, ..active });
            return Step::Wait;
        };
        self.end(active, Some(cause), cycle);
        if used { Step::Withdrawn } else { Step::Wait }
    }

    fn advance(&mut self, active: Active, cycle: u64) {
        let stage = match active.order.stage {
            TrialStage::Shadow => TrialStage::Fifth,
            TrialStage::Fifth => TrialStage::Most,
            TrialStage::Most => TrialStage::Whole,
            TrialStage::Whole | TrialStage::Commit => TrialStage::Commit,
        };
        self.active = Some(Active {
            order: TrialOrder { stage, ..active.order },
            since: cycle,
            ..active
        });
    }

    fn end(&mut self, active: Active, rolled_back: Option<RolledBack>, cycle: u64) {
        self.active = None;
        let counted = match rolled_back {
            None => &mut self.ended.committed,
            Some(_) => &mut self.ended.rolled_back,
        };
        *counted = counted.saturating_add(1);
        self.ended.last = Some((active.order, rolled_back));
        // What never ran needs no rest: the next operation is tried at the next check.
        let rest = if rolled_back == Some(RolledBack::NotApplicable) {
            0
        } else {
            COOLDOWN_CYCLES
        };
        self.not_before = cycle.saturating_add(rest);
    }

    /// The state can have been reached with so many groups.
    pub(super) fn is_valid(&self, groups: usize) -> bool {
        let fits = |active: Active| {
            usize::from(active.order.group) < self.next.len() && active.order.number == self.last_number
        };
        self.next.len() == groups.min(MAX_GROUPS)
            && self.next.iter().all(|next| usize::from(*next) < Operation::ALL.len())
            && self.active.is_none_or(fits)
    }
}

/// C_L4 below the limit of growth, IIS at or above 0.85, structural change permitted.
fn within_bounds(standing: &Standing<'_>) -> bool {
    standing.permitted && standing.c_l4 < GROWTH_FROZEN && standing.iis.is_some_and(|iis| iis >= AGGRESSIVE_MIN_IIS)
}

/// By how much SEOF must rise.
fn needed_gain(seof: f64) -> f64 {
    MIN_GAIN * seof.abs().max(LEAST_SEOF)
}

/// Near 0 a share of SEOF is nothing; it counts as at least this.
const LEAST_SEOF: f64 = 0.1;

#[cfg(test)]
mod tests;
