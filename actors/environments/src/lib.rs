//! What agents watch.

pub mod sim;
pub mod trace;

pub use sim::Sim;
pub use trace::{Playback, Trace};

use rungs_agent::{Description, EnvironmentError};

/// Refuses a row that is not one value per dimension.
fn check_row(environment: &str, description: &Description, row: &[f64]) -> Result<(), EnvironmentError> {
    let expected = description.dimensions.len();
    if row.len() == expected {
        return Ok(());
    }
    Err(EnvironmentError::Broken {
        environment: environment.to_owned(),
        reason: format!("a row of {} values; expected {expected}", row.len()),
    })
}
