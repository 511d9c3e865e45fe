//! How a goal can be ill, and what helps.

use super::aim::Aim;
use crate::numeric::history::History;
use serde::{Deserialize, Serialize};

/// Jaccard index of what two goals do above which they are one (L4.5).
pub const MERGE_ABOVE: f64 = 0.7;
/// Self-reinforcement above which a goal is constrained (L4.5).
pub const CONSTRAIN_ABOVE: f64 = 0.6;
/// Correlation of a goal's progress with dC_L4 above which it is paused (L4.5).
pub const PAUSE_ABOVE: f64 = 0.5;
/// Checks over which the correlation is taken, and before which it says nothing.
pub const CORRELATION_CHECKS: usize = 32;
/// See [`CORRELATION_CHECKS`]: of so few, chance alone correlates by 0.5 once in 16 goals, and half that with 20.
pub const MIN_CORRELATION_CHECKS: usize = 20;
/// Pathologies that there are.
const KINDS: usize = 3;

/// How a goal is ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pathology {
    /// It does what another goal does already.
    Redundant {
        /// The number of the other.
        with: u64,
    },
    /// It acts on the agent and is judged by the agent.
    SelfReinforcing,
    /// The agent becomes more complex whenever it gets on.
    Destabilising,
}

impl Pathology {
    /// It is ill in the same way, whichever other goal that is about.
    pub(super) fn is_like(self, other: Pathology) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// It goes on as part of the other goal.
    Merge,
    /// It goes on with less.
    Constrain,
    /// It rests.
    Pause,
}

/// One goal at fault.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The goal's number.
    pub goal: u64,
    /// How it is ill.
    pub pathology: Pathology,
    /// How much: overlap, self-reinforcement or correlation.
    pub measure: f64,
    /// What helps.
    pub remedy: Remedy,
}

impl Finding {
    /// How far the measure is above its limit, as a share of what is left above it.
    pub(super) fn excess(&self) -> f64 {
        let limit = match self.pathology {
            Pathology::Redundant { .. } => MERGE_ABOVE,
            Pathology::SelfReinforcing => CONSTRAIN_ABOVE,
            Pathology::Destabilising => PAUSE_ABOVE,
        };
        (self.measure - limit) / (1.0 - limit)
    }
}

/// A goal and how it got on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) aim: Aim,
    /// Progress at the last check.
    before: f64,
    /// Progress and dC_L4 of each check.
    moves: History<[f64; 2]>,
}

impl Track {
    pub(super) fn new(aim: Aim) -> Self {
        Self {
            before: aim.progress,
            aim,
            moves: History::new(CORRELATION_CHECKS),
        }
    }

    /// Takes in a check; `change` is that of C_L4 since the one before.
    pub(super) fn check(&mut self, change: Option<f64>) {
        if let Some(change) = change.filter(|change| change.is_finite()) {
            self.moves.push([self.aim.progress - self.before, change]);
        }
        self.before = self.aim.progress;
    }

    /// Pearson's correlation of progress with dC_L4; 0 with too few checks, or where one of the two does not move.
    fn correlation(&self) -> f64 {
        let count = self.moves.len() as f64;
        if self.moves.len() < MIN_CORRELATION_CHECKS {
            return 0.0;
        }
        let means: [f64; 2] = std::array::from_fn(|i| self.moves.iter().map(|m| m[i]).sum::<f64>() / count);
        let mut sums = [0.0; 3];
        for [progress, change] in self.moves.iter() {
            let [p, c] = [progress - means[0], change - means[1]];
            for (sum, product) in sums.iter_mut().zip([p * p, c * c, p * c]) {
                *sum += product;
            }
        }
        let [own, other, both] = sums;
        let correlation = both / (own * other).sqrt();
        if correlation.is_finite() {
            correlation.clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.aim.is_valid()
            && (0.0..=1.0).contains(&self.before)
            && self.moves.capacity() == CORRELATION_CHECKS
            && self.moves.iter().all(|m| m.iter().all(|v| v.is_finite()))
    }
}

/// Share of the three pathologies that a goal has, in [0, 1].
pub(super) fn share(track: &Track, all: &[Track]) -> f64 {
    let index = all.iter().position(|other| other.aim.number == track.aim.number);
    let found = index.map_or(0, |index| find(index, all).iter().flatten().count());
    found as f64 / KINDS as f64
}

/// What is wrong with a goal. Of two that do the same, it is the one that gives way: the agent's own before a user's, the
/// later before the earlier.
pub(super) fn find(index: usize, all: &[Track]) -> [Option<Finding>; KINDS] {
    let track = &all[index];
    let aim = &track.aim;
    let finding = |pathology, measure, remedy| Finding {
        goal: aim.number,
        pathology,
        measure,
        // What a user asked for is never taken away.
        remedy: if aim.assigned { Remedy::Constrain } else { remedy },
    };
    let rank = |aim: &Aim| (!aim.assigned, aim.number);
    let twin = all
        .iter()
        .map(|other| (&other.aim, aim.overlap(&other.aim)))
        .filter(|(other, overlap)| *overlap > MERGE_ABOVE && rank(aim) > rank(other))
        .reduce(|most, next| if next.1 > most.1 { next } else { most });
    let correlation = track.correlation();
    [
        twin.map(|(other, overlap)| finding(Pathology::Redundant { with: other.number }, overlap, Remedy::Merge)),
        (aim.self_reinforcement > CONSTRAIN_ABOVE)
            .then(|| finding(Pathology::SelfReinforcing, aim.self_reinforcement, Remedy::Constrain)),
        (correlation > PAUSE_ABOVE).then(|| finding(Pathology::Destabilising, correlation, Remedy::Pause)),
    ]
}
