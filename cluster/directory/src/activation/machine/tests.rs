use super::super::waiting::Parcel;
use super::*;
use crate::activation::action::Arrival;
use proptest::prelude::*;
use std::collections::BTreeSet;

const NOW: Duration = Duration::from_secs(100);
const EPOCH: Epoch = Epoch(7);

fn agent(number: u32) -> AgentId {
    format!("a-{number}").parse().expect("a valid name")
}

fn parcel(content: u32) -> Parcel<u32> {
    Parcel {
        content,
        bytes: 10,
        until: NOW + Duration::from_secs(5),
    }
}

fn limits() -> Limits {
    Limits {
        activating: 2,
        parcels_per_agent: 3,
        bytes_per_agent: 40,
        parcels: 5,
        bytes: 60,
        failures: 2,
        ..Limits::default()
    }
}

fn arrival(shard: Shard, epoch: Epoch, known: Index) -> Arrival {
    Arrival {
        shard,
        epoch,
        known,
        running: Vec::new(),
    }
}

/// Owns every shard, and knows so many agents, the first of which are residents.
fn node(agents: u32, residents: u32) -> (Activator<u32>, Vec<Action<u32>>) {
    let mut indices: BTreeMap<Shard, Index> = Shard::all().map(|shard| (shard, Index::default())).collect();
    for number in 0..agents {
        let index = indices.get_mut(&Shard::of(&agent(number))).expect("all are there");
        index.insert(&agent(number), number < residents);
    }
    let mut activator = Activator::new(limits());
    let actions = indices
        .into_iter()
        .flat_map(|(shard, index)| activator.own(arrival(shard, EPOCH, index)));
    let actions = actions.collect();
    (activator, actions)
}

fn activate(number: u32) -> Action<u32> {
    Action::Activate {
        agent: agent(number),
        epoch: EPOCH,
    }
}

fn passivate(number: u32) -> Action<u32> {
    Action::Passivate { agent: agent(number) }
}

fn deliver(number: u32, contents: &[u32]) -> Action<u32> {
    Action::Deliver {
        agent: agent(number),
        contents: contents.to_vec(),
    }
}

fn back(number: u32, content: u32, why: Why) -> Action<u32> {
    Action::GiveBack(Unwanted {
        agent: agent(number),
        content,
        why,
    })
}

/// One agent that runs.
fn running() -> Activator<u32> {
    let (mut node, _) = node(1, 0);
    node.wanted(&agent(0), Wanted::ToRun, NOW);
    node.started(&agent(0), EPOCH);
    assert!(node.is_active(&agent(0)));
    node
}

#[test]
fn a_message_wakes_a_passive_agent_and_waits_for_it() {
    let (mut node, actions) = node(1, 0);
    assert_eq!(actions, [], "nobody wants it");
    assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(1)), NOW), [activate(0)]);
    assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(2)), NOW), []);
    assert_eq!((node.counts(), node.waiting()), ((1, 1), 2));
    assert_eq!(node.started(&agent(0), EPOCH), [deliver(0, &[1, 2])]);
    assert!(node.is_active(&agent(0)) && node.waiting() == 0);
    assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(3)), NOW), [deliver(0, &[3])]);
}

#[test]
fn an_idle_agent_rests_and_what_comes_meanwhile_wakes_it_again() {
    let mut node = running();
    assert_eq!(node.idle(&agent(0)), [passivate(0)]);
    assert_eq!(node.idle(&agent(0)), [], "it is on its way");
    assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(1)), NOW), []);
    assert_eq!(node.rested(&agent(0)), [activate(0)]);
    assert_eq!(node.started(&agent(0), EPOCH), [deliver(0, &[1])]);
    assert_eq!(node.idle(&agent(0)), [passivate(0)]);
    assert_eq!(node.rested(&agent(0)), []);
    assert_eq!(node.counts(), (1, 0));
    assert_eq!(node.rested(&agent(0)), [], "it rests already");
}

#[test]
fn a_timer_wakes_an_agent_that_is_coming_to_rest() {
    let mut node = running();
    node.idle(&agent(0));
    assert_eq!(node.wanted(&agent(0), Wanted::ToRun, NOW), []);
    assert_eq!(node.rested(&agent(0)), [activate(0)]);
}

#[test]
fn nobody_else_is_woken_for_an_agent_that_is_not_known() {
    let (mut node, _) = node(1, 0);
    let unknown = Wanted::For(parcel(1));
    assert_eq!(node.wanted(&agent(9), unknown, NOW), [back(9, 1, Why::Unknown)]);
    assert_eq!(node.register(&agent(9), false), (true, vec![]));
    assert_eq!(node.register(&agent(9), false), (false, vec![]), "it is known");
    assert_eq!(node.wanted(&agent(9), Wanted::For(parcel(2)), NOW), [activate(9)]);
    assert_eq!(node.forget(&agent(9)), [back(9, 2, Why::Unknown)]);
    assert!(!node.knows(&agent(9)));
}

