//! The world: what happens next, in virtual time.
//!
//! 0 to 15 s: nodes start and share the shards. To 45 s: faults. Then everything works again, and what was killed is
//! started; at 75 s every node asks every agent, and at 85 s the witness says what it thinks.

use crate::Outcome;
use crate::agents::{Agent, Message, Reply, agents};
use crate::clock::{BEYOND_PPM, Clock, WITHIN_PPM};
use crate::faults::{self, CHAOS_MS, Fault};
use crate::network::{Network, chance};
use crate::node::Node;
use crate::options::{Clocks, MAX_NODES, Options, Sabotage};
use crate::store::{Effect, MAX_LAG_MS, Store};
use crate::witness::{Violation, Witness};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_directory::membership::{Answer, Input, Proposal, Ticket, View, Write};
use rungs_types::{Epoch, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// At least; two for each node if there are many.
const AGENTS: usize = 24;
const PROBE_MS: u64 = 75_000;
const END_MS: u64 = 85_000;
const TICK_MS: u64 = 100;
/// What nodes believe is compared this often.
const CHECK_MS: u64 = 50;
/// Nodes notice this often that sessions were lost or came back.
const SESSION_MS: u64 = 500;
/// A client somewhere sends a message this often.
const CLIENT_MS: u64 = 40;

/// What a node asks the store.
#[derive(Debug, Clone)]
pub enum StoreAsk {
    /// For membership.
    Read,
    /// To change membership.
    Propose(Ticket, Proposal),
    /// For an agent's state.
    Load {
        /// The agent.
        agent: usize,
        /// What it will act with.
        epoch: Epoch,
        /// Its activation.
        number: u64,
    },
    /// To change an agent's state.
    Write(Effect),
}

/// What the store answers.
#[derive(Debug, Clone)]
pub enum StoreAnswer {
    /// Membership.
    View(Arc<View>),
    /// What became of a proposal.
    Proposed(Ticket, Answer),
    /// An agent's state.
    Loaded {
        /// The agent.
        agent: usize,
        /// Its activation.
        number: u64,
        /// How many effects it has.
        base: usize,
    },
    /// What became of an effect.
    Written(Effect, Answer),
}

/// What nodes send each other.
#[derive(Debug, Clone, Copy)]
pub enum Packet {
    /// A message for an agent.
    Ask(Message),
    /// Its answer.
    Reply(u64, Reply),
}

/// What can happen. What happens to a start of a node does not happen if that is over.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Tick {
        node: usize,
        boot: u64,
    },
    StoreAsked {
        node: usize,
        boot: u64,
        ask: StoreAsk,
    },
    StoreAnswered {
        node: usize,
        boot: u64,
        answer: StoreAnswer,
    },
    Packet {
        to: usize,
        number: u64,
        packet: Packet,
    },
    WorkDone {
        node: usize,
        boot: u64,
        agent: usize,
        number: u64,
    },
    WriteLate {
        node: usize,
        boot: u64,
        agent: usize,
        number: u64,
        message: u64,
    },
    LoadLate {
        node: usize,
        boot: u64,
        agent: usize,
        number: u64,
    },
    Cycle {
        node: usize,
        boot: u64,
        agent: usize,
        number: u64,
    },
    Client,
    Check,
    Sessions,
    Fault(Fault),
    Heal,
    Probe,
}

impl Event {
    /// The node whose process it needs, and which start of it.
    fn process(&self) -> Option<(usize, Option<u64>)> {
        match self {
            Self::Tick { node, boot }
            | Self::StoreAnswered { node, boot, .. }
            | Self::WorkDone { node, boot, .. }
            | Self::WriteLate { node, boot, .. }
            | Self::LoadLate { node, boot, .. }
            | Self::Cycle { node, boot, .. } => Some((*node, Some(*boot))),
            Self::Packet { to, .. } => Some((*to, None)),
            Self::StoreAsked { .. }
            | Self::Client
            | Self::Check
            | Self::Sessions
            | Self::Fault(_)
            | Self::Heal
            | Self::Probe => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) agent: usize,
    pub(crate) origin: (usize, u64),
    pub(crate) reply: Option<Reply>,
    pub(crate) is_probe: bool,
}

/// See the module.
#[derive(Debug)]
pub struct World {
    pub(crate) options: Options,
    pub(crate) now_ms: u64,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) nodes: Vec<Node>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) witness: Witness,
    pub(crate) activation_numbers: u64,
    /// Sessions that each start of a node knows to be lost, by peer.
    lost_sessions: BTreeSet<(usize, u64, usize)>,
    voters: usize,
    pub(crate) network: Network,
    pub(crate) store: Store,
    queue: BTreeMap<(u64, u64), Event>,
    events: u64,
    packets: u64,
    pub(crate) messages: BTreeMap<u64, Asked>,
    pub(crate) fenced: usize,
    pub(crate) log_hash: u64,
    pub(crate) log: Vec<String>,
}

