//! The orchestrator of Level 4.8: begins passes, takes them back verified, keeps the last verified states, and moves
//! the level along its protocol. Owned by the level's supervisor; what it wants done goes to [`crate::ladder`] as
//! [`Request`]s, and it [`Orchestrator::obey`]s the ladder's actions.
//!
//! Invariants:
//! 1. At most one pass is under way; a baton of an older epoch or number changes nothing.
//! 2. The states of a pass replace the last verified ones only if its verdict is not a freeze.
//! 3. A demotion is requested before anything else of the same pass.

use super::baton::{Baton, Bundle, Pass, PhaseName};
use super::invariants::{Limits, Monitor, Uncertain};
use super::standing::{Change, Stage, Standing};
use super::verify::{Response, Verdict};
use crate::l49::Constraints;
use crate::ladder::{Action, Fault, Ladder, Request};
use crate::report::{CycleReport, FloorReport};
use rungs_types::{Authority, Cause, CheckpointId, Epoch, EventKind, Level, RolePath};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of an actor's last words that are kept: a record may be stored for each of 10,000 agents every few seconds.
const MAX_CAUSE_BYTES: usize = 200;
/// The guard's critical stage.
const GUARD_CRITICAL: u8 = 3;

/// What to do with a report.
#[derive(Debug)]
pub enum Turn {
    /// Carry this baton through the phases and bring it back to [`Orchestrator::on_baton`].
    Begin(Box<Baton>),
    /// The level is frozen; these requests, if any, follow from the check of the floor.
    Idle(Vec<Request>),
    /// The pass before is still under way: merge the report into the next one.
    Busy,
}

/// Its serde form is its whole state but for the phases' states, which a store keeps as their snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    structural_permitted: bool,
    /// Watches the floor while the level is frozen.
    monitor: Monitor,
    /// Why it was frozen last.
    cause: Option<Cause>,
    #[serde(skip)]
    verified: Option<Arc<Bundle>>,
    /// For how long the activation criteria have held, as of the last report.
    sustained: [u32; 6],
    /// The mode of the resources leaves the level half of its candidates.
    reduced: bool,
    /// The mode has changed what the level may have, and the ladder does not know yet.
    #[serde(skip)]
    constrained: bool,
}

impl Default for Orchestrator {
    fn default() -> Self {
        Self {
            standing: Standing::default(),
            authority: Authority::Shadow,
            epoch: Epoch::default(),
            passes: 0,
            in_flight: None,
            checkpoint: CheckpointId::default(),
            structural_permitted: false,
            monitor: Monitor::default(),
            cause: None,
            verified: None,
            sustained: [0; 6],
            reduced: false,
            constrained: false,
        }
    }
}

