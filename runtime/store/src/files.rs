//! [`FileSnapshots`]: snapshots as files below one folder, which one process at a time may use.
//!
//! ```text
//! <root>/LOCK                                      advisory lock of the process that uses the folder
//! <root>/<tenant>/<agent>/<epoch>-<sequence>.snap  the last two; layout in [`format`]
//! <root>/<tenant>/<agent>/<sequence>.snap          one of epoch 0
//! <root>/<tenant>/<agent>/next.tmp                 one being written, or what a crash left of it
//! ```
//!
//! Invariants:
//! 1. A `.snap` file is written elsewhere, synced, renamed into place, and its folder synced, before `put` returns: it
//!    is whole or not there, whenever the process is killed.
//! 2. Names of folders are names of tenants and agents, whose grammar knows no separator and no dot.
//! 3. The one before the last is removed only after the last is durable.

pub mod format;

use crate::snapshot::{
    KEPT_SNAPSHOTS, Latest, Reason, Refused, Snapshot, SnapshotMeta, SnapshotStore, Stamp, StoreError, check_size, next,
};
use format::MAX_FILE_BYTES;
use rungs_types::{AgentId, AgentName, Epoch, TenantName};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

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
    synced: Synced,
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
            synced: Synced::default(),
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
        let tenant = folder.parent().unwrap_or(&self.root);
        if folder.is_dir() {
            return self.synced.once(&self.root, tenant);
        }
        make_folder(folder)?;
        self.synced.once(&self.root, tenant)?;
        sync_folder(tenant)
    }
}

/// What a folder has of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The agent.
    pub agent: AgentId,
    /// The last by its name; it may be damaged.
    pub last: Stamp,
    /// The size of all its files.
    pub bytes: u64,
    /// When the last of them was written, as far as the system tells.
    pub written: SystemTime,
}

