//! [`Activator`]: which agents of the node's shards run, and what waits for those that do not.
//!
//! Pure: it is told what has happened and answers with what is to be done. Time is since the start of the node.
//!
//! Invariants:
//! 1. An agent that is not passive belongs to a shard that is this node's, and carries the epoch of its activation.
//! 2. At most [`Limits::activating`] agents start at a time; those for which a message waits go before residents.
//! 3. What is taken is delivered in order, or given back with the reason; never both, never twice.
//! 4. What waits is bounded, for each agent and for all together.
//! 5. A shard that leaves is released only after the last of its agents has come to rest.

use super::action::{Action, Failure, Wanted};
use super::index::Index;
use super::limits::Limits;
use super::waiting::{Load, Unwanted, Waiting, Why};
use crate::placement::Shard;
use rungs_types::{AgentId, Epoch};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod shards;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for room to start.
    Queued,
    Activating,
    Active,
    Passivating,
}

/// An agent that is not passive.
#[derive(Debug, Clone)]
struct Live<T> {
    phase: Phase,
    waiting: Waiting<T>,
    /// Somebody waits for it.
    urgent: bool,
}

#[derive(Debug, Clone)]
struct Owned<T> {
    epoch: Epoch,
    known: Index,
    live: BTreeMap<AgentId, Live<T>>,
    /// Its agents come to rest, and nothing new starts.
    leaving: bool,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    failures: u32,
    until: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Activator<T> {
    limits: Limits,
    shards: BTreeMap<Shard, Owned<T>>,
    /// Agents that wait for room to start because somebody waits for them.
    urgent: VecDeque<AgentId>,
    /// Those that nobody waits for.
    patient: VecDeque<AgentId>,
    activating: usize,
    load: Load,
    pauses: BTreeMap<AgentId, Pause>,
}

impl<T> Activator<T> {
    /// A node without shards.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            shards: BTreeMap::new(),
            urgent: VecDeque::new(),
            patient: VecDeque::new(),
            activating: 0,
            load: Load::default(),
            pauses: BTreeMap::new(),
        }
    }

    /// An agent was registered; `false` if it was known, or its shard is not here. A resident starts.
    pub fn register(&mut self, agent: &AgentId, resident: bool) -> (bool, Vec<Action<T>>) {
        let here = self.shards.get_mut(&Shard::of(agent)).filter(|owned| !owned.leaving);
        if !here.is_some_and(|owned| owned.known.insert(agent, resident)) {
            return (false, Vec::new());
        }
        if resident {
            self.enqueue(agent, false);
        }
        (true, self.admit())
    }

    /// An agent was deleted and does not run: it is forgotten, and what waits for it is given back.
    pub fn forget(&mut self, agent: &AgentId) -> Vec<Action<T>> {
        let mut actions = Vec::new();
        self.retire(agent, Why::Unknown, &mut actions);
        self.pauses.remove(agent);
        if let Some(owned) = self.shards.get_mut(&Shard::of(agent)) {
            owned.known.remove(agent);
        }
        self.settle(Shard::of(agent), &mut actions);
        actions.extend(self.admit());
        actions
    }

    /// An agent is wanted.
    pub fn wanted(&mut self, agent: &AgentId, wanted: Wanted<T>, now: Duration) -> Vec<Action<T>> {
        match (self.refusal(agent, &wanted, now), wanted) {
            (None, wanted) => self.take(agent, wanted),
            (Some(_), Wanted::ToRun) => Vec::new(),
            (Some(why), Wanted::For(parcel)) => vec![Action::GiveBack(Unwanted {
                agent: agent.clone(),
                content: parcel.content,
                why,
            })],
        }
    }

    /// An agent that was to start runs.
    pub fn started(&mut self, agent: &AgentId, epoch: Epoch) -> Vec<Action<T>> {
        let load = &mut self.load;
        // One of an epoch that is over is stopped by whoever took the shard away.
        let owned = self
            .shards
            .get_mut(&Shard::of(agent))
            .filter(|owned| owned.epoch == epoch);
        let Some(owned) = owned else { return Vec::new() };
        let activating = |live: &&mut Live<T>| live.phase == Phase::Activating;
        let Some(live) = owned.live.get_mut(agent).filter(activating) else {
            return Vec::new();
        };
        let parcels = live.waiting.take(load);
        live.urgent = false;
        self.activating -= 1;
        self.pauses.remove(agent);
        let mut actions = Vec::new();
        if !parcels.is_empty() {
            actions.push(Action::Deliver {
                agent: agent.clone(),
                contents: parcels.into_iter().map(|parcel| parcel.content).collect(),
            });
        }
        if owned.leaving {
            live.phase = Phase::Passivating;
            actions.push(Action::Passivate { agent: agent.clone() });
        } else {
            live.phase = Phase::Active;
        }
        actions.extend(self.admit());
        actions
    }

    /// An agent that was to start does not.
    pub fn failed(&mut self, agent: &AgentId, epoch: Epoch, failure: Failure, now: Duration) -> Vec<Action<T>> {
        let shard = Shard::of(agent);
        let current = self.epoch(shard) == Some(epoch);
        if !current || self.phase(agent) != Some(Phase::Activating) {
            return Vec::new();
        }
        let why = match failure {
            Failure::Unknown => return self.forget(agent),
            Failure::Failed => Why::Failing {
                retry_after: self.pause(agent, now),
            },
        };
        let mut actions = Vec::new();
        self.retire(agent, why, &mut actions);
        self.settle(shard, &mut actions);
        actions.extend(self.admit());
        actions
    }

    /// An agent has had nothing to do for long enough. Nothing happens to a resident, nor to one that does not run.
    pub fn idle(&mut self, agent: &AgentId) -> Vec<Action<T>> {
        if self.is_resident(agent) {
            return Vec::new();
        }
        let Some(owned) = self.shards.get_mut(&Shard::of(agent)) else {
            return Vec::new();
        };
        match owned.live.get_mut(agent) {
            Some(live) if live.phase == Phase::Active => {
                live.phase = Phase::Passivating;
                vec![Action::Passivate { agent: agent.clone() }]
            }
            _ => Vec::new(),
        }
    }

    /// An agent has come to rest, its state is saved: because it was told to, or by itself. If it is wanted by now it starts
    /// again.
    pub fn rested(&mut self, agent: &AgentId) -> Vec<Action<T>> {
        let shard = Shard::of(agent);
        let mut actions = Vec::new();
        let Some(owned) = self.shards.get_mut(&shard) else {
            return actions;
        };
        match owned.live.get_mut(agent) {
            Some(live) if matches!(live.phase, Phase::Passivating | Phase::Active) => {
                if live.urgent && !owned.leaving {
                    live.phase = Phase::Queued;
                    self.urgent.push_back(agent.clone());
                } else {
                    self.retire(agent, Why::Moved, &mut actions);
                }
            }
            _ => return actions,
        }
        self.settle(shard, &mut actions);
        actions.extend(self.admit());
        actions
    }

    /// Gives back what nobody waits for any more, and tries residents again that did not start; to be called every so often.
    pub fn sweep(&mut self, now: Duration) -> Vec<Action<T>> {
        let over = self.pauses.iter().filter(|(_, pause)| pause.until <= now);
        let over: Vec<AgentId> = over.map(|(agent, _)| agent.clone()).collect();
        for agent in over {
            if self.is_resident(&agent) {
                self.enqueue(&agent, false);
            }
        }
        let mut actions = self.admit();
        let load = &mut self.load;
        for (agent, live) in self.shards.values_mut().flat_map(|owned| &mut owned.live) {
            actions.extend(live.waiting.take_late(now, load).into_iter().map(|parcel| {
                Action::GiveBack(Unwanted {
                    agent: agent.clone(),
                    content: parcel.content,
                    why: Why::Late,
                })
            }));
        }
        let kept = self.limits.longest_pause;
        self.pauses.retain(|_, pause| pause.until + kept > now);
        actions
    }

    /// Whether an agent runs.
    pub fn is_active(&self, agent: &AgentId) -> bool {
        self.phase(agent) == Some(Phase::Active)
    }

    /// Whether an agent neither runs nor is about to.
    pub fn is_passive(&self, agent: &AgentId) -> bool {
        self.phase(agent).is_none()
    }

    /// Whether an agent is to run always.
    pub fn is_resident(&self, agent: &AgentId) -> bool {
        let owned = self.shards.get(&Shard::of(agent));
        owned.is_some_and(|owned| owned.known.is_resident(agent))
    }

    /// Whether an agent is known here.
    pub fn knows(&self, agent: &AgentId) -> bool {
        let owned = self.shards.get(&Shard::of(agent));
        owned.is_some_and(|owned| owned.known.contains(agent))
    }

    /// The epoch in which a shard is this node's.
    pub fn epoch(&self, shard: Shard) -> Option<Epoch> {
        self.shards.get(&shard).map(|owned| owned.epoch)
    }

    /// The shards that are here, or are leaving.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + '_ {
        self.shards.keys().copied()
    }

    /// How many agents are known, and how many of them are not passive.
    pub fn counts(&self) -> (usize, usize) {
        let count = |(known, live), owned: &Owned<T>| (known + owned.known.len(), live + owned.live.len());
        self.shards.values().fold((0, 0), count)
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.load.parcels
    }
}

