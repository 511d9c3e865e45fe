//! [`StoreTaskLogs`]: logs in the cluster's store, so that they outlive the disk of the node on which the agent runs, and
//! are where the agent goes.
//!
//! ```text
//! task log    shard, tenant, name, 0           the head: last number, and which base counts
//!             shard, tenant, name, number      entries that were appended together, by the number of the first
//! goal base   shard, tenant, name, seq, part   the state of the goals as of an entry, in parts
//! ```
//!
//! Invariants:
//! 1. Every commit carries the epoch in which the agent was started: once its shard has moved, nothing is written.
//! 2. Every commit names the head that it has seen and writes the next: a commit whose outcome was not known and that is
//!    applied late comes to nothing, or is found by the next one, which then goes on only from entries that are its own.
//! 3. A base counts from the commit on that puts it into the head; what it stands for is deleted in that commit or later.
//!
//! `known` says how entries are laid out in rows and commits.

mod known;

use super::table::{BaseAt, BaseKey, BasePart, GoalBase, LogKey, LogRow, TaskLogTable, prefix};
use super::{Base, LogEntry, TRIM_FROM_BYTES, Tail, TaskLogStore, check_base, check_sizes};
use crate::cluster::read::{By, Consistency};
use crate::cluster::table::{Entry, Table, Typed, delete, put, row_id};
use crate::cluster::{Commit, Fence, Outcome, Precondition, Revision, Store, Write};
use crate::snapshot::StoreError;
use known::{COMMIT_BYTES, Known, after, base_of, check_room, commits_of, known_of, span_of};
use rungs_types::{AgentId, Epoch};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the store may take for one call.
const STORE_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a part of a base.
const PART_BYTES: usize = 128 * 1024;
/// Writes of one commit.
const COMMIT_WRITES: usize = 500;
/// Rows from which a log is made shorter when it may be.
const TRIM_FROM_ROWS: usize = 256;
/// Looks at a log that changes while it is looked at.
const MAX_ATTEMPTS: usize = 4;

type Cell = Arc<Mutex<Option<Known>>>;

/// See the module.
pub struct StoreTaskLogs {
    store: Arc<dyn Store>,
    runtime: Handle,
    shard_of: fn(&AgentId) -> u16,
    cells: Mutex<BTreeMap<AgentId, Cell>>,
}

/// Whether a commit was applied.
enum Written {
    Yes,
    /// The head is another one.
    Behind,
}

/// Who writes.
#[derive(Clone, Copy)]
struct Author<'a> {
    agent: &'a AgentId,
    epoch: Epoch,
}

/// Entries of a table.
type Found<T> = Vec<Entry<<T as Table>::Key, <T as Table>::Value>>;

impl StoreTaskLogs {
    /// Logs in this store. Calls wait on `runtime`, so they must come from threads that may block; `shard_of` says which
    /// fence an agent is behind.
    pub fn new(store: Arc<dyn Store>, runtime: Handle, shard_of: fn(&AgentId) -> u16) -> Self {
        Self {
            store,
            runtime,
            shard_of,
            cells: Mutex::default(),
        }
    }

