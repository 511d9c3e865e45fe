//! [`FileTaskLogs`]: a file for each agent below one folder, which one process at a time may use.
//!
//! ```text
//! <root>/LOCK                   advisory lock of the process that uses the folder
//! <root>/<tenant>/<agent>.log   the log; layout in [`super::frame`]
//! <root>/<tenant>/<agent>.tmp   a shorter one being written, or what a crash left of it
//! ```
//!
//! Invariants:
//! 1. What is said to be durable was followed by a sync of the file, and of its folder where the file was new or was made by
//!    an earlier process.
//! 2. After a failed call nothing is believed of a file but what is read from it; after a failed sync it is written anew,
//!    because the system tells of a page that was lost only once.
//!
//! Bases are not kept: the snapshots, which have what was forgotten, lie on the same disk.

use super::frame::{self, HEADER_BYTES, Log};
use super::{Base, LogEntry, MAX_LOG_BYTES, TRIM_FROM_BYTES, Tail, TaskLogStore, check_sizes};
use crate::files::{Synced, lock_folder, make_folder, sync_folder};
use crate::snapshot::StoreError;
use rungs_types::{AgentId, Epoch};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of a file's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing: it is read before it is written.
    Unknown,
    /// A sync has failed: it is read and written anew.
    Doubtful,
    /// Whole up to here.
    Known { bytes: u64, seq: u64, durable: u64 },
}

type Cell = Arc<Mutex<End>>;

/// See the module.
#[derive(Debug)]
pub struct FileTaskLogs {
    root: PathBuf,
    ends: Mutex<BTreeMap<AgentId, Cell>>,
    synced: Synced,
    // Held until the store is dropped or the process ends.
    _lock: File,
}

impl FileTaskLogs {
    /// Opens the folder, makes it if need be, and locks it against other processes (and other stores of this one).
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            _lock: lock_folder(root)?,
            root: root.to_owned(),
            ends: Mutex::default(),
            synced: Synced::default(),
        })
    }

    /// All agents with a log, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn agents(&self) -> Result<Vec<AgentId>, StoreError> {
        let mut agents = Vec::new();
        for tenant in entries_of(&self.root)? {
            if !tenant.is_dir() {
                continue;
            }
            for log in entries_of(&tenant)? {
                let is_log = log.extension().is_some_and(|extension| extension == "log");
                let named = tenant.file_name().zip(log.file_stem());
                let agent =
                    named.and_then(|(tenant, name)| format!("{}/{}", tenant.to_str()?, name.to_str()?).parse().ok());
                agents.extend(agent.filter(|_| is_log));
            }
        }
        agents.sort();
        Ok(agents)
    }

    fn path(&self, agent: &AgentId) -> PathBuf {
        // Names know no dot.
        self.root
            .join(agent.tenant.as_str())
            .join(format!("{}.log", agent.name))
    }

    fn cell(&self, agent: &AgentId) -> Cell {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || Arc::new(Mutex::new(End::Unknown));
        Arc::clone(ends.entry(agent.clone()).or_insert_with(unknown))
    }

    /// The end of a log that is whole: read, cut and written anew as need be.
    fn end(&self, path: &Path, known: End) -> Result<(u64, u64, u64), StoreError> {
        if let End::Known { bytes, seq, durable } = known {
            return Ok((bytes, seq, durable));
        }
        let log = read_log(path)?;
        let seq = log.entries.last().map_or(0, |last| last.seq);
        if known == End::Doubtful || log.torn_bytes > 0 {
            let bytes = rewrite(path, &log.entries)?;
            return Ok((bytes, seq, seq));
        }
        Ok((log.whole_bytes as u64, seq, log.durable))
    }
}

