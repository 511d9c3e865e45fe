//! The interaction with one agent as a matrix: each of the two shares what it has, keeps to itself, or takes (the other)
//! or guards its own (the agent). What that is worth follows from how scarce resources are and how likely the two want
//! the same (MSCP Level 4.9, section 6.3: "shared or competing resources").

use super::interaction::{Matrix, Outcome};
use super::peer::Peer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the agent can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerAction {
    /// Shares what it knows and has.
    Share,
    /// Keeps to itself.
    Hold,
    /// Guards its own.
    Guard,
}

impl PeerAction {
    /// In the order of the matrix's rows.
    pub const ALL: [PeerAction; 3] = [PeerAction::Share, PeerAction::Hold, PeerAction::Guard];
}

impl fmt::Display for PeerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PeerAction::Share => "share",
            PeerAction::Hold => "hold",
            PeerAction::Guard => "guard",
        })
    }
}

/// Actions of the other: it shares, holds or takes.
const OTHER_ACTIONS: usize = 3;

/// The matrix at this scarcity and conflict, each in [0, 1].
pub(super) fn matrix(scarcity: f64, conflict: f64) -> Matrix {
    let (scarcity, conflict) = (unit(scarcity), unit(conflict));
    let together = 0.6 * (1.0 - conflict) - 0.2 * scarcity;
    let cost = 0.1 + 0.3 * scarcity;
    let loss = 0.2 + 0.5 * conflict;
    let rows = [
        [(together, together), (-cost, 0.4), (-cost - 0.5 * loss, 0.5)],
        [(0.4, -0.1), (0.0, 0.0), (-0.5 * loss, 0.3)],
        [(0.0, -0.3), (-0.05, -0.1), (-0.1, 0.0)],
    ];
    let outcomes = rows.iter().flatten().map(|(own, other)| Outcome {
        own: *own,
        other: *other,
    });
    Matrix::new(PeerAction::ALL.len(), OTHER_ACTIONS, outcomes.collect())
        .expect("invariant: three by three, within -1 to 1")
}

/// What the other is expected to do: it shares as far as it is trusted; of the rest it takes as often as interactions
/// with it were no good.
pub(super) fn expected(peer: &Peer) -> [f64; OTHER_ACTIONS] {
    let trust = peer.trust().get();
    let bad = 1.0 - peer.positive_rate().unwrap_or(0.5);
    let take = (1.0 - trust) * bad;
    [trust, 1.0 - trust - take, take]
}

fn unit(value: f64) -> f64 {
    if value.is_nan() { 1.0 } else { value.clamp(0.0, 1.0) }
}
