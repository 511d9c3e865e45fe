//! What the graph says: effects downstream, root causes upstream, and the stress of the world.

use super::{ACTIVE, CausalGraph, Causes, Edge, Influence, Node};

/// Edges in a row that are followed.
const MAX_HOPS: usize = 4;

impl CausalGraph {
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
        found.sort_by(strongest_first);
        found
    }

    /// All that the graph says of the last report.
    pub fn causes(&self) -> Causes {
        let active: Vec<(Node, f64)> = self
            .active()
            .into_iter()
            .map(|node| (node, self.activity(node)))
            .collect();
        let (mut roots, mut effects) = (Vec::new(), Vec::new());
        for &(node, departure) in &active {
            for root in self.root_causes(node) {
                keep_strongest(&mut roots, root);
            }
            for effect in self.effects(node, departure) {
                keep_strongest(&mut effects, effect);
            }
        }
        for list in [&mut roots, &mut effects] {
            list.sort_by(strongest_first);
        }
        Causes {
            active,
            roots,
            effects,
            learnt: self.learnt().to_vec(),
            stress: self.stress(),
        }
    }

    /// What the active causes make the world look forward to, in [0, 1]: the strongest effect of any of them.
    pub fn stress(&self) -> f64 {
        let effects = |cause: Node| self.effects(cause, self.activity(cause));
        let all = self.active().into_iter().flat_map(effects);
        all.map(|effect| effect.strength).fold(0.0, f64::max).clamp(0.0, 1.0)
    }
}

fn strongest_first(a: &Influence, b: &Influence) -> std::cmp::Ordering {
    let strength = b.strength.abs().total_cmp(&a.strength.abs());
    strength.then(a.node.cmp(&b.node))
}

fn keep_strongest(reached: &mut Vec<Influence>, way: Influence) {
    match reached.iter_mut().find(|known| known.node == way.node) {
        Some(known) if known.strength.abs() < way.strength.abs() => *known = way,
        Some(_) => {}
        None => reached.push(way),
    }
}
