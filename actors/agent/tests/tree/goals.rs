//! Goals by name: set, listed, cancelled, carried out by the tree, and kept over a restart.

use crate::reach::call;
use crate::support::{Node, cycle, id, memory, paused_runtime, paused_runtime_with, spec, until};
use rungs_agent::goals::GoalEntry;
use rungs_store::{Base, LogEntry, MemoryTaskLogs, StoreError, Tail, TaskLogStore, TaskLogs};
use rungs_types::{AgentId, Epoch, ErrorCode, EventKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Never reached: its second task waits for what never holds.
pub(crate) const NEVER: &str = r#"{"spec":{
    "goal": "never", "intent": "wait",
    "success": {"all": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]},
    "tasks": [
        {"name": "tell", "does": {"raise_incident": {"group": 0}}},
        {"name": "wait", "after": ["tell"], "does": "clear_incident",
         "when": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]}
    ]
}}"#;

pub(crate) async fn list(node: &Node) -> Vec<GoalEntry> {
    let text = call(node, "ops-1#kernel", "goal.list", "{}").await.expect("answers");
    serde_json::from_str(&text).expect("goals")
}

#[tokio::test(start_paused = true)]
async fn a_goal_that_is_submitted_by_name_is_carried_out_and_kept_over_a_restart() {
    let store = memory();
    let node = Node::start(paused_runtime(store.clone())).await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 50).await;
    assert!(list(&node).await.is_empty());
    for _ in 0..2 {
        let text = call(&node, "ops-1#kernel", "goal.submit", NEVER)
            .await
            .expect("answers");
        let entry: GoalEntry = serde_json::from_str(&text).expect("a goal");
        assert_eq!(
            (entry.goal.as_str(), entry.origin.as_str(), entry.tasks),
            ("never", "user", 2)
        );
    }
    cycle(&agent, 100).await;
    let goals = list(&node).await;
    assert_eq!((goals.len(), goals[0].state.as_str()), (1, "active"));
    assert_eq!((goals[0].tasks_done, goals[0].actions), (1, 1), "the first task, once");

    node.hosts.stop(&id("ops-1")).await.expect("stops");
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts again");
    cycle(&agent, 300).await;
    let kept = list(&node).await;
    assert_eq!(
        (kept[0].tasks_done, kept[0].actions),
        (1, 1),
        "what is done is not done again"
    );

    let cancel = call(&node, "ops-1#kernel", "goal.cancel", r#"{"goal":"never"}"#)
        .await
        .expect("answers");
    let entry: GoalEntry = serde_json::from_str(&cancel).expect("a goal");
    assert_eq!(entry.state, "abandoned: cancelled");
    let again = call(&node, "ops-1#kernel", "goal.cancel", r#"{"goal":"never"}"#).await;
    assert_eq!(again.expect_err("closed").code, ErrorCode::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_goal_that_cannot_be_is_refused_with_its_field() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 20).await;
    let foreign = NEVER.replace(r#""group": 0"#, r#""group": 7"#);
    let refusal = call(&node, "ops-1#kernel", "goal.submit", &foreign)
        .await
        .expect_err("refused");
    assert_eq!(refusal.code, ErrorCode::Malformed);
    assert!(refusal.to_string().contains("goal.tasks.does.group is 7"), "{refusal}");
}

/// Task logs on a disk that may be full.
struct Disk {
    inner: MemoryTaskLogs,
    full: Arc<AtomicBool>,
}

impl TaskLogStore for Disk {
    fn append(&self, agent: &AgentId, epoch: Epoch, entries: &[LogEntry], sync: bool) -> Result<u64, StoreError> {
        if self.full.load(Ordering::Acquire) {
            return Err(StoreError::Full { path: "disk".into() });
        }
        self.inner.append(agent, epoch, entries, sync)
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        self.inner.read(agent, after)
    }

    fn trim(&self, agent: &AgentId, epoch: Epoch, base: &Base) -> Result<(), StoreError> {
        self.inner.trim(agent, epoch, base)
    }

    fn remove(&self, agent: &AgentId, epoch: Epoch) -> Result<bool, StoreError> {
        self.inner.remove(agent, epoch)
    }
}

/// Its task does harm when it is repeated.
const FASTER: &str = r#"{"spec":{
    "goal": "faster", "intent": "see more",
    "success": {"all": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]},
    "tasks": [{"name": "look", "does": {"sample_faster": {"group": 1}}}]
}}"#;

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_the_agent_cycles_on_tells_it_once_and_begins_nothing_that_does_harm() {
    let full = Arc::new(AtomicBool::new(true));
    let disk = Disk {
        inner: MemoryTaskLogs::new(),
        full: Arc::clone(&full),
    };
    let node = Node::start(paused_runtime_with(memory(), TaskLogs::inline(disk))).await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    let mut events = agent.events();
    cycle(&agent, 50).await;
    let refusal = call(&node, "ops-1#kernel", "goal.submit", FASTER)
        .await
        .expect_err("not durable");
    assert_eq!(refusal.code, ErrorCode::Internal);
    assert!(refusal.to_string().contains("no room at disk"), "{refusal}");
    cycle(&agent, 150).await;
    assert_eq!(agent.status().late_cycles, 0);
    let goals = list(&node).await;
    assert_eq!((goals[0].state.as_str(), goals[0].actions), ("active", 0));

    full.store(false, Ordering::Release);
    cycle(&agent, 200).await;
    call(&node, "ops-1#kernel", "goal.submit", FASTER)
        .await
        .expect("durable now");
    let goals = list(&node).await;
    assert_eq!((goals[0].tasks_done, goals[0].actions), (1, 1));
    let mut told = Vec::new();
    for _ in 0..2 {
        let about = |kind: &EventKind| matches!(kind, EventKind::Warning { summary } if summary.contains("durable"));
        let event = until(&mut events, about).await;
        told.push(format!("{:?}", event.kind));
    }
    assert!(
        told[0].contains("is not durable") && told[1].contains("durable again"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_dies_goes_on_with_what_its_task_log_has() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 52).await;
    call(&node, "ops-1#kernel", "goal.submit", NEVER)
        .await
        .expect("answers");
    // The task is done within a few cycles: no snapshot has it when the kernel dies.
    cycle(&agent, 65).await;
    let before = list(&node).await;
    assert_eq!((before[0].tasks_done, before[0].actions), (1, 1));
    let mut events = agent.events();
    crate::support::inject(&node, "ops-1#kernel", rungs_host::faults::Fault::Panic);
    until(&mut events, |kind| matches!(kind, EventKind::Restarted { .. })).await;
    let at = agent.cycle();
    cycle(&agent, at + 60).await;
    assert_eq!(list(&node).await[0].tasks_done, 1);
    assert_eq!(list(&node).await[0].actions, 1, "what is done is not done again");
}

#[tokio::test(start_paused = true)]
async fn a_goal_that_was_accepted_is_set_once_under_its_number() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 52).await;
    let take = async |number: u64| {
        let spec = NEVER.strip_suffix('}').expect("an object");
        let message = format!(r#"{spec}, "number": {number}}}"#);
        let text = call(&node, "ops-1#kernel", "goal.take", &message)
            .await
            .expect("answers");
        serde_json::from_str::<GoalEntry>(&text).expect("a goal").state
    };
    assert_eq!(take(7).await, "waiting");
    assert_eq!(take(7).await, "waiting", "it is there");
    call(&node, "ops-1#kernel", "goal.cancel", r#"{"goal":"never"}"#)
        .await
        .expect("answers");
    assert_eq!(take(7).await, "abandoned: cancelled", "offered again after a crash");
    assert_eq!(list(&node).await.len(), 1);
    assert_eq!(take(9).await, "waiting", "submitted again");
}
