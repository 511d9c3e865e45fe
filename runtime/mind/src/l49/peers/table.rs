//! The agents that are modelled, at most five of them.

use super::peer::Peer;
use super::trust::Trust;
use crate::numeric::condense::Refused;
use rungs_types::AgentId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most agents modelled.
pub const MAX_PEERS: usize = 5;
/// Agents that were evicted, and whose trust is remembered.
pub const MAX_FORGOTTEN: usize = 16;
/// After so many cycles of silence what is known of an agent is of no use.
const SILENT_CYCLES: u64 = 1_000;

/// The models, in the order of the agents' names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPeers")]
pub struct Peers {
    peers: Vec<Peer>,
    /// Trust at eviction, oldest first.
    forgotten: VecDeque<(AgentId, Trust)>,
}

/// What [`Peers`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawPeers {
    peers: Vec<Peer>,
    forgotten: VecDeque<(AgentId, Trust)>,
}

impl TryFrom<RawPeers> for Peers {
    type Error = Refused;

    fn try_from(RawPeers { peers, forgotten }: RawPeers) -> Result<Self, Refused> {
        let ordered = peers.windows(2).all(|pair| pair[0].id() < pair[1].id());
        let counts = peers.len() <= MAX_PEERS && forgotten.len() <= MAX_FORGOTTEN;
        let apart = forgotten.iter().enumerate().all(|(at, (id, _))| {
            let mut later = forgotten.iter().skip(at + 1);
            later.all(|(other, _)| other != id) && peers.iter().all(|peer| peer.id() != id)
        });
        if ordered && counts && apart {
            Ok(Self { peers, forgotten })
        } else {
            Err(Refused("the models of agents"))
        }
    }
}

impl Peers {
    /// All models.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Peer> {
        self.peers.iter()
    }

    /// The model of an agent, if there is one.
    pub fn get(&self, id: &AgentId) -> Option<&Peer> {
        let at = self.peers.binary_search_by(|peer| peer.id().cmp(id)).ok()?;
        self.peers.get(at)
    }

    /// Whom the next newcomer would replace: of five, the one of which least is known, of equals the one that was silent
    /// longest, then the last in order. Silence of 1,000 cycles makes what is known worthless. `None` while there is
    /// room.
    pub fn least_useful(&self, cycle: u64) -> Option<&Peer> {
        if self.peers.len() < MAX_PEERS {
            return None;
        }
        let worth = |peer: &Peer| {
            let silent = cycle.saturating_sub(peer.last_seen()) >= SILENT_CYCLES;
            (if silent { 0 } else { peer.evidence() }, peer.last_seen())
        };
        self.peers.iter().rev().min_by_key(|peer| worth(peer))
    }

    /// The model of an agent that was heard of at `cycle`; a new one if there was none, for which the least useful goes.
    /// An agent that comes back starts with what trust it had, but no more than an unknown one.
    pub fn meet(&mut self, id: &AgentId, cycle: u64) -> &mut Peer {
        let at = match self.peers.binary_search_by(|peer| peer.id().cmp(id)) {
            Ok(at) => at,
            Err(_) => self.admit(id, cycle),
        };
        &mut self.peers[at]
    }

    fn admit(&mut self, id: &AgentId, cycle: u64) -> usize {
        if let Some(evicted) = self.least_useful(cycle).map(|peer| peer.id().clone()) {
            self.forget(&evicted);
        }
        let before = self.forgotten.iter().position(|(other, _)| other == id);
        let known = before.and_then(|at| self.forgotten.remove(at)).map(|(_, trust)| trust);
        let trust = known.map_or(Trust::default(), |trust| Trust::default().at_most(trust));
        let at = self.peers.partition_point(|peer| peer.id() < id);
        self.peers.insert(at, Peer::new(id.clone(), trust, cycle));
        at
    }

    /// Drops the model of an agent, and keeps how far it was trusted.
    pub fn forget(&mut self, id: &AgentId) {
        let Ok(at) = self.peers.binary_search_by(|peer| peer.id().cmp(id)) else {
            return;
        };
        let peer = self.peers.remove(at);
        if self.forgotten.len() == MAX_FORGOTTEN {
            // Whoever was trusted most loses nothing by being unknown.
            let most = (0..self.forgotten.len()).max_by(|a, b| {
                let trust = |at: &usize| self.forgotten[*at].1.get();
                trust(a).total_cmp(&trust(b)).then(b.cmp(a))
            });
            if let Some(at) = most {
                self.forgotten.remove(at);
            }
        }
        self.forgotten.push_back((peer.id().clone(), peer.trust()));
    }

    /// One pass of the level: see [`Peer::pass`].
    pub fn pass(&mut self, cycle: u64) {
        self.peers.iter_mut().for_each(|peer| peer.pass(cycle));
    }

    /// Share of the predicted observations of all (criterion MA-1: at least 0.60); `None` of none.
    pub fn accuracy(&self) -> Option<f64> {
        let (hits, count) = self.peers.iter().fold((0.0, 0.0), |(hits, count), peer| {
            let predictions = f64::from(peer.goals().predictions());
            (
                hits + peer.goals().accuracy().unwrap_or(0.0) * predictions,
                count + predictions,
            )
        });
        (count > 0.0).then(|| hits / count)
    }

    /// Mean of |trust - reliability| (criterion MA-2: below 0.15); `None` before a check.
    pub fn calibration_error(&self) -> Option<f64> {
        let errors: Vec<f64> = self.peers.iter().filter_map(Peer::calibration_error).collect();
        (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
    }
}
