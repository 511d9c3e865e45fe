//! The numerical tools that the levels share. Each guards itself: what goes in may be anything, what comes out is
//! finite.

pub mod bits;
pub mod condense;
pub mod history;
pub mod normal;
pub mod rls;
pub mod running;
pub mod spectral;
pub mod window;
