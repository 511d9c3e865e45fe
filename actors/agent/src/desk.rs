//! The kernel's desk behind a lock: the levels lay down, the kernel reads at the start of each cycle and never waits for
//! anybody. What lies there and what counts is decided in `rungs_mind::desk`.

use rungs_mind::desk::{self, Orders, Proposal};
use rungs_mind::goals::FloorSight;
use rungs_mind::l3::Floor;
use rungs_mind::l49::Constraints;
use rungs_mind::report::Advice;
use rungs_types::{CheckpointId, Epoch, Level};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<desk::Desk>);

impl Desk {
    // Nothing can panic while it is held: only values are moved.
    fn lock(&self) -> MutexGuard<'_, desk::Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What L4.5 says now.
    pub(crate) fn set_floor(&self, floor: Floor) {
        self.lock().set_floor(floor);
    }

    /// What L4.5 says now, and what of its report the goals look at, if it `stands` still: that is asked while nobody else
    /// can lay anything down, so that the word of a level that was frozen meanwhile is never the last. Whether it stands.
    pub(crate) fn report(&self, floor: Floor, sight: FloorSight, stands: impl FnOnce() -> bool) -> bool {
        let mut desk = self.lock();
        let stands = stands();
        if stands {
            desk.set_floor(floor);
            desk.set_sight(sight);
        }
        stands
    }

    /// What of the last report the goals look at; `None` before the first.
    pub(crate) fn sight(&self) -> Option<FloorSight> {
        self.lock().sight()
    }

    /// Lays advice on the desk.
    pub(crate) fn lay(&self, advice: Arc<Advice>) {
        self.lock().lay(advice);
    }

    /// Takes away what a level laid there, and says how many pieces it was.
    pub(crate) fn withdraw(&self, level: Level, checkpoint: CheckpointId) -> u32 {
        self.lock().withdraw(level, checkpoint)
    }

    /// What the levels above want of the goals; `epoch` is that of Level 4.9 if it acts.
    pub(crate) fn take_orders(&self, epoch: Option<Epoch>) -> Orders {
        self.lock().take_orders(epoch)
    }

    /// Lays a goal of Level 4.9 on the desk.
    pub(crate) fn propose(&self, proposal: Proposal) {
        self.lock().propose(proposal);
    }

    /// What the mode of the resources permits from now on.
    pub(crate) fn constrain(&self, constraints: Constraints) {
        self.lock().constrain(constraints);
    }

    /// See [`Desk::constrain`].
    pub(crate) fn constraints(&self) -> Constraints {
        self.lock().constraints()
    }

    /// What the kernel goes by in a cycle.
    pub(crate) fn read(&self, cycle: u64, epoch: Epoch) -> (Floor, Option<Arc<Advice>>) {
        self.lock().read(cycle, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::report::FloorReport;

    #[test]
    fn the_word_of_a_floor_that_was_frozen_while_it_computed_is_not_laid_down() {
        let (desk, calm) = (Desk::default(), FloorReport::default());
        let floor = || desk.read(1, Epoch::default()).0;
        assert!(desk.report(Floor::from(&calm), (&calm).into(), || true));
        assert_eq!((floor(), desk.sight().is_some()), (Floor::from(&calm), true));
        // The level is frozen, and then its job ends.
        desk.set_floor(Floor::Failed);
        assert!(!desk.report(Floor::from(&calm), (&calm).into(), || false));
        assert_eq!(floor(), Floor::Failed, "L3 stays in stabilization mode");
    }
}
