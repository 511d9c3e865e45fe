//! What another agent wants: a distribution over the goal kinds that were seen of it, by Bayes (MSCP Level 4.9, section
//! 6.1).

use crate::numeric::bits::BitWindow;
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};

/// Most goal kinds told apart in one agent: the least likely makes room.
pub const MAX_GOAL_KINDS: usize = 8;
/// How likely an agent is to show another kind than the one it pursues.
const SLIP: f64 = 0.2;
/// How likely it is to have changed its goal since the last observation.
const CHANGE: f64 = 0.05;
/// Predictions over which accuracy is taken.
const PREDICTIONS: u16 = 20;
/// How far from 1 the sum of stored probabilities may be: rounding only.
const SUM_TOLERANCE: f64 = 1e-9;

/// A kind of goal, by the number that whoever receives the messages gives its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoalKind(pub u32);

/// The distribution, and how well it predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBelief")]
pub struct GoalBelief {
    /// Kinds in their order, with probabilities that sum to 1; empty before the first observation.
    kinds: Vec<(GoalKind, f64)>,
    /// Whether each observation was of the kind that was most likely before it.
    predicted: BitWindow,
}

/// What [`GoalBelief`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawBelief {
    kinds: Vec<(GoalKind, f64)>,
    predicted: BitWindow,
}

impl TryFrom<RawBelief> for GoalBelief {
    type Error = Refused;

    fn try_from(RawBelief { kinds, predicted }: RawBelief) -> Result<Self, Refused> {
        let ordered = kinds.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let each = kinds.iter().all(|(_, p)| (0.0..=1.0).contains(p));
        let sum: f64 = kinds.iter().map(|(_, p)| p).sum();
        let whole = kinds.is_empty() || (sum - 1.0).abs() <= SUM_TOLERANCE;
        if ordered && each && whole && kinds.len() <= MAX_GOAL_KINDS && predicted.capacity() == PREDICTIONS {
            Ok(Self { kinds, predicted })
        } else {
            Err(Refused("a belief over goal kinds"))
        }
    }
}

impl Default for GoalBelief {
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            predicted: BitWindow::new(PREDICTIONS),
        }
    }
}

impl GoalBelief {
    /// The kinds and their probabilities, in the order of the kinds.
    pub fn kinds(&self) -> &[(GoalKind, f64)] {
        &self.kinds
    }

    /// The probability of a kind; 0 of one that was never seen.
    pub fn probability(&self, kind: GoalKind) -> f64 {
        let found = self.kinds.iter().find(|(other, _)| *other == kind);
        found.map_or(0.0, |(_, p)| *p)
    }

    /// The most likely kind, of equals the least; `None` before the first observation.
    pub fn most_likely(&self) -> Option<GoalKind> {
        let first = self.kinds.first()?;
        let best = self
            .kinds
            .iter()
            .fold(first, |best, one| if one.1 > best.1 { one } else { best });
        Some(best.0)
    }

    /// Share of the last 20 observations that were predicted (criterion MA-1: at least 0.60); `None` of none.
    pub fn accuracy(&self) -> Option<f64> {
        self.predicted.share()
    }

    /// Predictions that the accuracy is taken over.
    pub fn predictions(&self) -> u16 {
        self.predicted.len()
    }

    /// The agent was seen to pursue `kind`. Its goal may have changed since the last observation; then Bayes with P(seen
    /// = true) = 0.8 and the rest spread over the other kinds.
    pub fn observe(&mut self, kind: GoalKind) {
        if let Some(expected) = self.most_likely() {
            self.predicted.push(expected == kind);
        }
        self.make_room_for(kind);
        let count = self.kinds.len() as f64;
        let slip = if count > 1.0 { SLIP / (count - 1.0) } else { SLIP };
        for (one, p) in &mut self.kinds {
            let prior = (1.0 - CHANGE) * *p + CHANGE / count;
            *p = prior * if *one == kind { 1.0 - SLIP } else { slip };
        }
        // At least 0.05 / 8 times 0.2 / 7 of a kind is left, so the sum is never 0.
        let sum: f64 = self.kinds.iter().map(|(_, p)| p).sum();
        self.kinds.iter_mut().for_each(|(_, p)| *p /= sum);
    }

    /// A kind that was not seen before has, at first, the share of one among all.
    fn make_room_for(&mut self, kind: GoalKind) {
        let Err(at) = self.kinds.binary_search_by_key(&kind, |(other, _)| *other) else {
            return;
        };
        self.kinds.insert(at, (kind, 0.0));
        if self.kinds.len() > MAX_GOAL_KINDS {
            let others = self.kinds.iter().enumerate().filter(|(_, (other, _))| *other != kind);
            let least = others
                .min_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b))
                .map(|(at, _)| at);
            if let Some(at) = least {
                self.kinds.remove(at);
            }
        }
        let share = 1.0 / self.kinds.len() as f64;
        let sum: f64 = self.kinds.iter().map(|(_, p)| p).sum();
        for (one, p) in &mut self.kinds {
            *p = match *one == kind {
                true if sum > 0.0 => share,
                true => 1.0,
                false => *p / sum * (1.0 - share),
            };
        }
    }
}
