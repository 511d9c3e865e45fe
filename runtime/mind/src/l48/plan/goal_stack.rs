//! The goal stack: three tiers, priorities, and what is wrong with the goals (MSCP Level 4.8, sections 5.1 and 5.4).
//!
//! It is an ordering over the kernel's table of goals, never a second copy of it. Nothing is dropped: over a tier's cap
//! the lowest priority that no user assigned waits, and a user's goal is never abandoned, only told of.

use crate::goals::{Candidate, give_places};
use rungs_types::GoalId;
use rungs_types::goal::Tier;
use serde::{Deserialize, Serialize};

/// Weights of feasibility, resilience, value, urgency and alignment.
pub const WEIGHTS: [f64; 5] = [0.25, 0.15, 0.25, 0.20, 0.15];
/// Overlap of what two active goals act on above which they are in conflict.
pub const CONFLICT_OVERLAP: f64 = 0.5;
/// Cycles without progress, and without anything in the way, after which a goal is stale.
pub const STALE_CYCLES: u64 = 200;
/// Cycles after which a stale goal that no user assigned is abandoned.
pub const STALE_ABANDON_CYCLES: u64 = 400;

/// An open goal as the stack sees it. Numbers that are missing count as the worst.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighted {
    /// Which.
    pub goal: GoalId,
    /// Its tier.
    pub tier: Tier,
    /// A user has assigned it.
    pub assigned: bool,
    /// It is worked on (approved).
    pub active: bool,
    /// Product of the confidences of the skills it needs (Definition 10), in [0, 1].
    pub feasibility: f64,
    /// Share of the scenarios, by probability, in which it gets on, in [0, 1].
    pub resilience: f64,
    /// EVR (Definition 6).
    pub evr: f64,
    /// Share of its time that is over, in [0, 1]; 0 without a deadline.
    pub urgency: f64,
    /// Cosine of what it serves with the agent's purpose, in [0, 1].
    pub alignment: f64,
    /// Goals that must succeed before it.
    pub after: Vec<GoalId>,
    /// What its tasks act on, each once, in rising order.
    pub targets: Vec<u32>,
    /// Cycles since something was done for it, or since it was set.
    pub idle_cycles: u64,
    /// Something is in the way: a goal before it, no place, or a task whose conditions do not hold.
    pub blocked: bool,
}

/// A goal with its priority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which.
    pub goal: GoalId,
    /// Its tier.
    pub tier: Tier,
    /// 0.25 feasibility + 0.15 resilience + 0.25 EVR / EVR_max + 0.20 urgency + 0.15 alignment, in [0, 1].
    pub priority: f64,
    /// It has no place in its tier and waits.
    pub queued: bool,
}

/// What is wrong with goals (section 5.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pathology {
    /// Two active goals act on the same.
    Conflict {
        /// The one of higher priority.
        stronger: GoalId,
        /// The other.
        weaker: GoalId,
        /// How much of what they act on is the same, in (0.5, 1].
        overlap: f64,
    },
    /// Goals wait for each other in a circle.
    Circular {
        /// Each waits for the next, the last for the first.
        goals: Vec<GoalId>,
    },
    /// Nothing was done for it for too long, and nothing is in the way.
    Stale {
        /// Which.
        goal: GoalId,
        /// For how long.
        idle_cycles: u64,
    },
}

/// What is done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The weaker one of a conflict gives up its share of what overlaps to the stronger one.
    Reallocate {
        /// It gets more.
        to: GoalId,
        /// It gets less.
        from: GoalId,
        /// Share of what it asks for that it gives up.
        share: f64,
    },
    /// The goal is abandoned: the lowest of a circle, or one that is stale for long. Never a user's.
    Abandon {
        /// Which.
        goal: GoalId,
        /// It was in a circle.
        circular: bool,
    },
    /// A strategic review, by whoever set it: a stale goal, or a circle of users' goals.
    Review {
        /// Which.
        goal: GoalId,
    },
}

/// The goals in order, and what is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalStack {
    /// All open goals, the highest priority first; of equal ones the one that was set first.
    pub ranked: Vec<Ranked>,
    /// What is wrong.
    pub pathologies: Vec<Pathology>,
    /// What is done about it, in the same order; a conflict or circle has one, a stale goal one.
    pub remedies: Vec<Remedy>,
}

impl GoalStack {
    /// The priority of a goal; 0 for one that is not there.
    pub fn priority_of(&self, goal: &GoalId) -> f64 {
        let ranked = self.ranked.iter().find(|ranked| ranked.goal == *goal);
        ranked.map_or(0.0, |ranked| ranked.priority)
    }
}

