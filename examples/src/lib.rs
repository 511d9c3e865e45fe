//! rungs-examples
