//! rungs-mesh
