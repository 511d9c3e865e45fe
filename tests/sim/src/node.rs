//! A node's glue: it carries out what [`Membership`] says, and runs activations. All decisions of membership, placement and
//! routing are those of `rungs-directory`.

use crate::agents::{Activation, Message, Reply, Work};
use crate::clock::Clock;
use crate::network::chance;
use crate::options::Sabotage;
use crate::store::Effect;
use crate::world::{Event, Packet, StoreAnswer, StoreAsk, World};
use rand::RngExt;
use rungs_directory::Shard;
use rungs_directory::handover::{Arrival, Phase, Route, ShardAction};
use rungs_directory::membership::{Action, Answer, Input, Membership, Skew, Time};
use rungs_types::NodeName;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long something is held for a map to come, in ms.
const HOLD_MS: u64 = 5_000;
/// How long an activation waits for the store, in ms.
const STORE_MS: u64 = 1_000;
/// How often an active agent acts on the world by itself, in ms.
const CYCLE_MS: u64 = 250;
/// Agents that are active at once when their shard is here, of a hundred.
const TIMER_PERCENT: u32 = 50;

/// A place for a node, and what runs there.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its clock.
    pub clock: Clock,
    /// Which start of it runs, counted from 1; dead otherwise.
    pub boot: Option<u64>,
    /// How many starts there were.
    pub boots: u64,
    /// Until when its process does nothing.
    pub paused_until_ms: u64,
    /// Its membership.
    pub machine: Option<Membership>,
    pub(crate) activations: BTreeMap<usize, Activation>,
    held: BTreeMap<Shard, Vec<Message>>,
    waiting: Vec<(u64, Message)>,
    /// Packets that were taken.
    pub(crate) taken: BTreeSet<u64>,
}

impl Node {
    /// One that was never started.
    pub fn new(name: NodeName, clock: Clock) -> Self {
        Self {
            name,
            clock,
            boot: None,
            boots: 0,
            paused_until_ms: 0,
            machine: None,
            activations: BTreeMap::new(),
            held: BTreeMap::new(),
            waiting: Vec::new(),
            taken: BTreeSet::new(),
        }
    }

    /// Its process begins or ends; either way what was in its memory is gone.
    pub fn restart(&mut self, machine: Option<Membership>) {
        self.boot = None;
        if machine.is_some() {
            self.boots += 1;
            self.boot = Some(self.boots);
        }
        self.machine = machine;
        self.paused_until_ms = 0;
        self.activations.clear();
        self.held.clear();
        self.waiting.clear();
        self.taken.clear();
    }

    /// What its clock shows.
    pub fn time(&self, now_ms: u64) -> Time {
        self.clock.read(now_ms)
    }

    /// Whether it believes that it may run agents of a shard.
    pub fn runs(&self, now_ms: u64, shard: Shard) -> bool {
        let Some(machine) = &self.machine else {
            return false;
        };
        let phase = machine.ownership().phase(shard);
        machine.acts(self.time(now_ms)) && matches!(phase, Some(Phase::Owned | Phase::Releasing))
    }
}

impl World {
    /// Tells a node's membership what happened, and does what it says.
    pub(crate) fn tell(&mut self, index: usize, input: Input) {
        let (now, now_ms) = (self.nodes[index].time(self.now_ms), self.now_ms);
        let Some(machine) = self.nodes[index].machine.as_mut() else {
            return;
        };
        let actions = machine.step(now, input);
        let version = machine.ownership().map().version();
        let boot = (index, self.nodes[index].boots);
        self.witness.follows(now_ms, boot, version);
        for action in actions {
            self.carry_out(index, action);
        }
        self.retry_waiting(index);
    }

    fn carry_out(&mut self, index: usize, action: Action) {
        match action {
            Action::Read => self.ask_store(index, StoreAsk::Read),
            Action::Propose { ticket, proposal } => self.ask_store(index, StoreAsk::Propose(ticket, proposal)),
            Action::CheckClock => self.tell(index, Input::Clock(Skew::Within)),
            Action::Stop { .. } => self.stop(index),
            Action::Shard(action) => self.change_shard(index, action),
            Action::Say(notice) => {
                let name = self.nodes[index].name.clone();
                self.log(|| format!("{name}: {notice}"));
            }
        }
    }

