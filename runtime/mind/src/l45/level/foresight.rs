//! What of L4.5 looks ahead: the projection, the frames that vote on it, and the recomposition that they decide on.

mod scene;

use self::scene::{decision_state, goals, group_count, shares};
use crate::budget::Unlimited;
use crate::l3::action::MAX_GROUPS;
use crate::l3::graph::TrialReport;
use crate::l45::frames::{Decision, Frames, Resolution};
use crate::l45::growth;
use crate::l45::jacobian::SpectralReading;
use crate::l45::performance;
use crate::l45::projection::{self, Posture, Prospects, Scene, SelfProjection};
use crate::l45::purpose::Aim;
use crate::l45::recomposition::{Recomposition, Standing, Step};
use crate::l45::seof;
use crate::l45::world::{Watch, domain_of};
use crate::lookahead::{
    DecisionState, Dynamics, Goal, HORIZONS, LookaheadReport, MAX_GOALS, Projecting, SelfModel, live_hash, project_on,
};
use crate::report::{DivergenceBand, FloorReport, Resource, Votes};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Makes the foresight's randomness another than that of the ensemble, which has the same seed.
const SEED_STREAM: u64 = 0x5EED_F0E5_1647;
/// Horizons that a structural vote looks at: the tactical and the operational one.
const VOTE_REACH: usize = 2;
/// What a degraded level looks at: the tactical one alone.
const DEGRADED_REACH: usize = 1;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Foresight {
    pub(super) watch: Watch,
    model: SelfModel,
    frames: Frames,
    projection: SelfProjection,
    posture: Posture,
    votes: Votes,
    recomposition: Recomposition,
    checks_to_projection: u32,
    projections_to_far: u32,
    rng: Pcg64Mcg,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) cycle: u64,
    pub(super) x: [f64; 5],
    pub(super) growth: growth::Reading,
    pub(super) objective: seof::Reading,
    pub(super) performance: performance::Reading,
    /// Mean skill of each group.
    pub(super) skills: &'a [Option<f64>; MAX_GROUPS],
    pub(super) confidence: f64,
    pub(super) iis: Option<f64>,
    pub(super) divergence: DivergenceBand,
    pub(super) halved: bool,
    pub(super) permitted: bool,
    pub(super) spectral: SpectralReading,
    pub(super) resources: &'a [Resource],
    pub(super) groups: &'a Arc<[u16]>,
    pub(super) trial: Option<TrialReport>,
    /// Nothing is looked ahead beyond the tactical horizon.
    pub(super) degraded: bool,
}

impl Foresight {
    pub(super) fn new(groups: &Arc<[u16]>, seed: u64) -> Self {
        let frames = Frames::default();
        Self {
            watch: Watch::new(groups.len()),
            model: SelfModel::default(),
            votes: Votes {
                weights: frames.weights(),
                ..Votes::default()
            },
            frames,
            projection: SelfProjection::default(),
            posture: Posture::default(),
            recomposition: Recomposition::new(group_count(groups)),
            checks_to_projection: projection::EVERY_CHECKS,
            projections_to_far: 1,
            rng: Pcg64Mcg::seed_from_u64(seed ^ SEED_STREAM),
        }
    }

    /// Ends a row: learns the law of X from it.
    pub(super) fn cycle(&mut self, x: [f64; 5], kept_up: f64) {
        let surprise = self.watch.cycle();
        // Rounding must not put S above 1 without the part that growth keeps up.
        self.model.observe(x, kept_up.min(1.0 - x[0]), surprise);
    }

