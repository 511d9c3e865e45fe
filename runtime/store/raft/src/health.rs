//! [`Health`]: notices that the replica of this voter has ended while the process lives.
//!
//! It ends where its disk is full or its log cannot be read. With hiqlite-wal 0.15.1 it also ends where the voter was away
//! for so long that it is sent a copy of all rows: the first file of the log is made anew under the same name, and whoever
//! reads the log goes on with the old one. The replica tells nobody: a follower falls behind for ever, a leader answers with
//! errors and takes itself for the leader. Only a new start of the process helps, and does.

use crate::reader::Reader;
use rungs_store::cluster::{Consistency, Revision};
use rungs_store_replica::{Error, Replica};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked at, in heartbeats.
const PACE_HEARTBEATS: u32 = 20;

/// How it was noticed that the replica has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As the leader it says so.
    Leading,
    /// It has not come to know of this commit, which the leader knew long ago.
    Behind(Revision),
    /// It never took part; others answered in its place.
    NeverStarted,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leading => f.write_str("the replica has ended while it led"),
            Self::Behind(revision) => write!(f, "the replica has ended before {revision}"),
            Self::NeverStarted => f.write_str("the replica did not start"),
        }
    }
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    ended: Arc<AtomicBool>,
    never_started: Arc<AtomicBool>,
}

impl Health {
    /// Looks at an error of the replica's.
    pub(crate) async fn look_at(&self, replica: &Replica, error: &Error) {
        if replica.has_ended(error).await {
            self.ended.store(true, Ordering::Release);
        }
    }

    /// The replica of this voter did not start; others answer.
    pub(crate) fn does_not_start(&self) {
        self.never_started.store(true, Ordering::Release);
    }

    /// Returns when the replica has ended.
    pub(crate) async fn ended(&self, reader: &Reader, heartbeat: Duration, catch_up: Duration) -> Ended {
        let pace = heartbeat * PACE_HEARTBEATS;
        loop {
            if self.ended.load(Ordering::Acquire) {
                return Ended::Leading;
            }
            if self.never_started.load(Ordering::Acquire) {
                return Ended::NeverStarted;
            }
            sleep(pace).await;
            // Without a majority nothing is known.
            let Ok(now) = reader.head(Consistency::Consistent, catch_up).await else {
                continue;
            };
            let (mut until, mut reached) = (Instant::now() + catch_up, Revision::default());
            while reached < now.revision {
                let own = reader.own_head(pace).await.unwrap_or_default().revision;
                if own > reached {
                    // It has not ended, it only takes its time, as where it runs a long log again.
                    (reached, until) = (own, Instant::now() + catch_up);
                } else if Instant::now() >= until {
                    return Ended::Behind(now.revision);
                }
                if reached < now.revision {
                    sleep(pace).await;
                }
            }
        }
    }
}
