//! Comparison of strategies over scenarios (MSCP Level 4.8, Definition 7 and section 8.3).
//!
//! Score = 0.40 EV + 0.35 RA + 0.25 (1 - SI). EV is the expected change of SEOF, rescaled to [0, 1] across the candidates
//! (0.5 for all where all are equal); RA is 1 - the largest C_L4 in any scenario. Of two within 0.05 the one whose value
//! at risk is higher is selected. Conditional value at risk is told beside it: it is coherent, value at risk is not.

use super::strategy::{Archetype, Strategy};
use serde::{Deserialize, Serialize};

/// Most candidates of one comparison.
pub const MAX_CANDIDATES: usize = 7;
/// Weights of Definition 7: EV, RA, 1 - SI.
const WEIGHTS: [f64; 3] = [0.40, 0.35, 0.25];
/// Two scores closer than this are a tie.
pub const TIE: f64 = 0.05;
/// Share of outcomes that value at risk leaves below.
const ALPHA: f64 = 0.05;
/// A strategy is robust in a scenario if it is within this share of the best there.
const ROBUST_SHARE: f64 = 0.10;
/// Change of SEOF in [-1, 1] that counts for an outcome which is not a number.
const WORST_IMPACT: f64 = -2.0;

/// What a strategy comes to in one scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// SEOF at the end less SEOF today, in [-2, 2].
    pub seof_impact: f64,
    /// Largest C_L4 on the way, in [0, 1].
    pub max_c_l4: f64,
    /// Share of the goals that are complete at the end; 0 without goals.
    pub goal_progress: f64,
    /// What was used up of the resource that was used up most, as a share of what there was, in [0, 1].
    pub resource_cost: f64,
}

impl Outcome {
    /// With the worst in place of what is not a number.
    fn sound(&self) -> Self {
        let or = |value: f64, worst: f64, low: f64, high: f64| {
            if value.is_nan() { worst } else { value.clamp(low, high) }
        };
        Self {
            seof_impact: or(self.seof_impact, WORST_IMPACT, WORST_IMPACT, 2.0),
            max_c_l4: or(self.max_c_l4, 1.0, 0.0, 1.0),
            goal_progress: or(self.goal_progress, 0.0, 0.0, 1.0),
            resource_cost: or(self.resource_cost, 1.0, 0.0, 1.0),
        }
    }
}

/// A candidate with what it comes to in each scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What sort of strategy it is.
    pub archetype: Archetype,
    /// The strategy.
    pub strategy: Strategy,
    /// One per scenario.
    pub outcomes: Vec<Outcome>,
}

/// A candidate with its score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// What sort of strategy it is.
    pub archetype: Archetype,
    /// The strategy.
    pub strategy: Strategy,
    /// EV, rescaled, in [0, 1].
    pub expected: f64,
    /// RA, in [0, 1].
    pub risk_adjustment: f64,
    /// SI, in [0, 1].
    pub inertia: f64,
    /// The score, in [0, 1].
    pub score: f64,
    /// Value at risk: the 5 % quantile of the change of SEOF over the scenarios, equally weighed, as the seed has it.
    pub value_at_risk: f64,
    /// Mean of the outcomes that are not above it.
    pub conditional_value_at_risk: f64,
    /// Expected share of goals complete at the end.
    pub goal_progress: f64,
    /// Expected share of the scarcest resource used up.
    pub resource_cost: f64,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The candidates, the highest score first.
    pub ranked: Vec<Scored>,
    /// Which of them is selected: 0, or 1 after a tie; `None` without candidates.
    pub selected: Option<u8>,
    /// Share of the scenarios in which the selected one is within 10 % of the best.
    pub robustness: Option<f64>,
}

impl Comparison {
    /// The selected strategy.
    pub fn selected(&self) -> Option<&Scored> {
        self.selected.and_then(|index| self.ranked.get(usize::from(index)))
    }
}

/// Compares candidates, of which the first [`MAX_CANDIDATES`] count, over scenarios of these probabilities (any scale).
/// A row without an outcome for each scenario counts the worst for it.
pub fn compare(rows: &[Row], probabilities: &[f64], current: &Strategy) -> Comparison {
    let rows = &rows[..rows.len().min(MAX_CANDIDATES)];
    let weights = normalised(probabilities);
    let table: Vec<Vec<Outcome>> = rows.iter().map(|row| outcomes(row, weights.len())).collect();
    let expected: Vec<f64> = table
        .iter()
        .map(|row| mean_of(row, &weights, |o| o.seof_impact))
        .collect();
    let rescaled = rescale(&expected);
    let mut scored: Vec<(usize, Scored)> = rows
        .iter()
        .zip(&table)
        .zip(rescaled)
        .map(|((row, outcomes), expected)| score(row, outcomes, expected, &weights, current))
        .enumerate()
        .collect();
    // A stable sort: of equal scores the one that was named first stays first.
    scored.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
    let selected = select(&scored);
    let robustness = selected.and_then(|place| robustness(scored[place].0, rows, &table, current));
    Comparison {
        ranked: scored.into_iter().map(|(_, scored)| scored).collect(),
        selected: selected.map(|place| place as u8),
        robustness,
    }
}

fn select(ranked: &[(usize, Scored)]) -> Option<usize> {
    selected_of(ranked.iter().map(|(_, scored)| (scored.score, scored.value_at_risk)))
}

