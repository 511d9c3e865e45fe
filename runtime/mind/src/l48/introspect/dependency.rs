//! Which skills rest on which, and what a change of one means for the others (MSCP Level 4.8, section 4.4).
//!
//! `downstream change = strength x upstream change x 0.5^hop`, edge by edge; the hop of a direct dependency is 0, so that
//! a fall of logical reasoning by 0.2 costs abstract planning 0.2 x 0.7 = 0.14. Where several ways lead to a skill, the
//! largest change counts: they have the same cause, and their sum would count it twice.
//!
//! Invariant: each skill is reached at its fewest hops and passes a change on once, so that circles end.

use super::capability::{General, Skill};
use crate::l3::ActionKind;
use serde::{Deserialize, Serialize};

/// Most dependencies of one agent.
pub const MAX_EDGES: usize = 256;
/// Hops after which a change has died away: a sixteenth is left.
pub const MAX_HOPS: u32 = 4;
/// What is left of a change after each further hop.
pub const HOP_DECAY: f64 = 0.5;
/// A change of confidence below this is not passed on.
pub const MIN_CHANGE: f64 = 0.02;
/// How much of a change in forecasting a group an incident about it feels.
const FORECAST_TO_INCIDENT: f64 = 0.5;

/// `downstream` rests on `upstream`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// The skill that is needed.
    pub upstream: Skill,
    /// The skill that needs it.
    pub downstream: Skill,
    /// How much of a change arrives, in [0, 1].
    pub strength: f64,
}

/// What a change means for a skill downstream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Which skill.
    pub skill: Skill,
    /// Expected change of its confidence, in [-1, 1].
    pub change: f64,
    /// Hops from the cause; 0 depends on it directly.
    pub hop: u32,
}

/// All dependencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Dependency>", into = "Vec<Dependency>")]
pub struct Dependencies {
    edges: Vec<Dependency>,
}

/// Why dependencies are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// There are too many.
    #[error("{found} dependencies; expected at most {MAX_EDGES}")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// A strength is out of range.
    #[error("{upstream} reaches {downstream} with a strength outside 0 to 1")]
    Strength {
        /// From.
        upstream: Skill,
        /// To.
        downstream: Skill,
    },
    /// A skill would depend on itself.
    #[error("{skill} would depend on itself")]
    Itself {
        /// Which.
        skill: Skill,
    },
}

impl Dependencies {
    /// The seed's graph, and that incidents about a group rest on forecasting it.
    pub fn of_watcher(groups: u16) -> Self {
        let edge = |upstream, downstream, strength| Dependency {
            upstream,
            downstream,
            strength,
        };
        let general = |from, to, strength| edge(Skill::General(from), Skill::General(to), strength);
        let mut edges = vec![
            general(General::LogicalReasoning, General::AbstractPlanning, 0.7),
            general(General::LogicalReasoning, General::AdversarialNegotiation, 0.4),
            general(General::ResourceManagement, General::AbstractPlanning, 0.5),
        ];
        let incidents = [ActionKind::RaiseIncident, ActionKind::ClearIncident].map(Skill::Act);
        for skill in Skill::of_watcher(groups) {
            if let Skill::Forecast { .. } = skill {
                edges.extend(incidents.map(|incident| edge(skill, incident, FORECAST_TO_INCIDENT)));
            }
        }
        Self { edges }
    }

    /// A graph of these edges.
    pub fn new(edges: Vec<Dependency>) -> Result<Self, DependencyError> {
        if edges.len() > MAX_EDGES {
            return Err(DependencyError::TooMany { found: edges.len() });
        }
        for edge in &edges {
            let (upstream, downstream) = (edge.upstream, edge.downstream);
            if !(0.0..=1.0).contains(&edge.strength) {
                return Err(DependencyError::Strength { upstream, downstream });
            }
            if upstream == downstream {
                return Err(DependencyError::Itself { skill: upstream });
            }
        }
        Ok(Self { edges })
    }

