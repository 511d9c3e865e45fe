use super::*;
use crate::placement::{SHARDS, Zone};
use rungs_mesh::role::Role;
use rungs_types::{Epoch, Incarnation};

const STEP_MS: u64 = 100;
/// More than one step can lead to at once: a shard's release each, and a few reads and commits.
const MAX_INPUTS: usize = 10_000;

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn identity(text: &str, incarnation: u64) -> Identity {
    Identity {
        node: NodeId {
            name: name(text),
            incarnation: Incarnation(incarnation),
        },
        role: Role::Voter,
        zone: Zone::default(),
        weight: 1,
        address: None,
    }
}

/// A node, what it was told to do, and whether it reaches the store.
struct Node {
    machine: Membership,
    reaches: bool,
    /// Its commits take effect, but it does not hear of it.
    is_deaf: bool,
    done: Vec<(u64, Action)>,
}

/// Nodes around a store that answers at once.
struct World {
    now_ms: u64,
    store: View,
    nodes: Vec<Node>,
}

impl World {
    fn new(names: &[&str]) -> Self {
        let mut world = Self {
            now_ms: 0,
            store: View::default(),
            nodes: Vec::new(),
        };
        for name in names {
            world.start(identity(name, 1), Predecessor::Unknown);
        }
        world
    }

    fn start(&mut self, identity: Identity, predecessor: Predecessor) -> usize {
        self.nodes.push(Node {
            machine: Membership::new(identity, Timing::DEFAULT, predecessor).unwrap(),
            reaches: true,
            is_deaf: false,
            done: Vec::new(),
        });
        self.nodes.len() - 1
    }

    fn tell(&mut self, index: usize, input: Input) {
        let now = Time(self.now_ms);
        let mut inputs = std::collections::VecDeque::from([input]);
        for _ in 0..MAX_INPUTS {
            let Some(input) = inputs.pop_front() else {
                return;
            };
            for action in self.nodes[index].machine.step(now, input) {
                self.nodes[index].done.push((self.now_ms, action.clone()));
                inputs.extend(self.carry_out(index, action));
            }
        }
        panic!("it asks and asks");
    }

    fn carry_out(&mut self, index: usize, action: Action) -> Option<Input> {
        let node = &self.nodes[index];
        match action {
            Action::Read => (node.reaches && !node.is_deaf).then(|| Input::Seen(Arc::new(self.store.clone()))),
            Action::Propose { ticket, proposal } if node.reaches => {
                let after = self.store.commit(&proposal);
                let answer = after
                    .as_ref()
                    .map_or(Answer::Conflict, |after| Answer::Committed(after.revision));
                self.store = after.unwrap_or_else(|| self.store.clone());
                (!node.is_deaf).then_some(Input::Answered { ticket, answer })
            }
            Action::CheckClock => Some(Input::Clock(Skew::Within)),
            Action::Shard(ShardAction::Hold { shard, .. }) => Some(Input::Released(shard)),
            Action::Propose { .. } | Action::Stop { .. } | Action::Shard(_) | Action::Say(_) => None,
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms += STEP_MS;
            for index in 0..self.nodes.len() {
                self.tell(index, Input::Tick);
            }
        }
    }

    fn acts(&self, index: usize) -> bool {
        self.nodes[index].machine.acts(Time(self.now_ms))
    }

    /// When a node was told to do something like this, last.
    fn last(&self, index: usize, like: impl Fn(&Action) -> bool) -> Option<u64> {
        let done = self.nodes[index].done.iter().rev();
        done.clone().find(|(_, action)| like(action)).map(|(at, _)| *at)
    }

    fn said(&self, index: usize, notice: &Notice) -> Option<u64> {
        self.last(index, |action| *action == Action::Say(notice.clone()))
    }

    fn state(&self, node: &str) -> MemberState {
        self.store.members[&name(node)].state
    }

    fn owned(&self, node: &str) -> usize {
        self.store.map.owned_by(&name(node)).count()
    }
}

