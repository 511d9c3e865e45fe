//! rungs-tidy
