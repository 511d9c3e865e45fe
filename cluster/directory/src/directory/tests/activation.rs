//! Agents that do not run, reached by name.

use super::*;
use crate::activation::messages::{Activate, Passivate, Register, Unregister};
use crate::activation::{ActivationParts, Counts, Guests, Limits, StartError};
use crate::records::{AgentRecord, Inserted, Origin, Records};
use futures::future::BoxFuture;
use rungs_host::{Timers, tasks};
use rungs_store::cluster::{Commit, Fence, MemoryStore, Precondition, Store, Write};
use rungs_types::{AgentSpec, Epoch};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// How long an agent takes to start and to rest.
const START: Duration = Duration::from_millis(15);

/// Runs targets as agents.
pub(super) struct Targets {
    endpoints: Arc<Endpoints>,
    running: Mutex<BTreeMap<AgentId, TargetHandle>>,
    starts: Mutex<Vec<(AgentId, Epoch)>>,
    broken: Mutex<Option<StartError>>,
    idle: Mutex<Vec<AgentId>>,
    records: Mutex<Option<Records>>,
    specs: Mutex<BTreeMap<AgentId, AgentSpec>>,
}

impl Targets {
    fn new(endpoints: &Arc<Endpoints>) -> Arc<Self> {
        Arc::new(Self {
            endpoints: Arc::clone(endpoints),
            running: Mutex::default(),
            starts: Mutex::default(),
            broken: Mutex::default(),
            idle: Mutex::default(),
            records: Mutex::default(),
            specs: Mutex::default(),
        })
    }

    fn records(&self) -> Records {
        let records = self.records.lock().expect("not poisoned").clone();
        records.expect("there are some")
    }

    fn starts(&self) -> usize {
        self.starts.lock().expect("not poisoned").len()
    }

    fn running(&self) -> usize {
        self.running.lock().expect("not poisoned").len()
    }

    async fn record(&self, agent: &AgentId) -> Option<AgentRecord> {
        self.records().get(agent).await.expect("reads")
    }

    fn counted(&self, agent: &AgentId) -> u64 {
        self.running.lock().expect("not poisoned")[agent].counted()
    }
}

struct Shared(Arc<Targets>);

impl Guests for Shared {
    fn start(&self, agent: AgentId, epoch: Epoch) -> BoxFuture<'static, Result<(), StartError>> {
        let targets = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::time::sleep(START).await;
            if let Some(error) = targets.broken.lock().expect("not poisoned").clone() {
                return Err(error);
            }
            // There is no record only where it was deleted meanwhile.
            let record = targets.record(&agent).await.ok_or(StartError::Unknown)?;
            targets
                .specs
                .lock()
                .expect("not poisoned")
                .insert(agent.clone(), record.spec);
            let at = Address::from(agent.clone());
            let target = Target::start(&targets.endpoints, at, Mailbox::bounded(64, 1 << 20)).await;
            let mut running = targets.running.lock().expect("not poisoned");
            let before = running.insert(agent.clone(), target.expect("starts"));
            assert!(before.is_none(), "{agent} runs twice");
            targets.starts.lock().expect("not poisoned").push((agent, epoch));
            Ok(())
        })
    }

    fn rest(&self, agent: AgentId) -> BoxFuture<'static, ()> {
        let targets = Arc::clone(&self.0);
        Box::pin(async move {
            let target = targets.running.lock().expect("not poisoned").get(&agent).cloned();
            let Some(target) = target else { return };
            drop(target.handle.cell().drain());
            target.handle.cell().wait(None).await.expect("it ends");
            tokio::time::sleep(START).await;
            targets.running.lock().expect("not poisoned").remove(&agent);
        })
    }

    fn running(&self) -> Vec<AgentId> {
        self.0.running.lock().expect("not poisoned").keys().cloned().collect()
    }

    fn spec(&self, agent: &AgentId) -> Option<AgentSpec> {
        let runs = self.0.running.lock().expect("not poisoned").contains_key(agent);
        runs.then(|| self.0.specs.lock().expect("not poisoned").get(agent).cloned())
            .flatten()
    }

    fn idle(&self) -> Vec<AgentId> {
        std::mem::take(&mut *self.0.idle.lock().expect("not poisoned"))
    }
}

