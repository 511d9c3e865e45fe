//! The agent as a Lookahead takes it.

use super::View;
use crate::l3::action::MAX_GROUPS;
use crate::l45::purpose::Aim;
use crate::l45::world::domain_of;
use crate::lookahead::{DecisionState, Domain, Goal, MAX_GOALS, ResourceState};

/// Largest amount of a resource that a Lookahead takes.
const MAX_AMOUNT: f64 = 1e15;
/// Performance of a domain of which nothing is known.
const UNKNOWN_PERFORMANCE: f64 = 0.5;
/// Runway below which a resource is a warning, in cycles (target of MSCP Level 4.8, Definition 4).
const WARNING_CYCLES: f64 = 100.0;

/// Groups there are.
pub(super) fn group_count(groups: &[u16]) -> usize {
    groups.iter().map(|group| usize::from(*group) + 1).max().unwrap_or(0)
}

/// Share of the dimensions in each group.
pub(super) fn shares(groups: &[u16]) -> [f64; MAX_GROUPS] {
    let mut shares = [0.0; MAX_GROUPS];
    for group in groups {
        shares[usize::from(*group)] += 1.0 / groups.len() as f64;
    }
    shares
}

/// The agent as a Lookahead takes it.
pub(super) fn decision_state(view: &View<'_>, goals: &[Option<Goal>; MAX_GOALS]) -> DecisionState {
    let overall = view.performance.performance.unwrap_or(UNKNOWN_PERFORMANCE);
    let mut state = DecisionState {
        x: view.x,
        growth_complexity: view.growth.kept_up,
        trends: view.objective.trends,
        oscillation: view.objective.oscillation,
        goals: *goals,
        ..DecisionState::default()
    };
    let last = view.groups.iter().map(|group| domain_of(*group)).max().unwrap_or(0);
    for (d, domain) in state.domains.iter_mut().enumerate().take(usize::from(last) + 1) {
        *domain = Some(if view.performance.of_tasks {
            Domain::working(overall, view.confidence.clamp(0.0, 1.0))
        } else {
            Domain::watching(view.skills[d].unwrap_or(overall))
        });
    }
    let amount = |value: f64| {
        if value.is_nan() {
            0.0
        } else {
            value.clamp(-MAX_AMOUNT, MAX_AMOUNT)
        }
    };
    for (slot, resource) in state.resources.iter_mut().zip(view.resources) {
        let used = amount(resource.consumption_per_cycle);
        *slot = Some(ResourceState {
            level: amount(resource.level).max(0.0),
            base_per_cycle: used,
            warning_level: (WARNING_CYCLES * used).clamp(0.0, MAX_AMOUNT),
        });
    }
    state
}

/// The first goals as a Lookahead takes them; one that waits for another does not move in it.
pub(super) fn goals<'a>(aims: impl Iterator<Item = &'a Aim>, view: &View<'_>) -> [Option<Goal>; MAX_GOALS] {
    let mut goals = [None; MAX_GOALS];
    let last = view.groups.iter().map(|group| domain_of(*group)).max().unwrap_or(0);
    for (index, (slot, aim)) in goals.iter_mut().zip(aims).enumerate() {
        *slot = Some(Goal {
            progress: aim.progress,
            rate_per_cycle: aim.rate_per_cycle,
            cost_per_cycle: std::array::from_fn(|r| {
                let used = view
                    .resources
                    .get(r)
                    .map_or(0.0, |resource| resource.consumption_per_cycle);
                if used.is_finite() {
                    (aim.budget_share * used).clamp(0.0, MAX_AMOUNT)
                } else {
                    0.0
                }
            }),
            domain: aim.group.map_or(0, domain_of).min(last),
            depends_on: if aim.waits { 1 << index } else { 0 },
        });
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::super::Foresight;
    use super::*;
    use crate::l45::{growth, jacobian::SpectralReading, performance, seof};
    use crate::lookahead::Dynamics;
    use crate::report::{DivergenceBand, Resource};
    use std::sync::Arc;

    /// An agent of two groups with one resource that it uses 2 of in a cycle, and one of which that is not known.
    fn seen<T>(
        performance: performance::Reading,
        skills: &[Option<f64>; MAX_GROUPS],
        see: impl FnOnce(&View<'_>) -> T,
    ) -> T {
        let resources = [2.0, f64::NAN].map(|consumption_per_cycle| Resource {
            level: 900.0,
            consumption_per_cycle,
            utilisation: 0.5,
        });
        let groups: Arc<[u16]> = [0, 1].into();
        see(&View {
            cycle: 10,
            x: [0.9, 1.0, 0.95, 0.1, 1.0],
            growth: growth::Reading::default(),
            objective: seof::Reading::default(),
            performance,
            skills,
            confidence: 0.6,
            iis: None,
            divergence: DivergenceBand::default(),
            halved: false,
            permitted: true,
            degraded: false,
            spectral: SpectralReading::default(),
            resources: &resources,
            groups: &groups,
            trial: None,
        })
    }

    #[test]
    fn a_runway_of_a_hundred_cycles_is_a_warning() {
        let warnings = seen(performance::Reading::default(), &[None; MAX_GROUPS], |view| {
            let resources = decision_state(view, &[None; MAX_GOALS]).resources;
            resources.map(|resource| resource.map(|resource| resource.warning_level))
        });
        assert_eq!(warnings[..3], [Some(200.0), Some(0.0), None]);
    }

    #[test]
    fn a_domain_performs_as_its_group_or_as_the_agent_or_half_as_well_if_neither_is_known() {
        let mut skills = [None; MAX_GROUPS];
        skills[1] = Some(0.9);
        let of = |performance: Option<f64>| {
            let reading = performance::Reading {
                performance,
                ..performance::Reading::default()
            };
            seen(reading, &skills, |view| {
                decision_state(view, &[None; MAX_GOALS]).domains
            })
        };
        assert_eq!(of(None)[..2], [0.5, 0.9].map(|p| Some(Domain::watching(p))));
        assert_eq!(of(Some(0.7))[..2], [0.7, 0.9].map(|p| Some(Domain::watching(p))));
    }

    #[test]
    fn a_structural_vote_looks_as_far_as_the_operational_horizon() {
        let cycles = seen(performance::Reading::default(), &[None; MAX_GROUPS], |view| {
            let mut foresight = Foresight::new(view.groups, 1);
            let at_home = Dynamics {
                rest: view.x,
                ..Dynamics::default()
            };
            let found = foresight.compare(view, &[None; MAX_GOALS], &at_home, (0, 0.1), 4);
            found.map(|reports| reports.map(|report| report.cycles))
        });
        assert_eq!(cycles, Some([200, 200]));
    }
}
