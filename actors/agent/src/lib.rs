//! rungs-agent