/// Orders goals, which are given as they were set, and looks for what is wrong with them.
pub fn evaluate(goals: &[Sighted]) -> GoalStack {
    let most = goals
        .iter()
        .map(|goal| goal.evr)
        .filter(|evr| evr.is_finite())
        .fold(0.0, f64::max);
    let mut order: Vec<(f64, &Sighted)> = goals.iter().map(|goal| (priority(goal, most), goal)).collect();
    // A stable sort: of equal priorities the one that was set first stays first.
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let candidates: Vec<Candidate> = order
        .iter()
        .map(|(_, goal)| Candidate {
            tier: goal.tier,
            assigned: goal.assigned,
        })
        .collect();
    let queued = give_places(&candidates).queued;
    let ranked = order.iter().enumerate().map(|(index, (priority, goal))| Ranked {
        goal: goal.goal.clone(),
        tier: goal.tier,
        priority: *priority,
        queued: queued.contains(&index),
    });
    let mut stack = GoalStack {
        ranked: ranked.collect(),
        ..GoalStack::default()
    };
    let order: Vec<&Sighted> = order.into_iter().map(|(_, goal)| goal).collect();
    stack.find_conflicts(&order);
    stack.find_circles(&order);
    stack.find_stale(&order);
    stack
}

/// Priority(G) = w_f feasibility + w_r resilience + w_v EVR / EVR_max + w_u urgency + w_a alignment; a goal that brings
/// nothing, or where none brings anything, has the value 0.
pub fn priority(goal: &Sighted, most: f64) -> f64 {
    let share = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let value = if most > 0.0 { share(goal.evr / most) } else { 0.0 };
    let parts = [goal.feasibility, goal.resilience, value, goal.urgency, goal.alignment];
    WEIGHTS
        .iter()
        .zip(parts)
        .map(|(weight, part)| weight * share(part))
        .sum()
}

/// Share of what the goal of fewer targets acts on that the other acts on too; 0 if one acts on nothing.
fn overlap(a: &[u32], b: &[u32]) -> f64 {
    let fewer = a.len().min(b.len());
    let common = a.iter().filter(|target| b.contains(target)).count();
    if fewer == 0 { 0.0 } else { common as f64 / fewer as f64 }
}

impl GoalStack {
    /// Pairs of active goals, each once.
    fn find_conflicts(&mut self, order: &[&Sighted]) {
        for (index, stronger) in order.iter().enumerate().filter(|(_, goal)| goal.active) {
            for weaker in order[index + 1..].iter().filter(|goal| goal.active) {
                let overlap = overlap(&stronger.targets, &weaker.targets);
                if overlap > CONFLICT_OVERLAP {
                    self.pathologies.push(Pathology::Conflict {
                        stronger: stronger.goal.clone(),
                        weaker: weaker.goal.clone(),
                        overlap,
                    });
                    self.remedies.push(Remedy::Reallocate {
                        to: stronger.goal.clone(),
                        from: weaker.goal.clone(),
                        share: overlap,
                    });
                }
            }
        }
    }

    /// Each circle once: the lowest of it that no user assigned is taken out, or, if there is none, the lowest, and the
    /// search goes on with the rest.
    fn find_circles(&mut self, order: &[&Sighted]) {
        let mut left: Vec<&Sighted> = order.to_vec();
        while let Some(circle) = circle_in(&left) {
            // `left` is in order of priority, so that the last of the circle in it is the lowest.
            let of_circle = |goal: &&&Sighted| circle.contains(&goal.goal);
            let lowest = left.iter().rev().filter(of_circle).find(|goal| !goal.assigned);
            let broken = lowest.or_else(|| left.iter().rev().find(of_circle));
            let Some(goal) = broken.map(|goal| goal.goal.clone()) else {
                break;
            };
            self.remedies.push(match lowest {
                Some(_) => Remedy::Abandon {
                    goal: goal.clone(),
                    circular: true,
                },
                None => Remedy::Review { goal: goal.clone() },
            });
            self.pathologies.push(Pathology::Circular { goals: circle });
            left.retain(|other| other.goal != goal);
        }
    }

    fn find_stale(&mut self, order: &[&Sighted]) {
        for goal in order
            .iter()
            .filter(|goal| !goal.blocked && goal.idle_cycles > STALE_CYCLES)
        {
            self.pathologies.push(Pathology::Stale {
                goal: goal.goal.clone(),
                idle_cycles: goal.idle_cycles,
            });
            let over = goal.idle_cycles > STALE_ABANDON_CYCLES && !goal.assigned;
            let goal = goal.goal.clone();
            self.remedies.push(if over {
                Remedy::Abandon { goal, circular: false }
            } else {
                Remedy::Review { goal }
            });
        }
    }
}

/// A circle of goals that wait for each other; `None` if there is none. Goals that wait for nobody here are taken away
/// again and again: what is left waits for something that is left, and a walk along it comes back to where it was.
fn circle_in(goals: &[&Sighted]) -> Option<Vec<GoalId>> {
    let mut left: Vec<&Sighted> = goals.to_vec();
    loop {
        let names: Vec<&GoalId> = left.iter().map(|goal| &goal.goal).collect();
        let count = left.len();
        left.retain(|goal| goal.after.iter().any(|before| names.contains(&before)));
        if left.len() == count {
            break;
        }
    }
    let mut walk = vec![*left.first()?];
    loop {
        let last = walk.last()?;
        let next = left.iter().find(|goal| last.after.contains(&goal.goal))?;
        if let Some(start) = walk.iter().position(|goal| goal.goal == next.goal) {
            return Some(walk[start..].iter().map(|goal| goal.goal.clone()).collect());
        }
        walk.push(next);
    }
}

#[cfg(test)]
mod tests;
