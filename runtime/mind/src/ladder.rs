//! The ladder: what happens when a level fails, and how much authority each level has.
//!
//! The one place where a freeze is decided. Faults, orders of an operator and requests of the levels go in; a list of
//! [`Action`]s comes out, which supervisors carry out in order. Pure: time and cycle are
//! parameters ([`At`]).
//!
//! Invariants:
//! 1. A level's authority never exceeds that of the level below it, after each single action.
//! 2. A demotion stands in the list before everything else; events stand last.
//! 3. Every freeze tells its cause and the checkpoint to which the level goes back; every change of authority is told.
//! 4. L3 cannot be frozen; nothing but an operator ends a suspension or an operator's freeze.
//! 5. A freeze raises the epoch of each level it reaches, so that whatever was under way there is stale.
//!
//! Sources: `MSCP Level 4.8`, sections 1.6, 6.1 and 6.4; `MSCP Level 4.9`, section 10.

mod action;
mod changes;
mod fault;
mod restart;
mod veto;

pub use action::Action;
pub use fault::{Fault, Order, OrderError, Request};
pub use restart::{BACKOFF_FIRST_MS, BACKOFF_MAX_MS, PARK_FAILURES, PARK_WINDOW_MS, RestartDecision, Restarts};
pub use veto::{MAX_VETOES, VETO_WINDOW_CYCLES, VetoKey, VetoLog};

use crate::l49::Constraints;
use rungs_types::{Authority, Cause, CheckpointId, Epoch, EventKind, Level};
use serde::{Deserialize, Serialize};

/// Heartbeats in a row that the existential guard may miss before it counts as critical.
pub const MAX_MISSED_HEARTBEATS: u32 = 3;

/// When something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The agent's L3 cycle.
    pub cycle: u64,
    /// Milliseconds by the host's monotonic clock; only the restart back-off reads it.
    pub now_ms: u64,
}

/// What the ladder knows of one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rung {
    /// The agent has this level.
    exists: bool,
    /// What the level's own protocol asks for.
    wanted: Authority,
    /// What it has: the least of `wanted` and the level below.
    effective: Authority,
    epoch: Epoch,
    /// The last verified state.
    checkpoint: CheckpointId,
    /// Frozen by an operator until an operator thaws it.
    held: bool,
    /// Stays down until an operator clears it.
    suspended: bool,
    vetoes: VetoLog,
}

/// The ladder of one agent. Small (below 4 KiB as JSON); its serde form is its whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    rungs: [Rung; 5],
    restarts: Restarts,
    parked: bool,
    freezes: u32,
}

impl Ladder {
    /// A ladder whose highest level is `top`: L3 and L4.5 at full authority, the levels above in Shadow.
    pub fn new(top: Level) -> Self {
        let rungs = Level::ALL.map(|level| {
            let wanted = match level {
                _ if level > top => Authority::Frozen,
                Level::L3 | Level::L45 => Authority::Full,
                _ => Authority::Shadow,
            };
            Rung {
                exists: level <= top,
                wanted,
                effective: wanted,
                epoch: Epoch::default(),
                checkpoint: CheckpointId::default(),
                held: false,
                suspended: false,
                vetoes: VetoLog::default(),
            }
        });
        Self {
            rungs,
            restarts: Restarts::default(),
            parked: false,
            freezes: 0,
        }
    }

    /// From now on the agent has the levels up to `top`. One that it had not begins in Shadow, unless it is held or
    /// suspended; one that it has no more is frozen, and what it had put into the level below is taken back. Empty if it
    /// has just these.
    pub fn fit(&mut self, top: Level) -> Vec<Action> {
        let parked = self.parked;
        let mut actions = Vec::new();
        for level in Level::ALL.into_iter().rev() {
            let rung = self.rung_mut(level);
            if rung.exists == (level <= top) {
                continue;
            }
            rung.exists = level <= top;
            rung.wanted = match rung.exists && !parked && !rung.held && !rung.suspended {
                true => Authority::Shadow,
                false => Authority::Frozen,
            };
            if !rung.exists {
                rung.epoch = rung.epoch.next();
                actions.push(Action::Withdraw {
                    level,
                    checkpoint: rung.checkpoint,
                });
            }
        }
        actions.extend(self.settle(&format!("the highest level is {top}")));
        actions
    }