#[test]
fn a_storm_is_admitted_in_order_and_messages_go_before_residents() {
    let (mut node, actions) = node(8, 4);
    let first: BTreeSet<AgentId> = actions
        .iter()
        .map(|action| match action {
            Action::Activate { agent, .. } => agent.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(first.len(), 2, "no more than two at a time");
    assert_eq!(node.wanted(&agent(7), Wanted::For(parcel(1)), NOW), []);
    let started = first.first().expect("two of them");
    assert_eq!(node.started(started, EPOCH), [activate(7)], "a message waits for it");
    // A resident for which something has come by now goes first as well, and once.
    let waiting: Vec<u32> = (0..4).filter(|number| !first.contains(&agent(*number))).collect();
    assert_eq!(node.wanted(&agent(waiting[1]), Wanted::For(parcel(2)), NOW), []);
    let second = first.last().expect("two of them");
    assert_eq!(node.started(second, EPOCH), [activate(waiting[1])]);
    assert_eq!(node.started(&agent(7), EPOCH), [deliver(7, &[1]), activate(waiting[0])]);
    assert_eq!(node.started(&agent(waiting[1]), EPOCH), [deliver(waiting[1], &[2])]);
    assert_eq!(node.started(&agent(waiting[0]), EPOCH), []);
}

#[test]
fn a_resident_never_rests_by_itself() {
    let (mut node, actions) = node(1, 1);
    assert_eq!(actions, [activate(0)]);
    node.started(&agent(0), EPOCH);
    assert_eq!(node.idle(&agent(0)), []);
    assert!(node.is_active(&agent(0)));
}

#[test]
fn what_waits_is_bounded_for_one_agent_and_for_all() {
    let (mut node, _) = node(3, 0);
    let mut wanted = |number, content, bytes| {
        let parcel = Parcel {
            bytes,
            ..parcel(content)
        };
        let actions = node.wanted(&agent(number), Wanted::For(parcel), NOW);
        actions.contains(&back(number, content, Why::Full))
    };
    assert!(wanted(0, 0, 41), "more bytes than one agent's");
    assert!(!wanted(0, 1, 20) && !wanted(0, 2, 19) && !wanted(0, 3, 1));
    assert!(wanted(0, 4, 0), "more messages than one agent's");
    assert!(wanted(1, 5, 21), "more bytes than all agents'");
    assert!(!wanted(1, 6, 20) && !wanted(2, 7, 0));
    assert!(wanted(2, 8, 0), "more messages than all agents'");
    assert_eq!(node.started(&agent(0), EPOCH).first(), Some(&deliver(0, &[1, 2, 3])));
    assert_eq!(node.waiting(), 2);
}

#[test]
fn an_agent_that_does_not_start_is_left_alone_for_twice_as_long_each_time() {
    let (mut node, _) = node(1, 0);
    let mut now = NOW;
    for seconds in [0.5, 1.0, 2.0] {
        let retry_after = Duration::from_secs_f64(seconds);
        assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(1)), now), [activate(0)]);
        let failed = node.failed(&agent(0), EPOCH, Failure::Failed, now);
        assert_eq!(failed, [back(0, 1, Why::Failing { retry_after })]);
        let early = now + retry_after - Duration::from_millis(1);
        let why = Why::Failing {
            retry_after: Duration::from_millis(1),
        };
        assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(2)), early), [back(0, 2, why)]);
        now += retry_after;
    }
    node.wanted(&agent(0), Wanted::ToRun, now);
    node.started(&agent(0), EPOCH);
    node.idle(&agent(0));
    node.rested(&agent(0));
    node.wanted(&agent(0), Wanted::ToRun, now);
    let again = node.failed(&agent(0), EPOCH, Failure::Failed, now);
    assert_eq!(again, [], "nothing waited");
    assert_eq!(
        node.wanted(&agent(0), Wanted::ToRun, now + limits().first_pause),
        [activate(0)]
    );
}

#[test]
fn an_agent_without_a_record_is_forgotten() {
    let (mut node, _) = node(1, 0);
    node.wanted(&agent(0), Wanted::For(parcel(1)), NOW);
    let failed = node.failed(&agent(0), EPOCH, Failure::Unknown, NOW);
    assert_eq!(failed, [back(0, 1, Why::Unknown)]);
    assert_eq!(node.counts(), (0, 0));
}

