//! The bytes of a snapshot file: a header of 64 bytes, then the content. All numbers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | `RUNGSNAP` |
//! | 8..10 | format of the file, [`FORMAT`] |
//! | 10..12 | version of the content |
//! | 12..16 | the low 32 bits of the epoch in which it was written; 0 where none was known |
//! | 16..24 | sequence number |
//! | 24..32 | length of the content |
//! | 32..64 | SHA-256 of bytes 0..32 and the content |

use crate::snapshot::{MAX_SNAPSHOT_BYTES, Reason, Snapshot, SnapshotMeta, Stamp};
use rungs_types::Epoch;
use sha2::{Digest, Sha256};

/// The format written here, and the latest that is read.
pub const FORMAT: u16 = 1;
/// Bytes before the content.
pub const HEADER_BYTES: usize = 64;
/// Most bytes of a snapshot file.
pub const MAX_FILE_BYTES: usize = HEADER_BYTES + MAX_SNAPSHOT_BYTES;

const MAGIC: [u8; 8] = *b"RUNGSNAP";
const HASHED_BYTES: usize = 32;

/// The header of a content.
pub(super) fn header(meta: SnapshotMeta, content: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&FORMAT.to_le_bytes());
    header[10..12].copy_from_slice(&meta.version.to_le_bytes());
    header[12..16].copy_from_slice(&low_bits(meta.epoch).to_le_bytes());
    header[16..24].copy_from_slice(&meta.sequence.to_le_bytes());
    header[24..32].copy_from_slice(&(content.len() as u64).to_le_bytes());
    let checksum = checksum(&header[..HASHED_BYTES], content);
    header[HASHED_BYTES..].copy_from_slice(&checksum);
    header
}

/// What the header has room for. The name of the file has all of the epoch; this is to see that the name is its own.
fn low_bits(epoch: Epoch) -> u32 {
    epoch.0 as u32
}

/// Reads a whole file, or says why it is not used. `stamp` is what its name says.
pub(super) fn read(file: &[u8], stamp: Stamp) -> Result<Snapshot, Reason> {
    let (header, content) = file.split_at_checked(HEADER_BYTES).ok_or(Reason::Torn)?;
    if header[..8] != MAGIC {
        return Err(Reason::Torn);
    }
    // A later format may put everything behind this differently.
    let format = u16::from_le_bytes(bytes(header, 8));
    if format > FORMAT {
        return Err(Reason::NewerFormat {
            found: format,
            newest: FORMAT,
        });
    }
    if u64::from_le_bytes(bytes(header, 24)) != content.len() as u64 {
        return Err(Reason::Torn);
    }
    if header[HASHED_BYTES..] != checksum(&header[..HASHED_BYTES], content) {
        return Err(Reason::Corrupt);
    }
    let epoch = u32::from_le_bytes(bytes(header, 12));
    let sequence = u64::from_le_bytes(bytes(header, 16));
    if (epoch, sequence) != (low_bits(stamp.epoch), stamp.sequence) {
        let epoch = Epoch(u64::from(epoch));
        let found = Stamp { epoch, sequence };
        return Err(Reason::Misplaced { found });
    }
    let meta = SnapshotMeta {
        epoch: stamp.epoch,
        sequence,
        version: u16::from_le_bytes(bytes(header, 10)),
    };
    let bytes = content.to_vec();
    Ok(Snapshot { meta, bytes })
}

fn checksum(header: &[u8], content: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(header)
        .chain_update(content)
        .finalize()
        .into()
}

/// `N` bytes of the header at an offset.
fn bytes<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const META: SnapshotMeta = SnapshotMeta {
        epoch: Epoch(5),
        sequence: 258,
        version: 3,
    };

    fn stamp() -> Stamp {
        META.stamp()
    }

    fn file(content: &[u8]) -> Vec<u8> {
        [header(META, content).as_slice(), content].concat()
    }

    #[test]
    fn the_layout_is_as_documented() {
        let file = file(b"abc");
        assert_eq!(file[..8], *b"RUNGSNAP");
        assert_eq!(file[8..16], [1, 0, 3, 0, 5, 0, 0, 0]);
        assert_eq!(file[16..24], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(file[24..32], [3, 0, 0, 0, 0, 0, 0, 0]);
        // python3: hashlib.sha256(file[:32] + b"abc").hexdigest()
        let hex: String = file[32..64].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "90b0c468be661f18e57938dbf966f47068170dc9a7ff206cbac5f174804a37b5");
        assert_eq!(file[64..], *b"abc");
    }

    #[test]
    fn a_later_format_is_named_before_anything_else_of_it_is_read() {
        let mut file = file(b"abc");
        file[8] = 2;
        let newer = Reason::NewerFormat { found: 2, newest: 1 };
        assert_eq!(read(&file, stamp()), Err(newer));
    }

    #[test]
    fn a_file_under_the_name_of_another_is_refused() {
        let found = stamp();
        for (epoch, sequence) in [(5, 259), (4, 258)] {
            let epoch = Epoch(epoch);
            let name = Stamp { epoch, sequence };
            assert_eq!(read(&file(b"abc"), name), Err(Reason::Misplaced { found }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let snapshot = read(&file(&content), stamp()).expect("whole");
            prop_assert_eq!((snapshot.meta, snapshot.bytes), (META, content));
        }

        #[test]
        fn no_changed_bit_and_no_other_length_goes_unnoticed(
            content in proptest::collection::vec(any::<u8>(), 0..300),
            at: prop::sample::Index,
            bit in 0..8_u8,
            length: prop::sample::Index,
        ) {
            let whole = file(&content);
            let mut changed = whole.clone();
            changed[at.index(whole.len())] ^= 1 << bit;
            prop_assert!(read(&changed, stamp()).is_err());
            let torn = &whole[..length.index(whole.len())];
            prop_assert_eq!(read(torn, stamp()), Err(Reason::Torn));
            prop_assert_eq!(read(&[whole.as_slice(), &[0]].concat(), stamp()), Err(Reason::Torn));
        }

        #[test]
        fn noise_is_no_snapshot(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&noise, stamp()).is_err());
        }
    }
}