    /// The edges.
    pub fn edges(&self) -> &[Dependency] {
        &self.edges
    }

    /// What a change of one skill means for all that rest on it, nearest first.
    pub fn propagate(&self, skill: Skill, change: f64) -> Vec<Impact> {
        let mut reached: Vec<Impact> = Vec::new();
        let mut front = vec![(skill, if change.is_nan() { 0.0 } else { change.clamp(-1.0, 1.0) })];
        for hop in 0..MAX_HOPS {
            let decay = HOP_DECAY.powi(hop as i32);
            let mut next: Vec<(Skill, f64)> = Vec::new();
            for &(from, upstream) in &front {
                for edge in self.edges.iter().filter(|edge| edge.upstream == from) {
                    let known =
                        edge.downstream == skill || reached.iter().any(|impact| impact.skill == edge.downstream);
                    if !known {
                        keep_largest(&mut next, edge.downstream, edge.strength * upstream * decay);
                    }
                }
            }
            reached.extend(next.iter().map(|&(skill, change)| Impact { skill, change, hop }));
            front = next;
        }
        reached
    }

    /// What these changes mean downstream: for each skill the largest, in the order of skills. Changes below
    /// [`MIN_CHANGE`] are not passed on.
    pub fn impacts(&self, changes: &[(Skill, f64)]) -> Vec<Impact> {
        let mut impacts: Vec<Impact> = Vec::new();
        for &(skill, change) in changes.iter().filter(|(_, change)| change.abs() >= MIN_CHANGE) {
            for impact in self.propagate(skill, change) {
                match impacts.iter_mut().find(|known| known.skill == impact.skill) {
                    Some(known) if known.change.abs() < impact.change.abs() => *known = impact,
                    Some(_) => {}
                    None => impacts.push(impact),
                }
            }
        }
        impacts.sort_by_key(|impact| impact.skill);
        impacts
    }
}

fn keep_largest(changes: &mut Vec<(Skill, f64)>, skill: Skill, change: f64) {
    match changes.iter_mut().find(|(known, _)| *known == skill) {
        Some((_, known)) if known.abs() < change.abs() => *known = change,
        Some(_) => {}
        None => changes.push((skill, change)),
    }
}

impl TryFrom<Vec<Dependency>> for Dependencies {
    type Error = DependencyError;

    fn try_from(edges: Vec<Dependency>) -> Result<Self, DependencyError> {
        Self::new(edges)
    }
}