impl<T> Activator<T> {
    fn phase(&self, agent: &AgentId) -> Option<Phase> {
        let owned = self.shards.get(&Shard::of(agent))?;
        owned.live.get(agent).map(|live| live.phase)
    }

    /// Why an agent cannot be wanted now.
    fn refusal(&self, agent: &AgentId, wanted: &Wanted<T>, now: Duration) -> Option<Why> {
        let owned = match self.shards.get(&Shard::of(agent)) {
            Some(owned) if !owned.leaving => owned,
            _ => return Some(Why::Moved),
        };
        if !owned.known.contains(agent) {
            return Some(Why::Unknown);
        }
        let live = owned.live.get(agent);
        let pause = self.pauses.get(agent).filter(|pause| pause.until > now);
        if let (None, Some(pause)) = (live, pause) {
            let retry_after = pause.until - now;
            return Some(Why::Failing { retry_after });
        }
        let Wanted::For(parcel) = wanted else { return None };
        let waits = live.map_or(Load::default(), |live| live.waiting.load());
        let (limits, all) = (&self.limits, self.load);
        let fits = waits.parcels < limits.parcels_per_agent
            && waits.bytes.saturating_add(parcel.bytes) <= limits.bytes_per_agent
            && all.parcels < limits.parcels
            && all.bytes.saturating_add(parcel.bytes) <= limits.bytes;
        (!fits).then_some(Why::Full)
    }

