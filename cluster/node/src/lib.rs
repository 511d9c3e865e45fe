//! rungs