/// Runs a seed.
pub fn run(options: Options) -> Outcome {
    let mut world = World::new(options);
    while let Some(((at_ms, _), event)) = world.queue.pop_first() {
        if at_ms > END_MS {
            break;
        }
        world.now_ms = at_ms;
        world.happen(event);
    }
    world.judge()
}

impl World {
    fn new(options: Options) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(options.seed);
        let few = rng.random_range(3..=5);
        let count = options.nodes.unwrap_or(few).clamp(3, MAX_NODES);
        let agent_count = AGENTS.max(2 * count);
        let most_ppm = match options.clocks {
            Clocks::Within => WITHIN_PPM,
            Clocks::Beyond => BEYOND_PPM,
        };
        let nodes = (0..count).map(|index| {
            let name = NodeName::new(&format!("n{}", index + 1)).expect("a letter and a digit");
            let clock = Clock {
                offset_ms: rng.random_range(1_000_000..2_000_000),
                drift_ppm: rng.random_range(-most_ppm..=most_ppm),
                lost_ms: 0,
            };
            Node::new(name, clock)
        });
        let nodes: Vec<Node> = nodes.collect();
        let faults = faults::plan(count, options.has_faults, &mut rng);
        let mut world = Self {
            options,
            now_ms: 0,
            nodes,
            agents: agents(agent_count),
            witness: Witness::default(),
            activation_numbers: 0,
            lost_sessions: BTreeSet::new(),
            voters: if count < 5 { 3 } else { 5 },
            network: Network::new(),
            store: Store::new(agent_count, options.sabotage),
            queue: BTreeMap::new(),
            events: 0,
            packets: 0,
            messages: BTreeMap::new(),
            fenced: 0,
            log_hash: 0xcbf2_9ce4_8422_2325,
            log: Vec::new(),
            rng,
        };
        for (at, fault) in faults {
            world.after(at, Event::Fault(fault));
        }
        world.after(5_000, Event::Client);
        world.after(0, Event::Check);
        world.after(0, Event::Sessions);
        world.after(CHAOS_MS.1, Event::Heal);
        world.after(PROBE_MS, Event::Probe);
        world
    }

    pub(crate) fn after(&mut self, ms: u64, event: Event) {
        self.events += 1;
        self.queue.insert((self.now_ms + ms, self.events), event);
    }

    pub(crate) fn log(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{:>6} {}", self.now_ms, line());
        for byte in line.bytes() {
            self.log_hash = (self.log_hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if line.ends_with("joins again") && line.contains("fenced") {
            self.fenced += 1;
        }
        if self.options.keeps_log {
            self.log.push(line);
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some((node, boot)) = event.process() {
            let process = &self.nodes[node];
            if process.boot.is_none() || boot.is_some_and(|boot| process.boot != Some(boot)) {
                return;
            }
            if process.paused_until_ms > self.now_ms {
                let ms = process.paused_until_ms - self.now_ms;
                return self.after(ms, event);
            }
        }
        match event {
            Event::Tick { node, boot } => {
                self.tell(node, Input::Tick);
                self.after(TICK_MS, Event::Tick { node, boot });
            }
            Event::StoreAsked { node, boot, ask } => self.store_asked(node, boot, ask),
            Event::StoreAnswered { node, answer, .. } => self.store_answers(node, answer),
            Event::Packet { to, number, packet } => self.take_packet(to, number, packet),
            Event::WorkDone {
                node, agent, number, ..
            } => self.work_done(node, agent, number),
            Event::WriteLate {
                node,
                agent,
                number,
                message,
                ..
            } => self.write_late(node, agent, number, message),
            Event::LoadLate {
                node, agent, number, ..
            } => self.load_late(node, agent, number),
            Event::Cycle {
                node, agent, number, ..
            } => self.cycle(node, agent, number),
            Event::Client => self.client(),
            Event::Check => self.check_owners(),
            Event::Sessions => self.refresh_sessions(),
            Event::Fault(fault) => self.befall(fault),
            Event::Heal => self.heal(),
            Event::Probe => self.probe(),
        }
    }

    /// No two nodes believe that they may run a shard's agents.
    fn check_owners(&mut self) {
        let mut found = Vec::new();
        for agent in &self.agents {
            let mut runs = (0..self.nodes.len()).filter(|index| self.nodes[*index].runs(self.now_ms, agent.shard));
            if let (Some(one), Some(other)) = (runs.next(), runs.next()) {
                found.push(Violation::TwoOwners(agent.shard, one, other));
            }
        }
        for violation in found {
            self.witness.report(self.now_ms, violation);
        }
        self.after(CHECK_MS, Event::Check);
    }

    /// Tells nodes which sessions they have lost and got back.
    fn refresh_sessions(&mut self) {
        let count = self.nodes.len();
        for (node, peer) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
            let is_awake = self.nodes[node].paused_until_ms <= self.now_ms;
            let Some(boot) = self.nodes[node].boot.filter(|_| node != peer && is_awake) else {
                continue;
            };
            let (key, name) = ((node, boot, peer), self.nodes[peer].name.clone());
            let up = self.network.connects(node, peer) && self.nodes[peer].boot.is_some();
            let has_changed = match up {
                true => self.lost_sessions.remove(&key),
                false => self.lost_sessions.insert(key),
            };
            if has_changed {
                self.tell(node, Input::Session { peer: name, up });
            }
        }
        self.after(SESSION_MS, Event::Sessions);
    }

    /// Whether a node reaches a voter that reaches a majority.
    fn reaches_store(&self, node: usize) -> bool {
        // While the cluster is young, those that are there are enough.
        let is_there = |index: &usize| self.nodes[*index].boot.is_some() || self.nodes[*index].boots == 0;
        let voters: Vec<usize> = (0..self.voters).collect();
        let awake = |index: &usize| is_there(index) && self.nodes[*index].paused_until_ms <= self.now_ms;
        let leads = |leader: &usize| {
            let follow = voters
                .iter()
                .filter(|it| awake(it) && self.network.connects(*leader, **it));
            follow.count() * 2 > voters.len()
        };
        let reached = voters
            .iter()
            .filter(|it| awake(it) && self.network.connects(node, **it));
        reached.into_iter().any(leads)
    }

    pub(crate) fn ask_store(&mut self, node: usize, ask: StoreAsk) {
        let boot = self.nodes[node].boots;
        let copies = 1 + usize::from(chance(&mut self.rng, self.network.double_percent));
        for _ in 0..copies {
            if chance(&mut self.rng, self.network.loss_percent) {
                continue;
            }
            let late_ms = match chance(&mut self.rng, self.network.late_percent) {
                true => self.rng.random_range(1_000..8_000),
                false => 0,
            };
            let ms = late_ms + self.network.delay(node, node, &mut self.rng);
            let ask = ask.clone();
            self.after(ms, Event::StoreAsked { node, boot, ask });
        }
    }

    fn store_asked(&mut self, node: usize, boot: u64, ask: StoreAsk) {
        // What is late waits somewhere on the way, so it arrives even if its node is out of reach by now.
        if !self.reaches_store(node) {
            return;
        }
        let now_ms = self.now_ms;
        let answer = match ask {
            StoreAsk::Read => {
                let lag_ms = match chance(&mut self.rng, 10) {
                    true => self.rng.random_range(0..MAX_LAG_MS),
                    false => 0,
                };
                StoreAnswer::View(self.store.read(now_ms, lag_ms))
            }
            StoreAsk::Propose(ticket, proposal) => {
                let answer = self.store.propose(now_ms, &proposal, &mut self.witness);
                self.committed(node, &proposal, answer);
                StoreAnswer::Proposed(ticket, answer)
            }
            StoreAsk::Load { agent, epoch, number } => {
                let base = self.store.load(now_ms, agent, epoch, &mut self.witness);
                StoreAnswer::Loaded { agent, number, base }
            }
            StoreAsk::Write(effect) => {
                let answer = self.store.write(now_ms, effect, &mut self.witness);
                StoreAnswer::Written(effect, answer)
            }
        };
        if !chance(&mut self.rng, self.network.loss_percent) {
            let ms = self.network.delay(node, node, &mut self.rng);
            self.after(ms, Event::StoreAnswered { node, boot, answer });
        }
    }

    /// Tells those who watch the store, unless only a lease was renewed.
    pub(crate) fn committed(&mut self, by: usize, proposal: &Proposal, answer: Answer) {
        let is_renewal = proposal.writes.iter().all(|write| matches!(write, Write::Lease(_)));
        if is_renewal || !matches!(answer, Answer::Committed(_)) {
            return;
        }
        let map = Arc::clone(&self.store.view.map);
        let name = self.nodes[by].name.clone();
        self.log(|| format!("{name} commits {map:?}"));
        for node in 0..self.nodes.len() {
            let (Some(boot), true) = (self.nodes[node].boot, self.reaches_store(node)) else {
                continue;
            };
            if !chance(&mut self.rng, 10) {
                let ms = self.network.delay(node, node, &mut self.rng);
                let answer = StoreAnswer::View(Arc::clone(&self.store.view));
                self.after(ms, Event::StoreAnswered { node, boot, answer });
            }
        }
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, packet: Packet) {
        self.packets += 1;
        let number = self.packets;
        for ms in self.network.delays(from, to, &mut self.rng) {
            self.after(ms, Event::Packet { to, number, packet });
        }
    }

    fn take_packet(&mut self, to: usize, number: u64, packet: Packet) {
        let is_new = self.nodes[to].taken.insert(number);
        if !is_new && self.options.sabotage != Some(Sabotage::TakeTwice) {
            return;
        }
        match packet {
            Packet::Ask(message) => self.arrive(to, message),
            Packet::Reply(message, reply) => self.heard(message, reply),
        }
    }

    /// Answers a message.
    pub(crate) fn reply(&mut self, from: usize, message: Message, reply: Reply) {
        let (origin, boot) = message.origin;
        if reply == Reply::Done {
            self.witness.acknowledged.insert(message.id);
        }
        if origin == from {
            self.heard(message.id, reply);
        } else if self.nodes[origin].boot == Some(boot) {
            self.send(from, origin, Packet::Reply(message.id, reply));
        }
    }

    fn heard(&mut self, message: u64, reply: Reply) {
        if let Some(asked) = self.messages.get_mut(&message) {
            asked.reply = asked.reply.or(Some(reply));
        }
    }

    fn ask(&mut self, node: usize, agent: usize, is_probe: bool) {
        let origin = (node, self.nodes[node].boots);
        let id = self.messages.len() as u64;
        let asked = Asked {
            agent,
            origin,
            reply: None,
            is_probe,
        };
        self.messages.insert(id, asked);
        let message = Message {
            id,
            agent,
            origin,
            sent_by: None,
        };
        self.arrive(node, message);
    }

    fn client(&mut self) {
        let node = self.rng.random_range(0..self.nodes.len());
        let agent = self.rng.random_range(0..self.agents.len());
        // A node that has read no map yet can only refuse.
        let machine = self.nodes[node].machine.as_ref();
        let is_ready = machine.is_some_and(|it| !it.is_over() && it.ownership().map().version().0 > 0);
        if is_ready && self.nodes[node].paused_until_ms <= self.now_ms {
            self.ask(node, agent, false);
        }
        if self.now_ms < PROBE_MS - 1_000 {
            self.after(CLIENT_MS, Event::Client);
        }
    }

    fn probe(&mut self) {
        // A node that was leaving when everything healed may have left since.
        let present: Vec<_> = (0..self.nodes.len()).filter(|index| self.is_present(*index)).collect();
        for node in present {
            for agent in 0..self.agents.len() {
                self.ask(node, agent, true);
            }
        }
    }

    pub(crate) fn is_present(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        node.boot.is_some() && node.machine.as_ref().is_some_and(|machine| !machine.is_over())
    }
}
