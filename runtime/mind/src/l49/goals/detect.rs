//! Opportunity detection (MSCP Level 4.9, section 9.1): three streams, and the sources of the other three origins.

use super::signal::Signal;
use crate::goals::GoalRecord;
use crate::l48::introspect::gap::Demand;
use crate::l48::plan::SkillSight;
use crate::l48::scenario;
use crate::l49::ahead::{cosine, scaled, served};
use crate::l49::below::Below;
use crate::l49::resources::{Survival, SurvivalState};
use crate::l49::values::{DIMENSIONS, ValueDimension, ValueVector};
use crate::numeric::history::History;
use rungs_types::SkillName;
use serde::{Deserialize, Serialize};

/// Probability of the Optimistic scenario that must be exceeded (section 9.1).
pub const MIN_PROBABILITY: f64 = 0.30;
/// Gain of SEOF that must be exceeded (section 9.1, `OPPORTUNITY_THRESHOLD`).
pub const MIN_GAIN: f64 = 0.05;
/// For how long an opportunity is taken to last: the operational horizon, in cycles.
pub const OPPORTUNITY_CYCLES: u32 = 200;
/// Magnitude of a gap that must be exceeded (section 9.1).
pub const GAP_MAGNITUDE: f64 = 0.25;
/// Cycles to the need below which a gap counts (section 9.1).
pub const GAP_TIME_TO_NEED_CYCLES: u64 = 200;
/// A goal is to succeed as likely as not: each of k skills needs the k-th root of this confidence.
pub const NEEDED_CHANCE: f64 = 0.5;
/// Alignment with the purpose below which it has drifted (section 9.1).
pub const PURPOSE_ALIGNMENT: f64 = 0.80;
/// Mean alignment of the goals for a value below which it is neglected.
pub const NEGLECT_ALIGNMENT: f64 = 0.70;
/// For so many cycles.
pub const NEGLECT_CYCLES: u64 = 200;
/// Share of what a group's uncertainty was that must be below what it is: its top decile.
pub const EXPLORATORY_DECILE: f64 = 0.90;
/// Samples of it that tell a decile.
pub const DECILE_SAMPLES: usize = 20;
/// Samples remembered of each group.
const MAX_SAMPLES: usize = 100;
/// Most groups whose uncertainty is remembered.
const MAX_GROUPS: usize = 64;
/// Confidence in a skill of which nothing is known.
const UNKNOWN_CONFIDENCE: f64 = 0.5;

/// What is seen.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// What the levels below say.
    pub below: &'a Below,
    /// The values in force.
    pub values: &'a ValueVector,
    /// For how long resources last.
    pub survival: &'a Survival,
    /// What the Optimistic scenario yields of SEOF over the opportunity, as a share of the most that SEOF can be at rest;
    /// `None` while nothing can be looked ahead.
    pub gain: Option<f64>,
}

/// What detection remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    /// Since when the goals of each value dimension have been badly aligned.
    neglected_since: [Option<u64>; DIMENSIONS],
    /// Uncertainty of each group at the last passes.
    uncertainty: Vec<History<f64>>,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            neglected_since: [None; DIMENSIONS],
            uncertainty: Vec::new(),
        }
    }
}

impl Detector {
    /// What was stored is what a detector can have come to.
    pub fn is_valid(&self) -> bool {
        let sane = |history: &History<f64>| {
            history.capacity() == MAX_SAMPLES && history.iter().all(|value| value.is_finite() && value >= 0.0)
        };
        self.uncertainty.len() <= MAX_GROUPS && self.uncertainty.iter().all(sane)
    }

    /// What is worth a goal, in the order of need: shortage first, then gaps, purpose, values, opportunity, curiosity.
    pub fn detect(&self, at: &Surroundings<'_>) -> Vec<Signal> {
        let mut signals: Vec<Signal> = shortage(at).into_iter().collect();
        signals.extend(gaps(at.below));
        signals.extend(realignments(at.below));
        signals.extend(self.neglected(at));
        signals.extend(opportunity(at));
        signals.extend(self.curiosity(at));
        signals
    }

    /// Takes a pass in.
    pub fn note(&mut self, at: &Surroundings<'_>) {
        let cycle = at.below.cycle();
        let alignments = value_alignments(at.below, at.values);
        for (since, alignment) in self.neglected_since.iter_mut().zip(alignments) {
            let low = alignment.is_some_and(|alignment| alignment < NEGLECT_ALIGNMENT);
            *since = low.then(|| since.unwrap_or(cycle));
        }
        for (group, variance) in group_variances(at.below) {
            let group = usize::from(group);
            if group >= MAX_GROUPS {
                continue;
            }
            while self.uncertainty.len() <= group {
                self.uncertainty.push(History::new(MAX_SAMPLES));
            }
            self.uncertainty[group].push(variance);
        }
    }

