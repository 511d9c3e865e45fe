//! What a run is like, beyond its seed.

/// How well the nodes' clocks keep time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Two of them drift apart by at most the bound within a lease.
    Within,
    /// Far beyond it: some run a third too slow or too fast, and all stand still while their process does.
    Beyond,
}

/// What is broken on purpose, to see that the witness notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Nodes go on when they should stop because their lease ends.
    NoFencing,
    /// The store takes effects at any epoch.
    NoEpochCheck,
    /// The store takes a map without comparing the version it was made from.
    NoMapCompare,
    /// Agents go on while their shard is handed over.
    RunWhileReleasing,
    /// Packets that arrive twice are taken twice.
    TakeTwice,
    /// Messages are acknowledged before their effect is durable.
    AckBeforeCommit,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NoFencing,
        Self::NoEpochCheck,
        Self::NoMapCompare,
        Self::RunWhileReleasing,
        Self::TakeTwice,
        Self::AckBeforeCommit,
    ];
}

/// Most nodes of a run.
pub const MAX_NODES: usize = 128;

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many nodes; three to five, by the seed, if nothing is said.
    pub nodes: Option<usize>,
    /// How well clocks run.
    pub clocks: Clocks,
    /// Whether there are faults; without, only nodes that join, drain and leave.
    pub has_faults: bool,
    /// What is broken on purpose.
    pub sabotage: Option<Sabotage>,
    /// Whether the lines of the log are kept.
    pub keeps_log: bool,
}

impl Options {
    /// A run with faults and clocks within the bound.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            nodes: None,
            clocks: Clocks::Within,
            has_faults: true,
            sabotage: None,
            keeps_log: false,
        }
    }
}
