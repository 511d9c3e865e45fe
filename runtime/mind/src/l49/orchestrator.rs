//! The orchestrator of Level 4.9: takes in every verified pass of Level 4.8, begins a pass of its own every fifth, takes it
//! back verified, keeps the last verified states, and moves the level along its protocol. Owned by the level's supervisor;
//! what it wants done goes to [`crate::ladder`] as [`Request`]s, and it [`Orchestrator::obey`]s the ladder's actions.
//!
//! Invariants:
//! 1. At most one pass is under way; a baton of an older epoch or number changes nothing.
//! 2. The states of a pass replace the last verified ones, and its decisions leave, only if the live state does not
//!    freeze the level.
//! 3. Resources are measured and ASS is recomputed with every pass of Level 4.8, also while the level is frozen.
//! 4. A demotion is requested before anything else of the same pass; a freeze alone.

use super::baton::{Baton, Bundle, PhaseName};
use super::below::{Below, Look};
use super::extremes::Extremes;
use super::output::{Constraints, L49Output};
use super::resources::{Gauges, Meter, Reading, ResourceKind, SurvivalState, follow, project};
use super::ruling::{InForce, Ruling};
use super::stability::{
    Action as Response, LiveVerdict, RollbackRecord, RollbackStep, live, live_readings, rollback_steps,
};
use super::standing::{Change, Stage, Standing, criteria};
use crate::goals::GoalRecord;
use crate::l48::Pass;
use crate::l48::invariants::{compound_severity, sandbox_breach};
use crate::ladder::{Action, Fault, Ladder, Request};
use crate::qualify::WINDOW_CYCLES;
use rungs_types::goal::Origin;
use rungs_types::{Authority, CheckpointId, Epoch, EventKind, Level, RolePath};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Cycles between two passes: five passes of Level 4.8 (MSCP Level 4.9, section 9.6).
pub const PASS_CYCLES: u64 = 50;
/// Most looks at the resources that wait for a pass: 1,000 cycles of them.
const MAX_LOOKS: usize = 100;

/// Most rollbacks that are remembered for people.
const MAX_ROLLBACKS: usize = 8;

/// What to do with a pass of Level 4.8.
#[derive(Debug)]
pub enum Turn {
    /// Carry this baton through the phases and bring it back to [`Orchestrator::on_baton`]; the requests come first.
    Begin(Box<Baton>, Vec<Request>),
    /// No pass begins; these requests, if any, follow from the checks.
    Idle(Vec<Request>),
    /// The pass before is still under way, or it is not time yet: what was said is kept for the next one.
    Waits(Vec<Request>),
}

impl Turn {
    /// What is asked of the ladder, whatever begins.
    pub fn requests(&mut self) -> Vec<Request> {
        match self {
            Turn::Begin(_, requests) | Turn::Idle(requests) | Turn::Waits(requests) => std::mem::take(requests),
        }
    }
}

impl Turn {
    /// The baton, if a pass begins.
    pub fn into_baton(self) -> Option<Box<Baton>> {
        match self {
            Turn::Begin(baton, _) => Some(baton),
            Turn::Idle(_) | Turn::Waits(_) => None,
        }
    }
}

/// A baton that came back.
#[derive(Debug, Default)]
pub struct Back {
    /// What is asked of the ladder.
    pub requests: Vec<Request>,
    /// What leaves the level: only of a pass that was verified.
    pub output: Option<Arc<L49Output>>,
}

