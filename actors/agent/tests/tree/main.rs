//! The agent's tree, through its handles: in memory, in paused time unless a thread has to spin.

mod ask;
mod authority;
mod constrain;
mod driver;
mod faults;
mod freeze;
mod goals;
mod lifecycle;
mod moves;
mod peers;
mod reach;
mod snapshots;
mod spin;
mod support;
