//! The greeting of two nodes: which versions and features they share, who they are, and how much room they give each
//! other. It is JSON, so that every version can read every other one's and refuse it with a clear message.

use crate::frame::Counts;
use crate::role::Roles;
use rungs_host::Refusal;
use rungs_types::{ErrorCode, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The version of the frames and envelopes that this build writes.
pub const PROTOCOL: u16 = 2;
/// The oldest version that this build still reads and writes: one before, so that a cluster can be upgraded node by
/// node. Version 1 was never released.
pub const MIN_PROTOCOL: u16 = 2;
/// Most features in a greeting, and longest feature name.
pub const MAX_FEATURES: usize = 64;
/// Longest greeting, in bytes.
pub const MAX_HELLO_BYTES: usize = 4096;
/// Features of this build, beyond what its protocol version says.
pub const FEATURES: [&str; 0] = [];

/// The name of a cluster, made with its certificate authority: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(uuid::Uuid);

impl ClusterId {
    /// A cluster id of 128 given bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(uuid::Uuid::from_u128(bits))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// Why a text is not a [`ClusterId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a cluster id; expected 32 hexadecimal digits")]
pub struct ParseClusterIdError {
    found: String,
}

impl FromStr for ClusterId {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, ParseClusterIdError> {
        let error = || ParseClusterIdError {
            found: text.chars().take(40).collect(),
        };
        if text.len() != 32 {
            return Err(error());
        }
        uuid::Uuid::try_parse(text).map(Self).map_err(|_| error())
    }
}

impl TryFrom<String> for ClusterId {
    type Error = ParseClusterIdError;

    fn try_from(text: String) -> Result<Self, ParseClusterIdError> {
        text.parse()
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> String {
        id.to_string()
    }
}

/// Tells the conversations of two nodes apart: what each of them counted when it greeted on the link on which the
/// conversation began, that of the node whose name comes first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationId(pub [u64; 2]);

impl ConversationId {
    /// The conversation that begins with these two greetings.
    pub fn begun(ours: &Hello, theirs: &Hello) -> Self {
        if ours.node.name < theirs.node.name {
            Self([ours.greeting, theirs.greeting])
        } else {
            Self([theirs.greeting, ours.greeting])
        }
    }
}

/// An offer to go on with a conversation whose link was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Which.
    pub conversation: ConversationId,
    /// What has come of it, so that the rest can be sent again.
    pub received: Counts,
}

/// What a node says first on every link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version it speaks.
    pub protocol: u16,
    /// The oldest version it speaks.
    pub min_protocol: u16,
    /// What it can beyond that.
    pub features: BTreeSet<String>,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its name and incarnation.
    pub node: NodeId,
    /// What it is.
    pub roles: Roles,
    /// Messages it holds for the sender at a time.
    pub window_messages: u64,
    /// Bytes it holds for the sender at a time.
    pub window_bytes: u64,
    /// Counts its greetings; with its incarnation it is unique.
    pub greeting: u64,
    /// The conversation it would go on with.
    pub resume: Option<Resume>,
}

/// What two nodes agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The version that both write.
    pub protocol: u16,
    /// The features that both have.
    pub features: BTreeSet<String>,
}

