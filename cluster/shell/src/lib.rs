//! rungs-shell
