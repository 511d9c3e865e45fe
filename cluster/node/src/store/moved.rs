//! [`Before`]: the store that a node had of its own before its cluster had one. What operators registered there goes into the
//! cluster's store; the rest was written by the configuration, which is read anew.
//!
//! It is moved aside first, and marked as done last, so that a node which ends in between does it again: what has been
//! brought over already is there, and stays as it is.

use super::{OpenStore, Part, open_alone};
use anyhow::Context as _;
use rungs_cli::config::StoreConfig;
use rungs_cli::store::{OWN_FILE, OwnStore, REPLICA_FOLDER};
use rungs_directory::records::Records;
use rungs_store::cluster::Store;
use rungs_store_raft::RaftStore;
use rungs_types::NodeName;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of data that a store of a node's own is kept in afterwards.
const FOLDER: &str = "store.before";

/// See the module.
#[derive(Debug)]
pub(super) struct Before {
    own: OwnStore,
    /// Where it says how it is reached.
    file: PathBuf,
    folder: PathBuf,
}

impl Before {
    /// Moves the node's own store aside, if it has one that is not the cluster's.
    pub(super) fn take(data: &Path, node: &NodeName, cluster: &StoreConfig) -> anyhow::Result<Option<Self>> {
        let Some(own) = OwnStore::read(data)? else {
            return Ok(None);
        };
        let is_clusters = |place: usize| cluster.voters[place].client == own.client;
        if cluster.voters.len() == 1 && cluster.place_of(node).is_some_and(is_clusters) {
            return Ok(None);
        }
        let (replica, folder) = (data.join(REPLICA_FOLDER), data.join(FOLDER));
        if !folder.exists() && replica.exists() {
            std::fs::rename(&replica, &folder).with_context(|| format!("cannot move {}", replica.display()))?;
        }
        let file = data.join(OWN_FILE);
        Ok(Some(Self { own, file, folder }))
    }

    /// Brings what was registered into the cluster's store, and keeps the rest where it was moved to.
    pub(super) async fn bring_into(self, cluster: &Arc<RaftStore>) -> anyhow::Result<()> {
        if self.folder.exists() {
            let store = Arc::new(open_alone(&self.own, &self.folder).await?);
            let from = Records::new(Arc::clone(&store) as Arc<dyn Store>);
            let to = Records::new(Arc::clone(cluster) as Arc<dyn Store>);
            let brought = from.bring_into(&to).await;
            let (store, part) = (store, Part::Alone);
            OpenStore { store, part }.close().await;
            let brought = brought?;
            for agent in &brought.left {
                tracing::warn!(%agent, "another of this name is registered in the cluster's store; this one is left out");
            }
            tracing::info!(
                brought = brought.written,
                left = brought.left.len(),
                kept = %self.folder.display(),
                "agents that were registered in this node's own store are in that of the cluster"
            );
        }
        let done = self.file.with_extension("toml.before");
        std::fs::rename(&self.file, &done).with_context(|| format!("cannot move {}", self.file.display()))
    }
}