    fn neglected(&self, at: &Surroundings<'_>) -> Vec<Signal> {
        let cycle = at.below.cycle();
        let alignments = value_alignments(at.below, at.values);
        let each = ValueDimension::ALL.into_iter().zip(alignments);
        let found = each.filter_map(|(dimension, alignment)| {
            let alignment = alignment.filter(|alignment| *alignment < NEGLECT_ALIGNMENT)?;
            let cycles = cycle.saturating_sub(self.neglected_since[dimension.index()]?);
            (cycles >= NEGLECT_CYCLES).then_some(Signal::Neglected {
                dimension,
                alignment,
                cycles,
            })
        });
        found.collect()
    }

    /// The group that is the most uncertain beyond its top decile, while resources are Abundant.
    fn curiosity(&self, at: &Surroundings<'_>) -> Option<Signal> {
        if at.survival.state != SurvivalState::Abundant {
            return None;
        }
        let found = group_variances(at.below).into_iter().filter_map(|(group, variance)| {
            let decile = self.decile(group)?;
            (variance > decile).then_some((group, variance, decile))
        });
        let (group, variance, decile) = found.max_by(|a, b| (a.1 - a.2).total_cmp(&(b.1 - b.2)).then(b.0.cmp(&a.0)))?;
        Some(Signal::Curiosity {
            group,
            variance,
            decile,
        })
    }

    fn decile(&self, group: u16) -> Option<f64> {
        let history = self.uncertainty.get(usize::from(group))?;
        if history.len() < DECILE_SAMPLES {
            return None;
        }
        let mut values: Vec<f64> = history.iter().collect();
        values.sort_by(f64::total_cmp);
        let at = (EXPLORATORY_DECILE * values.len() as f64).ceil() as usize;
        values.get(at.max(1) - 1).copied()
    }
}

fn shortage(at: &Surroundings<'_>) -> Option<Signal> {
    let Survival {
        state,
        bottleneck,
        min_survival,
        ..
    } = *at.survival;
    (state >= SurvivalState::Constrained).then_some(Signal::Shortage {
        state,
        bottleneck,
        min_survival,
    })
}

fn opportunity(at: &Surroundings<'_>) -> Option<Signal> {
    let scenarios = &at.below.level48.world.scenarios;
    let optimistic = scenarios
        .iter()
        .find(|scenario| scenario.kind == scenario::Kind::Optimistic)?;
    let (probability, gain) = (optimistic.probability, at.gain?);
    let found = probability > MIN_PROBABILITY && gain > MIN_GAIN && probability <= 1.0 && gain.is_finite();
    found.then_some(Signal::Environmental {
        probability,
        gain,
        window_cycles: OPPORTUNITY_CYCLES,
    })
}

/// The widest gap first; of equals the one needed first.
fn gaps(below: &Below) -> Vec<Signal> {
    let mut found: Vec<(SkillName, f64, u64)> = Vec::new();
    let mut note = |skill: SkillName, magnitude: f64, time_to_need: u64| {
        let known = found.iter_mut().find(|(other, ..)| *other == skill);
        match known {
            Some(known) => {
                known.1 = known.1.max(magnitude);
                known.2 = known.2.min(time_to_need);
            }
            None => found.push((skill, magnitude, time_to_need)),
        }
    };
    for record in below.open.iter().filter(|record| !record.spec.skills.is_empty()) {
        let needed = NEEDED_CHANCE.powf(1.0 / record.spec.skills.len() as f64);
        for skill in &record.spec.skills {
            let confidence = skill_confidence(below, skill).unwrap_or(UNKNOWN_CONFIDENCE);
            note(skill.clone(), needed - confidence, time_to_need(record, below));
        }
    }
    // The watch over each group is needed now.
    for gap in &below.level48.capability.gaps {
        if let (Demand::Watch { .. }, Some(skill)) = (gap.what, gap.weakest) {
            note(skill.name(), NEEDED_CHANCE - gap.feasibility, 0);
        }
    }
    found.retain(|(_, magnitude, needed_in)| *magnitude > GAP_MAGNITUDE && *needed_in < GAP_TIME_TO_NEED_CYCLES);
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)).then(a.0.cmp(&b.0)));
    let signal = |(skill, magnitude, time_to_need)| Signal::CapabilityGap {
        skill,
        magnitude,
        time_to_need,
    };
    found.into_iter().map(signal).collect()
}

