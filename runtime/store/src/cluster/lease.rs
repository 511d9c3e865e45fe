//! Leases: who holds a name for a while, such as a node its membership.
//!
//! A lease is a row: holder (node name and incarnation), token and end. The end is a time of the store, which commits tell
//! and replicas never read from a clock. Who decides that a lease is over is whoever wants to have it: its commit tells
//! the time by its own clock, and the store compares the end with the latest time it was ever told, in the commit itself.
//! A holder stops by its own clock before that (self-fencing), early enough for clocks to differ by the bound that the
//! membership keeps.
//!
//! Invariants:
//! 1. A name has one holder at a time; whoever takes it over gets a greater token, and a renewal of the one before is
//!    refused from then on.
//! 2. A lease that is over is not renewed, only acquired again.
//! 3. Deciding is pure ([`decide`]); the commit checks what was decided from.

use crate::cluster::commit::{Commit, CommitError, Outcome, Precondition, Revision, StoreTime, TableId};
use crate::cluster::key::{Key, Parts};
use crate::cluster::read::Consistency;
use crate::cluster::table::{Entry, Table, TableError, Typed, put, row_id};
use crate::cluster::{Seen, Store};
use rungs_types::{Epoch, NodeId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Goes at a lease before the caller is told that others are at it too.
const MAX_TRIES: usize = 8;

/// The table of leases. Its one index is by end, so that those that are over come first.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTable;

/// What a lease's row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who has it.
    pub holder: NodeId,
    /// Rises each time it goes to somebody.
    pub token: Epoch,
    /// When it is over.
    pub ends_at: StoreTime,
}

impl Table for LeaseTable {
    const ID: TableId = TableId(1);
    const NAME: &'static str = "leases";
    const SCHEMA: u16 = 1;
    const INDEXES: &'static [&'static str] = &["end"];
    type Key = String;
    type Value = Lease;

    fn key(name: &String) -> Vec<u8> {
        Key::new().text(name).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<String> {
        String::from_utf8(Parts::of(bytes).text()?).ok()
    }

    fn encode(lease: &Lease) -> Vec<u8> {
        let numbers = Key::new().number(lease.token.0).number(lease.ends_at.ms);
        numbers.text(lease.holder.to_string()).bytes()
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<Lease> {
        let mut parts = Parts::of(bytes);
        Some(Lease {
            token: Epoch(parts.number()?),
            ends_at: StoreTime::from_ms(parts.number()?),
            holder: String::from_utf8(parts.text()?).ok()?.parse().ok()?,
        })
    }

    fn indexes(_name: &String, lease: &Lease) -> Vec<Option<Vec<u8>>> {
        vec![Some(Key::new().number(lease.ends_at.ms).bytes())]
    }
}

/// A lease as its holder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// The lease.
    pub lease: Lease,
    /// The commit that wrote it.
    pub revision: Revision,
}

/// Who asks for how long, and what time it is by their clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who.
    pub holder: NodeId,
    /// For how long from now.
    pub ttl: Duration,
    /// Now.
    pub now: StoreTime,
}

/// Why a lease is not held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it; try again when it is over.
    #[error("{} holds it until {} ms since 1970", .0.holder, .0.ends_at.ms)]
    Taken(Lease),
    /// It is over, or somebody else has had it since: stop what it was held for.
    #[error("the lease was lost")]
    Lost,
    /// Others write it all the time; try again.
    #[error("others are at this lease")]
    Contended,
    /// The lease cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The store does not take the commit. After [`CommitError::Unknown`] do the same again.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// What to write for who wants a lease, given what there is: the lease, and the time that must have come for it.
///
/// # Errors
/// [`LeaseError::Taken`] by whom.
pub fn decide(found: Option<&Lease>, request: &Request, now: StoreTime) -> Result<(Lease, StoreTime), LeaseError> {
    let Request { holder, ttl, .. } = request;
    let lease = |token| Lease {
        holder: holder.clone(),
        token,
        ends_at: now.after(*ttl),
    };
    match found {
        None => Ok((lease(Epoch::default().next()), StoreTime::default())),
        // Asked again, because the answer was lost.
        Some(mine) if mine.holder == *holder && now < mine.ends_at => Ok((lease(mine.token), StoreTime::default())),
        Some(over) if now >= over.ends_at => Ok((lease(over.token.next()), over.ends_at)),
        Some(taken) => Err(LeaseError::Taken(taken.clone())),
    }
}

