//! The governor: the agent's ladder behind one lock, and the only writer of the authority cell.
//!
//! Faults, orders and requests come from the agent's supervisors; `rungs_mind::ladder` decides; what takes authority
//! away is in the cell before the lock is released, and so before any mailbox has seen it. The rest of the decision is
//! queued, in order, and the agent's root carries it out. The governor outlives a restart of the tree.
//!
//! Invariants:
//! 1. The cell never holds more authority than the ladder has granted.
//! 2. Decisions are carried out in the order in which they were taken, those of a dead tree by the next one.
//! 3. What a level asks for under an epoch that has passed changes nothing.

use crate::authority::{AuthorityReader, AuthorityWriter, Standing};
use crate::messages::LevelStanding;
use rungs_mind::ladder::{Action, At, Fault, Ladder, Order, OrderError, Request};
use rungs_types::{Authority, Epoch, Level};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most decisions that wait to be carried out; reached only by a root that no longer works, which its host replaces.
pub(crate) const MAX_DECISIONS: usize = 1024;

/// What was decided at once, to be carried out in order.
#[derive(Debug)]
pub(crate) struct Decision {
    /// When.
    pub(crate) at: At,
    /// What; demotions are in force already.
    pub(crate) actions: Vec<Action>,
    /// The epochs after it, lowest level first.
    pub(crate) epochs: [Epoch; Level::ALL.len()],
}

/// Tells the root that decisions wait.
type Doorbell = Box<dyn Fn() + Send>;

struct Inner {
    ladder: Ladder,
    cell: AuthorityWriter,
    decisions: VecDeque<Decision>,
    doorbell: Option<Doorbell>,
    /// The tree has been started before.
    resumed: bool,
}

/// See the module.
pub(crate) struct Governor {
    inner: Mutex<Inner>,
    reader: AuthorityReader,
}

impl fmt::Debug for Governor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governor")
            .field("authority", &self.reader.all())
            .finish_non_exhaustive()
    }
}

impl Governor {
    /// Governs by this ladder.
    pub(crate) fn new(ladder: Ladder) -> Self {
        let cell = AuthorityWriter::new(standings(&ladder));
        Self {
            reader: cell.reader(),
            inner: Mutex::new(Inner {
                ladder,
                cell,
                decisions: VecDeque::new(),
                doorbell: None,
                resumed: false,
            }),
        }
    }

    // A panic under the lock can only come from the pure ladder; its state is whole between two calls, and a governor
    // that refused to freeze after it would be worse than one that goes on.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the authority cell.
    pub(crate) fn reader(&self) -> AuthorityReader {
        self.reader.clone()
    }

    /// Goes on with the ladder of a record, at the first start of the tree only: later the one here knows more. The agent
    /// has the levels up to `top`, whichever it had when the record was written.
    pub(crate) fn resume_once(&self, ladder: Option<Ladder>, top: Level, at: At) {
        let mut inner = self.lock();
        let Some(ladder) = ladder.filter(|_| !inner.resumed) else {
            inner.resumed = true;
            return;
        };
        inner.resumed = true;
        let standings = standings(&ladder);
        for level in Level::ALL {
            // Lower first: on the way no level stands above the one below it.
            inner.cell.place(level, standings[level.index()]);
        }
        inner.ladder = ladder;
        inner.decide(at, |ladder| ladder.fit(top));
    }

    /// Rings for each decision from now on, and at once if some wait.
    pub(crate) fn attach(&self, doorbell: impl Fn() + Send + 'static) {
        let mut inner = self.lock();
        if !inner.decisions.is_empty() {
            doorbell();
        }
        inner.doorbell = Some(Box::new(doorbell));
    }

    /// Rings no more.
    pub(crate) fn detach(&self) {
        self.lock().doorbell = None;
    }

    /// Something went wrong. False if that was known or means nothing now.
    pub(crate) fn fault(&self, fault: &Fault, at: At) -> bool {
        self.lock().decide(at, |ladder| ladder.on_fault(fault, at))
    }

    /// An operator orders something; a refused order changes nothing.
    pub(crate) fn order(&self, order: &Order, at: At) -> Result<(), OrderError> {
        let mut inner = self.lock();
        let actions = inner.ladder.on_order(order)?;
        inner.decide(at, |_| actions);
        Ok(())
    }

    /// A level asks for something, under the epoch in which it computed it. All of it belongs to one decision.
    pub(crate) fn requests(&self, level: Level, epoch: Epoch, requests: Vec<Request>, at: At) {
        let mut inner = self.lock();
        if inner.ladder.epoch(level) != epoch {
            return;
        }
        inner.decide(at, |ladder| {
            let each = requests
                .into_iter()
                .map(|request| ladder.on_request(level, request, at));
            each.flatten().collect()
        });
    }

    /// An operator starts the parked agent.
    pub(crate) fn unpark(&self, at: At) {
        self.lock().decide(at, |ladder| ladder.on_unpark("operator"));
    }

    /// L4.5 runs again after it failed.
    pub(crate) fn floor_started(&self, at: At) {
        self.lock().decide(at, Ladder::on_floor_started);
    }

    /// The next decision to carry out.
    pub(crate) fn next(&self) -> Option<Decision> {
        self.lock().decisions.pop_front()
    }

    /// Puts a promotion in force, now that it is persisted, unless the ladder has taken it back since.
    pub(crate) fn promote(&self, level: Level, to: Authority) -> bool {
        let inner = self.lock();
        let granted = inner.ladder.authority(level) >= to;
        if granted {
            inner.cell.set(level, to);
        }
        granted
    }

    /// The ladder as it goes into a snapshot.
    pub(crate) fn ladder(&self) -> Ladder {
        self.lock().ladder.clone()
    }

    /// Where a level stands now.
    pub(crate) fn standing(&self, level: Level) -> LevelStanding {
        let inner = self.lock();
        LevelStanding {
            level,
            authority: self.reader.read(level).authority,
            epoch: inner.ladder.epoch(level),
            checkpoint: inner.ladder.checkpoint(level),
        }
    }

    /// Freezes since the agent's first start.
    pub(crate) fn freezes(&self) -> u32 {
        self.lock().ladder.freezes()
    }
}

impl Inner {
    /// Takes a decision, puts its demotions in force, and queues it for the root.
    fn decide(&mut self, at: At, decide: impl FnOnce(&mut Ladder) -> Vec<Action>) -> bool {
        let actions = decide(&mut self.ladder);
        if actions.is_empty() {
            return false;
        }
        let epochs = Level::ALL.map(|level| self.ladder.epoch(level));
        for action in &actions {
            match *action {
                Action::FreezeFrom { level, .. } => self.cell.freeze(level, epochs),
                Action::SetAuthority { level, from, to } if to < from => self.cell.set(level, to),
                _ => {}
            }
        }
        if self.decisions.len() == MAX_DECISIONS {
            tracing::error!(
                limit = MAX_DECISIONS,
                "decisions are not carried out; the oldest is dropped"
            );
            self.decisions.pop_front();
        }
        self.decisions.push_back(Decision { at, actions, epochs });
        if let Some(ring) = &self.doorbell {
            ring();
        }
        true
    }
}

fn standings(ladder: &Ladder) -> [Standing; Level::ALL.len()] {
    Level::ALL.map(|level| Standing {
        authority: ladder.authority(level),
        epoch: ladder.epoch(level),
    })
}

#[cfg(test)]
mod tests;
