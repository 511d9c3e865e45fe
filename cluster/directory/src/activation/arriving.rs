//! [`Arriving`]: shards that are this node's and whose agents are not known yet, and what has come for them meanwhile.

use super::actor::Letter;
use super::door;
use super::limits::Limits;
use crate::placement::Shard;
use rungs_types::{AgentId, Epoch};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Arriving {
    limits: Limits,
    shards: BTreeMap<Shard, Coming>,
    count: usize,
    bytes: u64,
}

#[derive(Debug)]
struct Coming {
    epoch: Epoch,
    /// Its agents could not be read, and are read again at the next tick.
    unread: bool,
    early: Vec<(AgentId, Letter)>,
}

impl Arriving {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            shards: BTreeMap::new(),
            count: 0,
            bytes: 0,
        }
    }

    /// These shards come.
    pub(super) fn begin(&mut self, shards: &[(Shard, Epoch)]) {
        for (shard, epoch) in shards {
            let coming = self.shards.entry(*shard).or_insert(Coming {
                epoch: *epoch,
                unread: false,
                early: Vec::new(),
            });
            coming.epoch = *epoch;
        }
    }

    /// Whether the agents of a shard are being read.
    pub(super) fn expects(&self, shard: Shard) -> bool {
        self.shards.contains_key(&shard)
    }

    /// Keeps what is for an agent of such a shard; gives back what is not, and refuses what there is no room for.
    pub(super) fn hold(&mut self, agent: &AgentId, letter: Letter) -> Option<Letter> {
        let Some(coming) = self.shards.get_mut(&Shard::of(agent)) else {
            return Some(letter);
        };
        let bytes = letter.payload.bytes.len() as u64;
        if self.count >= self.limits.parcels || self.bytes.saturating_add(bytes) > self.limits.bytes {
            door::refuse_full(letter, agent);
            return None;
        }
        self.count += 1;
        self.bytes += bytes;
        coming.early.push((agent.clone(), letter));
        None
    }

    /// The agents of a shard are known: what has come for them, unless it came anew or went meanwhile.
    pub(super) fn arrived(&mut self, shard: Shard, epoch: Epoch) -> Option<Vec<(AgentId, Letter)>> {
        let current = self.shards.get(&shard).is_some_and(|coming| coming.epoch == epoch);
        let coming = current.then(|| self.shards.remove(&shard)).flatten()?;
        self.weigh_off(&coming.early);
        Some(coming.early)
    }

    /// A shard comes no more: what has come for it.
    pub(super) fn forget(&mut self, shard: Shard) -> Vec<Letter> {
        let early = self
            .shards
            .remove(&shard)
            .map(|coming| coming.early)
            .unwrap_or_default();
        self.weigh_off(&early);
        early.into_iter().map(|(_, letter)| letter).collect()
    }

    /// No shard comes any more.
    pub(super) fn clear(&mut self) -> Vec<Letter> {
        let shards: Vec<Shard> = self.shards.keys().copied().collect();
        shards.into_iter().flat_map(|shard| self.forget(shard)).collect()
    }

    /// The agents of these shards could not be read.
    pub(super) fn unread(&mut self, shards: &[(Shard, Epoch)]) {
        for (shard, epoch) in shards {
            if let Some(coming) = self.shards.get_mut(shard).filter(|coming| coming.epoch == *epoch) {
                coming.unread = true;
            }
        }
    }

    /// The shards whose agents are to be read again.
    pub(super) fn due(&mut self) -> Vec<(Shard, Epoch)> {
        let unread = self.shards.iter_mut().filter(|(_, coming)| coming.unread);
        let due = unread.map(|(shard, coming)| {
            coming.unread = false;
            (*shard, coming.epoch)
        });
        due.collect()
    }

    /// What nobody waits for any more.
    pub(super) fn late(&mut self, now: Instant) -> Vec<Letter> {
        let mut late = Vec::new();
        for coming in self.shards.values_mut() {
            let over = coming.early.extract_if(.., |(_, letter)| letter.until <= now);
            late.extend(over.map(|(_, letter)| letter));
        }
        self.count -= late.len();
        self.bytes -= late.iter().map(|letter| letter.payload.bytes.len() as u64).sum::<u64>();
        late
    }

    fn weigh_off(&mut self, early: &[(AgentId, Letter)]) {
        self.count -= early.len();
        let bytes = early.iter().map(|(_, letter)| letter.payload.bytes.len() as u64);
        self.bytes -= bytes.sum::<u64>();
    }
}
