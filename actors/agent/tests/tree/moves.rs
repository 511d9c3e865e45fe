//! Agents that move: with task logs in a store that nodes share, goals go along, also without any snapshot.

use crate::goals::{NEVER, list};
use crate::reach::call;
use crate::support::{Node, cycle, memory, paused_runtime_with, spec};
use rungs_agent::AgentHandle;
use rungs_agent::goals::GoalEntry;
use rungs_store::cluster::read::Consistency;
use rungs_store::cluster::table::Table;
use rungs_store::cluster::{Commit, Fence, MemoryStore, Precondition, Scan, Store, Write};
use rungs_store::task_log::table::{GoalBase, TaskLogTable};
use rungs_store::{Snapshots, StoreTaskLogs, TaskLogs};
use rungs_types::{Epoch, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

const SHARD: u16 = 7;
const WITHIN: Duration = Duration::from_secs(1);

/// A node with a disk of its own; its task logs are in the store of all.
async fn node(store: &Arc<MemoryStore>, snapshots: Snapshots) -> Node {
    let logs = StoreTaskLogs::new(Arc::clone(store) as _, tokio::runtime::Handle::current(), |_| SHARD);
    Node::start(paused_runtime_with(snapshots, TaskLogs::shared(logs))).await
}

async fn start(node: &Node, epoch: u64) -> AgentHandle {
    node.hosts.spawn_in(spec("ops-1"), Epoch(epoch)).await.expect("starts")
}

/// The shard goes to another node: from this epoch to the next.
async fn take(store: &MemoryStore, epoch: u64) {
    let fence = Fence {
        shard: SHARD,
        epoch: Epoch(epoch),
    };
    let raise = Commit::new([Precondition::FenceIs(fence)], [Write::Raise(fence.next())]);
    store.commit(raise, WITHIN).await.expect("raises");
}

async fn rows<T: Table>(store: &MemoryStore) -> usize {
    let page = store.scan(Scan::all(T::ID, 1024), Consistency::Local, WITHIN).await;
    page.expect("reads").rows.len()
}

/// Goals that come and go, until there is so much in the log that it is made shorter.
async fn busy(node: &Node, agent: &AgentHandle, store: &MemoryStore) {
    for number in 0..140 {
        let goal = NEVER.replace("never", &format!("g{number}"));
        let set = call(node, "ops-1#kernel", "goal.submit", &goal).await;
        set.expect("answers");
        let cancel = format!(r#"{{"goal":"g{number}"}}"#);
        let cancelled = call(node, "ops-1#kernel", "goal.cancel", &cancel).await;
        cancelled.expect("answers");
    }
    assert!(
        rows::<TaskLogTable>(store).await > 256,
        "each is acknowledged by itself"
    );
    for _ in 0..3 {
        agent.snapshot().await.expect("written");
        let at = agent.cycle();
        cycle(agent, at + 20).await;
    }
    assert!(rows::<TaskLogTable>(store).await < 32);
    assert_eq!(rows::<GoalBase>(store).await, 1);
}

/// What is true of goals wherever they are.
fn known(goals: Vec<GoalEntry>) -> Vec<(String, String, u32, u32)> {
    let of = |goal: GoalEntry| (goal.goal.to_string(), goal.state, goal.tasks_done, goal.actions);
    goals.into_iter().map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn on_another_node_without_a_snapshot_an_agent_has_its_goals_and_repeats_nothing() {
    let store = Arc::new(MemoryStore::new());
    let first = node(&store, memory()).await;
    let agent = start(&first, 0).await;
    cycle(&agent, 52).await;
    call(&first, "ops-1#kernel", "goal.submit", NEVER)
        .await
        .expect("answers");
    cycle(&agent, 100).await;
    let before = list(&first).await;
    assert_eq!((before[0].tasks_done, before[0].actions), (1, 1));

    // The first node knows nothing of it, and runs on.
    take(&store, 0).await;
    let second = node(&store, memory()).await;
    let moved = start(&second, 1).await;
    assert_eq!(known(list(&second).await), known(before));
    let at = moved.cycle();
    cycle(&moved, at + 60).await;
    let goals = list(&second).await;
    assert_eq!(
        (goals[0].state.as_str(), goals[0].tasks_done, goals[0].actions),
        ("active", 1, 1)
    );

    let late = NEVER.replace("never", "late");
    let refusal = call(&first, "ops-1#kernel", "goal.submit", &late)
        .await
        .expect_err("is not its");
    assert_eq!(refusal.code, ErrorCode::NodeDown);
    assert!(refusal.to_string().contains("ops-1 is another node's now"), "{refusal}");
    // Not even what it has set before, and a goal that it has taken without being allowed to.
    for again in [NEVER, &late] {
        let refusal = call(&first, "ops-1#kernel", "goal.submit", again)
            .await
            .expect_err("is not its");
        assert_eq!(refusal.code, ErrorCode::NodeDown, "{refusal}");
    }
    call(&second, "ops-1#kernel", "goal.submit", &late)
        .await
        .expect("answers");
    let goals = list(&second).await;
    assert_eq!(goals.len(), 2, "{goals:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_forgotten_moves_with_the_base_to_an_old_snapshot_and_to_none() {
    let (store, disk) = (Arc::new(MemoryStore::new()), memory());
    let first = node(&store, disk.clone()).await;
    let agent = start(&first, 0).await;
    cycle(&agent, 52).await;
    agent.snapshot().await.expect("written");
    let id = spec("ops-1").agent;
    let old = disk
        .latest(id.clone(), u16::MAX)
        .await
        .expect("reads")
        .snapshot
        .expect("there");
    call(&first, "ops-1#kernel", "goal.submit", NEVER)
        .await
        .expect("answers");
    cycle(&agent, 100).await;
    busy(&first, &agent, &store).await;
    let before = known(list(&first).await);
    let never = ("never".to_owned(), "active".to_owned(), 1, 1);
    assert_eq!((before.len(), &before[0]), (65, &never), "as many as are remembered");

    for (epoch, snapshot) in [(0, Some(old)), (1, None)] {
        take(&store, epoch).await;
        let disk = memory();
        if let Some(old) = snapshot {
            disk.put(id.clone(), old.meta.version, old.bytes).await.expect("writes");
        }
        let next = node(&store, disk).await;
        let moved = start(&next, epoch + 1).await;
        assert!(moved.cycle() < 60, "from an old snapshot or none");
        assert_eq!(known(list(&next).await), before);
        let at = moved.cycle();
        cycle(&moved, at + 60).await;
        assert_eq!(known(list(&next).await), before, "and nothing is done again");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_snapshot_has_is_in_the_store_before_anybody_is_told_of_it() {
    let (store, disk) = (Arc::new(MemoryStore::new()), memory());
    // An earlier version, whose log is in files that are forgotten.
    let first = Node::start(crate::support::paused_runtime(disk.clone())).await;
    let agent = first.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 52).await;
    call(&first, "ops-1#kernel", "goal.submit", NEVER)
        .await
        .expect("answers");
    cycle(&agent, 100).await;
    let before = known(list(&first).await);
    first.hosts.stop(agent.id()).await.expect("stops");

    let second = node(&store, disk).await;
    start(&second, 0).await;
    assert_eq!(rows::<GoalBase>(&store).await, 1);
    call(&second, "ops-1#kernel", "goal.submit", NEVER)
        .await
        .expect("the same goal, and it is durable");
    second.hosts.stop(agent.id()).await.expect("stops");

    let third = node(&store, memory()).await;
    start(&third, 0).await;
    assert_eq!(known(list(&third).await), before);
}
