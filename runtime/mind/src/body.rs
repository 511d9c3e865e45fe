//! The agent's body: what it can do in a cycle, what that costs, and what its resources are. Pure: the kernel's actor
//! asks it before a turn and tells it after one, and whoever drives the same structs without actors does the same.
//!
//! Invariants:
//! 1. An action is granted only if the ethical kernel passes it and the budget pays for it.
//! 2. The period is the nominal one or a multiple of it up to [`MAX_STRETCH`]: an agent can make itself slower, and
//!    never faster than it was asked to be.

use crate::l3::{self, Action, Available, Duty, Floor, GroupSet, Input, Kernel, Outcomes, Pace, PeriodChange, Step};
use crate::l45::EthicalKernel;
use crate::l45::ethics::{Cost, EthicalGate};
use crate::report::{Advice, Resource};
use rungs_types::{Authority, EventKind, TenantName};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Longest period, as a multiple of the nominal one.
pub const MAX_STRETCH: u32 = 8;
/// What an action of the kernel costs at most, in microseconds of a processor: one command to a sensor, or one event.
pub const ACTION_COST_US: u64 = 1_000;
/// What each cycle adds to the budget for actions, in microseconds: one action in ten cycles.
pub const BUDGET_PER_CYCLE_US: u64 = 100;
/// What the budget holds at most, in microseconds: ten actions in a row.
pub const MAX_BUDGET_US: u64 = 10_000;
/// Cycles over which the consumption of a resource is measured.
pub const SLOPE_CYCLES: usize = 50;
/// What the kernel may do to the outside; the last one only where the agent knows other agents.
const SCOPES: [&str; 4] = ["environment.sample", "incident.write", "agent.period", "peer.ask"];

/// What an environment is to a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// Names of the groups of dimensions.
    pub groups: Vec<String>,
    /// The group of each dimension.
    pub group_of: Vec<u16>,
    /// Capacity of each dimension that measures how much of a finite resource is in use.
    pub capacities: Vec<Option<f64>>,
    /// Sensors can be told to sample faster or slower.
    pub adjustable: bool,
}

/// What a turn of the kernel sees and hears.
#[derive(Debug, Clone, Copy)]
pub struct Perceived<'a> {
    /// The cycle's number, from 1.
    pub cycle: u64,
    /// One value per dimension; NaN = missing.
    pub row: &'a [f64],
    /// What came of earlier actions.
    pub outcomes: Outcomes,
    /// What L4.5 says.
    pub floor: Floor,
    /// The advice in force, with the authority of its level.
    pub advice: Option<(&'a Advice, Authority)>,
    /// At least one cycle before this one was missed.
    pub late: bool,
    /// Use of the agent's processor quota, as a share of it; 0 without a quota.
    pub quota_share: f64,
    /// There is another agent that can be asked.
    pub peers: bool,
}

/// What the body remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BodyState {
    budget_us: u64,
    stretch: u32,
    /// Groups whose sensors are at their limit in a direction.
    fastest: Vec<u16>,
    slowest: Vec<u16>,
    resources: Vec<Gauge>,
}

/// How much of one resource is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Gauge {
    /// Cycle and use of the last observations, oldest first, at most [`SLOPE_CYCLES`].
    seen: VecDeque<(u64, f64)>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Body {
    tenant: TenantName,
    groups: usize,
    adjustable: bool,
    /// It may ask other agents.
    asks: bool,
    /// Dimension and capacity of each resource.
    capacities: Vec<(usize, f64)>,
    ethics: EthicalKernel,
    state: BodyState,
    resources: Vec<Resource>,
}

