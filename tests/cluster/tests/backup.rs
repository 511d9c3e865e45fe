//! What a cluster has agreed on, written to a file while it runs and restored in another folder.

use rungs_cluster_tests::Cluster;
use rungs_test_support::{program, temp_dir};
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

async fn run(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).arg("--data").arg(data);
    command.output().await.expect("the program runs")
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn agents(listed: &serde_json::Value) -> Vec<String> {
    let rows = listed.as_array().expect("a list").iter();
    let mut names: Vec<String> = rows.filter_map(|row| Some(row["agent"].as_str()?.to_owned())).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_begins_anew_from_a_backup_that_was_made_while_it_ran() {
    let kept = temp_dir("backup").expect("a folder can be made");
    let file = kept.path().join("cluster.backup");
    let name = file.to_str().expect("a name of characters");
    let cluster = Cluster::start("backed-up", &["--nodes", "3", "--agents", "2", "--rate", "10"]).await;
    for agent in ["web-1", "web-2"] {
        cluster.json(&format!("spawn {agent} --env sim:8:7 --rate 10")).await;
    }
    let made = run(&["backup", name], cluster.dir()).await;
    assert!(
        made.status.success() && said(&made).contains("read again and whole"),
        "{}",
        said(&made)
    );
    // What is registered later is not in it.
    cluster.json("spawn late --env sim:8:7 --rate 10").await;
    cluster.stop().await;

    let bytes = std::fs::read(&file).expect("it is there");
    let damaged = kept.path().join("damaged.backup");
    std::fs::write(&damaged, &bytes[..bytes.len() - 9]).expect("written");
    let dir = temp_dir("restored").expect("a folder can be made");
    let refused = run(&["restore", damaged.to_str().expect("a name")], dir.path()).await;
    assert!(
        !refused.status.success() && said(&refused).contains("the backup is damaged"),
        "{}",
        said(&refused)
    );
    assert!(!dir.path().join("cluster.toml").exists(), "nothing was begun");

    let restored = run(&["restore", name], dir.path()).await;
    assert!(
        restored.status.success() && said(&restored).contains("is restored in"),
        "{}",
        said(&restored)
    );
    let again = run(&["restore", name], dir.path()).await;
    assert!(
        said(&again).contains("expected a folder without one"),
        "{}",
        said(&again)
    );
    let cluster = Cluster::start_in(dir, &["--nodes", "3", "--agents", "2", "--rate", "10"]).await;
    for agent in ["web-1", "web-2", "ops-1", "ops-2"] {
        cluster.json(&format!("call {agent} agent.status --timeout 20s")).await;
    }
    assert_eq!(
        agents(&cluster.json("agents").await),
        ["ops-1", "ops-2", "web-1", "web-2"]
    );
    cluster.stop().await;
}
