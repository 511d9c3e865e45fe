//! The causal graph of the world model: what brings about what, after how many cycles, and how strongly (MSCP Level 4.8,
//! section 3.4).
//!
//! A node is one of the four of the seed's diagram or a group of sensors; its value is how far it is from normal, in
//! [0, 1]. The diagram's edges are declared; others are learnt ([`regression`]) and stand beside them. From both follow
//! the effects of what is active now, the root causes of what is not normal, and a stress that weighs the scenarios.
//!
//! Invariants:
//! 1. At most [`MAX_NODES`] nodes and [`MAX_LEARNT`] learnt edges; further groups are left out.
//! 2. Strengths are in [-1, 1] and finite; a cause comes before its effect by at least one cycle.
//! 3. Searches visit a node once: circles end.

pub mod regression;
mod search;
mod summary;

pub use summary::{CausalSummary, MAX_KEPT};

use crate::l48::observe::Score;
use crate::report::{CycleFacts, CycleReport};
use regression::Regression;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most nodes: four declared and twelve groups.
pub const MAX_NODES: usize = DECLARED_NODES + 12;
/// Most learnt edges; the weakest are left out.
pub const MAX_LEARNT: usize = 32;
/// Nodes of the diagram.
const DECLARED_NODES: usize = 4;
/// Value above which a node is active: a utilisation above 0.8, or forecasts that are wrong by 2 standard deviations.
pub const ACTIVE: f64 = 1.0 / 3.0;
/// Error, in standard deviations, at which a group is wholly out of the normal.
const FULL_ERROR_SD: f64 = 6.0;
/// Utilisation from which a resource counts as being depleted, as for exposure.
const EXPOSED_FROM: f64 = 0.7;
/// Half width of a central 90 % interval, in standard deviations.
const HALF_WIDTH_SD: f64 = 1.645;
/// Reports of which the activity is kept: no lag is longer.
const ACTIVITY_REPORTS: usize = 3;

/// What causes and is caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A resource is used up.
    ResourceDepletion,
    /// Forecasts are wrong.
    PerformanceDegradation,
    /// Changes of strategy are taken back.
    StrategyFailure,
    /// Goals are abandoned or mutated.
    GoalAbandonment,
    /// A group of sensors does not show what was forecast.
    Group(u16),
}

/// Where an edge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The seed's diagram.
    Declared,
    /// Lagged regression.
    Learnt,
}

/// `cause` brings about `effect`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// What comes first.
    pub cause: Node,
    /// What follows.
    pub effect: Node,
    /// After how many cycles, at least 1.
    pub lag: u16,
    /// How much of the cause arrives, in [-1, 1].
    pub strength: f64,
    /// Where it comes from.
    pub origin: Origin,
}

/// What follows from, or precedes, something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// Which node.
    pub node: Node,
    /// Expected departure from normal, or how much of the anomaly it accounts for.
    pub strength: f64,
    /// Cycles between the two.
    pub lag: u32,
}

/// What the graph says of a report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Causes {
    /// Nodes that are out of the normal, with how far, in [0, 1].
    pub active: Vec<(Node, f64)>,
    /// Root causes of what is active, the strongest first.
    pub roots: Vec<Influence>,
    /// What it may bring about, the strongest first.
    pub effects: Vec<Influence>,
    /// The learnt edges, the strongest first.
    pub learnt: Vec<Edge>,
    /// The strongest effect, in [0, 1]: weighs the scenarios.
    pub stress: f64,
}

/// The edges of section 3.4.
pub const DECLARED: [Edge; 4] = [
    declared(Node::ResourceDepletion, Node::PerformanceDegradation, 5, 0.8),
    declared(Node::PerformanceDegradation, Node::StrategyFailure, 10, 0.6),
    declared(Node::StrategyFailure, Node::GoalAbandonment, 20, 0.4),
    declared(Node::ResourceDepletion, Node::GoalAbandonment, 15, 0.3),
];

const fn declared(cause: Node, effect: Node, lag: u16, strength: f64) -> Edge {
    Edge {
        cause,
        effect,
        lag,
        strength,
        origin: Origin::Declared,
    }
}

/// The graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CausalGraph {
    groups: u16,
    learnt: Vec<Edge>,
    /// Mean value of each node in the last reports, newest last.
    activity: Vec<Vec<f64>>,
    regression: Regression,
}

impl CausalGraph {
    /// A graph of an environment with this many groups, in which nothing is learnt.
    pub fn new(groups: usize) -> Self {
        let groups = groups.min(MAX_NODES - DECLARED_NODES) as u16;
        Self {
            groups,
            learnt: Vec::new(),
            activity: Vec::new(),
            regression: Regression::new(DECLARED_NODES + usize::from(groups)),
        }
    }

