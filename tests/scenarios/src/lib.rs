//! Whole minds in simulation: what happens to an agent over thousands of cycles, at full speed.
//!
//! A [`Life`] is one agent, all levels of it, in a simulated world of its own; a [`Society`] is several whose messages
//! reach each other. No actors, no clock, no threads: the same specifications give the same cycles, bit for bit.
//!
//! The tests beside it are scenarios. Each states a fact of the mind and prints the figures behind it
//! (`cargo test -p rungs-scenarios-tests -- --nocapture`).

mod goals;
mod life;
mod society;

pub use goals::{TIDE, TIDE_CYCLES, flood, high_tide, tidal, user_goal};
pub use life::{Life, RESOURCE, Upset, agent, calm_world};
pub use society::Society;
