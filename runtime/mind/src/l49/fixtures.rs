//! What several tests of the level start from: a small world, and the level with its phases and the ladder, as a
//! supervisor would wire them.

use super::below::{Below, Qualification, Quotas};
use super::goals::{Generate, GoalOrigin};
use super::output::L49Output;
use super::peers::Relate;
use super::resources::{Reading, Survive};
use super::stability::Assess;
use super::values::Evolve;
use super::{Baton, Bundle, Orchestrator, PhaseError, Turn};
use crate::budget::Unlimited;
use crate::goals::GoalRecord;
use crate::goals::{Change, GoalTable, Refusal};
use crate::l48::introspect::IntrospectOutput;
use crate::l48::introspect::attain::Attainment;
use crate::l48::introspect::capability::{Capability, Skill};
use crate::l48::observe::ObserveConfig;
use crate::l48::plan::{Choice, Pathology, PlanOutput};
use crate::l48::scenario::{self, Scenario};
use crate::l48::{L48Output, Observe, ObserveOutput, Pass, Status, Verdict};
use crate::ladder::{Action, At, Ladder, Order};
use crate::qualify::Audit49;
use crate::report::{CycleFacts, CycleReport, FloorReport, Resource, RhoState};
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, GoalSpec, Origin, Quantity, Reward, Success, TaskAction, TaskSpec,
    ValueDimension,
};
use rungs_types::{Authority, CheckpointId, EventKind, GoalId, Level, Mail, SkillName, TaskName, Tier};
use std::sync::Arc;

/// Two dimensions in two groups.
const GROUPS: [u16; 2] = [0, 1];
/// How large was once what is to be small.
const PAST: f64 = 0.7;
/// The uncertainty index.
const UNCERTAINTY: f64 = 0.1;
/// How much of what a dimension shows is left in the next cycle.
const PERSISTENCE: f64 = 0.9;
/// The purpose of an agent that has none of its own.
pub(super) const PURPOSE: [f64; 7] = [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05];

/// A world, and an agent in it below Level 4.9, all of whose numbers can be set.
pub(super) struct World {
    observe: Observe,
    pub(super) cycle: u64,
    pub(super) rho: f64,
    pub(super) rho_state: RhoState,
    pub(super) iis: Option<f64>,
    pub(super) c_l4: f64,
    pub(super) seof: f64,
    pub(super) tier: u8,
    pub(super) permitted: bool,
    pub(super) guard_stage: u8,
    pub(super) eu: f64,
    pub(super) variance: [f64; 2],
    pub(super) rdf: f64,
    pub(super) optimistic: f64,
    pub(super) confidence: f64,
    pub(super) mce: Option<f64>,
    pub(super) qualification: Qualification,
    pub(super) pathologies: Vec<Pathology>,
    pub(super) violated: bool,
    pub(super) compute: f64,
    pub(super) load: f64,
    pub(super) purpose: [f64; 7],
    pub(super) table: GoalTable,
    pub(super) mail: Vec<Mail>,
    pub(super) refused: Vec<(GoalId, Refusal)>,
    /// Of Level 4.8. Below full, the strategy in force is in part the agent's own.
    pub(super) authority48: Authority,
    attainment: Arc<Attainment>,
    pub(super) performance: f64,
    /// How far the agent's state wobbles.
    pub(super) noise: f64,
}

impl World {
    /// Healthy, at cycle 0.
    pub(super) fn new() -> Self {
        let config = ObserveConfig {
            dimensions: 2,
            particles: 50,
            seed: 7,
        };
        Self {
            observe: Observe::new(config).unwrap(),
            cycle: 0,
            rho: 0.5,
            rho_state: RhoState::Stable,
            iis: Some(0.97),
            c_l4: 0.1,
            seof: 0.4,
            tier: 0,
            permitted: true,
            guard_stage: 0,
            eu: 0.1,
            variance: [0.1, 0.2],
            rdf: 10_000.0,
            optimistic: 0.15,
            confidence: 0.9,
            mce: Some(0.03),
            qualification: Qualification {
                qualified: true,
                sms: Some(0.9),
            },
            pathologies: Vec::new(),
            violated: false,
            compute: 0.9,
            load: 0.3,
            purpose: PURPOSE,
            table: GoalTable::default(),
            mail: Vec::new(),
            refused: Vec::new(),
            authority48: Authority::Half,
            attainment: Arc::new(Attainment::new(2)),
            performance: 0.6,
            noise: 0.002,
        }
        .with_a_better_past()
    }