impl Body {
    /// A body in an environment.
    pub fn new(tenant: TenantName, environment: &Surroundings) -> Self {
        let positive = |(index, capacity): (usize, &Option<f64>)| {
            let capacity = capacity.filter(|capacity| *capacity > 0.0)?;
            Some((index, capacity))
        };
        let capacities: Vec<_> = environment.capacities.iter().enumerate().filter_map(positive).collect();
        let gauge = Gauge { seen: VecDeque::new() };
        Self {
            tenant,
            groups: environment.groups.len(),
            adjustable: environment.adjustable,
            asks: false,
            ethics: EthicalKernel::default(),
            state: BodyState {
                budget_us: MAX_BUDGET_US,
                stretch: 1,
                fastest: Vec::new(),
                slowest: Vec::new(),
                resources: vec![gauge; capacities.len()],
            },
            resources: Vec::with_capacity(capacities.len()),
            capacities,
        }
    }

    /// Whether it may ask other agents; not without this.
    #[must_use]
    pub fn asking(mut self, asks: bool) -> Self {
        self.asks = asks;
        self
    }

    /// Goes on where [`Body::snapshot`] was taken; a state of another environment is not taken.
    #[must_use]
    pub fn restored(mut self, state: BodyState) -> Self {
        let fits = state.resources.len() == self.capacities.len()
            && state.resources.iter().all(|gauge| gauge.seen.len() <= SLOPE_CYCLES)
            && (1..=MAX_STRETCH).contains(&state.stretch);
        if fits {
            self.state = BodyState {
                budget_us: state.budget_us.min(MAX_BUDGET_US),
                ..state
            };
        }
        self
    }

    /// All that it remembers.
    pub fn snapshot(&self) -> BodyState {
        self.state.clone()
    }

    /// The period as a multiple of the nominal one, 1 to [`MAX_STRETCH`].
    pub fn stretch(&self) -> u32 {
        self.state.stretch
    }

    /// One turn of the kernel in this body. What is done with its action is told to [`Body::sampled`] and
    /// [`Body::change_period`].
    pub fn turn(&mut self, kernel: &mut Kernel, perceived: &Perceived<'_>) -> Step {
        self.turn_on_duty(kernel, perceived, Duty::default())
    }

    /// The same, with what goals and the strategy in force ask of it.
    pub fn turn_on_duty(&mut self, kernel: &mut Kernel, perceived: &Perceived<'_>, duty: Duty) -> Step {
        let mut available = self.begin_cycle();
        available.peers &= perceived.peers;
        let pace = Pace {
            late: perceived.late,
            stretched: self.stretch() > 1,
            quota_share: perceived.quota_share,
        };
        self.resources(perceived.cycle, perceived.row);
        let resources = std::mem::take(&mut self.resources);
        let input = Input {
            cycle: perceived.cycle,
            observation: perceived.row,
            outcomes: perceived.outcomes,
            advice: perceived.advice,
            floor: perceived.floor,
            pace,
            resources: &resources,
            available,
        };
        let step = kernel.step_on_duty(&input, duty, &mut self.gate());
        self.resources = resources;
        step
    }

    /// The resources after an observation: what is left, what is used up in a cycle, and the share in use.
    pub fn resources(&mut self, cycle: u64, row: &[f64]) -> &[Resource] {
        self.resources.clear();
        for ((dimension, capacity), gauge) in self.capacities.iter().zip(&mut self.state.resources) {
            if let Some(&used) = row.get(*dimension).filter(|used| used.is_finite()) {
                gauge.note(cycle, used);
            }
            let Some(&(_, used)) = gauge.seen.back() else {
                continue;
            };
            self.resources.push(Resource {
                level: (capacity - used).clamp(0.0, *capacity),
                consumption_per_cycle: gauge.slope(),
                utilisation: (used / capacity).clamp(0.0, 1.0),
            });
        }
        &self.resources
    }

    /// What can be done in the next turn. A cycle begins: the budget grows.
    pub fn begin_cycle(&mut self) -> Available {
        let state = &mut self.state;
        state.budget_us = (state.budget_us + BUDGET_PER_CYCLE_US).min(MAX_BUDGET_US);
        if state.budget_us < ACTION_COST_US {
            return Available::default();
        }
        let open = |closed: &[u16]| {
            let groups = (0..self.groups as u16).filter(|group| self.adjustable && !closed.contains(group));
            groups.fold(GroupSet::NONE, GroupSet::with)
        };
        Available {
            faster: open(&state.fastest),
            slower: open(&state.slowest),
            incidents: true,
            peers: self.asks,
            longer_period: state.stretch < MAX_STRETCH,
            shorter_period: state.stretch > 1,
        }
    }