    fn cell(&self, agent: &AgentId) -> Cell {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(agent.clone()).or_default())
    }

    fn log_key(&self, agent: &AgentId, number: u64) -> LogKey {
        LogKey {
            shard: (self.shard_of)(agent),
            agent: agent.clone(),
            number,
        }
    }

    fn base_key(&self, agent: &AgentId, seq: u64, part: u64) -> BaseKey {
        BaseKey {
            shard: (self.shard_of)(agent),
            agent: agent.clone(),
            seq,
            part,
        }
    }

    /// All rows of an agent in one of the tables, and how many pages they were.
    fn rows<T: Table>(&self, prefix: &[u8]) -> Result<(Found<T>, usize), StoreError> {
        let table = Typed::<T>::of(Arc::clone(&self.store));
        let (mut rows, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = table.page(By::Key, prefix, after, Consistency::Consistent, STORE_WITHIN);
            let page = self.runtime.block_on(page)?;
            rows.extend(page.entries);
            pages += 1;
            after = page.next;
            if after.is_none() {
                return Ok((rows, pages));
            }
        }
    }

    /// Reads a log as it is at one moment.
    fn load(&self, agent: &AgentId) -> Result<(Known, Option<Base>, Vec<LogEntry>), StoreError> {
        let prefix = prefix((self.shard_of)(agent), agent).bytes();
        for _ in 0..MAX_ATTEMPTS {
            let (rows, pages) = self.rows::<TaskLogTable>(&prefix)?;
            let (mut known, entries) = known_of(rows);
            if known.head.is_none() && entries.is_empty() {
                return Ok((known, None, entries));
            }
            let parts = match known.base.seq {
                0 => Vec::new(),
                _ => self.rows::<GoalBase>(&prefix)?.0,
            };
            let whole = pages == 1 && known.base.seq == 0;
            if !whole && self.head(agent)? != known.head {
                // Something that was on its way has come in between.
                continue;
            }
            let base = base_of(parts, &mut known).ok_or_else(|| StoreError::BaseMissing { agent: agent.clone() })?;
            return Ok((known, base, entries));
        }
        Err(StoreError::Changed { agent: agent.clone() })
    }

    fn head(&self, agent: &AgentId) -> Result<Option<Revision>, StoreError> {
        let table = Typed::<TaskLogTable>::of(Arc::clone(&self.store));
        let key = self.log_key(agent, 0);
        let seen = self
            .runtime
            .block_on(table.get(&key, Consistency::Consistent, STORE_WITHIN))?;
        Ok(seen.value.map(|entry| entry.revision))
    }

    /// What is known of a log, read first if nothing is.
    fn known<'a>(&self, agent: &AgentId, cell: &'a mut Option<Known>) -> Result<&'a mut Known, StoreError> {
        if cell.is_none() {
            *cell = Some(self.load(agent)?.0);
        }
        Ok(cell.as_mut().expect("invariant: it was just put there"))
    }

    /// One commit, after which this is the head; none: there is no log any more.
    fn commit(
        &self,
        author: Author<'_>,
        known: &mut Known,
        head: Option<(u64, BaseAt)>,
        mut writes: Vec<Write>,
    ) -> Result<Written, StoreError> {
        let Author { agent, epoch } = author;
        let key = self.log_key(agent, 0);
        let row = row_id::<TaskLogTable>(&key);
        let shard = (self.shard_of)(agent);
        let unchanged = match known.head {
            Some(revision) => Precondition::RevisionIs(row, revision),
            None => Precondition::Absent(row),
        };
        writes.push(match head {
            Some((last, base)) => put::<TaskLogTable>(&key, &LogRow::Head(last, base)),
            None => delete::<TaskLogTable>(&key),
        });
        let commit = Commit::new([Precondition::FenceIs(Fence { shard, epoch }), unchanged], writes);
        match self.runtime.block_on(self.store.commit(commit, STORE_WITHIN))? {
            Outcome::Committed(revision) => {
                known.head = head.map(|_| revision);
                if let Some(head) = head {
                    (known.last, known.base) = head;
                }
                Ok(Written::Yes)
            }
            Outcome::Conflict(0) => Err(StoreError::Moved {
                agent: agent.clone(),
                epoch,
            }),
            Outcome::Conflict(_) => Ok(Written::Behind),
        }
    }

    /// Appends entries that are all new, in as many commits as they need.
    fn write(&self, author: Author<'_>, known: &mut Known, entries: &[LogEntry]) -> Result<Written, StoreError> {
        for rows in commits_of(entries) {
            let mut spans = Vec::with_capacity(rows.len());
            let mut writes = Vec::with_capacity(rows.len() + 1);
            for row in rows {
                let span = span_of(row);
                spans.push(span);
                let key = self.log_key(author.agent, span.first);
                writes.push(put::<TaskLogTable>(&key, &LogRow::Entries(row.to_vec())));
            }
            let last = spans.last().map_or(known.last, |span| span.last);
            match self.commit(author, known, Some((last, known.base)), writes)? {
                Written::Yes => {
                    known.bytes += spans.iter().map(|span| span.bytes).sum::<u64>();
                    known.rows.extend(spans);
                }
                Written::Behind => return Ok(Written::Behind),
            }
        }
        Ok(Written::Yes)
    }

    /// The head is not what was known: an earlier commit was applied after all. Goes on from there if what it has appended
    /// is what was to be appended.
    fn catch_up(&self, agent: &AgentId, known: &mut Known, expected: &[LogEntry]) -> Result<(), StoreError> {
        let (there, _, entries) = self.load(agent)?;
        let mut found = entries.iter().filter(|entry| entry.seq > known.last);
        let mut own = expected.iter();
        if there.last < known.last || !found.all(|entry| own.next() == Some(entry)) {
            return Err(StoreError::Changed { agent: agent.clone() });
        }
        *known = there;
        Ok(())
    }

    /// Makes a base the one that counts, and forgets what led to it.
    fn rebase(&self, author: Author<'_>, known: &mut Known, base: &Base) -> Result<(), StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            match self.try_rebase(author, known, base)? {
                Written::Yes => return Ok(()),
                Written::Behind => self.catch_up(author.agent, known, &[])?,
            }
        }
        Err(StoreError::Changed {
            agent: author.agent.clone(),
        })
    }

    fn try_rebase(&self, author: Author<'_>, known: &mut Known, base: &Base) -> Result<Written, StoreError> {
        let agent = author.agent;
        let parts: Vec<Write> = (0..)
            .zip(base.bytes.chunks(PART_BYTES))
            .map(|(part, bytes)| put::<GoalBase>(&self.base_key(agent, base.seq, part), &BasePart(bytes.to_vec())))
            .collect();
        let now = BaseAt {
            seq: base.seq,
            parts: parts.len() as u64,
        };
        let before = known.base;
        let mut left = parts;
        // The parts that fit go with the commit that makes them count.
        while left.len() * PART_BYTES > COMMIT_BYTES {
            let rest = left.split_off(COMMIT_BYTES / PART_BYTES);
            if let Written::Behind = self.commit(author, known, Some((known.last, before)), left)? {
                return Ok(Written::Behind);
            }
            left = rest;
        }
        let old = (0..before.parts).map(|part| self.base_key(agent, before.seq, part));
        let bases = old.chain(known.stale.iter().cloned());
        let bases = bases
            .filter(|key| key.seq != base.seq)
            .map(|key| delete::<GoalBase>(&key));
        let spent = known.rows.iter().take_while(|span| span.last <= base.seq);
        let rows = spent.map(|span| delete::<TaskLogTable>(&self.log_key(agent, span.first)));
        let mut deletes: VecDeque<Write> = bases.chain(rows).collect();
        loop {
            let room = COMMIT_WRITES - left.len();
            left.extend(deletes.drain(..room.min(deletes.len())));
            if let Written::Behind = self.commit(
                author,
                known,
                Some((known.last.max(now.seq), now)),
                std::mem::take(&mut left),
            )? {
                return Ok(Written::Behind);
            }
            if deletes.is_empty() {
                break;
            }
        }
        known.stale.clear();
        known.rows.retain(|span| span.last > base.seq);
        known.bytes = known.rows.iter().map(|span| span.bytes).sum();
        Ok(Written::Yes)
    }

    fn delete(&self, author: Author<'_>, known: &mut Known) -> Result<Written, StoreError> {
        let agent = author.agent;
        let old = (0..known.base.parts).map(|part| self.base_key(agent, known.base.seq, part));
        let bases = old
            .chain(known.stale.iter().cloned())
            .map(|key| delete::<GoalBase>(&key));
        let rows = known.rows.iter();
        let rows = rows.map(|span| delete::<TaskLogTable>(&self.log_key(agent, span.first)));
        let mut deletes: Vec<Write> = bases.chain(rows).collect();
        while deletes.len() > COMMIT_WRITES {
            let some = deletes.split_off(deletes.len() - COMMIT_WRITES);
            if let Written::Behind = self.commit(author, known, Some((known.last, known.base)), some)? {
                return Ok(Written::Behind);
            }
        }
        self.commit(author, known, None, deletes)
    }
}

