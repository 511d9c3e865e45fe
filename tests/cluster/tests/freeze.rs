//! A phase that is broken on purpose freezes its level; the levels below run on; every step is an event.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::eventually;
use serde_json::Value;

#[tokio::test]
async fn a_panic_freezes_the_level_and_the_kernel_runs_on() {
    freezes("panic", "panic").await;
}

#[tokio::test]
async fn a_phase_that_waits_for_ever_freezes_its_level() {
    freezes("stall-await", "deadline").await;
}

#[tokio::test]
async fn a_phase_that_spins_freezes_its_level_and_every_kernel_of_the_node_ticks_on() {
    freezes("stall-spin", "deadline").await;
}

async fn freezes(fault: &str, cause: &str) {
    let mut cluster = Cluster::start(fault, &["--nodes", "1", "--agents", "2", "--rate", "50"]).await;
    for agent in ["ops-1", "ops-2"] {
        eventually("the phase to be there and to be broken", WITHIN, async || {
            let injected = cluster.exec(&format!("inject {fault} {agent}#l48/observe")).await;
            injected.status.success().then_some(())
        })
        .await
        .expect("it can be broken");
    }
    for agent in ["ops-1", "ops-2"] {
        eventually("the level to freeze", WITHIN, async || {
            let status = cluster.json(&format!("call {agent} agent.status")).await;
            status["freezes"].as_u64().filter(|freezes| *freezes >= 1)
        })
        .await
        .expect("the level freezes");
    }
    assert!(cluster.up().printed().contains(cause), "{}", cluster.up().printed());
    let before = cycles(&cluster.json("agents").await);
    eventually("both kernels to tick on", WITHIN, async || {
        let now = cycles(&cluster.json("agents").await);
        now.iter().zip(&before).all(|(now, before)| now > before).then_some(())
    })
    .await
    .expect("the kernels tick on");
    cluster.stop().await;
}

fn cycles(rows: &Value) -> Vec<u64> {
    rows.as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["cycles"].as_u64())
        .collect()
}
