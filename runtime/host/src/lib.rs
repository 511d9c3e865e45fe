//! rungs-host