/// Its serde form is its whole state but for the phases' states, which a store keeps as their snapshots.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Orchestrator {
    standing: Standing,
    /// What the ladder lets the level have.
    authority: Authority,
    epoch: Epoch,
    passes: u64,
    /// The number of the pass under way.
    #[serde(skip)]
    in_flight: Option<u64>,
    /// The id of the last verified pass.
    checkpoint: CheckpointId,
    in_force: InForce,
    ruling: Option<Arc<Ruling>>,
    clear_vetoes: bool,
    meter: Meter,
    /// The resources since the last verified pass.
    looks: VecDeque<Look>,
    /// The cycle of the last pass begun, and the last one known.
    began: Option<u64>,
    cycle: u64,
    /// The last check of the live state.
    live: LiveVerdict,
    /// The worst of it that no verified pass has told of: what a baton took along, and what came since.
    told_of: Extremes,
    seen: Extremes,
    /// The last rollbacks, oldest first.
    rollbacks: VecDeque<RollbackRecord>,
    /// What the levels below were told of the mode.
    #[serde(skip)]
    told: Constraints,
    #[serde(skip)]
    pending: Option<Below>,
    #[serde(skip)]
    verified: Option<Arc<Bundle>>,
}

impl Orchestrator {
    /// An orchestrator whose phases have these states (checkpoint c0), so that there is something to go back to from the
    /// first pass on.
    pub fn new(first: Bundle) -> Self {
        Self {
            authority: Authority::Shadow,
            checkpoint: first.checkpoint,
            verified: Some(Arc::new(first)),
            ..Self::default()
        }
    }

    /// After reading the serde form: gives it the phases' states again.
    pub fn with_bundle(mut self, bundle: Bundle) -> Self {
        self.checkpoint = self.checkpoint.max(bundle.checkpoint);
        self.verified = Some(Arc::new(bundle));
        self
    }

    /// What was read back can be used only if this holds; its parts were checked when they were read.
    pub fn is_valid(&self) -> bool {
        let ordered = self
            .looks
            .iter()
            .zip(self.looks.iter().skip(1))
            .all(|(a, b)| a.cycle < b.cycle);
        self.looks.len() <= MAX_LOOKS
            && self.rollbacks.len() <= MAX_ROLLBACKS
            && ordered
            && self.ruling.as_ref().is_none_or(|ruling| ruling.is_valid())
    }

    /// The states that the level goes back to.
    pub fn verified(&self) -> Option<Arc<Bundle>> {
        self.verified.clone()
    }

    /// Where the level stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The last check of the live state, made with every pass of Level 4.8.
    pub fn live(&self) -> &LiveVerdict {
        &self.live
    }

    /// The last rollbacks, oldest first.
    pub fn rollbacks(&self) -> impl DoubleEndedIterator<Item = &RollbackRecord> {
        self.rollbacks.iter()
    }

    /// What is in force.
    pub fn in_force(&self) -> InForce {
        self.in_force
    }

    /// What the mode asks of the levels below; binding while the level acts, and while the mode is what keeps it from that:
    /// else a mode in which the level only advises, or is frozen, would restrict nobody.
    pub fn constraints(&self) -> Constraints {
        let modes = self.in_force.modes;
        let would_act = matches!(self.standing.stage(), Stage::Half { .. } | Stage::Full);
        let kept_from_it = would_act && modes.regime().l49.ceiling() < Authority::Half;
        Constraints::of(modes.mode(), self.authority >= Authority::Half || kept_from_it)
    }

    /// What the mode asks of the levels below, if that is other than they were told.
    pub fn constrain(&mut self) -> Option<Request> {
        // What does not bind is not told: the levels below are as free as in no mode.
        let now = Some(self.constraints()).filter(|now| now.binding).unwrap_or_default();
        (now != self.told).then(|| {
            self.told = now;
            Request::Constrain(now)
        })
    }

    /// Why the level is not at full authority; empty when it is.
    pub fn waiting_for(&self) -> String {
        self.standing.waiting_for(self.cycle)
    }