#[test]
fn a_resident_that_does_not_start_is_tried_again() {
    let (mut node, actions) = node(1, 1);
    assert_eq!(actions, [activate(0)]);
    assert_eq!(node.failed(&agent(0), EPOCH, Failure::Failed, NOW), []);
    assert_eq!(node.sweep(NOW + Duration::from_millis(499)), []);
    assert_eq!(node.sweep(NOW + Duration::from_millis(500)), [activate(0)]);
    assert_eq!(node.sweep(NOW + Duration::from_millis(501)), [], "it is starting");
}

#[test]
fn what_nobody_waits_for_any_more_is_given_back() {
    let (mut node, _) = node(1, 0);
    node.wanted(&agent(0), Wanted::For(parcel(1)), NOW);
    let later = Parcel {
        until: NOW + Duration::from_secs(9),
        ..parcel(2)
    };
    node.wanted(&agent(0), Wanted::For(later), NOW);
    assert_eq!(node.sweep(NOW + Duration::from_millis(4_999)), []);
    assert_eq!(node.sweep(NOW + Duration::from_secs(5)), [back(0, 1, Why::Late)]);
    assert_eq!(node.started(&agent(0), EPOCH), [deliver(0, &[2])]);
}

#[test]
fn a_shard_is_released_when_its_last_agent_rests() {
    let mut node = running();
    let shard = Shard::of(&agent(0));
    assert_eq!(node.release(shard), [passivate(0)]);
    assert_eq!(
        node.wanted(&agent(0), Wanted::For(parcel(1)), NOW),
        [back(0, 1, Why::Moved)]
    );
    assert_eq!(node.rested(&agent(0)), [Action::Released { shard }]);
    assert_eq!(node.epoch(shard), None);
    assert_eq!(node.release(shard), [Action::Released { shard }], "nothing is here");
}

#[test]
fn an_agent_that_starts_while_its_shard_leaves_is_given_what_waits_and_rests() {
    let (mut node, _) = node(1, 0);
    let shard = Shard::of(&agent(0));
    node.wanted(&agent(0), Wanted::For(parcel(1)), NOW);
    assert_eq!(node.release(shard), []);
    assert_eq!(node.started(&agent(0), EPOCH), [deliver(0, &[1]), passivate(0)]);
    assert_eq!(node.rested(&agent(0)), [Action::Released { shard }]);
}

#[test]
fn of_a_shard_that_is_lost_nothing_counts_any_more() {
    let (mut node, _) = node(2, 0);
    node.wanted(&agent(0), Wanted::For(parcel(1)), NOW);
    node.wanted(&agent(1), Wanted::ToRun, NOW);
    let (running, actions) = node.lose(Shard::of(&agent(0)));
    assert_eq!(running, [agent(0)]);
    assert_eq!(actions, [back(0, 1, Why::Moved)]);
    assert_eq!(node.started(&agent(0), EPOCH), [], "it is of an epoch that is over");
    // What was taken from this node may come back in another epoch; the old one still counts for nothing.
    let mut known = Index::default();
    known.insert(&agent(0), true);
    let again = node.own(arrival(Shard::of(&agent(0)), Epoch(9), known));
    let epoch = Epoch(9);
    assert_eq!(again, [Action::Activate { agent: agent(0), epoch }]);
    assert_eq!(node.started(&agent(0), EPOCH), []);
    assert_eq!(node.failed(&agent(0), EPOCH, Failure::Failed, NOW), []);
    assert!(!node.is_active(&agent(0)));
    node.started(&agent(0), Epoch(9));
    assert!(node.is_active(&agent(0)));
}

#[test]
fn agents_that_run_when_a_shard_comes_are_not_started_again() {
    let mut node: Activator<u32> = Activator::new(limits());
    let mut known = Index::default();
    known.insert(&agent(0), true);
    let running = vec![agent(0)];
    let arrival = Arrival {
        running,
        ..arrival(Shard::of(&agent(0)), EPOCH, known)
    };
    assert_eq!(node.own(arrival), []);
    assert!(node.is_active(&agent(0)));
    assert_eq!(node.wanted(&agent(0), Wanted::For(parcel(1)), NOW), [deliver(0, &[1])]);
}

#[test]
fn what_is_remembered_of_failures_is_bounded() {
    let (mut node, _) = node(5, 0);
    for number in 0..5 {
        let now = NOW + Duration::from_millis(u64::from(number));
        node.wanted(&agent(number), Wanted::ToRun, now);
        node.failed(&agent(number), EPOCH, Failure::Failed, now);
    }
    assert_eq!(node.pauses.keys().cloned().collect::<Vec<_>>(), [agent(3), agent(4)]);
    node.sweep(NOW + Duration::from_secs(3600));
    assert_eq!(node.pauses.len(), 0);
}

