//! The store: one sequence of commits, which take effect if their node reaches a majority of the voters. Reads may be of
//! a replica that is behind.

use crate::options::Sabotage;
use crate::witness::Witness;
use rungs_directory::Shard;
use rungs_directory::membership::{Answer, Need, Proposal, View, Write};
use rungs_types::Epoch;
use std::collections::VecDeque;
use std::sync::Arc;

/// How far a replica may be behind, in ms.
pub const MAX_LAG_MS: u64 = 2_000;

/// An effect of an agent on its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The agent, by its place.
    pub agent: usize,
    /// Its shard.
    pub shard: Shard,
    /// What it acts with.
    pub epoch: Epoch,
    /// Which activation.
    pub activation: u64,
    /// How many effects there were before it.
    pub base: usize,
    /// The message that it comes from.
    pub message: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Store {
    /// Of membership.
    pub view: Arc<View>,
    /// Every agent's effects, in order.
    pub agents: Vec<Vec<Effect>>,
    history: VecDeque<(u64, Arc<View>)>,
    sabotage: Option<Sabotage>,
}

impl Store {
    /// An empty one.
    pub fn new(agents: usize, sabotage: Option<Sabotage>) -> Self {
        Self {
            view: Arc::default(),
            agents: vec![Vec::new(); agents],
            history: VecDeque::new(),
            sabotage,
        }
    }

    /// A proposal arrives.
    pub fn propose(&mut self, now_ms: u64, proposal: &Proposal, witness: &mut Witness) -> Answer {
        let mut proposal = proposal.clone();
        if self.sabotage == Some(Sabotage::NoMapCompare) {
            // Who comes second overwrites the first; later ones are refused all the same.
            let current = self.view.map.version().0;
            proposal
                .needs
                .retain(|need| !matches!(need, Need::Map(version) if version.0 + 1 == current));
        }
        let Some(after) = self.view.commit(&proposal) else {
            return Answer::Conflict;
        };
        if proposal.writes.iter().any(|write| matches!(write, Write::Map(_))) {
            witness.map(now_ms, &self.view.map, &after.map);
        }
        self.history.push_back((now_ms, Arc::clone(&self.view)));
        while self
            .history
            .front()
            .is_some_and(|(until, _)| until + MAX_LAG_MS < now_ms)
        {
            self.history.pop_front();
        }
        self.view = Arc::new(after);
        Answer::Committed(self.view.revision)
    }

    /// What a replica shows that is so far behind.
    pub fn read(&self, now_ms: u64, lag_ms: u64) -> Arc<View> {
        let then = now_ms.saturating_sub(lag_ms);
        let old = self.history.iter().find(|(until, _)| *until > then);
        Arc::clone(old.map_or(&self.view, |(_, view)| view))
    }

    /// An agent becomes active, and learns how many effects there were.
    pub fn load(&self, now_ms: u64, agent: usize, epoch: Epoch, witness: &mut Witness) -> usize {
        witness.load(now_ms, agent, epoch);
        self.agents[agent].len()
    }

    /// An effect arrives: it is refused at an old epoch, and if it does not follow the one before.
    pub fn write(&mut self, now_ms: u64, effect: Effect, witness: &mut Witness) -> Answer {
        let current = self.view.map.holding(effect.shard).epoch;
        let is_fenced = effect.epoch < current && self.sabotage != Some(Sabotage::NoEpochCheck);
        if is_fenced || self.agents[effect.agent].len() != effect.base {
            return Answer::Conflict;
        }
        witness.effect(now_ms, &effect);
        self.agents[effect.agent].push(effect);
        Answer::Committed(self.view.revision)
    }
}
