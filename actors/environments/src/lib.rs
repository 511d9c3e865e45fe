//! rungs-environments