/// Why two nodes do not work together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// No version in common.
    #[error("{node} speaks protocol {found_min} to {found_max}; expected {} to {}", .expected.0, .expected.1)]
    Protocol {
        /// The other node.
        node: NodeId,
        /// Its oldest version.
        found_min: u16,
        /// Its newest version.
        found_max: u16,
        /// Our oldest and newest version.
        expected: (u16, u16),
    },
    /// It belongs to another cluster.
    #[error("{node} belongs to cluster {found}; expected {expected}")]
    Cluster {
        /// The other node.
        node: NodeId,
        /// Its cluster.
        found: ClusterId,
        /// Our cluster.
        expected: ClusterId,
    },
    /// It says another name than its certificate and session.
    #[error("a node greets as {found}; its session is that of {expected}")]
    Name {
        /// The name it greets with.
        found: NodeId,
        /// The name it was authenticated with.
        expected: NodeId,
    },
    /// It has this node's own name: two nodes have been given the same certificate or name.
    #[error("{node} has the name of this node, {this}; names must be unique in a cluster")]
    Duplicate {
        /// The other node.
        node: NodeId,
        /// This node.
        this: NodeId,
    },
    /// It claims roles that its certificate does not give it.
    #[error("{node} claims the roles {found}; its certificate gives it {expected}")]
    Roles {
        /// The other node.
        node: NodeId,
        /// What it claims.
        found: Roles,
        /// What it may be.
        expected: Roles,
    },
    /// Its certificate gives it no role: it may be nothing in the cluster.
    #[error("the certificate of {node} gives it no role; expected voter, member or admin")]
    NoRole {
        /// The other node.
        node: NodeId,
    },
    /// Limits that nobody can work with.
    #[error("{node} gives a window of {messages} messages and {bytes} bytes and {features} features")]
    Limits {
        /// The other node.
        node: NodeId,
        /// Its window, in messages.
        messages: u64,
        /// Its window, in bytes.
        bytes: u64,
        /// How many features it lists; expected at most [`MAX_FEATURES`].
        features: usize,
    },
}

impl From<&Disagreement> for Refusal {
    fn from(error: &Disagreement) -> Self {
        let code = match error {
            Disagreement::Protocol { .. } | Disagreement::Limits { .. } => ErrorCode::Incompatible,
            Disagreement::Cluster { .. }
            | Disagreement::Name { .. }
            | Disagreement::Duplicate { .. }
            | Disagreement::Roles { .. }
            | Disagreement::NoRole { .. } => ErrorCode::Forbidden,
        };
        Refusal::new(code, &error.to_string())
    }
}