/// Starts an activator on a node that owns the shard of one agent that is known.
pub(super) async fn activating(node: &Node) -> (AgentId, Arc<Targets>) {
    let targets = Targets::new(&node.endpoints);
    let agent: AgentId = agent_of(&node.directory, node.directory.node().as_str())
        .parse()
        .expect("a name");
    let store = Arc::new(MemoryStore::new());
    let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
    let shard = Shard::of(&agent).number();
    let (before, fence) = (Fence { shard, epoch: Epoch(0) }, Fence { shard, epoch: Epoch(3) });
    let raise = Commit::new([Precondition::FenceIs(before)], [Write::Raise(fence)]);
    store.commit(raise, SECOND).await.expect("raised");
    let record = AgentRecord {
        spec: AgentSpec {
            rests_after_s: Some(60),
            ..AgentSpec::new(agent.clone())
        },
        origin: Origin::Order,
    };
    assert_eq!(records.insert(&record, fence).await, Ok(Inserted::New));
    let activation = Activation::new(ActivationParts {
        node: node.directory.node().clone(),
        guests: Arc::new(Shared(Arc::clone(&targets))),
        records: records.clone(),
        endpoints: Arc::clone(&node.endpoints),
        timers: Timers::start(),
        limits: Limits::default(),
        counts: Counts::default(),
        moved: Box::new(|letter| {
            let refusal = Refusal::new(ErrorCode::NodeDown, "not here");
            drop(letter.reply.expect("a question").send(Err(refusal)));
        }),
        released: Box::new(|shard| panic!("nothing moves: {shard}")),
    });
    *targets.records.lock().expect("not poisoned") = Some(records);
    let shards = vec![(Shard::of(&agent), Epoch(3))];
    activation.start(shards, node.supervisor.clone()).await.expect("starts");
    node.directory.set_activation(activation);
    (agent, targets)
}

