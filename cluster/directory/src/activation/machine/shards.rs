//! Shards that come and go.

use super::{Activator, Live, Owned, Phase};
use crate::activation::action::{Action, Arrival};
use crate::activation::waiting::{Waiting, Why};
use crate::placement::Shard;
use rungs_types::AgentId;

impl<T> Activator<T> {
    /// A shard is this node's from now on. Those of its residents that do not run start.
    pub fn own(&mut self, arrival: Arrival) -> Vec<Action<T>> {
        let Arrival {
            shard,
            epoch,
            known,
            running,
        } = arrival;
        let residents = known.residents();
        let live = running.into_iter().map(|agent| {
            let live = Live {
                phase: Phase::Active,
                waiting: Waiting::default(),
                urgent: false,
            };
            (agent, live)
        });
        let owned = Owned {
            epoch,
            live: live.collect(),
            known,
            leaving: false,
        };
        self.shards.insert(shard, owned);
        for agent in residents {
            self.enqueue(&agent, false);
        }
        self.admit()
    }

    /// The shard is to leave: nothing of it starts, what runs comes to rest. [`Action::Released`] follows.
    pub fn release(&mut self, shard: Shard) -> Vec<Action<T>> {
        let Some(owned) = self.shards.get_mut(&shard) else {
            return vec![Action::Released { shard }];
        };
        owned.leaving = true;
        let mut actions = Vec::new();
        let mut queued = Vec::new();
        for (agent, live) in &mut owned.live {
            match live.phase {
                Phase::Queued => queued.push(agent.clone()),
                Phase::Active => {
                    live.phase = Phase::Passivating;
                    actions.push(Action::Passivate { agent: agent.clone() });
                }
                // What becomes of it is told when its start is over, or its rest.
                Phase::Activating | Phase::Passivating => {}
            }
        }
        for agent in queued {
            self.retire(&agent, Why::Moved, &mut actions);
        }
        self.settle(shard, &mut actions);
        actions
    }

    /// A shard that was to leave stays: what has come to rest starts again when it is wanted, and residents at once.
    pub fn resume(&mut self, shard: Shard) -> Vec<Action<T>> {
        let Some(owned) = self.shards.get_mut(&shard) else {
            return Vec::new();
        };
        owned.leaving = false;
        for agent in owned.known.residents() {
            self.enqueue(&agent, false);
        }
        self.admit()
    }

    /// The shard has been taken from this node: what it was about to do is void. Returns the agents that still run here, which
    /// are to be stopped without saving anything; what waits is given back.
    pub fn lose(&mut self, shard: Shard) -> (Vec<AgentId>, Vec<Action<T>>) {
        let Some(owned) = self.shards.get(&shard) else {
            return (Vec::new(), Vec::new());
        };
        let (agents, mut running): (Vec<AgentId>, _) = (owned.live.keys().cloned().collect(), Vec::new());
        let mut actions = Vec::new();
        for agent in agents {
            match self.retire(&agent, Why::Moved, &mut actions) {
                Some(Phase::Queued) | None => {}
                Some(_) => running.push(agent),
            }
        }
        self.shards.remove(&shard);
        actions.extend(self.admit());
        (running, actions)
    }
}
