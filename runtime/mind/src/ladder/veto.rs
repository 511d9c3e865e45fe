//! Persistent vetoes: a level that keeps freezing for the same reason has a defect that re-enabling it does not cure
//! (MSCP Level 4.8, section 6.4, `PersistentVetoFlag`).

use rungs_types::autonomy::Condition;
use rungs_types::{Cause, Invariant, Level, RolePath};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The trailing window.
pub const VETO_WINDOW_CYCLES: u64 = 1_000;
/// Freezes by one cause in the window that are still re-enabled; one more suspends the level.
pub const MAX_VETOES: usize = 3;
/// Most freezes remembered. The window can hold more only if they have many different causes, and then the oldest go.
const MAX_REMEMBERED: usize = 64;

/// What makes two freezes have the same cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VetoKey {
    /// An actor failed: panic, error or missed deadline.
    Failed(RolePath),
    /// An invariant was violated.
    Invariant(Invariant),
    /// A condition of Level 4.9 did not hold; `None` where all margins were merely thin.
    Condition(Option<Condition>),
    /// The existential guard.
    Guard,
    /// The level below.
    LevelBelow(Level),
}

impl VetoKey {
    /// The keys of a cause: one for each violated invariant. None for an operator's order (a person's decision is no
    /// defect) and for the ethical kernel (which parks the agent).
    pub fn of(cause: &Cause) -> Vec<VetoKey> {
        match cause {
            Cause::Panic { role, .. } | Cause::MissedDeadline { role, .. } => vec![VetoKey::Failed(role.clone())],
            Cause::Invariants { violations, .. } => {
                let mut keys: Vec<_> = violations.iter().map(|v| VetoKey::Invariant(v.invariant)).collect();
                keys.sort();
                keys.dedup();
                keys
            }
            Cause::Autonomy { violated, .. } if violated.is_empty() => vec![VetoKey::Condition(None)],
            Cause::Autonomy { violated, .. } => {
                let keys = violated.iter().map(|v| VetoKey::Condition(Some(v.condition)));
                keys.collect()
            }
            Cause::Guard { .. } => vec![VetoKey::Guard],
            Cause::LevelBelow { level } => vec![VetoKey::LevelBelow(*level)],
            Cause::Operator { .. } | Cause::EthicsHash | Cause::Quota { .. } => Vec::new(),
        }
    }
}

/// The freezes of the last 1,000 cycles, by cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VetoLog {
    entries: VecDeque<(VetoKey, u64)>,
}

impl VetoLog {
    /// Counts a freeze. True if one of its causes has now frozen the level more than [`MAX_VETOES`] times within
    /// [`VETO_WINDOW_CYCLES`] cycles.
    pub fn note(&mut self, keys: &[VetoKey], cycle: u64) -> bool {
        // Also of an agent whose cycles are counted anew: what was far ahead of it is far away.
        self.entries
            .retain(|(_, then)| cycle.abs_diff(*then) < VETO_WINDOW_CYCLES);
        for key in keys {
            if self.entries.len() == MAX_REMEMBERED {
                self.entries.pop_front();
            }
            self.entries.push_back((key.clone(), cycle));
        }
        keys.iter().any(|key| self.count(key) > MAX_VETOES)
    }

    /// Forgets everything: an operator cleared the level.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn count(&self, key: &VetoKey) -> usize {
        self.entries.iter().filter(|(other, _)| other == key).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_freeze_by_one_cause_within_1000_cycles_is_persistent() {
        let guard = [VetoKey::Guard];
        let mut log = VetoLog::default();
        assert_eq!([1, 300, 600].map(|cycle| log.note(&guard, cycle)), [false; 3]);
        assert!(log.clone().note(&guard, 1_000), "cycle 1 is 999 cycles back");
        assert!(!log.note(&guard, 1_001), "cycle 1 is 1,000 cycles back: three remain");
    }

    #[test]
    fn freezes_of_a_life_that_is_over_do_not_count_in_one_whose_cycles_begin_anew() {
        let guard = [VetoKey::Guard];
        let mut log = VetoLog::default();
        assert_eq!(
            [50_000, 50_010, 50_020].map(|cycle| log.note(&guard, cycle)),
            [false; 3]
        );
        assert!(!log.note(&guard, 10));
        // The last snapshot may be a little older than the freeze.
        let mut log = VetoLog::default();
        assert_eq!([500, 510, 520].map(|cycle| log.note(&guard, cycle)), [false; 3]);
        assert!(log.note(&guard, 480));
    }

    #[test]
    fn freezes_by_different_causes_do_not_add_up() {
        let (rho, iis) = (
            VetoKey::Invariant(Invariant::Spectral),
            VetoKey::Invariant(Invariant::Identity),
        );
        let mut log = VetoLog::default();
        assert!(!log.note(&[rho.clone(), iis.clone()], 10));
        assert!(!log.note(std::slice::from_ref(&rho), 20));
        assert!(!log.note(std::slice::from_ref(&rho), 30));
        assert!(!log.note(std::slice::from_ref(&iis), 40), "identity: 2");
        assert!(log.note(&[iis, rho], 50), "spectral: 4");
    }
}