    fn stop(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let held = std::mem::take(&mut node.held).into_values().flatten();
        let mut refused: Vec<Message> = held.collect();
        refused.extend(node.waiting.drain(..).map(|(_, message)| message));
        if self.options.sabotage != Some(Sabotage::NoFencing) {
            let activations = std::mem::take(&mut node.activations);
            refused.extend(activations.into_values().flat_map(|it| it.queue));
        }
        for message in refused {
            self.reply(index, message, Reply::Refused);
        }
    }

    fn change_shard(&mut self, index: usize, action: ShardAction) {
        match action {
            ShardAction::Start { shard, epoch } => {
                // A timer that is due activates an agent as a message would.
                for agent in self.agents_of(shard) {
                    if chance(&mut self.rng, TIMER_PERCENT) {
                        self.activate(index, agent, epoch);
                    }
                }
            }
            ShardAction::Hold { shard, .. } => self.hold(index, shard),
            ShardAction::Resume { shard, .. } => {
                // What had not stopped yet goes on.
                for agent in self.agents_of(shard) {
                    if let Some(activation) = self.nodes[index].activations.get_mut(&agent) {
                        activation.is_releasing = false;
                    }
                }
                for message in self.nodes[index].held.remove(&shard).unwrap_or_default() {
                    self.arrive(index, message);
                }
            }
            ShardAction::Pass { shard } => {
                let mut messages = Vec::new();
                for agent in self.agents_of(shard) {
                    let stopped = self.nodes[index].activations.remove(&agent);
                    messages.extend(stopped.into_iter().flat_map(|it| it.queue));
                }
                messages.extend(self.nodes[index].held.remove(&shard).unwrap_or_default());
                for message in messages {
                    self.arrive(index, message);
                }
            }
        }
    }

    fn agents_of(&self, shard: Shard) -> Vec<usize> {
        let agents = self.agents.iter().enumerate().filter(|(_, agent)| agent.shard == shard);
        agents.map(|(index, _)| index).collect()
    }

    fn hold(&mut self, index: usize, shard: Shard) {
        if self.options.sabotage == Some(Sabotage::RunWhileReleasing) {
            return self.tell(index, Input::Released(shard));
        }
        for agent in self.agents_of(shard) {
            let node = &mut self.nodes[index];
            let Some(activation) = node.activations.get_mut(&agent) else {
                continue;
            };
            activation.is_releasing = true;
            let queue = std::mem::take(&mut activation.queue);
            node.held.entry(shard).or_default().extend(queue);
            if !matches!(activation.work, Work::Busy(_)) {
                node.activations.remove(&agent);
            }
        }
        self.release_if_quiet(index, shard);
    }

    fn release_if_quiet(&mut self, index: usize, shard: Shard) {
        let is_busy = |agent: &usize| self.nodes[index].activations.contains_key(agent);
        if !self.agents_of(shard).iter().any(is_busy) {
            self.tell(index, Input::Released(shard));
        }
    }

    /// A message is at a node: of a client there, from another node, or kept until now.
    pub(crate) fn arrive(&mut self, index: usize, message: Message) {
        let node = &mut self.nodes[index];
        let now = node.clock.read(self.now_ms);
        let Some(machine) = &node.machine else {
            return;
        };
        let shard = self.agents[message.agent].shard;
        let arrival = Arrival {
            shard,
            sent_by: message.sent_by,
        };
        match machine.route(now, arrival) {
            Route::Here(epoch) => {
                if node.activations.get(&message.agent).is_none_or(|it| it.epoch != epoch) {
                    self.activate(index, message.agent, epoch);
                }
                let activation = self.nodes[index].activations.get_mut(&message.agent);
                activation.expect("it was just activated").queue.push_back(message);
                self.pump(index, message.agent);
            }
            Route::Hold if self.options.sabotage == Some(Sabotage::RunWhileReleasing) => {
                if let Some(activation) = node.activations.get_mut(&message.agent) {
                    activation.queue.push_back(message);
                    self.pump(index, message.agent);
                }
            }
            Route::Hold => node.held.entry(shard).or_default().push(message),
            Route::ReadFirst(version) => {
                node.waiting.push((self.now_ms + HOLD_MS, message));
                self.tell(index, Input::NewerMap(version));
            }
            Route::Forward { to, version } => {
                let message = Message {
                    sent_by: Some(version),
                    ..message
                };
                let to = self.nodes.iter().position(|node| node.name == to);
                self.send(index, to.expect("all nodes have a place"), Packet::Ask(message));
            }
            Route::Refuse(why) => {
                let name = self.nodes[index].name.clone();
                self.log(|| format!("{name} refuses {}: {why}", message.id));
                self.reply(index, message, Reply::Refused);
            }
        }
    }

