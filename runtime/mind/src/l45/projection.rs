//! Self-projection: where the agent is going, on three courses and at three horizons (L4.5).
//!
//! The course that the agent is on, a more aggressive and a more conservative one are looked ahead in the same worlds.
//! Every [`EVERY_CHECKS`]th check the two nearer horizons are projected, every [`STRATEGIC_EVERY`]th of those the far one
//! too; in between the last outlook stands, with the cycle it was made at.
//!
//! Invariants:
//! 1. While the divergence is Frozen nothing is projected and nothing stands: what the forecasts are worth is not known.
//! 2. While a course raises the tactical alarm its two longer horizons are empty.
//! 3. A projection changes nothing: it takes the level's state by shared reference.

use crate::budget::Unlimited;
use crate::lookahead::{
    Course, DecisionState, Dynamics, HORIZONS, HorizonProjection, LookaheadReport, Projecting, Trajectories, project_on,
};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Checks (of ten cycles) between two projections.
pub const EVERY_CHECKS: u32 = 10;
/// Projections between two that reach the strategic horizon: once in its length.
pub const STRATEGIC_EVERY: u32 = 10;
/// Trajectories of each course; as many again where the frames ask for more.
pub const TRAJECTORIES: u32 = 2;
/// The aggressive course is open only while C_L4 stays below …
pub const AGGRESSIVE_MAX_C_L4: f64 = 0.6;
/// … and identity integrity at or above (L4.5).
pub const AGGRESSIVE_MIN_IIS: f64 = 0.85;
/// Attempts at a step today: a first one and two more.
const ATTEMPTS_TODAY: u8 = 3;

/// A course of action that is projected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posture {
    /// As today.
    #[default]
    Current,
    /// More at once, tried more often, with more exploration and less held back.
    Aggressive,
    /// One thing after the other, with more held back.
    Conservative,
}

impl Posture {
    /// All postures.
    pub const ALL: [Posture; 3] = [Posture::Current, Posture::Aggressive, Posture::Conservative];

    /// The posture's place in [`Posture::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The course; exploration is what the strategies of the same names add to, or take from, a balanced one.
    pub fn course(self) -> Course {
        match self {
            Posture::Current => Course::AS_TODAY,
            Posture::Aggressive => Course {
                parallel_goals: 6,
                attempts: 4,
                attempts_today: ATTEMPTS_TODAY,
                risk_cap: 0.75,
                reserve_share: 0.1,
                exploration: 0.03,
                ..Course::AS_TODAY
            },
            Posture::Conservative => Course {
                parallel_goals: 1,
                attempts: 2,
                attempts_today: ATTEMPTS_TODAY,
                risk_cap: 0.40,
                reserve_share: 0.4,
                exploration: -0.015,
                ..Course::AS_TODAY
            },
        }
    }
}

/// What lies at one horizon on one course.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The cycle at which it was projected.
    pub at_cycle: u64,
    /// Cycles ahead.
    pub cycles: u32,
    /// How much it is to be trusted, in (0, 1].
    pub confidence: f64,
    /// 0.35 SEOF trend + 0.30 (1 - max C_L4) + 0.20 min IIS + 0.15 final CDI.
    pub score: f64,
    /// SEOF at the end less SEOF today.
    pub seof_trend: f64,
    /// Largest C_L4 on the way.
    pub max_c_l4: f64,
    /// Least IIS on the way.
    pub min_iis: f64,
    /// Capability diversity at the end.
    pub final_cdi: f64,
}

impl Outlook {
    fn of(at_cycle: u64, horizon: &HorizonProjection) -> Self {
        let LookaheadReport {
            seof_first,
            seof_last,
            max_c_l4,
            min_iis,
            final_cdi,
            ..
        } = horizon.report;
        Self {
            at_cycle,
            cycles: horizon.cycles,
            confidence: horizon.confidence,
            score: horizon.score,
            seof_trend: seof_last - seof_first,
            max_c_l4,
            min_iis,
            final_cdi,
        }
    }
}