    /// One check; whether the frames ask for a reflection on purpose.
    pub(super) fn check<'g>(&mut self, view: &View<'_>, aims: impl Iterator<Item = &'g Aim>) -> bool {
        self.frames.settle(view.cycle, view.objective.seof);
        self.votes.weights = self.frames.weights();
        let goals = goals(aims, view);
        let mut escalate = self.recompose(view, &goals);
        if view.divergence == DivergenceBand::Frozen {
            self.projection.freeze();
            // The conservative frame decides, and without a Lookahead it holds back.
            self.posture = Posture::Conservative;
            self.votes.posture = [None; 2];
            self.checks_to_projection = 1;
            return escalate;
        }
        if view.degraded {
            self.projection.keep(DEGRADED_REACH);
        }
        self.checks_to_projection -= 1;
        if self.checks_to_projection == 0 {
            self.checks_to_projection = projection::EVERY_CHECKS;
            escalate |= self.project(view, &goals);
        }
        escalate
    }

    /// What Lookaheads are made from, as it stands now.
    pub(super) fn live<'g>(view: &View<'_>, aims: impl Iterator<Item = &'g Aim>) -> [u8; 32] {
        live_hash(&decision_state(view, &goals(aims, view)), &[])
    }

    /// Projects the three courses and lets the frames choose.
    fn project(&mut self, view: &View<'_>, goals: &[Option<Goal>; MAX_GOALS]) -> bool {
        let Some(dynamics) = self.model.dynamics(view.spectral, None) else {
            return false;
        };
        self.projections_to_far -= 1;
        let far = self.projections_to_far == 0;
        if far {
            self.projections_to_far = projection::STRATEGIC_EVERY;
        }
        let state = decision_state(view, goals);
        let prospects = self.prospects(view, &state, &dynamics, projection::TRAJECTORIES, far);
        let mut asked = self.choose(&prospects, view.divergence);
        if asked == Resolution::SimulateMore {
            let prospects = self.prospects(view, &state, &dynamics, 2 * projection::TRAJECTORIES, false);
            asked = self.choose(&prospects, view.divergence);
        }
        asked == Resolution::Escalate
    }

    fn prospects(
        &mut self,
        view: &View<'_>,
        state: &DecisionState,
        dynamics: &Dynamics,
        trajectories: u32,
        far: bool,
    ) -> Prospects {
        let scene = Scene {
            state,
            dynamics,
            world: &self.watch.ahead(view.groups),
            trajectories,
            halved: view.halved,
        };
        let reach = match far {
            _ if view.degraded => DEGRADED_REACH,
            true => HORIZONS.len(),
            false => HORIZONS.len() - 1,
        };
        self.projection.project(view.cycle, &scene, reach, &mut self.rng)
    }

    /// The frames vote on both other courses; of those that pass the one with most support is the posture. Gives the most
    /// that a ballot asks for; where it asks for time, the posture stays what it is.
    fn choose(&mut self, prospects: &Prospects, divergence: DivergenceBand) -> Resolution {
        let [Some(current), others @ ..] = prospects else {
            self.votes.posture = [None; 2];
            self.posture = Posture::Current;
            return Resolution::Proceed;
        };
        let weights = self.frames.weights();
        self.votes.posture = others.map(|other| {
            let other = other.as_ref()?;
            Some(self.frames.vote(Decision::Archetype, other, current, divergence))
        });
        let asked = self
            .votes
            .posture
            .iter()
            .flatten()
            .map(|ballot| ballot.resolution)
            .max();
        let asked = asked.unwrap_or_default();
        if asked == Resolution::Proceed {
            let open = |posture: Posture| posture != Posture::Aggressive || self.projection.aggressive_open;
            let ballots = [Posture::Aggressive, Posture::Conservative]
                .into_iter()
                .zip(self.votes.posture);
            let passed = ballots.filter_map(|(posture, ballot)| {
                let ballot = ballot.filter(|ballot| ballot.passed && open(posture))?;
                Some((posture, ballot.support(&weights)))
            });
            self.posture = passed
                .reduce(|best, next| if next.1 > best.1 { next } else { best })
                .map_or(Posture::Current, |(posture, _)| posture);
        }
        asked
    }

    fn recompose(&mut self, view: &View<'_>, goals: &[Option<Goal>; MAX_GOALS]) -> bool {
        let shares = shares(view.groups);
        let standing = Standing {
            cycle: view.cycle,
            seof: view.objective.seof,
            c_l4: view.growth.c_l4,
            iis: view.iis,
            permitted: view.permitted,
            skills: if view.performance.of_tasks { &[] } else { view.skills },
            shares: &shares,
            trial: view.trial,
        };
        match self.recomposition.check(&standing) {
            Step::Wait => false,
            Step::Withdrawn => {
                self.frames.abandoned();
                false
            }
            Step::Vote { group, gain } => self.decide(view, goals, group, gain),
        }
    }

    /// Puts a recomposition to the vote: the agent with the new graph against the agent as it is.
    fn decide(&mut self, view: &View<'_>, goals: &[Option<Goal>; MAX_GOALS], group: u16, gain: f64) -> bool {
        if view.divergence == DivergenceBand::Frozen {
            // The conservative frame decides, and without a Lookahead it keeps to what is.
            self.recomposition.decided(Some(false), view.cycle);
            return false;
        }
        let dynamics = self.model.dynamics(view.spectral, None);
        let mut asked = Resolution::SimulateMore;
        for trajectories in [2, 4].map(|more| more * projection::TRAJECTORIES) {
            if asked != Resolution::SimulateMore {
                break;
            }
            let ballot = dynamics.and_then(|dynamics| {
                let [with, without] = self.compare(view, goals, &dynamics, (group, gain), trajectories)?;
                Some(self.frames.vote(Decision::Structural, &with, &without, view.divergence))
            });
            let Some(ballot) = ballot else { break };
            self.votes.structural = Some(ballot);
            asked = ballot.resolution;
            if asked == Resolution::Proceed {
                self.recomposition.decided(Some(ballot.passed), view.cycle);
                if ballot.passed {
                    self.frames.adopted(&ballot, view.cycle, view.objective.seof);
                }
                return false;
            }
        }
        self.recomposition.decided(None, view.cycle);
        asked == Resolution::Escalate
    }

    /// Lookaheads with the new graph and without it, in the same worlds.
    fn compare(
        &mut self,
        view: &View<'_>,
        goals: &[Option<Goal>; MAX_GOALS],
        dynamics: &Dynamics,
        (group, gain): (u16, f64),
        trajectories: u32,
    ) -> Option<[LookaheadReport; 2]> {
        let without = decision_state(view, goals);
        let mut with = without;
        if let Some(domain) = &mut with.domains[usize::from(domain_of(group))] {
            domain.usual = (domain.usual + gain).clamp(0.0, 1.0);
        }
        let how = Projecting {
            course: &Posture::Current.course(),
            reach: if view.degraded { DEGRADED_REACH } else { VOTE_REACH },
            trajectories,
            halved: view.halved,
        };
        let world = self.watch.ahead(view.groups);
        let start = self.rng.clone();
        let mut ahead = |state: &DecisionState| {
            self.rng = start.clone();
            let found = project_on(&how, state, dynamics, &world, &mut self.rng, &Unlimited).ok()?;
            let last = found.horizons.iter().flatten().last();
            last.map(|horizon| horizon.report)
        };
        Some([ahead(&with)?, ahead(&without)?])
    }

    pub(super) fn write(&self, floor: &mut FloorReport) {
        floor.projection = self.projection;
        floor.posture = self.posture;
        floor.votes = self.votes;
        floor.trial = self.recomposition.order();
        floor.recompositions = self.recomposition.ended();
    }

    pub(super) fn damaged(&self, groups: &Arc<[u16]>) -> Option<&'static str> {
        let countdowns = (1..=projection::EVERY_CHECKS).contains(&self.checks_to_projection)
            && (1..=projection::STRATEGIC_EVERY).contains(&self.projections_to_far);
        let parts = [
            ("world", self.watch.is_valid(groups.len())),
            ("frames", self.frames.is_valid()),
            ("projection", self.projection.is_valid() && countdowns),
            ("recomposition", self.recomposition.is_valid(group_count(groups))),
        ];
        parts.into_iter().find(|(_, valid)| !valid).map(|(part, _)| part)
    }
}