    /// Routes again what waited for a map that is here now; what waited too long is refused.
    fn retry_waiting(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(machine) = &node.machine else {
            return;
        };
        let version = machine.ownership().map().version();
        let (now_ms, waiting) = (self.now_ms, std::mem::take(&mut node.waiting));
        for (until_ms, message) in waiting {
            if message.sent_by <= Some(version) {
                self.arrive(index, message);
            } else if now_ms >= until_ms {
                self.reply(index, message, Reply::Refused);
            } else {
                self.nodes[index].waiting.push((until_ms, message));
            }
        }
    }

    fn activate(&mut self, index: usize, agent: usize, epoch: rungs_types::Epoch) {
        self.activation_numbers += 1;
        let number = self.activation_numbers;
        let activation = Activation {
            number,
            epoch,
            work: Work::Loading,
            base: 0,
            queue: VecDeque::new(),
            is_releasing: false,
        };
        let earlier = self.nodes[index].activations.insert(agent, activation);
        for message in earlier.into_iter().flat_map(|it| it.queue) {
            self.reply(index, message, Reply::Refused);
        }
        self.load(index, agent, number);
    }

    fn load(&mut self, index: usize, agent: usize, number: u64) {
        let Some(epoch) = self.activation(index, agent, number).map(|it| it.epoch) else {
            return;
        };
        self.ask_store(index, StoreAsk::Load { agent, epoch, number });
        let boot = self.nodes[index].boots;
        let late = Event::LoadLate {
            node: index,
            boot,
            agent,
            number,
        };
        self.after(STORE_MS, late);
    }

    fn activation(&mut self, index: usize, agent: usize, number: u64) -> Option<&mut Activation> {
        let found = self.nodes[index].activations.get_mut(&agent);
        found.filter(|activation| activation.number == number)
    }

    fn may_run(&self, index: usize, agent: usize) -> bool {
        let (node, shard) = (&self.nodes[index], self.agents[agent].shard);
        match self.options.sabotage {
            Some(Sabotage::NoFencing) => true,
            Some(Sabotage::RunWhileReleasing) => node.machine.as_ref().is_some_and(|machine| {
                machine.acts(node.time(self.now_ms)) && machine.ownership().phase(shard).is_some()
            }),
            _ => node.runs(self.now_ms, shard),
        }
    }

    /// Begins the next message, if the agent is idle.
    fn pump(&mut self, index: usize, agent: usize) {
        let may_run = self.may_run(index, agent);
        let boot = self.nodes[index].boots;
        let Some(activation) = self.nodes[index].activations.get_mut(&agent) else {
            return;
        };
        if activation.work != Work::Idle || !may_run {
            return;
        }
        let Some(message) = activation.queue.pop_front() else {
            return;
        };
        activation.work = Work::Busy(message);
        let (epoch, number) = (activation.epoch, activation.number);
        self.witness.deliver(self.now_ms, message.id);
        self.witness.outside(self.now_ms, agent, epoch, (index, boot));
        if self.options.sabotage == Some(Sabotage::AckBeforeCommit) {
            self.witness.acknowledged.insert(message.id);
        }
        let takes_ms = self.rng.random_range(1..=30);
        let done = Event::WorkDone {
            node: index,
            boot,
            agent,
            number,
        };
        self.after(takes_ms, done);
    }