/// One course at all horizons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// In the order of [`HORIZONS`]; `None` where nothing was projected yet, or the alarm freezes it.
    pub horizons: [Option<Outlook>; HORIZONS.len()],
    /// C_L4 exceeds 0.8 within the tactical horizon.
    pub tactical_alarm: bool,
}

impl Path {
    /// Whether what was projected allows the aggressive course: C_L4 below 0.6 and IIS at or above 0.85 throughout; not
    /// without a tactical outlook.
    fn is_open(&self) -> bool {
        let allows =
            |outlook: &Outlook| outlook.max_c_l4 < AGGRESSIVE_MAX_C_L4 && outlook.min_iis >= AGGRESSIVE_MIN_IIS;
        self.horizons[0].is_some() && !self.tactical_alarm && self.horizons.iter().flatten().all(allows)
    }
}

/// Where the agent is going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfProjection {
    /// In the order of [`Posture::ALL`].
    pub paths: [Path; 3],
    /// The divergence is Frozen, and the projections with it.
    pub frozen: bool,
    /// The aggressive course is open.
    pub aggressive_open: bool,
}

/// The Lookaheads that the frames vote on: of each course at the farthest horizon below the strategic one.
pub type Prospects = [Option<LookaheadReport>; 3];

impl SelfProjection {
    /// Nothing stands while the divergence is Frozen.
    pub fn freeze(&mut self) {
        *self = Self {
            frozen: true,
            ..Self::default()
        };
    }

    /// Nothing stands beyond so many horizons.
    pub fn keep(&mut self, reach: usize) {
        for path in &mut self.paths {
            path.horizons.iter_mut().skip(reach).for_each(|outlook| *outlook = None);
        }
    }

    /// Projects all three courses in the same worlds over the `reach` nearest horizons, and gives what the frames vote on.
    /// What stands of the strategic horizon stays unless it is projected anew. A course whose state or law is not a number has no outlook.
    pub fn project(
        &mut self,
        at_cycle: u64,
        scene: &Scene<'_, impl Trajectories>,
        reach: usize,
        rng: &mut Pcg64Mcg,
    ) -> Prospects {
        let mut prospects = Prospects::default();
        let start = rng.clone();
        for posture in Posture::ALL {
            *rng = start.clone();
            let how = Projecting {
                course: &posture.course(),
                reach,
                trajectories: scene.trajectories,
                halved: scene.halved,
            };
            let path = &mut self.paths[posture.index()];
            let found = project_on(&how, scene.state, scene.dynamics, scene.world, rng, &Unlimited);
            let Ok(found) = found else {
                *path = Path::default();
                continue;
            };
            let [near, middle, distant] = found.horizons.map(|h| h.map(|h| Outlook::of(at_cycle, &h)));
            let kept = if reach < HORIZONS.len() {
                path.horizons[2]
            } else {
                distant
            };
            path.horizons = [near, middle, kept.filter(|_| !found.tactical_alarm)];
            path.tactical_alarm = found.tactical_alarm;
            let nearer = found.horizons[..2].iter().flatten();
            prospects[posture.index()] = nearer.last().map(|horizon| horizon.report);
        }
        self.frozen = false;
        self.aggressive_open = self.paths[Posture::Aggressive.index()].is_open();
        prospects
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let finite = |o: &Outlook| {
            [o.confidence, o.score, o.seof_trend, o.max_c_l4, o.min_iis, o.final_cdi]
                .iter()
                .all(|v| v.is_finite())
        };
        self.paths.iter().all(|path| path.horizons.iter().flatten().all(finite))
    }
}

/// From where everything is projected.
#[derive(Debug)]
pub struct Scene<'a, W> {
    /// The agent.
    pub state: &'a DecisionState,
    /// The law of X.
    pub dynamics: &'a Dynamics,
    /// The world.
    pub world: &'a W,
    /// Trajectories of each course.
    pub trajectories: u32,
    /// Horizons count half.
    pub halved: bool,
}

#[cfg(test)]
mod tests;
