//! The kernel's desk: what the levels above have laid on it. The kernel looks at it at the start of each cycle and never
//! waits for anybody; a withdrawal takes away what lies there.
//!
//! Invariant: at most [`MAX_ADVICE`] pieces lie on the desk; the oldest go first.

use rungs_mind::l3::Floor;
use rungs_mind::report::Advice;
use rungs_types::{Epoch, Level};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pieces of advice on the desk: one in force, one that takes effect ten cycles later, and room for a slow kernel.
pub(crate) const MAX_ADVICE: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Laid>);

#[derive(Debug, Default)]
struct Laid {
    floor: Floor,
    advice: VecDeque<Arc<Advice>>,
}

impl Desk {
    // Nothing can panic while it is held: only values are moved.
    fn lock(&self) -> MutexGuard<'_, Laid> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What L4.5 says now.
    pub(crate) fn set_floor(&self, floor: Floor) {
        self.lock().floor = floor;
    }

    /// Lays advice on the desk.
    pub(crate) fn lay(&self, advice: Arc<Advice>) {
        let mut laid = self.lock();
        if laid.advice.len() == MAX_ADVICE {
            laid.advice.pop_front();
        }
        laid.advice.push_back(advice);
    }

    /// Takes away what a level laid there, and says how many pieces it was.
    pub(crate) fn withdraw(&self, level: Level) -> u32 {
        let mut laid = self.lock();
        let before = laid.advice.len();
        laid.advice.retain(|advice| advice.level != level);
        (before - laid.advice.len()) as u32
    }

    /// What the kernel goes by in a cycle: what L4.5 says, and of the advice of the current epoch the newest that takes
    /// effect by then. Advice that a newer one has replaced is cleared away.
    pub(crate) fn read(&self, cycle: u64, epoch: Epoch) -> (Floor, Option<Arc<Advice>>) {
        let mut laid = self.lock();
        let newest = laid
            .advice
            .iter()
            .rposition(|advice| advice.effective_at <= cycle && advice.epoch == epoch);
        let advice = newest.map(|index| {
            laid.advice.drain(..index);
            Arc::clone(&laid.advice[0])
        });
        (laid.floor, advice)
    }
}