    /// A message is handled: its effect goes to the store.
    pub(crate) fn work_done(&mut self, index: usize, agent: usize, number: u64) {
        let shard = self.agents[agent].shard;
        let may_run = self.may_run(index, agent);
        let Some(activation) = self.activation(index, agent, number) else {
            return;
        };
        let Work::Busy(message) = activation.work else {
            return;
        };
        let effect = Effect {
            agent,
            shard,
            epoch: activation.epoch,
            activation: number,
            base: activation.base,
            message: message.id,
        };
        if !may_run {
            return self.give_up(index, agent, Reply::Refused);
        }
        self.ask_store(index, StoreAsk::Write(effect));
        let boot = self.nodes[index].boots;
        let late = Event::WriteLate {
            node: index,
            boot,
            agent,
            number,
            message: message.id,
        };
        self.after(STORE_MS, late);
    }

    /// An activation that does not know any more how things are ends. Its next message starts another.
    pub(crate) fn give_up(&mut self, index: usize, agent: usize, outcome: Reply) {
        let Some(activation) = self.nodes[index].activations.remove(&agent) else {
            return;
        };
        if let Work::Busy(message) = activation.work {
            self.reply(index, message, outcome);
        }
        if activation.is_releasing {
            return self.release_if_quiet(index, self.agents[agent].shard);
        }
        for message in activation.queue {
            self.arrive(index, message);
        }
    }

    /// The store has not answered a load.
    pub(crate) fn load_late(&mut self, index: usize, agent: usize, number: u64) {
        let is_loading = |it: &mut Activation| it.work == Work::Loading;
        if self.activation(index, agent, number).is_some_and(is_loading) {
            self.load(index, agent, number);
        }
    }

    /// The store has not answered a write.
    pub(crate) fn write_late(&mut self, index: usize, agent: usize, number: u64, message: u64) {
        let is_it = |it: &mut Activation| matches!(it.work, Work::Busy(busy) if busy.id == message);
        if self.activation(index, agent, number).is_some_and(is_it) {
            self.give_up(index, agent, Reply::Unknown);
        }
    }

    /// An active agent does something by itself.
    pub(crate) fn cycle(&mut self, index: usize, agent: usize, number: u64) {
        let may_run = self.may_run(index, agent);
        let boot = self.nodes[index].boots;
        let Some(activation) = self.activation(index, agent, number) else {
            return;
        };
        let epoch = activation.epoch;
        let acts = may_run && !activation.is_releasing;
        if acts {
            self.witness.outside(self.now_ms, agent, epoch, (index, boot));
        }
        let next = Event::Cycle {
            node: index,
            boot,
            agent,
            number,
        };
        self.after(CYCLE_MS, next);
    }

    /// The store answers a node.
    pub(crate) fn store_answers(&mut self, index: usize, answer: StoreAnswer) {
        match answer {
            StoreAnswer::View(view) => self.tell(index, Input::Seen(view)),
            StoreAnswer::Proposed(ticket, answer) => self.tell(index, Input::Answered { ticket, answer }),
            StoreAnswer::Loaded { agent, number, base } => {
                let Some(activation) = self.activation(index, agent, number) else {
                    return;
                };
                if activation.work == Work::Loading {
                    activation.work = Work::Idle;
                    activation.base = base;
                    self.pump(index, agent);
                    self.cycle(index, agent, number);
                }
            }
            StoreAnswer::Written(effect, answer) => self.written(index, effect, answer),
        }
    }

    fn written(&mut self, index: usize, effect: Effect, answer: Answer) {
        let agent = effect.agent;
        let Some(activation) = self.activation(index, agent, effect.activation) else {
            return;
        };
        let Work::Busy(message) = activation.work else {
            return;
        };
        if message.id != effect.message {
            return;
        }
        match answer {
            Answer::Committed(_) => {
                activation.work = Work::Idle;
                activation.base += 1;
                let is_releasing = activation.is_releasing;
                self.reply(index, message, Reply::Done);
                match is_releasing {
                    true => self.give_up(index, agent, Reply::Done),
                    false => self.pump(index, agent),
                }
            }
            // Doubled requests: the first may have taken effect, and this is the second's answer.
            Answer::Conflict | Answer::Unknown => self.give_up(index, agent, Reply::Unknown),
        }
    }
}
