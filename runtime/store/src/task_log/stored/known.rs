//! What is known of a log in the store, and how entries are laid out in rows and commits. Pure.

use crate::cluster::Revision;
use crate::cluster::table::Entry;
use crate::snapshot::StoreError;
use crate::task_log::table::{BaseAt, BaseKey, BasePart, LogKey, LogRow};
use crate::task_log::{Base, LogEntry, MAX_BASE_BYTES, MAX_LOG_BYTES};
use rungs_types::AgentId;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Entries that are appended together share rows of this many bytes.
const ROW_BYTES: usize = 128 * 1024;
/// Bytes of one commit; the store takes somewhat more.
pub(super) const COMMIT_BYTES: usize = 768 * 1024;
/// Rows of an agent's log.
const MAX_LOG_ROWS: usize = 16_384;

/// What is known of an agent's log.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The commit that wrote the head; none if there is no log.
    pub(super) head: Option<Revision>,
    pub(super) last: u64,
    pub(super) base: BaseAt,
    /// Oldest first.
    pub(super) rows: VecDeque<Span>,
    /// Bytes of their entries.
    pub(super) bytes: u64,
    /// Parts of bases that do not count: a crash left them.
    pub(super) stale: Vec<BaseKey>,
}

/// A row of entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: u64,
}

/// The entries after a number, each once, in order.
pub(super) fn after(entries: &[LogEntry], mut last: u64) -> Vec<LogEntry> {
    let fresh = entries.iter().filter(|entry| {
        let fresh = entry.seq > last;
        last = last.max(entry.seq);
        fresh
    });
    fresh.cloned().collect()
}

fn size(entries: &[LogEntry]) -> u64 {
    entries.iter().map(|entry| entry.bytes.len() as u64).sum()
}

pub(super) fn check_room(agent: &AgentId, known: &Known, fresh: &[LogEntry]) -> Result<(), StoreError> {
    let rows: usize = commits_of(fresh).iter().map(Vec::len).sum();
    let full = known.bytes + size(fresh) > MAX_LOG_BYTES || known.rows.len() + rows > MAX_LOG_ROWS;
    if full {
        let path = PathBuf::from(agent.to_string());
        let bytes = known.bytes;
        return Err(StoreError::LogFull { path, bytes });
    }
    Ok(())
}

pub(super) fn span_of(row: &[LogEntry]) -> Span {
    Span {
        first: row.first().map_or(0, |entry| entry.seq),
        last: row.last().map_or(0, |entry| entry.seq),
        bytes: size(row),
    }
}

/// Entries as rows, and the rows of each commit.
pub(super) fn commits_of(entries: &[LogEntry]) -> Vec<Vec<&[LogEntry]>> {
    let (mut commits, mut bytes) = (vec![Vec::new()], 0);
    let mut left = entries;
    while !left.is_empty() {
        let mut row_bytes = 0;
        let fits = left.iter().take_while(|entry| {
            let fits = row_bytes < ROW_BYTES;
            row_bytes += LogRow::bytes_of(entry);
            fits
        });
        let (row, rest) = left.split_at(fits.count());
        let row_bytes: usize = row.iter().map(LogRow::bytes_of).sum();
        let open = commits
            .last_mut()
            .filter(|rows| rows.is_empty() || bytes + row_bytes <= COMMIT_BYTES);
        match open {
            Some(rows) => {
                rows.push(row);
                bytes += row_bytes;
            }
            None => {
                commits.push(vec![row]);
                bytes = row_bytes;
            }
        }
        left = rest;
    }
    commits
}

/// What rows say of a log, and the entries that count.
pub(super) fn known_of(rows: Vec<Entry<LogKey, LogRow>>) -> (Known, Vec<LogEntry>) {
    let (mut known, mut entries) = (Known::default(), Vec::new());
    for Entry { value, revision, .. } in rows {
        match value {
            LogRow::Head(last, base) => {
                known.head = Some(revision);
                (known.last, known.base) = (last, base);
            }
            LogRow::Entries(row) => {
                let span = span_of(&row);
                known.last = known.last.max(span.last);
                known.bytes += span.bytes;
                known.rows.push_back(span);
                entries.extend(row);
            }
        }
    }
    entries.retain(|entry| entry.seq > known.base.seq);
    (known, entries)
}

/// The base that counts, of all parts that are there; none if a part of it is missing.
pub(super) fn base_of(parts: Vec<Entry<BaseKey, BasePart>>, known: &mut Known) -> Option<Option<Base>> {
    let BaseAt { seq, parts: count } = known.base;
    if seq == 0 {
        return Some(None);
    }
    let (mut bytes, mut found) = (Vec::new(), 0);
    for Entry { key, value, .. } in parts {
        if key.seq == seq && key.part < count {
            bytes.extend(value.0);
            found += 1;
        } else {
            known.stale.push(key);
        }
    }
    (found == count && bytes.len() <= MAX_BASE_BYTES).then_some(Some(Base { seq, bytes }))
}
