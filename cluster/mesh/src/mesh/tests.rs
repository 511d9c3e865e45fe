mod conversation;
mod roles;

use super::*;
use crate::bench::target::{Count, Delay, Echo, Target, TargetHandle};
use crate::memory::{Faults, MemoryNetwork};
use crate::peer::{EVENT_CREDIT, RESUME_WITHIN, SILENCE_LIMIT};
use crate::role::Role;
use rungs_host::{Format, Mailbox, Watched, Wire};
use rungs_types::{AgentStatus, Event, EventKind};

const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Node {
    pub(super) mesh: Mesh,
    pub(super) target: TargetHandle,
}

pub(super) fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

pub(super) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn hello(node: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        min_protocol: MIN_PROTOCOL,
        features: BTreeSet::new(),
        cluster: ClusterId::from_bits(1),
        node: node.parse().expect("a node id"),
        roles: Roles::of(&[Role::Member]),
        window_messages: WINDOW_MESSAGES,
        window_bytes: WINDOW_BYTES,
        greeting: 0,
        resume: None,
    }
}

/// A node that greets with `hello` and has the actor `ops-1`.
async fn node_as(network: &MemoryNetwork, hello: Hello, mailbox: Mailbox) -> Node {
    let endpoints = Arc::new(Endpoints::new());
    let target = Target::start(&endpoints, address("ops-1"), mailbox)
        .await
        .expect("starts");
    let transport = network.transport(hello.node.clone(), Roles::of(&[Role::Member]));
    let mesh = Mesh::start_as(hello, transport, endpoints, EventHub::default())
        .await
        .expect("starts");
    Node { mesh, target }
}

async fn node(network: &MemoryNetwork, id: &str) -> Node {
    node_as(network, hello(id), Mailbox::default()).await
}

async fn pair(faults: Faults) -> (MemoryNetwork, Node, Node) {
    let network = MemoryNetwork::new(7, faults);
    let (one, two) = (node(&network, "n1~1").await, node(&network, "n2~1").await);
    linked(&one, "n2").await;
    linked(&two, "n1").await;
    (network, one, two)
}

async fn linked(node: &Node, peer: &str) {
    let peer = name(peer);
    let mut peers = node.mesh.watch();
    peers
        .wait_for(|peers| peers.contains_key(&peer))
        .await
        .expect("the mesh lives");
}

async fn unlinked(node: &Node, peer: &str) {
    let peer = name(peer);
    let mut peers = node.mesh.watch();
    peers
        .wait_for(|peers| !peers.contains_key(&peer))
        .await
        .expect("the mesh lives");
}

async fn ask<W: Wire>(from: &Node, to: &str, message: &W, deadline: Duration) -> Result<W::Reply, Refusal> {
    ask_at(from, to, "ops-1", message, deadline).await
}

async fn ask_at<W: Wire>(
    from: &Node,
    node: &str,
    to: &str,
    message: &W,
    deadline: Duration,
) -> Result<W::Reply, Refusal> {
    let payload = Payload::of(message, Format::Binary)?;
    let context = Context::default();
    let outbound = Outbound {
        to: &address(to),
        payload: &payload,
        context: &context,
        sent_by: None,
    };
    from.mesh.ask(&name(node), outbound, deadline).await?.decode()
}

fn tell<W: Wire>(from: &Node, to: &str, message: &W) -> Result<(), Refusal> {
    let payload = Payload::of(message, Format::Binary)?;
    let context = Context::default();
    let outbound = Outbound {
        to: &address("ops-1"),
        payload: &payload,
        context: &context,
        sent_by: None,
    };
    from.mesh.tell(&name(to), outbound)
}

