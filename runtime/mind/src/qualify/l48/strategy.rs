//! SA-10 and SP-14: how robust the choice of a strategy is, and how often it did not hold.
//!
//! A strategic decision is a pass in which strategies were compared and one selected, be it the one in force. It was
//! reverted if the verdict of the same pass did not let its change stand (throttle) or put the fallback in its place
//! (rebalance, freeze), or if it went back to what the change before it had left. A freeze of the level takes back what it
//! had decided last, and counts as one more.

use super::block::Block;
use crate::l48::plan::{Choice, PlanOutput};
use crate::l48::verify::Response;
use crate::qualify::share;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Strategies {
    /// What the last change that held had left.
    left: Option<Choice>,
}

impl Strategies {
    pub(super) fn step(&mut self, plan: Option<&PlanOutput>, response: Response, into: &mut Block) {
        let Some(plan) = plan.filter(|plan| plan.comparison.selected.is_some()) else {
            return;
        };
        into.decisions = into.decisions.saturating_add(1);
        if let Some(robustness) = plan.comparison.robustness.and_then(share) {
            into.robustness += robustness as f32;
            into.robustness_passes = into.robustness_passes.saturating_add(1);
        }
        let reverted = match response {
            Response::Rebalance | Response::Freeze => true,
            Response::Throttle => plan.changed,
            Response::Continue if plan.changed => {
                let left = self.left.replace(plan.before);
                left.is_some_and(|left| left == plan.chosen)
            }
            Response::Continue => false,
        };
        into.reverts = into.reverts.saturating_add(u16::from(reverted));
    }
}
