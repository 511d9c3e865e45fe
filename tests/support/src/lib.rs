//! rungs-test-support
