//! The agent: one supervision tree that hosts the levels of `rungs-mind` as actors.
//!
//! It owns the tree, the baton, the authority cell, freeze and revert, and snapshots. It decides nothing about
//! cognition (that is `rungs-mind`), opens no socket and knows no mesh.
//!
//! ```text
//! agents                       the hosts' top                                          hosts
//! └─ agents/0                  a host: up to 256 agents, restarts each by its ladder   hosts::host
//!    └─ ops-1                  an agent's root: address, orders, decisions carried out agent, carry, orders, peers
//!       ├─ kernel              L3: one cycle a tick, waits for nobody                  kernel
//!       ├─ guard               existential guard, ethical kernel's hash                guard
//!       ├─ l45                 the floor                                               level45
//!       └─ l48                 orchestrator and supervisor of its phases               level48
//!          ├─ l48/observe    ─┐
//!          ├─ l48/introspect ←┘─┐ the baton goes from phase to phase and home
//!          ├─ l48/plan       ←──┘─┐
//!          ├─ l48/verify     ←────┘─┐
//!          └─ l48/emit       ←──────┘
//! ```
//! What passes: kernel → l45 (and guard) the cycle report, every 10 cycles; l45 → l48 the report with the floor's
//! answer; l48 → root what its orchestrator asks for; root → the kernel's desk advice; root → l48 what the ladder wants.
//!
//! A freeze is decided in `rungs_mind::ladder`, behind the governor (`governor`), which has it in the authority
//! cell before the call returns. It is carried out by the root (`carry`: withdraw, persist, tell) and by `level48` (the
//! phases end, and start again from the last verified bundle).
//!
//! # Invariants
//! 1. No level reads or has more authority than the level below it (`authority`).
//! 2. A failure is in the authority cell before anything else is done about it, and no mailbox is waited for
//!    (`governor`).
//! 3. The kernel awaits nothing and never misses a cycle because of a level above it (`kernel`).
//! 4. A demotion applies first and is persisted after; a promotion is persisted first; a process that dies in between
//!    starts with the level demoted (`carry`, `keeper`, `snapshot`).
//! 5. A phase's state is where its last verified bundle says; there is no side channel between phases (`level48`).
//! 6. Every queue has a bound: reports wait merged for a level that is busy, one baton is under way, one tick is in the
//!    kernel's mailbox (`level45`, `level48`, `kernel`).
//! 7. One agent's failure never reaches another (`hosts`).
//!
//! Start reading at [`handle`] (how an agent is used), then [`hosts`] (where agents live), then `agent` (the root).

mod agent;
pub mod authority;
mod boot;
mod carry;
mod desk;
pub mod environment;
pub mod error;
pub mod goals;
mod governor;
mod grow;
mod guard;
pub mod handle;
pub mod hosts;
mod inbox;
mod journal;
mod keeper;
mod kernel;
mod level45;
mod level48;
mod level49;
mod log;
pub mod messages;
pub mod mind;
mod orders;
mod peers;
mod phased;
pub mod ports;
pub mod qualification;
mod quota;
mod relay;
pub mod runtime;
pub mod self_model;
mod shared;
mod snapshot;
mod track;
mod tree;

pub use authority::{AuthorityReader, Standing};
pub use environment::{Command, Description, Dimension, Environment, EnvironmentError, Observed};
pub use error::AgentError;
pub use handle::{AgentEvents, AgentHandle};
pub use hosts::Hosts;
pub use ports::{Asked, Letter, LocalPeers, Peers, Question, Recipients, Whom};
pub use runtime::{AgentRuntime, OpenEnvironment};
pub use snapshot::NEWEST_VERSION;