    /// What every action but holding passes.
    pub fn gate(&mut self) -> BodyGate<'_> {
        let cost = Cost {
            cpu_us: ACTION_COST_US,
            ..Cost::default()
        };
        BodyGate {
            ethics: EthicalGate {
                kernel: &self.ethics,
                tenant: &self.tenant,
                scopes_granted: &SCOPES[..SCOPES.len() - usize::from(!self.asks)],
                cost,
                reserved: cost,
            },
            budget_us: &mut self.state.budget_us,
        }
    }

    /// A sensor group did, or could not do, what it was told.
    pub fn sampled(&mut self, action: Action, done: bool) {
        let (group, at_limit, other) = match action {
            Action::SampleFaster { group } => (group, &mut self.state.fastest, &mut self.state.slowest),
            Action::SampleSlower { group } => (group, &mut self.state.slowest, &mut self.state.fastest),
            _ => return,
        };
        if done {
            other.retain(|closed| *closed != group);
        } else if !at_limit.contains(&group) {
            at_limit.push(group);
        }
    }

    /// Changes the period; gives the new multiple of the nominal one.
    pub fn change_period(&mut self, change: PeriodChange) -> u32 {
        let stretch = &mut self.state.stretch;
        *stretch = match change {
            PeriodChange::Longer => (*stretch * 2).min(MAX_STRETCH),
            PeriodChange::Shorter => (*stretch / 2).max(1),
        };
        *stretch
    }
}

impl Gauge {
    fn note(&mut self, cycle: u64, used: f64) {
        if self.seen.len() == SLOPE_CYCLES {
            self.seen.pop_front();
        }
        self.seen.push_back((cycle, used));
    }

    /// Use per cycle over the observations remembered; 0 before the second.
    fn slope(&self) -> f64 {
        match (self.seen.front(), self.seen.back()) {
            (Some((first, from)), Some((last, to))) if last > first => (to - from) / (last - first) as f64,
            _ => 0.0,
        }
    }
}

/// The event that an action about an incident is, given the names of the groups.
pub fn incident(action: Action, groups: &[String]) -> Option<EventKind> {
    let (raised, summary) = match action {
        Action::RaiseIncident { group } => {
            let name = groups.get(usize::from(group)).map_or("?", String::as_str);
            (true, format!("{name} behaves other than expected"))
        }
        Action::ClearIncident => (false, "as expected again".to_owned()),
        _ => return None,
    };
    Some(EventKind::Incident { raised, summary })
}

/// The gate of one turn: the ethical kernel, then the budget.
#[derive(Debug)]
pub struct BodyGate<'a> {
    ethics: EthicalGate<'a>,
    budget_us: &'a mut u64,
}