impl From<Dependencies> for Vec<Dependency> {
    fn from(dependencies: Dependencies) -> Self {
        dependencies.edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIC: Skill = Skill::General(General::LogicalReasoning);
    const PLANNING: Skill = Skill::General(General::AbstractPlanning);
    const NEGOTIATION: Skill = Skill::General(General::AdversarialNegotiation);

    fn tool(number: u16) -> Skill {
        Skill::Tool { number }
    }

    fn edge(upstream: Skill, downstream: Skill, strength: f64) -> Dependency {
        Dependency {
            upstream,
            downstream,
            strength,
        }
    }

    fn graph(edges: &[(u16, u16, f64)]) -> Dependencies {
        let edges = edges
            .iter()
            .map(|&(from, to, strength)| edge(tool(from), tool(to), strength));
        Dependencies::new(edges.collect()).expect("valid")
    }

    fn rounded(impacts: &[Impact]) -> Vec<(Skill, f64, u32)> {
        let round = |value: f64| (value * 1e6).round() / 1e6;
        impacts
            .iter()
            .map(|impact| (impact.skill, round(impact.change), impact.hop))
            .collect()
    }

    #[test]
    fn if_logical_reasoning_falls_by_two_tenths_planning_loses_14_and_negotiation_8_hundredths() {
        let impacts = Dependencies::of_watcher(0).propagate(LOGIC, -0.2);
        assert_eq!(rounded(&impacts), [(PLANNING, -0.14, 0), (NEGOTIATION, -0.08, 0)]);
    }

    #[test]
    fn each_further_hop_halves_what_arrives() {
        // 0.2 x 0.7 = 0.14; 0.14 x 0.5 x 0.5 = 0.035; 0.035 x 0.8 x 0.25 = 0.007.
        let chain = graph(&[(1, 2, 0.7), (2, 3, 0.5), (3, 4, 0.8)]);
        let impacts = chain.propagate(tool(1), 0.2);
        assert_eq!(
            rounded(&impacts),
            [(tool(2), 0.14, 0), (tool(3), 0.035, 1), (tool(4), 0.007, 2)]
        );
    }

    #[test]
    fn a_change_reaches_four_skills_in_a_row_and_no_fifth() {
        let chain = graph(&[(1, 2, 1.0), (2, 3, 1.0), (3, 4, 1.0), (4, 5, 1.0), (5, 6, 1.0)]);
        let impacts = chain.propagate(tool(1), 1.0);
        // 1, then 1/2, then a quarter of it, then an eighth of that.
        let changes: Vec<f64> = impacts.iter().map(|impact| impact.change).collect();
        assert_eq!(changes, [1.0, 0.5, 0.125, 0.015625]);
    }

    #[test]
    fn a_circle_ends_and_does_not_come_back_to_the_cause() {
        let circle = graph(&[(1, 2, 1.0), (2, 1, 1.0)]);
        assert_eq!(rounded(&circle.propagate(tool(1), -0.4)), [(tool(2), -0.4, 0)]);
    }

    #[test]
    fn of_two_ways_of_the_same_length_the_larger_change_counts() {
        let diamond = graph(&[(1, 2, 0.9), (1, 3, 0.3), (2, 4, 1.0), (3, 4, 1.0)]);
        let impacts = diamond.propagate(tool(1), 0.2);
        assert_eq!(
            rounded(&impacts)[2],
            (tool(4), 0.09, 1),
            "0.18 x 0.5, not 0.06 x 0.5 more"
        );
    }

    #[test]
    fn of_two_causes_the_larger_impact_counts_and_small_changes_are_not_passed_on() {
        let two = graph(&[(1, 3, 0.5), (2, 3, 0.5), (4, 5, 1.0)]);
        let impacts = two.impacts(&[(tool(1), -0.1), (tool(2), 0.3), (tool(4), 0.0199)]);
        assert_eq!(rounded(&impacts), [(tool(3), 0.15, 0)]);
        assert_eq!(rounded(&two.impacts(&[(tool(4), -0.02)])), [(tool(5), -0.02, 0)]);
        assert!(two.impacts(&[(tool(4), f64::NAN)]).is_empty());
    }

    #[test]
    fn incidents_rest_on_the_forecasts_of_each_group() {
        let graph = Dependencies::of_watcher(2);
        assert_eq!(graph.edges().len(), 3 + 2 * 2);
        let impacts = graph.propagate(Skill::Forecast { group: 1 }, -0.1);
        assert_eq!(impacts.len(), 2);
        assert!(impacts.iter().all(|impact| impact.change == -0.05));
        assert!(Dependencies::of_watcher(u16::MAX).edges().len() <= MAX_EDGES);
    }

    #[test]
    fn a_broken_graph_is_refused() {
        let refused = |edges: Vec<Dependency>| Dependencies::try_from(edges).expect_err("broken");
        let (upstream, downstream) = (LOGIC, PLANNING);
        for strength in [f64::NAN, -0.1, 1.1] {
            assert_eq!(
                refused(vec![edge(upstream, downstream, strength)]),
                DependencyError::Strength { upstream, downstream }
            );
        }
        assert_eq!(
            refused(vec![edge(LOGIC, LOGIC, 0.5)]),
            DependencyError::Itself { skill: LOGIC }
        );
        let many = vec![edge(LOGIC, PLANNING, 0.5); MAX_EDGES + 1];
        assert_eq!(refused(many), DependencyError::TooMany { found: 257 });
    }
}
