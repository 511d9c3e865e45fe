//! L4.5: the floor on which L4.8 stands and to which it falls back.
//!
//! [`Level45::step`] reads one report of the kernel and says how the agent stands: how fast it changes itself
//! ([`growth`]), how well it does ([`performance`], [`seof`]), how far it is still itself ([`integrity`]), how far its
//! picture of the world can be trusted ([`uncertainty`]), whether its state runs away ([`stability`], [`jacobian`]),
//! and for how long L4.8's activation criteria have held ([`criteria`]). From there it looks ahead: where the agent is
//! going ([`projection`]), what five [`frames`] make of that, whether its goals still serve its [`purpose`], and whether it
//! would do better to process what it sees in another way ([`recomposition`]). The existential [`guard`] and the ethical
//! kernel ([`ethics`]) are of this level too; no level can change them.
//!
//! Invariants:
//! 1. It reads reports and nothing else, and writes nothing that the kernel does not ask for.
//! 2. Whatever a report holds, what leaves is finite and in its range; what is not known is `None`, or the worst.
//! 3. The same configuration and reports give the same floor reports, bit for bit, also across [`Level45::snapshot`]
//!    and [`Level45::restore`].
//! 4. In steady state [`Level45::step_into`] allocates nothing.

#[cfg(test)]
mod boundaries;
pub mod criteria;
pub mod ethics;
#[cfg(test)]
mod fixtures;
pub mod frames;
pub mod growth;
pub mod guard;
pub mod integrity;
pub mod jacobian;
pub mod level;
pub mod metrics;
pub mod performance;
pub mod projection;
pub mod purpose;
pub mod recomposition;
pub mod sentry;
pub mod seof;
pub mod stability;
pub mod uncertainty;
pub mod world;

pub use ethics::EthicalKernel;
pub use guard::{ExistentialGuard, Heartbeat, Stage};
pub use level::{Level45, Level45Config, Level45Error, Level45State};
pub use sentry::Sentry;