#[test]
fn nodes_join_one_after_the_other_and_each_gets_its_share() {
    let mut world = World::new(&["n1"]);
    world.run(1_000);
    assert_eq!(
        (world.owned("n1"), world.state("n1")),
        (usize::from(SHARDS), MemberState::Live)
    );
    world.start(identity("n2", 1), Predecessor::Unknown);
    world.start(identity("n3", 1), Predecessor::Unknown);
    world.run(20_000);
    // The same as from nothing with all three: the map of `placement`.
    assert_eq!(["n1", "n2", "n3"].map(|node| world.owned(node)), [1348, 1351, 1397]);
    assert_eq!(["n1", "n2", "n3"].map(|node| world.state(node)), [MemberState::Live; 3]);
    assert_eq!(world.store.map.moving(), 0);
    for (index, node) in ["n1", "n2", "n3"].iter().enumerate() {
        assert!(world.acts(index));
        let ownership = world.nodes[index].machine.ownership();
        let mine: Vec<_> = world.store.map.owned_by(&name(node)).collect();
        assert!(
            mine.iter()
                .all(|shard| ownership.phase(*shard) == Some(&crate::handover::Phase::Owned))
        );
    }
}

#[test]
fn a_node_that_cannot_renew_stops_before_others_take_what_it_has() {
    let mut world = World::new(&["n1", "n2", "n3"]);
    world.run(20_000);
    let shard = world.store.map.owned_by(&name("n2")).next().unwrap();
    let before = world.store.map.holding(shard).epoch;
    let cut_ms = world.now_ms;
    world.nodes[1].reaches = false;
    world.run(12_000);
    let stop = |action: &Action| matches!(action, Action::Stop { .. });
    let stopped = world.last(1, stop).unwrap();
    assert!(
        stopped > cut_ms + 2_000 && stopped <= cut_ms + 5_000 + STEP_MS,
        "{}",
        stopped - cut_ms
    );
    assert_eq!(world.said(1, &Notice::Fenced), Some(stopped));
    assert!(!world.acts(1));
    // One of the others found it dead, once, and at the earliest a lease after its last renewal.
    let found: Vec<_> = [0, 2]
        .into_iter()
        .filter_map(|index| world.said(index, &Notice::Dead(name("n2"))))
        .collect();
    assert!(
        matches!(found[..], [found] if found >= stopped + 1_000),
        "{found:?} {stopped}"
    );
    assert_eq!((world.owned("n2"), world.state("n2")), (0, MemberState::Dead));
    assert_eq!(world.store.map.holding(shard).epoch, before.next());
    // It comes back by itself and gets its share again.
    world.nodes[1].reaches = true;
    world.run(20_000);
    assert_eq!((world.owned("n2"), world.state("n2")), (1351, MemberState::Live));
    assert!(world.said(1, &Notice::Serving) > Some(stopped));
}

#[test]
fn a_node_that_was_away_for_less_than_a_lease_begins_again_at_higher_epochs() {
    let mut world = World::new(&["n1"]);
    world.run(2_000);
    let shard = Shard::new(0).unwrap();
    assert_eq!(world.store.map.holding(shard).epoch, Epoch(1));
    // Alone, nobody can take what it has; it stops all the same.
    world.nodes[0].reaches = false;
    world.run(6_000);
    assert!(!world.acts(0));
    world.nodes[0].reaches = true;
    world.run(2_000);
    assert!(world.acts(0));
    assert_eq!(world.store.map.holding(shard).epoch, Epoch(2));
    let start = ShardAction::Start { shard, epoch: Epoch(2) };
    let (stopped, started) = (
        world.said(0, &Notice::Fenced),
        world.last(0, |it| *it == Action::Shard(start.clone())),
    );
    assert!(stopped < started, "{stopped:?} {started:?}");
    assert_eq!(world.state("n1"), MemberState::Live);
}

#[test]
fn a_lost_session_makes_nobody_dead() {
    let mut world = World::new(&["n1", "n2"]);
    world.run(15_000);
    let owned = world.owned("n2");
    let peer = name("n2");
    world.tell(
        0,
        Input::Session {
            peer: peer.clone(),
            up: false,
        },
    );
    assert!(world.nodes[0].machine.is_suspect(&peer));
    world.run(30_000);
    assert_eq!((world.state("n2"), world.owned("n2")), (MemberState::Live, owned));
    world.tell(
        0,
        Input::Session {
            peer: peer.clone(),
            up: true,
        },
    );
    assert!(!world.nodes[0].machine.is_suspect(&peer));
}