    /// A verified pass of Level 4.8, every 10 cycles.
    pub fn on_below(&mut self, below: Below) -> Turn {
        let cycle = below.cycle();
        let gauges = self.measure(&below);
        let before = self.looks.iter().rev().nth(1).copied();
        self.cycle = self.cycle.max(cycle);
        let mut requests: Vec<Request> = Vec::new();
        // A level that only checks its criteria is not judged by what befalls it then.
        if !matches!(self.standing.stage(), Stage::Checking { .. }) {
            self.seen = self.seen.and(Extremes::of(&below.floor));
        }
        requests.extend(asked(self.standing.on_criteria(&criteria(&below), cycle)));
        self.live = self.check(&below, &gauges, before);
        let breach = self.breach(&below);
        self.pending = Some(match self.pending.take() {
            None => below,
            // The check of the live state has seen each of them; a pass that begins later is not about them.
            Some(pending) if !self.standing.runs() => pending.superseded(below),
            Some(pending) => pending.with(below),
        });
        if let Some(breach) = breach.filter(|_| self.authority > Authority::Frozen) {
            return Turn::Idle(vec![Request::Fault(breach)]);
        }
        if self.in_flight.is_some() {
            return Turn::Waits(requests);
        }
        if !self.standing.runs() {
            self.watch(cycle, &mut requests);
            return Turn::Idle(requests);
        }
        if self.live.action == Response::Freeze {
            // Nothing else is asked for: an authority that the criteria led to would lift the freeze again.
            return Turn::Idle(vec![Request::Fault(fault(&self.live))]);
        }
        if !self.is_due(cycle, &gauges) {
            return Turn::Waits(requests);
        }
        match self.begin(cycle) {
            Some(baton) => Turn::Begin(baton, requests),
            None => Turn::Waits(requests),
        }
    }

    /// Takes readings in; gives the resources as they are.
    fn measure(&mut self, below: &Below) -> Gauges {
        let cycle = below.cycle();
        for (kind, reading) in below.readings() {
            self.meter.note(kind, &reading, cycle);
        }
        if let Some(bundle) = &self.verified {
            let level = bundle.evolve.mutation_left(cycle);
            self.meter
                .note(ResourceKind::Mutation, &Reading { level, renewed: None }, cycle);
        }
        let gauges = self.meter.gauges(cycle);
        if self.looks.back().is_none_or(|last| last.cycle < cycle) {
            if self.looks.len() == MAX_LOOKS {
                self.looks.pop_front();
            }
            self.looks.push_back(Look { cycle, gauges });
        }
        gauges
    }

    /// A goal of the level that never left it, but for its Lookaheads, is in the kernel's table: a breach of the sandbox (MSCP
    /// Level 4.8, invariant 4), of the severity that it has there.
    fn breach(&self, below: &Below) -> Option<Fault> {
        let book = self.verified.as_ref()?.generate.book();
        let mut own = below.open.iter().filter(|record| record.spec.origin == Origin::L49);
        let stays = |record: &GoalRecord| book.get(&record.spec.goal).is_some_and(|entry| entry.fate.stays());
        let violations = vec![sandbox_breach()];
        own.any(stays).then(|| Fault::Invariants {
            level: Level::L49,
            severity: compound_severity(&violations),
            violations,
        })
    }

    /// The check of the live state.
    fn check(&self, below: &Below, gauges: &Gauges, before: Option<Look>) -> LiveVerdict {
        let levels = |gauges: &Gauges| gauges.map(|gauge| gauge.map(|gauge| gauge.level));
        let survival = project(gauges);
        let now = levels(gauges);
        let before = before.map_or(now, |look| levels(&look.gauges));
        let drift = self.in_force.values.total_drift();
        live(&live_readings(below, drift, survival.min_survival, &before, &now))
    }

    /// Level 4.9 makes no passes: the modes follow the resources, and the way back follows the live state.
    fn watch(&mut self, cycle: u64, requests: &mut Vec<Request>) {
        let looks: Vec<Look> = self.looks.iter().copied().collect();
        self.in_force.modes = follow(&self.in_force.modes, &looks);
        if self.live.action == Response::Freeze && self.authority > Authority::Frozen {
            // A freeze like any other, also of a level that only checks its criteria: told, with its cause, and counted.
            *requests = vec![Request::Fault(fault(&self.live))];
            return;
        }
        requests.extend(asked(self.standing.on_regime(&self.in_force.modes.regime())));
        let live = self.live.clone();
        requests.extend(asked(self.standing.on_live(&live, cycle)));
    }

