//! The kernel's desk: what the levels above have laid on it. The kernel looks at it at the start of each cycle and never
//! waits for anybody; a withdrawal takes away what lies there.
//!
//! Invariant: at most [`MAX_ADVICE`] pieces lie on the desk; the oldest go first.

use crate::goals::FloorSight;
use crate::l3::Floor;
use crate::l49::{Constraints, Injection};
use crate::report::Advice;
use rungs_types::goal::Origin;
use rungs_types::{CheckpointId, Epoch, Level};
use std::collections::VecDeque;
use std::sync::Arc;

/// Pieces of advice on the desk: one in force, one that takes effect ten cycles later, and room for a slow kernel.
pub const MAX_ADVICE: usize = 4;

/// Goals that wait for the kernel's next turn; the oldest go first.
pub const MAX_PROPOSALS: usize = 16;

/// A goal that Level 4.9 sets, under its epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The level's epoch: of an older one, it is not set.
    pub epoch: Epoch,
    /// The goal.
    pub injection: Injection,
}

/// What the levels above want of the goals.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Orders {
    /// Whose goals are taken back, and since which checkpoint.
    pub withdrawn: Vec<(Origin, CheckpointId)>,
    /// Goals to be set.
    pub injections: Vec<Injection>,
    /// What the mode of the resources permits.
    pub constraints: Constraints,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    floor: Floor,
    sight: Option<FloorSight>,
    advice: VecDeque<Arc<Advice>>,
    /// Whose goals are to be taken back, and since which checkpoint.
    withdrawn: Vec<(Origin, CheckpointId)>,
    proposals: VecDeque<Proposal>,
    constraints: Constraints,
}

impl Desk {
    /// What L4.5 says now.
    pub fn set_floor(&mut self, floor: Floor) {
        self.floor = floor;
    }

    /// What of L4.5's report the goals look at.
    pub fn set_sight(&mut self, sight: FloorSight) {
        self.sight = Some(sight);
    }

    /// See [`Desk::set_sight`]; `None` before the first report.
    pub fn sight(&self) -> Option<FloorSight> {
        self.sight
    }

    /// Lays advice on the desk.
    pub fn lay(&mut self, advice: Arc<Advice>) {
        if self.advice.len() == MAX_ADVICE {
            self.advice.pop_front();
        }
        self.advice.push_back(advice);
    }

    /// Takes away what a level laid there, and says how many pieces it was. The goals that it has set since `checkpoint`
    /// are taken back before the kernel's next turn.
    pub fn withdraw(&mut self, level: Level, checkpoint: CheckpointId) -> u32 {
        if let Some(origin) = origin_of(level) {
            // A freeze of Level 4.9 takes all of its goals back (MSCP Level 4.9, section 7.3).
            let checkpoint = if level == Level::L49 {
                CheckpointId::default()
            } else {
                checkpoint
            };
            // One entry per origin: the oldest checkpoint covers the others.
            match self.withdrawn.iter_mut().find(|(other, _)| *other == origin) {
                Some((_, since)) => *since = checkpoint.min(*since),
                None => self.withdrawn.push((origin, checkpoint)),
            }
        }
        if level == Level::L49 {
            self.proposals.clear();
        }
        let before = self.advice.len();
        self.advice.retain(|advice| advice.level != level);
        (before - self.advice.len()) as u32
    }

    /// Lays a goal of Level 4.9 on the desk.
    pub fn propose(&mut self, proposal: Proposal) {
        if self.proposals.len() == MAX_PROPOSALS {
            self.proposals.pop_front();
        }
        self.proposals.push_back(proposal);
    }

    /// What the levels above want of the goals before the kernel's next turn; told once. `epoch` is that of Level 4.9 if it
    /// acts: goals of another epoch, or of a level that does not act any more, are dropped.
    pub fn take_orders(&mut self, epoch: Option<Epoch>) -> Orders {
        let current = |proposal: Proposal| (Some(proposal.epoch) == epoch).then_some(proposal.injection);
        Orders {
            withdrawn: std::mem::take(&mut self.withdrawn),
            injections: self.proposals.drain(..).filter_map(current).collect(),
            constraints: self.constraints,
        }
    }

