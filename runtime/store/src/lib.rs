//! rungs-store
