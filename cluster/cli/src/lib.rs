//! rungs-cli
