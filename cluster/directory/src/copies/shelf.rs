//! [`Shelf`]: the copies that this node holds for others, as files of its own, bounded in number and bytes.
//!
//! What is damaged is refused and told of, and the copy before it used: a shelf is a
//! [`FileSnapshots`] like that of the node's own agents. When it is full, the copies that were
//! put longest ago make room.

use super::messages::{Kept, SnapshotCopy};
use rungs_store::files::Held;
use rungs_store::files::format::HEADER_BYTES;
use rungs_store::{FileSnapshots, Snapshot, Snapshots, Stamp, StoreError};
use rungs_types::AgentId;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// How much a shelf holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShelfLimits {
    /// Agents.
    pub agents: usize,
    /// Bytes of the files with their copies, the last and the one before.
    pub bytes: u64,
}

impl Default for ShelfLimits {
    fn default() -> Self {
        Self {
            agents: 1 << 18,
            bytes: 8 << 30,
        }
    }
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Shelf {
    files: Arc<FileSnapshots>,
    copies: Snapshots,
    limits: ShelfLimits,
    /// Empty until it has been looked at what the folder has.
    table: Arc<OnceCell<Mutex<Table>>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What is on a shelf.
#[derive(Debug, Default)]
struct Table {
    lines: HashMap<AgentId, Line>,
    /// By when they were put.
    turns: BTreeMap<u64, AgentId>,
    bytes: u64,
    next_turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    last: Stamp,
    /// Of the last copy, and of what is before it.
    bytes: [u64; 2],
    turn: u64,
}

impl Line {
    fn total(&self) -> u64 {
        self.bytes.iter().sum()
    }
}

impl Table {
    fn put(&mut self, agent: &AgentId, last: Stamp, bytes: u64, before: u64) {
        let turn = self.next_turn;
        self.next_turn += 1;
        let bytes = [bytes, before];
        let line = Line { last, bytes, turn };
        self.remove(agent);
        self.bytes += line.total();
        self.lines.insert(agent.clone(), line);
        self.turns.insert(turn, agent.clone());
    }

    fn remove(&mut self, agent: &AgentId) -> Option<Line> {
        let line = self.lines.remove(agent)?;
        self.turns.remove(&line.turn);
        self.bytes -= line.total();
        Some(line)
    }

    /// Takes out the agent whose copies were put longest ago, if there is too much.
    fn take_one(&mut self, limits: ShelfLimits) -> Option<AgentId> {
        let over = self.lines.len() > limits.agents || self.bytes > limits.bytes;
        let agent = self.turns.values().next().filter(|_| over).cloned()?;
        self.remove(&agent);
        Some(agent)
    }
}

impl Shelf {
    /// Opens the folder and locks it.
    ///
    /// # Errors
    /// If it cannot be made or another process uses it.
    pub fn open(folder: &Path, limits: ShelfLimits) -> Result<Self, StoreError> {
        let files = Arc::new(FileSnapshots::open(folder)?);
        Ok(Self {
            copies: Snapshots::new(Arc::clone(&files)),
            files,
            limits,
            table: Arc::default(),
        })
    }

    /// None while it has not been looked at what the folder has.
    fn table(&self) -> Option<MutexGuard<'_, Table>> {
        // Each change is one line and the sums over all.
        Some(self.table.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at what the folder has; until then nothing is put.
    pub(super) async fn load(&self) -> Result<(), StoreError> {
        let look = async || {
            let files = Arc::clone(&self.files);
            let held = tokio::task::spawn_blocking(move || files.held()).await;
            let mut held = held.unwrap_or(Err(StoreError::Ended))?;
            held.sort_by_key(|held| held.written);
            let mut table = Table::default();
            for Held { agent, last, bytes, .. } in held {
                table.put(&agent, last, bytes, 0);
            }
            Ok::<_, StoreError>(Mutex::new(table))
        };
        self.table.get_or_try_init(look).await?;
        self.make_room().await;
        Ok(())
    }

    /// Whether it has been looked at what the folder has.
    pub(super) fn is_loaded(&self) -> bool {
        self.table.initialized()
    }

    /// Agents of which there are copies, and their bytes.
    pub fn size(&self) -> (usize, u64) {
        self.table().map_or((0, 0), |table| (table.lines.len(), table.bytes))
    }

    /// Whether there are copies of an agent.
    pub(super) fn has(&self, agent: &AgentId) -> bool {
        self.last(agent).is_some()
    }

    fn last(&self, agent: &AgentId) -> Option<Line> {
        self.table()?.lines.get(agent).copied()
    }

    /// Keeps a copy, unless there is a later one.
    pub(super) async fn put(&self, copy: SnapshotCopy) -> Kept {
        let (agent, stamp, before) = (copy.agent.clone(), copy.stamp(), self.last(&copy.agent));
        if let Some(line) = before.filter(|line| line.last > stamp) {
            return later(line.last);
        }
        let refused = |reason: String| Kept::Refused { reason };
        let snapshot = match copy.checked() {
            Ok(snapshot) => snapshot,
            Err(error) => return refused(error.to_string()),
        };
        let bytes = (HEADER_BYTES + snapshot.bytes.len()) as u64;
        if bytes > self.limits.bytes {
            return refused(format!(
                "a copy of {bytes} bytes; the shelf holds {}",
                self.limits.bytes
            ));
        }
        match self.copies.adopt(agent.clone(), snapshot).await {
            Ok(true) => {}
            // The same has come before, or a later one a moment ago.
            Ok(false) => {
                return match self.last(&agent).filter(|line| line.last > stamp) {
                    Some(line) => later(line.last),
                    None => Kept::Kept,
                };
            }
            Err(error) => {
                tracing::warn!(%agent, %error, "a copy is not kept");
                return refused(error.to_string());
            }
        }
        if let Some(mut table) = self.table() {
            table.put(&agent, stamp, bytes, before.map_or(0, |line| line.bytes[0]));
        }
        self.make_room().await;
        Kept::Kept
    }

    async fn make_room(&self) {
        // First out of the table, so that this ends also where a file cannot be removed.
        while let Some(agent) = self.table().and_then(|mut table| table.take_one(self.limits)) {
            let (agents, bytes) = (self.limits.agents, self.limits.bytes);
            tracing::warn!(%agent, agents, bytes, "the copies that were put longest ago make room for others");
            if let Err(error) = self.copies.remove(agent.clone()).await {
                tracing::warn!(%agent, %error, "copies are not removed");
            }
        }
    }

    /// The last copy of an agent whose content can be read; those that cannot be used are told of.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) async fn get(&self, agent: &AgentId, newest_version: u16) -> Result<Option<Snapshot>, StoreError> {
        let latest = self.copies.latest(agent.clone(), newest_version).await?;
        for refused in latest.refused {
            let (sequence, reason) = (refused.sequence, refused.reason);
            tracing::warn!(%agent, sequence, %reason, "a copy is refused, and the one before used");
        }
        Ok(latest.snapshot)
    }

    /// Forgets the copies of an agent up to one; `false` if there are none, or later ones.
    pub(super) async fn remove(&self, agent: &AgentId, up_to: Stamp) -> Result<bool, StoreError> {
        let taken = self.table().and_then(|mut table| {
            let older = table.lines.get(agent).is_some_and(|line| line.last <= up_to);
            older.then(|| table.remove(agent)).flatten()
        });
        if taken.is_none() {
            return Ok(false);
        }
        self.copies.remove(agent.clone()).await
    }

    /// Forgets all copies of an agent.
    pub(super) async fn clear(&self, agent: &AgentId) -> Result<(), StoreError> {
        let taken = self.table().and_then(|mut table| table.remove(agent));
        if taken.is_some() {
            self.copies.remove(agent.clone()).await?;
        }
        Ok(())
    }
}

fn later(last: Stamp) -> Kept {
    let Stamp { epoch, sequence } = last;
    Kept::Later { epoch, sequence }
}

#[cfg(test)]
mod tests;
