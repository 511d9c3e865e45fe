//! The line that a baton runs along: observe → introspect → plan → verify → emit → home. It is carried beside the baton, so that a
//! phase knows nothing but the next one, and it records where the baton is, so that a phase which does not move is found
//! whether it computes, waits or spins.

use super::Level48Message;
use super::phase::PhaseMessage;
use crate::track::Track;
use rungs_host::Handle;
use rungs_mind::l48::Baton;
pub(super) use rungs_mind::l48::PhaseName as Leg;
use std::sync::Arc;

/// The phases of one generation.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) observe: Handle<PhaseMessage>,
    pub(super) introspect: Handle<PhaseMessage>,
    pub(super) plan: Handle<PhaseMessage>,
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
            Leg::Observe => Some((Leg::Introspect, self.line.introspect.clone())),
            Leg::Introspect => Some((Leg::Plan, self.line.plan.clone())),
            Leg::Plan => Some((Leg::Verify, self.line.verify.clone())),
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