#[test]
fn a_renewal_that_came_true_without_an_answer_does_not_prolong_the_lease() {
    let mut world = World::new(&["n1"]);
    world.run(3_000);
    let renewal = |world: &World| world.store.leases[&name("n1")].renewal;
    let before = renewal(&world);
    world.nodes[0].is_deaf = true;
    world.run(3_000);
    assert!(renewal(&world) > before);
    // It learns its number, and renews from there.
    world.nodes[0].is_deaf = false;
    world.run(2_000);
    assert!(world.acts(0));
    assert_eq!(world.said(0, &Notice::Fenced), None);
    let renewed = renewal(&world);
    world.nodes[0].is_deaf = true;
    world.run(6_000);
    assert!(renewal(&world) > renewed && !world.acts(0));
}

#[test]
fn a_restarted_node_takes_its_lease_over_if_its_predecessor_has_ended_and_waits_if_not() {
    for (predecessor, least_ms, most_ms) in [(Predecessor::Ended, 0, 300), (Predecessor::Unknown, 5_900, 6_300)] {
        let mut world = World::new(&["n1"]);
        world.run(2_000);
        world.nodes.clear();
        let start_ms = world.now_ms;
        world.start(identity("n1", 2), predecessor);
        world.run(8_000);
        let took_ms = world.said(0, &Notice::Serving).unwrap() - start_ms;
        assert!((least_ms..=most_ms).contains(&took_ms), "{predecessor:?} {took_ms}");
        assert_eq!(world.store.map.holding(Shard::new(0).unwrap()).epoch, Epoch(2));
        assert_eq!(
            (world.owned("n1"), world.state("n1")),
            (usize::from(SHARDS), MemberState::Live)
        );
    }
}

#[test]
fn the_earlier_of_two_nodes_with_one_name_ends_itself() {
    let mut world = World::new(&["n1"]);
    world.run(2_000);
    let second = identity("n1", 2);
    world.start(second.clone(), Predecessor::Ended);
    world.run(3_000);
    assert!(world.said(0, &Notice::Superseded(second.node)).is_some());
    assert!(world.nodes[0].machine.is_over() && !world.acts(0));
    assert!(world.acts(1));
}

#[test]
fn a_node_that_leaves_hands_over_all_it_has_first() {
    let mut world = World::new(&["n1", "n2", "n3"]);
    world.run(20_000);
    let epochs = world
        .store
        .map
        .holdings()
        .map(|(_, holding)| holding.epoch.0)
        .sum::<u64>();
    let had = world.owned("n3");
    world.tell(2, Input::Leave);
    world.run(20_000);
    assert_eq!((world.owned("n3"), world.state("n3")), (0, MemberState::Left));
    assert!(!world.store.leases.contains_key(&name("n3")));
    assert!(world.said(2, &Notice::Left).is_some() && world.nodes[2].machine.is_over());
    let passed = world.nodes[2]
        .done
        .iter()
        .filter(|(_, it)| matches!(it, Action::Shard(ShardAction::Pass { .. })));
    assert!(passed.count() >= had);
    assert_eq!(world.owned("n1") + world.owned("n2"), usize::from(SHARDS));
    let after = world
        .store
        .map
        .holdings()
        .map(|(_, holding)| holding.epoch.0)
        .sum::<u64>();
    assert_eq!(after, epochs + had as u64);
}

#[test]
fn a_drained_member_stays_and_gets_its_share_back() {
    let mut world = World::new(&["n1", "n2"]);
    world.run(15_000);
    let had = world.owned("n2");
    let commit = |world: &mut World, proposal: Proposal| world.store = world.store.commit(&proposal).unwrap();
    let proposal = operate::drain(&world.store, &name("n2")).unwrap();
    commit(&mut world, proposal);
    world.run(15_000);
    assert_eq!((world.owned("n2"), world.state("n2")), (0, MemberState::Draining));
    assert!(world.acts(1));
    let pinned = Shard::new(9).unwrap();
    let proposal = operate::pin(&world.store, pinned, &name("n2")).unwrap();
    commit(&mut world, proposal);
    let proposal = operate::undrain(&world.store, &name("n2")).unwrap();
    commit(&mut world, proposal);
    world.run(15_000);
    assert!(world.owned("n2").abs_diff(had) <= 1);
    assert_eq!(world.store.map.holding(pinned).owner, Some(&name("n2")));
    let proposal = operate::unpin(&world.store, pinned);
    commit(&mut world, proposal);
    assert_eq!(world.store.pins.of(pinned), None);
    let (plan, proposal) = operate::rebalance(&world.store);
    assert_eq!(plan.is_empty(), proposal.is_none());
    let gone = operate::drain(&world.store, &name("n9"));
    assert_eq!(gone, Err(operate::OperateError::NotPresent(name("n9"))));
}