impl Hello {
    /// What this node and its peer agree on. `session` and `certified` are what the link's authentication says of the
    /// peer; its own words are only compared with them.
    pub fn agree(&self, theirs: &Hello, session: &NodeId, certified: Roles) -> Result<Agreement, Disagreement> {
        let node = theirs.node.clone();
        if theirs.node != *session {
            return Err(Disagreement::Name {
                found: node,
                expected: session.clone(),
            });
        }
        if theirs.node.name == self.node.name {
            return Err(Disagreement::Duplicate {
                node,
                this: self.node.clone(),
            });
        }
        if theirs.cluster != self.cluster {
            return Err(Disagreement::Cluster {
                node,
                found: theirs.cluster.clone(),
                expected: self.cluster.clone(),
            });
        }
        let protocol = self.protocol.min(theirs.protocol);
        if protocol < self.min_protocol.max(theirs.min_protocol) {
            return Err(Disagreement::Protocol {
                node,
                found_min: theirs.min_protocol,
                found_max: theirs.protocol,
                expected: (self.min_protocol, self.protocol),
            });
        }
        if certified.is_empty() {
            return Err(Disagreement::NoRole { node });
        }
        if !certified.contains_all(theirs.roles) {
            return Err(Disagreement::Roles {
                node,
                found: theirs.roles,
                expected: certified,
            });
        }
        if theirs.window_messages == 0 || theirs.window_bytes == 0 || theirs.features.len() > MAX_FEATURES {
            return Err(Disagreement::Limits {
                node,
                messages: theirs.window_messages,
                bytes: theirs.window_bytes,
                features: theirs.features.len(),
            });
        }
        let features = self.features.intersection(&theirs.features).cloned().collect();
        Ok(Agreement { protocol, features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use rungs_host::{Format, wire};

    fn hello(node: &str) -> Hello {
        Hello {
            protocol: 2,
            min_protocol: 1,
            features: ["a", "b"].map(str::to_owned).into(),
            cluster: ClusterId::from_bits(7),
            node: node.parse().expect("a node id"),
            roles: Roles::of(&[Role::Member]),
            window_messages: 10,
            window_bytes: 1000,
            greeting: 1,
            resume: None,
        }
    }

    fn agree(change: impl FnOnce(&mut Hello)) -> Result<Agreement, Disagreement> {
        let mut theirs = hello("n2~5");
        change(&mut theirs);
        let session = "n2~5".parse().expect("a node id");
        hello("n1~1").agree(&theirs, &session, Roles::of(&[Role::Member, Role::Voter]))
    }

    #[test]
    fn neighbours_in_version_speak_the_older_one_with_the_features_they_share() {
        let agreed = agree(|theirs| {
            theirs.protocol = 1;
            theirs.features = ["b", "c"].map(str::to_owned).into();
        });
        let features = ["b".to_owned()].into();
        assert_eq!(agreed, Ok(Agreement { protocol: 1, features }));
    }

    #[test]
    fn a_node_without_a_common_version_is_told_both_ranges() {
        let error = agree(|theirs| (theirs.min_protocol, theirs.protocol) = (3, 4)).expect_err("refused");
        assert_eq!(error.to_string(), "n2~5 speaks protocol 3 to 4; expected 1 to 2");
        assert_eq!(Refusal::from(&error).code, ErrorCode::Incompatible);
    }

    #[test]
    fn another_cluster_name_or_role_is_refused() {
        let cluster = agree(|theirs| theirs.cluster = ClusterId::from_bits(8));
        assert!(matches!(cluster, Err(Disagreement::Cluster { .. })));
        let name = agree(|theirs| theirs.node = "n3~5".parse().expect("a node id"));
        assert!(matches!(name, Err(Disagreement::Name { .. })));
        let stale = agree(|theirs| theirs.node = "n2~4".parse().expect("a node id"));
        assert!(matches!(stale, Err(Disagreement::Name { .. })));
        let role = agree(|theirs| theirs.roles = Roles::of(&[Role::Admin]));
        assert!(matches!(role, Err(Disagreement::Roles { .. })));
        let session = "n2~5".parse().expect("a node id");
        let none = hello("n1~1").agree(&hello("n2~5"), &session, Roles::default());
        assert!(matches!(none, Err(Disagreement::NoRole { .. })));
        let window = agree(|theirs| theirs.window_messages = 0);
        assert!(matches!(window, Err(Disagreement::Limits { .. })));
    }

    #[test]
    fn a_node_with_the_name_of_this_one_is_refused() {
        let session = "n1~2".parse().expect("a node id");
        let refused = hello("n1~1").agree(&hello("n1~2"), &session, Roles::of(&[Role::Member]));
        let error = refused.expect_err("refused");
        assert_eq!(
            error.to_string(),
            "n1~2 has the name of this node, n1~1; names must be unique in a cluster"
        );
        assert_eq!(Refusal::from(&error).code, ErrorCode::Forbidden);
    }

    #[test]
    fn both_ends_give_a_conversation_the_same_id() {
        let (mut one, mut two) = (hello("n1~1"), hello("n2~5"));
        (one.greeting, two.greeting) = (3, 8);
        assert_eq!(ConversationId::begun(&one, &two), ConversationId([3, 8]));
        assert_eq!(ConversationId::begun(&two, &one), ConversationId([3, 8]));
    }

    #[test]
    fn fields_of_later_versions_are_read_over() {
        let text = r#"{"protocol":9,"min_protocol":9,"features":[],"cluster":"00000000000000000000000000000007",
            "node":{"name":"n2","incarnation":5},"roles":["member"],"window_messages":1,"window_bytes":1,"greeting":1,
            "resume":null,"later":[1]}"#;
        let read: Hello = wire::decode(text.as_bytes(), Format::Json).expect("reads");
        assert_eq!(read.node.to_string(), "n2~5");
        let ours = wire::encode(&hello("n1~1"), Format::Json).expect("encodes");
        assert!(ours.len() <= MAX_HELLO_BYTES);
    }

    #[test]
    fn a_cluster_id_has_one_text_form() {
        let id = ClusterId::from_bits(0xabc);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("abc".parse::<ClusterId>().is_err());
        assert!("00000000-0000-0000-0000-000000000abc".parse::<ClusterId>().is_err());
    }
}
