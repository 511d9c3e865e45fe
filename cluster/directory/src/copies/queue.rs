//! [`Queue`]: which snapshots of this node's agents have still to be copied, and which the index has still to name.
//!
//! ```text
//!            written                taken             confirmed
//!  (nothing) ───────▶ waiting ──────────────▶ sending ─────────▶ clean ── at rest, and in the index ──▶ (nothing)
//!                        ▲ failed: after a pause │  │ written meanwhile
//!                        └───────────────────────┴──┘
//! ```
//! Pure: time is told, and where a copy goes is asked of a function.
//!
//! Invariants:
//! 1. Of each agent one snapshot counts, the last; it is waiting, or being sent, or clean.
//! 2. At most [`Queue::max`] agents are known here. One more takes the place of one that is clean, or is left out.
//! 3. A batch keeps to [`MAX_BATCH_COPIES`] and [`MAX_BATCH_BYTES`].

use super::index::REPEAT_EVERY;
use super::messages::{MAX_BATCH_BYTES, MAX_BATCH_COPIES};
use rungs_store::Stamp;
use rungs_types::{AgentId, NodeName};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Agents that are known at a time: more than run on a node.
pub(super) const MAX_TRACKED: usize = 16_384;
/// How often a copy is sent before it is given up, until the next snapshot of its agent.
pub(super) const MAX_TRIES: u32 = 8;
/// The pause after the first failure; doubled with each further one.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a copy whose holder is down rests before it is looked at again. It counts as no failure.
pub(super) const HOLDER_PAUSE: Duration = Duration::from_secs(1);
/// How long the index is not told of an agent of which no copy is known: it may name the holder of an earlier one.
pub(super) const UNCONFIRMED_WAIT: Duration = Duration::from_secs(30);
/// Copies that are looked at for one batch.
const MAX_LOOKED_AT: usize = 1024;

/// A copy that its holder has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confirmed {
    pub(super) holder: NodeName,
    pub(super) stamp: Stamp,
    pub(super) hash: [u8; 32],
}

/// What the index is to say of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) agent: AgentId,
    /// Its last snapshot.
    pub(super) stamp: Stamp,
    /// Who has a copy of it or of one before it.
    pub(super) holder: Option<NodeName>,
    /// Of the last snapshot's content, if it has been copied.
    pub(super) hash: Option<[u8; 32]>,
}

/// Copies for one holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) holder: NodeName,
    pub(super) agents: Vec<AgentId>,
}

#[derive(Debug)]
struct Sending {
    stamp: Stamp,
    /// When the first snapshot after it was written.
    next_since: Option<Duration>,
}

#[derive(Debug)]
struct Line {
    /// The last snapshot and its size.
    written: Stamp,
    bytes: usize,
    /// When the oldest snapshot was written that nobody has confirmed, nor a later one.
    since: Option<Duration>,
    sending: Option<Sending>,
    /// When it is looked at next, while it waits.
    due: Duration,
    tries: u32,
    confirmed: Option<Confirmed>,
    /// What the index says.
    indexed: Option<(Stamp, Option<NodeName>)>,
    /// The agent does not run.
    resting: bool,
}

impl Line {
    fn holder(&self) -> Option<&NodeName> {
        self.confirmed.as_ref().map(|confirmed| &confirmed.holder)
    }

    fn waits(&self) -> bool {
        self.since.is_some() && self.sending.is_none()
    }

    fn is_clean(&self) -> bool {
        self.since.is_none() && self.indexed.as_ref().is_some_and(|(stamp, _)| *stamp == self.written)
    }

