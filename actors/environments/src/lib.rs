//! What agents watch: implementations of [`rungs_agent::Environment`].
//!
//! - [`host`]: the live metrics of this machine and process, sampled once for all agents of a node;
//! - [`trace`]: recorded time series in CSV files, a row each cycle or at the pace of their own timestamps;
//! - [`sim`]: a seeded world with planted events;
//! - [`registry`]: from a specification to one of these, or to one that the embedding program registered.
//!
//! Common to all: a value is finite or missing (NaN), `observe` waits for nothing but a regular file, and what an
//! environment holds does not grow with time or with the length of a recording.
//!
//! What this crate never does: decide about an agent, write a file, open a socket, or know of actors, nodes or tenants.
//! Beside the sampler thread of `host` it has none, and beside that thread nothing here reads a clock: time is an
//! argument.
//!
//! Start reading at [`registry`], then [`sim`] (the shortest), [`trace`] and [`host`].

pub mod host;
pub mod registry;
pub mod sim;
pub mod trace;

pub use host::{Host, HostSensors, RuntimeProbe, RuntimeReading};
pub use registry::{Environments, Factory, RegisterError};
pub use sim::Sim;
pub use trace::{Playback, Trace};

use rungs_agent::{Description, EnvironmentError};

/// Refuses a row that is not one value per dimension.
fn check_row(description: &Description, row: &[f64]) -> Result<(), EnvironmentError> {
    let expected = description.dimensions.len();
    if row.len() == expected {
        return Ok(());
    }
    Err(EnvironmentError::Broken {
        environment: description.name.clone(),
        reason: format!("a row of {} values; expected {expected}", row.len()),
    })
}
