//! The resource vector, and for how long each of its dimensions lasts (MSCP Level 4.9, sections 5.1, 5.2, 5.4 and 9.4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Dimensions of the resource vector.
pub const RESOURCES: usize = 5;
/// The longest horizon told: what is not consumed lasts that long.
pub const MAX_HORIZON_CYCLES: f64 = 10_000.0;
/// The epsilon of Definition 6, per cycle.
const EPSILON: f64 = 1e-9;
/// What consumption is multiplied by in each scenario: baseline, adverse, optimistic, crisis.
const SCENARIOS: [f64; 4] = [1.0, 1.30, 0.80, 2.0];

/// A dimension of the resource vector (section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Share of the compute quota left; with a budget of tokens or money, the least of what is left.
    Compute,
    /// Share of the memory quota left.
    Memory,
    /// Share of the sensors that are fresh.
    Observation,
    /// Share of the mutation budget left.
    Mutation,
    /// 1 - C_L4.
    Stability,
}

impl ResourceKind {
    /// All five, in the order of section 5.1.
    pub const ALL: [ResourceKind; RESOURCES] = [
        ResourceKind::Compute,
        ResourceKind::Memory,
        ResourceKind::Observation,
        ResourceKind::Mutation,
        ResourceKind::Stability,
    ];

    /// Levels that mean something.
    pub fn thresholds(self) -> Thresholds {
        let (warning, critical) = match self {
            // A resource counts as exposed from 70 % use.
            ResourceKind::Compute | ResourceKind::Memory | ResourceKind::Mutation => (0.30, 0.10),
            ResourceKind::Observation => (0.50, 0.20),
            // The first and the last collapse tier of S.
            ResourceKind::Stability => (0.50, 0.30),
        };
        Thresholds { warning, critical }
    }

    /// It counts for survival: an agent whose values cannot change any more is not about to end.
    pub fn counts(self) -> bool {
        self != ResourceKind::Mutation
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ResourceKind::Compute => "compute",
            ResourceKind::Memory => "memory",
            ResourceKind::Observation => "observation",
            ResourceKind::Mutation => "mutation",
            ResourceKind::Stability => "stability",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The levels of a dimension that mean something, each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Below it the resource is short, and what depends on it suffers.
    pub warning: f64,
    /// At or below it the resource is used up.
    pub critical: f64,
}

/// One dimension as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// What is left, as a share of the whole, in [0, 1].
    pub level: f64,
    /// What is used up in a cycle, at least 0.
    pub consumption: f64,
    /// What is renewed in a cycle, at least 0.
    pub replenishment: f64,
}

/// The resource vector, in the order of [`ResourceKind::ALL`]; `None` where nothing is measured.
pub type Gauges = [Option<Gauge>; RESOURCES];

/// Cycles until the critical level in each scenario, each in [0, 10,000].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Horizons {
    /// Present rates continue: the survival horizon.
    pub baseline: f64,
    /// Consumption + 30 %.
    pub adverse: f64,
    /// Consumption - 20 %.
    pub optimistic: f64,
    /// Consumption doubled: the worst case.
    pub crisis: f64,
}

/// The linear depletion time (Definition 6) in the four scenarios; they scale consumption only. At or below the
/// critical level it is 0; where no more is used than renewed, 10,000. A number that is not finite leaves no time.
pub fn horizons(kind: ResourceKind, gauge: &Gauge) -> Horizons {
    let [baseline, adverse, optimistic, crisis] = SCENARIOS.map(|scale| horizon(kind, gauge, scale));
    Horizons {
        baseline,
        adverse,
        optimistic,
        crisis,
    }
}

fn horizon(kind: ResourceKind, gauge: &Gauge, scale: f64) -> f64 {
    let margin = gauge.level - kind.thresholds().critical;
    let net = scale * gauge.consumption - gauge.replenishment;
    if !(margin > 0.0 && margin.is_finite() && net.is_finite()) {
        0.0
    } else if net <= 0.0 {
        MAX_HORIZON_CYCLES
    } else {
        (margin / (net + EPSILON)).min(MAX_HORIZON_CYCLES)
    }
}

/// For how long the agent lasts (section 5.2). The order is that of the need: greater is worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurvivalState {
    /// More than 500 cycles.
    #[default]
    Abundant,
    /// 200 to 500.
    Adequate,
    /// 100 to less than 200.
    Constrained,
    /// 50 to less than 100.
    Warning,
    /// Less than 50.
    Critical,
}

impl SurvivalState {
    /// All five, best first.
    pub const ALL: [SurvivalState; 5] = [
        SurvivalState::Abundant,
        SurvivalState::Adequate,
        SurvivalState::Constrained,
        SurvivalState::Warning,
        SurvivalState::Critical,
    ];

    /// The state of a survival horizon; NaN is critical.
    pub fn of(min_survival_cycles: f64) -> Self {
        match min_survival_cycles {
            cycles if cycles > 500.0 => SurvivalState::Abundant,
            cycles if cycles >= 200.0 => SurvivalState::Adequate,
            cycles if cycles >= 100.0 => SurvivalState::Constrained,
            cycles if cycles >= 50.0 => SurvivalState::Warning,
            _ => SurvivalState::Critical,
        }
    }

    /// One step better.
    pub(super) fn eased(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }
}

impl fmt::Display for SurvivalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SurvivalState::Abundant => "abundant",
            SurvivalState::Adequate => "adequate",
            SurvivalState::Constrained => "constrained",
            SurvivalState::Warning => "warning",
            SurvivalState::Critical => "critical",
        })
    }
}

/// The projection of the whole vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Survival {
    /// Each dimension's horizons.
    pub horizons: [Option<Horizons>; RESOURCES],
    /// The least baseline horizon of those that count; 10,000 without any.
    pub min_survival: f64,
    /// The least crisis horizon of those that count.
    pub worst_case: f64,
    /// What runs out first; `None` if nothing runs out.
    pub bottleneck: Option<ResourceKind>,
    /// The state.
    pub state: SurvivalState,
}

/// For how long each dimension and the whole lasts (section 9.4).
pub fn project(gauges: &Gauges) -> Survival {
    let horizons: [Option<Horizons>; RESOURCES] =
        std::array::from_fn(|d| gauges[d].map(|gauge| horizons(ResourceKind::ALL[d], &gauge)));
    let counted = || {
        let all = ResourceKind::ALL.into_iter().zip(&horizons);
        all.filter_map(|(kind, horizons)| horizons.filter(|_| kind.counts()).map(|h| (kind, h)))
    };
    let (mut min_survival, mut bottleneck) = (MAX_HORIZON_CYCLES, None);
    for (kind, found) in counted() {
        if found.baseline < min_survival {
            (min_survival, bottleneck) = (found.baseline, Some(kind));
        }
    }
    Survival {
        horizons,
        min_survival,
        worst_case: counted().map(|(_, h)| h.crisis).fold(MAX_HORIZON_CYCLES, f64::min),
        bottleneck,
        state: SurvivalState::of(min_survival),
    }
}
