//! `[store]`: who of a cluster holds replicas of its store, and how they are reached. The same on every node.

use super::{Member, address};
use rungs_types::NodeName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How many voters a store may have: of an even number one more may be down than of the odd one below it, and no more.
pub const VOTERS: [usize; 3] = [1, 3, 5];

/// The store of a cluster. A node without it has a store of its own, as its only voter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The file with the secrets of voters and clients, the same on all nodes and for nobody else.
    pub secrets: PathBuf,
    /// What this node, if it is a voter, shows to the others. Needed where voters are not on the loopback interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<StoreTls>,
    /// Who holds a replica: 1, 3 or 5 of the members, the first of whom begins. Order and addresses stay the same for ever:
    /// they are in the log.
    pub voters: Vec<StoreVoter>,
}

/// One of those who hold a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreVoter {
    /// Which member.
    pub node: NodeName,
    /// Where the other replicas reach it.
    #[serde(deserialize_with = "address")]
    pub replica: SocketAddr,
    /// Where clients reach it.
    #[serde(deserialize_with = "address")]
    pub client: SocketAddr,
}

/// A certificate for the addresses of a voter. The others verify it by the roots their system trusts, which `SSL_CERT_FILE`
/// adds to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreTls {
    /// The chain, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// A value outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {found}; expected {expected}")]
pub struct WrongValue {
    /// The key.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// What a node of several has to be told of their store.
const STORE_OF_MANY: &str =
    "[store] with secrets and 1, 3 or 5 voters, the same on all members: a cluster has one store";

/// Checks what a node is told of the store of its cluster.
///
/// # Errors
/// If the store cannot be this cluster's, or if the node is one of several and was told of none.
pub fn check_store(node: &NodeName, members: &[Member], store: Option<&StoreConfig>) -> Result<(), WrongValue> {
    match store {
        Some(store) => store.check(node, members),
        None if members.iter().any(|member| member.name != *node) => Err(WrongValue {
            field: "store".to_owned(),
            found: "absent".to_owned(),
            expected: STORE_OF_MANY.to_owned(),
        }),
        None => Ok(()),
    }
}

impl StoreConfig {
    /// The place of a node among the voters, from 0; none of a client.
    pub fn place_of(&self, node: &NodeName) -> Option<usize> {
        self.voters.iter().position(|voter| voter.node == *node)
    }

    /// Whether voters are reached with TLS: without it, secrets and rows would go over the network for all to read.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some() || self.open_address().is_some()
    }

    fn addresses(&self) -> impl Iterator<Item = (&StoreVoter, &'static str, SocketAddr)> {
        let voters = self.voters.iter();
        voters.flat_map(|voter| [(voter, "replica", voter.replica), (voter, "client", voter.client)])
    }

    fn open_address(&self) -> Option<(&StoreVoter, &'static str, SocketAddr)> {
        self.addresses().find(|(_, _, address)| !address.ip().is_loopback())
    }

    fn check(&self, node: &NodeName, members: &[Member]) -> Result<(), WrongValue> {
        let wrong = |key: &str, found: String, expected: &str| {
            Err(WrongValue {
                field: format!("store, {key}"),
                found,
                expected: expected.to_owned(),
            })
        };
        if !VOTERS.contains(&self.voters.len()) {
            return wrong("voters", self.voters.len().to_string(), "1, 3 or 5");
        }
        let names: BTreeSet<&NodeName> = match members.is_empty() {
            true => [node].into(),
            false => members.iter().map(|member| &member.name).collect(),
        };
        let mut seen = BTreeSet::new();
        for voter in &self.voters {
            let name = &voter.node;
            if !names.contains(name) {
                let known: Vec<String> = names.iter().map(ToString::to_string).collect();
                let expected = format!("a member: {}", known.join(", "));
                return wrong("voters", name.to_string(), &expected);
            }
            if !seen.insert(name) {
                return wrong("voters", format!("{name} twice"), "each member once");
            }
        }
        let mut taken: BTreeSet<SocketAddr> = members.iter().map(|member| member.address).collect();
        for (voter, key, address) in self.addresses() {
            let key = format!("{}, {key}", voter.node);
            if address.port() == 0 {
                return wrong(&key, address.to_string(), "a port from 1 to 65535");
            }
            if !taken.insert(address) {
                return wrong(&key, format!("{address} twice"), "an address that nothing else has");
            }
        }
        match self.open_address() {
            Some((voter, key, address)) if self.tls.is_none() && self.place_of(node).is_some() => wrong(
                &format!("{}, {key}", voter.node),
                address.to_string(),
                "a loopback address, or store.tls with certificate and key: this node is a voter",
            ),
            Some(_) | None => Ok(()),
        }
    }
}
