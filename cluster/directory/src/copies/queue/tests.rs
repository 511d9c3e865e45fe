use super::*;
use proptest::prelude::*;
use rungs_types::Epoch;

const MS: Duration = Duration::from_millis(1);

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn stamp(epoch: u64, sequence: u64) -> Stamp {
    let epoch = Epoch(epoch);
    Stamp { epoch, sequence }
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

fn on_n2(_: &AgentId) -> Option<NodeName> {
    Some(node("n2"))
}

fn down(_: &AgentId) -> Option<NodeName> {
    None
}

fn confirmed(holder: &str, stamp: Stamp) -> Option<Confirmed> {
    let holder = node(holder);
    let hash = [7; 32];
    Some(Confirmed { holder, stamp, hash })
}

fn taken(queue: &mut Queue, now: Duration) -> Vec<AgentId> {
    queue.take(now, on_n2).map_or_else(Vec::new, |batch| batch.agents)
}

#[test]
fn what_is_written_meanwhile_is_one_copy_more_whatever_its_number() {
    let mut queue = Queue::bounded(9);
    for sequence in 1..=3 {
        assert!(queue.written(&agent("a"), stamp(1, sequence), 10, MS * sequence as u32));
    }
    assert_eq!(queue.oldest(), Some(MS));
    assert_eq!(taken(&mut queue, MS * 4), [agent("a")]);
    assert_eq!(taken(&mut queue, MS * 4), [], "it is on its way");
    queue.written(&agent("a"), stamp(1, 4), 10, MS * 5);
    queue.written(&agent("a"), stamp(1, 5), 10, MS * 6);
    queue.done(&agent("a"), confirmed("n2", stamp(1, 3)), MS * 7);
    assert_eq!(queue.oldest(), Some(MS * 5), "the first after what was sent");
    assert_eq!(taken(&mut queue, MS * 7), [agent("a")]);
    queue.done(&agent("a"), confirmed("n2", stamp(1, 5)), MS * 8);
    assert_eq!((queue.oldest(), taken(&mut queue, MS * 9)), (None, vec![]));
}

#[test]
fn a_failure_is_followed_by_longer_and_longer_pauses_and_then_given_up_until_the_next_snapshot() {
    let mut queue = Queue::bounded(9);
    queue.written(&agent("a"), stamp(1, 1), 10, MS);
    let (mut now, mut pauses) = (MS, Vec::new());
    loop {
        assert_eq!(taken(&mut queue, now), [agent("a")]);
        if queue.failed(&agent("a"), now) {
            break;
        }
        let failed = now;
        while queue.waiting.iter().all(|(due, _)| *due > now) {
            assert_eq!(taken(&mut queue, now), []);
            now += Duration::from_millis(500);
        }
        pauses.push((now - failed).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(pauses.len() + 1, MAX_TRIES as usize);
    assert_eq!((queue.oldest(), taken(&mut queue, now * 2)), (None, vec![]));
    queue.written(&agent("a"), stamp(1, 2), 10, now);
    assert_eq!(taken(&mut queue, now), [agent("a")]);
    assert!(!queue.failed(&agent("a"), now), "it counts anew");
}

#[test]
fn while_the_holder_is_down_nothing_is_tried_and_nothing_is_given_up() {
    let mut queue = Queue::bounded(9);
    queue.written(&agent("a"), stamp(1, 1), 10, MS);
    for second in 0..100 {
        let now = Duration::from_secs(second) + MS;
        assert_eq!(queue.take(now, down), None);
        assert!(!queue.is_busy(down) && queue.is_busy(on_n2));
    }
    let up = Duration::from_secs(100) + MS;
    assert_eq!(taken(&mut queue, up), [agent("a")]);
    queue.postponed(&agent("a"), up);
    assert_eq!(taken(&mut queue, up), [], "it went down again");
    assert_eq!(taken(&mut queue, up + HOLDER_PAUSE), [agent("a")]);
    assert_eq!(queue.oldest(), Some(MS));
}

#[test]
fn a_batch_has_one_holder_and_keeps_to_the_limits() {
    let mut queue = Queue::bounded(1_000);
    let holder = |agent: &AgentId| {
        Some(node(if agent.name.as_str().starts_with('x') {
            "n3"
        } else {
            "n2"
        }))
    };
    for number in 0..100 {
        queue.written(&agent(&format!("a{number}")), stamp(1, 1), 10, MS);
    }
    queue.written(&agent("x"), stamp(1, 1), 10, MS);
    let sizes: Vec<_> = std::iter::from_fn(|| queue.take(MS, holder))
        .map(|batch| (batch.holder.to_string(), batch.agents.len()))
        .collect();
    let expected = [("n2", MAX_BATCH_COPIES), ("n2", 100 - MAX_BATCH_COPIES), ("n3", 1)];
    assert_eq!(sizes, expected.map(|(node, count)| (node.to_owned(), count)));
    for (name, bytes) in [
        ("l1", MAX_BATCH_BYTES - 10),
        ("l2", 10),
        ("l3", 1),
        ("l4", MAX_BATCH_BYTES * 3),
    ] {
        queue.written(&agent(name), stamp(1, 1), bytes, MS * 2);
    }
    let batches: Vec<_> = std::iter::from_fn(|| queue.take(MS * 2, holder))
        .map(|batch| batch.agents)
        .collect();
    let expected = [vec!["l1", "l2"], vec!["l3"], vec!["l4"]];
    assert_eq!(
        batches,
        expected.map(|names| names.into_iter().map(agent).collect::<Vec<_>>())
    );
}

#[test]
fn who_is_clean_makes_room_and_who_finds_none_is_told_so() {
    let mut queue = Queue::bounded(2);
    assert!(queue.written(&agent("a"), stamp(1, 1), 10, MS));
    assert!(queue.written(&agent("b"), stamp(1, 1), 10, MS));
    assert!(!queue.written(&agent("c"), stamp(1, 1), 10, MS));
    assert!(queue.written(&agent("b"), stamp(1, 2), 10, MS), "who is known stays");
    assert_eq!(taken(&mut queue, MS).len(), 2);
    queue.done(&agent("a"), confirmed("n2", stamp(1, 1)), MS);
    assert!(
        !queue.written(&agent("c"), stamp(1, 1), 10, MS),
        "the index does not name a yet"
    );
    queue.to_index(0, MS).iter().for_each(|named| queue.indexed(named));
    assert!(queue.written(&agent("c"), stamp(1, 1), 10, MS));
    assert!(!queue.lines.contains_key(&agent("a")));
}

#[test]
fn the_index_is_told_at_once_of_another_epoch_or_holder_and_now_and_then_of_another_number() {
    let mut queue = Queue::bounded(9);
    let told = |queue: &mut Queue, round| {
        let named = queue.to_index(round, MS);
        named.iter().for_each(|named| queue.indexed(named));
        let said = |named: &Named| (named.stamp, named.holder.is_some(), named.hash.is_some());
        named.iter().map(said).collect::<Vec<_>>()
    };
    let copied = |queue: &mut Queue, stamp| {
        queue.written(&agent("a"), stamp, 10, MS);
        assert_eq!(taken(queue, MS).len(), 1);
        queue.done(&agent("a"), confirmed("n2", stamp), MS);
    };
    queue.written(&agent("a"), stamp(1, 1), 10, MS);
    assert_eq!(told(&mut queue, 3), [], "an earlier copy may be named");
    assert_eq!(queue.to_index(1, MS + UNCONFIRMED_WAIT).len(), 1, "but not for ever");
    assert_eq!(taken(&mut queue, MS).len(), 1);
    queue.done(&agent("a"), confirmed("n2", stamp(1, 1)), MS);
    assert_eq!(told(&mut queue, 1), [(stamp(1, 1), true, true)]);
    copied(&mut queue, stamp(1, 2));
    assert_eq!([told(&mut queue, 1), told(&mut queue, 2)], [[], []]);
    queue.written(&agent("a"), stamp(1, 3), 10, MS);
    assert_eq!(told(&mut queue, 3), [(stamp(1, 3), true, false)]);
    copied(&mut queue, stamp(2, 4));
    assert_eq!(told(&mut queue, 1), [(stamp(2, 4), true, true)]);
    copied(&mut queue, stamp(2, 5));
    queue.rested(&agent("a"));
    assert_eq!(told(&mut queue, 1), [(stamp(2, 5), true, true)], "the last one");
    assert!(queue.lines.is_empty());
}

#[test]
fn who_rests_is_copied_again_without_the_index_forgetting_who_has_its_copy() {
    let mut queue = Queue::bounded(4);
    let said = |name: &str, hash| Named {
        agent: agent(name),
        stamp: stamp(2, 5),
        holder: Some(node("n3")),
        hash,
    };
    assert!(queue.repair(said("a", Some([7; 32])), MS));
    assert_eq!(queue.to_index(0, MS), [], "it is said already");
    assert_eq!(taken(&mut queue, MS), [agent("a")]);
    queue.done(&agent("a"), confirmed("n2", stamp(2, 5)), MS);
    let named = queue.to_index(1, MS);
    assert_eq!(
        named.iter().map(|named| named.holder.clone()).collect::<Vec<_>>(),
        [Some(node("n2"))]
    );
    named.iter().for_each(|named| queue.indexed(named));
    assert!(queue.lines.is_empty(), "and it is over");
    assert!(queue.repair(said("a", None), MS) && queue.repair(said("b", None), MS));
    assert!(
        !queue.repair(said("c", None), MS),
        "half of the room is for those that run"
    );
    queue.written(&agent("a"), stamp(2, 6), 10, MS);
    assert!(queue.repair(said("a", None), MS));
    assert_eq!(queue.forget(&agent("a")), Some((stamp(2, 6), Some(node("n3")))));
}

#[derive(Debug, Clone)]
enum Step {
    Written(usize),
    Take(u8),
    Done(usize),
    Failed(usize),
    Postponed(usize),
    LeftOver(usize),
    Recover,
    Later(u32),
    Index(u64),
    Rested(usize),
    Forget(usize),
    Repair(usize),
}

const AGENTS: usize = 6;
const MAX: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let agent = 0..AGENTS;
    prop_oneof![
        6 => agent.clone().prop_map(Step::Written),
        6 => any::<u8>().prop_map(Step::Take),
        4 => agent.clone().prop_map(Step::Done),
        2 => agent.clone().prop_map(Step::Failed),
        1 => agent.clone().prop_map(Step::Postponed),
        1 => agent.clone().prop_map(Step::LeftOver),
        1 => Just(Step::Recover),
        3 => (0..2_000_u32).prop_map(Step::Later),
        2 => (0..9_u64).prop_map(Step::Index),
        1 => agent.clone().prop_map(Step::Rested),
        1 => agent.clone().prop_map(Step::Forget),
        1 => agent.prop_map(Step::Repair),
    ]
}

/// What the queue is to know, said another way.
#[derive(Default)]
struct Model {
    /// The last number of each agent, and of that the one which a holder has.
    written: [u64; AGENTS],
    copied: [u64; AGENTS],
    sending: [Option<u64>; AGENTS],
}

proptest! {
    #[test]
    fn the_last_snapshot_of_each_agent_arrives_once_and_nothing_grows(steps in prop::collection::vec(step(), 0..120)) {
        let names: Vec<AgentId> = (0..AGENTS).map(|number| agent(&format!("a{number}"))).collect();
        let place = |agent: &AgentId| names.iter().position(|name| name == agent).expect("one of them");
        let (mut queue, mut model, mut now) = (Queue::bounded(MAX), Model::default(), Duration::ZERO);
        for step in steps {
            match step {
                Step::Written(at) => {
                    model.written[at] += 1;
                    queue.written(&names[at], stamp(1, model.written[at]), 200_000, now);
                }
                Step::Take(up) => {
                    let holder = |agent: &AgentId| (up >> place(agent) & 1 == 1).then(|| node(["n2", "n3"][place(agent) % 2]));
                    if let Some(batch) = queue.take(now, holder) {
                        prop_assert!(batch.agents.len() <= 2, "half a megabyte");
                        for agent in batch.agents {
                            prop_assert_eq!(holder(&agent), Some(batch.holder.clone()));
                            let at = place(&agent);
                            prop_assert_eq!(model.sending[at].replace(model.written[at]), None);
                        }
                    }
                }
                Step::Done(at) => {
                    if let Some(sent) = model.sending[at].take() {
                        model.copied[at] = model.copied[at].max(sent);
                        queue.done(&names[at], confirmed("n2", stamp(1, sent)), now);
                    } else {
                        queue.done(&names[at], confirmed("n2", stamp(1, 0)), now);
                    }
                }
                Step::Failed(at) => {
                    model.sending[at] = None;
                    queue.failed(&names[at], now);
                }
                Step::Postponed(at) => {
                    model.sending[at] = None;
                    queue.postponed(&names[at], now);
                }
                Step::LeftOver(at) => {
                    model.sending[at] = None;
                    queue.left_over(&names[at], now);
                }
                Step::Recover => {
                    model.sending = Default::default();
                    queue.recover(now);
                }
                Step::Later(ms) => now += MS * ms,
                Step::Index(round) => queue.to_index(round, now).iter().for_each(|named| queue.indexed(named)),
                Step::Rested(at) => queue.rested(&names[at]),
                Step::Repair(at) => {
                    let (agent, stamp) = (names[at].clone(), stamp(1, model.written[at]));
                    let (holder, hash) = (Some(node("n3")), None);
                    queue.repair(Named { agent, stamp, holder, hash }, now);
                }
                Step::Forget(at) => {
                    model.sending[at] = None;
                    queue.forget(&names[at]);
                }
            }
            prop_assert!(queue.lines.len() <= MAX);
            prop_assert!(queue.oldest().is_none_or(|since| since <= now));
            let waiting: BTreeSet<_> = queue.waiting.iter().map(|(_, agent)| agent.clone()).collect();
            let expected: BTreeSet<_> = queue.lines.iter().filter(|(_, line)| line.waits()).map(|(agent, _)| agent.clone()).collect();
            prop_assert_eq!(waiting.len(), queue.waiting.len(), "each once");
            prop_assert_eq!(waiting, expected);
        }
        // All come through: whoever is known has its last snapshot copied, if it was not given up.
        now += LONGEST_PAUSE;
        queue.recover(now);
        while let Some(batch) = queue.take(now, on_n2) {
            for agent in batch.agents {
                let at = place(&agent);
                model.copied[at] = model.written[at];
                queue.done(&agent, confirmed("n2", stamp(1, model.written[at])), now);
            }
        }
        prop_assert_eq!(queue.oldest(), None);
        for (agent, line) in &queue.lines {
            let given_up = line.confirmed.as_ref().is_none_or(|confirmed| confirmed.stamp < line.written);
            let at = place(agent);
            prop_assert!(given_up || model.copied[at] == model.written[at]);
        }
    }
}
