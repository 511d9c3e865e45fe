//! Phase 2 (being built).

pub mod calibration;
pub mod capability;
pub mod dependency;
pub mod gap;
pub mod unknown;
pub mod weakness;