    /// Fifty cycles after the last pass; sooner, but not before the next look, if the resources have become worse than the
    /// mode.
    fn is_due(&self, cycle: u64, gauges: &Gauges) -> bool {
        let passed = self.began.map_or(PASS_CYCLES, |began| cycle.saturating_sub(began));
        let state = project(gauges).state;
        let worse = state > self.in_force.modes.mode() && state > SurvivalState::Adequate;
        passed >= PASS_CYCLES || (worse && passed > 0)
    }

    fn begin(&mut self, cycle: u64) -> Option<Box<Baton>> {
        let below = self.pending.take()?;
        self.passes = self.passes.wrapping_add(1);
        self.in_flight = Some(self.passes);
        self.began = Some(cycle);
        let extremes = self.told_of.and(std::mem::take(&mut self.seen));
        self.told_of = extremes.within(cycle, u64::from(WINDOW_CYCLES));
        Some(Box::new(Baton {
            pass: Pass {
                number: self.passes,
                epoch: self.epoch,
                authority: self.authority,
                cycle,
                checkpoint: CheckpointId(self.checkpoint.0.saturating_add(1)),
                structural_permitted: below.level48.stability.structural_permitted,
                reduced: self.constraints().candidates(Level::L49) < 1.0,
                rebalancing: below.level48.pass.rebalancing,
            },
            below: Arc::new(below),
            looks: self.looks.iter().copied().collect(),
            in_force: self.in_force,
            ruling: self.ruling.clone(),
            clear_vetoes: self.clear_vetoes,
            extremes: self.told_of,
            generate: None,
            evolve: None,
            survive: None,
            relate: None,
            assess: None,
        }))
    }

    /// A baton comes back. Stale ones change nothing; one that has not passed all phases is a fault.
    pub fn on_baton(&mut self, baton: &Baton) -> Back {
        if baton.pass.epoch != self.epoch || self.in_flight != Some(baton.pass.number) {
            return Back::default();
        }
        self.in_flight = None;
        let (Some(generate), Some(evolve), Some(survive), Some(relate), Some(assess)) = (
            &baton.generate,
            &baton.evolve,
            &baton.survive,
            &baton.relate,
            &baton.assess,
        ) else {
            return Back {
                requests: vec![Request::Fault(incomplete(baton))],
                output: None,
            };
        };
        let output = &assess.output.output;
        let verdict = &output.stability.verdict;
        self.live = verdict.clone();
        if verdict.action == Response::Freeze {
            return Back {
                requests: vec![Request::Fault(fault(verdict))],
                output: None,
            };
        }
        self.checkpoint = baton.pass.checkpoint;
        self.in_force = output.in_force;
        self.ruling = Some(Arc::clone(&assess.output.ruling));
        self.clear_vetoes = false;
        self.told_of = Extremes::default();
        self.looks.retain(|look| look.cycle > baton.pass.cycle);
        self.verified = Some(Arc::new(Bundle {
            checkpoint: self.checkpoint,
            cycle: baton.pass.cycle,
            generate: Arc::clone(&generate.state),
            evolve: Arc::clone(&evolve.state),
            survive: Arc::clone(&survive.state),
            relate: Arc::clone(&relate.state),
            assess: Arc::clone(&assess.state),
        }));
        let mut requests: Vec<Request> = Vec::new();
        requests.extend(asked(self.standing.on_regime(&self.in_force.modes.regime())));
        requests.extend(asked(self.standing.on_live(verdict, baton.pass.cycle)));
        requests.push(Request::Verified(self.checkpoint));
        Back {
            requests,
            output: Some(Arc::clone(output)),
        }
    }

    /// An operator has found the cause of persistent vetoes: from the next pass on what was barred may be tried again.
    pub fn clear_vetoes(&mut self) {
        self.clear_vetoes = true;
    }

