//! Carrying out what the ladder has decided.

use super::Stack;
use crate::l3::Floor;
use crate::ladder::{Action, Fault, Request};
use rungs_types::{EventKind, Level};

impl Stack {
    /// Something went wrong at `cycle`.
    pub(super) fn fault(&mut self, fault: &Fault, cycle: u64) {
        let actions = self.ladder.on_fault(fault, self.at(cycle));
        self.carry_out(actions, cycle);
    }

    /// A level asks for something. All of it is decided before any of it is carried out.
    pub(super) fn requests(&mut self, level: Level, requests: Vec<Request>, cycle: u64) {
        let at = self.at(cycle);
        let mut actions = Vec::new();
        for request in requests {
            actions.extend(self.ladder.on_request(level, request, at));
        }
        self.carry_out(actions, cycle);
    }

    pub(super) fn carry_out(&mut self, actions: Vec<Action>, cycle: u64) {
        for action in actions {
            if let Some(level48) = &mut self.level48 {
                level48.obey(&action, cycle);
            }
            if let Some(level49) = &mut self.level49 {
                level49.obey(&action, cycle);
            }
            self.act(action, cycle);
        }
    }

    fn act(&mut self, action: Action, cycle: u64) {
        match action {
            Action::Withdraw { level, checkpoint } => {
                let count = self.desk.withdraw(level, checkpoint);
                self.tell(
                    cycle,
                    EventKind::Withdrawn {
                        level,
                        checkpoint,
                        count,
                    },
                );
            }
            Action::Stabilize { on } => self.desk.set_floor(if on { Floor::Failed } else { Floor::Silent }),
            Action::Advise(advice) => self.desk.lay(advice),
            Action::Constrain(constraints) => {
                self.level45.constrain(constraints.floor_degraded());
                self.desk.constrain(constraints);
            }
            Action::Act(output) => self.act_on(&output),
            Action::Emit(kind) => self.tell(cycle, kind),
            Action::Park { .. } | Action::RestartAgent { .. } => self.ended = true,
            // The kernel reads authority from the ladder itself; the rest concerns the levels above, which have obeyed.
            Action::SetAuthority { .. }
            | Action::FreezeFrom { .. }
            | Action::Revert { .. }
            | Action::Restart { .. }
            | Action::Suspend { .. }
            | Action::Reenable { .. }
            | Action::Place { .. } => {}
        }
    }
}
