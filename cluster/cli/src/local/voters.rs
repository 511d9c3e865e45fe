//! Who of a local cluster holds replicas of its store. That is chosen when the cluster first starts and never changes: the
//! voters know each other by what is in their logs.

use super::{LocalError, io, node_home};
use crate::config::StoreVoter;
use crate::store::{OwnStore, REPLICA_FOLDER, StoreSecrets, free_addresses};
use rungs_types::NodeName;
use std::path::{Path, PathBuf};

/// The file in a cluster's folder with the secrets of its store.
pub const SECRETS_FILE: &str = "store-secrets.toml";

/// Voters of a cluster that is large enough to go on without one of them.
const MANY: usize = 3;

/// Voters of a new cluster of so many nodes.
pub fn voters_of(nodes: usize) -> usize {
    if nodes >= MANY { MANY } else { 1 }
}

/// The data folder of one node of a local cluster.
pub(super) fn data_of(dir: &Path, node: &NodeName) -> PathBuf {
    node_home(dir, node).join("data")
}

/// Chooses the voters of a cluster that has none yet, and keeps their secrets.
///
/// Where its nodes had stores of their own, as before a cluster had one, the first node's becomes that of the cluster; the
/// others bring into it what is in theirs when they start.
pub(super) fn choose(dir: &Path, nodes: &[NodeName]) -> Result<Vec<StoreVoter>, LocalError> {
    let (mut own, mut replica) = (Vec::new(), None);
    for node in nodes {
        let data = data_of(dir, node);
        let found = OwnStore::read(&data)?;
        if found.is_none() && data.join(REPLICA_FOLDER).exists() {
            replica = Some(data.join(REPLICA_FOLDER));
        }
        own.push(found);
    }
    if let Some(store) = replica {
        let file = dir.join(super::CLUSTER_FILE);
        return Err(LocalError::LostVoters { file, store });
    }
    let first = own.first().cloned().flatten();
    let count = match own.iter().any(Option::is_some) {
        true => 1,
        false => voters_of(nodes.len()),
    };
    let (secrets, addresses) = match first {
        Some(own) => (own.secrets(), vec![own.replica, own.client]),
        None => (StoreSecrets::choose().map_err(io(dir))?, free_addresses(2 * count)?),
    };
    secrets.keep(&dir.join(SECRETS_FILE))?;
    let voters = nodes.iter().zip(addresses.chunks(2));
    Ok(voters
        .map(|(node, pair)| StoreVoter {
            node: node.clone(),
            replica: pair[0],
            client: pair[1],
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeConfig;
    use crate::local::LocalCluster;

    fn prepare(dir: &Path, nodes: u32) -> LocalCluster {
        LocalCluster::prepare(dir, nodes).expect("prepared").cluster
    }

    fn names(cluster: &LocalCluster) -> Vec<&str> {
        cluster.voters.iter().map(|voter| voter.node.as_str()).collect()
    }

    #[test]
    fn three_nodes_or_more_have_three_voters_and_fewer_one() {
        for (nodes, expected) in [(1, 1), (2, 1), (3, 3), (5, 3)] {
            let dir = tempfile::tempdir().expect("a folder");
            assert_eq!(prepare(dir.path(), nodes).voters.len(), expected, "{nodes} nodes");
        }
    }

    #[test]
    fn voters_are_chosen_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = prepare(dir.path(), 1);
        let secrets = StoreSecrets::read(&dir.path().join(SECRETS_FILE)).expect("kept");
        let grown = prepare(dir.path(), 3);
        assert_eq!((grown.members.len(), &grown.voters), (3, &first.voters));
        assert_eq!(
            StoreSecrets::read(&dir.path().join(SECRETS_FILE)).expect("kept"),
            secrets
        );
        for (_, file) in grown.configure(dir.path(), &[]).expect("written") {
            let config = NodeConfig::load(&file, [], &[]).expect("valid");
            let store = config.store.expect("each node is told");
            assert_eq!(
                (store.voters, store.secrets),
                (first.voters.clone(), dir.path().join(SECRETS_FILE))
            );
        }
    }

    #[test]
    fn all_voters_have_to_be_among_the_nodes() {
        let dir = tempfile::tempdir().expect("a folder");
        prepare(dir.path(), 4);
        assert_eq!(names(&prepare(dir.path(), 3)), ["n1", "n2", "n3"]);
        let error = LocalCluster::prepare(dir.path(), 2).expect_err("n3 votes").to_string();
        assert!(
            error.contains("n1, n2, n3") && error.contains("expected --nodes 3 or more"),
            "{error}"
        );
    }

    #[test]
    fn of_nodes_with_stores_of_their_own_the_first_becomes_the_voter() {
        let dir = tempfile::tempdir().expect("a folder");
        let node = |name: &str| NodeName::new(name).expect("a name");
        for name in ["n1", "n2", "n3"] {
            let data = data_of(dir.path(), &node(name));
            std::fs::create_dir_all(&data).expect("made");
            OwnStore::choose(&data).expect("kept");
        }
        let first = OwnStore::read(&data_of(dir.path(), &node("n1")))
            .expect("reads")
            .expect("is there");
        let cluster = prepare(dir.path(), 3);
        assert_eq!(names(&cluster), ["n1"]);
        let voter = &cluster.voters[0];
        assert_eq!((voter.replica, voter.client), (first.replica, first.client));
        assert_eq!(
            StoreSecrets::read(&dir.path().join(SECRETS_FILE)).expect("kept"),
            first.secrets()
        );
    }

    #[test]
    fn replicas_without_their_addresses_are_not_given_new_ones() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut cluster = prepare(dir.path(), 3);
        let store = data_of(dir.path(), &cluster.members[1].name).join(REPLICA_FOLDER);
        std::fs::create_dir_all(&store).expect("made");
        assert_eq!(prepare(dir.path(), 3).voters, cluster.voters);
        cluster.voters.clear();
        cluster.save(dir.path()).expect("written");
        let error = LocalCluster::prepare(dir.path(), 3).expect_err("lost").to_string();
        assert!(
            error.contains("cluster.toml has no [[voters]]") && error.contains("n2/data/store"),
            "{error}"
        );
    }
}
