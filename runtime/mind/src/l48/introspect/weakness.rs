//! The weakness map: which skills fail in which scenarios, again and again (MSCP Level 4.8, section 4.1).
//!
//! A cell is a skill in a scenario and keeps its last 16 outcomes. From five outcomes on, a cell in which at most 30 %
//! succeeded is a weakness: a coin that fails so often in 16 throws is one in ten, and a skill that fails so often is no
//! longer one. What a freeze interrupts counts as failed (section 6.4, stage 0).

mod summary;

pub use summary::WeaknessSummary;

use super::capability::{Outcome, Skill};
use crate::l48::scenario;
use serde::{Deserialize, Serialize};

/// Most cells; where there is no room, the one not used for longest goes.
pub const MAX_CELLS: usize = 128;
/// Outcomes that a cell keeps.
pub const OUTCOMES: u32 = 16;
/// Outcomes before which a cell says nothing.
pub const MIN_OUTCOMES: u32 = 5;
/// Share of successes up to which failure is consistent.
pub const CONSISTENT_SUCCESS: f64 = 0.3;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cell {
    skill: Skill,
    scenario: scenario::Kind,
    /// The last outcomes, one bit each, the newest lowest; bits beyond `len` are 0.
    bits: u16,
    len: u8,
    last_used: u64,
}

/// A skill that consistently fails in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weakness {
    /// Which skill.
    pub skill: Skill,
    /// In which scenario.
    pub scenario: scenario::Kind,
    /// Share of failures among the last 16 outcomes.
    pub failure_rate: f64,
    /// How many outcomes there are.
    pub outcomes: u32,
    /// The cycle of the last.
    pub last_seen: u64,
}

/// The map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Cell>", into = "Vec<Cell>")]
pub struct WeaknessMap {
    cells: Vec<Cell>,
}

/// A stored map that no sequence of outcomes could have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} cells, or a damaged one; expected at most {MAX_CELLS} with at most 16 outcomes, each once")]
pub struct WeaknessError {
    found: usize,
}

impl WeaknessMap {
    /// Takes an outcome in.
    pub fn note(&mut self, outcome: &Outcome) {
        let (skill, scenario) = (outcome.skill, outcome.scenario);
        let found = self
            .cells
            .iter()
            .position(|cell| (cell.skill, cell.scenario) == (skill, scenario));
        let index = found.unwrap_or_else(|| {
            if self.cells.len() >= MAX_CELLS {
                let oldest = self.cells.iter().enumerate().min_by_key(|(_, cell)| cell.last_used);
                let oldest = oldest.map(|(index, _)| index).expect("invariant: a full map has cells");
                self.cells.remove(oldest);
            }
            self.cells.push(Cell {
                skill,
                scenario,
                bits: 0,
                len: 0,
                last_used: outcome.cycle,
            });
            self.cells.len() - 1
        });
        let cell = &mut self.cells[index];
        cell.bits = cell.bits << 1 | u16::from(outcome.succeeded);
        cell.len = (cell.len + 1).min(OUTCOMES as u8);
        cell.last_used = outcome.cycle;
    }

    /// What consistently fails, the worst first.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        let weakness = |cell: &Cell| {
            let (successes, outcomes) = (f64::from(cell.bits.count_ones()), u32::from(cell.len));
            let success_rate = successes / f64::from(outcomes);
            let consistent = outcomes >= MIN_OUTCOMES && success_rate <= CONSISTENT_SUCCESS;
            consistent.then_some(Weakness {
                skill: cell.skill,
                scenario: cell.scenario,
                failure_rate: 1.0 - success_rate,
                outcomes,
                last_seen: cell.last_used,
            })
        };
        let mut weak: Vec<Weakness> = self.cells.iter().filter_map(weakness).collect();
        weak.sort_by(|a, b| {
            let key = |w: &Weakness| (w.skill, w.scenario as usize);
            b.failure_rate.total_cmp(&a.failure_rate).then(key(a).cmp(&key(b)))
        });
        weak
    }

    /// The skill consistently fails in the scenario.
    pub fn is_weak(&self, skill: Skill, scenario: scenario::Kind) -> bool {
        let weak = self.weaknesses();
        weak.iter()
            .any(|weakness| (weakness.skill, weakness.scenario) == (skill, scenario))
    }
}

impl TryFrom<Vec<Cell>> for WeaknessMap {
    type Error = WeaknessError;

