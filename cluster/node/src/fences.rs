//! The epochs of this node's shards in the store: what a commit on behalf of an agent carries is compared with.
//!
//! While the placement of shards does not change, each is in its first epoch for ever; a store that has never seen it is told
//! so here, before the first agent starts.

use anyhow::Context as _;
use futures::future::try_join_all;
use rungs_directory::placement::Shard;
use rungs_store::cluster::fence::FENCES;
use rungs_store::cluster::limits::{MAX_PAGE_ROWS, MAX_PRECONDITIONS};
use rungs_store::cluster::read::Consistency;
use rungs_store::cluster::{Commit, Fence, Outcome, Precondition, Scan, Store, Write};
use rungs_types::Epoch;
use std::collections::BTreeMap;
use std::time::Duration;

/// The epoch of all shards while their placement does not change.
pub(crate) const FIRST_EPOCH: Epoch = Epoch(1);
/// How long one call of the store may take.
const STORE_WITHIN: Duration = Duration::from_secs(10);

/// Sees to it that these shards are in this epoch.
///
/// # Errors
/// If the store does not answer, another node does the same for the same shard at this moment, or a shard is further.
pub(crate) async fn raise(store: &dyn Store, shards: &[Shard], to: Epoch) -> anyhow::Result<()> {
    let known = epochs(store).await.context("cannot read the epochs of shards")?;
    let mut low = Vec::new();
    for shard in shards.iter().map(|shard| shard.number()) {
        let epoch = known.get(&shard).copied().unwrap_or_default();
        anyhow::ensure!(
            epoch <= to,
            "shard {shard} is in {epoch} in the store, and this node would run its agents in {to}: the store is of a newer \
             program, whose shards move; start that one"
        );
        if epoch < to {
            low.push(Fence { shard, epoch });
        }
    }
    // Together, so that the store writes them as few batches.
    let raised = low.chunks(MAX_PRECONDITIONS).map(|fences| {
        let from = fences.iter().map(|fence| Precondition::FenceIs(*fence));
        let raised = fences.iter().map(|fence| Write::Raise(Fence { epoch: to, ..*fence }));
        store.commit(Commit::new(from, raised), STORE_WITHIN)
    });
    let outcomes = try_join_all(raised).await;
    for outcome in outcomes.context("cannot write the epochs of this node's shards; start it again")? {
        anyhow::ensure!(
            matches!(outcome, Outcome::Committed(_)),
            "another node has just taken shards that are placed here; give all nodes the same members and start again"
        );
    }
    Ok(())
}

/// The epochs of all shards that were ever raised.
async fn epochs(store: &dyn Store) -> anyhow::Result<BTreeMap<u16, Epoch>> {
    let (mut epochs, mut after) = (BTreeMap::new(), None);
    loop {
        let scan = Scan {
            after,
            ..Scan::all(FENCES, MAX_PAGE_ROWS)
        };
        let page = store.scan(scan, Consistency::Consistent, STORE_WITHIN).await?;
        for row in &page.rows {
            let fence = Fence::read(row).context("the store has a fence that is none; restore it from a backup")?;
            epochs.insert(fence.shard, fence.epoch);
        }
        after = page.next;
        if after.is_none() {
            return Ok(epochs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_store::cluster::MemoryStore;

    #[tokio::test]
    async fn all_shards_are_raised_once_and_none_is_lowered() {
        let store = MemoryStore::new();
        let shards: Vec<Shard> = Shard::all().collect();
        raise(&store, &shards[..100], FIRST_EPOCH).await.expect("raises");
        raise(&store, &shards, FIRST_EPOCH).await.expect("raises the rest");
        let before = epochs(&store).await.expect("reads");
        assert!(before.len() == 4096 && before.values().all(|epoch| *epoch == FIRST_EPOCH));
        let head = store
            .moved(rungs_store::cluster::Revision(0), STORE_WITHIN)
            .await
            .expect("there");
        raise(&store, &shards, FIRST_EPOCH).await.expect("has nothing to do");
        let again = store
            .moved(rungs_store::cluster::Revision(0), STORE_WITHIN)
            .await
            .expect("there");
        assert_eq!(again, head);
        raise(&store, &shards[7..8], Epoch(3)).await.expect("raises");
        let error = raise(&store, &shards, FIRST_EPOCH).await.expect_err("is further");
        assert!(error.to_string().starts_with("shard 7 is in e3"), "{error}");
    }
}
