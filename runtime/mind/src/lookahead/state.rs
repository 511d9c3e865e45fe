//! The decision state: what a Lookahead copies of an agent, and its fingerprint.

use super::{LookaheadError, require};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most goals that enter a rollout; the rest are constants.
pub const MAX_GOALS: usize = 8;
/// Most resources.
pub const MAX_RESOURCES: usize = 8;
/// Most domains of capability that are told apart.
pub const MAX_DOMAINS: usize = 16;
/// Largest amount of a resource.
const MAX_AMOUNT: f64 = 1e15;

/// All that a Lookahead needs to know of the agent itself. Plain data: a copy is a `memcpy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DecisionState {
    /// X = [S, G, I, U, E], each in [0, 1].
    pub x: [f64; 5],
    /// The part of C_L4 = 1 - S that only renewed growth keeps up: 0.20 expansion velocity + 0.15 capability growth, in
    /// [0, 0.35].
    pub growth_complexity: f64,
    /// dP/dt and dC_L4/dt per 100 cycles, as in SEOF, each in [-1, 1].
    pub trends: [f64; 2],
    /// R_osc: flips of strategy or goal per cycle over 100 cycles, in [0, 1].
    pub oscillation: f64,
    /// Domains of capability, the first ones `Some`.
    pub domains: [Option<Domain>; MAX_DOMAINS],
    /// Resources.
    pub resources: [Option<ResourceState>; MAX_RESOURCES],
    /// Goals.
    pub goals: [Option<Goal>; MAX_GOALS],
    /// Structural decisions are waiting, so that uncertainty matters.
    pub structural_pending: bool,
}

/// One domain of capability: P(t) in it, and what that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// P today, in [0, 1].
    pub performance: f64,
    /// P of a cycle with the usual surprise, in [0, 1].
    pub usual: f64,
    /// How much of it one unit of surprise costs, in [0, 2].
    pub sensitivity: f64,
}

impl Domain {
    /// A domain whose P is forecast skill, 1.5 - MAE / MAE of persistence: the ratio grows with the surprise.
    pub fn watching(skill: f64) -> Self {
        Self {
            performance: skill,
            usual: skill,
            sensitivity: 1.5 - skill,
        }
    }

    /// A domain whose P is the success rate of tasks, on the way to the calibrated confidence in it.
    pub fn working(success_rate: f64, confidence: f64) -> Self {
        Self {
            performance: success_rate,
            usual: confidence,
            sensitivity: 0.0,
        }
    }
}

/// One resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceState {
    /// What is left, at least 0.
    pub level: f64,
    /// What is used up in a cycle whatever the goals are, in the same unit; below 0 it is renewed.
    pub base_per_cycle: f64,
    /// Below this level the resource is a warning.
    pub warning_level: f64,
}

/// One goal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Progress in [0, 1]; complete at 1.
    pub progress: f64,
    /// Progress in a cycle at today's performance, in [0, 1].
    pub rate_per_cycle: f64,
    /// What it uses of each resource in a cycle while it is not complete, at least 0.
    pub cost_per_cycle: [f64; MAX_RESOURCES],
    /// The domain whose performance carries it.
    pub domain: u8,
    /// The goals that must be complete before it moves, by index; a bit for each.
    pub depends_on: u8,
}

impl DecisionState {
    /// Everything is in its range and every index points at something.
    pub(super) fn check(&self) -> Result<(), LookaheadError> {
        self.x.iter().try_for_each(|x| require("level of X", *x, 0.0, 1.0))?;
        require("growth complexity", self.growth_complexity, 0.0, 0.35)?;
        self.trends
            .iter()
            .try_for_each(|trend| require("trend", *trend, -1.0, 1.0))?;
        require("oscillation", self.oscillation, 0.0, 1.0)?;
        for domain in self.domains.iter().flatten() {
            require("performance", domain.performance, 0.0, 1.0)?;
            require("usual performance", domain.usual, 0.0, 1.0)?;
            require("sensitivity to surprise", domain.sensitivity, 0.0, 2.0)?;
        }
        for resource in self.resources.iter().flatten() {
            require("resource level", resource.level, 0.0, MAX_AMOUNT)?;
            require("resource use", resource.base_per_cycle, -MAX_AMOUNT, MAX_AMOUNT)?;
            require("warning level", resource.warning_level, 0.0, MAX_AMOUNT)?;
        }
        self.goals.iter().flatten().try_for_each(|goal| self.check_goal(goal))
    }

    fn check_goal(&self, goal: &Goal) -> Result<(), LookaheadError> {
        require("progress", goal.progress, 0.0, 1.0)?;
        require("rate of progress", goal.rate_per_cycle, 0.0, 1.0)?;
        goal.cost_per_cycle
            .iter()
            .try_for_each(|cost| require("cost of a goal", *cost, 0.0, MAX_AMOUNT))?;
        let domain = usize::from(goal.domain);
        if self.domains.get(domain).is_none_or(Option::is_none) {
            return Err(LookaheadError::Index {
                what: "domain",
                found: domain,
            });
        }
        let missing = (0..MAX_GOALS).find(|i| goal.depends_on & (1 << i) != 0 && self.goals[*i].is_none());
        missing.map_or(Ok(()), |found| Err(LookaheadError::Index { what: "goal", found }))
    }

    /// Each field in the order of its declaration, as fixed-width little-endian numbers.
    fn absorb(&self, hash: &mut impl FnMut(&[u8])) {
        // Without `..`: a field that is added and forgotten here does not compile.
        let Self {
            x,
            growth_complexity,
            trends,
            oscillation,
            domains,
            resources,
            goals,
            structural_pending,
        } = self;
        let mut numbers = |values: &[f64]| values.iter().for_each(|value| hash(&value.to_bits().to_le_bytes()));
        numbers(x);
        numbers(&[*growth_complexity]);
        numbers(trends);
        numbers(&[*oscillation]);
        for domain in domains {
            let present = f64::from(u8::from(domain.is_some()));
            let Domain {
                performance,
                usual,
                sensitivity,
            } = domain.unwrap_or_default();
            numbers(&[present, performance, usual, sensitivity]);
        }
        for resource in resources {
            let present = f64::from(u8::from(resource.is_some()));
            let ResourceState {
                level,
                base_per_cycle,
                warning_level,
            } = resource.unwrap_or_default();
            numbers(&[present, level, base_per_cycle, warning_level]);
        }
        for goal in goals {
            let present = f64::from(u8::from(goal.is_some()));
            let Goal {
                progress,
                rate_per_cycle,
                cost_per_cycle,
                domain,
                depends_on,
            } = goal.unwrap_or_default();
            numbers(&[
                present,
                progress,
                rate_per_cycle,
                f64::from(domain),
                f64::from(depends_on),
            ]);
            numbers(&cost_per_cycle);
        }
        numbers(&[f64::from(u8::from(*structural_pending))]);
    }
}

/// SHA-256 over the serialised decision state. A Lookahead is contained if the live state has the same hash before and
/// after it (MSCP Level 4.8, invariant 4).
pub fn decision_state_hash(state: &DecisionState) -> [u8; 32] {
    live_hash(state, &[])
}

/// The same over what else a Lookahead is made from: strategies, values.
///
/// The state that a rollout copies cannot change by it. What tells is the live state: one that is put together anew, from
/// what it is always put together from, after a Lookahead has the same hash as the one from before.
pub fn live_hash(state: &DecisionState, also: &[f64]) -> [u8; 32] {
    let mut hash = Sha256::new();
    state.absorb(&mut |bytes| hash.update(bytes));
    also.iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
    hash.finalize().into()
}
