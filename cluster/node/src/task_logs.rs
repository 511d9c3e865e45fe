//! The task logs of a node's agents: in the store. Those that an earlier version has left in files are taken over once.

use anyhow::Context as _;
use rungs_directory::placement::Shard;
use rungs_directory::records::STORE_DEADLINE;
use rungs_store::cluster::{Consistency, Fence, Store};
use rungs_store::{FileTaskLogs, StoreTaskLogs, TaskLogStore as _, TaskLogs};
use rungs_types::{AgentId, Epoch};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where files of an earlier version are, below the data.
const FOLDER: &str = "tasks";

/// The task logs in the store, with what is in files.
pub(crate) async fn open(data: &Path, store: Arc<dyn Store>) -> anyhow::Result<TaskLogs> {
    let logs = || {
        let runtime = tokio::runtime::Handle::current();
        StoreTaskLogs::new(Arc::clone(&store), runtime, |agent| Shard::of(agent).number())
    };
    let folder = data.join(FOLDER);
    if folder.is_dir() {
        let (into, runtime, store) = (logs(), tokio::runtime::Handle::current(), Arc::clone(&store));
        let epoch = move |agent: &AgentId| runtime.block_on(epoch_of(&*store, Shard::of(agent)));
        let taken = tokio::task::spawn_blocking(move || take_over(&folder, &into, epoch));
        let taken = taken.await.context("the take-over of task logs panicked")??;
        tracing::info!(agents = taken, "task logs of an earlier version are in the store now");
    }
    Ok(TaskLogs::shared(logs()))
}

/// The epoch that a shard is in. The agents of an earlier version run nowhere yet, so nobody is overtaken by what carries it.
async fn epoch_of(store: &dyn Store, shard: Shard) -> anyhow::Result<Epoch> {
    let fence = Fence {
        shard: shard.number(),
        epoch: Epoch(0),
    };
    let seen = store.get(fence.row(), Consistency::Consistent, STORE_DEADLINE).await?;
    let row = seen.value.map(|row| row.value);
    let epoch = row
        .as_deref()
        .and_then(|value| value.try_into().ok())
        .map(u64::from_be_bytes);
    Ok(epoch.map_or(fence.epoch, Epoch))
}

/// Copies all logs in a folder, then removes it; how many there were. After a crash in between it goes on where it was.
fn take_over(
    folder: &PathBuf,
    into: &StoreTaskLogs,
    epoch: impl Fn(&AgentId) -> anyhow::Result<Epoch>,
) -> anyhow::Result<usize> {
    let what = || {
        let folder = folder.display();
        format!("cannot take over the task logs that an earlier version has left in {folder}")
    };
    let files = FileTaskLogs::open(folder).with_context(what)?;
    let agents = files.agents().with_context(what)?;
    for agent in &agents {
        let tail = files.read(agent, 0).with_context(what)?;
        if tail.torn_bytes > 0 {
            tracing::warn!(%agent, bytes = tail.torn_bytes, "the end of a task log was not written and is left out");
        }
        into.append(agent, epoch(agent)?, &tail.entries, true)
            .with_context(what)?;
    }
    drop(files);
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}; remove it", folder.display()))?;
    Ok(agents.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_store::LogEntry;
    use rungs_store::cluster::{Commit, MemoryStore, Precondition, Write};

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
        let open = || open(data.path(), Arc::clone(&store) as _);
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
        let damaged = data.path().join("tasks/default/ops-1.log");
        std::fs::write(damaged, "RUNGTASK of some other kind").expect("writes");
        let error = open(data.path(), store as _).await.map(|_| ()).expect_err("damaged");
        let error = format!("{error:#}");
        assert!(
            error.contains("cannot take over") && error.contains("move it away"),
            "{error}"
        );
        assert!(data.path().join(FOLDER).exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_shard_that_was_raised_is_in_its_epoch() {
        let store = MemoryStore::new();
        let shard = Shard::of(&agents()[0]);
        assert_eq!(epoch_of(&store, shard).await.expect("reads"), Epoch(0));
        let fence = Fence {
            shard: shard.number(),
            epoch: Epoch(0),
        };
        let raise = Commit::new([Precondition::FenceIs(fence)], [Write::Raise(fence.next())]);
        store.commit(raise, STORE_DEADLINE).await.expect("raised");
        assert_eq!(epoch_of(&store, shard).await.expect("reads"), Epoch(1));
    }
}
