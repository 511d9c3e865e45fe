//! [`FileSnapshots`]: snapshots as files below one folder, which one process at a time may use.
//!
//! ```text
//! <root>/LOCK                              advisory lock of the process that uses the folder
//! <root>/<tenant>/<agent>/<sequence>.snap  the last two; layout in [`format`]
//! <root>/<tenant>/<agent>/next.tmp         one being written, or what a crash left of it
//! ```
//!
//! Invariants:
//! 1. A `.snap` file is written elsewhere, synced, renamed into place, and its folder synced, before `put` returns: it
//!    is whole or not there, whenever the process is killed.
//! 2. Names of folders are names of tenants and agents, whose grammar knows no separator and no dot.
//! 3. The one before the last is removed only after the last is durable.

pub mod format;

use crate::snapshot::{
    KEPT_SNAPSHOTS, Latest, Reason, Refused, Snapshot, SnapshotMeta, SnapshotStore, StoreError, check_size,
};
use format::MAX_FILE_BYTES;
use rungs_types::{AgentId, AgentName, TenantName};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const LOCK_FILE: &str = "LOCK";
const TEMPORARY_FILE: &str = "next.tmp";
const SUFFIX: &str = ".snap";
/// Locks that agents share by hash: writers of one agent wait for each other, of different agents seldom.
const STRIPES: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct FileSnapshots {
    root: PathBuf,
    stripes: [Mutex<()>; STRIPES],
    // Held until the store is dropped or the process ends.
    _lock: File,
}

impl FileSnapshots {
    /// Opens the folder, makes it if need be, and locks it against other processes (and other stores of this one).
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let lock = lock_folder(root)?;
        Ok(Self {
            root: root.to_owned(),
            stripes: [const { Mutex::new(()) }; STRIPES],
            _lock: lock,
        })
    }

    fn folder(&self, agent: &AgentId) -> PathBuf {
        self.root.join(agent.tenant.as_str()).join(agent.name.as_str())
    }

    fn stripe(&self, agent: &AgentId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        agent.hash(&mut hasher);
        let stripe = hasher.finish() as usize % STRIPES;
        // There is nothing under the lock that a panic could leave half-done: the truth is on the disk.
        self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_folders(&self, folder: &Path) -> Result<(), StoreError> {
        if folder.is_dir() {
            return Ok(());
        }
        let tenant = folder.parent().unwrap_or(&self.root);
        if !tenant.is_dir() {
            make_folder(tenant)?;
            sync_folder(&self.root)?;
        }
        make_folder(folder)?;
        sync_folder(tenant)
    }
}

impl SnapshotStore for FileSnapshots {
    fn put(&self, agent: &AgentId, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
        check_size(bytes)?;
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        self.make_folders(&folder)?;
        let before = sequences(&folder)?;
        let sequence = before.last().map_or(1, |last| last.saturating_add(1));
        let meta = SnapshotMeta { sequence, version };
        let (temporary, path) = (folder.join(TEMPORARY_FILE), folder.join(file_name(sequence)));
        let written = write_file(&temporary, meta, bytes)
            .and_then(|()| fs::rename(&temporary, &path).map_err(|error| StoreError::io("rename", &temporary, error)))
            .and_then(|()| sync_folder(&folder));
        if let Err(error) = written {
            // What is left of it takes room that may be short; the error to tell is the first one.
            drop(fs::remove_file(&temporary));
            return Err(error);
        }
        let superfluous = before.len().saturating_sub(KEPT_SNAPSHOTS - 1);
        for old in &before[..superfluous] {
            // The new one is durable already; an old one that stays is removed with the next.
            if let Err(error) = fs::remove_file(folder.join(file_name(*old))) {
                tracing::warn!(%agent, sequence = *old, %error, "an old snapshot stays");
            }
        }
        Ok(meta)
    }

    fn latest(&self, agent: &AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        let mut latest = Latest::default();
        for sequence in sequences(&folder)?.into_iter().rev() {
            let path = folder.join(file_name(sequence));
            let file = read_file(&path).map_err(|error| StoreError::io("read", &path, error))?;
            match usable(&file, sequence, newest_version) {
                Ok(snapshot) => {
                    latest.snapshot = Some(snapshot);
                    break;
                }
                Err(reason) => latest.refused.push(Refused { sequence, reason }),
            }
        }
        Ok(latest)
    }

    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError> {
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io("remove", &folder, error)),
        }
        sync_folder(folder.parent().unwrap_or(&self.root))?;
        Ok(true)
    }

    fn list(&self) -> Result<Vec<AgentId>, StoreError> {
        let mut agents = Vec::new();
        for tenant in names(&self.root, |name| TenantName::new(name).ok())? {
            let folder = self.root.join(tenant.as_str());
            for name in names(&folder, |name| AgentName::new(name).ok())? {
                let tenant = tenant.clone();
                let agent = AgentId { tenant, name };
                if !sequences(&self.folder(&agent))?.is_empty() {
                    agents.push(agent);
                }
            }
        }
        agents.sort();
        Ok(agents)
    }
}

fn usable(file: &[u8], sequence: u64, newest_version: u16) -> Result<Snapshot, Reason> {
    let snapshot = format::read(file, sequence)?;
    match snapshot.meta.version {
        found if found > newest_version => Err(Reason::NewerContent {
            found,
            newest: newest_version,
        }),
        _ => Ok(snapshot),
    }
}

/// Twenty digits, so that the order of names is the order of numbers.
fn file_name(sequence: u64) -> String {
    format!("{sequence:020}{SUFFIX}")
}

fn sequence_of(name: &str) -> Option<u64> {
    let sequence = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(sequence) == name).then_some(sequence)
}

/// The sequence numbers of a folder's snapshots, rising; none if there is no folder.
fn sequences(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut sequences = names(folder, sequence_of)?;
    sequences.sort_unstable();
    Ok(sequences)
}

/// What `parse` makes of the names in a folder; none if there is no folder. Names it does not know are not ours.
fn names<T>(folder: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StoreError> {
    let failed = |error| StoreError::io("list", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.to_str().and_then(&parse));
    }
    Ok(names)
}

/// Reads at most one byte more than a snapshot file can have, so that no file can take the memory.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_file(path: &Path, meta: SnapshotMeta, content: &[u8]) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("write", path, error);
    // Not followed if it is a link: a new file under this name or none.
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(path)
        .map_err(failed)?;
    write_synced(file, meta, content).map_err(failed)
}

fn write_synced(mut file: File, meta: SnapshotMeta, content: &[u8]) -> io::Result<()> {
    file.write_all(&format::header(meta, content))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a folder if need be and locks it for as long as the result lives.
pub(crate) fn lock_folder(root: &Path) -> Result<File, StoreError> {
    make_folder(root)?;
    let path = root.join(LOCK_FILE);
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = options.map_err(|error| StoreError::io("open", &path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: root.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, error)),
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|error| StoreError::io("make", path, error))
}

/// Makes new, renamed and removed names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| StoreError::io("sync", path, error))
}

#[cfg(test)]
mod tests;