impl l3::Gate for BodyGate<'_> {
    fn permit(&mut self, action: &Action) -> Result<(), l3::Refusal> {
        self.ethics.permit(action)?;
        let left = self.budget_us.checked_sub(ACTION_COST_US).ok_or(l3::Refusal::Policy)?;
        *self.budget_us = left;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l3::{Gate, Refusal};

    fn body() -> Body {
        Body::new(
            TenantName::default(),
            &Surroundings {
                groups: vec!["cpu".into(), "memory".into()],
                group_of: vec![0, 1],
                capacities: vec![None, Some(200.0)],
                adjustable: true,
            },
        )
    }

    #[test]
    fn ten_actions_in_a_row_are_paid_and_then_one_in_ten_cycles() {
        let mut body = body();
        let action = Action::RaiseIncident { group: 0 };
        let granted = (0..20).take_while(|_| body.gate().permit(&action).is_ok()).count();
        assert_eq!(granted, 10);
        assert_eq!(body.gate().permit(&action), Err(Refusal::Policy));
        for _ in 0..9 {
            assert_eq!(
                body.begin_cycle(),
                Available::default(),
                "nothing is offered that cannot be paid"
            );
        }
        assert!(body.begin_cycle().incidents);
        assert_eq!(body.gate().permit(&action), Ok(()));
    }

    #[test]
    fn ninety_nine_cycles_pay_for_nine_actions() {
        let mut body = body();
        let action = Action::RaiseIncident { group: 0 };
        while body.gate().permit(&action).is_ok() {}
        (0..99).for_each(|_| {
            body.begin_cycle();
        });
        let granted = (0..20).take_while(|_| body.gate().permit(&action).is_ok()).count();
        assert_eq!(granted, 9);
    }

    #[test]
    fn how_fast_a_resource_goes_is_told_from_its_last_fifty_observations() {
        let consumption = |last: u64| {
            let mut body = body();
            for cycle in 2..=last {
                body.resources(cycle, &[0.5, 100.0 + 2.0 * cycle.min(11) as f64]);
            }
            body.resources(last + 1, &[0.5, f64::NAN])[0].consumption_per_cycle
        };
        // It rose until cycle 11: 50 observations later nothing is left of it.
        assert_eq!(consumption(60), 0.0);
        assert!(consumption(59) > 0.0);
    }

    #[test]
    fn an_action_without_a_granted_scope_is_refused_by_the_ethical_kernel() {
        let ask = Action::AskPeer { group: 0 };
        assert!(!body().begin_cycle().peers);
        assert_eq!(body().gate().permit(&ask), Err(Refusal::Ethics));
        let mut asking = body().asking(true);
        assert!(asking.begin_cycle().peers);
        assert_eq!(asking.gate().permit(&ask), Ok(()));
    }

    #[test]
    fn a_group_at_its_limit_is_not_offered_until_it_was_moved_the_other_way() {
        let mut body = body();
        body.sampled(Action::SampleFaster { group: 1 }, false);
        let available = body.begin_cycle();
        assert!(available.faster.contains(0) && !available.faster.contains(1) && available.slower.contains(1));
        body.sampled(Action::SampleSlower { group: 1 }, true);
        assert!(body.begin_cycle().faster.contains(1));
    }

    #[test]
    fn the_period_is_stretched_up_to_eight_times_and_never_shorter_than_nominal() {
        let mut body = body();
        let longer: Vec<_> = (0..4).map(|_| body.change_period(PeriodChange::Longer)).collect();
        assert_eq!(longer, [2, 4, 8, 8]);
        assert!(!body.begin_cycle().longer_period);
        let shorter: Vec<_> = (0..4).map(|_| body.change_period(PeriodChange::Shorter)).collect();
        assert_eq!(shorter, [4, 2, 1, 1]);
        assert!(!body.begin_cycle().shorter_period);
    }

    #[test]
    fn a_resource_tells_what_is_left_and_how_fast_it_goes() {
        let mut body = body();
        assert!(
            body.resources(1, &[0.5, f64::NAN]).is_empty(),
            "nothing is known of a resource never seen"
        );
        for cycle in 2..=11 {
            body.resources(cycle, &[0.5, 100.0 + 2.0 * cycle as f64]);
        }
        let resources = body.resources(12, &[0.5, f64::NAN]).to_vec();
        assert_eq!(
            resources,
            [Resource {
                level: 78.0,
                consumption_per_cycle: 2.0,
                utilisation: 0.61
            }]
        );
        // 60 more: only the last 50 observations count.
        for cycle in 12..=71 {
            body.resources(cycle, &[0.5, 122.0]);
        }
        assert_eq!(body.resources(72, &[0.5, f64::NAN])[0].consumption_per_cycle, 0.0);
    }

    #[test]
    fn a_state_of_another_environment_is_not_taken() {
        let mut other = body().snapshot();
        other.resources.clear();
        other.stretch = 4;
        assert_eq!(body().restored(other).stretch(), 1);
        let mut own = body();
        own.change_period(PeriodChange::Longer);
        assert_eq!(body().restored(own.snapshot()).stretch(), 2);
    }
}
