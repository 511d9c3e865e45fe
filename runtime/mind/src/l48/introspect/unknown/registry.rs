//! The registry of unknown domains (MSCP Level 4.8, section 4.2).

use super::Reading;
use serde::{Deserialize, Serialize};

/// Most entries; where there is no room, the oldest that is over goes, and else the oldest.
pub const MAX_REGISTERED: usize = 32;

/// What became of an unknown domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is still unknown.
    Open,
    /// The group is back in a known domain.
    Passed {
        /// Since when.
        cycle: u64,
    },
    /// It has been watched for long enough, and is known.
    Learnt {
        /// Since when.
        cycle: u64,
    },
}

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownDomain {
    /// Counts entries.
    pub number: u64,
    /// The group of sensors.
    pub group: u16,
    /// The cycle of its detection.
    pub since: u64,
    /// The criteria that were met at its detection or since.
    pub criteria: [bool; 4],
    /// What became of it.
    pub fate: Fate,
}

/// The entries, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRegistry", into = "RawRegistry")]
pub struct Registry {
    entries: Vec<UnknownDomain>,
    registered: u64,
}

/// What [`Registry`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawRegistry {
    entries: Vec<UnknownDomain>,
    registered: u64,
}

/// A stored registry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} entries, or their numbers do not rise to {registered}; expected at most {MAX_REGISTERED}")]
pub struct RegistryError {
    found: usize,
    registered: u64,
}

impl Registry {
    /// A registry whose entries are these, which are open; `None` where they cannot be.
    pub(super) fn of_open(entries: &[UnknownDomain], registered: u64) -> Option<Self> {
        let open = entries.iter().all(|entry| entry.fate == Fate::Open);
        let entries = entries.to_vec();
        let registry = Self::try_from(RawRegistry { entries, registered }).ok();
        registry.filter(|_| open)
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[UnknownDomain] {
        &self.entries
    }

    /// Entries made since the start.
    pub fn registered(&self) -> u64 {
        self.registered
    }

    /// The entries that are unknown now.
    pub fn open(&self) -> impl Iterator<Item = &UnknownDomain> {
        self.entries.iter().filter(|entry| entry.fate == Fate::Open)
    }

    /// The group's domain is unknown.
    pub fn is_open(&self, group: u16) -> bool {
        self.open().any(|entry| entry.group == group)
    }

    /// Cycles since the last detection; `None` before the first.
    pub fn cycles_since(&self, cycle: u64) -> Option<u64> {
        self.entries.last().map(|entry| cycle.saturating_sub(entry.since))
    }

    /// Enters an unknown domain, or adds the criteria to its entry.
    pub(super) fn note(&mut self, reading: &Reading, cycle: u64) {
        if !reading.is_unknown() {
            return;
        }
        let open = |entry: &&mut UnknownDomain| entry.group == reading.group && entry.fate == Fate::Open;
        if let Some(entry) = self.entries.iter_mut().find(open) {
            let met = entry.criteria.iter_mut().zip(reading.criteria);
            met.for_each(|(met, now)| *met |= now);
            return;
        }
        if self.entries.len() >= MAX_REGISTERED {
            let over = self.entries.iter().position(|entry| entry.fate != Fate::Open);
            self.entries.remove(over.unwrap_or(0));
        }
        self.registered += 1;
        self.entries.push(UnknownDomain {
            number: self.registered,
            group: reading.group,
            since: cycle,
            criteria: reading.criteria,
            fate: Fate::Open,
        });
    }

    /// The group's unknown domain is over.
    pub(super) fn close(&mut self, group: u16, fate: Fate) {
        let open = self
            .entries
            .iter_mut()
            .filter(|entry| entry.group == group && entry.fate == Fate::Open);
        open.for_each(|entry| entry.fate = fate);
    }
}

impl TryFrom<RawRegistry> for Registry {
    type Error = RegistryError;

    fn try_from(RawRegistry { entries, registered }: RawRegistry) -> Result<Self, RegistryError> {
        let rising = entries.is_sorted_by(|a, b| a.number < b.number);
        let counted = entries.last().is_none_or(|entry| entry.number <= registered);
        if entries.len() > MAX_REGISTERED || !rising || !counted {
            return Err(RegistryError {
                found: entries.len(),
                registered,
            });
        }
        Ok(Self { entries, registered })
    }
}

impl From<Registry> for RawRegistry {
    fn from(Registry { entries, registered }: Registry) -> Self {
        Self { entries, registered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(group: u16, criteria: [bool; 4]) -> Reading {
        Reading {
            group,
            similarity: None,
            error_sd: None,
            best_strategy: None,
            divergence: None,
            criteria,
        }
    }

    const TWO: [bool; 4] = [true, false, false, true];

    #[test]
    fn two_criteria_are_entered_and_one_is_not() {
        let mut registry = Registry::default();
        registry.note(&reading(0, [false, true, false, false]), 10);
        assert!(registry.entries().is_empty() && registry.cycles_since(10).is_none());
        registry.note(&reading(0, TWO), 20);
        assert_eq!(
            (registry.is_open(0), registry.is_open(1), registry.cycles_since(50)),
            (true, false, Some(30))
        );
    }

    #[test]
    fn one_entry_is_made_while_a_domain_is_unknown_and_another_after() {
        let mut registry = Registry::default();
        registry.note(&reading(0, TWO), 10);
        registry.note(&reading(0, [false, true, true, false]), 20);
        assert_eq!(
            (registry.entries().len(), registry.entries()[0].criteria),
            (1, [true; 4])
        );
        registry.close(0, Fate::Passed { cycle: 30 });
        registry.note(&reading(0, TWO), 40);
        assert_eq!((registry.registered(), registry.open().count()), (2, 1));
    }

    #[test]
    fn a_full_registry_loses_the_oldest_that_is_over() {
        let mut registry = Registry::default();
        for group in 0..MAX_REGISTERED as u16 {
            registry.note(&reading(group, TWO), 10);
        }
        registry.close(3, Fate::Learnt { cycle: 20 });
        registry.note(&reading(40, TWO), 30);
        assert_eq!(registry.entries().len(), MAX_REGISTERED);
        assert!(registry.entries().iter().all(|entry| entry.group != 3));
        registry.note(&reading(41, TWO), 40);
        assert!(
            !registry.is_open(0) && registry.is_open(41),
            "all are open: the oldest goes"
        );
    }

    #[test]
    fn a_broken_registry_is_refused() {
        let mut registry = Registry::default();
        (0..2).for_each(|group| registry.note(&reading(group, TWO), 10));
        let raw = RawRegistry::from(registry.clone());
        assert_eq!(Registry::try_from(raw.clone()), Ok(registry));
        let mut swapped = raw.clone();
        swapped.entries.swap(0, 1);
        assert!(Registry::try_from(swapped).is_err());
        assert!(Registry::try_from(RawRegistry { registered: 1, ..raw }).is_err());
    }
}
