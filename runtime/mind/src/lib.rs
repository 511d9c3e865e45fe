//! Cognition: the levels of autonomy as plain structs with `step`-like methods, and the ladder that says what happens
//! when one of them fails.
//!
//! Pure: no clock, no I/O, no async, no global state, no unseeded randomness. The same input and seed give the same
//! output, bit for bit on one build. Actors host these structs and carry out what they decide.
//!
//! Strictly additive: a level reads the level below through an immutable report ([`report`]) and has no way to reach
//! its state.
//!
//! Start reading at [`report`] (what passes between levels), then [`l3`], [`l45`] and [`l48`] (the levels), then
//! [`ladder`] (where a freeze is decided).

pub mod budget;
pub mod goals;
pub mod l3;
pub mod l45;
pub mod l48;
pub mod ladder;
pub mod lookahead;
pub mod numeric;
pub mod report;
