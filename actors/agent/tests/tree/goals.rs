//! Goals by name: set, listed, cancelled, carried out by the tree, and kept over a restart.

use crate::reach::call;
use crate::support::{Node, cycle, id, memory, paused_runtime, spec};
use rungs_agent::goals::GoalEntry;
use rungs_types::ErrorCode;

/// Never reached: its second task waits for what never holds.
const NEVER: &str = r#"{"spec":{
    "goal": "never", "intent": "wait",
    "success": {"all": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]},
    "tasks": [
        {"name": "tell", "does": {"raise_incident": {"group": 0}}},
        {"name": "wait", "after": ["tell"], "does": "clear_incident",
         "when": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]}
    ]
}}"#;

async fn list(node: &Node) -> Vec<GoalEntry> {
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