    /// What was, until 20 cycles ago, a little better than what is: there is something to gain.
    fn with_a_better_past(mut self) -> Self {
        let mut world = ObserveOutput::default();
        self.shape(&mut world);
        world.eu *= PAST;
        world.rdf *= 2.0;
        world.res.score *= PAST;
        world.variance.iter_mut().for_each(|variance| *variance *= PAST);
        let floor = FloorReport {
            iis: Some(0.99),
            seof: self.seof + 0.05,
            c_l4: PAST * self.c_l4,
            uncertainty: PAST * UNCERTAINTY,
            ..FloorReport::default()
        };
        let report = CycleReport {
            dimensions: 2,
            groups: GROUPS.into(),
            ..CycleReport::default()
        };
        let past = Arc::make_mut(&mut self.attainment);
        (0..30).for_each(|_| past.step(&report, &floor, &world));
        self.shape(&mut world);
        let floor = FloorReport {
            iis: self.iis,
            seof: self.seof,
            c_l4: self.c_l4,
            uncertainty: UNCERTAINTY,
            ..FloorReport::default()
        };
        let present = Arc::make_mut(&mut self.attainment);
        (0..2).for_each(|_| present.step(&report, &floor, &world));
        self
    }

    /// Sets a goal in the kernel's table and approves it.
    pub(super) fn set(&mut self, spec: GoalSpec, checkpoint: CheckpointId) {
        let goal = spec.goal.clone();
        let spec = Arc::new(spec);
        self.table.apply(&Change::Set { spec, checkpoint }, self.cycle);
        self.table.apply(&Change::Approve { goal }, self.cycle);
    }

    /// Closes a goal as reached.
    pub(super) fn reach(&mut self, goal: &GoalId) {
        let change = Change::Close {
            goal: goal.clone(),
            state: crate::goals::GoalState::Succeeded,
        };
        self.table.apply(&change, self.cycle);
    }

    /// Ten cycles on.
    pub(super) fn next(&mut self) -> Below {
        self.cycle += 10;
        let report = self.report();
        let floor = self.floor();
        let mut world = self.observe.step(&report, true, &Unlimited).unwrap();
        self.shape(&mut world);
        let (open, closed): (Vec<GoalRecord>, Vec<GoalRecord>) =
            (self.table.open().to_vec(), self.table.closed().to_vec());
        let mut plan = PlanOutput {
            cycle: self.cycle,
            chosen: Choice::default(),
            ..PlanOutput::default()
        };
        plan.stack.pathologies = self.pathologies.clone();
        Below {
            report: Arc::new(report),
            floor: Arc::new(floor),
            level48: Arc::new(self.level48(world)),
            model: self.observe.state(),
            plan: Arc::new(plan),
            open: open.into(),
            closed: closed.into(),
            refused: std::mem::take(&mut self.refused),
            attainment: Arc::clone(&self.attainment),
            purpose: self.purpose,
            mail: std::mem::take(&mut self.mail),
            unanswered: Vec::new(),
            group: None,
            quotas: Quotas {
                compute: Some(Reading {
                    level: self.compute,
                    renewed: None,
                }),
                memory: None,
                own_resources: true,
            },
            qualification: self.qualification,
        }
    }

    /// A number in [-1, 1] that wobbles with the cycle.
    fn wobble(cycle: u64, of: u64) -> f64 {
        let hashed = (cycle * 31 + of).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        hashed as f64 / f64::from(1_u32 << 23) - 1.0
    }

