//! Conversations that outlive their links.

use super::*;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rungs_host::{Delivered, EndpointBuilder, Handle, Request};
use serde::{Deserialize, Serialize};

/// Networks that the properties are tried on.
const SEEDS: u64 = 12;
const SENDERS: [&str; 3] = ["a", "b", "c"];
const RECEIVERS: [&str; 2] = ["log-1", "log-2"];
/// Messages from each sender to each receiver.
const MESSAGES: u64 = 60;

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
struct Note {
    sender: String,
    number: u64,
    filling: String,
}

impl Wire for Note {
    const KIND: &'static str = "test.note";
    type Reply = u64;

    fn example() -> Self {
        Self {
            sender: "a".to_owned(),
            number: 0,
            filling: String::new(),
        }
    }
}

type Notes = Arc<Mutex<Vec<(String, u64)>>>;

/// Writes down what it gets, and answers with the number.
struct Log(Notes);

struct LogMessage(Request<Note>);

impl From<Request<Note>> for LogMessage {
    fn from(request: Request<Note>) -> Self {
        Self(request)
    }
}

impl Actor for Log {
    type Msg = Delivered<LogMessage>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let Request { message, reply } = delivered.message.0;
        let mut notes = self.0.lock().expect("no panic");
        notes.push((message.sender, message.number));
        reply.send(Ok(message.number));
        Ok(())
    }
}

async fn log(node: &Node, at: &str) -> Notes {
    let notes = Notes::default();
    let (actor, _) = Actor::spawn(None, Log(Arc::clone(&notes)), ()).await.expect("starts");
    let handle = Handle::new(actor, Mailbox::bounded(u32::MAX, u64::MAX));
    let endpoint = EndpointBuilder::new(handle).receives::<Note>().build();
    node.mesh.endpoints().register(address(at), endpoint);
    notes
}

fn note(sender: &str, number: u64, bytes: usize) -> Payload {
    let note = Note {
        sender: sender.to_owned(),
        number,
        filling: "x".repeat(bytes),
    };
    Payload::of(&note, Format::Binary).expect("encodes")
}

/// Tells until the link takes it; a link that is down or full is tried again.
async fn tell_for_sure(mesh: &Mesh, to: &str, payload: &Payload) {
    let to = address(to);
    loop {
        let outbound = Outbound {
            to: &to,
            payload,
            context: &Context::default(),
            sent_by: None,
        };
        match mesh.tell(&name("n2"), outbound) {
            Ok(()) => return,
            Err(refusal) => assert!(
                matches!(refusal.code, ErrorCode::NodeDown | ErrorCode::Overloaded),
                "{refusal}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn send_all(mesh: Mesh, sender: &'static str, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    for number in 0..MESSAGES {
        for to in RECEIVERS {
            let bytes = match rng.random_range(0..10) {
                0 => rng.random_range(32_000..300_000),
                1 => rng.random_range(1_000..32_000),
                _ => rng.random_range(0..200),
            };
            tell_for_sure(&mesh, to, &note(sender, number, bytes)).await;
        }
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..20_000))).await;
    }
}

/// What happens to one network, and what has arrived on it.
async fn what_is_logged(seed: u64, faults: Faults, severed: u32) -> (Vec<Notes>, LinkMetrics) {
    let network = MemoryNetwork::new(seed, faults);
    let (one, two) = (node(&network, "n1~1").await, node(&network, "n2~1").await);
    let mut logs = Vec::new();
    for at in RECEIVERS {
        logs.push(log(&two, at).await);
    }
    linked(&one, "n2").await;
    let mut senders = Vec::new();
    for (sender, seed) in SENDERS.into_iter().zip(seed..) {
        let sending = send_all(one.mesh.clone(), sender, seed);
        senders.push(rungs_host::tasks::spawn("sender", sending));
    }
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..severed {
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..400))).await;
        network.sever(&name("n1"), &name("n2"));
    }
    for sender in senders {
        sender.await.expect("no panic");
    }
    linked(&one, "n2").await;
    let all = SENDERS.len() * MESSAGES as usize;
    let complete = async {
        while logs.iter().any(|log| log.lock().expect("no panic").len() < all) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SECOND * 120, complete).await.ok();
    linked(&one, "n2").await;
    (logs, one.mesh.metrics()[0].clone())
}

