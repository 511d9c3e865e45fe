//! What to do next: the decision of the kernel, a value computed from what it believes and from what the level above
//! advises.
//!
//! Each action has a value: what it would change for the better, less what it costs. Holding has the value 0. The
//! uncertainty that values are made of is the kernel's own, blended with the advised one by the advice's weight: 0, a
//! half, or 1. Candidates within [`TIE`] of the best are ordered by affect. With the exploration rate as probability, one
//! of the actions that are better than holding is taken at random instead of the best.

use super::action::{Action, Available, Forecaster, PeriodChange};
use super::affect::Affect;
use super::environment::{Environment, MIN_EVIDENCE, OUT_OF_SIGHT};
use super::habits::Habits;
use super::input::Heeded;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// Values closer than this are equal.
pub const TIE: f64 = 0.01;
/// What sampling a group faster costs, and how much more each step that it already is above its nominal rate.
const FASTER_COST: f64 = 0.10;
const FASTER_STEP_COST: f64 = 0.05;
/// What sampling a group slower costs.
const SLOWER_COST: f64 = 0.10;
/// Share of the error that another forecaster must save.
const SWITCH_COST: f64 = 0.10;
/// Share of surprises among the last 20 observations that an incident must exceed.
const INCIDENT_COST: f64 = 0.15;
/// What the call for a person adds to an incident's value at the deepest reflection.
const CALL_VALUE: f64 = 0.5;
/// Value of clearing an incident that is over.
const CLEAR_VALUE: f64 = 0.2;
/// What a question to a peer costs.
const ASK_COST: f64 = 0.1;
/// What a change of period costs, and what going back to the nominal one is worth.
const PERIOD_COST: f64 = 0.10;
const PERIOD_RETURN_VALUE: f64 = 0.10;
/// Share of its own quota from which the agent counts as overloaded, and from which as loaded.
const OVERLOAD_FROM: f64 = 0.7;
const LOAD_FROM: f64 = 0.5;
/// Share of the agent's own quota below which the period may go back: the shorter one costs twice as much, and that
/// must stay below the share from which a longer one pays, or the period would go to and fro.
const PERIOD_RETURN_BELOW: f64 = 0.35;

/// An action and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The action.
    pub action: Action,
    /// Its value; holding is 0.
    pub value: f64,
}

/// All that a decision is made of.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The cycle.
    pub cycle: u64,
    /// What is believed.
    pub environment: &'a Environment,
    /// What was done lately.
    pub habits: &'a Habits,
    /// What can be done.
    pub available: &'a Available,
    /// What is advised.
    pub heeded: Heeded<'a>,
    /// Use of the agent's own processor quota, as a share of it: what sampling costs and a longer period spares. How full
    /// the machine's disks and memory are is observed, and no sampling changes it.
    pub quota_share: f64,
    /// Structural change is permitted by the floor and, as far as it counts, by the level above.
    pub structural: bool,
    /// The kernel reflects at its deepest level and asks for a person.
    pub calls_for_help: bool,
}

/// What is known about one group.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct View {
    /// Expected variance of the belief just before the next sample, own and advised blended, in [0, 1].
    uncertainty: f64,
    /// How much of that a sample at half the interval would save, in [0, 1]: 4 phi (1 - phi), for the share
    /// that is not noise. Neither white noise nor what hardly moves gains anything, nor what has not been watched for
    /// long.
    gain: f64,
    /// How much would be lost at twice the interval, in [0, 1]: 4 phi^2 (1 - phi^2), of the same
    /// share.
    loss: f64,
    /// Share of surprises among the last 20 observations.
    surprise: f64,
    /// Share of dimensions out of sight.
    out_of_sight: f64,
}