    /// What a dimension shows: a process of first order.
    fn seen(cycle: u64, dimension: u64) -> f64 {
        let ago = 0..40.min(cycle + 1);
        ago.map(|ago| PERSISTENCE.powi(ago as i32) * Self::wobble(cycle - ago, dimension + 7))
            .sum()
    }

    fn report(&self) -> CycleReport {
        let cycles = self.cycle - 9..=self.cycle;
        let fact = |cycle| CycleFacts {
            cycle,
            utilisation: self.load,
            ..CycleFacts::default()
        };
        let cells = || cycles.clone().flat_map(|cycle| (0..2).map(move |dim| (cycle, dim)));
        CycleReport {
            dimensions: 2,
            groups: GROUPS.into(),
            facts: cycles.clone().map(fact).collect(),
            observations: cells().map(|(cycle, dim)| Self::seen(cycle, dim)).collect(),
            forecasts: cells()
                .map(|(cycle, dim)| PERSISTENCE * Self::seen(cycle - 1, dim))
                .collect(),
            forecast_sd: cells().map(|_| 0.6).collect(),
            forecast_half_width: cells().map(|_| 1.0).collect(),
            resources: vec![Resource {
                level: 100.0,
                consumption_per_cycle: 0.01,
                utilisation: 0.05,
            }],
            ..CycleReport::default()
        }
    }

    fn x(&self, cycle: u64) -> [f64; 5] {
        let at = |value: f64, of: u64| (value + self.noise * Self::wobble(cycle, of)).clamp(0.0, 1.0);
        let iis = self.iis.unwrap_or(1.0);
        [at(1.0 - self.c_l4, 1), 1.0, at(iis, 2), at(0.1, 3), 1.0]
    }

    fn floor(&self) -> FloorReport {
        FloorReport {
            cycle: self.cycle,
            x: self.x(self.cycle),
            c_l4: self.c_l4,
            iis: self.iis,
            seof: self.seof,
            uncertainty: UNCERTAINTY,
            performance: Some(self.performance),
            rho: self.rho,
            rho_state: self.rho_state,
            lyapunov: vec![0.02; 10],
            states: (self.cycle - 9..=self.cycle).map(|cycle| self.x(cycle)).collect(),
            tier: self.tier,
            ethics_intact: true,
            contained: true,
            structural_permitted: self.permitted,
            guard_stage: self.guard_stage,
            ..FloorReport::default()
        }
    }

    fn shape(&self, world: &mut ObserveOutput) {
        world.eu = self.eu;
        world.rdf = self.rdf;
        world.res.score = 0.1;
        world.variance = self.variance.to_vec();
        world.pending.clear();
        let scenario = |kind, probability, spread, consumption| Scenario {
            kind,
            probability,
            spread,
            consumption,
        };
        world.scenarios = vec![
            scenario(scenario::Kind::Baseline, 1.0 - self.optimistic, 1.0, 1.0),
            scenario(scenario::Kind::Optimistic, self.optimistic, 0.3, 0.7),
        ];
    }

    fn level48(&self, world: ObserveOutput) -> L48Output {
        let capability = |skill| Capability {
            skill,
            confidence: self.confidence,
            success_rate: Some(self.confidence),
            calibration_error: Some(0.02),
            trend: None,
            outcomes: 50,
        };
        let mut stability = Verdict {
            cycle: self.cycle,
            structural_permitted: self.permitted,
            ..Verdict::default()
        };
        if self.violated {
            stability.violations.push(rungs_types::Violation {
                invariant: rungs_types::Invariant::Lyapunov,
                value: 0.1,
                limit: 0.05,
                magnitude: 0.2,
            });
            stability.response = crate::l48::Response::Throttle;
        }
        L48Output {
            pass: Pass {
                cycle: self.cycle,
                authority: self.authority48,
                ..Pass::default()
            },
            number: self.cycle / 10,
            world: Arc::new(world),
            capability: Arc::new(IntrospectOutput {
                cycle: self.cycle,
                capabilities: Skill::of_watcher(2).into_iter().map(capability).collect(),
                mce: self.mce,
                ..IntrospectOutput::default()
            }),
            plan: Arc::default(),
            stability: Arc::new(stability),
            status: Status::Active,
            advice: None,
        }
    }
}