impl Orchestrator {
    /// An orchestrator in Shadow whose phases have these states (checkpoint c0), so that there is something to go back
    /// to from the first pass on.
    pub fn new(first: Bundle) -> Self {
        Self {
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

    /// The states that the level goes back to.
    pub fn verified(&self) -> Option<Arc<Bundle>> {
        self.verified.clone()
    }

    /// Where the level stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The stage of the level.
    pub fn stage(&self) -> Stage {
        self.standing.stage()
    }

    /// Why the level is not at full authority; empty when it is.
    pub fn waiting_for(&self) -> String {
        self.standing.waiting_for(&self.sustained)
    }

    /// A report of L3 with L4.5's answer to it, every 10 cycles.
    pub fn on_report(&mut self, report: Arc<CycleReport>, floor: Arc<FloorReport>) -> Turn {
        if self.in_flight.is_some() {
            return Turn::Busy;
        }
        self.sustained = floor.sustained;
        if self.standing.authority() == Authority::Frozen {
            return Turn::Idle(self.watch_floor(&floor));
        }
        self.passes = self.passes.wrapping_add(1);
        self.in_flight = Some(self.passes);
        let pass = Pass {
            number: self.passes,
            epoch: self.epoch,
            authority: self.authority,
            cycle: floor.cycle,
            checkpoint: CheckpointId(self.checkpoint.0.saturating_add(1)),
            structural_permitted: self.structural_permitted,
            reduced: self.reduced,
            rebalancing: self.standing.is_rebalancing(),
        };
        Turn::Begin(Box::new(Baton::new(pass, report, floor)))
    }

    /// Stage 1 of the re-enablement: all five invariants on the floor's state, the ethical kernel intact. It begins when the
    /// guard is not critical any more, which takes 300 cycles at least: no protocol of 100 cycles could wait for that.
    fn watch_floor(&mut self, floor: &FloorReport) -> Vec<Request> {
        self.monitor.note(&floor.lyapunov);
        if floor.guard_stage >= GUARD_CRITICAL {
            self.standing.hold_off(floor.cycle);
            return Vec::new();
        }
        let clean = self.monitor.check(floor, Uncertain::IDLE, &Limits::FULL).is_empty() && floor.ethics_intact;
        match self.standing.on_floor_check(floor.cycle, clean) {
            Some(Change::Authority { to, reason }) => vec![Request::Authority {
                to,
                reason: reason.into(),
            }],
            Some(Change::NoRecovery) => {
                let cause = self.cause.clone().unwrap_or(Cause::LevelBelow { level: Level::L45 });
                vec![Request::Fault(Fault::NoRecovery {
                    level: Level::L48,
                    cause,
                })]
            }
            None => Vec::new(),
        }
    }

    /// A baton comes back. Stale ones change nothing; one that has not passed all phases is a fault.
    pub fn on_baton(&mut self, baton: &Baton) -> Vec<Request> {
        if baton.pass.epoch != self.epoch || self.in_flight != Some(baton.pass.number) {
            return Vec::new();
        }
        self.in_flight = None;
        let (Some(observe), Some(introspect), Some(plan), Some(verify), Some(emit)) = (
            &baton.observe,
            &baton.introspect,
            &baton.plan,
            &baton.verify,
            &baton.emit,
        ) else {
            return vec![Request::Fault(incomplete(baton))];
        };
        let verdict = &verify.output;
        let mut requests = Vec::new();
        if verdict.response == Response::Freeze {
            requests.push(Request::Fault(Fault::Invariants {
                level: Level::L48,
                violations: verdict.violations.clone(),
                severity: verdict.severity,
            }));
            requests.push(told(verdict));
            return requests;
        }
        self.structural_permitted = verdict.structural_permitted;
        self.checkpoint = baton.pass.checkpoint;
        self.verified = Some(Arc::new(Bundle {
            checkpoint: self.checkpoint,
            cycle: baton.pass.cycle,
            observe: Arc::clone(&observe.state),
            introspect: Arc::clone(&introspect.state),
            plan: Arc::clone(&plan.state),
            verify: Arc::clone(&verify.state),
            emit: Arc::clone(&emit.state),
        }));
        let change = self
            .standing
            .on_verdict(baton.pass.cycle, verdict.response, &baton.floor.sustained);
        if let Some(Change::Authority { to, reason }) = change {
            requests.push(Request::Authority {
                to,
                reason: reason.into(),
            });
        }
        if std::mem::take(&mut self.constrained) && change.is_none() {
            requests.push(Request::Authority {
                to: self.standing.authority(),
                reason: "resources".into(),
            });
        }
        requests.push(Request::Verified(self.checkpoint));
        if let Some(advice) = &emit.output.advice {
            requests.push(Request::Advise(Arc::clone(advice)));
        }
        if !verdict.passed() {
            requests.push(told(verdict));
        }
        requests
    }

    /// Brings the level in line with the ladder at `cycle`, after a restart in which actions of the ladder were lost:
    /// its epoch and authority are the ladder's, nothing is under way, and it is frozen if the ladder says so. The mode of
    /// the resources is forgotten: whoever constrains says so again, or is not there any more.
    pub fn align(&mut self, ladder: &Ladder, cycle: u64) {
        self.constrain(&Constraints::default());
        self.epoch = ladder.epoch(Level::L48);
        self.authority = ladder.authority(Level::L48);
        self.in_flight = None;
        self.structural_permitted = false;
        if ladder.is_suspended(Level::L48) {
            self.standing.suspend();
        } else if self.authority == Authority::Frozen && self.standing.authority() != Authority::Frozen {
            self.standing.freeze(cycle, ladder.is_held(Level::L48));
            self.monitor.restart();
        }
    }

    fn constrain(&mut self, constraints: &Constraints) {
        let before = self.standing.authority();
        self.standing.constrain(constraints.ceiling(Level::L48));
        self.constrained |= self.standing.authority() != before;
        self.reduced = constraints.candidates(Level::L48) < 1.0;
    }

    /// Carries out what an action of the ladder means for this level, at `cycle`. Gives the states that the phases go
    /// back to if the action is a revert of this level.
    pub fn obey(&mut self, action: &Action, cycle: u64) -> Option<Arc<Bundle>> {
        match action {
            Action::FreezeFrom { level, hold } if *level <= Level::L48 => {
                self.standing.freeze(cycle, *hold);
                self.authority = Authority::Frozen;
                self.epoch = self.epoch.next();
                self.in_flight = None;
                self.structural_permitted = false;
                self.monitor.restart();
            }
            Action::Suspend { level: Level::L48 } => self.standing.suspend(),
            Action::Reenable { level: Level::L48 } => {
                self.standing.reenable(cycle);
                self.monitor.restart();
            }
            Action::Place {
                level: Level::L48,
                authority,
            } => self.standing.place(cycle, *authority),
            Action::SetAuthority {
                level: Level::L48, to, ..
            } => self.authority = *to,
            Action::Constrain(constraints) => self.constrain(constraints),
            Action::Revert { level: Level::L48, .. } => return self.verified.clone(),
            Action::Emit(EventKind::Frozen { level, cause, .. }) if *level <= Level::L48 => {
                self.cause = Some(brief(cause));
            }
            _ => {}
        }
        None
    }
}

/// The cause with at most [`MAX_CAUSE_BYTES`] of an actor's last words.
fn brief(cause: &Cause) -> Cause {
    match cause {
        Cause::Panic { role, message } => Cause::Panic {
            role: role.clone(),
            message: message[..message.floor_char_boundary(MAX_CAUSE_BYTES)].to_owned(),
        },
        cause => cause.clone(),
    }
}

fn told(verdict: &Verdict) -> Request {
    Request::Tell(EventKind::Verdict {
        level: Level::L48,
        violations: verdict.violations.clone(),
        severity: verdict.severity,
        response: verdict.response.to_string(),
    })
}

fn incomplete(baton: &Baton) -> Fault {
    let phase = match (&baton.observe, &baton.introspect, &baton.plan, &baton.verify) {
        (None, ..) => PhaseName::Observe,
        (_, None, ..) => PhaseName::Introspect,
        (_, _, None, _) => PhaseName::Plan,
        (.., None) => PhaseName::Verify,
        _ => PhaseName::Emit,
    };
    let role = RolePath::new(phase.role()).expect("a constant that is a valid role");
    Fault::Panic {
        level: Level::L48,
        role,
        message: "the baton came back without this phase's leg".into(),
    }
}

#[cfg(test)]
mod tests;
