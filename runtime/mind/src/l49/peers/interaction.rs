//! What to do with another agent: the interaction matrix and the rule of each strategy class (MSCP Level 4.9, section
//! 6.3).

use super::class::StrategyClass;
use super::peer::Peer;
use serde::{Deserialize, Serialize};

/// Most actions of each of the two.
pub const MAX_ACTIONS: usize = 8;

/// What the two have of a pair of actions, each in [-1, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The agent's own outcome.
    pub own: f64,
    /// The other's.
    pub other: f64,
}

impl Outcome {
    /// The joint value.
    pub fn joint(&self) -> f64 {
        self.own + self.other
    }
}

/// Why there is no matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// Too few or too many actions.
    #[error("{own} own and {other} other actions; expected 1 to {MAX_ACTIONS} each")]
    Actions {
        /// The agent's own.
        own: usize,
        /// The other's.
        other: usize,
    },
    /// Not one outcome for each pair.
    #[error("found {found} outcomes, expected {expected}")]
    Outcomes {
        /// How many.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// An outcome is not in [-1, 1].
    #[error("outcome {at} is not in -1 to 1")]
    Range {
        /// Which.
        at: usize,
    },
}

/// An outcome for each pair of an own action and one of the other's.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    other_actions: usize,
    /// Row-major, a row for each own action.
    outcomes: Vec<Outcome>,
}

/// What the agent should do, and what it may expect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The own action, by its row.
    pub action: usize,
    /// The class that the other is treated as.
    pub class: StrategyClass,
    /// The expected own outcome.
    pub own: f64,
    /// The expected outcome of the other.
    pub other: f64,
    /// The own outcome if the other does its worst.
    pub worst: f64,
    /// How sure the agent is of what the other will do, in [0, 1].
    pub confidence: f64,
    /// Probability that the own outcome is a loss, in [0, 1].
    pub risk: f64,
}

/// What is computed of a row.
#[derive(Debug, Clone, Copy)]
struct Row {
    action: usize,
    own: f64,
    other: f64,
    worst: f64,
    worst_other: f64,
    risk: f64,
}

impl Matrix {
    /// `outcomes` has a row for each of the `own` actions, and in it an outcome for each of the `other` ones.
    pub fn new(own: usize, other: usize, outcomes: Vec<Outcome>) -> Result<Self, MatrixError> {
        let counts = 1..=MAX_ACTIONS;
        if !counts.contains(&own) || !counts.contains(&other) {
            return Err(MatrixError::Actions { own, other });
        }
        let (found, expected) = (outcomes.len(), own * other);
        if found != expected {
            return Err(MatrixError::Outcomes { found, expected });
        }
        let sane = |outcome: &Outcome| (-1.0..=1.0).contains(&outcome.own) && (-1.0..=1.0).contains(&outcome.other);
        match outcomes.iter().position(|outcome| !sane(outcome)) {
            Some(at) => Err(MatrixError::Range { at }),
            None => Ok(Self {
                other_actions: other,
                outcomes,
            }),
        }
    }

    /// The outcome of a pair of actions.
    pub fn outcome(&self, own: usize, other: usize) -> Option<Outcome> {
        let row = self.outcomes.chunks_exact(self.other_actions).nth(own)?;
        row.get(other).copied()
    }

    /// What to do with `peer`, whose actions are expected with the probabilities `expected`: see
    /// [`Matrix::recommend`].
    pub fn recommend_for(&self, peer: &Peer, expected: &[f64]) -> Option<Recommendation> {
        let class = peer.class().as_trusted(peer.trust().level());
        self.recommend(class, expected, peer.confidence())
    }

