//! One rollout: the loop that moves world, state, performance and goals (the model is in the module above).

use super::LookaheadError;
use super::course::{Course, EXPANSION_WEIGHT, EXPLORATION_GAIN, MUTATION_WEIGHT};
use super::dynamics::Dynamics;
use super::measures::{LyapunovCount, SeofTerms, diversity, lyapunov, seof_by};
use super::report::{Broken, LookaheadReport};
use super::state::{DecisionState, MAX_GOALS, MAX_RESOURCES};
use super::world::{Seen, Trajectories, World};
use crate::budget::Budget;
use rand::RngExt;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_types::Invariant;

/// Most cycles of one rollout.
pub const MAX_CYCLES: u32 = 10_000;
/// Cycles between two looks at the budget.
const BUDGET_CYCLES: u32 = 100;
/// Cycles over which performance is counted and trends are taken.
const TREND_CYCLES: f64 = 100.0;
/// Cycles after which growth has left its window.
const GROWTH_CYCLES: f64 = 200.0;
/// Least identity integrity, and the environmental uncertainty that a structural decision needs.
const MIN_IIS: f64 = 0.85;
const MAX_EU: f64 = 0.80;
const MAX_RHO: f64 = 1.0;

/// A decision state on its way through one trajectory.
#[derive(Debug, Clone)]
pub struct Rollout {
    now: DecisionState,
    /// Where it started: cascades are falls from here.
    first: DecisionState,
    dynamics: Dynamics,
    course: Course,
    world: World,
    rng: Pcg64Mcg,
    cycles: u32,
    /// S without the part of complexity that growth keeps up; the other components of X stand in `now`.
    reactive_s: f64,
    /// Exponential means over [`TREND_CYCLES`] of P and C_L4: the distance from them is the change per 100 cycles.
    lagged: [f64; 2],
    lyapunov: LyapunovCount,
    seof_first: f64,
    max_c_l4: f64,
    min_iis: f64,
    max_uncertainty: f64,
    spent: [f64; MAX_RESOURCES],
    broken: Broken,
}

impl Rollout {
    /// Copies the state and draws where the trajectory starts; everything goes on as it is. `rng` is the rollout's own.
    pub fn start(
        state: &DecisionState,
        dynamics: &Dynamics,
        source: &impl Trajectories,
        rng: Pcg64Mcg,
    ) -> Result<Self, LookaheadError> {
        Self::start_on(&Course::AS_TODAY, state, dynamics, source, rng)
    }

    /// The same, on a course of action.
    pub fn start_on(
        course: &Course,
        state: &DecisionState,
        dynamics: &Dynamics,
        source: &impl Trajectories,
        mut rng: Pcg64Mcg,
    ) -> Result<Self, LookaheadError> {
        course.check()?;
        state.check()?;
        dynamics.check()?;
        let world = World::draw(source, course.spread, &mut rng)?;
        let [s, _, iis, uncertainty, _] = state.x;
        let mut rollout = Self {
            now: *state,
            first: *state,
            dynamics: *dynamics,
            course: *course,
            world,
            rng,
            cycles: 0,
            reactive_s: (s + state.growth_complexity).min(1.0),
            lagged: [0.0; 2],
            lyapunov: LyapunovCount::default(),
            seof_first: 0.0,
            max_c_l4: 1.0 - s,
            min_iis: iis,
            max_uncertainty: uncertainty,
            spent: [0.0; MAX_RESOURCES],
            broken: Broken::default(),
        };
        rollout.lagged = [rollout.performance() - state.trends[0], 1.0 - s - state.trends[1]];
        rollout.seof_first = rollout.seof();
        if dynamics.rho >= MAX_RHO {
            rollout.broken.insert(Invariant::Spectral);
        }
        Ok(rollout)
    }

    /// Looks `cycles` further ahead, up to [`MAX_CYCLES`] in all.
    pub fn advance(&mut self, cycles: u32, budget: &dyn Budget) -> Result<(), LookaheadError> {
        let found = self.cycles.saturating_add(cycles);
        if found > MAX_CYCLES {
            return Err(LookaheadError::Count {
                what: "cycles",
                found,
                most: MAX_CYCLES,
            });
        }
        while self.cycles < found {
            if self.cycles.is_multiple_of(BUDGET_CYCLES) {
                budget.check()?;
            }
            self.step();
        }
        Ok(())
    }

    /// What came of it so far.
    pub fn report(&self) -> LookaheadReport {
        let goals = self.now.goals.iter().flatten();
        let (complete, count) = goals.fold((0.0, 0.0), |(done, n), goal| {
            (done + f64::from(u8::from(goal.progress >= 1.0)), n + 1.0)
        });
        LookaheadReport {
            cycles: self.cycles,
            seof_first: self.seof_first,
            seof_last: self.seof(),
            max_c_l4: self.max_c_l4,
            min_iis: self.min_iis,
            max_uncertainty: self.max_uncertainty,
            max_rho: self.dynamics.rho,
            final_cdi: self.diversity(),
            goal_completion: (count > 0.0).then(|| complete / count),
            spent: self.spent,
            broken: self.broken,
            cascade_depth: self.cascade_depth(),
        }
    }

