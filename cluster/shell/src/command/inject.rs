//! `inject`: faults on purpose, one subcommand each, so that each has only the arguments it knows.

use crate::protocol::FaultSpec;
use clap::Subcommand;
use rungs_types::{Address, NodeName};

/// What `inject` does.
#[derive(Debug, Subcommand)]
pub enum Inject {
    /// The actor panics at its next message.
    Panic {
        /// The actor.
        target: Address,
    },
    /// The actor waits for ever at its next message, without using the processor.
    StallAwait {
        /// The actor.
        target: Address,
    },
    /// The actor computes for ever at its next computation; only phases of levels compute.
    StallSpin {
        /// The actor.
        target: Address,
    },
    /// The actor waits before each message, until `inject clear`.
    Delay {
        /// The actor.
        target: Address,
        /// How long, in milliseconds, 1 to 60000.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        ms: u64,
    },
    /// The actor's next messages are lost.
    Drop {
        /// The actor.
        target: Address,
        /// How many messages, 1 to 10000.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
    /// Take the fault of an actor away; whoever is stalled in it goes on.
    Clear {
        /// The actor.
        target: Address,
    },
    /// List the faults that are armed or being stalled in.
    List {
        /// Only those of this node.
        node: Option<NodeName>,
    },
}

impl Inject {
    /// The fault and where it goes, if one is to be injected.
    pub fn fault(&self) -> Option<(&Address, FaultSpec)> {
        Some(match self {
            Self::Panic { target } => (target, FaultSpec::Panic),
            Self::StallAwait { target } => (target, FaultSpec::StallAwait),
            Self::StallSpin { target } => (target, FaultSpec::StallSpin),
            Self::Delay { target, ms } => (target, FaultSpec::Delay { ms: *ms }),
            Self::Drop { target, count } => (target, FaultSpec::Drop { count: *count }),
            Self::Clear { .. } | Self::List { .. } => return None,
        })
    }
}

impl FaultSpec {
    /// What it does, for people.
    pub fn words(self) -> String {
        match self {
            Self::Panic => "panics at its next message".to_owned(),
            Self::StallAwait => "waits for ever at its next message".to_owned(),
            Self::StallSpin => "computes for ever at its next computation".to_owned(),
            Self::Delay { ms } => format!("waits {ms} ms before each message, until `inject clear`"),
            Self::Drop { count: 1 } => "loses its next message".to_owned(),
            Self::Drop { count } => format!("loses its next {count} messages"),
        }
    }
}
