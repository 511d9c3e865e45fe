//! Phase 5 of Level 4.8, emit, as a phase actor computes it. It only packs what the others found: it asks no budget.

use super::line::Leg;
use super::phase::Phase;
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle, Emit};
use std::sync::Arc;

impl Phase for Emit {
    const LEG: Leg = Leg::Emit;

    fn from_bundle(bundle: &Bundle) -> Self {
        Self::from_state(Arc::clone(&bundle.emit))
    }

    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), PhaseError> {
        Emit::carry(self, baton)
    }
}
