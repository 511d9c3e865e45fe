//! Sums over a block of cycles, and over the window: what can be added up.
//!
//! EA-1. The 80 % interval of a forecast holds the 80 % smallest of the forecaster's errors, by their rank. It is wider
//! than persistence's if a band of the same width around the last value holds more than 80 %, and more than it holds
//! around the forecast. An observation that equals the one before says nothing of persistence (its error is 0), and is
//! left out of that comparison; a window without any other is no evidence at all.

use crate::l48::observe::Score;
use crate::l48::{IntrospectOutput, ObserveOutput};
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use crate::qualify::{WINDOW_CYCLES, ratio, share};
use crate::report::{CycleReport, FloorReport, RhoState};
use serde::{Deserialize, Serialize};

/// Cycles of a block, at least.
pub(super) const BLOCK_CYCLES: u32 = 100;
/// Full blocks that are kept beside the one that fills.
pub(super) const BLOCKS: usize = (WINDOW_CYCLES / BLOCK_CYCLES) as usize;
/// Levels at which coverage is counted: 5 %, 15 %, up to 95 %.
pub(super) const LEVELS: usize = 10;
/// The central interval of EA-1.
pub const CENTRAL: f64 = 0.80;
/// How much more a band may hold around the last value than around the forecast: a forecaster that is as good as
/// persistence is not to fail by chance.
pub const WIDTH_TOLERANCE: f64 = 0.02;
/// Spectral radius from which a violation is one, whatever number is handed on with it.
const VIOLATED_RHO: f64 = 1.0;

/// The nominal level of a place among the ten.
fn level(place: usize) -> f64 {
    (place as f64 + 0.5) / LEVELS as f64
}

/// Sums over the passes of some cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    /// Observations inside the interval of each level.
    covered: [f32; LEVELS],
    /// Inside the central interval.
    inside: f32,
    /// The same, of observations that differ from the one before.
    inside_moved: f32,
    /// Of these, inside a band of the same width around the one before.
    held_moved: f32,
    scenario: f32,
    mce: f32,
    pub(super) robustness: f32,
    /// The largest spectral radius.
    rho: Option<f64>,
    /// Cycles of the reports.
    cycles: u16,
    /// Of these, with a low EU.
    certain: u16,
    /// Observations that were ranked.
    scored: u16,
    /// Of these, that differ from the one before.
    moved: u16,
    scenario_passes: u16,
    mce_passes: u16,
    pub(super) robustness_passes: u16,
    pub(super) planted: u16,
    pub(super) flagged: u16,
    pub(super) lyapunov_cycles: u16,
    pub(super) rises: u16,
    pub(super) longest_run: u16,
    pub(super) decisions: u16,
    pub(super) reverts: u16,
    pub(super) completed: u16,
    pub(super) closed: u16,
}

impl Block {
    /// Takes in what phases 1 and 2 found.
    pub(super) fn see(&mut self, report: &CycleReport, world: &ObserveOutput, capability: &IntrospectOutput) {
        let cycles = report.facts.len() as u16;
        self.cycles = self.cycles.saturating_add(cycles);
        if world.eu < super::LOW_EU {
            self.certain = self.certain.saturating_add(cycles);
        }
        world.scores.iter().for_each(|score| self.rank(score));
        if let Some(coverage) = world.scenario_coverage.and_then(share) {
            self.scenario += coverage as f32;
            self.scenario_passes = self.scenario_passes.saturating_add(1);
        }
        if let Some(mce) = capability.mce.and_then(share) {
            self.mce += mce as f32;
            self.mce_passes = self.mce_passes.saturating_add(1);
        }
    }

    fn rank(&mut self, score: &Score) {
        let Some(rank) = score.rank else { return };
        self.scored = self.scored.saturating_add(1);
        for (place, covered) in self.covered.iter_mut().enumerate() {
            *covered += rank.within(level(place)) as f32;
        }
        let inside = rank.within(CENTRAL) as f32;
        self.inside += inside;
        if let Some(persistence) = score.persistence_rank.filter(|_| score.observed != score.persistence) {
            self.moved = self.moved.saturating_add(1);
            self.inside_moved += inside;
            self.held_moved += persistence.within(CENTRAL) as f32;
        }
    }

    /// Takes in how the floor stands.
    pub(super) fn stand(&mut self, floor: &FloorReport) {
        let rho = match floor.rho_state {
            _ if !(floor.rho.is_finite() && floor.rho >= 0.0) => Some(f64::MAX),
            RhoState::Unknown => None,
            RhoState::Violation => Some(floor.rho.max(VIOLATED_RHO)),
            RhoState::Stable | RhoState::Warning => Some(floor.rho),
        };
        self.rho = self.rho.into_iter().chain(rho).reduce(f64::max);
    }

