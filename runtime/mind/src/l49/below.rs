//! What Level 4.9 reads of the levels below: immutable, shared, and merged where the level was slower.

use super::resources::{Gauges, Reading, ResourceKind};
use crate::goals::{FloorSight, GoalRecord, Observed, Refusal, WorldSight};
use crate::l48::introspect::attain::Attainment;
use crate::l48::observe::{BeliefTrajectories, ObserveState};
use crate::l48::plan::{PlanOutput, SelfSight};
use crate::l48::{Baton, L48Output, Status};
use crate::lookahead::Trajectories;
use crate::merge::Pending;
use crate::qualify::Report;
use crate::report::{CycleReport, FloorReport};
use rungs_types::{AgentId, AgentName, GoalId, Mail};
use std::sync::Arc;

/// Most messages of one pass: the first ones stay, so that nobody pushes another out by saying more.
pub const MAX_MAIL: usize = 64;
/// Most closed goals of one pass, and most that were not set: the last ones stay.
pub const MAX_CLOSED: usize = 64;
/// A dimension is stale when it was not seen for so many of its usual intervals,
const STALE_INTERVALS: u32 = 3;
/// and for so many cycles: a sensor that missed one reading is not lost.
const STALE_CYCLES: u32 = 50;
/// The share of a resource that is in use is known to be none or all of it at most.
const WHOLE: f64 = 1.0;

/// What is metered of the agent itself; `None` where its host meters nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quotas {
    /// The processor quota; with a budget of tokens or money, the least of what is left.
    pub compute: Option<Reading>,
    /// The memory quota.
    pub memory: Option<Reading>,
    /// The environment's resources are the agent's own, as in a simulated world. A machine's are not: that others use its
    /// processors does not bring the agent to its end.
    pub own_resources: bool,
}

/// What the audit of Level 4.8 says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Qualification {
    /// It is qualified as "Level 4.8".
    pub qualified: bool,
    /// Strategic Maturity Score (MSCP Level 4.8, section 10.3); `None` while it warms up.
    pub sms: Option<f64>,
}

/// What the kernel and the host add to a pass of Level 4.8.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// Weight of each value dimension in the agent's purpose.
    pub purpose: [f64; 7],
    /// What other agents said.
    pub mail: Vec<Mail>,
    /// Agents that were asked something since the last pass and gave no answer, as often as they gave none.
    pub unanswered: Vec<AgentId>,
    /// The group that the agent reports to.
    pub group: Option<AgentName>,
    /// What the host meters.
    pub quotas: Quotas,
    /// What the audit says.
    pub qualification: Qualification,
}

impl From<&Report> for Qualification {
    fn from(report: &Report) -> Self {
        Self {
            qualified: report.qualified,
            sms: (!report.is_warming_up()).then_some(report.score),
        }
    }
}

/// One verified pass of Level 4.8, with what the kernel and the host add; or several, merged.
#[derive(Debug, Clone)]
pub struct Below {
    /// What L3 did and saw.
    pub report: Arc<CycleReport>,
    /// What L4.5 says of it.
    pub floor: Arc<FloorReport>,
    /// What L4.8 says of it.
    pub level48: Arc<L48Output>,
    /// L4.8's world model after that pass: where worlds are drawn from.
    pub model: Arc<ObserveState>,
    /// What L4.8 knows of bringing things about.
    pub attainment: Arc<Attainment>,
    /// L4.8's plan.
    pub plan: Arc<PlanOutput>,
    /// The open goals of the kernel's table.
    pub open: Arc<[GoalRecord]>,
    /// The goals closed since the last pass; some may be told again.
    pub closed: Arc<[GoalRecord]>,
    /// Goals of the level that were not set since the last pass.
    pub refused: Vec<(GoalId, Refusal)>,
    /// Weight of each value dimension in the agent's purpose.
    pub purpose: [f64; 7],
    /// What other agents said.
    pub mail: Vec<Mail>,
    /// See [`Aside::unanswered`]; at most [`MAX_MAIL`].
    pub unanswered: Vec<AgentId>,
    /// The group that the agent reports to, if it is in one; else it reports to the agents that it knows.
    pub group: Option<AgentName>,
    /// What the host meters.
    pub quotas: Quotas,
    /// What the audit says.
    pub qualification: Qualification,
}

