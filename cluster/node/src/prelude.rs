//! One import for an embedding program: the node, agents, environments of one's own, and actors of one's own.

pub use crate::{Node, NodeBuilder, UserActor};
pub use rungs_agent::{
    AgentHandle, Command, Description, Dimension, Environment, EnvironmentError, Observed,
    messages::{AgentDescription, Forecast, GetForecast, GetStatus},
};
pub use rungs_host::{Context, Delivered, EventFilter, Refusal, Reply, Request, Watched, Wire};
pub use rungs_shell::event_line::event_line;
pub use rungs_types::{
    Address, AgentId, AgentName, AgentSpec, AgentStatus, Authority, Cause, EnvironmentSpec, ErrorCode, Event,
    EventKind, Level, NodeName, UserName,
};
