//! The bytes of a log file: a header of 16 bytes, then frames. All numbers are little-endian.
//!
//! | bytes of the header | what |
//! | --- | --- |
//! | 0..8 | `RUNGTASK` |
//! | 8..10 | format of the file, [`FORMAT`] |
//! | 10..16 | 0 |
//!
//! | bytes of a frame | what |
//! | --- | --- |
//! | 0..4 | length of the content |
//! | 4..12 | number of the entry |
//! | 12..20 | number up to which the log was durable when the frame was written |
//! | 20..28 | first bytes of the SHA-256 of bytes 0..20 and the content |
//! | 28.. | the content |
//!
//! The third field tells a torn end from damage: what a later frame says was durable must be there, and what none does
//! may have been lost with the power, in any order of its pages.

use super::{LogEntry, MAX_ENTRY_BYTES};
use sha2::{Digest, Sha256};

/// The format written here, and the only one that is read.
pub(super) const FORMAT: u16 = 1;
pub(super) const HEADER_BYTES: usize = 16;
pub(super) const FRAME_HEADER_BYTES: usize = 28;
const MAGIC: [u8; 8] = *b"RUNGTASK";
const HASHED_BYTES: usize = 20;
/// Numbers that a frame behind a damaged place may be ahead.
const MAX_AHEAD: u64 = 1 << 32;

pub(super) fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&FORMAT.to_le_bytes());
    header
}

/// Appends the frame of an entry; `durable` is the third field.
pub(super) fn write(into: &mut Vec<u8>, entry: &LogEntry, durable: u64) {
    let mut head = [0; HASHED_BYTES];
    // `check_sizes` has seen the entry.
    head[..4].copy_from_slice(&(entry.bytes.len() as u32).to_le_bytes());
    head[4..12].copy_from_slice(&entry.seq.to_le_bytes());
    head[12..].copy_from_slice(&durable.to_le_bytes());
    into.extend_from_slice(&head);
    into.extend_from_slice(&checksum(&head, &entry.bytes));
    into.extend_from_slice(&entry.bytes);
}

/// A log as it is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) entries: Vec<LogEntry>,
    /// Bytes up to the end of the last entry, with the header.
    pub(super) whole_bytes: usize,
    /// Bytes behind them.
    pub(super) torn_bytes: usize,
    /// The log says that it was durable up to here.
    pub(super) durable: u64,
}

/// Reads a file, or says at which byte it is damaged.
pub(super) fn read(file: &[u8]) -> Result<Log, usize> {
    let mut log = Log::default();
    let Some(head) = file.get(..HEADER_BYTES) else {
        // The crash came before the first frame.
        log.torn_bytes = file.len();
        return Ok(log);
    };
    if head != header() {
        return Err(0);
    }
    let (mut at, mut last) = (HEADER_BYTES, 0);
    while let Some((entry, durable, length)) = frame(file, at, last) {
        last = entry.seq;
        log.durable = log.durable.max(durable);
        log.entries.push(entry);
        at += length;
    }
    let says_durable = |at: &usize| {
        let found = frame(file, *at, last).filter(|(entry, ..)| entry.seq - last <= MAX_AHEAD);
        found.is_some_and(|(_, durable, _)| durable > last)
    };
    if (at + 1..file.len()).any(|later| says_durable(&later)) {
        return Err(at);
    }
    (log.whole_bytes, log.torn_bytes) = (at, file.len() - at);
    Ok(log)
}

/// The frame at an offset, with its third field and its length, if there is a whole one of a later entry.
fn frame(file: &[u8], at: usize, last: u64) -> Option<(LogEntry, u64, usize)> {
    let head = file.get(at..at + FRAME_HEADER_BYTES)?;
    let seq = u64::from_le_bytes(bytes(head, 4));
    let length = u32::from_le_bytes(bytes(head, 0)) as usize;
    // Cheap questions first: when a place is damaged, every byte behind it is asked.
    if length > MAX_ENTRY_BYTES || seq <= last || seq - last > MAX_AHEAD {
        return None;
    }
    let end = at + FRAME_HEADER_BYTES + length;
    let content = file.get(at + FRAME_HEADER_BYTES..end)?;
    if head[HASHED_BYTES..] != checksum(&head[..HASHED_BYTES], content) {
        return None;
    }
    let bytes_of_entry = content.to_vec();
    let entry = LogEntry {
        seq,
        bytes: bytes_of_entry,
    };
    Some((entry, u64::from_le_bytes(bytes(head, 12)), end - at))
}

fn checksum(head: &[u8], content: &[u8]) -> [u8; 8] {
    let hash: [u8; 32] = Sha256::new().chain_update(head).chain_update(content).finalize().into();
    bytes(&hash, 0)
}

fn bytes<const N: usize>(of: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&of[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Entries 1 to `count`, each written when those up to `durable(seq)` were durable.
    fn file(count: u64, durable: impl Fn(u64) -> u64) -> (Vec<u8>, Vec<usize>) {
        let (mut file, mut starts) = (header().to_vec(), Vec::new());
        for seq in 1..=count {
            starts.push(file.len());
            let bytes = vec![seq as u8; seq as usize * 3];
            write(&mut file, &LogEntry { seq, bytes }, durable(seq));
        }
        (file, starts)
    }

    #[test]
    fn the_layout_is_as_documented() {
        let (file, _) = file(1, |_| 258);
        assert_eq!(file[..16], *b"RUNGTASK\x01\0\0\0\0\0\0\0");
        assert_eq!(
            file[16..36],
            [3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(file[44..], [1, 1, 1]);
    }

    #[test]
    fn a_hole_in_what_was_never_durable_ends_the_log_and_in_what_was_is_damage() {
        for (durable, damaged) in [(0, false), (2, false), (3, true), (7, true)] {
            let (mut file, starts) = file(8, |seq| if seq == 8 { durable } else { 0 });
            file[starts[2] + 30] ^= 1;
            let read = read(&file);
            if damaged {
                assert_eq!(read, Err(starts[2]));
            } else {
                let log = read.unwrap();
                assert_eq!((log.entries.len(), log.whole_bytes), (2, starts[2]));
                assert_eq!(log.torn_bytes, file.len() - starts[2]);
            }
        }
    }

    #[test]
    fn another_header_is_damage() {
        let (mut file, _) = file(2, |_| 0);
        file[8] = 2;
        assert_eq!(read(&file), Err(0));
    }

    proptest! {
        #[test]
        fn a_file_cut_anywhere_is_a_prefix(count in 0..12_u64, cut: prop::sample::Index) {
            let (file, starts) = file(count, |seq| seq - 1);
            let cut = cut.index(file.len() + 1);
            let log = read(&file[..cut]).unwrap();
            let whole = starts.iter().skip(1).chain([&file.len()]).filter(|end| **end <= cut).count();
            let expected = if cut < HEADER_BYTES { 0 } else { whole.min(count as usize) };
            prop_assert_eq!(log.entries.len(), expected);
            prop_assert_eq!(log.whole_bytes + log.torn_bytes, cut);
        }

        #[test]
        fn no_changed_bit_before_the_last_durable_entry_goes_unnoticed(
            count in 2..12_u64, at: prop::sample::Index, bit in 0..8_u8,
        ) {
            let (mut file, starts) = file(count, |seq| seq - 1);
            let at = at.index(starts[count as usize - 1]);
            file[at] ^= 1 << bit;
            prop_assert!(read(&file).is_err());
        }

        #[test]
        fn noise_is_no_log(noise in proptest::collection::vec(any::<u8>(), HEADER_BYTES..300)) {
            prop_assert!(read(&noise).is_err());
        }
    }
}
