//! L4.5: the floor on which L4.8 stands and to which it falls back.

pub mod jacobian;
