//! What the levels of an agent are made of, from its specification: the one place from which actors and
//! [`crate::stack::Stack`] take it.

use crate::l3::{IdentityId, KernelConfig};
use crate::l45::Level45Config;
use crate::l48::observe::{ConfigError, ObserveConfig};
use crate::l48::{Bundle, Emit, Introspect, Observe, Plan, Verify};
use rungs_types::{AgentSpec, CheckpointId};
use std::sync::Arc;

/// Probability per cycle that the kernel tries something other than what looks best.
pub const EXPLORATION_RATE: f64 = 0.02;

/// L3; `groups` has the group of each dimension.
pub fn kernel(spec: &AgentSpec, groups: Arc<[u16]>) -> KernelConfig {
    KernelConfig {
        identity: IdentityId::of(&format!("{}/{}", spec.agent.tenant.as_str(), spec.agent.name.as_str())),
        groups,
        seed: spec.seed,
        exploration_rate: EXPLORATION_RATE,
    }
}

/// L4.5.
pub fn floor(spec: &AgentSpec, groups: Arc<[u16]>) -> Level45Config {
    Level45Config {
        groups,
        seed: spec.seed,
    }
}

/// L4.8's world model.
pub fn world(spec: &AgentSpec, dimensions: usize) -> ObserveConfig {
    ObserveConfig {
        dimensions,
        particles: spec.particles,
        seed: spec.seed,
    }
}

/// What L4.8 begins with and goes back to before its first verified pass; `groups` has the group of each dimension.
pub fn first_bundle(spec: &AgentSpec, groups: &Arc<[u16]>) -> Result<Bundle, ConfigError> {
    let observe = Observe::new(world(spec, groups.len()))?;
    Ok(Bundle {
        checkpoint: CheckpointId::default(),
        cycle: 0,
        observe: observe.state(),
        introspect: Introspect::new(Arc::clone(groups)).state(),
        plan: Plan::new(spec.seed).state(),
        verify: Verify::new().state(),
        emit: Emit::new().state(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tries_something_else_in_two_of_a_hundred_cycles() {
        let spec = AgentSpec::new("ops-1".parse().expect("a name"));
        assert_eq!(kernel(&spec, [0].into()).exploration_rate, 0.02);
    }
}