fn all_in_order(logs: &[Notes], seed: u64) {
    for log in logs {
        let log = log.lock().expect("no panic");
        for sender in SENDERS {
            let numbers: Vec<_> = log
                .iter()
                .filter(|(from, _)| from == sender)
                .map(|note| note.1)
                .collect();
            assert_eq!(numbers, Vec::from_iter(0..MESSAGES), "from {sender}, seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_any_network_what_a_link_took_arrives_once_and_in_order() {
    let faults = Faults {
        loss: 0.02,
        repetition: 0.05,
        reordering: 0.02,
        ..Faults::default()
    };
    let (mut resent, mut duplicates) = (0, 0);
    for seed in 0..SEEDS {
        let (logs, metrics) = what_is_logged(seed, faults, 5).await;
        all_in_order(&logs, seed);
        resent += metrics.backlog.resent_frames;
        duplicates += metrics.duplicate_frames;
    }
    assert!(resent > 0 && duplicates > 0, "{resent} resent, {duplicates} duplicates");
}

#[tokio::test(start_paused = true)]
async fn a_severed_link_loses_and_repeats_nothing() {
    for seed in 0..SEEDS {
        let slow = Faults {
            max_delay: Duration::from_millis(30),
            ..Faults::default()
        };
        let (logs, metrics) = what_is_logged(seed, slow, 8).await;
        all_in_order(&logs, seed);
        assert!(metrics.resumed >= 4, "seed {seed}: {metrics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_survives_its_link_and_keeps_its_deadline() {
    let (network, one, two) = pair(Faults::default()).await;
    let delay = Delay { ms: 2000 };
    let asking = ask(&one, "n2", &delay, SECOND * 10);
    let severing = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            network.sever(&name("n1"), &name("n2"));
        }
    };
    let (answer, ()) = tokio::join!(asking, severing);
    assert_eq!(answer, Ok(()));
    let began = Instant::now();
    let late = Delay { ms: 5000 };
    let severing = async { network.sever(&name("n1"), &name("n2")) };
    let (late, ()) = tokio::join!(biased; ask(&one, "n2", &late, SECOND * 2), severing);
    assert_eq!(late.expect_err("late").code, ErrorCode::DeadlineExceeded);
    assert_eq!(began.elapsed(), SECOND * 2);
    assert_eq!(two.mesh.metrics()[0].resumed, 4);
}

#[tokio::test(start_paused = true)]
async fn events_go_on_over_the_next_link() {
    let (network, one, two) = pair(Faults::default()).await;
    let mut stream = subscribed(&one, EventFilter::default()).await;
    for seq in 0..10 {
        two.mesh.events().publish(event(seq, false));
        network.sever(&name("n1"), &name("n2"));
        let next = tokio::time::timeout(SECOND, stream.recv()).await.expect("in time");
        assert!(matches!(next, Some(Watched::Event(found)) if found.seq == seq));
        linked(&two, "n1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_incarnation_gets_nothing_old_and_those_who_asked_learn_that_it_may_have_been_executed() {
    let network = MemoryNetwork::new(1, Faults::default());
    let (one, old) = (node(&network, "n1~1").await, node(&network, "n2~5").await);
    let before = log(&old, "log-1").await;
    linked(&one, "n2").await;
    network.partition(&name("n1"), &name("n2"));
    let payload = note("a", 0, 10);
    tell_for_sure(&one.mesh, "log-1", &payload).await;
    let to = address("log-1");
    let outbound = Outbound {
        to: &to,
        payload: &payload,
        context: &Context::default(),
        sent_by: None,
    };
    let there = name("n2");
    let asked = one.mesh.ask(&there, outbound, SECOND * 60);
    let restarted = async {
        tokio::time::sleep(SECOND).await;
        network.sever(&name("n1"), &name("n2"));
        network.heal();
        let new = node(&network, "n2~6").await;
        (log(&new, "log-1").await, new)
    };
    let began = Instant::now();
    let (asked, (after, _new)) = tokio::join!(asked, restarted);
    let refusal = asked.expect_err("the one that was asked is gone");
    assert_eq!(refusal.code, ErrorCode::TargetEnded);
    assert!(refusal.message.ends_with("may have been executed"), "{refusal}");
    assert!(began.elapsed() < SECOND * 3, "no need to wait for a deadline");
    tell_for_sure(&one.mesh, "log-1", &note("a", 1, 10)).await;
    tokio::time::sleep(SECOND * 5).await;
    assert_eq!(*before.lock().expect("no panic"), []);
    assert_eq!(*after.lock().expect("no panic"), [("a".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_says_so_to_those_who_asked() {
    let (_network, one, two) = pair(Faults::default()).await;
    let began = Instant::now();
    let delay = Delay { ms: 20_000 };
    let stopping = async {
        tokio::time::sleep(SECOND).await;
        two.mesh.stop().await;
    };
    let (asked, ()) = tokio::join!(ask(&one, "n2", &delay, SECOND * 60), stopping);
    assert_eq!(asked.expect_err("stopped").code, ErrorCode::TargetEnded);
    assert!(began.elapsed() < SECOND * 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_question_that_has_not_arrived_is_not_executed() {
    let (network, one, two) = pair(Faults::default()).await;
    let notes = log(&two, "log-1").await;
    network.cut(&name("n1"), &name("n2"));
    let payload = note("a", 0, 10);
    let to = address("log-1");
    let outbound = Outbound {
        to: &to,
        payload: &payload,
        context: &Context::default(),
        sent_by: None,
    };
    let late = one.mesh.ask(&name("n2"), outbound, SECOND).await;
    assert_eq!(late.expect_err("late").code, ErrorCode::DeadlineExceeded);
    network.heal();
    network.sever(&name("n1"), &name("n2"));
    linked(&one, "n2").await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(*notes.lock().expect("no panic"), []);
    assert_eq!(
        one.mesh.metrics()[0].backlog.outstanding_messages,
        0,
        "its room came back"
    );
}

#[tokio::test(start_paused = true)]
async fn large_messages_do_not_hold_up_pings_and_small_questions_to_others() {
    // 100 Mbit/s: a message of 4 MiB takes a third of a second.
    let faults = Faults {
        bytes_per_s: Some(12_500_000),
        ..Faults::default()
    };
    let (_network, one, two) = pair(faults).await;
    let notes = log(&two, "log-1").await;
    let large = Payload::of(&echo(4 * 1024 * 1024 - 64), Format::Binary).expect("encodes");
    let small = note("a", 0, 64);
    let to = address("log-1");
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    let began = Instant::now();
    while began.elapsed() < SECOND * 10 {
        if one.mesh.metrics()[0].backlog.queued[2].bytes < 1 << 20 {
            tell_for_sure(&one.mesh, "ops-1", &large).await;
        }
        let outbound = Outbound {
            to: &to,
            payload: &small,
            context: &Context::default(),
            sent_by: None,
        };
        let asking = Instant::now();
        let there = name("n2");
        one.mesh.ask(&there, outbound, SECOND).await.expect("answered");
        slowest = slowest.max(asking.elapsed());
        asked += 1;
    }
    let carried = one.mesh.metrics()[0].traffic.bytes_out;
    assert!(
        carried > 100_000_000,
        "{carried} bytes in 10 s: the network was busy all the time"
    );
    assert_eq!(notes.lock().expect("no panic").len(), asked);
    // What is under way already, at most 8 frames of 64 KiB, takes 42 ms.
    let limit = Duration::from_millis(50);
    assert!(slowest < limit, "{slowest:?}");
    let ping = one.mesh.metrics()[0].round_trip.expect("pinged");
    assert!(ping < limit, "{ping:?}");
}
