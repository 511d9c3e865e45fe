//! How new a goal is (MSCP Level 4.9, Definitions 3 and 8).

use super::signal::GoalOrigin;
use rungs_types::{SkillName, Tier};
use serde::{Deserialize, Serialize};

/// Least novelty of a goal (section 3.5).
pub const MIN_NOVELTY: f64 = 0.30;
/// Weights of skill overlap, horizon match and origin match (Definition 8).
const WEIGHTS: [f64; 3] = [0.50, 0.25, 0.25];
/// Thresholds are met up to rounding: 1 - 0.70 is a little more than 0.30 less itself.
const ROUNDING: f64 = 1e-12;

/// What of a goal makes it alike to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The skills it needs.
    pub skills: Vec<SkillName>,
    /// How far ahead it lies.
    pub tier: Tier,
    /// Where it comes from; `None` of one that the agent did not set itself.
    pub origin: Option<GoalOrigin>,
}

/// Similarity in [0, 1] (Definition 8): 0.50 Jaccard of the skills, 0.25 horizon match, 0.25 origin match. Two goals
/// that need no skill need the same.
pub fn similarity(a: &Profile, b: &Profile) -> f64 {
    let shared = a.skills.iter().filter(|skill| b.skills.contains(skill)).count();
    let either = a.skills.len() + b.skills.len() - shared;
    let overlap = if either == 0 {
        1.0
    } else {
        shared as f64 / either as f64
    };
    let horizon = match a.tier.index().abs_diff(b.tier.index()) {
        0 => 1.0,
        1 => 0.5,
        _ => 0.0,
    };
    let origin = f64::from(u8::from(a.origin.is_some() && a.origin == b.origin));
    WEIGHTS[0] * overlap + WEIGHTS[1] * horizon + WEIGHTS[2] * origin
}

/// Novelty in [0, 1] (Definition 3): 1 - the largest similarity to one of `others`; 1 if there is none.
pub fn novelty<'a>(new: &Profile, others: impl IntoIterator<Item = &'a Profile>) -> f64 {
    let most = others
        .into_iter()
        .map(|other| similarity(new, other))
        .fold(0.0, f64::max);
    1.0 - most
}

/// It is new enough.
pub(super) fn is_new(novelty: f64) -> bool {
    novelty >= MIN_NOVELTY - ROUNDING
}
