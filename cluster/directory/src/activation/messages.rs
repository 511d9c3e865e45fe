//! What operators say to `@node/activator`.

use rungs_host::Wire;
use rungs_types::AgentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Starts an agent of this node; answered when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    /// The agent.
    pub agent: AgentId,
}

/// Lets an agent of this node save its state and rest until it is wanted; answered when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passivate {
    /// The agent.
    pub agent: AgentId,
}

fn ops_1() -> AgentId {
    "ops-1".parse().expect("a constant name")
}

impl Wire for Activate {
    const KIND: &'static str = "activator.activate";
    type Reply = ();

    fn example() -> Self {
        Self { agent: ops_1() }
    }
}

impl Wire for Passivate {
    const KIND: &'static str = "activator.passivate";
    type Reply = ();

    fn example() -> Self {
        Self { agent: ops_1() }
    }
}