/// The leases in a store.
pub struct Leases {
    store: Arc<dyn Store>,
    table: Typed<LeaseTable>,
}

impl Leases {
    /// Those in this store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        let table = Typed::of(Arc::clone(&store));
        Self { store, table }
    }

    /// The lease of this name as the store knows it, over or not.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn get(
        &self,
        name: &str,
        how: Consistency,
        within: Duration,
    ) -> Result<Seen<Option<Entry<String, Lease>>>, TableError> {
        self.table.get(&name.to_owned(), how, within).await
    }

    /// Takes a lease that is free or over. Asking again is harmless.
    ///
    /// # Errors
    /// See [`LeaseError`].
    pub async fn acquire(&self, name: &str, request: &Request, within: Duration) -> Result<Held, LeaseError> {
        let end = Instant::now() + within;
        for _ in 0..MAX_TRIES {
            let found = self.get(name, Consistency::Consistent, left(end)).await?;
            let now = request.now.max(found.head.time);
            let current = found.value.as_ref().map(|entry| &entry.value);
            let (lease, not_before) = decide(current, request, now)?;
            let row = row_id::<LeaseTable>(&name.to_owned());
            let as_found = match found.value {
                Some(entry) => Precondition::RevisionIs(row, entry.revision),
                None => Precondition::Absent(row),
            };
            let must = [as_found, Precondition::NotBefore(not_before)];
            if let Some(held) = self.write(name, must, lease, request.now, left(end)).await? {
                return Ok(held);
            }
        }
        Err(LeaseError::Contended)
    }

    /// Makes a held lease longer: to `ttl` from now, by the holder's clock.
    ///
    /// # Errors
    /// See [`LeaseError`]; [`LeaseError::Lost`] if it is over or not held any more.
    pub async fn renew(
        &self,
        held: &Held,
        ttl: Duration,
        now: StoreTime,
        within: Duration,
    ) -> Result<Held, LeaseError> {
        self.extend(held, now.after(ttl), now, within).await
    }

    /// Gives a held lease back. It keeps its row, so that its tokens go on rising.
    ///
    /// # Errors
    /// See [`LeaseError`]; [`LeaseError::Lost`] if it was not held any more, which is as good.
    pub async fn release(&self, held: &Held, now: StoreTime, within: Duration) -> Result<(), LeaseError> {
        self.extend(held, StoreTime::default(), now, within).await.map(drop)
    }

    async fn extend(
        &self,
        held: &Held,
        ends_at: StoreTime,
        now: StoreTime,
        within: Duration,
    ) -> Result<Held, LeaseError> {
        let end = Instant::now() + within;
        let mut held = held.clone();
        for _ in 0..MAX_TRIES {
            let row = row_id::<LeaseTable>(&held.name);
            let as_held = Precondition::RevisionIs(row, held.revision);
            let must = [as_held, Precondition::Before(held.lease.ends_at)];
            let lease = Lease {
                ends_at,
                ..held.lease.clone()
            };
            if let Some(longer) = self.write(&held.name, must, lease, now, left(end)).await? {
                return Ok(longer);
            }
            // Perhaps it was this holder who wrote it, by a commit whose answer was lost.
            let found = self.get(&held.name, Consistency::Consistent, left(end)).await?;
            let mine = found.value.filter(|entry| {
                let Lease { holder, token, ends_at } = &entry.value;
                (holder, token) == (&held.lease.holder, &held.lease.token) && found.head.time.max(now) < *ends_at
            });
            let Some(entry) = mine else {
                return Err(LeaseError::Lost);
            };
            held.lease = entry.value;
            held.revision = entry.revision;
        }
        Err(LeaseError::Contended)
    }

    async fn write(
        &self,
        name: &str,
        must: [Precondition; 2],
        lease: Lease,
        now: StoreTime,
        within: Duration,
    ) -> Result<Option<Held>, LeaseError> {
        let name = name.to_owned();
        let commit = Commit::new(must, [put::<LeaseTable>(&name, &lease)]).at(now);
        match self.store.commit(commit, within).await? {
            Outcome::Committed(revision) => Ok(Some(Held { name, lease, revision })),
            Outcome::Conflict(_) => Ok(None),
        }
    }
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