    /// How far each goal is.
    pub fn goal_progress(&self) -> [Option<f64>; MAX_GOALS] {
        self.now.goals.map(|goal| goal.map(|goal| goal.progress))
    }

    fn step(&mut self) {
        self.cycles += 1;
        let seen = self.world.step(&mut self.rng);
        self.move_state(&seen);
        self.move_performance(&seen);
        self.move_goals();
        self.watch(seen.eu);
    }

    /// X and C_L4.
    fn move_state(&mut self, seen: &Seen) {
        let Dynamics {
            rest,
            jacobian,
            response,
            usual_surprise,
            noise_sd,
            ..
        } = &self.dynamics;
        let mut departure = self.now.x;
        departure[0] = self.reactive_s;
        for (level, rest) in departure.iter_mut().zip(rest) {
            *level -= rest;
        }
        let push = seen.surprise.map_or(0.0, |surprise| surprise - usual_surprise);
        let expansion = self.expansion();
        for c in 0..5 {
            // S itself is looked at without what expansion adds to C_L4; the others answer to it as it is.
            if c == 1 {
                departure[0] -= expansion;
            }
            let pull: f64 = jacobian[c].iter().zip(&departure).map(|(j, x)| j * x).sum();
            let noise = noise_sd[c] * self.rng.sample::<f64, _>(StandardNormal);
            self.now.x[c] = (rest[c] + pull + response[c] * push + noise).clamp(0.0, 1.0);
        }
        self.reactive_s = self.now.x[0];
        let passed = (f64::from(self.cycles) / GROWTH_CYCLES).min(1.0);
        self.now.growth_complexity = self.first.growth_complexity * (1.0 - passed);
        let mutation = MUTATION_WEIGHT * self.course.exploration * passed;
        self.now.x[0] = (self.reactive_s - self.now.growth_complexity - expansion - mutation).clamp(0.0, 1.0);
        self.now.x[3] = self.now.x[3].max(seen.blind_share);
    }

    /// What the course adds to C_L4 in this cycle by what the agent gives itself.
    fn expansion(&self) -> f64 {
        if f64::from(self.cycles) <= GROWTH_CYCLES {
            EXPANSION_WEIGHT * self.course.expansion
        } else {
            0.0
        }
    }

    fn move_performance(&mut self, seen: &Seen) {
        let usual_surprise = self.dynamics.usual_surprise;
        for (domain, surprise) in self.now.domains.iter_mut().zip(&seen.by_domain) {
            let Some(domain) = domain else { break };
            let excess = surprise.map_or(0.0, |surprise| surprise - usual_surprise);
            let found = EXPLORATION_GAIN * self.course.exploration * (1.0 - domain.usual);
            let reached = (domain.usual + found - domain.sensitivity * excess).clamp(0.0, 1.0);
            domain.performance += (reached - domain.performance) / TREND_CYCLES;
        }
        let levels = [self.performance(), 1.0 - self.now.x[0]];
        for (lagged, level) in self.lagged.iter_mut().zip(levels) {
            *lagged += (level - *lagged) / TREND_CYCLES;
        }
    }

    fn move_goals(&mut self) {
        let mut used = [0.0; MAX_RESOURCES];
        for (used, resource) in used.iter_mut().zip(&self.now.resources) {
            *used = resource.map_or(0.0, |resource| self.scaled(resource.base_per_cycle));
        }
        let complete = self.complete_goals();
        let mut places = self.course.parallel_goals;
        if 1.0 - self.now.x[0] >= self.course.risk_cap {
            places = 0;
        }
        for index in 0..MAX_GOALS {
            let Some(goal) = self.now.goals[index] else { continue };
            if places == 0 || goal.progress >= 1.0 || goal.depends_on & !complete != 0 {
                continue;
            }
            let domain = self.now.domains[usize::from(goal.domain)];
            let pace = self.course.pace(domain.map_or(1.0, |domain| domain.performance));
            let weight = pace * self.course.consumption;
            if self.lacks_resource(&goal.cost_per_cycle, weight, &used) {
                continue;
            }
            places -= 1;
            for (used, cost) in used.iter_mut().zip(&goal.cost_per_cycle) {
                *used += weight * cost;
            }
            let progress = goal.progress + pace * goal.rate_per_cycle * self.relative_performance(goal.domain);
            self.now.goals[index] = Some(super::Goal {
                progress: progress.min(1.0),
                ..goal
            });
        }
        for ((resource, used), spent) in self.now.resources.iter_mut().zip(used).zip(&mut self.spent) {
            let Some(resource) = resource else { continue };
            let used = used.min(resource.level);
            resource.level -= used;
            *spent += used;
        }
    }