/// A user's goal that serves `dimension` alone and needs `skills`.
pub(super) fn user_goal(name: &str, dimension: ValueDimension, skills: &[Skill]) -> GoalSpec {
    GoalSpec {
        goal: GoalId::new(name).unwrap(),
        intent: "reach one".into(),
        origin: Origin::User,
        tier: Tier::Operational,
        success: Success {
            all: vec![Condition {
                of: Quantity::Dimension(0),
                is: Comparison::AtLeast,
                value: 100.0,
            }],
            any: Vec::new(),
        },
        tasks: vec![TaskSpec {
            name: TaskName::new("a").unwrap(),
            does: TaskAction::SampleFaster { group: 0 },
            after: Vec::new(),
            when: Vec::new(),
            retries: 0,
            deadline_cycles: None,
        }],
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: skills.iter().map(|skill| skill.name()).collect::<Vec<SkillName>>(),
        reward: Reward::default(),
        weights: [(dimension, 1.0)].into(),
    }
}

/// The level, the ladder above it and the world below it.
pub(super) struct Level49 {
    pub(super) world: World,
    pub(super) orchestrator: Orchestrator,
    pub(super) ladder: Ladder,
    pub(super) log: Vec<(u64, EventKind)>,
    pub(super) outputs: Vec<Arc<L49Output>>,
    /// Bundles that the phases went back to.
    pub(super) reverted: Vec<Arc<Bundle>>,
    /// Goals that leave are set in the table.
    pub(super) injects: bool,
    pub(super) audit: Audit49,
    generate: Generate,
    evolve: Evolve,
    survive: Survive,
    relate: Relate,
    assess: Assess,
}

impl Level49 {
    /// L4.8 at Full, L4.9 waiting for its criteria.
    pub(super) fn new() -> Self {
        let first = Bundle::first(3);
        let mut level = Self {
            world: World::new(),
            generate: Generate::from_state(Arc::clone(&first.generate)),
            evolve: Evolve::from_state(Arc::clone(&first.evolve)),
            survive: Survive::from_state(Arc::clone(&first.survive)),
            relate: Relate::from_state(Arc::clone(&first.relate)),
            assess: Assess::from_state(Arc::clone(&first.assess)),
            orchestrator: Orchestrator::new(first),
            ladder: Ladder::new(Level::L49),
            log: Vec::new(),
            outputs: Vec::new(),
            reverted: Vec::new(),
            injects: true,
            audit: Audit49::default(),
        };
        level.order(Level::L48, Authority::Full);
        level
    }

    /// At Full, and warm: the law of the agent's state is known.
    pub(super) fn acting() -> Self {
        let mut level = Self::new();
        level.order(Level::L49, Authority::Full);
        level.run(150);
        level
    }

    pub(super) fn order(&mut self, level: Level, to: Authority) {
        let who = "ada".to_owned();
        let actions = self.ladder.on_order(&Order::Authority { level, to, who }).unwrap();
        self.carry_out(actions);
    }

    pub(super) fn carry_out(&mut self, actions: Vec<Action>) {
        let cycle = self.world.cycle;
        for action in actions {
            if let Some(bundle) = self.orchestrator.obey(&action, cycle) {
                self.revert(&bundle);
                self.reverted.push(bundle);
            }
            match action {
                Action::Emit(event) => self.log.push((cycle, event)),
                // Section 7.3: all of the level's goals go.
                Action::Withdraw { level: Level::L49, .. } => {
                    let changes = self.world.table.withdraw(Origin::L49, CheckpointId::default());
                    changes.iter().for_each(|change| self.world.table.apply(change, cycle));
                }
                _ => {}
            }
        }
    }

