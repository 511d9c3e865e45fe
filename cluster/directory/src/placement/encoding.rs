//! The map in few bytes: about 1 KiB for three nodes and 16 KiB for a thousand, epochs included.
//!
//! One byte of format, then numbers of seven bits a byte: version, names (count, then length and text of each, sorted),
//! lowest epoch, bits of an epoch. Then, in bits, every shard's owner (0 is nobody) and its epoch above the lowest. Then
//! the moves in flight: count, then shard and node of each.

use super::bits::{BitReader, BitWriter, read_number, width, write_number};
use super::map::Entry;
use super::{MAX_MEMBERS, MapVersion, SHARDS, Shard, ShardMap};
use rungs_types::{Epoch, NodeName};

/// First byte of an encoded map.
pub const FORMAT: u8 = 1;

const NOBODY: u16 = u16::MAX;

/// Why bytes are no map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of the program.
    #[error("format {found} of a shard map; expected {FORMAT}")]
    Format {
        /// The first byte.
        found: u8,
    },
    /// They end too soon, go on too long, or name what is not there.
    #[error("not a shard map")]
    Malformed,
}

/// The bytes of a map. The same map gives the same bytes.
pub fn encode(map: &ShardMap) -> Vec<u8> {
    let epochs = || map.entries.iter().map(|entry| entry.epoch.0);
    let lowest = epochs().min().unwrap_or_default();
    let epoch_bits = width(epochs().max().unwrap_or_default() - lowest);
    let mut bytes = vec![FORMAT];
    write_number(&mut bytes, map.version.0);
    write_number(&mut bytes, map.nodes.len() as u64);
    for node in &map.nodes {
        write_number(&mut bytes, node.as_str().len() as u64);
        bytes.extend_from_slice(node.as_str().as_bytes());
    }
    write_number(&mut bytes, lowest);
    bytes.push(epoch_bits as u8);
    let owner_bits = width(map.nodes.len() as u64);
    let mut lines = BitWriter::default();
    for entry in &map.entries {
        // NOBODY + 1 is 0.
        lines.write(u64::from(entry.owner.wrapping_add(1)), owner_bits);
        lines.write(entry.epoch.0 - lowest, epoch_bits);
    }
    bytes.extend(lines.finish());
    let moving = || Shard::all().zip(&map.entries).filter(|(_, entry)| entry.next != NOBODY);
    write_number(&mut bytes, moving().count() as u64);
    for (shard, entry) in moving() {
        write_number(&mut bytes, u64::from(shard.number()));
        write_number(&mut bytes, u64::from(entry.next));
    }
    bytes
}

/// The map of bytes that [`encode`] wrote. Never panics, and allocates no more than a map of [`MAX_MEMBERS`] nodes takes.
pub fn decode(bytes: &[u8]) -> Result<ShardMap, DecodeError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => read(rest).ok_or(DecodeError::Malformed),
        Some((found, _)) => Err(DecodeError::Format { found: *found }),
        None => Err(DecodeError::Malformed),
    }
}

fn read(mut bytes: &[u8]) -> Option<ShardMap> {
    let version = MapVersion(read_number(&mut bytes)?);
    let nodes = read_names(&mut bytes)?;
    let lowest = read_number(&mut bytes)?;
    let (epoch_bits, rest) = bytes.split_first()?;
    let epoch_bits = u32::from(*epoch_bits);
    let owner_bits = width(nodes.len() as u64);
    if epoch_bits > u64::BITS {
        return None;
    }
    let line_bytes = (usize::from(SHARDS) * (owner_bits + epoch_bits) as usize).div_ceil(8);
    let (lines, mut rest) = rest.split_at_checked(line_bytes)?;
    let mut lines = BitReader::new(lines);
    let mut entries = Vec::with_capacity(usize::from(SHARDS));
    for _ in 0..SHARDS {
        let owner = lines.read(owner_bits)?;
        let epoch = Epoch(lowest.checked_add(lines.read(epoch_bits)?)?);
        if owner > nodes.len() as u64 {
            return None;
        }
        let owner = (owner as u16).wrapping_sub(1);
        let next = NOBODY;
        entries.push(Entry { owner, next, epoch });
    }
    for _ in 0..read_number(&mut rest)? {
        let entry = entries.get_mut(usize::try_from(read_number(&mut rest)?).ok()?)?;
        let next = u16::try_from(read_number(&mut rest)?).ok()?;
        let fits = usize::from(next) < nodes.len() && entry.owner != NOBODY && entry.owner != next;
        if !fits || entry.next != NOBODY {
            return None;
        }
        entry.next = next;
    }
    let map = ShardMap {
        version,
        nodes,
        entries,
    };
    rest.is_empty().then_some(map)
}

fn read_names(bytes: &mut &[u8]) -> Option<Vec<NodeName>> {
    let count = usize::try_from(read_number(bytes)?).ok()?;
    if count > MAX_MEMBERS {
        return None;
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let length = usize::try_from(read_number(bytes)?).ok()?;
        let (name, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        nodes.push(NodeName::new(std::str::from_utf8(name).ok()?).ok()?);
    }
    nodes.is_sorted_by(|a, b| a < b).then_some(nodes)
}

#[cfg(test)]
mod tests;
