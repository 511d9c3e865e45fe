//! rungs-mind