    /// A bit for each goal that is complete.
    fn complete_goals(&self) -> u8 {
        let goals = self.now.goals.iter().enumerate();
        goals.fold(0, |bits, (i, goal)| {
            if goal.is_some_and(|g| g.progress >= 1.0) {
                bits | 1 << i
            } else {
                bits
            }
        })
    }

    /// What a resource loses of itself, in the scenario; one that is renewed is renewed as ever.
    fn scaled(&self, base_per_cycle: f64) -> f64 {
        if base_per_cycle > 0.0 {
            base_per_cycle * self.course.consumption
        } else {
            base_per_cycle
        }
    }

    /// A resource that it needs is used up, or would fall below what is held back of it, what is used in this cycle
    /// already counted in.
    fn lacks_resource(&self, cost_per_cycle: &[f64; MAX_RESOURCES], weight: f64, used: &[f64; MAX_RESOURCES]) -> bool {
        (0..MAX_RESOURCES).any(|index| {
            let cost = weight * cost_per_cycle[index];
            let lacks = |resource: super::ResourceState| {
                let first = self.first.resources[index].map_or(0.0, |first| first.level);
                let held_back = self.course.reserve_share * first;
                let left = if held_back > 0.0 {
                    resource.level - used[index]
                } else {
                    resource.level
                };
                left < cost + held_back
            };
            cost > 0.0 && self.now.resources[index].is_none_or(lacks)
        })
    }

    /// Performance of a domain relative to today's; 1 if there was none to compare with.
    fn relative_performance(&self, domain: u8) -> f64 {
        let of = |state: &DecisionState| state.domains[usize::from(domain)].map_or(0.0, |domain| domain.performance);
        let today = of(&self.first);
        if today > 0.0 { of(&self.now) / today } else { 1.0 }
    }

    /// Extremes and invariants.
    fn watch(&mut self, eu: f64) {
        let [s, _, iis, uncertainty, _] = self.now.x;
        self.max_c_l4 = self.max_c_l4.max(1.0 - s);
        self.min_iis = self.min_iis.min(iis);
        self.max_uncertainty = self.max_uncertainty.max(uncertainty);
        if self.lyapunov.exceeded_by(lyapunov(&self.now.x)) {
            self.broken.insert(Invariant::Lyapunov);
        }
        if iis < MIN_IIS {
            self.broken.insert(Invariant::Identity);
        }
        if self.now.structural_pending && eu >= MAX_EU {
            self.broken.insert(Invariant::Uncertainty);
        }
    }

    /// P(t): mean over domains; 0 without any.
    fn performance(&self) -> f64 {
        let performances = self
            .now
            .domains
            .iter()
            .map_while(|domain| domain.map(|domain| domain.performance));
        let (sum, count) = performances.fold((0.0, 0.0), |(sum, n), performance| (sum + performance, n + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }

    fn diversity(&self) -> f64 {
        diversity(
            self.now
                .domains
                .iter()
                .map_while(|domain| domain.map(|domain| domain.performance)),
        )
    }

    fn seof(&self) -> f64 {
        let terms = SeofTerms {
            performance_trend: self.performance() - self.lagged[0],
            complexity_trend: 1.0 - self.now.x[0] - self.lagged[1],
            diversity: self.diversity(),
            integrity: self.now.x[2],
            oscillation: self.now.oscillation,
        };
        seof_by(&self.course.objective, &terms)
    }

    fn cascade_depth(&self) -> u8 {
        let fallen: [bool; MAX_RESOURCES] = std::array::from_fn(|r| {
            let (Some(first), Some(now)) = (self.first.resources[r], self.now.resources[r]) else {
                return false;
            };
            first.level >= first.warning_level && now.level < now.warning_level
        });
        if !fallen.contains(&true) {
            return 0;
        }
        let mut depth = [0_u8; MAX_GOALS];
        // A chain has at most as many links as there are goals; a circle of goals stops there too.
        for _ in 0..MAX_GOALS {
            for index in 0..MAX_GOALS {
                let Some(goal) = self.now.goals[index].filter(|goal| goal.progress < 1.0) else {
                    continue;
                };
                let direct = goal
                    .cost_per_cycle
                    .iter()
                    .zip(fallen)
                    .any(|(cost, fallen)| fallen && *cost > 0.0);
                let above = (0..MAX_GOALS)
                    .filter(|i| goal.depends_on & (1 << i) != 0)
                    .map(|i| depth[i])
                    .max();
                let below = if direct { 1 } else { 0 }.max(above.unwrap_or(0));
                if below > 0 {
                    depth[index] = (below + 1).min(MAX_GOALS as u8 + 1);
                }
            }
        }
        depth.into_iter().max().unwrap_or(0).max(1)
    }
}