    /// Takes what is not refused.
    fn take(&mut self, agent: &AgentId, wanted: Wanted<T>) -> Vec<Action<T>> {
        self.enqueue(agent, true);
        let owned = self.shards.get_mut(&Shard::of(agent));
        let Some(live) = owned.and_then(|owned| owned.live.get_mut(agent)) else {
            return Vec::new();
        };
        if live.phase == Phase::Active {
            // It was on its way here when the agent began to run.
            let contents = match wanted {
                Wanted::For(parcel) => vec![parcel.content],
                Wanted::ToRun => return Vec::new(),
            };
            let agent = agent.clone();
            return vec![Action::Deliver { agent, contents }];
        }
        if live.phase == Phase::Queued && !live.urgent {
            self.urgent.push_back(agent.clone());
        }
        live.urgent = true;
        if let Wanted::For(parcel) = wanted {
            live.waiting.push(parcel, &mut self.load);
        }
        self.admit()
    }

    /// Lets a passive agent wait for room to start.
    fn enqueue(&mut self, agent: &AgentId, urgent: bool) {
        let Some(owned) = self.shards.get_mut(&Shard::of(agent)) else {
            return;
        };
        if owned.live.contains_key(agent) {
            return;
        }
        let queue = if urgent { &mut self.urgent } else { &mut self.patient };
        queue.push_back(agent.clone());
        let live = Live {
            phase: Phase::Queued,
            waiting: Waiting::default(),
            urgent,
        };
        owned.live.insert(agent.clone(), live);
    }

    /// Starts agents while there is room.
    fn admit(&mut self) -> Vec<Action<T>> {
        let mut actions = Vec::new();
        while self.activating < self.limits.activating {
            let Some(agent) = self.urgent.pop_front().or_else(|| self.patient.pop_front()) else {
                break;
            };
            let Some(owned) = self.shards.get_mut(&Shard::of(&agent)) else {
                continue;
            };
            // One that stands in both queues has started already.
            let queued = |live: &&mut Live<T>| live.phase == Phase::Queued;
            let Some(live) = owned.live.get_mut(&agent).filter(queued) else {
                continue;
            };
            live.phase = Phase::Activating;
            self.activating += 1;
            let epoch = owned.epoch;
            actions.push(Action::Activate { agent, epoch });
        }
        actions
    }

    /// The agent is passive from now on; what waited for it is given back. In which phase it was.
    fn retire(&mut self, agent: &AgentId, why: Why, actions: &mut Vec<Action<T>>) -> Option<Phase> {
        let owned = self.shards.get_mut(&Shard::of(agent))?;
        let mut live = owned.live.remove(agent)?;
        if live.phase == Phase::Activating {
            self.activating -= 1;
        }
        let parcels = live.waiting.take(&mut self.load);
        actions.extend(parcels.into_iter().map(|parcel| {
            Action::GiveBack(Unwanted {
                agent: agent.clone(),
                content: parcel.content,
                why,
            })
        }));
        Some(live.phase)
    }

    /// Leaves a shard whose last agent has come to rest.
    fn settle(&mut self, shard: Shard, actions: &mut Vec<Action<T>>) {
        let done = |owned: &Owned<T>| owned.leaving && owned.live.is_empty();
        if self.shards.get(&shard).is_some_and(done) {
            self.shards.remove(&shard);
            actions.push(Action::Released { shard });
        }
    }

    /// Notes another failure; how long the agent is left alone.
    fn pause(&mut self, agent: &AgentId, now: Duration) -> Duration {
        let failures = self.pauses.get(agent).map_or(0, |pause| pause.failures);
        let doubled = self.limits.first_pause.saturating_mul(1 << failures.min(16));
        let length = doubled.min(self.limits.longest_pause);
        if self.pauses.len() >= self.limits.failures && !self.pauses.contains_key(agent) {
            // The one that is over first makes room.
            let first = self.pauses.iter().min_by_key(|(_, pause)| pause.until);
            if let Some(first) = first.map(|(agent, _)| agent.clone()) {
                self.pauses.remove(&first);
            }
        }
        let pause = Pause {
            failures: failures.saturating_add(1),
            until: now + length,
        };
        self.pauses.insert(agent.clone(), pause);
        length
    }
}

#[cfg(test)]
mod tests;
