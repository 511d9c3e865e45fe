//! Several agents whose messages reach each other.
//!
//! In each cycle every agent turns once, in the order in which they were given; what they say is delivered when all have
//! turned, the first speaker's first. So nobody hears in a cycle what is said in it, and the order of the agents decides
//! nothing but the order of what is heard.

use crate::{Life, Upset};
use rungs_mind::l49::L49Output;
use rungs_mind::l49::peers::{Outgoing, Recipients};
use rungs_mind::report::FloorReport;
use rungs_mind::stack::Cycle;
use rungs_types::peer::MAX_RECIPIENTS;
use rungs_types::{AgentId, Authority, PeerMessage};

/// See the module.
#[derive(Debug)]
pub struct Society {
    lives: Vec<Life>,
    /// Messages delivered so far.
    delivered: u64,
}

impl Society {
    /// Of these agents.
    pub fn new(lives: Vec<Life>) -> Self {
        Self { lives, delivered: 0 }
    }

    /// One cycle of all; what came of it, in the order of the agents.
    pub fn cycle(&mut self) -> Vec<Cycle> {
        self.cycle_with(|_, _, _, _| {})
    }

    /// The same with what befalls each of them, by its place; see [`Life::cycle_with`].
    pub fn cycle_with(&mut self, mut upset: impl FnMut(usize, &FloorReport, &mut [f64], &mut Upset)) -> Vec<Cycle> {
        let lives = self.lives.iter_mut().enumerate();
        let cycles: Vec<Cycle> = lives
            .map(|(place, life)| life.cycle_with(|floor, row, befalls| upset(place, floor, row, befalls)))
            .collect();
        for (speaker, cycle) in cycles.iter().enumerate() {
            if let Some(output) = &cycle.autonomy {
                self.deliver(speaker, output);
            }
        }
        cycles
    }

    /// So many cycles.
    pub fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| drop(self.cycle()));
    }

    /// What an agent says, to those whom it says it to: to a group, to the first five others of it.
    fn deliver(&mut self, speaker: usize, output: &L49Output) {
        let from = self.lives[speaker].id().clone();
        for Outgoing { to, message } in &output.peers.messages {
            let is_meant = |life: &Life| match to {
                Recipients::Agents(agents) => agents.contains(life.id()),
                Recipients::Group(group) => life.spec().group.as_ref() == Some(group),
            };
            let meant: Vec<usize> = (0..self.lives.len())
                .filter(|other| *other != speaker && is_meant(&self.lives[*other]))
                .take(MAX_RECIPIENTS)
                .collect();
            for listener in meant {
                self.say(from.clone(), listener, message.clone());
            }
        }
    }

    /// Somebody, who need not be one of the agents, says something to the agent at this place.
    pub fn say(&mut self, from: AgentId, listener: usize, message: PeerMessage) {
        self.lives[listener].hear(from, message);
        self.delivered += 1;
    }

    /// An operator puts L4.8 and L4.9 of all on this authority.
    pub fn place(&mut self, to: Authority) {
        self.lives.iter_mut().for_each(|life| life.place(to));
    }

    /// The agents, in their order.
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// The agent at this place.
    pub fn life_mut(&mut self, place: usize) -> &mut Life {
        &mut self.lives[place]
    }

    /// Messages delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }
}