impl Situation<'_> {
    /// Lists what can be done and is worth more than holding, and holding.
    pub fn candidates(&self, into: &mut Vec<Candidate>) {
        into.clear();
        into.push(Candidate {
            action: Action::Hold,
            value: 0.0,
        });
        let mut add = |action: Action, value: f64| {
            let open = self.structural || !action.kind().is_structural();
            if open && value > 0.0 && self.habits.rested(action, self.cycle) {
                into.push(Candidate { action, value });
            }
        };
        for group in 0..self.environment.group_count() as u16 {
            let view = self.view(group);
            self.sampling(group, &view, &mut add);
            if let Some((to, saved)) = self.better_forecaster(group) {
                add(Action::SwitchForecaster { group, to }, saved - SWITCH_COST);
            }
            self.speaking(group, &view, &mut add);
        }
        self.period(&mut add);
    }

    fn sampling(&self, group: u16, view: &View, add: &mut impl FnMut(Action, f64)) {
        let steps = f64::from(self.habits.sampling_steps(group).max(0));
        let risk = (1.0 - self.heeded.weight) * view.surprise + self.heeded.weight * self.heeded.risk;
        if self.available.faster.contains(group) {
            let cost = FASTER_COST * (1.0 + 2.0 * overload(self.quota_share)) + FASTER_STEP_COST * steps;
            add(
                Action::SampleFaster { group },
                0.5 * view.uncertainty * view.gain * (1.0 + risk) - cost,
            );
        }
        if self.available.slower.contains(group) {
            let load = share_from(LOAD_FROM, self.quota_share);
            let spared = 0.5 * load * (1.0 - view.uncertainty) * (1.0 - view.loss);
            let relaxed = if steps > 0.0 {
                0.2 * (1.0 - view.uncertainty) * (1.0 - view.gain)
            } else {
                0.0
            };
            add(Action::SampleSlower { group }, spared + relaxed - SLOWER_COST);
        }
    }

    /// The comparison looks at every forecaster of every dimension, so it is made only where it can have an effect.
    fn better_forecaster(&self, group: u16) -> Option<(Forecaster, f64)> {
        let any = Action::SwitchForecaster {
            group,
            to: Forecaster::default(),
        };
        let open = self.structural && self.habits.rested(any, self.cycle);
        open.then(|| self.environment.better_forecaster(group)).flatten()
    }

    fn speaking(&self, group: u16, view: &View, add: &mut impl FnMut(Action, f64)) {
        if self.available.incidents {
            match self.habits.incident() {
                None => {
                    let call = if self.calls_for_help { CALL_VALUE } else { 0.0 };
                    let surprise = view.surprise * (1.0 + self.heeded.weight * self.heeded.risk);
                    add(Action::RaiseIncident { group }, surprise + call - INCIDENT_COST);
                }
                Some(open) if open == group && view.surprise == 0.0 && !self.calls_for_help => {
                    add(Action::ClearIncident, CLEAR_VALUE);
                }
                Some(_) => {}
            }
        }
        if self.available.peers {
            add(
                Action::AskPeer { group },
                0.5 * view.uncertainty * view.out_of_sight - ASK_COST,
            );
        }
    }

    /// The period answers to what is the agent's own: cycles that it missed, and its quota.
    fn period(&self, add: &mut impl FnMut(Action, f64)) {
        let late = self.habits.late_share();
        if self.available.longer_period {
            let value = late + 0.5 * overload(self.quota_share) - PERIOD_COST;
            add(
                Action::ChangePeriod {
                    change: PeriodChange::Longer,
                },
                value,
            );
        }
        let stretched = self.habits.period_steps() > 0;
        if self.available.shorter_period && stretched && late == 0.0 && self.quota_share < PERIOD_RETURN_BELOW {
            add(
                Action::ChangePeriod {
                    change: PeriodChange::Shorter,
                },
                PERIOD_RETURN_VALUE,
            );
        }
    }

    fn view(&self, group: u16) -> View {
        let (mut view, mut advised, mut count) = (View::default(), 0.0, 0.0);
        for (d, dimension) in self.environment.members(group) {
            count += 1.0;
            let overdue = dimension.overdue(self.cycle);
            view.uncertainty += dimension.uncertainty_at_next(self.cycle);
            if let Some(process) = dimension
                .process()
                .filter(|_| dimension.forecast_count() >= MIN_EVIDENCE)
            {
                let squared = process.phi * process.phi;
                let signal = process.certainty * process.variance / (process.variance + process.noise);
                view.gain += 4.0 * process.phi * (1.0 - process.phi) * signal;
                view.loss += 4.0 * squared * (1.0 - squared) * signal;
            }
            view.surprise += dimension.surprise();
            view.out_of_sight += f64::from(u8::from(overdue >= OUT_OF_SIGHT));
            advised += self
                .heeded
                .variance
                .get(d)
                .copied()
                .filter(|v| v.is_finite())
                .unwrap_or(1.0)
                .clamp(0.0, 1.0);
        }
        if count == 0.0 {
            return view;
        }
        let weight = if self.heeded.variance.is_empty() {
            0.0
        } else {
            self.heeded.weight
        };
        View {
            uncertainty: ((1.0 - weight) * view.uncertainty + weight * advised) / count,
            gain: view.gain / count,
            loss: view.loss / count,
            surprise: view.surprise / count,
            out_of_sight: view.out_of_sight / count,
        }
    }
}

/// How far the share of the quota is over the limit from which it counts as overload, in [0, 1].
fn overload(share: f64) -> f64 {
    share_from(OVERLOAD_FROM, share)
}

/// How far a share has come from a limit to 1, in [0, 1]; one that is not a number counts as the worst.
fn share_from(limit: f64, share: f64) -> f64 {
    if share.is_nan() {
        return 1.0;
    }
    ((share - limit) / (1.0 - limit)).clamp(0.0, 1.0)
}

/// Takes the next candidate out of the list: the best, ties ordered by affect and then by the actions' own order.
/// `None` when none is left.
pub fn take_best(candidates: &mut Vec<Candidate>, affect: &Affect) -> Option<Action> {
    let best = candidates.iter().map(|c| c.value).reduce(f64::max)?;
    let rank = |c: &Candidate| (affect.leaning(c.action.kind()), std::cmp::Reverse(c.action));
    let chosen = candidates
        .iter()
        .enumerate()
        .filter(|(_, c)| c.value > best - TIE)
        .reduce(|a, b| {
            let ((lean_a, order_a), (lean_b, order_b)) = (rank(a.1), rank(b.1));
            if lean_b.total_cmp(&lean_a).then(order_b.cmp(&order_a)).is_gt() {
                b
            } else {
                a
            }
        })?
        .0;
    Some(candidates.swap_remove(chosen).action)
}

/// With probability `rate`, takes one of the candidates that are better than holding at random. Draws from `rng` exactly
/// once per call, and once more when it explores.
pub fn take_exploring(candidates: &mut Vec<Candidate>, rate: f64, rng: &mut Pcg64Mcg) -> Option<Action> {
    let explores = rng.random::<f64>() < rate;
    let better = candidates.iter().filter(|c| c.value > TIE).count();
    if !explores || better == 0 {
        return None;
    }
    let nth = rng.random_range(0..better);
    let index = candidates.iter().enumerate().filter(|(_, c)| c.value > TIE).nth(nth)?.0;
    Some(candidates.swap_remove(index).action)
}

#[cfg(test)]
mod tests;
