//! Which goal may take a cycle's action: the allocation of Level 4.8, put in force.
//!
//! A goal with a grant of 0.2 earns a fifth of a cycle in each cycle, and saves at most [`MAX_SAVED_CYCLES`]; an action
//! costs one. A goal that the allocation does not name, and every goal while nobody allocates, is not limited: advice
//! limits by its weight, so that half of it leaves half of the cycles free.

use crate::l48::plan::{Allocation, Grant};
use rungs_types::GoalId;

/// Cycles that a goal can save up: it acts a few times in a row when its time has come.
pub const MAX_SAVED_CYCLES: f64 = 5.0;
/// What sums of shares may lack of a whole cycle.
const ROUNDING: f64 = 1e-9;

/// What each goal has saved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grants(Vec<(GoalId, f64)>);

impl Grants {
    /// One more cycle under this allocation, if there is one, of this weight in [0, 1].
    pub fn cycle(&mut self, allocation: Option<&Allocation>, weight: f64) {
        let grants: &[Grant] = allocation.map_or(&[], |allocation| &allocation.goals);
        let same =
            self.0.len() == grants.len() && self.0.iter().zip(grants).all(|((goal, _), grant)| *goal == grant.goal);
        if !same {
            let saved = |goal: &GoalId| {
                self.0
                    .iter()
                    .find(|(other, _)| other == goal)
                    .map_or(1.0, |(_, saved)| *saved)
            };
            self.0 = grants
                .iter()
                .map(|grant| (grant.goal.clone(), saved(&grant.goal)))
                .collect();
        }
        for ((_, saved), grant) in self.0.iter_mut().zip(grants) {
            *saved = (*saved + weight * grant.share + (1.0 - weight)).min(MAX_SAVED_CYCLES);
        }
    }

    /// The goal may act now.
    pub fn permits(&self, goal: &GoalId) -> bool {
        self.0
            .iter()
            .find(|(other, _)| other == goal)
            .is_none_or(|(_, saved)| *saved >= 1.0 - ROUNDING)
    }

    /// The goal has acted.
    pub fn spend(&mut self, goal: &GoalId) {
        if let Some((_, saved)) = self.0.iter_mut().find(|(other, _)| other == goal) {
            *saved = (*saved - 1.0).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(name: &str) -> GoalId {
        GoalId::new(name).unwrap()
    }

    fn allocation(shares: &[(&str, f64)]) -> Allocation {
        let grant = |(name, share): &(&str, f64)| Grant {
            goal: goal(name),
            share: *share,
        };
        Allocation {
            goals: shares.iter().map(grant).collect(),
            ..Allocation::minimal()
        }
    }

    /// Actions that a goal takes in so many cycles when it acts whenever it may.
    fn actions(share: f64, weight: f64, cycles: u32) -> u32 {
        let (mut grants, allocation) = (Grants::default(), allocation(&[("a", share)]));
        let mut taken = 0;
        for _ in 0..cycles {
            grants.cycle(Some(&allocation), weight);
            if grants.permits(&goal("a")) {
                grants.spend(&goal("a"));
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn a_goal_acts_in_its_share_of_the_cycles_by_the_weight_of_the_advice() {
        // The first action is from what every goal begins with.
        assert_eq!(actions(0.2, 1.0, 100), 21);
        assert_eq!(actions(0.2, 0.5, 100), 61);
        assert_eq!(actions(0.2, 0.0, 100), 100);
        assert_eq!(actions(0.0, 1.0, 100), 1);
    }

    #[test]
    fn who_is_not_named_is_not_limited_and_a_change_of_the_allocation_keeps_what_was_saved() {
        let mut grants = Grants::default();
        assert!(grants.permits(&goal("a")));
        grants.cycle(Some(&allocation(&[("a", 0.0)])), 1.0);
        grants.spend(&goal("a"));
        assert!(!grants.permits(&goal("a")) && grants.permits(&goal("b")));
        grants.cycle(Some(&allocation(&[("b", 0.5), ("a", 0.0)])), 1.0);
        assert!(!grants.permits(&goal("a")), "a place further back");
        grants.cycle(None, 0.0);
        assert!(grants.permits(&goal("a")), "withdrawn");
    }

    #[test]
    fn no_more_than_five_cycles_are_saved() {
        let (mut grants, allocation) = (Grants::default(), allocation(&[("a", 0.9)]));
        (0..100).for_each(|_| grants.cycle(Some(&allocation), 1.0));
        (0..5).for_each(|_| grants.spend(&goal("a")));
        assert!(!grants.permits(&goal("a")));
    }
}
