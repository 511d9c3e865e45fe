//! Identities: of agents, nodes, messages, checkpoints, and the counters that fence stale attempts.

use crate::name::{AgentName, NameError, NodeName, TenantName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// An agent: its tenant and its name within the tenant. Text form `name` (tenant `default`) or `tenant/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId {
    /// The tenant that owns the agent.
    pub tenant: TenantName,
    /// The name within the tenant.
    pub name: AgentName,
}

impl AgentId {
    /// An agent of the tenant `default`.
    pub fn of_default_tenant(name: AgentName) -> Self {
        Self {
            tenant: TenantName::default(),
            name,
        }
    }
}

impl AgentId {
    /// Another name of the same tenant.
    #[must_use]
    pub fn beside(&self, name: AgentName) -> Self {
        let tenant = self.tenant.clone();
        Self { tenant, name }
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenant == TenantName::default() {
            f.pad(self.name.as_str())
        } else {
            f.pad(&format!("{}/{}", self.tenant.as_str(), self.name.as_str()))
        }
    }
}

impl FromStr for AgentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((tenant, name)) => Ok(Self {
                tenant: TenantName::new(tenant)?,
                name: AgentName::new(name)?,
            }),
            None => Ok(Self::of_default_tenant(AgentName::new(text)?)),
        }
    }
}

impl TryFrom<String> for AgentId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> String {
        id.to_string()
    }
}

impl schemars::JsonSchema for AgentId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AgentId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "[tenant/]name" })
    }
}

/// One process start of a node: milliseconds since 1970 at its start, so that a later start is always greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Incarnation(pub u64);

/// A running node: its name and incarnation. Text form `name~incarnation`. A restarted node keeps its name and gets a
/// greater incarnation; whatever the dead one still says is stale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeId {
    /// The configured name.
    pub name: NodeName,
    /// Which start of it.
    pub incarnation: Incarnation,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.name, self.incarnation.0)
    }
}

/// Why a text is not a [`NodeId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeIdError {
    /// The part before `~` is not a node name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no `~` with digits behind it.
    #[error("a node id has no incarnation; expected name~number")]
    NoIncarnation,
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let (name, incarnation) = text.split_once('~').ok_or(NodeIdError::NoIncarnation)?;
        let incarnation = incarnation.parse().map_err(|_| NodeIdError::NoIncarnation)?;
        Ok(Self {
            name: NodeName::new(name)?,
            incarnation: Incarnation(incarnation),
        })
    }
}

/// One message, unique in the cluster (UUID version 7, minted by the host).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MessageId(pub Uuid);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A verified baton of a level: the level's state to which it reverts. Counts up per agent and level.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct CheckpointId(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// A fencing counter: whoever carries a smaller one is stale.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one. The last one, which no agent lives to see, is its own successor.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_of_the_default_tenant_is_written_without_it() {
        for text in ["ops-1", "acme/ops-1"] {
            assert_eq!(text.parse::<AgentId>().map(|id| id.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("default/ops-1".parse::<AgentId>(), "ops-1".parse());
        assert!("a/b/c".parse::<AgentId>().is_err());
    }

    #[test]
    fn a_node_id_round_trips() {
        let id: NodeId = "n1~42".parse().expect("a valid id");
        assert_eq!(id.to_string(), "n1~42");
        assert_eq!("n1".parse::<NodeId>(), Err(NodeIdError::NoIncarnation));
        assert_eq!("n1~x".parse::<NodeId>(), Err(NodeIdError::NoIncarnation));
    }
}