async fn settled() {
    tokio::time::sleep(START * 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_passive_agent_is_started_by_a_question_from_any_node() {
    let (_network, [one, two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    let name = agent.to_string();
    let (here, there) = tokio::join!(one.echo(&name), two.echo(&name));
    assert_eq!((here, there), (Ok("x".to_owned()), Ok("x".to_owned())));
    assert_eq!(
        *targets.starts.lock().expect("not poisoned"),
        [(agent, Epoch(3))],
        "once"
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_is_told_waits_in_order_until_it_runs() {
    let (_network, [one, two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    for node in [&one, &two, &one] {
        let message = Payload::of(&Count { text: String::new() }, Format::Binary).expect("encodes");
        assert_eq!(node.directory.tell(agent.clone().into(), message).await, Ok(()));
    }
    assert_eq!(targets.starts(), 0, "it takes a while");
    settled().await;
    assert_eq!(targets.counted(&agent), 3);
}

#[tokio::test(start_paused = true)]
async fn what_comes_when_an_agent_has_just_started_does_not_overtake_what_waited_for_it() {
    let (_network, [one, _two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    let mut asked = Vec::new();
    // Before it starts, while it starts, and when it runs.
    for _ in 0..60 {
        let (directory, to) = (one.directory.clone(), Address::from(agent.clone()));
        asked.push(tasks::spawn("ask", async move {
            let question = Payload::of(&Count { text: String::new() }, Format::Binary)?;
            directory.ask(to, question, SECOND).await?.decode::<u64>()
        }));
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    let mut counts = Vec::new();
    for answer in asked {
        counts.push(answer.await.expect("it ends").expect("answers"));
    }
    assert_eq!(counts, (1..=60).collect::<Vec<_>>());
    assert_eq!(targets.starts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_comes_to_rest_is_started_again_by_what_comes_meanwhile() {
    let (_network, [one, two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    let name = agent.to_string();
    assert!(one.echo(&name).await.is_ok());
    targets.idle.lock().expect("not poisoned").push(agent.clone());
    while targets.idle.lock().expect("not poisoned").contains(&agent) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(two.echo(&name).await, Ok("x".to_owned()));
    assert_eq!((targets.starts(), targets.running()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_operator_lets_an_agent_rest_and_run() {
    let (_network, [one, _two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    let to = "@n1/activator";
    let rest = Passivate { agent: agent.clone() };
    let run = Activate { agent: agent.clone() };
    assert_eq!(one.ask(to, &rest).await, Ok(()), "it rests already");
    assert_eq!(one.ask(to, &run).await, Ok(()));
    assert_eq!(one.ask(to, &run).await, Ok(()), "it runs already");
    assert_eq!((targets.starts(), targets.running()), (1, 1));
    assert_eq!(one.ask(to, &rest).await, Ok(()));
    assert_eq!(targets.running(), 0);
    let nobody: AgentId = "nobody".parse().expect("a name");
    for answer in [
        one.ask(to, &Passivate { agent: nobody.clone() }).await,
        one.ask(to, &Activate { agent: nobody }).await,
    ] {
        assert_eq!(answer.expect_err("refused").code, ErrorCode::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_an_agent_that_does_not_start_learns_why_and_when_to_try_again() {
    let (_network, [one, two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    let name = agent.to_string();
    let broken = Refusal::new(ErrorCode::Internal, "its recording is gone");
    *targets.broken.lock().expect("not poisoned") = Some(StartError::Failed(broken));
    let refusal = two.echo(&name).await.expect_err("refused");
    assert_eq!(
        refusal.message,
        format!("{agent} does not start: its recording is gone")
    );
    assert_eq!(
        (refusal.code, refusal.retry_after_ms),
        (ErrorCode::Overloaded, Some(500))
    );
    let again = one.echo(&name).await.expect_err("refused");
    assert_eq!(again.message, format!("{agent} did not start a moment ago"));
    *targets.broken.lock().expect("not poisoned") = None;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(one.echo(&name).await, Ok("x".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_a_record_is_not_found() {
    let (_network, [one, two, _three]) = three().await;
    let (agent, targets) = activating(&one).await;
    *targets.broken.lock().expect("not poisoned") = Some(StartError::Unknown);
    for _ in 0..2 {
        assert_eq!(two.code(&agent.to_string()).await, ErrorCode::NotFound);
    }
    let other = format!("{agent}-other");
    if one.directory.owner_of(&other.parse().expect("a name")) == Some(name("n1")) {
        // Its shard is not among those that this activator was given.
        assert_eq!(one.code(&other).await, ErrorCode::NodeDown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_waits_too_long_for_its_agent_says_that_nothing_was_done() {
    let (_network, [one, _two, _three]) = three().await;
    let (agent, _targets) = activating(&one).await;
    let payload = Payload::of(&Echo { text: "x".to_owned() }, Format::Binary).expect("encodes");
    let answer = one.directory.ask(agent.into(), payload, START / 2).await;
    assert_eq!(answer.expect_err("late").code, ErrorCode::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_registered_before_it_runs_and_ended_before_it_is_forgotten() {
    let (_network, [one, _two, _three]) = three().await;
    let (known, targets) = activating(&one).await;
    let to = "@n1/activator";
    let twice = Register {
        spec: AgentSpec::new(known.clone()),
    };
    let refusal = one.ask(to, &twice).await.expect_err("refused");
    assert_eq!(refusal.message, format!("agent {known} is registered already"));
    assert_eq!(one.ask(to, &Activate { agent: known.clone() }).await, Ok(()));
    assert_eq!(one.ask(to, &Unregister { agent: known.clone() }).await, Ok(()));
    assert_eq!((targets.running(), targets.record(&known).await), (0, None));
    assert_eq!(one.code(&known.to_string()).await, ErrorCode::NotFound);
    assert_eq!(one.ask(to, &twice).await, Ok(()), "its name is free");
    assert_eq!((targets.running(), targets.record(&known).await.is_some()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_start_when_it_is_registered_leaves_no_trace() {
    let (_network, [one, _two, _three]) = three().await;
    let (known, targets) = activating(&one).await;
    let to = "@n1/activator";
    assert_eq!(one.ask(to, &Unregister { agent: known.clone() }).await, Ok(()));
    let broken = Refusal::new(ErrorCode::Refused, "its recording is gone");
    *targets.broken.lock().expect("not poisoned") = Some(StartError::Failed(broken.clone()));
    let spec = AgentSpec::new(known.clone());
    assert_eq!(one.ask(to, &Register { spec: spec.clone() }).await, Err(broken));
    settled().await;
    assert_eq!(targets.record(&known).await, None);
    let wrong = AgentSpec { rate_hz: 0.0, ..spec };
    let refusal = one.ask(to, &Register { spec: wrong }).await.expect_err("refused");
    assert_eq!(refusal.code, ErrorCode::Malformed);
}

/// Longer than it takes until a record that others wrote is looked at.
async fn looked_at() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

#[tokio::test(start_paused = true)]
async fn what_others_write_about_an_agent_comes_true() {
    let (_network, [one, ..]) = three().await;
    let (agent, targets) = activating(&one).await;
    let records = targets.records();
    let resident = |seed| AgentRecord {
        spec: AgentSpec {
            seed,
            ..AgentSpec::new(agent.clone())
        },
        origin: Origin::Configuration(None),
    };
    let runs = || {
        targets
            .specs
            .lock()
            .expect("not poisoned")
            .get(&agent)
            .map(|spec| spec.seed)
    };
    // One that rests is to run always.
    records.replace(&resident(1)).await.expect("writes");
    looked_at().await;
    assert_eq!((targets.starts(), targets.running(), runs()), (1, 1, Some(1)));
    // It is to be another.
    records.replace(&resident(2)).await.expect("writes");
    looked_at().await;
    assert_eq!((targets.starts(), targets.running(), runs()), (2, 1, Some(2)));
    // The same again changes nothing.
    records.replace(&resident(2)).await.expect("writes");
    looked_at().await;
    assert_eq!(targets.starts(), 2);
    records.delete(&agent, None).await.expect("deletes");
    looked_at().await;
    assert_eq!(targets.running(), 0);
    let unknown = one.echo(&agent.to_string()).await.expect_err("it is gone");
    assert_eq!(unknown.code, ErrorCode::NotFound);
    records.replace(&resident(3)).await.expect("writes");
    looked_at().await;
    assert_eq!((targets.starts(), targets.running(), runs()), (3, 1, Some(3)));
}

#[tokio::test(start_paused = true)]
async fn what_this_node_wrote_itself_is_no_news() {
    let (_network, [one, ..]) = three().await;
    let (agent, targets) = activating(&one).await;
    let (to, spec) = ("@n1/activator", AgentSpec::new(agent.clone()));
    for starts in 1..=3 {
        assert_eq!(one.ask(to, &Unregister { agent: agent.clone() }).await, Ok(()));
        assert_eq!(one.ask(to, &Register { spec: spec.clone() }).await, Ok(()));
        looked_at().await;
        assert_eq!((targets.starts(), targets.running()), (starts, 1));
    }
}