impl Below {
    /// Of a pass of Level 4.8 that has come home; `None` if it is not complete, or freezes the level: nothing of it leaves.
    pub fn of(baton: &Baton, aside: Aside) -> Option<Self> {
        let (observe, introspect) = (baton.observe.as_ref()?, baton.introspect.as_ref()?);
        let (plan, emit) = (baton.plan.as_ref()?, baton.emit.as_ref()?);
        let goals = &baton.report.goals;
        (emit.output.status != Status::Frozen).then(|| Self {
            report: Arc::clone(&baton.report),
            floor: Arc::clone(&baton.floor),
            level48: Arc::clone(&emit.output),
            model: Arc::clone(&observe.state),
            attainment: Arc::clone(introspect.state.attainment()),
            plan: Arc::clone(&plan.output),
            open: goals.open.as_slice().into(),
            closed: goals.closed.as_slice().into(),
            refused: goals.refused.clone(),
            purpose: aside.purpose,
            mail: aside.mail,
            unanswered: aside.unanswered,
            group: aside.group,
            quotas: aside.quotas,
            qualification: aside.qualification,
        })
    }

    /// The last L3 cycle that it covers.
    pub fn cycle(&self) -> u64 {
        self.floor.cycle
    }

    /// The later one speaks for both, except for what happened in either.
    #[must_use]
    pub fn with(self, later: Below) -> Below {
        let floor = Arc::unwrap_or_clone(self.floor);
        let later_floor = Arc::unwrap_or_clone(later.floor);
        let merged = Pending::new(self.report, floor).with(&later.report, later_floor);
        let (report, floor) = merged.into_parts();
        let mut mail = self.mail;
        mail.extend(later.mail);
        mail.truncate(MAX_MAIL);
        let mut unanswered = self.unanswered;
        unanswered.extend(later.unanswered);
        unanswered.truncate(MAX_MAIL);
        let told_again = |old: &&GoalRecord| !later.closed.iter().any(|new| new.spec.goal == old.spec.goal);
        let closed: Vec<GoalRecord> = self
            .closed
            .iter()
            .filter(told_again)
            .chain(&*later.closed)
            .cloned()
            .collect();
        let forgotten = closed.len().saturating_sub(MAX_CLOSED);
        let mut refused = self.refused;
        refused.extend(later.refused);
        refused.drain(..refused.len().saturating_sub(MAX_CLOSED));
        Below {
            report,
            floor,
            mail,
            unanswered,
            closed: closed[forgotten..].into(),
            refused,
            level48: later.level48,
            model: later.model,
            attainment: later.attainment,
            plan: later.plan,
            open: later.open,
            purpose: later.purpose,
            group: later.group,
            quotas: later.quotas,
            qualification: later.qualification,
        }
    }

    /// The later one speaks for itself; of this one only what was told, or asked, is left: a level that made no pass of it
    /// does not take what was for what is.
    #[must_use]
    pub fn superseded(self, later: Below) -> Below {
        let (report, floor) = (Arc::clone(&later.report), Arc::clone(&later.floor));
        Below {
            report,
            floor,
            ..self.with(later)
        }
    }

    /// What is measured of each resource but the mutation budget, which is the values' own (MSCP Level 4.9, section 5.1).
    pub fn readings(&self) -> Vec<(ResourceKind, Reading)> {
        let level = |level: f64| Reading { level, renewed: None };
        let own = self.report.resources.iter().filter(|_| self.quotas.own_resources);
        let in_use = own.map(|resource| resource.utilisation);
        let left = in_use.filter(|share| share.is_finite()).map(|share| WHOLE - share);
        let least = left.min_by(f64::total_cmp).map(level);
        let compute = match (self.quotas.compute, least) {
            (Some(metered), Some(least)) if least.level < metered.level => Some(least),
            (metered, least) => metered.or(least),
        };
        let stability = Some(level(WHOLE - self.floor.c_l4)).filter(|reading| reading.level.is_finite());
        let each = [
            (ResourceKind::Compute, compute),
            (ResourceKind::Memory, self.quotas.memory),
            (ResourceKind::Observation, fresh_share(&self.source()).map(level)),
            (ResourceKind::Stability, stability),
        ];
        each.into_iter()
            .filter_map(|(kind, reading)| Some((kind, reading?)))
            .collect()
    }