    fn is_valid(&self) -> bool {
        let part = |sum: f32, of: u16| (0.0..=f32::from(of) * 1.001).contains(&sum);
        self.covered.iter().all(|covered| part(*covered, self.scored))
            && part(self.inside, self.scored)
            && part(self.inside_moved, self.moved)
            && part(self.held_moved, self.moved)
            && part(self.scenario, self.scenario_passes)
            && part(self.mce, self.mce_passes)
            && part(self.robustness, self.robustness_passes)
            && self.rho.is_none_or(|rho| rho >= 0.0)
            && self.certain <= self.cycles
            && self.moved <= self.scored
            && self.flagged <= self.planted
            && self.rises <= self.lyapunov_cycles
            && self.completed <= self.closed
    }
}

/// Sums over all blocks of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sum {
    covered: [f64; LEVELS],
    inside: f64,
    inside_moved: f64,
    held_moved: f64,
    pub(super) scenario: f64,
    pub(super) mce: f64,
    pub(super) robustness: f64,
    pub(super) rho: Option<f64>,
    pub(super) cycles: u32,
    pub(super) certain: u32,
    scored: u32,
    moved: u32,
    pub(super) scenario_passes: u32,
    pub(super) mce_passes: u32,
    pub(super) robustness_passes: u32,
    pub(super) planted: u32,
    pub(super) flagged: u32,
    pub(super) lyapunov_cycles: u32,
    pub(super) rises: u32,
    pub(super) longest_run: u16,
    pub(super) decisions: u32,
    pub(super) reverts: u32,
    pub(super) completed: u32,
    pub(super) closed: u32,
}

impl Sum {
    fn add(&mut self, block: &Block) {
        let each = self.covered.iter_mut().zip(block.covered);
        each.for_each(|(sum, covered)| *sum += f64::from(covered));
        for (sum, part) in [
            (&mut self.inside, block.inside),
            (&mut self.inside_moved, block.inside_moved),
            (&mut self.held_moved, block.held_moved),
            (&mut self.scenario, block.scenario),
            (&mut self.mce, block.mce),
            (&mut self.robustness, block.robustness),
        ] {
            *sum += f64::from(part);
        }
        for (sum, part) in [
            (&mut self.cycles, block.cycles),
            (&mut self.certain, block.certain),
            (&mut self.scored, block.scored),
            (&mut self.moved, block.moved),
            (&mut self.scenario_passes, block.scenario_passes),
            (&mut self.mce_passes, block.mce_passes),
            (&mut self.robustness_passes, block.robustness_passes),
            (&mut self.planted, block.planted),
            (&mut self.flagged, block.flagged),
            (&mut self.lyapunov_cycles, block.lyapunov_cycles),
            (&mut self.rises, block.rises),
            (&mut self.decisions, block.decisions),
            (&mut self.reverts, block.reverts),
            (&mut self.completed, block.completed),
            (&mut self.closed, block.closed),
        ] {
            *sum += u32::from(part);
        }
        self.longest_run = self.longest_run.max(block.longest_run);
        self.rho = self.rho.into_iter().chain(block.rho).reduce(f64::max);
    }

    /// EA-1: see the module.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let moved = f64::from(self.moved);
        let (around_forecast, around_last) = (ratio(self.inside_moved, moved)?, ratio(self.held_moved, moved)?);
        let is_wider = around_last > around_forecast.max(CENTRAL) + WIDTH_TOLERANCE;
        let inside = ratio(self.inside, self.scored.into())?.min(1.0);
        Some(if is_wider { 0.0 } else { inside })
    }

    /// EA-3: the mean gap between nominal and realised coverage; `None` where nothing ever moved.
    pub(super) fn calibration_gap(&self) -> Option<f64> {
        ratio(1.0, self.moved.into())?;
        let scored = f64::from(self.scored);
        let gap = |(place, covered): (usize, &f64)| (covered / scored - level(place)).abs();
        Some(self.covered.iter().enumerate().map(gap).sum::<f64>() / LEVELS as f64)
    }
}

/// The blocks of the window: the full ones, and the one that fills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Blocks {
    full: History<Block>,
    current: Block,
    /// Counts blocks begun.
    number: u32,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            full: History::new(BLOCKS),
            current: Block::default(),
            number: 0,
        }
    }
}

impl Blocks {
    /// The number of the block that fills.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The number of the oldest block in the window.
    pub(super) fn oldest(&self) -> u32 {
        self.number.saturating_sub(self.full.len() as u32)
    }

    /// The block that fills.
    pub(super) fn current(&mut self) -> &mut Block {
        &mut self.current
    }

    /// Begins the next block if this one is full.
    pub(super) fn advance(&mut self) {
        if u32::from(self.current.cycles) >= BLOCK_CYCLES {
            self.full.push(self.current);
            self.current = Block::default();
            self.number = self.number.wrapping_add(1);
        }
    }

    /// Cycles held.
    pub(super) fn cycles(&self) -> u32 {
        let full = self.full.unordered().iter().chain([&self.current]);
        full.map(|block| u32::from(block.cycles)).sum()
    }

    /// The sums over all, oldest first.
    pub(super) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        self.full.iter().chain([self.current]).for_each(|block| sum.add(&block));
        sum
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        let valid = self.full.capacity() == BLOCKS && self.full.iter().chain([self.current]).all(|b| b.is_valid());
        valid.then_some(()).ok_or(Refused("the blocks of an audit"))
    }
}
