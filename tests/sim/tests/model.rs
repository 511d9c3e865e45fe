//! Every order of events of the lease protocol, within small bounds: two nodes that could each own a shard, requests and
//! answers that take any time or get lost, clocks that drift as far as they may, crashes. The rules of the two sides are
//! those that nodes run ([`Lease`] and [`Watch`]).

use rungs_directory::membership::lease::{Lease, Watch};
use rungs_directory::membership::{LeaseRow, Time, Timing};
use rungs_types::{Incarnation, NodeId, NodeName};
use stateright::{Checker, Model, Property};
use std::time::Duration;

const NODES: usize = 2;
/// How far the model looks, in units of its time.
const HORIZON: u64 = 8;
/// Renewals and joins of each node, beyond the first.
const MAX_RENEWALS: u64 = 1;

/// A small lease of the same shape: it holds for 4 units of time, its holder stops after 3.
const TIMING: Timing = Timing {
    ttl: Duration::from_millis(4),
    renew: Duration::from_millis(1),
    skew: Duration::from_millis(1),
    stop: Duration::ZERO,
    answer: Duration::from_millis(1),
    read: Duration::from_millis(1),
    stagger: Duration::from_millis(1),
};

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Holders go on when their lease ends.
    NoFencing,
    /// The store ends a lease on a watcher's word, renewed or not.
    NoCompare,
    /// Holders count from the answer.
    CountFromAnswer,
    /// Clocks drift further than they may.
    Drift,
}

/// On its way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    /// Join, or renew this renewal.
    Renew { from: Option<u64>, sent: Time },
    /// End the other's lease, if it still is this renewal.
    Expire { renewal: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    clock: Time,
    lease: Option<Lease>,
    watch: Option<Watch>,
    /// Whether it has seen that it owns the shard.
    owns: bool,
    request: Option<Request>,
    answer: Option<Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    nodes: [Node; NODES],
    leases: [Option<u64>; NODES],
    /// The last renewal of each.
    renewals: [u64; NODES],
    owner: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    /// Both clocks run on, by these.
    Tick([u64; NODES]),
    /// A node joins or renews.
    Renew(usize),
    /// A node reads the store.
    Read(usize),
    /// A node that found the other's lease ended says so.
    Expire(usize),
    /// The store takes a request.
    Take(usize),
    /// A request or an answer is lost.
    Lose(usize),
    /// An answer arrives.
    Answer(usize),
    /// A node is killed and starts anew.
    Restart(usize),
}

struct Leases {
    broken: Broken,
}

fn row(node: usize, renewal: u64) -> LeaseRow {
    let name = NodeName::new(["a", "b"][node]).expect("a letter");
    let incarnation = Incarnation(1);
    LeaseRow {
        holder: NodeId { name, incarnation },
        renewal,
    }
}

impl Leases {
    fn acts(&self, node: &Node) -> bool {
        let holds = |lease: &Lease| node.clock < lease.ends_at(&TIMING) || self.broken == Broken::NoFencing;
        node.owns && node.lease.as_ref().is_some_and(holds)
    }

    /// How far the first clock may be ahead of the second.
    fn max_ahead(&self) -> u64 {
        let skew = TIMING.skew.as_millis() as u64;
        skew + u64::from(self.broken == Broken::Drift)
    }

    fn take(&self, state: &mut State, index: usize, request: Request) {
        let other = 1 - index;
        match request {
            Request::Renew { from, sent } => {
                if state.leases[index] == from {
                    state.renewals[index] += 1;
                    let renewal = state.renewals[index];
                    state.leases[index] = Some(renewal);
                    state.nodes[index].answer = Some(Lease { renewal, sent });
                }
            }
            Request::Expire { renewal } => {
                let is_so = state.leases[other] == Some(renewal);
                if is_so || (self.broken == Broken::NoCompare && state.leases[other].is_some()) {
                    state.leases[other] = None;
                    // The shard goes to who is there, if that is known to the store to be alive.
                    if state.owner == other && state.leases[index].is_some() {
                        state.owner = index;
                    }
                }
            }
        }
    }
}