/// What may happen, in any order, also what should not.
#[derive(Debug, Clone)]
enum Event {
    Wanted(u32),
    ToRun(u32),
    Started(u32),
    Failed(u32),
    Idle(u32),
    Rested(u32),
    Release(u32),
    Lose(u32),
    Own(u32),
    Forget(u32),
    Register(u32),
    Later,
}

fn event() -> impl Strategy<Value = Event> {
    let number = 0..6_u32;
    prop_oneof![
        8 => number.clone().prop_map(Event::Wanted),
        2 => number.clone().prop_map(Event::ToRun),
        6 => number.clone().prop_map(Event::Started),
        1 => number.clone().prop_map(Event::Failed),
        3 => number.clone().prop_map(Event::Idle),
        3 => number.clone().prop_map(Event::Rested),
        1 => number.clone().prop_map(Event::Release),
        1 => number.clone().prop_map(Event::Lose),
        2 => number.clone().prop_map(Event::Own),
        1 => number.clone().prop_map(Event::Forget),
        1 => number.prop_map(Event::Register),
        1 => Just(Event::Later),
    ]
}

/// Whatever happens: what was taken is delivered or given back once, in order; what starts is bounded and of this node; and
/// when all have run and rested nothing is left.
fn check(events: Vec<Event>) -> Result<(), TestCaseError> {
    let (mut node, _) = node(6, 2);
    let (mut now, mut epoch, mut sent) = (NOW, EPOCH, 0_u32);
    let mut ended: BTreeMap<u32, u32> = BTreeMap::new();
    let mut last: BTreeMap<AgentId, u32> = BTreeMap::new();
    for event in events {
        let actions = match event {
            Event::Wanted(number) => {
                sent += 1;
                let parcel = Parcel {
                    until: now + Duration::from_secs(1),
                    ..parcel(sent)
                };
                node.wanted(&agent(number), Wanted::For(parcel), now)
            }
            Event::ToRun(number) => node.wanted(&agent(number), Wanted::ToRun, now),
            Event::Started(number) => {
                let epoch = node.epoch(Shard::of(&agent(number))).unwrap_or(epoch);
                node.started(&agent(number), epoch)
            }
            Event::Failed(number) => node.failed(&agent(number), epoch, Failure::Failed, now),
            Event::Idle(number) => node.idle(&agent(number)),
            Event::Rested(number) => node.rested(&agent(number)),
            Event::Release(number) => node.release(Shard::of(&agent(number))),
            Event::Lose(number) => node.lose(Shard::of(&agent(number))).1,
            Event::Own(number) if node.epoch(Shard::of(&agent(number))).is_none() => {
                epoch = epoch.next();
                let mut known = Index::default();
                known.insert(&agent(number), number < 2);
                node.own(arrival(Shard::of(&agent(number)), epoch, known))
            }
            Event::Own(_) => Vec::new(),
            Event::Forget(number) => node.forget(&agent(number)),
            Event::Register(number) => node.register(&agent(number), false).1,
            Event::Later => {
                now += Duration::from_millis(700);
                node.sweep(now)
            }
        };
        for action in actions {
            match action {
                Action::Deliver { agent, contents } => {
                    for content in contents {
                        *ended.entry(content).or_default() += 1;
                        let before = last.insert(agent.clone(), content);
                        prop_assert!(before.is_none_or(|before| before < content), "in order");
                    }
                }
                Action::GiveBack(unwanted) => *ended.entry(unwanted.content).or_default() += 1,
                Action::Activate { agent, epoch } => {
                    prop_assert_eq!(node.epoch(Shard::of(&agent)), Some(epoch));
                }
                Action::Passivate { .. } | Action::Released { .. } => {}
            }
        }
        let starting = node.shards.values().flat_map(|owned| owned.live.values());
        let starting = starting.filter(|live| live.phase == Phase::Activating).count();
        prop_assert_eq!(starting, node.activating);
        prop_assert!(starting <= limits().activating);
        prop_assert!(node.load.parcels <= limits().parcels && node.load.bytes <= limits().bytes);
        let ended = ended.values().map(|count| *count as usize).sum::<usize>();
        prop_assert_eq!(ended + node.waiting(), sent as usize, "all of it is somewhere");
    }
    prop_assert!(ended.values().all(|count| *count == 1), "nothing twice");
    for number in 0..6 {
        node.lose(Shard::of(&agent(number)));
    }
    prop_assert_eq!(
        (node.activating, node.load, node.counts()),
        (0, Load::default(), (0, 0))
    );
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_lost_or_given_twice(events in prop::collection::vec(event(), 0..200)) {
        check(events)?;
    }
}
