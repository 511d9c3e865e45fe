//! Cognition: the levels of autonomy as plain structs with `step`-like methods, and the ladder that says what happens
//! when one of them fails.
//!
//! Pure: no clock, no I/O, no async, no global state, no unseeded randomness. The same input and seed give the same
//! output, bit for bit on one build. Actors host these structs and carry out what they decide.
//!
//! Strictly additive: a level reads the level below through an immutable report ([`report`]) and has no way to reach
//! its state. What Level 4.8 carries of the levels below it reads, and shares:
//!
//! ```
//! use rungs_mind::{l3::Kernel, l48::{Baton, Observe}};
//! # use std::sync::Arc;
//! fn a_phase_reads(baton: &mut Baton) -> (f64, Arc<rungs_mind::report::FloorReport>) {
//!     (baton.floor.rho, Arc::clone(&baton.floor))
//! }
//! fn whoever_has_a_kernel_reads(kernel: &mut Kernel) -> f64 {
//!     kernel.affect().valence()
//! }
//! fn and_what_a_phase_remembers_is_shared(observe: &mut Observe) -> u64 {
//!     observe.state().cycle()
//! }
//! ```
//!
//! It cannot change the report, for that is behind an [`Arc`](std::sync::Arc):
//!
//! ```compile_fail,E0594
//! use rungs_mind::{l3::Kernel, l48::{Baton, Observe}};
//! fn a_phase_changes(baton: &mut Baton) {
//!     baton.floor.rho = 0.5;
//! }
//! ```
//!
//! And it cannot reach the state of the level below, nor that of another phase, for that is private:
//!
//! ```compile_fail,E0616
//! use rungs_mind::{l3::Kernel, l48::{Baton, Observe}};
//! fn whoever_has_a_kernel_changes(kernel: &mut Kernel) {
//!     kernel.state = kernel.snapshot();
//! }
//! ```
//!
//! ```compile_fail,E0616
//! use rungs_mind::{l3::Kernel, l48::{Baton, Observe}};
//! fn another_phase_changes(observe: &mut Observe) {
//!     observe.state = observe.state();
//! }
//! ```
//!
//! Start reading at [`report`] (what passes between levels), then [`l3`], [`l45`] and [`l48`] (the levels), then
//! [`ladder`] (where a freeze is decided); [`stack`] drives them all without actors. [`traceability`] leads from each
//! definition to its code and its tests.
#![doc = ""]
#![doc = include_str!("references.md")]

pub mod body;
pub mod budget;
pub mod desk;
pub mod goals;
pub mod l3;
pub mod l45;
pub mod l48;
pub mod l49;
pub mod ladder;
pub mod lookahead;
pub mod merge;
pub mod numeric;
pub mod qualify;
pub mod report;
pub mod setup;
pub mod stack;
#[doc = include_str!("traceability.md")]
pub mod traceability {}

pub use stack::Stack;
