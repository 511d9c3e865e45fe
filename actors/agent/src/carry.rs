//! Carrying out what the ladder has decided: the root's hands.
//!
//! Demotions are in the authority cell already when a decision comes here. What is left: to persist, to put promotions in
//! force, to tell the levels above ([`crate::relay`]), to take back and lay down advice, to tell watchers, and to end the tree.

use crate::agent::{Root, Rooted};
use crate::governor::Decision;
use crate::shared::End;
use ractor::ActorCell;
use rungs_mind::desk::Proposal;
use rungs_mind::l3::Floor;
use rungs_mind::l49::L49Output;
use rungs_mind::ladder::{Action, At, Ladder};
use rungs_types::{Authority, Epoch, EventKind, Level};
use std::time::Duration;

impl Root {
    /// Carries out everything that waits.
    pub(crate) async fn carry_out_all(&self, myself: &ActorCell, state: &mut Rooted) {
        while let Some(decision) = self.tree.shared.governor.next() {
            Box::pin(self.carry_out(decision, myself, state)).await;
        }
    }

    async fn carry_out(&self, decision: Decision, myself: &ActorCell, state: &mut Rooted) {
        if decision.actions.iter().any(is_promotion) {
            let granted = self.tree.shared.governor.ladder();
            match state.keeper.save_authority().await {
                Ok(_) => self.promote(&granted, state),
                Err(error) => {
                    state.unpersisted = true;
                    let what = "a promotion is not in force, because it could not be persisted";
                    self.warn(&format!("{what}: {error}"));
                }
            }
        }
        let Decision { at, actions, epochs } = decision;
        let demotes = actions.iter().any(Action::is_demotion);
        for action in actions {
            self.act(action, at, &epochs, myself, state);
        }
        if demotes && let Err(error) = state.keeper.save_authority().await {
            // The demotion holds; should the process end now, the end was not in order and demotes again at the start.
            self.warn(&format!("a demotion is in force and was not persisted: {error}"));
        }
    }

    fn act(&self, action: Action, at: At, epochs: &[Epoch; 5], myself: &ActorCell, state: &mut Rooted) {
        let shared = &self.tree.shared;
        match &action {
            Action::FreezeFrom { level, .. } => {
                if *level <= Level::L48 {
                    shared.advice.send_replace(None);
                }
            }
            Action::SetAuthority { level, to, .. } => {
                if *level == Level::L48 && *to < Authority::Advisory {
                    shared.advice.send_replace(None);
                }
            }
            Action::Withdraw { level, checkpoint } => {
                let (level, checkpoint) = (*level, *checkpoint);
                let count = self.tree.desk.withdraw(level, checkpoint);
                shared.log.emit(
                    at.cycle,
                    EventKind::Withdrawn {
                        level,
                        checkpoint,
                        count,
                    },
                );
            }
            Action::Restart { role, cause } => {
                // A phase's restart is told by the level that it belongs to.
                if !role.as_str().contains('/') {
                    state.causes.insert(role.clone(), cause.clone());
                }
            }
            Action::Stabilize { on } => self
                .tree
                .desk
                .set_floor(if *on { Floor::Failed } else { Floor::Silent }),
            Action::Advise(advice) => {
                self.tree.desk.lay(advice.clone());
                shared.advice.send_replace(Some(advice.clone()));
            }
            Action::Constrain(constraints) => self.tree.desk.constrain(*constraints),
            Action::Act(output) => self.act_on(output),
            Action::Emit(kind) => shared.log.emit(at.cycle, kind.clone()),
            Action::RestartAgent { delay_ms, cause } => {
                let delay = Duration::from_millis(*delay_ms);
                shared.end_with(End::Restart {
                    delay,
                    cause: cause.clone(),
                });
                myself.stop(Some("to be started again".to_owned()));
            }
            Action::Park { .. } => {
                shared.end_with(End::Park);
                myself.stop(Some("parked".to_owned()));
            }
            Action::Revert { .. } | Action::Suspend { .. } | Action::Reenable { .. } | Action::Place { .. } => {}
        }
        if let Some(level48) = &mut state.level48 {
            level48.tell(&self.tree, &action, at, epochs);
        }
        if let Some(level49) = &mut state.level49 {
            level49.tell(&self.tree, &action, at, epochs);
        }
    }

    /// What Level 4.9 has decided: its goals go to the kernel's desk, its messages to whom they are for.
    fn act_on(&self, output: &L49Output) {
        for injection in &output.goals.inject {
            self.tree.desk.propose(Proposal {
                epoch: output.pass.epoch,
                injection: injection.clone(),
            });
        }
        self.speak(output);
    }

    /// Puts in force what a ladder that has been persisted grants, as far as it is still granted.
    pub(crate) fn promote(&self, persisted: &Ladder, state: &mut Rooted) {
        state.unpersisted = false;
        for level in Level::ALL {
            self.tree.shared.governor.promote(level, persisted.authority(level));
        }
    }
}

fn is_promotion(action: &Action) -> bool {
    matches!(action, Action::SetAuthority { from, to, .. } if to > from)
}