fn lock(cell: &Cell) -> MutexGuard<'_, Option<Known>> {
    // What is known changes in single steps after a commit; what a panic left is found out by the next one.
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TaskLogStore for StoreTaskLogs {
    fn append(&self, agent: &AgentId, epoch: Epoch, entries: &[LogEntry], _: bool) -> Result<u64, StoreError> {
        check_sizes(entries)?;
        let author = Author { agent, epoch };
        let cell = self.cell(agent);
        let mut cell = lock(&cell);
        let known = self.known(agent, &mut cell)?;
        for _ in 0..MAX_ATTEMPTS {
            let fresh = after(entries, known.last);
            if fresh.is_empty() {
                return Ok(known.last);
            }
            check_room(agent, known, &fresh)?;
            match self.write(author, known, &fresh)? {
                Written::Yes => return Ok(known.last),
                Written::Behind => self.catch_up(agent, known, &after(entries, known.last))?,
            }
        }
        Err(StoreError::Changed { agent: agent.clone() })
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        let cell = self.cell(agent);
        let mut cell = lock(&cell);
        let (known, base, mut entries) = self.load(agent)?;
        *cell = Some(known);
        entries.retain(|entry| entry.seq > after);
        Ok(Tail {
            base,
            entries,
            torn_bytes: 0,
        })
    }

    fn trim(&self, agent: &AgentId, epoch: Epoch, base: &Base) -> Result<(), StoreError> {
        check_base(base)?;
        // Of an agent that has ended nothing is known any more: its next start sees to it.
        let cell = {
            let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.get(agent).map(Arc::clone)
        };
        let Some(cell) = cell else {
            return Ok(());
        };
        let mut cell = lock(&cell);
        let Some(known) = cell.as_mut() else {
            return Ok(());
        };
        let short = known.bytes < TRIM_FROM_BYTES && known.rows.len() < TRIM_FROM_ROWS;
        if short || known.base.seq >= base.seq {
            return Ok(());
        }
        self.rebase(Author { agent, epoch }, known, base)
    }

    fn keep(&self, agent: &AgentId, epoch: Epoch, base: &Base) -> Result<(), StoreError> {
        check_base(base)?;
        let cell = self.cell(agent);
        let mut cell = lock(&cell);
        let known = self.known(agent, &mut cell)?;
        if known.base.seq >= base.seq {
            return Ok(());
        }
        self.rebase(Author { agent, epoch }, known, base)
    }

    fn remove(&self, agent: &AgentId, epoch: Epoch) -> Result<bool, StoreError> {
        let cell = self.cell(agent);
        let mut cell = lock(&cell);
        for _ in 0..MAX_ATTEMPTS {
            *cell = None;
            let known = self.known(agent, &mut cell)?;
            if known.head.is_none() {
                return Ok(false);
            }
            if let Written::Yes = self.delete(Author { agent, epoch }, known)? {
                *cell = None;
                return Ok(true);
            }
        }
        Err(StoreError::Changed { agent: agent.clone() })
    }

    fn close(&self, agent: &AgentId) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.remove(agent);
    }
}

impl std::fmt::Debug for StoreTaskLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreTaskLogs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
