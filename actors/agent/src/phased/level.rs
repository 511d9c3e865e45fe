//! What a level must be for its phases to run as actors: the pure structs behind it, by name.

use super::{LevelMessage, PartCell};
use crate::tree::{Link, Tree};
use rungs_mind::budget::Budget;
use rungs_mind::ladder::{Action, Ladder, Request};
use rungs_types::{Authority, CheckpointId, Epoch, Level};
use std::fmt::Debug;
use std::sync::Arc;

/// A level whose baton runs through phases. Its values are never made: it names types and what is done with them.
pub(crate) trait Phased: Sized + Send + Sync + 'static {
    /// Which level.
    const LEVEL: Level;
    /// The role of its supervisor in the agent's tree.
    const ROLE: &'static str;
    /// The roles of its phases, in the order of the baton.
    const PHASES: &'static [&'static str];

    /// What the level below hands up.
    type Input: Debug + Send + 'static;
    /// What runs through the phases.
    type Baton: Debug + Send + 'static;
    /// The states of all phases after a verified pass.
    type Bundle: Debug + Send + Sync + 'static;
    /// Where the level stands.
    type Orchestrator: Debug + Clone + Send + Sync + 'static;
    /// How the level does against what it must do.
    type Audit: Debug + Clone + Send + Sync + 'static;

    /// The last cycle that the input knows.
    fn cycle(input: &Self::Input) -> u64;
    /// Takes the input in.
    fn begin(orchestrator: &mut Self::Orchestrator, input: Self::Input) -> Begun<Self::Baton>;
    /// A baton is home, whatever it went through: into the audit, and to the orchestrator. Gives what is wanted of the
    /// ladder.
    fn end(part: &mut Part<Self>, baton: &Self::Baton, tree: &Arc<Tree>) -> Vec<Request>;
    /// What an action of the ladder means for the level, at this cycle.
    fn obey(orchestrator: &mut Self::Orchestrator, action: &Action, cycle: u64);
    /// Brings the level in line with the ladder after decisions were lost. Gives what is wanted of the ladder from then on.
    fn align(orchestrator: &mut Self::Orchestrator, ladder: &Ladder, cycle: u64) -> Vec<Request>;
    /// The authority that the level's own protocol has it at.
    fn authority(orchestrator: &Self::Orchestrator) -> Authority;
    /// Why the level is not at full authority; empty when it is.
    fn waiting_for(orchestrator: &Self::Orchestrator) -> String;
    /// The states that the level goes back to.
    fn verified(orchestrator: &Self::Orchestrator) -> Option<Arc<Self::Bundle>>;
    /// The last cycle that a bundle knows.
    fn bundle_cycle(bundle: &Self::Bundle) -> u64;
    /// Which pass a baton is of.
    fn pass(baton: &Self::Baton) -> PassId;
    /// The phase at this place of the line, with its state of a verified pass.
    fn phase(index: usize, bundle: &Self::Bundle) -> Box<dyn Carry<Self>>;
    /// Where the supervisor is reached.
    fn link(tree: &Tree) -> &Link<LevelMessage<Self>>;
    /// Tells people where the level stands.
    fn show(tree: &Tree, orchestrator: &Self::Orchestrator);
}

/// What comes of an input.
#[derive(Debug)]
pub(crate) struct Begun<B> {
    /// A pass begins with this baton.
    pub(crate) baton: Option<Box<B>>,
    /// What is wanted of the ladder; before the pass.
    pub(crate) requests: Vec<Request>,
    /// The input came during a pass, and was not kept.
    pub(crate) lost: bool,
}

/// Which pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PassId {
    /// Counts passes.
    pub(crate) number: u64,
    /// The level's epoch when it began.
    pub(crate) epoch: Epoch,
    /// The last cycle that it knows.
    pub(crate) cycle: u64,
    /// What its states are called if it comes home.
    pub(crate) checkpoint: CheckpointId,
}

/// One phase: it adds its leg to the baton. An error ends the phase, and the level freezes.
pub(crate) trait Carry<L: Phased>: Send + 'static {
    /// See [`Carry`].
    fn carry(&mut self, baton: &mut L::Baton, budget: &dyn Budget) -> Result<(), CarryError>;
}

/// Why a phase gave its baton back unfinished.
pub(crate) type CarryError = Box<dyn std::error::Error + Send + Sync>;

/// All that a level knows between two messages. Cheap to make: bundle and audit are shared.
#[derive(Debug)]
pub(crate) struct Part<L: Phased> {
    /// The last [`super::Obedience`] that is in it.
    pub(crate) obeyed: u64,
    /// The level's epoch.
    pub(crate) epoch: Epoch,
    /// Where the level stands, with the last verified bundle.
    pub(crate) orchestrator: L::Orchestrator,
    /// How it does.
    pub(crate) audit: Arc<L::Audit>,
}

impl<L: Phased> Clone for Part<L> {
    fn clone(&self) -> Self {
        Self {
            obeyed: self.obeyed,
            epoch: self.epoch,
            orchestrator: self.orchestrator.clone(),
            audit: Arc::clone(&self.audit),
        }
    }
}

impl<L: Phased> Part<L> {
    /// A level as it starts with its tree.
    pub(crate) fn new(epoch: Epoch, orchestrator: L::Orchestrator, audit: L::Audit) -> Arc<PartCell<L>> {
        let part = Self {
            obeyed: 0,
            epoch,
            orchestrator,
            audit: Arc::new(audit),
        };
        Arc::new(PartCell::new(Arc::new(part)))
    }
}