    /// The authority in force.
    pub fn authority(&self, level: Level) -> Authority {
        self.rung(level).effective
    }

    /// All five, lowest first.
    pub fn authorities(&self) -> [Authority; 5] {
        Level::ALL.map(|level| self.authority(level))
    }

    /// The level's epoch: whatever carries a smaller one is stale.
    pub fn epoch(&self, level: Level) -> Epoch {
        self.rung(level).epoch
    }

    /// The level's last verified state.
    pub fn checkpoint(&self, level: Level) -> CheckpointId {
        self.rung(level).checkpoint
    }

    /// The level stays down until an operator clears it.
    pub fn is_suspended(&self, level: Level) -> bool {
        self.rung(level).suspended
    }

    /// An operator has frozen the level, and only an operator ends that.
    pub fn is_held(&self, level: Level) -> bool {
        self.rung(level).held
    }

    /// The agent rests until an operator starts it.
    pub fn is_parked(&self) -> bool {
        self.parked
    }

    /// Freezes since the agent's first start.
    pub fn freezes(&self) -> u32 {
        self.freezes
    }

    /// What is done about a fault. An empty list means that the fault is stale: its level is frozen already.
    pub fn on_fault(&mut self, fault: &Fault, at: At) -> Vec<Action> {
        if self.parked {
            return Vec::new();
        }
        let cause = fault.cause();
        match fault {
            Fault::HeartbeatMissed { in_a_row } if *in_a_row < MAX_MISSED_HEARTBEATS => Vec::new(),
            Fault::KernelFailed { .. } => self.restart_agent(cause, at),
            Fault::EthicsHash => self.park(cause, "the ethical kernel's hash differs from the build's"),
            Fault::Quota { .. } => self.park(cause, "over its processor quota at its longest period"),
            Fault::NoRecovery { level, .. } => self.suspend_without_recovery(*level, cause),
            _ => {
                let level = fault.level();
                if self.authority(level) == Authority::Frozen {
                    return Vec::new();
                }
                self.freeze(level, cause, fault, at)
            }
        }
    }

    /// What is done about an operator's order, or why it is refused; a refused order changes nothing.
    pub fn on_order(&mut self, order: &Order) -> Result<Vec<Action>, OrderError> {
        let level = order.level();
        self.check_order(order)?;
        Ok(match order {
            Order::Freeze { who, .. }
            | Order::Authority {
                who,
                to: Authority::Frozen,
                ..
            } => {
                let cause = Cause::Operator { who: who.clone() };
                self.hold(level, cause)
            }
            Order::Thaw { who, .. } => {
                self.rung_mut(level).held = false;
                self.reenable(level, who)
            }
            Order::Clear { who, .. } => {
                let rung = self.rung_mut(level);
                (rung.suspended, rung.held) = (false, false);
                rung.vetoes.clear();
                self.reenable(level, who)
            }
            Order::Authority { to, who, .. } => {
                self.rung_mut(level).wanted = *to;
                let mut actions = self.settle(&format!("operator {who}"));
                let first_rise = actions
                    .iter()
                    .position(|action| !action.is_demotion())
                    .unwrap_or(actions.len());
                actions.insert(first_rise, Action::Place { level, authority: *to });
                actions
            }
        })
    }