    fn try_from(cells: Vec<Cell>) -> Result<Self, WeaknessError> {
        let sound = |cell: &Cell| (1..=OUTCOMES as u8).contains(&cell.len) && u32::from(cell.bits) >> cell.len == 0;
        let once = |index: usize, cell: &Cell| {
            let same = |other: &Cell| (other.skill, other.scenario) == (cell.skill, cell.scenario);
            !cells[..index].iter().any(same)
        };
        let valid = cells.len() <= MAX_CELLS
            && cells
                .iter()
                .enumerate()
                .all(|(index, cell)| sound(cell) && once(index, cell));
        if valid {
            Ok(Self { cells })
        } else {
            Err(WeaknessError { found: cells.len() })
        }
    }
}

impl From<WeaknessMap> for Vec<Cell> {
    fn from(map: WeaknessMap) -> Self {
        map.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenario::Kind;

    const TOOL: Skill = Skill::Tool { number: 1 };

    fn outcome(skill: Skill, scenario: Kind, succeeded: bool, cycle: u64) -> Outcome {
        Outcome {
            skill,
            succeeded,
            cycle,
            scenario,
        }
    }

    fn noted(map: &mut WeaknessMap, scenario: Kind, successes: usize, failures: usize) {
        (0..successes).for_each(|_| map.note(&outcome(TOOL, scenario, true, 1)));
        (0..failures).for_each(|_| map.note(&outcome(TOOL, scenario, false, 2)));
    }

    #[test]
    fn five_failures_in_one_scenario_are_a_weakness_there_and_nowhere_else() {
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Disruption, 0, 4);
        noted(&mut map, Kind::Baseline, 5, 0);
        assert!(map.weaknesses().is_empty(), "four are not enough");
        noted(&mut map, Kind::Disruption, 0, 1);
        assert!(map.is_weak(TOOL, Kind::Disruption) && !map.is_weak(TOOL, Kind::Baseline));
        let weakness = map.weaknesses()[0];
        assert_eq!(
            (weakness.failure_rate, weakness.outcomes, weakness.last_seen),
            (1.0, 5, 2)
        );
    }

    #[test]
    fn three_successes_of_ten_are_a_weakness_and_four_of_thirteen_are_not() {
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Pessimistic, 3, 7);
        assert!(map.is_weak(TOOL, Kind::Pessimistic));
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Pessimistic, 4, 9);
        assert!(!map.is_weak(TOOL, Kind::Pessimistic), "0.308");
    }

    #[test]
    fn only_the_last_sixteen_outcomes_count() {
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Baseline, 0, 16);
        (0..5).for_each(|_| map.note(&outcome(TOOL, Kind::Baseline, true, 3)));
        // 5 of 16 is 0.3125.
        assert!(!map.is_weak(TOOL, Kind::Baseline));
        noted(&mut map, Kind::Baseline, 0, 12);
        assert_eq!(map.weaknesses()[0].outcomes, 16);
    }

    #[test]
    fn the_worst_stands_first() {
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Baseline, 1, 4);
        noted(&mut map, Kind::Disruption, 0, 5);
        let scenarios: Vec<Kind> = map.weaknesses().iter().map(|weakness| weakness.scenario).collect();
        assert_eq!(scenarios, [Kind::Disruption, Kind::Baseline]);
    }

    #[test]
    fn a_full_map_loses_the_cell_not_used_for_longest() {
        let mut map = WeaknessMap::default();
        for number in 0..=MAX_CELLS as u16 {
            map.note(&outcome(
                Skill::Tool { number },
                Kind::Baseline,
                false,
                1_000 - u64::from(number),
            ));
        }
        assert_eq!(map.cells.len(), MAX_CELLS);
        let kept = |number| map.cells.iter().any(|cell| cell.skill == Skill::Tool { number });
        assert!(!kept(127) && kept(128) && kept(0));
    }

    #[test]
    fn a_stored_map_reads_back_and_a_broken_one_is_refused() {
        let mut map = WeaknessMap::default();
        noted(&mut map, Kind::Baseline, 2, 3);
        let cells = Vec::<Cell>::from(map.clone());
        assert_eq!(WeaknessMap::try_from(cells.clone()), Ok(map));
        let cell = cells[0];
        for broken in [
            vec![cell; 2],
            vec![Cell {
                len: 0,
                bits: 0,
                ..cell
            }],
            vec![Cell { len: 17, ..cell }],
            vec![Cell {
                len: 2,
                bits: 4,
                ..cell
            }],
        ] {
            assert!(WeaknessMap::try_from(broken).is_err());
        }
    }
}
