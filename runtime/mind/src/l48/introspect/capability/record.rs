//! The last outcomes of a skill.

use serde::{Deserialize, Serialize};

/// Outcomes that a skill keeps.
pub const OUTCOMES: u32 = 50;
/// Outcomes before which nothing is said of a skill (section 8.2).
pub const MIN_SAMPLES: u32 = 10;

/// The last outcomes, one bit each, the newest lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u8)", into = "(u64, u8)")]
pub struct Record {
    bits: u64,
    len: u8,
}

/// A stored record that no sequence of outcomes could have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{len} outcomes in the bits {bits:#x}; expected at most 50, and no bit beyond them")]
pub struct RecordError {
    bits: u64,
    len: u8,
}

impl Record {
    /// Takes an outcome in, and the oldest out of a full record.
    pub fn push(&mut self, succeeded: bool) {
        self.bits = (self.bits << 1 | u64::from(succeeded)) & lowest(OUTCOMES);
        self.len = (self.len + 1).min(OUTCOMES as u8);
    }

    /// The outcomes, the newest lowest.
    pub(super) fn bits(&self) -> u64 {
        self.bits
    }

    /// Outcomes held.
    pub fn len(&self) -> u32 {
        u32::from(self.len)
    }

    /// No outcome is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Share of successes; `None` of fewer than [`MIN_SAMPLES`].
    pub fn success_rate(&self) -> Option<f64> {
        let enough = self.len() >= MIN_SAMPLES;
        enough.then(|| f64::from(self.bits.count_ones()) / f64::from(self.len))
    }

    /// Success rate of the newer half less that of the older half, in [-1, 1]; `None` of fewer than [`MIN_SAMPLES`].
    pub fn trend(&self) -> Option<f64> {
        let half = self.len() / 2;
        let newer = (self.bits & lowest(half)).count_ones();
        let older = (self.bits >> (self.len() - half)).count_ones();
        let enough = self.len() >= MIN_SAMPLES;
        enough.then(|| (f64::from(newer) - f64::from(older)) / f64::from(half))
    }
}

/// The lowest `count` bits, below 64 of them.
fn lowest(count: u32) -> u64 {
    (1_u64 << count) - 1
}

impl TryFrom<(u64, u8)> for Record {
    type Error = RecordError;

    fn try_from((bits, len): (u64, u8)) -> Result<Self, RecordError> {
        let valid = u32::from(len) <= OUTCOMES && bits & !lowest(u32::from(len)) == 0;
        valid.then_some(Self { bits, len }).ok_or(RecordError { bits, len })
    }
}

impl From<Record> for (u64, u8) {
    fn from(record: Record) -> Self {
        (record.bits, record.len)
    }
}
