//! Phase 4 of Level 4.8, verify, as a phase actor computes it. Its loops are over five invariants: it asks no budget.

use super::line::Leg;
use super::phase::Phase;
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle, Verify};
use std::sync::Arc;

impl Phase for Verify {
    const LEG: Leg = Leg::Verify;

    fn from_bundle(bundle: &Bundle) -> Self {
        Self::from_state(Arc::clone(&bundle.verify))
    }

    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), PhaseError> {
        Verify::carry(self, baton)
    }
}
