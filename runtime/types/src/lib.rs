//! rungs-types