fn entries_of(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |error| StoreError::io("read", folder, error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.map_err(failed)
}

/// Locks a cell and takes what is known; unless the caller puts something back, nothing is known any more.
fn take(cell: &Cell) -> (MutexGuard<'_, End>, End) {
    let mut end = cell.lock().unwrap_or_else(PoisonError::into_inner);
    let known = match *end {
        End::Known { .. } => std::mem::replace(&mut *end, End::Unknown),
        uncertain => uncertain,
    };
    (end, known)
}

impl TaskLogStore for FileTaskLogs {
    fn append(&self, agent: &AgentId, _: Epoch, entries: &[LogEntry], sync: bool) -> Result<u64, StoreError> {
        check_sizes(entries)?;
        let (cell, path) = (self.cell(agent), self.path(agent));
        let (mut cell, known) = take(&cell);
        let (mut bytes, mut seq, mut durable) = self.end(&path, known)?;
        let mut frames = Vec::new();
        let mut last = seq;
        for entry in entries.iter().filter(|entry| entry.seq > seq) {
            frame::write(&mut frames, entry, durable);
            last = last.max(entry.seq);
        }
        let needed = bytes + frames.len() as u64;
        if needed > MAX_LOG_BYTES {
            *cell = End::Known { bytes, seq, durable };
            return Err(StoreError::LogFull { path, bytes });
        }
        let must_sync = sync && durable < last;
        if !frames.is_empty() || must_sync {
            let mut file = write_at(&path, bytes, &frames)?;
            (bytes, seq) = (
                file.stream_position()
                    .map_err(|error| StoreError::io("write", &path, error))?,
                last,
            );
            if must_sync {
                if let Err(error) = file.sync_data() {
                    *cell = End::Doubtful;
                    return Err(StoreError::io("sync", &path, error));
                }
                self.synced.once(&self.root, path.parent().unwrap_or(&self.root))?;
                durable = seq;
            }
        }
        *cell = End::Known { bytes, seq, durable };
        Ok(durable)
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        let cell = self.cell(agent);
        let _alone = cell.lock().unwrap_or_else(PoisonError::into_inner);
        let log = read_log(&self.path(agent))?;
        Ok(Tail {
            base: None,
            entries: log.entries.into_iter().filter(|entry| entry.seq > after).collect(),
            torn_bytes: log.torn_bytes as u64,
        })
    }

    fn trim(&self, agent: &AgentId, _: Epoch, base: &Base) -> Result<(), StoreError> {
        let (cell, path) = (self.cell(agent), self.path(agent));
        let (mut cell, known) = take(&cell);
        let (bytes, seq, durable) = self.end(&path, known)?;
        if bytes < TRIM_FROM_BYTES {
            *cell = End::Known { bytes, seq, durable };
            return Ok(());
        }
        let mut log = read_log(&path)?;
        // The last stays: it says which numbers were given.
        log.entries.retain(|entry| entry.seq > base.seq || entry.seq == seq);
        let bytes = rewrite(&path, &log.entries)?;
        let durable = seq;
        *cell = End::Known { bytes, seq, durable };
        Ok(())
    }

    fn remove(&self, agent: &AgentId, _: Epoch) -> Result<bool, StoreError> {
        let (cell, path) = (self.cell(agent), self.path(agent));
        let (mut cell, _) = take(&cell);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io("remove", &path, error)),
        }
        *cell = End::Unknown;
        sync_folder(path.parent().unwrap_or(&self.root))?;
        Ok(true)
    }
}

/// Writes behind the first bytes of a file, which is made if it is not there.
fn write_at(path: &Path, at: u64, frames: &[u8]) -> Result<File, StoreError> {
    let failed = |error| StoreError::io("write", path, error);
    let new = at == 0;
    let parent = path.parent().unwrap_or(Path::new("."));
    if new && !parent.is_dir() {
        make_folder(parent)?;
        sync_folder(parent.parent().unwrap_or(Path::new(".")))?;
    }
    let options = OpenOptions::new().create(new).truncate(false).write(true).open(path);
    let mut file = options.map_err(failed)?;
    if new {
        file.write_all(&frame::header()).map_err(failed)?;
        sync_folder(parent)?;
    }
    file.seek(SeekFrom::Start(at.max(HEADER_BYTES as u64)))
        .map_err(failed)?;
    file.write_all(frames).map_err(failed)?;
    Ok(file)
}

/// Puts a file of these entries, all durable, in the place of the one that is there; gives its bytes.
fn rewrite(path: &Path, entries: &[LogEntry]) -> Result<u64, StoreError> {
    let temporary = path.with_extension("tmp");
    let failed = |error| StoreError::io("write", &temporary, error);
    let mut bytes = frame::header().to_vec();
    for entry in entries {
        // The file is there as a whole or not at all.
        frame::write(&mut bytes, entry, entry.seq.saturating_sub(1));
    }
    let mut file = File::create(&temporary).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(|error| StoreError::io("rename", &temporary, error))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok(bytes.len() as u64)
}

/// Reads a file; an empty log if there is none.
fn read_log(path: &Path) -> Result<Log, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::default()),
        Err(error) => return Err(StoreError::io("open", path, error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_LOG_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| StoreError::io("read", path, error))?;
    let damaged = |at: usize| StoreError::Damaged {
        path: path.to_owned(),
        at: at as u64,
    };
    if bytes.len() as u64 > MAX_LOG_BYTES {
        return Err(damaged(bytes.len()));
    }
    frame::read(&bytes).map_err(damaged)
}

#[cfg(test)]
mod tests;
