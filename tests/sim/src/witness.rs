//! The witness: it sees what happens, not what nodes believe, and says what must not be.

use crate::store::Effect;
use rungs_directory::placement::MapVersion;
use rungs_directory::{Shard, ShardMap};
use rungs_types::Epoch;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A start of a node: its place, and which start.
pub type Boot = (usize, u64);

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A map was committed that does not follow the one before.
    Map(MapVersion),
    /// A shard changed its owner without a higher epoch, or its epoch fell.
    Epoch(Shard, MapVersion),
    /// A node went back to an older map.
    MapFell(Boot, MapVersion),
    /// An effect took effect after a later activation had begun.
    StaleEffect(usize, Epoch),
    /// Two nodes acted on the world outside as one agent, and the earlier was not over.
    Overlap(usize, Epoch, Boot),
    /// Two nodes believe that they may act for a shard.
    TwoOwners(Shard, usize, usize),
    /// A message was delivered twice.
    Twice(u64),
    /// An acknowledged message left no effect.
    Lost(u64),
    /// When everything works again, an agent does not answer a node.
    Stuck(usize, usize),
    /// When everything works again, a node does not serve or a shard does not arrive.
    Unsettled(String),
}

impl Violation {
    /// Whether it depends on clocks that keep to their bound.
    pub fn depends_on_clocks(&self) -> bool {
        matches!(self, Self::Overlap(..) | Self::TwoOwners(..))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[derive(Debug, Clone, Default)]
struct Seen {
    loaded: Epoch,
    outside: Option<(Epoch, Boot)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Witness {
    /// What it found, and when in ms.
    pub violations: Vec<(u64, Violation)>,
    agents: BTreeMap<usize, Seen>,
    maps: BTreeMap<Boot, MapVersion>,
    delivered: BTreeSet<u64>,
    /// Messages that were acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// Effects on the world outside.
    pub outside: u64,
}

/// More of them say nothing new.
const MAX_VIOLATIONS: usize = 20;

impl Witness {
    /// Notes what must not be.
    pub fn report(&mut self, now_ms: u64, violation: Violation) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push((now_ms, violation));
        }
    }

    /// A map is committed.
    pub fn map(&mut self, now_ms: u64, before: &ShardMap, after: &ShardMap) {
        if after.version().0 != before.version().0 + 1 {
            self.report(now_ms, Violation::Map(after.version()));
        }
        for ((shard, old), (_, new)) in before.holdings().zip(after.holdings()) {
            let moved = old.owner != new.owner;
            if new.epoch < old.epoch || (moved && new.epoch == old.epoch) {
                return self.report(now_ms, Violation::Epoch(shard, after.version()));
            }
        }
    }

    /// A node follows a map.
    pub fn follows(&mut self, now_ms: u64, boot: Boot, version: MapVersion) {
        let last = self.maps.insert(boot, version);
        if last > Some(version) {
            self.report(now_ms, Violation::MapFell(boot, version));
        }
    }

    /// An activation begins.
    pub fn load(&mut self, _: u64, agent: usize, epoch: Epoch) {
        let seen = self.agents.entry(agent).or_default();
        seen.loaded = seen.loaded.max(epoch);
    }

    /// An effect takes effect.
    pub fn effect(&mut self, now_ms: u64, effect: &Effect) {
        let loaded = self.agents.entry(effect.agent).or_default().loaded;
        if effect.epoch < loaded {
            self.report(now_ms, Violation::StaleEffect(effect.agent, effect.epoch));
        }
    }

    /// An agent acts on the world outside, where nothing is fenced.
    pub fn outside(&mut self, now_ms: u64, agent: usize, epoch: Epoch, boot: Boot) {
        self.outside += 1;
        let seen = self.agents.entry(agent).or_default();
        let is_wrong = seen
            .outside
            .is_some_and(|(last, by)| epoch < last || (epoch == last && by != boot));
        if seen.outside.is_none_or(|(last, _)| epoch >= last) {
            seen.outside = Some((epoch, boot));
        }
        if is_wrong {
            self.report(now_ms, Violation::Overlap(agent, epoch, boot));
        }
    }

    /// A message is handled.
    pub fn deliver(&mut self, now_ms: u64, message: u64) {
        if !self.delivered.insert(message) {
            self.report(now_ms, Violation::Twice(message));
        }
    }

    /// At the end: what was acknowledged is in the store.
    pub fn check_acknowledged(&mut self, now_ms: u64, agents: &[Vec<Effect>]) {
        let durable: BTreeSet<u64> = agents.iter().flatten().map(|effect| effect.message).collect();
        let lost: Vec<_> = self.acknowledged.difference(&durable).copied().collect();
        for message in lost {
            self.report(now_ms, Violation::Lost(message));
        }
    }
}
