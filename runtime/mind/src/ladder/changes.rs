//! What the ladder does about each kind of fault and order: the lists of actions, in their order.

use super::{Action, At, Fault, Ladder, RestartDecision, VetoKey};
use rungs_types::{Authority, Cause, EventKind, Level};

impl Ladder {
    pub(super) fn raise_floor(&mut self, reason: &str) -> Vec<Action> {
        self.rung_mut(Level::L45).wanted = Authority::Full;
        let mut actions = vec![Action::Stabilize { on: false }];
        actions.extend(self.settle(reason));
        actions
    }

    /// Freezes `level` and everything above it.
    pub(super) fn freeze(&mut self, level: Level, cause: Cause, fault: &Fault, at: At) -> Vec<Action> {
        let (mut actions, mut events) = self.take_down(level, false);
        if level == Level::L45 {
            actions.push(Action::Stabilize { on: true });
        }
        if let Some(role) = fault.failed_role() {
            actions.push(Action::Restart {
                role: role.clone(),
                cause: cause.clone(),
            });
        }
        let checkpoint = self.checkpoint(level);
        events.insert(
            0,
            Action::Emit(EventKind::Frozen {
                level,
                cause: cause.clone(),
                checkpoint,
            }),
        );
        let rung = self.rung_mut(level);
        if rung.vetoes.note(&VetoKey::of(&cause), at.cycle) {
            rung.suspended = true;
            actions.push(Action::Suspend { level });
            events.push(Action::Emit(EventKind::Suspended { level, cause }));
        }
        actions.extend(events);
        actions
    }

    /// An operator's freeze: it does not count towards suspension and lasts until the operator thaws it.
    pub(super) fn hold(&mut self, level: Level, cause: Cause) -> Vec<Action> {
        let (mut actions, events) = self.take_down(level, true);
        if level == Level::L45 {
            actions.push(Action::Stabilize { on: true });
        }
        self.rung_mut(level).held = true;
        let checkpoint = self.checkpoint(level);
        actions.push(Action::Emit(EventKind::Frozen {
            level,
            cause,
            checkpoint,
        }));
        actions.extend(events);
        actions
    }

    /// Authority off, advice back, state back; and the events that tell it.
    fn take_down(&mut self, level: Level, hold: bool) -> (Vec<Action>, Vec<Action>) {
        self.freezes = self.freezes.saturating_add(1);
        let mut actions = vec![Action::FreezeFrom { level, hold }];
        let mut events = Vec::new();
        let mut reverts = Vec::new();
        for above in Level::ALL.into_iter().rev().filter(|above| *above >= level) {
            let rung = self.rung_mut(above);
            if !rung.exists {
                continue;
            }
            let (from, checkpoint) = (rung.effective, rung.checkpoint);
            rung.epoch = rung.epoch.next();
            (rung.wanted, rung.effective) = (Authority::Frozen, Authority::Frozen);
            if from == Authority::Frozen {
                continue;
            }
            actions.push(Action::Withdraw {
                level: above,
                checkpoint,
            });
            reverts.push(Action::Revert {
                level: above,
                checkpoint,
            });
            let reason = if above == level {
                "freeze"
            } else {
                "freeze of a level below"
            };
            let to = Authority::Frozen;
            events.push(Action::Emit(EventKind::Authority {
                level: above,
                from,
                to,
                reason: reason.into(),
            }));
            events.push(Action::Emit(EventKind::Reverted {
                level: above,
                checkpoint,
            }));
        }
        actions.extend(reverts);
        (actions, events)
    }

    pub(super) fn reenable(&mut self, level: Level, who: &str) -> Vec<Action> {
        if level == Level::L45 {
            return self.raise_floor(&format!("operator {who}"));
        }
        vec![Action::Reenable { level }]
    }

    pub(super) fn suspend_without_recovery(&mut self, level: Level, cause: Cause) -> Vec<Action> {
        let rung = self.rung_mut(level);
        if rung.suspended || rung.effective != Authority::Frozen {
            return Vec::new();
        }
        rung.suspended = true;
        vec![
            Action::Suspend { level },
            Action::Emit(EventKind::Suspended { level, cause }),
        ]
    }

    pub(super) fn restart_agent(&mut self, cause: Cause, at: At) -> Vec<Action> {
        match self.restarts.on_failure(at.now_ms) {
            RestartDecision::After { delay_ms } => vec![Action::RestartAgent { delay_ms, cause }],
            RestartDecision::Park => self.park(cause, "the agent failed too often"),
        }
    }

    pub(super) fn park(&mut self, cause: Cause, summary: &str) -> Vec<Action> {
        let (mut actions, events) = self.take_down(Level::L45, true);
        self.parked = true;
        actions.push(Action::Park { cause: cause.clone() });
        let (level, checkpoint) = (Level::L45, self.checkpoint(Level::L45));
        actions.push(Action::Emit(EventKind::Frozen {
            level,
            cause: cause.clone(),
            checkpoint,
        }));
        actions.extend(events);
        actions.push(Action::Emit(EventKind::Parked { cause }));
        actions.push(Action::Emit(EventKind::Incident {
            raised: true,
            summary: summary.to_owned(),
        }));
        actions
    }

    /// Brings what is in force in line with what is wanted and what the level below has.
    pub(super) fn settle(&mut self, reason: &str) -> Vec<Action> {
        let mut below = Authority::Full;
        let mut changes = Vec::new();
        for level in Level::ALL {
            let rung = self.rung_mut(level);
            let to = rung.wanted.min(below);
            below = to;
            if to != rung.effective {
                changes.push((level, rung.effective, to));
                rung.effective = to;
            }
        }
        // Demotions from the top down, then promotions from the bottom up: invariant 1 holds after each of them.
        let (down, up): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(_, from, to)| to < from);
        let ordered = down.into_iter().rev().chain(up);
        let (mut actions, mut events) = (Vec::new(), Vec::new());
        for (level, from, to) in ordered {
            actions.push(Action::SetAuthority { level, from, to });
            events.push(Action::Emit(EventKind::Authority {
                level,
                from,
                to,
                reason: reason.to_owned(),
            }));
        }
        actions.extend(events);
        actions
    }
}
