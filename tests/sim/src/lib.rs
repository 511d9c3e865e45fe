//! Membership and placement in simulation: many nodes in one thread, in virtual time, from one seed.
