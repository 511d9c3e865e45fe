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

use crate::l48::observe::Score;
use crate::report::{CycleFacts, CycleReport};
use regression::{MAX_LAG, Regression};
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
/// Edges in a row that are followed.
const MAX_HOPS: usize = 4;
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

/// The graph. Its serde form has the learnt edges and the activity; the regression behind them starts anew and the edges
/// stand until it has as much evidence again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CausalSummary", into = "CausalSummary")]
pub struct CausalGraph {
    groups: u16,
    learnt: Vec<Edge>,
    /// Mean value of each node in the last reports, newest last.
    activity: Vec<Vec<f64>>,
    regression: Regression,
}

/// What [`CausalGraph`] reads and writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CausalSummary {
    groups: u16,
    learnt: Vec<Edge>,
    activity: Vec<Vec<f64>>,
}

/// A stored graph is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the causal graph has {edges} learnt edges, or one that cannot have been learnt, or a damaged activity")]
pub struct CausalError {
    edges: usize,
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
                *value = (sum / count as f64).sqrt() / FULL_ERROR_SD;
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

    /// What a departure of one node from normal brings about, the strongest first: along each way the strengths are
    /// multiplied and the lags added; of several ways the strongest counts.
    pub fn effects(&self, cause: Node, departure: f64) -> Vec<Influence> {
        let departure = if departure.is_nan() {
            0.0
        } else {
            departure.clamp(-1.0, 1.0)
        };
        let next = |edge: &Edge, from: Node| (edge.cause == from).then_some(edge.effect);
        self.search(cause, departure, next, |_| true)
    }

    /// Why a node is not normal: the active nodes upstream that no other active node explains, the strongest first; the
    /// node itself if there is none.
    pub fn root_causes(&self, anomaly: Node) -> Vec<Influence> {
        let next = |edge: &Edge, from: Node| (edge.effect == from).then_some(edge.cause);
        let active = |node: Node| self.activity(node) > ACTIVE;
        let upstream = self.search(anomaly, 1.0, next, active);
        let explained = |node: Node| {
            let mut causes = self.edges().filter(|edge| edge.effect == node && edge.cause != anomaly);
            causes.any(|edge| active(edge.cause))
        };
        let roots: Vec<Influence> = upstream
            .iter()
            .filter(|found| !explained(found.node))
            .copied()
            .collect();
        match (roots.is_empty(), upstream.is_empty()) {
            (false, _) => roots,
            // A circle of active causes: all of it.
            (true, false) => upstream,
            (true, true) => vec![Influence {
                node: anomaly,
                strength: 1.0,
                lag: 0,
            }],
        }
    }

    /// Follows edges from `start` through nodes that may be entered, each at its fewest hops.
    fn search(
        &self,
        start: Node,
        strength: f64,
        next: impl Fn(&Edge, Node) -> Option<Node>,
        enter: impl Fn(Node) -> bool,
    ) -> Vec<Influence> {
        let begin = Influence {
            node: start,
            strength,
            lag: 0,
        };
        let (mut found, mut front): (Vec<Influence>, _) = (Vec::new(), vec![begin]);
        for _ in 0..MAX_HOPS {
            let mut reached: Vec<Influence> = Vec::new();
            for from in &front {
                for edge in self.edges() {
                    let Some(node) = next(edge, from.node).filter(|node| *node != start && enter(*node)) else {
                        continue;
                    };
                    let way = Influence {
                        node,
                        strength: from.strength * edge.strength,
                        lag: from.lag + u32::from(edge.lag),
                    };
                    if found.iter().all(|known| known.node != node) {
                        keep_strongest(&mut reached, way);
                    }
                }
            }
            found.extend(&reached);
            front = reached;
        }
        found.sort_by(|a, b| b.strength.abs().total_cmp(&a.strength.abs()).then(a.node.cmp(&b.node)));
        found
    }

    /// What the active causes make the world look forward to, in [0, 1]: the strongest effect of any of them.
    pub fn stress(&self) -> f64 {
        let effects = |cause: Node| self.effects(cause, self.activity(cause));
        let all = self.active().into_iter().flat_map(effects);
        all.map(|effect| effect.strength).fold(0.0, f64::max).clamp(0.0, 1.0)
    }
}

fn keep_strongest(reached: &mut Vec<Influence>, way: Influence) {
    match reached.iter_mut().find(|known| known.node == way.node) {
        Some(known) if known.strength.abs() < way.strength.abs() => *known = way,
        Some(_) => {}
        None => reached.push(way),
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

impl TryFrom<CausalSummary> for CausalGraph {
    type Error = CausalError;

    fn try_from(summary: CausalSummary) -> Result<Self, CausalError> {
        let mut graph = Self::new(usize::from(summary.groups));
        let nodes = graph.len();
        let sound = |edge: &Edge| {
            let known = index(edge.cause) < nodes && index(edge.effect) < nodes && edge.cause != edge.effect;
            let lag = (1..=MAX_LAG as u16).contains(&edge.lag);
            known && lag && (-1.0..=1.0).contains(&edge.strength) && edge.origin == Origin::Learnt
        };
        let share = |value: &f64| (0.0..=1.0).contains(value);
        let row = |row: &Vec<f64>| row.len() == nodes && row.iter().all(share);
        let bounded = summary.learnt.len() <= MAX_LEARNT && summary.activity.len() <= ACTIVITY_REPORTS;
        let whole = graph.groups == summary.groups;
        if whole && bounded && summary.learnt.iter().all(sound) && summary.activity.iter().all(row) {
            (graph.learnt, graph.activity) = (summary.learnt, summary.activity);
            Ok(graph)
        } else {
            Err(CausalError {
                edges: summary.learnt.len(),
            })
        }
    }
}

impl From<CausalGraph> for CausalSummary {
    fn from(graph: CausalGraph) -> Self {
        Self {
            groups: graph.groups,
            learnt: graph.learnt,
            activity: graph.activity,
        }
    }
}

#[cfg(test)]
mod tests;
