//! What comes out of a rollout.

use super::state::MAX_RESOURCES;
use rungs_types::Invariant;
use serde::{Deserialize, Serialize};

/// Summary of a rollout, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LookaheadReport {
    /// Cycles looked ahead.
    pub cycles: u32,
    /// SEOF of today's state, in [-1, 1].
    pub seof_first: f64,
    /// SEOF at the end.
    pub seof_last: f64,
    /// Largest C_L4 on the way, in [0, 1].
    pub max_c_l4: f64,
    /// Least IIS on the way, in [0, 1].
    pub min_iis: f64,
    /// Largest uncertainty index on the way, in [0, 1].
    pub max_uncertainty: f64,
    /// Spectral radius of the law that X moved by, as the detector hands it on.
    pub max_rho: f64,
    /// Capability diversity at the end, in [0, 1].
    pub final_cdi: f64,
    /// Share of the goals that are complete at the end; `None` without goals.
    pub goal_completion: Option<f64>,
    /// What was used up of each resource, in its unit.
    pub spent: [f64; MAX_RESOURCES],
    /// Stability invariants that did not hold at some time.
    pub broken: Broken,
    /// Longest chain of resources and goals of which each falls because of the one before: a resource below its
    /// warning level, a goal that needs it, a goal that depends on that one. 0 if no resource fell.
    pub cascade_depth: u8,
}

/// Equally likely rollouts of one state over one length, taken together: means of what is a value, the worst of what is
/// a risk.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReportPool {
    /// Values are sums.
    sum: Option<LookaheadReport>,
    count: u32,
}

impl ReportPool {
    /// Adds one more.
    pub fn add(&mut self, report: &LookaheadReport) {
        self.count = self.count.saturating_add(1);
        self.sum = Some(self.sum.map_or(*report, |sum| LookaheadReport {
            cycles: sum.cycles.max(report.cycles),
            seof_first: sum.seof_first + report.seof_first,
            seof_last: sum.seof_last + report.seof_last,
            max_c_l4: sum.max_c_l4.max(report.max_c_l4),
            min_iis: sum.min_iis.min(report.min_iis),
            max_uncertainty: sum.max_uncertainty.max(report.max_uncertainty),
            max_rho: sum.max_rho.max(report.max_rho),
            final_cdi: sum.final_cdi + report.final_cdi,
            goal_completion: sum.goal_completion.zip(report.goal_completion).map(|(a, b)| a + b),
            spent: std::array::from_fn(|r| sum.spent[r] + report.spent[r]),
            broken: Broken(sum.broken.0 | report.broken.0),
            cascade_depth: sum.cascade_depth.max(report.cascade_depth),
        }));
    }

    /// All as one; `None` of none.
    pub fn report(&self) -> Option<LookaheadReport> {
        let share = 1.0 / f64::from(self.count.max(1));
        self.sum.map(|sum| LookaheadReport {
            seof_first: sum.seof_first * share,
            seof_last: sum.seof_last * share,
            final_cdi: sum.final_cdi * share,
            goal_completion: sum.goal_completion.map(|rate| rate * share),
            spent: sum.spent.map(|spent| spent * share),
            ..sum
        })
    }
}

/// A set of stability invariants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken(u8);

impl Broken {
    /// Adds one.
    pub fn insert(&mut self, invariant: Invariant) {
        self.0 |= Self::bit(invariant);
    }

    /// Whether it is in the set.
    pub fn contains(self, invariant: Invariant) -> bool {
        self.0 & Self::bit(invariant) != 0
    }

    /// All held.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of MSCP Level 4.8, section 6.1.
    pub fn iter(self) -> impl Iterator<Item = Invariant> {
        Invariant::ALL
            .into_iter()
            .filter(move |invariant| self.contains(*invariant))
    }

    fn bit(invariant: Invariant) -> u8 {
        1 << invariant as u8
    }
}
