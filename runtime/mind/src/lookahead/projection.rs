//! Self-projection: where the agent is going, at three horizons (L4.5).

use super::LookaheadError;
use super::course::Course;
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
pub const TACTICAL_ALARM: f64 = 0.8;
/// How fast confidence falls over the longest horizon: it is e^-0.5 there.
const CONFIDENCE_DECAY: f64 = 0.5;
/// What SEOF's trend, calm, identity and diversity weigh in the score (L4.5).
const SCORE_WEIGHTS: [f64; 4] = [0.35, 0.30, 0.20, 0.15];

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

/// How a course is projected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projecting<'a> {
    /// The course of action.
    pub course: &'a Course,
    /// How many of [`HORIZONS`], the nearest first; at least 1.
    pub reach: usize,
    /// Trajectories, 1 to [`MAX_TRAJECTORIES`].
    pub trajectories: u32,
    /// Horizons count half: the uncertainty index is at 0.7 or above.
    pub halved: bool,
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
    let how = Projecting {
        course: &Course::AS_TODAY,
        reach: HORIZONS.len(),
        trajectories,
        halved,
    };
    project_on(&how, state, dynamics, source, rng, budget)
}

/// The same for any course, as far as is asked for; what lies beyond is `None`. Two courses that are projected with equal
/// generators are projected in the same worlds.
pub fn project_on(
    how: &Projecting<'_>,
    state: &DecisionState,
    dynamics: &Dynamics,
    source: &impl Trajectories,
    rng: &mut Pcg64Mcg,
    budget: &dyn Budget,
) -> Result<Projection, LookaheadError> {
    if !(1..=MAX_TRAJECTORIES).contains(&how.trajectories) {
        return Err(LookaheadError::Count {
            what: "trajectories",
            found: how.trajectories,
            most: MAX_TRAJECTORIES,
        });
    }
    let reach = how.reach.clamp(1, HORIZONS.len());
    let mut pools = [ReportPool::default(); HORIZONS.len()];
    for _ in 0..how.trajectories {
        let rng = Pcg64Mcg::seed_from_u64(rng.random());
        let mut rollout = Rollout::start_on(how.course, state, dynamics, source, rng)?;
        let mut ahead = 0;
        for (pool, horizon) in pools.iter_mut().zip(HORIZONS).take(reach) {
            let cycles = if how.halved { horizon / 2 } else { horizon };
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
            confidence: (-CONFIDENCE_DECAY * f64::from(report.cycles) / longest).exp(),
            score: SCORE_WEIGHTS
                .iter()
                .zip([trend, 1.0 - report.max_c_l4, report.min_iis, report.final_cdi])
                .map(|(weight, part)| weight * part)
                .sum(),
            report,
        }
    }
}
