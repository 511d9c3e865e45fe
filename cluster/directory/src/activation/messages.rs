//! What operators say to `@node/activator`.

use rungs_host::Wire;
use rungs_types::{AgentId, AgentSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Registers an agent of this node and starts it; answered when it runs. One that does not start is not registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// What it is to be.
    pub spec: AgentSpec,
}

/// Stops an agent of this node, with its state saved, and forgets it: it starts again only when it is registered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unregister {
    /// The agent.
    pub agent: AgentId,
}

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

impl Wire for Register {
    const KIND: &'static str = "activator.register";
    type Reply = ();

    fn example() -> Self {
        let spec = AgentSpec::new(ops_1());
        Self { spec }
    }
}

impl Wire for Unregister {
    const KIND: &'static str = "activator.unregister";
    type Reply = ();

    fn example() -> Self {
        Self { agent: ops_1() }
    }
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