    /// Whether the index is to be told in this round.
    fn is_due(&self, round: u64, now: Duration) -> bool {
        let young = |since: Duration| now.saturating_sub(since) < UNCONFIRMED_WAIT;
        if self.confirmed.is_none() && self.since.is_some_and(young) {
            return false;
        }
        let Some((stamp, holder)) = &self.indexed else {
            return true;
        };
        let elsewhere = stamp.epoch != self.written.epoch || holder.as_ref() != self.holder();
        elsewhere || (*stamp != self.written && (self.resting || round.is_multiple_of(REPEAT_EVERY)))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    max: usize,
    lines: HashMap<AgentId, Line>,
    /// Those that wait, by when they are looked at.
    waiting: BTreeSet<(Duration, AgentId)>,
}

impl Queue {
    /// For so many agents.
    pub(super) fn bounded(max: usize) -> Self {
        Self {
            max,
            lines: HashMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// An agent has a new snapshot; `false` if there is no room for it.
    pub(super) fn written(&mut self, agent: &AgentId, stamp: Stamp, bytes: usize, now: Duration) -> bool {
        if !self.lines.contains_key(agent) && !self.make_room() {
            return false;
        }
        let line = self.lines.entry(agent.clone()).or_insert(Line {
            written: stamp,
            bytes,
            since: None,
            sending: None,
            due: now,
            tries: 0,
            confirmed: None,
            indexed: None,
            resting: false,
        });
        // Two writers of an agent's snapshots may tell of them in either order.
        if stamp >= line.written {
            (line.written, line.bytes) = (stamp, bytes);
        }
        line.resting = false;
        if let Some(sending) = &mut line.sending {
            sending.next_since.get_or_insert(now);
        } else if line.since.is_none() {
            (line.since, line.due, line.tries) = (Some(now), now, 0);
            self.waiting.insert((now, agent.clone()));
        }
        true
    }

    /// The last snapshot of an agent that does not run is to be copied, of which the index says this; `false` if there is no
    /// room for it: half of the room is for those that run.
    pub(super) fn repair(&mut self, said: Named, now: Duration) -> bool {
        let Named {
            agent,
            stamp,
            holder,
            hash,
        } = said;
        if self.lines.contains_key(&agent) {
            return true;
        }
        if self.lines.len() >= self.max / 2 {
            return false;
        }
        let confirmed = holder.clone().map(|holder| Confirmed {
            holder,
            stamp: if hash.is_some() { stamp } else { Stamp::default() },
            hash: hash.unwrap_or_default(),
        });
        let line = Line {
            written: stamp,
            bytes: MAX_BATCH_BYTES / MAX_BATCH_COPIES,
            since: Some(now),
            sending: None,
            due: now,
            tries: 0,
            confirmed,
            indexed: Some((stamp, holder)),
            resting: true,
        };
        self.waiting.insert((now, agent.clone()));
        self.lines.insert(agent, line);
        true
    }

    fn make_room(&mut self) -> bool {
        if self.lines.len() < self.max {
            return true;
        }
        let clean = self.lines.iter().find(|(_, line)| line.is_clean());
        let clean = clean.map(|(agent, _)| agent.clone());
        clean.is_some_and(|agent| self.lines.remove(&agent).is_some())
    }

    /// Some copies that are due, for the holder of the first whose holder is up. `holder` says which that is, none if
    /// there is none or it is down.
    pub(super) fn take(&mut self, now: Duration, holder: impl Fn(&AgentId) -> Option<NodeName>) -> Option<Batch> {
        let mut batch: Option<Batch> = None;
        let (mut later, mut room) = (Vec::new(), 0);
        let due = self.waiting.iter().take_while(|(due, _)| *due <= now);
        for (_, agent) in due.take(MAX_LOOKED_AT) {
            let bytes = self.lines.get(agent).map_or(0, |line| line.bytes);
            match (holder(agent), &mut batch) {
                (None, _) => later.push(agent.clone()),
                (Some(holder), None) => {
                    room = MAX_BATCH_BYTES.saturating_sub(bytes);
                    let agents = vec![agent.clone()];
                    batch = Some(Batch { holder, agents });
                }
                (Some(holder), Some(batch)) if holder == batch.holder && bytes <= room => {
                    room -= bytes;
                    batch.agents.push(agent.clone());
                }
                (Some(_), Some(_)) => {}
            }
            if batch
                .as_ref()
                .is_some_and(|batch| batch.agents.len() == MAX_BATCH_COPIES)
            {
                break;
            }
        }
        for agent in later {
            self.wait(&agent, now + HOLDER_PAUSE);
        }
        for agent in batch.iter().flat_map(|batch| &batch.agents) {
            if let Some(line) = self.lines.get_mut(agent) {
                self.waiting.remove(&(line.due, agent.clone()));
                let (stamp, next_since) = (line.written, None);
                line.sending = Some(Sending { stamp, next_since });
            }
        }
        batch
    }

    /// Puts a line that is not clean among those that wait, until then.
    fn wait(&mut self, agent: &AgentId, due: Duration) {
        if let Some(line) = self.lines.get_mut(agent) {
            self.waiting.remove(&(line.due, agent.clone()));
            (line.sending, line.due) = (None, due);
            self.waiting.insert((due, agent.clone()));
        }
    }

    /// What was sent needs no more sending: a holder has it, or it is not to be had any more.
    pub(super) fn done(&mut self, agent: &AgentId, confirmed: Option<Confirmed>, now: Duration) {
        let Some(line) = self.lines.get_mut(agent) else { return };
        let Some(sending) = line.sending.take() else { return };
        let sent = confirmed
            .as_ref()
            .map_or(sending.stamp, |it| it.stamp.max(sending.stamp));
        line.confirmed = confirmed.or_else(|| line.confirmed.take());
        line.tries = 0;
        line.since = (line.written > sent).then(|| sending.next_since.unwrap_or(now));
        if line.since.is_some() {
            self.wait(agent, now);
        }
        self.drop_if_over(agent);
    }

    /// The holder went down before it could take the copy.
    pub(super) fn postponed(&mut self, agent: &AgentId, now: Duration) {
        if self.lines.get(agent).is_some_and(|line| line.sending.is_some()) {
            self.wait(agent, now + HOLDER_PAUSE);
        }
    }

    /// There was no room for it in the message.
    pub(super) fn left_over(&mut self, agent: &AgentId, now: Duration) {
        if self.lines.get(agent).is_some_and(|line| line.sending.is_some()) {
            self.wait(agent, now);
        }
    }

    /// It was sent in vain; `true` if it is given up, until the next snapshot of its agent.
    pub(super) fn failed(&mut self, agent: &AgentId, now: Duration) -> bool {
        let Some(line) = self.lines.get_mut(agent).filter(|line| line.sending.is_some()) else {
            return false;
        };
        line.tries += 1;
        if line.tries >= MAX_TRIES {
            self.done(agent, None, now);
            return true;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (line.tries - 1)).min(LONGEST_PAUSE);
        self.wait(agent, now + pause);
        false
    }

    /// Who sent has ended without a word: all that was being sent waits again.
    pub(super) fn recover(&mut self, now: Duration) {
        let sending = self.lines.iter().filter(|(_, line)| line.sending.is_some());
        let sending: Vec<AgentId> = sending.map(|(agent, _)| agent.clone()).collect();
        sending.iter().for_each(|agent| self.wait(agent, now));
    }

    /// What the index is to say, in this round, that it does not say yet.
    pub(super) fn to_index(&self, round: u64, now: Duration) -> Vec<Named> {
        let due = self.lines.iter().filter(|(_, line)| line.is_due(round, now));
        let named = due.map(|(agent, line)| Named {
            agent: agent.clone(),
            stamp: line.written,
            holder: line.holder().cloned(),
            hash: line
                .confirmed
                .as_ref()
                .filter(|it| it.stamp == line.written)
                .map(|it| it.hash),
        });
        named.collect()
    }

    /// The index says this, or need not.
    pub(super) fn indexed(&mut self, named: &Named) {
        if let Some(line) = self.lines.get_mut(&named.agent) {
            line.indexed = Some((named.stamp, named.holder.clone()));
        }
        self.drop_if_over(&named.agent);
    }

    /// An agent does not run any more.
    pub(super) fn rested(&mut self, agent: &AgentId) {
        if let Some(line) = self.lines.get_mut(agent) {
            line.resting = true;
        }
        self.drop_if_over(agent);
    }

    fn drop_if_over(&mut self, agent: &AgentId) {
        let over = |line: &Line| line.resting && line.is_clean() && !line.is_due(1, Duration::ZERO);
        if self.lines.get(agent).is_some_and(over) {
            self.lines.remove(agent);
        }
    }

    /// An agent is no more, or has no snapshot here; its last snapshot and who has a copy, as far as that is known here.
    pub(super) fn forget(&mut self, agent: &AgentId) -> Option<(Stamp, Option<NodeName>)> {
        let line = self.lines.remove(agent)?;
        self.waiting.remove(&(line.due, agent.clone()));
        Some((line.written, line.confirmed.map(|confirmed| confirmed.holder)))
    }

    /// Whether a copy of an agent is on its way.
    pub(super) fn is_sending(&self, agent: &AgentId) -> bool {
        self.lines.get(agent).is_some_and(|line| line.sending.is_some())
    }

    /// Since when the oldest snapshot waits that nobody has confirmed, nor a later one.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.lines.values().filter_map(|line| line.since).min()
    }

    /// Whether a copy waits or is being sent whose holder is up.
    pub(super) fn is_busy(&self, holder: impl Fn(&AgentId) -> Option<NodeName>) -> bool {
        let mut open = self.lines.iter().filter(|(_, line)| line.since.is_some());
        open.any(|(agent, line)| line.waits() && holder(agent).is_some() || line.sending.is_some())
    }
}

#[cfg(test)]
mod tests;
