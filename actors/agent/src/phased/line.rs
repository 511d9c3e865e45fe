//! The line that a baton runs along, from phase to phase and home. It is carried beside the baton, so that a phase knows
//! nothing but the next one, and it records where the baton is, so that a phase which does not move is found whether it
//! computes, waits or spins.

use super::LevelMessage;
use super::level::Phased;
use super::phase::PhaseMessage;
use crate::track::Track;
use rungs_host::Handle;
use std::sync::Arc;

/// The phases of one generation, in the order of the baton.
#[derive(Debug)]
pub(super) struct Line<L: Phased> {
    pub(super) phases: Vec<Handle<PhaseMessage<L>>>,
    pub(super) home: Handle<LevelMessage<L>>,
}

/// A baton with the line it runs along.
#[derive(Debug)]
pub(super) struct Errand<L: Phased> {
    pub(super) baton: Box<L::Baton>,
    pub(super) line: Arc<Line<L>>,
    pub(super) track: Arc<Track>,
}

impl<L: Phased> Errand<L> {
    /// An errand at the start of the line.
    pub(super) fn new(baton: Box<L::Baton>, line: Arc<Line<L>>) -> Self {
        let track = Arc::new(Track::default());
        Self { baton, line, track }
    }

    /// Hands it to the phase at this place, or home after the last. A receiver that has ended is noticed by its supervisor,
    /// not here.
    pub(super) fn hand_to(self, place: usize) {
        match self.line.phases.get(place).cloned() {
            Some(phase) => {
                self.track.with(place);
                phase.signal(PhaseMessage::Carry(self));
            }
            None => {
                self.track.done();
                self.line.home.signal(LevelMessage::Returned(self.baton));
            }
        }
    }
}
