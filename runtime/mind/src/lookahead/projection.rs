//! Self-projection: where the agent is going, at three horizons (L4.5).

use super::LookaheadError;
use super::dynamics::Dynamics;
use super::report::{LookaheadReport, ReportPool};
use super::rollout::Rollout;
use super::state::DecisionState;
use super::world::Trajectories;
use crate::budget::Budget;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Tactical, operational and strategic horizon, in cycles.
pub const HORIZONS: [u32; 3] = [50, 200, 1_000];
/// Most trajectories of one projection.
pub const MAX_TRAJECTORIES: u32 = 64;
/// C_L4 above which the tactical horizon raises the alarm that freezes the two longer ones.
const TACTICAL_ALARM: f64 = 0.8;

/// What lies at one horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HorizonProjection {
    /// Cycles ahead: one of [`HORIZONS`], or half of it.
    pub cycles: u32,
    /// How much the projection is to be trusted: e^(-0.5 k / T) with k = `cycles` and T the longest horizon, in (0, 1].
    pub confidence: f64,
    /// 0.35 SEOF trend + 0.30 (1 - max C_L4) + 0.20 min IIS + 0.15 final CDI.
    pub score: f64,
    /// All trajectories as one.
    pub report: LookaheadReport,
}

/// The projection of one course of action.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// In the order of [`HORIZONS`]; the two longer ones are `None` while the tactical alarm freezes them.
    pub horizons: [Option<HorizonProjection>; 3],
    /// C_L4 exceeds 0.8 within the tactical horizon.
    pub tactical_alarm: bool,
}

/// Projects the course that the agent is on over 1 to [`MAX_TRAJECTORIES`] trajectories; `halved` halves the horizons
/// (the uncertainty index is at 0.7 or above). Each trajectory takes one number from `rng`.
pub fn project(
    state: &DecisionState,
    dynamics: &Dynamics,
    source: &impl Trajectories,
    trajectories: u32,
    halved: bool,
    rng: &mut Pcg64Mcg,
    budget: &dyn Budget,
) -> Result<Projection, LookaheadError> {
    if !(1..=MAX_TRAJECTORIES).contains(&trajectories) {
        return Err(LookaheadError::Count {
            what: "trajectories",
            found: trajectories,
            most: MAX_TRAJECTORIES,
        });
    }
    let mut pools = [ReportPool::default(); HORIZONS.len()];
    for _ in 0..trajectories {
        let mut rollout = Rollout::start(state, dynamics, source, Pcg64Mcg::seed_from_u64(rng.random()))?;
        let mut ahead = 0;
        for (pool, horizon) in pools.iter_mut().zip(HORIZONS) {
            let cycles = if halved { horizon / 2 } else { horizon };
            rollout.advance(cycles - ahead, budget)?;
            pool.add(&rollout.report());
            ahead = cycles;
        }
    }
    let mut horizons = pools.map(|pool| pool.report().map(HorizonProjection::of));
    let tactical_alarm = horizons[0].is_some_and(|tactical| tactical.report.max_c_l4 > TACTICAL_ALARM);
    if tactical_alarm {
        horizons[1..].fill(None);
    }
    Ok(Projection {
        horizons,
        tactical_alarm,
    })
}

impl HorizonProjection {
    fn of(report: LookaheadReport) -> Self {
        let longest = f64::from(HORIZONS[HORIZONS.len() - 1]);
        let trend = report.seof_last - report.seof_first;
        Self {
            cycles: report.cycles,
            confidence: (-0.5 * f64::from(report.cycles) / longest).exp(),
            score: 0.35 * trend + 0.30 * (1.0 - report.max_c_l4) + 0.20 * report.min_iis + 0.15 * report.final_cdi,
            report,
        }
    }
}