/// Cycles until a goal needs its skills: 0 if it can be worked on, else what the goals before it may still take.
fn time_to_need(record: &GoalRecord, below: &Below) -> u64 {
    let unmet = record
        .spec
        .after
        .iter()
        .enumerate()
        .filter(|(index, _)| record.met & (1 << index) == 0);
    let left = unmet.filter_map(|(_, before)| {
        let before = below.open.iter().find(|other| other.spec.goal == *before)?;
        let whole = f64::from(before.spec.tier.horizon_cycles());
        Some((whole * (1.0 - before.progress())) as u64)
    });
    left.max().unwrap_or(0)
}

/// What the purpose reflection of Level 4.5 says, if it has looked at goals: while they are aligned less than they should
/// be, one for each dimension whose goals are out of line, the worst first. Else the level's own estimate.
fn realignments(below: &Below) -> Vec<Signal> {
    let purpose = &below.floor.purpose;
    let Some(score) = purpose.alignment_score else {
        return estimated_realignments(below);
    };
    let out_of_line = ValueDimension::ALL.into_iter().filter_map(|dimension| {
        let alignment = purpose.alignments[dimension.index()]?;
        purpose.misaligned[dimension.index()].then_some((dimension, alignment))
    });
    if score < PURPOSE_ALIGNMENT {
        worst_first(out_of_line.collect())
    } else {
        Vec::new()
    }
}

/// One for each dimension that the goals serve less than the purpose asks; none while the agent has no goals, or they
/// go with its purpose as a whole. The least served first.
fn estimated_realignments(below: &Below) -> Vec<Signal> {
    let Some(together) = together(below) else {
        return Vec::new();
    };
    let purpose = scaled(&below.purpose);
    if cosine(&together, &purpose) >= PURPOSE_ALIGNMENT {
        return Vec::new();
    }
    let each = ValueDimension::ALL.into_iter().filter_map(|dimension| {
        let asked = purpose[dimension.index()];
        let alignment = if asked > 0.0 {
            (together[dimension.index()] / asked).min(1.0)
        } else {
            1.0
        };
        (alignment < PURPOSE_ALIGNMENT).then_some((dimension, alignment))
    });
    worst_first(each.collect())
}

fn worst_first(mut found: Vec<(ValueDimension, f64)>) -> Vec<Signal> {
    found.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let signal = |(dimension, alignment)| Signal::PurposeRealignment { dimension, alignment };
    found.into_iter().map(signal).collect()
}

/// What all open goals serve, each by its share of the budget; `None` of none.
fn together(below: &Below) -> Option<[f64; DIMENSIONS]> {
    let mut sum = [0.0; DIMENSIONS];
    for record in below.open.iter() {
        let served = served(&record.spec, &below.purpose);
        for (sum, served) in sum.iter_mut().zip(served) {
            *sum += record.spec.budget.share * served;
        }
    }
    (!below.open.is_empty()).then(|| scaled(&sum))
}

/// Mean alignment with the values of the open goals that serve each dimension most; `None` where there is no such goal.
fn value_alignments(below: &Below, values: &ValueVector) -> [Option<f64>; DIMENSIONS] {
    let mut sums = [(0.0, 0.0); DIMENSIONS];
    for record in below.open.iter() {
        let served = served(&record.spec, &below.purpose);
        let main = (0..DIMENSIONS).rev().max_by(|a, b| served[*a].total_cmp(&served[*b]));
        if let Some((sum, count)) = main.map(|main| &mut sums[main]) {
            *sum += cosine(&served, values.weights());
            *count += 1.0;
        }
    }
    sums.map(|(sum, count)| (count > 0.0).then(|| sum / count))
}

/// Mean posterior variance of the dimensions of each group, in the order of the groups; those that are not finite are
/// left out.
pub fn group_variances(below: &Below) -> Vec<(u16, f64)> {
    let mut sums: Vec<(u16, f64, f64)> = Vec::new();
    for (group, variance) in below.report.groups.iter().zip(&below.level48.world.variance) {
        if !variance.is_finite() || *variance < 0.0 {
            continue;
        }
        match sums.binary_search_by_key(group, |(group, ..)| *group) {
            Ok(at) => {
                sums[at].1 += variance;
                sums[at].2 += 1.0;
            }
            Err(at) => sums.insert(at, (*group, *variance, 1.0)),
        }
    }
    sums.into_iter()
        .map(|(group, sum, count)| (group, sum / count))
        .collect()
}

/// Calibrated confidence in a skill of this name; `None` of one that is not known.
pub fn skill_confidence(below: &Below, name: &SkillName) -> Option<f64> {
    let confidence = below.level48.capability.confidence(name);
    confidence.filter(|confidence| (0.0..=1.0).contains(confidence))
}
