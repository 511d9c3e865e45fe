//! Addresses: whom a message is for, wherever in the cluster it lives.
//!
//! `[tenant/]name[#role]` an agent or an actor of its tree, `@node/role` an actor of a node, `user:name` a user's own
//! actor, `group:[tenant/]name` those agents of a tenant that are in a group.

use crate::id::AgentId;
use crate::name::{NameError, NodeName, UserName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest role path, in characters.
pub const MAX_ROLE_CHARS: usize = 127;

/// A path in a supervision tree, such as `kernel` or `l48/observe`: segments of `a-z`, `0-9`, `.`, `-`, `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RolePath(std::sync::Arc<str>);

impl RolePath {
    /// Checks the text.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let segment_ok = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        if text.len() <= MAX_ROLE_CHARS && text.split('/').all(segment_ok) {
            Ok(Self(text.into()))
        } else {
            Err(AddressError::BadRole { role: shorten(text) })
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most 80 characters of a text that came from outside, for an error message.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for RolePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RolePath {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::new(&text)
    }
}

impl From<RolePath> for String {
    fn from(role: RolePath) -> String {
        role.0.as_ref().to_owned()
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// An agent, or with a role an actor of its tree.
    Agent {
        /// The agent.
        agent: AgentId,
        /// The actor within its tree; `None` is the agent itself.
        role: Option<RolePath>,
    },
    /// An actor of a node, such as `@n2/directory`.
    Node {
        /// The node.
        node: NodeName,
        /// The actor.
        role: RolePath,
    },
    /// A user's own actor.
    User(UserName),
    /// Agents of one tenant that are in a group of this name. What is sent to it goes to a few of them; it answers nothing.
    Group(AgentId),
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A name inside it is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A role inside it is wrong.
    #[error(
        "{role:?} is not a role; expected segments of a-z, 0-9, '.', '-', '_' separated by '/', such as l48/observe"
    )]
    BadRole {
        /// What was found, shortened.
        role: String,
    },
    /// `@node` without a role.
    #[error("{text:?} names a node without an actor; expected @node/role, such as @n1/directory")]
    NoRole {
        /// What was found, shortened.
        text: String,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { agent, role: None } => write!(f, "{agent}"),
            Self::Agent {
                agent,
                role: Some(role),
            } => write!(f, "{agent}#{role}"),
            Self::Node { node, role } => write!(f, "@{node}/{role}"),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix('@') {
            let (node, role) = rest
                .split_once('/')
                .ok_or_else(|| AddressError::NoRole { text: shorten(text) })?;
            return Ok(Self::Node {
                node: NodeName::new(node)?,
                role: RolePath::new(role)?,
            });
        }
        if let Some(name) = text.strip_prefix("user:") {
            return Ok(Self::User(UserName::new(name)?));
        }
        if let Some(name) = text.strip_prefix("group:") {
            return Ok(Self::Group(name.parse()?));
        }
        match text.split_once('#') {
            Some((agent, role)) => Ok(Self::Agent {
                agent: agent.parse()?,
                role: Some(RolePath::new(role)?),
            }),
            None => Ok(Self::Agent {
                agent: text.parse()?,
                role: None,
            }),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl From<AgentId> for Address {
    fn from(agent: AgentId) -> Self {
        Self::Agent { agent, role: None }
    }
}

impl schemars::JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "[tenant/]name[#role] | @node/role | user:name | group:[tenant/]name",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_text_form() {
        for text in [
            "ops-1",
            "acme/ops-1",
            "ops-1#l48/observe",
            "acme/ops-1#kernel",
            "@n2/pressure",
            "user:greeter",
            "group:web",
            "group:acme/web",
        ] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_wrong_address_says_which_part() {
        assert_eq!(
            "@n2".parse::<Address>(),
            Err(AddressError::NoRole { text: "@n2".into() })
        );
        assert_eq!(
            "a#".parse::<Address>(),
            Err(AddressError::BadRole { role: String::new() })
        );
        assert_eq!(
            "a#x//y".parse::<Address>(),
            Err(AddressError::BadRole { role: "x//y".into() })
        );
        assert!(matches!("Ops".parse::<Address>(), Err(AddressError::Name(_))));
        assert!(matches!("user:".parse::<Address>(), Err(AddressError::Name(_))));
        assert!(matches!("group:".parse::<Address>(), Err(AddressError::Name(_))));
    }
}
