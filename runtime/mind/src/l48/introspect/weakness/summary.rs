//! What a snapshot keeps of the map: the cells used last.

use super::{Cell, WeaknessMap};
use crate::l48::introspect::capability::Skill;
use crate::l48::scenario;
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};

/// Most cells that are kept.
const MAX_KEPT: usize = 8;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeaknessSummary {
    cells: Vec<(Skill, scenario::Kind, u16, u8)>,
    /// The cycle of the newest.
    newest: u64,
}

impl WeaknessMap {
    /// What a snapshot keeps of it.
    pub fn summary(&self) -> WeaknessSummary {
        let mut cells: Vec<&Cell> = self.cells.iter().collect();
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.last_used));
        WeaknessSummary {
            newest: cells.first().map_or(0, |cell| cell.last_used),
            cells: cells
                .into_iter()
                .take(MAX_KEPT)
                .map(|cell| (cell.skill, cell.scenario, cell.bits, cell.len))
                .collect(),
        }
    }

    /// The map that goes on from a summary.
    pub fn from_summary(summary: &WeaknessSummary) -> Result<Self, Refused> {
        let cell = |&(skill, scenario, bits, len): &(Skill, scenario::Kind, u16, u8)| Cell {
            skill,
            scenario,
            bits,
            len,
            last_used: summary.newest,
        };
        let cells: Vec<Cell> = summary.cells.iter().map(cell).collect();
        Self::try_from(cells).map_err(|_| Refused("a weakness"))
    }
}