/// Of scores in falling order, each with its value at risk.
fn selected_of(mut ranked: impl Iterator<Item = (f64, f64)>) -> Option<usize> {
    let first = ranked.next()?;
    let tied = ranked.next().filter(|second| first.0 - second.0 < TIE);
    Some(tied.map_or(0, |second| usize::from(second.1 > first.1)))
}

/// The strategy that is selected where EV, RA and 1 - SI weigh so; `None` without candidates.
pub fn preferred(ranked: &[Scored], weights: &[f64; 3]) -> Option<Strategy> {
    let score = |scored: &Scored| {
        weights[0] * scored.expected + weights[1] * scored.risk_adjustment + weights[2] * (1.0 - scored.inertia)
    };
    let mut ranked: Vec<(f64, &Scored)> = ranked.iter().map(|scored| (score(scored), scored)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let place = selected_of(ranked.iter().map(|(score, scored)| (*score, scored.value_at_risk)))?;
    Some(ranked[place].1.strategy)
}

fn outcomes(row: &Row, scenarios: usize) -> Vec<Outcome> {
    let missing = Outcome {
        seof_impact: f64::NAN,
        max_c_l4: f64::NAN,
        goal_progress: f64::NAN,
        resource_cost: f64::NAN,
    };
    (0..scenarios)
        .map(|index| row.outcomes.get(index).unwrap_or(&missing).sound())
        .collect()
}

fn score(row: &Row, outcomes: &[Outcome], expected: f64, weights: &[f64], current: &Strategy) -> Scored {
    let worst = outcomes.iter().map(|outcome| outcome.max_c_l4).fold(0.0, f64::max);
    let (risk_adjustment, inertia) = (1.0 - worst, row.strategy.inertia(current));
    let mut impacts: Vec<f64> = outcomes.iter().map(|outcome| outcome.seof_impact).collect();
    impacts.sort_by(f64::total_cmp);
    let value_at_risk = quantile(&impacts, ALPHA);
    Scored {
        archetype: row.archetype,
        strategy: row.strategy,
        expected,
        risk_adjustment,
        inertia,
        score: weigh(expected, risk_adjustment, inertia),
        value_at_risk,
        conditional_value_at_risk: tail_mean(&impacts, value_at_risk),
        goal_progress: mean_of(outcomes, weights, |outcome| outcome.goal_progress),
        resource_cost: mean_of(outcomes, weights, |outcome| outcome.resource_cost),
    }
}

/// StrategyScore = 0.40 EV + 0.35 RA + 0.25 (1 - SI) (Definition 7).
pub fn weigh(expected: f64, risk_adjustment: f64, inertia: f64) -> f64 {
    WEIGHTS[0] * expected + WEIGHTS[1] * risk_adjustment + WEIGHTS[2] * (1.0 - inertia)
}

/// The probabilities as shares; equal ones where they are none.
fn normalised(probabilities: &[f64]) -> Vec<f64> {
    let sound = |p: &f64| if p.is_finite() { p.max(0.0) } else { 0.0 };
    let total: f64 = probabilities.iter().map(sound).sum();
    let equal = 1.0 / probabilities.len().max(1) as f64;
    let share = |p: &f64| if total > 0.0 { sound(p) / total } else { equal };
    probabilities.iter().map(share).collect()
}

fn mean_of(outcomes: &[Outcome], weights: &[f64], of: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes
        .iter()
        .zip(weights)
        .map(|(outcome, weight)| weight * of(outcome))
        .sum()
}

/// To [0, 1] by the least and the greatest of them; 0.5 where these are one.
fn rescale(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = high - low;
    let one = |value: &f64| if spread > 0.0 { (value - low) / spread } else { 0.5 };
    values.iter().map(one).collect()
}

/// The quantile of sorted values, between two of them in a straight line; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = share * last as f64;
    let (below, above) = (at.floor() as usize, (at.ceil() as usize).min(last));
    sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below])
}

/// E[X | X <= limit]; the least value is never above a quantile, so there is one.
fn tail_mean(sorted: &[f64], limit: f64) -> f64 {
    let tail = sorted.iter().take_while(|value| **value <= limit);
    let (sum, count) = tail.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { limit }
}

/// Share of the scenarios in which the row's score is within 10 % of the best, each scenario scored for itself.
fn robustness(chosen: usize, rows: &[Row], table: &[Vec<Outcome>], current: &Strategy) -> Option<f64> {
    let scenarios = table.first().map_or(0, Vec::len);
    let within = (0..scenarios).filter(|scenario| {
        let impacts: Vec<f64> = table.iter().map(|row| row[*scenario].seof_impact).collect();
        let scores: Vec<f64> = rescale(&impacts)
            .into_iter()
            .zip(rows)
            .zip(table)
            .map(|((expected, row), outcomes)| {
                let risk_adjustment = 1.0 - outcomes[*scenario].max_c_l4;
                weigh(expected, risk_adjustment, row.strategy.inertia(current))
            })
            .collect();
        let best = scores.iter().copied().fold(0.0, f64::max);
        scores[chosen] >= (1.0 - ROBUST_SHARE) * best
    });
    (scenarios > 0).then(|| within.count() as f64 / scenarios as f64)
}

#[cfg(test)]
mod tests;
