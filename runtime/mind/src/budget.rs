//! How long a computation may take, without a clock: the host owns the time and raises a flag, the loop asks.
//!
//! Synchronous code cannot be killed, so every loop of this crate that can take more than 100 microseconds takes a
//! [`Budget`] and asks it once in each iteration. A phase that runs out returns [`BudgetExceeded`] and leaves its
//! state as it was before the step.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says whether the time of the running step is over.
pub trait Budget {
    /// The time is over: the loop stops and returns [`BudgetExceeded`].
    fn exceeded(&self) -> bool;

    /// The same as an error, for `?` in a loop.
    fn check(&self) -> Result<(), BudgetExceeded> {
        if self.exceeded() { Err(BudgetExceeded) } else { Ok(()) }
    }
}

/// The step's time was over before its result was complete; nothing of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the step's time was over before its result was complete")]
pub struct BudgetExceeded;

/// No limit: for replay and simulation, where nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn exceeded(&self) -> bool {
        false
    }
}

/// The host's flag: it sets it at the deadline.
impl Budget for AtomicBool {
    fn exceeded(&self) -> bool {
        self.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_flag_ends_the_step_and_no_flag_never_does() {
        let flag = AtomicBool::new(false);
        assert_eq!(flag.check(), Ok(()));
        flag.store(true, Ordering::Relaxed);
        assert_eq!(flag.check(), Err(BudgetExceeded));
        assert_eq!(Unlimited.check(), Ok(()));
    }
}
