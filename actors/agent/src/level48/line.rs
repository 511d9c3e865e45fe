//! The line that a baton runs along: observe → verify → emit → home. It is carried beside the baton, so that a phase
//! knows nothing but the next one, and it records where the baton is, so that a phase which does not move is found
//! whether it computes, waits or spins.

use super::Level48Message;
use super::phase::PhaseMessage;
use crate::track::Track;
use rungs_host::Handle;
use rungs_mind::l48::Baton;
use std::sync::Arc;

/// The phases in the order of the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// Phase 1.
    Observe,
    /// Phase 4.
    Verify,
    /// Phase 5.
    Emit,
}

impl Leg {
    /// In the order of the baton.
    pub(super) const ALL: [Leg; 3] = [Leg::Observe, Leg::Verify, Leg::Emit];

    /// Its place in [`Leg::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The role of the phase's actor in the agent's tree.
    pub(super) fn role(self) -> &'static str {
        match self {
            Leg::Observe => "l48/observe",
            Leg::Verify => "l48/verify",
            Leg::Emit => "l48/emit",
        }
    }
}

/// The phases of one generation.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) observe: Handle<PhaseMessage>,
    pub(super) verify: Handle<PhaseMessage>,
    pub(super) emit: Handle<PhaseMessage>,
    pub(super) home: Handle<Level48Message>,
}

/// A baton with the line it runs along.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) baton: Box<Baton>,
    pub(super) line: Arc<Line>,
    pub(super) track: Arc<Track>,
}

impl Errand {
    /// An errand at the start of the line.
    pub(super) fn new(baton: Box<Baton>, line: Arc<Line>) -> Self {
        let track = Arc::new(Track::default());
        track.with(Leg::Observe.index());
        Self { baton, line, track }
    }

    /// Hands it to the phase after `leg`, or home. A receiver that has ended is noticed by its supervisor, not here.
    pub(super) fn pass_on(self, leg: Leg) {
        let next = match leg {
            Leg::Observe => Some((Leg::Verify, self.line.verify.clone())),
            Leg::Verify => Some((Leg::Emit, self.line.emit.clone())),
            Leg::Emit => None,
        };
        match next {
            Some((next, phase)) => {
                self.track.with(next.index());
                phase.signal(PhaseMessage::Carry(self));
            }
            None => {
                self.track.done();
                self.line.home.signal(Level48Message::Returned(self.baton));
            }
        }
    }
}
