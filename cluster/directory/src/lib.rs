//! rungs-directory
