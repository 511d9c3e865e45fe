//! One ballot: what was voted on, how each frame voted, and what follows.

use super::lens::Reading;
use super::{FRAMES, Frame};
use crate::report::DivergenceBand;
use serde::{Deserialize, Serialize};

/// Difference of scores at which a vote is as strong as it can be.
pub const FULL_MARGIN: f64 = 0.05;
/// Variance of the votes below which to proceed, to simulate more, and to deliberate longer; from the last on it is a
/// matter of purpose (L4.5).
pub const VARIANCE_BANDS: [f64; 3] = [0.1, 0.3, 0.5];
/// Frames that a structural decision needs, and a choice of strategy archetype (L4.5).
const NEEDED_STRUCTURAL: u32 = 4;
const NEEDED_ARCHETYPE: u32 = 3;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A change of the agent's structure.
    Structural,
    /// A change of strategy archetype.
    Archetype,
}

impl Decision {
    /// Frames that must be for it, of five.
    pub fn needed(self) -> u32 {
        match self {
            Decision::Structural => NEEDED_STRUCTURAL,
            Decision::Archetype => NEEDED_ARCHETYPE,
        }
    }
}

/// What the spread of the votes asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The vote counts.
    #[default]
    Proceed,
    /// More trajectories first.
    SimulateMore,
    /// Later, when more is known.
    Deliberate,
    /// The frames want different things: purpose is reflected on first.
    Escalate,
}

impl Resolution {
    /// What a variance asks for; one that is not a number asks for the most.
    pub fn of(variance: f64) -> Self {
        let [proceed, simulate, deliberate] = VARIANCE_BANDS;
        match variance {
            v if v < proceed => Resolution::Proceed,
            v if v < simulate => Resolution::SimulateMore,
            v if v < deliberate => Resolution::Deliberate,
            _ => Resolution::Escalate,
        }
    }
}

/// What came of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ballot {
    /// On what.
    pub on: Decision,
    /// How strongly each frame is for it, in [-1, 1], in the order of [`Frame::ALL`].
    pub votes: [f64; FRAMES],
    /// Frames for it.
    pub yes: u32,
    /// The ethical frame forbids it.
    pub vetoed: bool,
    /// Variance of the votes under the frames' weights, in [0, 1]. A vote is its strength, not its sign: of signs alone
    /// four to one would already be a variance of 0.64, and yet it is what a structural decision needs.
    pub variance: f64,
    /// What the variance asks for.
    pub resolution: Resolution,
    /// The proposal may be carried out now.
    pub passed: bool,
}

impl Ballot {
    /// Counts a vote on the readings of a proposal and of the status quo.
    pub(super) fn count(
        on: Decision,
        [proposal, status_quo]: &[Reading; 2],
        weights: &[f64; FRAMES],
        divergence: DivergenceBand,
    ) -> Self {
        let votes = Frame::ALL.map(|frame| vote(frame, proposal, status_quo));
        let vetoed = proposal.breaks(Frame::Ethical, status_quo);
        let yes = votes.iter().filter(|vote| **vote > 0.0).count() as u32;
        let variance = variance(&votes, weights);
        let frozen = divergence == DivergenceBand::Frozen;
        let resolution = if frozen {
            Resolution::Proceed
        } else {
            Resolution::of(variance)
        };
        let agreed = if frozen {
            votes[Frame::Conservative.index()] > 0.0
        } else {
            yes >= on.needed() && resolution == Resolution::Proceed
        };
        Self {
            on,
            votes,
            yes,
            vetoed,
            variance,
            resolution,
            passed: agreed && !vetoed,
        }
    }

    /// How strongly the frames are for it altogether, in [-1, 1].
    pub fn support(&self, weights: &[f64; FRAMES]) -> f64 {
        self.votes.iter().zip(weights).map(|(vote, w)| vote * w).sum()
    }
}

fn vote(frame: Frame, proposal: &Reading, status_quo: &Reading) -> f64 {
    if proposal.breaks(frame, status_quo) {
        return -1.0;
    }
    let margin = (proposal.score(frame) - status_quo.score(frame)) / FULL_MARGIN;
    if margin.is_nan() { -1.0 } else { margin.clamp(-1.0, 1.0) }
}

fn variance(votes: &[f64; FRAMES], weights: &[f64; FRAMES]) -> f64 {
    let mean: f64 = votes.iter().zip(weights).map(|(vote, w)| vote * w).sum();
    let each = votes.iter().zip(weights);
    each.map(|(vote, w)| w * (vote - mean) * (vote - mean)).sum()
}