#[test]
fn an_admin_has_a_lease_and_owns_nothing() {
    let mut world = World::new(&["n1"]);
    let shell = Identity {
        role: Role::Admin,
        ..identity("shell", 1)
    };
    world.start(shell, Predecessor::Unknown);
    world.run(15_000);
    assert_eq!((world.owned("shell"), world.state("shell")), (0, MemberState::Live));
    assert!(world.store.leases.contains_key(&name("shell")));
}

#[test]
fn a_node_whose_clock_is_off_does_not_join() {
    let mut world = World::new(&["n1"]);
    world.run(1_000);
    let mut machine = Membership::new(identity("n2", 1), Timing::DEFAULT, Predecessor::Unknown).unwrap();
    let view = Arc::new(world.store.clone());
    assert_eq!(machine.step(Time(0), Input::Tick), [Action::Read]);
    assert_eq!(
        machine.step(Time(0), Input::Seen(Arc::clone(&view))),
        [Action::CheckClock]
    );
    let off = Skew::Beyond { ahead_ms: -700 };
    let said = Action::Say(Notice::ClockOff { ahead_ms: -700 });
    assert_eq!(machine.step(Time(0), Input::Clock(off)), [said]);
    // It asks again, and joins when the clock is right.
    let asked = machine.step(Time(1_000), Input::Tick);
    assert_eq!(asked, [Action::CheckClock, Action::Read]);
    let joining = machine.step(Time(1_000), Input::Clock(Skew::Within));
    assert!(matches!(joining[..], [Action::Propose { .. }]), "{joining:?}");
}

#[test]
fn nothing_older_than_its_own_commit_is_acted_by() {
    let mut world = World::new(&[]);
    let mut machine = Membership::new(identity("n1", 1), Timing::DEFAULT, Predecessor::Unknown).unwrap();
    machine.step(Time(0), Input::Tick);
    let actions = machine.step(Time(0), Input::Seen(Arc::default()));
    let [Action::Propose { ticket, proposal }] = &actions[..] else {
        panic!("{actions:?}");
    };
    world.store = world.store.commit(proposal).unwrap();
    let answer = Answer::Committed(Revision(1));
    let joined = machine.step(
        Time(10),
        Input::Answered {
            ticket: *ticket,
            answer,
        },
    );
    assert_eq!(joined, [Action::Say(Notice::Serving), Action::Read]);
    // A replica that is behind: as if the node had no lease. It is asked again, but not at once.
    assert_eq!(machine.step(Time(20), Input::Seen(Arc::default())), []);
    assert_eq!(machine.step(Time(69), Input::Tick), []);
    assert_eq!(machine.step(Time(70), Input::Tick), [Action::Read]);
    assert!(machine.acts(Time(70)));
    let seen = machine.step(Time(80), Input::Seen(Arc::new(world.store)));
    assert!(matches!(seen[..], [Action::Propose { .. }]), "{seen:?}");
}

#[test]
fn a_map_that_others_have_is_read_for_at_a_bounded_rate() {
    let mut world = World::new(&["n1"]);
    world.run(2_000);
    let reads = |world: &World| world.nodes[0].done.iter().filter(|(_, it)| *it == Action::Read).count();
    let before = reads(&world);
    // Nobody has it: a node that is wrong, or lies.
    world.tell(0, Input::NewerMap(MapVersion(1_000_000)));
    world.run(1_000);
    let most = 1_000 / MIN_READ_GAP.as_millis() as usize + 2;
    assert!((2..=most).contains(&(reads(&world) - before)));
}
