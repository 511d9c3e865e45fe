//! SP-11 and SP-13: cycles that count against an invariant, and how many of them come in a row.
//!
//! A cycle counts against the Lyapunov invariant if V counted as rising in it; against any of the other four if it is of a
//! pass in which that one was violated, for these are checked once a pass. A freeze ends a run.

use super::Pass48;
use super::block::Block;
use crate::l48::invariants::Monitor;
use rungs_types::Invariant;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Instability {
    monitor: Monitor,
    /// Cycles of the run that goes on.
    run: u16,
}

impl Instability {
    /// The level was frozen.
    pub(super) fn restart(&mut self) {
        self.monitor.restart();
        self.run = 0;
    }

    pub(super) fn step(&mut self, pass: &Pass48<'_>, into: &mut Block) {
        let others = |invariant| invariant != Invariant::Lyapunov;
        let violated = pass
            .verdict
            .violations
            .iter()
            .any(|violation| others(violation.invariant));
        let lyapunov = &pass.floor.lyapunov;
        // The last ones belong to the last cycles of the report.
        let without = pass.report.facts.len().saturating_sub(lyapunov.len());
        (0..without).for_each(|_| self.count(violated, into));
        for v in lyapunov {
            let rose = self.monitor.note(std::slice::from_ref(v));
            into.lyapunov_cycles = into.lyapunov_cycles.saturating_add(1);
            into.rises = into.rises.saturating_add(rose);
            self.count(violated || rose > 0, into);
        }
    }

    fn count(&mut self, against: bool, into: &mut Block) {
        self.run = if against { self.run.saturating_add(1) } else { 0 };
        into.longest_run = into.longest_run.max(self.run);
    }
}