impl Model for Leases {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        let node = |index: usize| Node {
            clock: Time(0),
            lease: Some(Lease {
                renewal: 0,
                sent: Time(0),
            }),
            watch: Some(Watch::new(row(1 - index, 0), Time(0))),
            owns: index == 0,
            request: None,
            answer: None,
        };
        vec![State {
            nodes: [node(0), node(1)],
            leases: [Some(0); NODES],
            renewals: [0; NODES],
            owner: 0,
        }]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        let [a, b] = &state.nodes;
        let ahead = a.clock.0 - b.clock.0;
        events.push(Event::Tick([1, 1]));
        if ahead < self.max_ahead() {
            events.push(Event::Tick([1, 0]));
        }
        if ahead > 0 {
            events.push(Event::Tick([0, 1]));
        }
        for (index, node) in state.nodes.iter().enumerate() {
            let is_idle = node.request.is_none() && node.answer.is_none();
            if is_idle && state.renewals[index] < MAX_RENEWALS {
                events.push(Event::Renew(index));
            }
            if node.request.is_some() {
                events.push(Event::Take(index));
            }
            if node.answer.is_some() {
                events.push(Event::Answer(index));
            }
            if !is_idle {
                events.push(Event::Lose(index));
            }
            let is_over = node
                .watch
                .as_ref()
                .is_some_and(|watch| watch.is_over(&TIMING, node.clock));
            if is_idle && is_over && node.lease.is_some() {
                events.push(Event::Expire(index));
            }
            events.extend([Event::Read(index), Event::Restart(index)]);
        }
    }

    fn next_state(&self, last: &State, event: Event) -> Option<State> {
        let mut state = last.clone();
        match event {
            Event::Tick(by) => {
                for (node, by) in state.nodes.iter_mut().zip(by) {
                    node.clock.0 += by;
                    // It stops when its lease ends, and has to join again.
                    let is_over = |lease: &mut Lease| node.clock >= lease.ends_at(&TIMING);
                    if self.broken != Broken::NoFencing && node.lease.take_if(is_over).is_some() {
                        node.owns = false;
                    }
                }
            }
            Event::Renew(index) => {
                let from = match &last.nodes[index].lease {
                    Some(lease) => Some(lease.renewal),
                    // It has read the store to join.
                    None => last.leases[index],
                };
                let sent = last.nodes[index].clock;
                state.nodes[index].request = Some(Request::Renew { from, sent });
            }
            Event::Read(index) => {
                let (node, other) = (&mut state.nodes[index], 1 - index);
                match last.leases[other] {
                    Some(renewal) => {
                        let row = row(other, renewal);
                        match &mut node.watch {
                            Some(watch) => watch.see(&row, node.clock),
                            None => node.watch = Some(Watch::new(row, node.clock)),
                        }
                    }
                    None => node.watch = None,
                }
                if node.lease.is_some() && last.leases[index].is_none() {
                    node.lease = None;
                }
                node.owns = node.lease.is_some() && last.owner == index;
            }
            Event::Expire(index) => {
                let renewal = last.nodes[index].watch.as_ref()?.row.renewal;
                state.nodes[index].request = Some(Request::Expire { renewal });
            }
            Event::Take(index) => {
                let request = state.nodes[index].request.take()?;
                self.take(&mut state, index, request);
            }
            Event::Lose(index) => {
                let node = &mut state.nodes[index];
                node.answer = None;
                node.request = None;
            }
            Event::Answer(index) => {
                let node = &mut state.nodes[index];
                let mut lease = node.answer.take()?;
                if self.broken == Broken::CountFromAnswer {
                    lease.sent = node.clock;
                }
                if node.clock < lease.ends_at(&TIMING) {
                    node.lease = Some(lease);
                }
            }
            Event::Restart(index) => {
                let node = &mut state.nodes[index];
                node.lease = None;
                node.watch = None;
                node.owns = false;
                node.request = None;
                node.answer = None;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one acts", |model: &Leases, state: &State| {
                !state.nodes.iter().all(|node| model.acts(node))
            }),
            // The model is not true for nothing: the shard does change hands, and each side acts.
            Property::sometimes("the other acts", |model: &Leases, state: &State| {
                model.acts(&state.nodes[1])
            }),
            Property::sometimes("it comes back", |model: &Leases, state: &State| {
                state.renewals[1] > 0 && state.leases[1].is_none() && state.owner == 0 && model.acts(&state.nodes[0])
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.nodes.iter().all(|node| node.clock.0 <= HORIZON)
    }
}

fn explore(broken: Broken) -> impl Checker<Leases> {
    Leases { broken }.checker().threads(2).spawn_bfs().join()
}

#[test]
fn in_no_order_of_events_two_nodes_act_for_a_shard() {
    let checker = explore(Broken::Nothing);
    println!(
        "{} states, {} unique",
        checker.state_count(),
        checker.unique_state_count()
    );
    checker.assert_properties();
    assert!(checker.unique_state_count() > 10_000);
}

#[test]
fn each_broken_rule_lets_two_nodes_act_in_some_order() {
    for broken in [
        Broken::NoFencing,
        Broken::NoCompare,
        Broken::CountFromAnswer,
        Broken::Drift,
    ] {
        let checker = explore(broken);
        let path = checker.discovery("one acts");
        let path = path.unwrap_or_else(|| panic!("{broken:?} is not noticed"));
        println!("{broken:?}: {:?}", path.into_actions());
    }
}