    fn revert(&mut self, bundle: &Bundle) {
        self.generate.revert(Arc::clone(&bundle.generate));
        self.evolve.revert(Arc::clone(&bundle.evolve));
        self.survive.revert(Arc::clone(&bundle.survive));
        self.relate.revert(Arc::clone(&bundle.relate));
        self.assess.revert(Arc::clone(&bundle.assess));
    }

    /// The states of the phases now.
    pub(super) fn states(&self) -> Bundle {
        Bundle {
            checkpoint: CheckpointId::default(),
            cycle: 0,
            generate: self.generate.state(),
            evolve: self.evolve.state(),
            survive: self.survive.state(),
            relate: self.relate.state(),
            assess: self.assess.state(),
        }
    }

    /// Carries a baton through all phases.
    pub(super) fn carry(&mut self, baton: &mut Baton) {
        self.carry_changed(baton, &|_| {}).unwrap();
    }

    /// The same with this change made before phase 5.
    pub(super) fn carry_changed(&mut self, baton: &mut Baton, change: &dyn Fn(&mut Baton)) -> Result<(), PhaseError> {
        self.generate.carry(baton, &Unlimited)?;
        self.evolve.carry(baton, &Unlimited)?;
        self.survive.carry(baton)?;
        self.relate.carry(baton)?;
        change(baton);
        self.assess.carry(baton, &Unlimited)
    }

    /// One pass of L4.8; the output of L4.9's pass, if one came back verified.
    pub(super) fn turn(&mut self) -> Option<Arc<L49Output>> {
        let below = self.world.next();
        let mut turn = self.orchestrator.on_below(below);
        self.ask(turn.requests());
        let Turn::Begin(mut baton, _) = turn else {
            return None;
        };
        self.carry(&mut baton);
        let back = self.orchestrator.on_baton(&baton);
        self.ask(back.requests);
        let output = back.output?;
        let rollbacks = self.orchestrator.standing().recovery().rollbacks();
        self.audit.feed_baton(&baton, rollbacks, None);
        if self.injects {
            for injection in &output.goals.inject {
                self.world.set(GoalSpec::clone(&injection.spec), injection.checkpoint);
            }
        }
        self.outputs.push(Arc::clone(&output));
        Some(output)
    }

    fn ask(&mut self, requests: Vec<crate::ladder::Request>) {
        for request in requests {
            let at = At {
                cycle: self.world.cycle,
                now_ms: 0,
            };
            let actions = self.ladder.on_request(Level::L49, request, at);
            self.carry_out(actions);
        }
        assert!(self.ladder.authority(Level::L49) <= self.ladder.authority(Level::L48));
    }

    /// So many cycles.
    pub(super) fn run(&mut self, cycles: u64) {
        for _ in 0..cycles / 10 {
            self.turn();
        }
    }

    pub(super) fn authority(&self) -> Authority {
        self.ladder.authority(Level::L49)
    }

    /// Changes of authority of this level in the log.
    pub(super) fn authorities(&self) -> Vec<(u64, Authority)> {
        let change = |(cycle, event): &(u64, EventKind)| match event {
            EventKind::Authority {
                level: Level::L49, to, ..
            } => Some((*cycle, *to)),
            _ => None,
        };
        self.log.iter().filter_map(change).collect()
    }

    /// The goals of an origin that left so far.
    pub(super) fn injected(&self, origin: GoalOrigin) -> Vec<GoalId> {
        let passed = self.outputs.iter().filter(|output| !output.goals.inject.is_empty());
        let entries = passed
            .flat_map(|output| &output.goals.passed)
            .filter(|entry| entry.origin == origin);
        entries.map(|entry| entry.spec.goal.clone()).collect()
    }
}

pub(super) fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}