    /// What the mode of the resources permits from now on.
    pub fn constrain(&mut self, constraints: Constraints) {
        self.constraints = constraints;
    }

    /// What the kernel goes by in a cycle: what L4.5 says, and of the advice of the current epoch the newest that takes
    /// effect by then. Advice that a newer one has replaced is cleared away.
    pub fn read(&mut self, cycle: u64, epoch: Epoch) -> (Floor, Option<Arc<Advice>>) {
        let newest = self
            .advice
            .iter()
            .rposition(|advice| advice.effective_at <= cycle && advice.epoch == epoch);
        let advice = newest.map(|index| {
            self.advice.drain(..index);
            Arc::clone(&self.advice[0])
        });
        (self.floor, advice)
    }
}

/// The origin of the goals that a level sets.
fn origin_of(level: Level) -> Option<Origin> {
    match level {
        Level::L3 | Level::L45 => None,
        Level::L48 => Some(Origin::L48),
        Level::L49 => Some(Origin::L49),
        Level::L6 => Some(Origin::L6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::Authority;

    fn advice(from_cycle: u64, epoch: u64) -> Arc<Advice> {
        Arc::new(Advice {
            level: Level::L48,
            epoch: Epoch(epoch),
            authority: Authority::Full,
            checkpoint: CheckpointId(from_cycle),
            from_cycle,
            effective_at: from_cycle + 10,
            forecast: Vec::new(),
            variance: Vec::new(),
            confidence: None,
            eu: 0.0,
            res: 0.0,
            rdf: 0.0,
            structural_permitted: true,
            plan: crate::l48::plan::InForce::default(),
        })
    }

    fn read(desk: &mut Desk, cycle: u64, epoch: u64) -> Option<u64> {
        desk.read(cycle, Epoch(epoch)).1.map(|advice| advice.from_cycle)
    }

    #[test]
    fn the_newest_advice_that_takes_effect_counts_and_the_next_waits() {
        let mut desk = Desk::default();
        desk.lay(advice(10, 0));
        assert_eq!(read(&mut desk, 19, 0), None);
        assert_eq!(read(&mut desk, 20, 0), Some(10));
        desk.lay(advice(20, 0));
        assert_eq!(read(&mut desk, 29, 0), Some(10), "in force until the next takes effect");
        assert_eq!(read(&mut desk, 30, 0), Some(20));
        assert_eq!(
            read(&mut desk, 300, 0),
            Some(20),
            "how old is too old, the kernel decides"
        );
    }

    #[test]
    fn advice_of_another_epoch_is_ignored_and_a_withdrawal_counts_it() {
        let mut desk = Desk::default();
        desk.lay(advice(10, 0));
        desk.lay(advice(20, 0));
        assert_eq!(read(&mut desk, 40, 1), None);
        assert_eq!(desk.withdraw(Level::L49, CheckpointId(0)), 0);
        assert_eq!(desk.withdraw(Level::L48, CheckpointId(0)), 2);
        assert_eq!(read(&mut desk, 40, 0), None);
    }

    #[test]
    fn a_withdrawal_names_whose_goals_go_and_the_oldest_checkpoint_counts() {
        let mut desk = Desk::default();
        desk.withdraw(Level::L45, CheckpointId(9));
        for checkpoint in [7, 3, 5] {
            desk.withdraw(Level::L48, CheckpointId(checkpoint));
        }
        desk.withdraw(Level::L49, CheckpointId(4));
        assert_eq!(
            desk.take_orders(None).withdrawn,
            [(Origin::L48, CheckpointId(3)), (Origin::L49, CheckpointId(0))],
            "a freeze of L4.9 takes all of its goals"
        );
        assert_eq!(desk.take_orders(None).withdrawn, []);
    }

    #[test]
    fn the_desk_holds_four_pieces() {
        let mut desk = Desk::default();
        (1..=10).for_each(|i| desk.lay(advice(10 * i, 0)));
        assert_eq!(desk.withdraw(Level::L48, CheckpointId(0)), MAX_ADVICE as u32);
    }
}