fn echo(size: usize) -> Echo {
    Echo {
        text: (0..size).map(|i| char::from(b'a' + (i % 26) as u8)).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_of_any_size_is_answered_by_the_actor_on_the_other_node() {
    let (_network, one, _two) = pair(Faults::default()).await;
    for size in [0, 1, 64, 300_000, 4 * 1024 * 1024 - 64] {
        let message = echo(size);
        let answer = ask(&one, "n2", &message, SECOND * 10).await;
        assert!(answer == Ok(message.text), "{size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn told_messages_arrive_once_and_in_order() {
    let (_network, one, two) = pair(Faults::default()).await;
    for _ in 0..1000 {
        tell(&one, "n2", &Count { text: "x".repeat(64) }).expect("room");
    }
    let count = ask(&one, "n2", &Count { text: String::new() }, SECOND).await;
    assert_eq!(count, Ok(1001), "the question came after all that was told");
    assert_eq!(two.target.counted(), 1001);
    let metrics = &one.mesh.metrics()[0];
    assert_eq!((metrics.told, metrics.asked, metrics.refused_by_peer), (1000, 1, 0));
    assert!(metrics.traffic.frames_out < 100, "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_has_its_code() {
    let (_network, one, _two) = pair(Faults::default()).await;
    let code = |result: Result<String, Refusal>| result.expect_err("refused").code;
    let nobody = ask_at(&one, "n2", "ops-2", &echo(1), SECOND).await;
    assert_eq!(
        nobody.as_ref().map_err(|refusal| refusal.message.as_str()),
        Err("n2 has no ops-2")
    );
    assert_eq!(code(nobody), ErrorCode::NotFound);
    let down = ask(&one, "n9", &echo(1), SECOND).await;
    assert_eq!(
        down.as_ref().map_err(|refusal| refusal.message.as_str()),
        Err("node n9 is not reachable")
    );
    assert_eq!(code(down), ErrorCode::NodeDown);
    assert_eq!(
        code(ask(&one, "n2", &echo(4 * 1024 * 1024), SECOND).await),
        ErrorCode::TooLarge
    );
    let late = ask(&one, "n2", &Delay { ms: 5000 }, SECOND).await.expect_err("late");
    assert_eq!(late.code, ErrorCode::DeadlineExceeded);
    assert!(late.message.ends_with("it may have been executed"), "{late}");
    let garbage = Payload {
        kind: "bench.echo".into(),
        version: 1,
        format: Format::Binary,
        bytes: vec![9, 9].into(),
    };
    let outbound = Outbound {
        to: &address("ops-1"),
        payload: &garbage,
        context: &Context::default(),
        sent_by: None,
    };
    let refused = one.mesh.ask(&name("n2"), outbound, SECOND * 10).await;
    assert_eq!(refused.expect_err("malformed").code, ErrorCode::Incompatible);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_is_overloaded_and_says_when_to_retry() {
    let network = MemoryNetwork::new(1, Faults::default());
    let one = node(&network, "n1~1").await;
    let _two = node_as(&network, hello("n2~1"), Mailbox::bounded(2, 1 << 20)).await;
    linked(&one, "n2").await;
    tell(&one, "n2", &Delay { ms: 2000 }).expect("room");
    tell(&one, "n2", &Count { text: String::new() }).expect("room");
    let full = ask(&one, "n2", &echo(1), SECOND).await.expect_err("full");
    assert_eq!((full.code, full.retry_after_ms), (ErrorCode::Overloaded, Some(50)));
    tokio::time::sleep(SECOND * 3).await;
    assert_eq!(ask(&one, "n2", &echo(1), SECOND).await, Ok("a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_sender_is_held_back_by_what_the_receiver_has_not_worked_off() {
    let network = MemoryNetwork::new(1, Faults::default());
    let one = node(&network, "n1~1").await;
    let two = node_as(&network, hello("n2~1"), Mailbox::bounded(u32::MAX, u64::MAX)).await;
    linked(&one, "n2").await;
    tell(&one, "n2", &Delay { ms: 30_000 }).expect("room");
    let mut told = 0_u64;
    loop {
        match tell(&one, "n2", &Count { text: "x".repeat(64) }) {
            Ok(()) => told += 1,
            Err(refusal) => {
                assert_eq!(
                    (refusal.code, refusal.retry_after_ms),
                    (ErrorCode::Overloaded, Some(10))
                );
                break;
            }
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(told, WINDOW_MESSAGES - 1);
    tokio::time::sleep(SECOND * 10).await;
    assert!(
        tell(&one, "n2", &Count { text: String::new() }).is_err(),
        "nothing was worked off"
    );
    tokio::time::sleep(SECOND * 30).await;
    assert_eq!(two.target.counted(), told);
    assert_eq!(tell(&one, "n2", &Count { text: String::new() }), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_withdrawn() {
    let (_network, one, two) = pair(Faults::default()).await;
    let question = ask(&one, "n2", &Delay { ms: 20_000 }, SECOND * 60);
    assert!(tokio::time::timeout(SECOND, question).await.is_err());
    let metrics = &one.mesh.metrics()[0];
    assert_eq!(metrics.pending_asks, 0);
    tokio::time::sleep(SECOND).await;
    let peer = two.mesh.peer(&name("n1")).expect("up");
    assert_eq!(peer.answering_len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_link_ends_and_a_healed_one_comes_again() {
    let (network, one, two) = pair(Faults::default()).await;
    network.partition(&name("n1"), &name("n2"));
    let began = Instant::now();
    let question = echo(1);
    let lost = async {
        let lost = ask(&one, "n2", &question, SECOND * 60).await.expect_err("lost");
        (lost.code, began.elapsed())
    };
    let unlinked = async {
        unlinked(&one, "n2").await;
        unlinked(&two, "n1").await;
        began.elapsed()
    };
    let ((code, lost), unlinked) = tokio::join!(lost, unlinked);
    let around = |limit: Duration, took| took > limit - SECOND * 4 && took < limit + SECOND * 3;
    assert!(around(SILENCE_LIMIT, unlinked), "{unlinked:?}");
    assert_eq!(code, ErrorCode::TargetEnded);
    assert!(around(SILENCE_LIMIT + RESUME_WITHIN, lost), "{lost:?}");
    let down = ask(&one, "n2", &echo(1), SECOND).await.expect_err("down");
    assert_eq!(down.code, ErrorCode::NodeDown);
    network.heal();
    linked(&one, "n2").await;
    linked(&two, "n1").await;
    assert_eq!(ask(&one, "n2", &echo(2), SECOND).await, Ok("ab".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_way_silence_ends_the_link_too() {
    let (network, one, two) = pair(Faults::default()).await;
    network.cut(&name("n2"), &name("n1"));
    unlinked(&one, "n2").await;
    unlinked(&two, "n1").await;
    network.heal();
    linked(&one, "n2").await;
}

#[tokio::test(start_paused = true)]
async fn on_a_faulty_network_nothing_is_executed_twice_and_every_question_ends() {
    let faults = Faults {
        loss: 0.02,
        repetition: 0.1,
        reordering: 0.05,
        ..Faults::default()
    };
    let (network, one, two) = pair(faults).await;
    let (mut answered, mut last) = (0_u64, 0);
    for _ in 0..500 {
        match ask(&one, "n2", &Count { text: "x".repeat(500) }, SECOND * 30).await {
            Ok(count) => {
                assert!(count > last, "answers count up");
                (answered, last) = (answered + 1, count);
            }
            Err(refusal) if refusal.code == ErrorCode::NodeDown => {
                tokio::time::sleep(SECOND).await;
            }
            Err(refusal) => assert!(refusal.code.may_have_executed(), "{refusal}"),
        }
    }
    let executed = two.target.counted();
    assert_eq!(executed, answered, "what was taken is executed once and answered");
    let metrics = &one.mesh.metrics()[0];
    assert!(
        answered > 400 && metrics.resumed > 0 && metrics.duplicate_frames > 0,
        "{answered} answered; {metrics:?}"
    );
    network.set_faults(Faults::default());
    tokio::time::sleep(SECOND * 20).await;
    assert_eq!(ask(&one, "n2", &echo(1), SECOND).await, Ok("a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_node_of_another_cluster_or_version_is_refused_and_told_why() {
    let network = MemoryNetwork::new(1, Faults::default());
    let one = node(&network, "n1~1").await;
    let other_cluster = Hello {
        cluster: ClusterId::from_bits(2),
        ..hello("n2~1")
    };
    let later = Hello {
        protocol: 9,
        min_protocol: 8,
        ..hello("n3~1")
    };
    let two = node_as(&network, other_cluster, Mailbox::default()).await;
    let three = node_as(&network, later, Mailbox::default()).await;
    tokio::time::sleep(SECOND * 5).await;
    assert!(one.mesh.peers().is_empty() && two.mesh.peers().is_empty() && three.mesh.peers().is_empty());
    let refusals = one.mesh.refusals();
    assert_eq!(refusals[&name("n2")].code, ErrorCode::Forbidden);
    assert_eq!(
        refusals[&name("n3")].message,
        "n3~1 speaks protocol 8 to 9; expected 2 to 2"
    );
    assert_eq!(three.mesh.refusals()[&name("n1")].code, ErrorCode::Incompatible);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_claims_more_than_its_certificate_is_refused() {
    let network = MemoryNetwork::new(1, Faults::default());
    let one = node(&network, "n1~1").await;
    let admin = Hello {
        roles: Roles::of(&[Role::Member, Role::Admin]),
        ..hello("n2~1")
    };
    let _two = node_as(&network, admin, Mailbox::default()).await;
    tokio::time::sleep(SECOND * 5).await;
    let refusal = &one.mesh.refusals()[&name("n2")];
    assert_eq!(
        refusal.message,
        "n2~1 claims the roles member+admin; its certificate gives it member"
    );
}

#[tokio::test(start_paused = true)]
async fn the_newer_incarnation_of_a_node_replaces_the_obsolete_one() {
    let network = MemoryNetwork::new(1, Faults::default());
    let one = node(&network, "n1~1").await;
    let _old = node(&network, "n2~5").await;
    linked(&one, "n2").await;
    // The same node starts again; its old process is cut off but its link is not yet known to be dead.
    let new = node(&network, "n2~6").await;
    linked(&new, "n1").await;
    let mut peers = one.mesh.watch();
    peers
        .wait_for(|peers| peers.get(&name("n2")).is_some_and(|info| info.node.incarnation.0 == 6))
        .await
        .expect("replaced");
    assert_eq!(ask(&one, "n2", &echo(1), SECOND).await, Ok("a".to_owned()));
    let obsolete = node(&network, "n2~4").await;
    tokio::time::sleep(SECOND * 5).await;
    assert!(obsolete.mesh.peers().is_empty());
    let refusal = &obsolete.mesh.refusals()[&name("n1")];
    assert_eq!(refusal.code, ErrorCode::Forbidden);
    assert!(refusal.message.starts_with("n2~4 is obsolete: n2~6 is up"), "{refusal}");
}

fn event(seq: u64, status: bool) -> Event {
    let incident = EventKind::Incident {
        raised: true,
        summary: "x".to_owned(),
    };
    Event {
        seq,
        node: name("n2"),
        agent: "ops-1".parse().expect("an agent"),
        cycle: seq,
        kind: if status {
            EventKind::Status(AgentStatus::default())
        } else {
            incident
        },
    }
}

async fn subscribed(from: &Node, filter: EventFilter) -> EventStream {
    let stream = from.mesh.subscribe(&name("n2"), filter).expect("room");
    // The question overtakes nothing: when it is answered, the subscription is there.
    ask(from, "n2", &echo(1), SECOND).await.expect("answered");
    stream
}

#[tokio::test(start_paused = true)]
async fn events_of_a_peer_are_streamed_through_the_filter() {
    let (_network, one, two) = pair(Faults::default()).await;
    let mut changes = subscribed(&one, EventFilter::default()).await;
    let all = EventFilter {
        agent: Some("ops-1".parse().expect("an agent")),
        status: true,
    };
    let mut all = subscribed(&one, all).await;
    let other = EventFilter {
        agent: Some("ops-2".parse().expect("an agent")),
        status: true,
    };
    let mut other = subscribed(&one, other).await;
    for seq in 0..4 {
        two.mesh.events().publish(event(seq, seq % 2 == 0));
    }
    let mut seen = Vec::new();
    for stream in [&mut changes, &mut all] {
        while let Ok(Some(Watched::Event(event))) = tokio::time::timeout(SECOND, stream.recv()).await {
            seen.push(event.seq);
        }
    }
    assert_eq!(seen, [1, 3, 0, 1, 2, 3]);
    assert!(other.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_events_is_told_how_many_it_lost() {
    let (_network, one, two) = pair(Faults::default()).await;
    let mut stream = subscribed(&one, EventFilter::default()).await;
    let published = 20_000;
    for seq in 0..published {
        two.mesh.events().publish(event(seq, false));
        if seq % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let (mut read, mut lost, mut last) = (0, 0, None);
    while let Ok(Some(watched)) = tokio::time::timeout(SECOND, stream.recv()).await {
        match watched {
            Watched::Event(event) => {
                assert!(last < Some(event.seq));
                (read, last) = (read + 1, Some(event.seq));
            }
            Watched::Lagged(more) => lost += more,
        }
    }
    assert_eq!(read + lost, published);
    assert!(read > u64::from(EVENT_CREDIT) && lost > 0, "{read} read, {lost} lost");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_reader_and_with_its_link() {
    let (network, one, two) = pair(Faults::default()).await;
    let dropped = subscribed(&one, EventFilter::default()).await;
    let mut kept = subscribed(&one, EventFilter::default()).await;
    drop(dropped);
    tokio::time::sleep(SECOND).await;
    let peer = two.mesh.peer(&name("n1")).expect("up");
    assert_eq!(peer.published_len(), 1);
    network.partition(&name("n1"), &name("n2"));
    unlinked(&one, "n2").await;
    assert!(kept.recv().await.is_none());
}