    /// Where a Lookahead draws its worlds from.
    pub fn source(&self) -> BeliefTrajectories<'_> {
        BeliefTrajectories::new(&self.model, &self.report.groups)
    }

    /// What L4.8 knows of the agent itself.
    pub fn skills(&self) -> SelfSight<'_> {
        SelfSight {
            output: &self.level48.capability,
            attainment: &self.attainment,
        }
    }

    /// What conditions are checked on.
    pub fn observed(&self) -> Observed<'_> {
        let world = &self.level48.world;
        Observed {
            dimensions: &world.mean,
            variance: &world.variance,
            floor: Some(FloorSight::from(&*self.floor)),
            world: Some(WorldSight {
                eu: world.eu,
                res: world.res.score,
                rdf: world.rdf,
            }),
        }
    }
}

/// Share of the dimensions that were seen as lately as they usually are; `None` of an agent that sees none.
fn fresh_share(source: &impl Trajectories) -> Option<f64> {
    let dimensions = source.dimensions();
    let fresh = |dimension: &usize| {
        let law = source.law(*dimension);
        let usual = law
            .interval_cycles
            .map(|interval| interval.saturating_mul(STALE_INTERVALS));
        usual.is_some_and(|usual| law.unseen_cycles <= usual.max(STALE_CYCLES))
    };
    (dimensions > 0).then(|| (0..dimensions).filter(fresh).count() as f64 / dimensions as f64)
}

/// The resource vector at one cycle.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Look {
    /// When.
    pub cycle: u64,
    /// What is left, and how fast it goes.
    pub gauges: Gauges,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Unlimited;
    use crate::l48::fixtures::{CONFIG, report};
    use crate::l48::observe::Observe;
    use crate::l49::fixtures::World;

    /// The share that is fresh when the second of two dimensions, seen every `interval` cycles, was last seen `unseen` cycles
    /// ago.
    fn fresh(interval: u64, unseen: u64) -> Option<f64> {
        let mut observe = Observe::new(CONFIG).unwrap();
        let last = 1_200;
        for end in (10..=last + unseen).step_by(10) {
            let seen = |cycle: u64, dim: usize| match dim {
                0 => ((cycle * 37) % 11) as f64,
                _ if cycle <= last && cycle.is_multiple_of(interval) => ((cycle * 41) % 13) as f64,
                _ => f64::NAN,
            };
            observe.step(&report(end, 2, seen), true, &Unlimited).unwrap();
        }
        fresh_share(&BeliefTrajectories::new(&observe.state(), &[0, 1]))
    }

    #[test]
    fn a_sensor_is_lost_after_three_of_its_intervals_and_not_before_fifty_cycles() {
        assert_eq!((fresh(1, 50), fresh(1, 60)), (Some(1.0), Some(0.5)));
        assert_eq!((fresh(40, 120), fresh(40, 130)), (Some(1.0), Some(0.5)));
    }

    #[test]
    fn what_is_not_in_use_is_left_and_so_is_what_complexity_does_not_take() {
        let mut below = World::new().next();
        let of = |below: &Below, kind| {
            let found = below.readings().into_iter().find(|(of, _)| *of == kind);
            found.map(|(_, reading)| reading.level)
        };
        assert_eq!(
            of(&below, ResourceKind::Compute),
            Some(0.9),
            "what the host meters is less"
        );
        (below.quotas.compute, below.quotas.own_resources) = (None, false);
        assert_eq!(
            of(&below, ResourceKind::Compute),
            None,
            "a machine is not the agent's own"
        );
        below.quotas.own_resources = true;
        assert_eq!(of(&below, ResourceKind::Compute), Some(0.95), "0.05 is in use");
        assert_eq!(of(&below, ResourceKind::Stability), Some(0.9), "C_L4 is 0.1");
    }
}