impl FileSnapshots {
    /// What there is, by agent. Looks at each file's name and size, not into it.
    pub fn held(&self) -> Result<Vec<Held>, StoreError> {
        let mut held = Vec::new();
        for agent in self.list()? {
            let folder = self.folder(&agent);
            let stamps = stamps(&folder)?;
            let files = stamps.iter().map(|stamp| fs::metadata(folder.join(file_name(*stamp))));
            let files: Vec<_> = files.filter_map(Result::ok).collect();
            // It may have been removed meanwhile.
            let Some(last) = stamps.last().copied() else { continue };
            let written = files.iter().filter_map(|file| file.modified().ok()).max();
            held.push(Held {
                agent,
                last,
                bytes: files.iter().map(fs::Metadata::len).sum(),
                written: written.unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        Ok(held)
    }

    /// Makes a snapshot durable under its name, or leaves everything as it was.
    fn write(&self, agent: &AgentId, meta: SnapshotMeta, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder(agent);
        let (temporary, path) = (folder.join(TEMPORARY_FILE), folder.join(file_name(meta.stamp())));
        let written = write_file(&temporary, meta, bytes)
            .and_then(|()| fs::rename(&temporary, &path).map_err(|error| StoreError::io("rename", &temporary, error)))
            .and_then(|()| sync_folder(&folder));
        if written.is_err() {
            // What is left of it takes room that may be short; the error to tell is the first one.
            drop(fs::remove_file(&temporary));
        }
        written
    }

    /// Removes what is superfluous beside a snapshot that is durable; `before` are those before it, rising.
    fn trim(&self, agent: &AgentId, before: &[Stamp]) {
        let superfluous = before.len().saturating_sub(KEPT_SNAPSHOTS - 1);
        for old in &before[..superfluous] {
            // One that stays is removed with the next.
            if let Err(error) = fs::remove_file(self.folder(agent).join(file_name(*old))) {
                tracing::warn!(%agent, snapshot = %old, %error, "an old snapshot stays");
            }
        }
    }
}

impl SnapshotStore for FileSnapshots {
    fn put_in(&self, agent: &AgentId, epoch: Epoch, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
        check_size(bytes)?;
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        self.make_folders(&folder)?;
        let before = stamps(&folder)?;
        let meta = next(before.last().copied(), epoch, version);
        self.write(agent, meta, bytes)?;
        self.trim(agent, &before);
        Ok(meta)
    }

    fn adopt(&self, agent: &AgentId, snapshot: &Snapshot) -> Result<bool, StoreError> {
        check_size(&snapshot.bytes)?;
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        self.make_folders(&folder)?;
        let (stamp, found) = (snapshot.meta.stamp(), stamps(&folder)?);
        let (before, later): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| *found < stamp);
        // What is damaged keeps no good one out.
        for found in later {
            if read(&folder, found)?.is_ok() {
                return Ok(false);
            }
        }
        self.write(agent, snapshot.meta, &snapshot.bytes)?;
        self.trim(agent, &before);
        Ok(true)
    }

    fn latest(&self, agent: &AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        let _alone = self.stripe(agent);
        let folder = self.folder(agent);
        let mut latest = Latest::default();
        for stamp in stamps(&folder)?.into_iter().rev() {
            match usable(read(&folder, stamp)?, newest_version) {
                Ok(snapshot) => {
                    latest.snapshot = Some(snapshot);
                    break;
                }
                Err(reason) => {
                    let sequence = stamp.sequence;
                    latest.refused.push(Refused { sequence, reason });
                }
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
                if !stamps(&self.folder(&agent))?.is_empty() {
                    agents.push(agent);
                }
            }
        }
        agents.sort();
        Ok(agents)
    }
}

/// Reads one file; what is inside may not be usable.
fn read(folder: &Path, stamp: Stamp) -> Result<Result<Snapshot, Reason>, StoreError> {
    let path = folder.join(file_name(stamp));
    let file = read_file(&path).map_err(|error| StoreError::io("read", &path, error))?;
    Ok(format::read(&file, stamp))
}

fn usable(snapshot: Result<Snapshot, Reason>, newest_version: u16) -> Result<Snapshot, Reason> {
    let snapshot = snapshot?;
    match snapshot.meta.version {
        found if found > newest_version => Err(Reason::NewerContent {
            found,
            newest: newest_version,
        }),
        _ => Ok(snapshot),
    }
}

/// Twenty digits for each number. One of epoch 0 has none of it in its name, as when epochs were not kept.
fn file_name(Stamp { epoch, sequence }: Stamp) -> String {
    match epoch {
        Epoch(0) => format!("{sequence:020}{SUFFIX}"),
        Epoch(epoch) => format!("{epoch:020}-{sequence:020}{SUFFIX}"),
    }
}

fn stamp_of(name: &str) -> Option<Stamp> {
    let numbers = name.strip_suffix(SUFFIX)?;
    let (epoch, sequence) = numbers.split_once('-').unwrap_or(("0", numbers));
    let stamp = Stamp {
        epoch: Epoch(epoch.parse().ok()?),
        sequence: sequence.parse().ok()?,
    };
    (file_name(stamp) == name).then_some(stamp)
}

/// A folder's snapshots, rising; none if there is no folder.
fn stamps(folder: &Path) -> Result<Vec<Stamp>, StoreError> {
    let mut stamps = names(folder, stamp_of)?;
    stamps.sort_unstable();
    Ok(stamps)
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

/// The folders of tenants whose names, and the names in them, this process knows to be durable. A process that was killed
/// between making a name and syncing its folder leaves one that only looks so.
#[derive(Debug, Default)]
pub(crate) struct Synced(Mutex<BTreeSet<PathBuf>>);

impl Synced {
    /// Makes what is in the folder of a tenant, and its own name, durable, if this process has not done so yet.
    pub(crate) fn once(&self, root: &Path, tenant: &Path) -> Result<(), StoreError> {
        let mut synced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !synced.contains(tenant) {
            sync_folder(tenant)?;
            sync_folder(root)?;
            synced.insert(tenant.to_owned());
        }
        Ok(())
    }
}

/// Makes a folder if need be and locks it for as long as the result lives.
pub(crate) fn lock_folder(root: &Path) -> Result<File, StoreError> {
    make_folder(root)?;
    let above = root.parent().filter(|above| *above != Path::new(""));
    sync_folder(above.unwrap_or(Path::new(".")))?;
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
