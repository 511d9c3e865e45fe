use super::*;
use crate::builder::NodeBuilder;
use crate::daemon::until_stopped;
use crate::node::Node;
use std::time::Duration;
use tokio::sync::Mutex;

/// Long enough for anything on a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process is one node at a time.
static ONE_NODE: Mutex<()> = Mutex::const_new(());

/// Runs a node, as the program does, in which `break_it` breaks something; returns how that ended.
async fn run_and(break_it: impl AsyncFnOnce(&Node)) -> anyhow::Result<()> {
    let _one = ONE_NODE.lock().await;
    let dir = tempfile::tempdir().expect("a folder");
    let node = NodeBuilder::default().data_dir(dir.path()).start().await;
    let node = node.expect("it starts");
    let (running, ()) = tokio::join!(
        tokio::time::timeout(PATIENCE, until_stopped(&node, std::future::pending())),
        break_it(&node)
    );
    running.expect("it stops")
}

fn failure(ended: anyhow::Result<()>) -> Failure {
    let error = ended.expect_err("it fails");
    error
        .downcast_ref::<Failure>()
        .expect("and says what it has lost")
        .clone()
}

#[tokio::test]
async fn only_the_first_reason_counts() {
    let stop = Stop::default();
    assert!(!stop.is_requested());
    stop.fail(Failure::Threads { abandoned: 3 });
    stop.ask();
    let failed = StopReason::Failed(Failure::Threads { abandoned: 3 });
    assert_eq!(stop.requested().await, failed);
    let stop = Stop::default();
    stop.ask();
    stop.when_lost("a part", async { Failure::Supervisor { tree: "users" } });
    tokio::task::yield_now().await;
    assert_eq!(
        stop.requested().await,
        StopReason::Asked,
        "what ends while it stops is no failure"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_asked_to_stop_does_not_fail() {
    let ended = run_and(async |node| node.parts().stop.ask()).await;
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_store_ends_stops_in_order_and_fails() {
    // What a replica says that has ended; a disk that fails is not at hand.
    let lost = Failure::Store(Ended::Leading);
    let ended = run_and(async |node| node.parts().stop.fail(lost.clone())).await;
    assert_eq!(
        failure(ended).to_string(),
        "the node has lost its store: the replica has ended while it led"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_the_top_of_a_supervision_tree_fails_and_names_it() {
    for tree in ["system", "agents", "users", "mesh"] {
        let ended = run_and(async |node| {
            let parts = node.parts();
            match tree {
                "system" => parts.system.cell().kill(),
                "agents" => parts.hosts.cell().kill(),
                "users" => parts.users.cell().kill(),
                // Nothing stops the node: it is as if its actors had failed too often.
                _ => rungs_mesh::Transport::stop(&*parts.transport).await,
            }
        });
        assert_eq!(failure(ended.await), Failure::Supervisor { tree });
    }
}
