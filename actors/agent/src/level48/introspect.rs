//! Phase 2 of Level 4.8, introspect, as a phase actor computes it. Its loops are over skills and groups, whose number is
//! bounded: it asks no budget.

use super::line::Leg;
use super::phase::Phase;
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle, Introspect};
use std::sync::Arc;

impl Phase for Introspect {
    const LEG: Leg = Leg::Introspect;

    fn from_bundle(bundle: &Bundle) -> Self {
        Self::from_state(Arc::clone(&bundle.introspect))
    }

    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), PhaseError> {
        Introspect::carry(self, baton)
    }
}