    fn check_order(&self, order: &Order) -> Result<(), OrderError> {
        let level = order.level();
        let rung = self.rung(level);
        if !rung.exists {
            return Err(OrderError::NoSuchLevel { level });
        }
        if level == Level::L3 {
            return Err(OrderError::AlwaysOn);
        }
        if self.parked {
            return Err(OrderError::Parked);
        }
        let frozen = rung.wanted == Authority::Frozen;
        match order {
            Order::Thaw { .. } | Order::Authority { .. } if rung.suspended => Err(OrderError::Suspended { level }),
            Order::Thaw { .. } if !frozen => Err(OrderError::NotFrozen { level }),
            Order::Clear { .. } if !rung.suspended => Err(OrderError::NotSuspended { level }),
            Order::Authority { to, .. } if frozen && *to != Authority::Frozen => Err(OrderError::Frozen { level }),
            _ => Ok(()),
        }
    }

    /// What is done about a request of a level's orchestrator.
    pub fn on_request(&mut self, level: Level, request: Request, at: At) -> Vec<Action> {
        if self.parked {
            return Vec::new();
        }
        match request {
            Request::Fault(fault) => self.on_fault(&fault, at),
            Request::Verified(checkpoint) => {
                let rung = self.rung_mut(level);
                rung.checkpoint = rung.checkpoint.max(checkpoint);
                Vec::new()
            }
            Request::Advise(advice) if advice.epoch < self.epoch(level) => Vec::new(),
            Request::Advise(advice) => vec![Action::Advise(advice)],
            Request::Tell(event) => vec![Action::Emit(event)],
            Request::Constrain(constraints) => constrain(constraints),
            // What was decided before a freeze, or is only advice, is carried out by nobody.
            Request::Act(output) if output.pass.epoch < self.epoch(level) || !self.acts(level) => Vec::new(),
            Request::Act(output) => vec![Action::Act(output)],
            Request::Authority { to, reason } => {
                let rung = self.rung_mut(level);
                if !rung.exists || rung.held || rung.suspended {
                    return Vec::new();
                }
                rung.wanted = to;
                self.settle(&reason)
            }
        }
    }

    /// L4.5 runs again after a fault: it has its authority back and L3 leaves the stabilization mode that the fault
    /// put it in. One that is held or suspended stays down, and L3 in that mode. Empty if L4.5 was not down.
    pub fn on_floor_started(&mut self) -> Vec<Action> {
        let rung = self.rung(Level::L45);
        if rung.wanted != Authority::Frozen || self.parked {
            return Vec::new();
        }
        if rung.held || rung.suspended {
            return vec![Action::Stabilize { on: true }];
        }
        self.raise_floor("restarted")
    }

    /// An operator starts a parked agent: its failures are forgotten, the floor has its authority back, and the levels
    /// above come back by their own protocols, except those that are suspended or held. Where the floor is that, L3 stays
    /// in stabilization mode, and the levels above wait for an operator as they do after any freeze of the floor. Empty if
    /// it is not parked.
    pub fn on_unpark(&mut self, who: &str) -> Vec<Action> {
        if !std::mem::take(&mut self.parked) {
            return Vec::new();
        }
        self.restarts = Restarts::default();
        let floor = self.rung(Level::L45);
        if floor.held || floor.suspended {
            return vec![Action::Stabilize { on: true }];
        }
        let above = [Level::L48, Level::L49, Level::L6].into_iter();
        let free = above.filter(|level| {
            let rung = self.rung(*level);
            rung.exists && !rung.suspended && !rung.held
        });
        let mut actions: Vec<_> = free.map(|level| Action::Reenable { level }).collect();
        actions.extend(self.raise_floor(&format!("operator {who}")));
        actions
    }

    fn acts(&self, level: Level) -> bool {
        self.authority(level) >= Authority::Half
    }

    fn rung(&self, level: Level) -> &Rung {
        &self.rungs[level.index()]
    }

    fn rung_mut(&mut self, level: Level) -> &mut Rung {
        &mut self.rungs[level.index()]
    }
}

fn constrain(constraints: Constraints) -> Vec<Action> {
    let told = EventKind::Mode {
        mode: constraints.mode.to_string(),
        l48: constraints.ceiling(Level::L48),
        l49: constraints.ceiling(Level::L49),
    };
    vec![Action::Constrain(constraints), Action::Emit(told)]
}

#[cfg(test)]
mod tests;
