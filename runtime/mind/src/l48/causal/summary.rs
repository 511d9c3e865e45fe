//! What a snapshot keeps of the graph: the strongest learnt edges. The regression behind them starts anew, and the edges
//! stand until it has as much evidence again.

use super::regression::MAX_LAG;
use super::{CausalGraph, DECLARED_NODES, Edge, MAX_NODES, Origin, index, node};
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};

/// Most edges that are kept.
pub const MAX_KEPT: usize = 8;
/// Steps of a strength of 1.
const STEPS: f64 = 127.0;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CausalSummary {
    pub(super) groups: u8,
    pub(super) learnt: Vec<KeptEdge>,
}

/// One edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptEdge {
    pub(super) cause: u8,
    pub(super) effect: u8,
    pub(super) lag: u8,
    /// In 127ths.
    pub(super) strength: i8,
}

impl CausalGraph {
    /// What a snapshot keeps of it.
    pub fn summary(&self) -> CausalSummary {
        let kept = self.learnt.iter().take(MAX_KEPT).map(|edge| KeptEdge {
            cause: index(edge.cause) as u8,
            effect: index(edge.effect) as u8,
            lag: edge.lag as u8,
            strength: (edge.strength * STEPS).round() as i8,
        });
        CausalSummary {
            groups: self.groups as u8,
            learnt: kept.collect(),
        }
    }

    /// The graph that goes on from a summary.
    pub fn from_summary(summary: &CausalSummary) -> Result<Self, Refused> {
        let nodes = DECLARED_NODES + usize::from(summary.groups);
        if nodes > MAX_NODES || summary.learnt.len() > MAX_KEPT {
            return Err(Refused("the number of causes"));
        }
        let mut graph = Self::new(usize::from(summary.groups));
        for kept in &summary.learnt {
            let (cause, effect) = (usize::from(kept.cause), usize::from(kept.effect));
            let sound = cause < nodes && effect < nodes && cause != effect;
            if !sound || !(1..=MAX_LAG).contains(&usize::from(kept.lag)) {
                return Err(Refused("a learnt cause"));
            }
            graph.learnt.push(Edge {
                cause: node(cause),
                effect: node(effect),
                lag: u16::from(kept.lag),
                strength: (f64::from(kept.strength) / STEPS).clamp(-1.0, 1.0),
                origin: Origin::Learnt,
            });
        }
        Ok(graph)
    }
}
