//! rungs-cluster-tests
