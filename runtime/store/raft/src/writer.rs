//! [`Writer`]: writes batches, and tries again until it knows what came of them.
//!
//! A call to a leader that has died, or a leader that has lost its majority, does not return in time, and the batch may or
//! may not be in the log. So each writer has a session, which numbers its batches: the same batch sent again is applied
//! once, whichever of its copies arrives, and a copy that arrives after a later batch is not applied at all. Only when the
//! time is over is the outcome unknown; then the writer begins a new session, since the old one's next number is not known.

use crate::batch::{BatchId, Plan, Said};
use crate::reader::Reader;
use crate::start;
use rungs_store::cluster::group::{BatchError, WriteBatch};
use rungs_store::cluster::{Commit, Outcome};
use rungs_store_replica::{Error, Replica};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Heartbeats after which a call is given up and made again. A leader that lives answers long before.
const PATIENCE_HEARTBEATS: u32 = 20;

/// See the module.
pub(crate) struct Writer {
    replica: Replica,
    reader: Reader,
    heartbeat: Duration,
    kept_deletions: u64,
    next: BatchId,
}

/// What one attempt came to.
enum Attempt {
    Said(Said),
    /// It did not get into the log.
    Refused,
    /// Not known.
    Silent,
}

impl Writer {
    pub(crate) fn new(replica: Replica, reader: Reader, heartbeat: Duration, kept_deletions: u64) -> Self {
        let next = first();
        Self {
            replica,
            reader,
            heartbeat,
            kept_deletions,
            next,
        }
    }

    async fn attempt(&self, plan: &Plan, until: Instant) -> Attempt {
        let patience = Instant::now() + self.heartbeat * PATIENCE_HEARTBEATS;
        let leader = self.replica.leader().await;
        let call = self.replica.transaction(plan.statements());
        tokio::select! {
            answer = timeout_at(until.min(patience), call) => match answer {
                Ok(Ok(rows)) => plan.read(&rows).map_or(Attempt::Silent, Attempt::Said),
                Ok(Err(error)) => {
                    self.reader.tell(&error).await;
                    refusal(&error)
                }
                Err(_) => Attempt::Silent,
            },
            () = start::another_leads(&self.replica, leader, self.heartbeat) => Attempt::Silent,
        }
    }

    /// Tells the outcomes, if they are known for certain.
    async fn outcomes(&self, plan: &Plan, said: Said, until: Instant) -> Option<Vec<Outcome>> {
        match said {
            Said::Applied(outcomes) => Some(outcomes),
            Said::Before => {
                let (revision, conflicts) = self.reader.left_behind(&self.next, until).await?;
                plan.left_behind(revision, &conflicts)
            }
            Said::Lost => None,
        }
    }
}

impl WriteBatch for Writer {
    async fn write(&mut self, batch: &[Commit], until: Instant) -> Result<Vec<Outcome>, BatchError> {
        let plan = Plan::new(&self.next, batch, self.kept_deletions);
        let mut silent = false;
        while Instant::now() < until {
            match self.attempt(&plan, until).await {
                Attempt::Said(said) => {
                    let outcomes = self.outcomes(&plan, said, until).await;
                    match &outcomes {
                        Some(_) => self.next.number += 1,
                        None => self.next = first(),
                    }
                    return outcomes.ok_or(BatchError::Unknown);
                }
                Attempt::Refused => {}
                Attempt::Silent => silent = true,
            }
            let pause = Instant::now() + self.heartbeat;
            tokio::time::sleep_until(pause.min(until)).await;
        }
        if silent {
            self.next = first();
            return Err(BatchError::Unknown);
        }
        Err(BatchError::NotApplied)
    }
}

/// The first batch of a new session.
fn first() -> BatchId {
    BatchId {
        session: Uuid::now_v7().as_bytes().to_vec(),
        number: 1,
    }
}

fn refusal(error: &Error) -> Attempt {
    // Whoever is asked to lead and does not has put nothing into the log.
    if error.is_forward_to_leader().is_some() || matches!(error, Error::RateLimit(_)) {
        return Attempt::Refused;
    }
    tracing::warn!(%error, "a batch of commits was not answered");
    Attempt::Silent
}
