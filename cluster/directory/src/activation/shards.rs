//! What becomes of the activator's shards: they come, with the agents that are registered in them, and go, in order or not.

use super::action::{Action, Arrival};
use super::actor::{Activating, ActivatorActor, ActivatorMessage, Letter};
use crate::handover::ShardAction;
use crate::placement::Shard;
use rungs_host::tasks;
use rungs_types::{AgentId, Epoch};
use std::collections::BTreeMap;

impl ActivatorActor {
    /// Does what the map says, in this order.
    pub(super) fn change(&self, changes: Vec<ShardAction>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (mut actions, mut came) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                ShardAction::Start { shard, epoch } | ShardAction::Resume { shard, epoch } => {
                    if state.machine.epoch(shard) == Some(epoch) {
                        actions.extend(self.resume(shard, epoch, state));
                    } else {
                        came.push((shard, epoch));
                    }
                }
                ShardAction::Hold { shard, .. } => {
                    self.send_back(state.arriving.forget(shard));
                    actions.extend(state.machine.release(shard));
                }
                ShardAction::Pass { shard } => {
                    self.send_back(state.arriving.forget(shard));
                    actions.extend(self.lose(shard, state));
                }
            }
        }
        state.arriving.begin(&came);
        self.read(came, state);
        actions
    }

    /// A shard that was to leave stays. What has not come to rest yet does, and starts again when it is wanted.
    fn resume(&self, shard: Shard, epoch: Epoch, state: &mut Activating) -> Vec<Action<Letter>> {
        let actions = state.machine.resume(shard);
        tracing::info!(shard = shard.number(), epoch = epoch.0, "shard stays");
        actions
    }

    /// The lease is over: nothing that runs is this node's any more.
    pub(super) fn stop(&self, state: &mut Activating) -> Vec<Action<Letter>> {
        self.send_back(state.arriving.clear());
        let shards: Vec<Shard> = state.machine.shards().collect();
        let mut actions = Vec::new();
        for shard in shards {
            actions.extend(self.lose(shard, state));
        }
        actions
    }

    fn lose(&self, shard: Shard, state: &mut Activating) -> Vec<Action<Letter>> {
        let (running, actions) = state.machine.lose(shard);
        for agent in running {
            self.end(agent, state);
        }
        actions
    }

    /// Ends an agent whose shard is not this node's any more. What it writes meanwhile is
    /// refused by the fence, and where the lease is over it does nothing at all.
    fn end(&self, agent: AgentId, state: &mut Activating) {
        if state.ending.insert(agent.clone(), None).is_some() {
            return;
        }
        let (rest, done) = (self.parts.guests.rest(agent.clone()), state.handle.clone());
        tasks::spawn("end an agent of a lost shard", async move {
            rest.await;
            done.signal(ActivatorMessage::Ended(agent));
        });
    }

    pub(super) fn ended(&self, agent: AgentId, state: &mut Activating) -> Vec<Action<Letter>> {
        match state.ending.remove(&agent).flatten() {
            Some(epoch) => vec![Action::Activate { agent, epoch }],
            None => {
                self.parts.endpoints.reveal(&agent);
                Vec::new()
            }
        }
    }

    /// Reads which agents these shards have, as a task of its own.
    pub(super) fn read(&self, shards: Vec<(Shard, Epoch)>, state: &Activating) {
        if shards.is_empty() {
            return;
        }
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        tasks::spawn("read agents of shards", async move {
            match records.index(shards.iter().map(|(shard, _)| *shard)).await {
                Ok(indices) => {
                    let epochs: BTreeMap<Shard, Epoch> = shards.into_iter().collect();
                    let arrivals = indices.into_iter().map(|(shard, known)| Arrival {
                        shard,
                        epoch: epochs[&shard],
                        known,
                        running: Vec::new(),
                    });
                    done.signal(ActivatorMessage::Own(arrivals.collect()));
                }
                Err(error) => done.signal(ActivatorMessage::Unread(shards, error)),
            }
        });
    }

    /// Takes shards whose agents are known now; those that went meanwhile are passed over.
    pub(super) fn own(&self, arrivals: Vec<Arrival>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (mut actions, mut waiting) = (Vec::new(), Vec::new());
        for arrival in arrivals {
            let (shard, epoch) = (arrival.shard, arrival.epoch);
            let Some(early) = state.arriving.arrived(shard, epoch) else {
                continue;
            };
            actions.extend(self.lose(shard, state));
            actions.extend(state.machine.own(arrival));
            waiting.extend(early);
        }
        for (agent, letter) in waiting {
            actions.extend(self.wanted(&agent, letter, state));
        }
        actions
    }

    fn send_back(&self, letters: Vec<Letter>) {
        letters.into_iter().for_each(|letter| (self.parts.moved)(letter));
    }
}
