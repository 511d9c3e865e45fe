//! The stored form of the graph.

use super::regression::MAX_LAG;
use super::{ACTIVITY_REPORTS, CausalGraph, Edge, MAX_LEARNT, Origin, index};
use serde::{Deserialize, Serialize};

/// What [`CausalGraph`] reads and writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CausalSummary {
    pub(super) groups: u16,
    pub(super) learnt: Vec<Edge>,
    pub(super) activity: Vec<Vec<f64>>,
}

/// A stored graph is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the causal graph has {edges} learnt edges, or one that cannot have been learnt, or a damaged activity")]
pub struct CausalError {
    edges: usize,
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
