//! `rungs backup` and `rungs restore`: what a cluster has agreed on, as one file. A backup is made while the cluster runs, and
//! read again before it counts; a restore begins a cluster anew in a folder that has none.

use crate::RunNode;
use crate::args::{Backup, Restore};
use crate::local::{LocalCluster, node_home};
use crate::store::REPLICA_FOLDER;
use anyhow::Context as _;
use rungs_store::cluster::backup::{Manifest, backup, restore, verify};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

/// How long one call of the store may take.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// Writes a backup, and reads it again.
pub(crate) async fn make(arguments: Backup, nodes: &dyn RunNode) -> anyhow::Result<()> {
    let Backup { file, data } = arguments;
    let cluster = LocalCluster::load(&data)?;
    let store = cluster.store(&data).with_context(|| own_store(&data))?;
    let store = nodes.store(store).await?;
    // Beside the target, then renamed: half a backup never stands where a whole one is looked for.
    let beside = beside(&file);
    let mut options = OpenOptions::new();
    let opened = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .await;
    let mut out = opened.with_context(|| beside.display().to_string())?;
    let written = backup(&*store, &mut out, CALL_WITHIN).await?;
    out.flush().await.with_context(|| beside.display().to_string())?;
    out.sync_all().await.with_context(|| beside.display().to_string())?;
    let read = verified(&beside).await?;
    anyhow::ensure!(
        read == written,
        "what was read from {} is not what was written",
        beside.display()
    );
    tokio::fs::rename(&beside, &file)
        .await
        .with_context(|| file.display().to_string())?;
    println!("{}: {}, read again and whole", file.display(), told(&written));
    Ok(())
}

/// Restores a backup into a folder without a cluster's store.
pub(crate) async fn take_back(arguments: Restore, nodes: &dyn RunNode) -> anyhow::Result<()> {
    let Restore {
        file,
        data,
        nodes: count,
        check,
    } = arguments;
    let held = verified(&file).await?;
    if check {
        println!("{}: {}, whole", file.display(), told(&held));
        return Ok(());
    }
    let cluster = match LocalCluster::load(&data) {
        Ok(cluster) => cluster,
        // The sockets are for nodes that start now; these start later.
        Err(crate::local::LocalError::Missing { .. }) => LocalCluster::prepare(&data, count)?.cluster,
        Err(error) => return Err(error.into()),
    };
    for member in &cluster.members {
        let replica = node_home(&data, &member.name).join("data").join(REPLICA_FOLDER);
        anyhow::ensure!(
            !replica.exists(),
            "there is a store in {}; expected a folder without one: name another with --data, or move this one away",
            replica.display()
        );
    }
    let store = nodes.voters(data.clone(), cluster).await?;
    let mut from = File::open(&file).await.with_context(|| file.display().to_string())?;
    let restored = restore(&*store, &mut from, CALL_WITHIN).await?;
    println!(
        "{} is restored in {}: {}; `rungs up --data {}` starts it",
        file.display(),
        data.display(),
        told(&restored),
        data.display()
    );
    Ok(())
}

async fn verified(file: &Path) -> anyhow::Result<Manifest> {
    let mut from = File::open(file).await.with_context(|| file.display().to_string())?;
    verify(&mut from).await.with_context(|| file.display().to_string())
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn own_store(data: &Path) -> String {
    format!(
        "{}: each node has a store of its own; start the cluster once with this version",
        data.display()
    )
}

/// Such as `120 rows of 4 tables, as of commit 431`.
fn told(manifest: &Manifest) -> String {
    let rows: u64 = manifest.records.values().sum();
    let (tables, commit) = (manifest.records.len(), manifest.head.revision.0);
    format!("{rows} rows of {tables} tables, as of commit {commit}")
}
