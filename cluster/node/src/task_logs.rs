//! The task logs of a node's agents: in the store. Those that an earlier version has left in files are taken over once.

use anyhow::Context as _;
use rungs_directory::placement::Shard;
use rungs_store::cluster::Store;
use rungs_store::{FileTaskLogs, StoreTaskLogs, TaskLogStore as _, TaskLogs};
use rungs_types::Epoch;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where files of an earlier version are, below the data.
const FOLDER: &str = "tasks";

/// The task logs in the store, with what is in files for these shards, which are in this epoch.
pub(crate) async fn open(
    data: &Path,
    store: Arc<dyn Store>,
    shards: Vec<Shard>,
    epoch: Epoch,
) -> anyhow::Result<TaskLogs> {
    let logs = || {
        let runtime = tokio::runtime::Handle::current();
        StoreTaskLogs::new(Arc::clone(&store), runtime, |agent| Shard::of(agent).number())
    };
    let folder = data.join(FOLDER);
    if folder.is_dir() {
        let into = logs();
        let taken = tokio::task::spawn_blocking(move || take_over(&folder, &into, &shards, epoch));
        let taken = taken.await.context("the take-over of task logs panicked")??;
        tracing::info!(agents = taken, "task logs of an earlier version are in the store now");
    }
    Ok(TaskLogs::shared(logs()))
}

/// Copies all logs in a folder, then removes it; how many there were. After a crash in between it goes on where it was.
fn take_over(folder: &PathBuf, into: &StoreTaskLogs, shards: &[Shard], epoch: Epoch) -> anyhow::Result<usize> {
    let what = || {
        let folder = folder.display();
        format!("cannot take over the task logs that an earlier version has left in {folder}")
    };
    let files = FileTaskLogs::open(folder).with_context(what)?;
    let agents = files.agents().with_context(what)?;
    for agent in &agents {
        let file = folder.join(agent.tenant.as_str()).join(format!("{}.log", agent.name));
        anyhow::ensure!(
            shards.contains(&Shard::of(agent)),
            "{} has what happened to the goals of agent {agent}, whose shard is placed on another node; start this node \
             once with the members that it had before, or move the file away to go on without",
            file.display()
        );
        let tail = files.read(agent, 0).with_context(what)?;
        if tail.torn_bytes > 0 {
            tracing::warn!(%agent, bytes = tail.torn_bytes, "the end of a task log was not written and is left out");
        }
        into.append(agent, epoch, &tail.entries, true).with_context(what)?;
    }
    drop(files);
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}; remove it", folder.display()))?;
    Ok(agents.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_store::LogEntry;
    use rungs_store::cluster::MemoryStore;
    use rungs_types::AgentId;

    const NOW: Epoch = Epoch(0);

    fn entries(seqs: std::ops::RangeInclusive<u64>) -> Vec<LogEntry> {
        let bytes = |seq: u64| vec![seq as u8; 30];
        seqs.map(|seq| LogEntry { seq, bytes: bytes(seq) }).collect()
    }

    fn agents() -> [AgentId; 2] {
        ["ops-1", "acme/ops-1"].map(|name| name.parse().expect("a name"))
    }

    /// A folder in which an earlier version has left two logs.
    fn left() -> tempfile::TempDir {
        let data = tempfile::tempdir().expect("a folder");
        let files = FileTaskLogs::open(&data.path().join(FOLDER)).expect("opens");
        for (agent, last) in agents().iter().zip([3, 9]) {
            files.append(agent, NOW, &entries(2..=last), true).expect("appends");
        }
        data
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn files_of_an_earlier_version_are_taken_over_once() {
        let (data, store) = (left(), Arc::new(MemoryStore::new()));
        let open = || open(data.path(), Arc::clone(&store) as _, Shard::all().collect(), NOW);
        let logs = open().await.expect("opens");
        assert!(!data.path().join(FOLDER).exists());
        for (agent, last) in agents().into_iter().zip([3, 9]) {
            let (_, tail) = logs.open(agent, NOW).await.expect("opens");
            assert_eq!(tail.entries, entries(2..=last));
        }
        open().await.expect("nothing is left to take over");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_cannot_be_taken_over_is_refused_with_what_to_do_and_stays() {
        let (data, store) = (left(), Arc::new(MemoryStore::new()));
        let open = |shards| open(data.path(), Arc::clone(&store) as _, shards, NOW);
        let own = vec![Shard::of(&agents()[0])];
        let error = open(own)
            .await
            .expect_err("the other one's shard is elsewhere")
            .to_string();
        assert!(
            error.contains("acme/ops-1.log") && error.contains("or move the file away"),
            "{error}"
        );
        std::fs::write(
            data.path().join("tasks/default/ops-1.log"),
            "RUNGTASK of some other kind",
        )
        .expect("writes");
        let error = format!("{:#}", open(Shard::all().collect()).await.expect_err("damaged"));
        assert!(
            error.contains("cannot take over") && error.contains("move it away"),
            "{error}"
        );
        assert!(data.path().join(FOLDER).exists());
    }
}
