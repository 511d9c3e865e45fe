//! The tables of task logs in the cluster's store. Keys begin with the shard, as those of agents do: who gets a shard reads
//! what is in it in one go.
//!
//! Values are laid out by hand, numbers with the greatest byte first:
//!
//! | row | bytes |
//! | --- | --- |
//! | head | 0, last number (8), number of the base (8), its parts (8) |
//! | entries | 1, then of each entry its number (8), its length (4), its content |
//! | part of a base | the bytes |

use super::LogEntry;
use crate::cluster::TableId;
use crate::cluster::key::{Key, Parts};
use crate::cluster::table::Table;
use rungs_types::AgentId;

const HEAD: u8 = 0;
const ENTRIES: u8 = 1;
const ENTRY_HEADER_BYTES: usize = 12;

/// A row of an agent's log: number 0 is its head, others are entries by the number of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The agent's shard.
    pub shard: u16,
    /// The agent.
    pub agent: AgentId,
    /// The number.
    pub number: u64,
}

/// A part of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseKey {
    /// The agent's shard.
    pub shard: u16,
    /// The agent.
    pub agent: AgentId,
    /// The entry up to which it tells.
    pub seq: u64,
    /// Which part, from 0.
    pub part: u64,
}

/// Which base counts; number 0 if none does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BaseAt {
    /// The entry up to which it tells.
    pub seq: u64,
    /// Its parts.
    pub parts: u64,
}

/// What a row of a log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRow {
    /// The last number that was given, and which base counts.
    Head(u64, BaseAt),
    /// Entries that were appended together, in order.
    Entries(Vec<LogEntry>),
}

/// A part of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePart(pub Vec<u8>);

/// Of each agent, what has happened to its goals. See [`super::stored`].
#[derive(Debug, Clone, Copy)]
pub struct TaskLogTable;

/// Of each agent, where its goals stood before what its log tells. See [`super::stored`].
#[derive(Debug, Clone, Copy)]
pub struct GoalBase;

/// What keys of all rows of an agent begin with, in both tables.
pub(super) fn prefix(shard: u16, agent: &AgentId) -> Key {
    let shard = Key::new().number(u64::from(shard));
    shard.text(agent.tenant.as_str()).text(agent.name.as_str())
}

fn read_prefix(parts: &mut Parts<'_>) -> Option<(u16, AgentId)> {
    let shard = u16::try_from(parts.number()?).ok()?;
    let [tenant, name] = [parts.text()?, parts.text()?].map(String::from_utf8);
    let agent = format!("{}/{}", tenant.ok()?, name.ok()?).parse().ok()?;
    Some((shard, agent))
}

impl LogRow {
    /// What an entry takes in a row.
    pub(super) fn bytes_of(entry: &LogEntry) -> usize {
        ENTRY_HEADER_BYTES + entry.bytes.len()
    }
}

impl Table for TaskLogTable {
    const ID: TableId = TableId(24);
    const NAME: &'static str = "task log";
    const SCHEMA: u16 = 1;
    type Key = LogKey;
    type Value = LogRow;

    fn key(key: &LogKey) -> Vec<u8> {
        prefix(key.shard, &key.agent).number(key.number).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<LogKey> {
        let mut parts = Parts::of(bytes);
        let (shard, agent) = read_prefix(&mut parts)?;
        let number = parts.number()?;
        parts.is_done().then_some(LogKey { shard, agent, number })
    }

    fn encode(row: &LogRow) -> Vec<u8> {
        match row {
            LogRow::Head(last, base) => {
                let mut bytes = vec![HEAD];
                for number in [*last, base.seq, base.parts] {
                    bytes.extend(number.to_be_bytes());
                }
                bytes
            }
            LogRow::Entries(entries) => {
                let mut bytes = vec![ENTRIES];
                for entry in entries {
                    bytes.extend(entry.seq.to_be_bytes());
                    // `check_sizes` has seen the entry.
                    bytes.extend((entry.bytes.len() as u32).to_be_bytes());
                    bytes.extend(&entry.bytes);
                }
                bytes
            }
        }
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<LogRow> {
        let (kind, mut left) = bytes.split_first()?;
        match *kind {
            HEAD => {
                let head = LogRow::Head(
                    take(&mut left)?,
                    BaseAt {
                        seq: take(&mut left)?,
                        parts: take(&mut left)?,
                    },
                );
                left.is_empty().then_some(head)
            }
            ENTRIES => {
                let mut entries = Vec::new();
                while !left.is_empty() {
                    let seq = take(&mut left)?;
                    let (length, rest) = left.split_first_chunk()?;
                    let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
                    let bytes = content.to_vec();
                    entries.push(LogEntry { seq, bytes });
                    left = rest;
                }
                Some(LogRow::Entries(entries))
            }
            _ => None,
        }
    }
}

fn take(left: &mut &[u8]) -> Option<u64> {
    let (number, rest) = left.split_first_chunk()?;
    *left = rest;
    Some(u64::from_be_bytes(*number))
}

impl Table for GoalBase {
    const ID: TableId = TableId(25);
    const NAME: &'static str = "goal base";
    const SCHEMA: u16 = 1;
    type Key = BaseKey;
    type Value = BasePart;

    fn key(key: &BaseKey) -> Vec<u8> {
        prefix(key.shard, &key.agent).number(key.seq).number(key.part).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<BaseKey> {
        let mut parts = Parts::of(bytes);
        let (shard, agent) = read_prefix(&mut parts)?;
        let (seq, part) = (parts.number()?, parts.number()?);
        parts.is_done().then_some(BaseKey {
            shard,
            agent,
            seq,
            part,
        })
    }

    fn encode(part: &BasePart) -> Vec<u8> {
        part.0.clone()
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<BasePart> {
        Some(BasePart(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written_and_damage_is_seen() {
        let agent: AgentId = "acme/a".parse().expect("a name");
        let key = LogKey {
            shard: 7,
            agent: agent.clone(),
            number: 3,
        };
        assert_eq!(TaskLogTable::read_key(&TaskLogTable::key(&key)), Some(key));
        let base = BaseKey {
            shard: 7,
            agent,
            seq: 9,
            part: 1,
        };
        assert_eq!(GoalBase::read_key(&GoalBase::key(&base)), Some(base));
        let entries = [(1, vec![]), (5, vec![7; 40])].map(|(seq, bytes)| LogEntry { seq, bytes });
        for row in [
            LogRow::Head(9, BaseAt { seq: 4, parts: 2 }),
            LogRow::Entries(entries.to_vec()),
        ] {
            let bytes = TaskLogTable::encode(&row);
            assert_eq!(TaskLogTable::decode(1, &bytes).as_ref(), Some(&row));
            assert_eq!(TaskLogTable::decode(1, &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(TaskLogTable::decode(1, &[9]), None);
    }
}