    /// Brings the level in line with the ladder at `cycle`, after a restart in which actions of the ladder were lost:
    /// its epoch and authority are the ladder's, nothing is under way, and it is frozen if the ladder says so.
    pub fn align(&mut self, ladder: &Ladder, cycle: u64) {
        self.epoch = ladder.epoch(Level::L49);
        self.authority = ladder.authority(Level::L49);
        self.in_flight = None;
        if ladder.is_suspended(Level::L49) {
            self.standing.suspend();
        } else if self.authority == Authority::Frozen && self.standing.authority() != Authority::Frozen {
            self.standing.freeze(cycle, ladder.is_held(Level::L49));
        }
    }

    /// The rollback protocol (section 7.3), as far as it is the orchestrator's, and a record of it.
    fn roll_back(&mut self, cycle: u64, hold: bool) {
        if self.authority > Authority::Frozen {
            let to = self.verified.as_ref().map_or(0, |bundle| bundle.cycle);
            let record = RollbackRecord::of(&self.live, cycle, self.in_flight, to, &self.in_force.values);
            if self.rollbacks.len() == MAX_ROLLBACKS {
                self.rollbacks.pop_front();
            }
            self.rollbacks.push_back(record);
        }
        for step in rollback_steps(self.in_flight.is_some()) {
            match step {
                RollbackStep::RejectDecisions => self.in_flight = None,
                RollbackStep::Freeze => {
                    self.authority = Authority::Frozen;
                    self.epoch = self.epoch.next();
                }
                // Done by whoever carries out the ladder's withdrawal and revert: the goals leave the kernel's table, the
                // phases end and start from the verified bundle. What is in force is of that bundle as it is.
                RollbackStep::RemoveOwnGoals | RollbackStep::RevertValues | RollbackStep::FreezePeers => {}
                // Those since the last verified pass stay, as they really were; the next look is due with the next
                // pass of Level 4.8, whether or not this level is frozen.
                RollbackStep::RecalculateResources => {}
                RollbackStep::Monitor => self.standing.freeze(cycle, hold),
            }
        }
    }

    /// Carries out what an action of the ladder means for this level, at `cycle`. Gives the states that the phases go
    /// back to if the action is a revert of this level. A freeze takes every goal of origin L4.9 out of the kernel's
    /// table (section 7.3); that is the supervisor's to do, as it is told to withdraw.
    pub fn obey(&mut self, action: &Action, cycle: u64) -> Option<Arc<Bundle>> {
        match action {
            Action::FreezeFrom { level, hold } if *level <= Level::L49 => self.roll_back(cycle, *hold),
            Action::Emit(EventKind::Frozen { level, cause, .. }) if *level <= Level::L49 => {
                let untold = self.rollbacks.back_mut().filter(|record| record.cause.is_none());
                if let Some(record) = untold {
                    record.cause = Some(cause.clone());
                }
            }
            Action::Suspend { level: Level::L49 } => self.standing.suspend(),
            Action::Reenable { level: Level::L49 } => {
                self.standing.reenable(cycle);
                self.clear_vetoes = true;
            }
            Action::Place {
                level: Level::L49,
                authority,
            } => self.standing.place(cycle, *authority),
            Action::SetAuthority {
                level: Level::L49, to, ..
            } => self.authority = *to,
            Action::Revert { level: Level::L49, .. } => return self.verified.clone(),
            _ => {}
        }
        None
    }
}

fn asked(change: Option<Change>) -> Option<Request> {
    change.map(|Change { to, reason }| Request::Authority {
        to,
        reason: reason.into(),
    })
}

fn fault(verdict: &LiveVerdict) -> Fault {
    Fault::Autonomy {
        violated: verdict.violations.clone(),
        ass: verdict.scores.ass,
    }
}

fn incomplete(baton: &Baton) -> Fault {
    let phase = match (&baton.generate, &baton.evolve, &baton.survive, &baton.relate) {
        (None, ..) => PhaseName::Goals,
        (_, None, ..) => PhaseName::Values,
        (_, _, None, _) => PhaseName::Resources,
        (_, _, _, None) => PhaseName::Peers,
        _ => PhaseName::Stability,
    };
    Fault::Panic {
        level: Level::L49,
        role: RolePath::new(phase.role()).expect("invariant: a constant that is a valid role"),
        message: "the baton came back without this phase's leg".into(),
    }
}