    /// What to do with an agent of this class; `None` if every action is ruled out: then nothing is done.
    ///
    /// - Cooperative: the largest expected joint value.
    /// - Neutral: the largest expected own outcome of those from which the other is not expected to lose.
    /// - Competitive: the best worst case, never by an action whose only gain is the other's loss.
    /// - Unknown: the best worst case of the actions by which the other cannot lose, whatever it does.
    ///
    /// Of equals the one with the larger expected joint value, then the first. Probabilities that are not as many as the
    /// other's actions, or not a distribution, are taken as equal.
    pub fn recommend(&self, class: StrategyClass, expected: &[f64], confidence: f64) -> Option<Recommendation> {
        let probabilities = self.distribution(expected);
        let rows: Vec<Row> = self.rows(&probabilities);
        let allowed = |row: &&Row| match class {
            StrategyClass::Cooperative => true,
            StrategyClass::Neutral => row.other >= 0.0,
            StrategyClass::Competitive => !self.harms_for_gain(row.action),
            StrategyClass::Unknown => row.worst_other >= 0.0,
        };
        let aim = |row: &Row| match class {
            StrategyClass::Cooperative => row.own + row.other,
            StrategyClass::Neutral => row.own,
            StrategyClass::Competitive | StrategyClass::Unknown => row.worst,
        };
        let better = |a: &Row, b: &Row| {
            let joint = |row: &Row| row.own + row.other;
            aim(a).total_cmp(&aim(b)).then(joint(a).total_cmp(&joint(b))).is_gt()
        };
        let best = rows
            .iter()
            .filter(allowed)
            .fold(None, |best: Option<&Row>, row| match best {
                Some(best) if !better(row, best) => Some(best),
                _ => Some(row),
            })?;
        Some(Recommendation {
            action: best.action,
            class,
            own: best.own,
            other: best.other,
            worst: best.worst,
            confidence: if confidence.is_finite() {
                confidence.clamp(0.0, 1.0)
            } else {
                0.0
            },
            risk: best.risk,
        })
    }

    fn distribution(&self, expected: &[f64]) -> Vec<f64> {
        let count = self.other_actions;
        let sum: f64 = expected.iter().sum();
        let sane = expected.iter().all(|p| (0.0..=1.0).contains(p)) && (sum - 1.0).abs() <= 1e-6;
        if expected.len() == count && sane {
            expected.iter().map(|p| p / sum).collect()
        } else {
            vec![1.0 / count as f64; count]
        }
    }

    fn rows(&self, probabilities: &[f64]) -> Vec<Row> {
        let row = |(action, outcomes): (usize, &[Outcome])| {
            let mean =
                |of: fn(&Outcome) -> f64| outcomes.iter().zip(probabilities).map(|(o, p)| p * of(o)).sum::<f64>();
            let least = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).fold(f64::INFINITY, f64::min);
            Row {
                action,
                own: mean(|outcome| outcome.own),
                other: mean(|outcome| outcome.other),
                worst: least(|outcome| outcome.own),
                worst_other: least(|outcome| outcome.other),
                risk: mean(|outcome| f64::from(u8::from(outcome.own < 0.0))).clamp(0.0, 1.0),
            }
        };
        self.outcomes
            .chunks_exact(self.other_actions)
            .enumerate()
            .map(row)
            .collect()
    }

    /// The action's only gain is the other's loss. Either whatever it gains, the other loses at least as much; or another
    /// action is as good for the agent, whatever the other does, and better for the other.
    fn harms_for_gain(&self, action: usize) -> bool {
        let row = |action: usize| self.outcomes.chunks_exact(self.other_actions).nth(action);
        let Some(outcomes) = row(action) else { return true };
        let mut gains = outcomes.iter().filter(|outcome| outcome.own > 0.0).peekable();
        if gains.peek().is_some() && gains.all(|outcome| outcome.other < 0.0 && outcome.joint() <= 0.0) {
            return true;
        }
        let kinder = |instead: &[Outcome]| {
            let pairs = || instead.iter().zip(outcomes);
            let as_good = pairs().all(|(instead, this)| instead.own >= this.own && instead.other >= this.other);
            as_good && pairs().any(|(instead, this)| instead.other > this.other)
        };
        self.outcomes.chunks_exact(self.other_actions).any(kinder)
    }
}