    /// The graph of an environment whose dimensions are in these groups.
    pub fn of_groups(groups: &Arc<[u16]>) -> Self {
        Self::new(groups.iter().map(|group| usize::from(*group) + 1).max().unwrap_or(0))
    }

    /// All edges: the declared, then the learnt, the strongest first.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        DECLARED.iter().chain(&self.learnt)
    }

    /// The learnt edges, the strongest first.
    pub fn learnt(&self) -> &[Edge] {
        &self.learnt
    }

    fn len(&self) -> usize {
        DECLARED_NODES + usize::from(self.groups)
    }

    /// Learns from a report and what was forecast of its values.
    pub fn step(&mut self, report: &CycleReport, scores: &[Score]) {
        let mut sums = vec![(0.0, 0.0); self.len()];
        for facts in &report.facts {
            let row = self.row(facts, report, scores);
            self.regression.push(&row);
            for ((sum, count), value) in sums.iter_mut().zip(&row).filter(|(_, value)| !value.is_nan()) {
                *sum += value;
                *count += 1.0;
            }
        }
        let mean = |(sum, count): (f64, f64)| if count > 0.0 { sum / count } else { 0.0 };
        self.activity.push(sums.into_iter().map(mean).collect());
        if self.activity.len() > ACTIVITY_REPORTS {
            self.activity.remove(0);
        }
        if let Some(found) = self.regression.edges() {
            let edges = found.into_iter().map(|edge| Edge {
                cause: node(edge.cause),
                effect: node(edge.effect),
                lag: edge.lag,
                strength: edge.strength,
                origin: Origin::Learnt,
            });
            self.learnt = edges.take(MAX_LEARNT).collect();
        }
    }

    /// How far each node is from normal in one cycle; NaN where nothing is known.
    fn row(&self, facts: &CycleFacts, report: &CycleReport, scores: &[Score]) -> Vec<f64> {
        let share = |value: f64| {
            if value.is_nan() {
                f64::NAN
            } else {
                value.clamp(0.0, 1.0)
            }
        };
        let mut row = vec![f64::NAN; self.len()];
        row[0] = share((facts.utilisation - EXPOSED_FROM) / (1.0 - EXPOSED_FROM));
        row[1] = share(facts.environment_error / FULL_ERROR_SD);
        row[2] = f64::from(u8::from(facts.strategy_flips > 0));
        row[3] = share(facts.volatility[2]);
        let mut squares = vec![(0.0, 0.0); usize::from(self.groups)];
        for score in scores.iter().filter(|score| score.cycle == facts.cycle) {
            let group = report.groups.get(usize::from(score.dimension));
            let error = (score.observed - score.forecast) * HALF_WIDTH_SD / score.half_width;
            let square = group.and_then(|group| squares.get_mut(usize::from(*group)));
            if let Some((sum, count)) = square.filter(|_| error.is_finite()) {
                *sum += error.abs().min(FULL_ERROR_SD).powi(2);
                *count += 1.0;
            }
        }
        for (value, (sum, count)) in row[DECLARED_NODES..].iter_mut().zip(squares) {
            if count > 0.0 {
                *value = (sum / count).sqrt() / FULL_ERROR_SD;
            }
        }
        row
    }

    /// How far a node was from normal in the worst of the last three reports, in [0, 1].
    pub fn activity(&self, node: Node) -> f64 {
        let index = index(node);
        let values = self.activity.iter().filter_map(|report| report.get(index).copied());
        values.fold(0.0, f64::max)
    }

    /// The nodes that are active, in order.
    pub fn active(&self) -> Vec<Node> {
        let nodes = (0..self.len()).map(node);
        nodes.filter(|node| self.activity(*node) > ACTIVE).collect()
    }
}

fn node(index: usize) -> Node {
    match index {
        0 => Node::ResourceDepletion,
        1 => Node::PerformanceDegradation,
        2 => Node::StrategyFailure,
        3 => Node::GoalAbandonment,
        _ => Node::Group((index - DECLARED_NODES) as u16),
    }
}

fn index(node: Node) -> usize {
    match node {
        Node::ResourceDepletion => 0,
        Node::PerformanceDegradation => 1,
        Node::StrategyFailure => 2,
        Node::GoalAbandonment => 3,
        Node::Group(group) => DECLARED_NODES + usize::from(group),
    }
}

#[cfg(test)]
mod tests;
