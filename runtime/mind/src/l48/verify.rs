//! Phase 4: checks the five invariants and says what is done about those that are violated. Its veto is absolute:
//! nothing of a pass whose verdict is a freeze leaves the level (MSCP Level 4.8, sections 6 and 8.4).

use super::invariants::{Limits, Monitor, Uncertain, compound_severity};
use super::observe::ObserveOutput;
use crate::report::FloorReport;
use rungs_types::{Authority, Epoch, Violation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A compound severity above this is catastrophic (Definition 12).
pub const MAX_SEVERITY: f64 = 2.0;

/// What is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Nothing: all five hold.
    #[default]
    Continue,
    /// One is violated: no structural change, no new goal, no change of strategy.
    Throttle,
    /// Two are violated: fallback strategy and minimal allocation, then Advisory, Half, Full.
    Rebalance,
    /// Three or more, or a severity above 2.0: freeze and revert to L4.5.
    Freeze,
}

impl Response {
    /// The response to so many violations of this severity (section 8.4).
    pub fn to(violations: usize, severity: f64) -> Self {
        match violations {
            0 => Response::Continue,
            _ if severity > MAX_SEVERITY => Response::Freeze,
            1 => Response::Throttle,
            2 => Response::Rebalance,
            _ => Response::Freeze,
        }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Response::Continue => "continue",
            Response::Throttle => "throttle",
            Response::Rebalance => "rebalance",
            Response::Freeze => "freeze",
        })
    }
}

/// The verifier's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The last cycle it covers.
    pub cycle: u64,
    /// What is violated, in the order of section 6.1.
    pub violations: Vec<Violation>,
    /// Compound severity, 0 without a violation.
    pub severity: f64,
    /// What is done.
    pub response: Response,
    /// Structural changes may be made until the next verdict.
    pub structural_permitted: bool,
    /// Share of the last 200 cycles in which V rose.
    pub lyapunov_share: f64,
}

impl Verdict {
    /// All five invariants hold.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyState {
    monitor: Monitor,
    epoch: Epoch,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Verify {
    state: Arc<VerifyState>,
}

impl Verify {
    /// A verifier that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A verifier with this state.
    pub fn from_state(state: Arc<VerifyState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<VerifyState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Verify::state`] gave.
    pub fn revert(&mut self, state: Arc<VerifyState>) {
        self.state = state;
    }

    /// Checks one pass. A greater `epoch` than that of the last step means that the level was frozen in between: the
    /// Lyapunov share is counted anew.
    pub fn step(
        &mut self,
        floor: &FloorReport,
        observed: &ObserveOutput,
        authority: Authority,
        epoch: Epoch,
    ) -> Verdict {
        let state = Arc::make_mut(&mut self.state);
        if epoch != state.epoch {
            state.monitor.restart();
            state.epoch = epoch;
        }
        state.monitor.note(&floor.lyapunov);
        let uncertain = Uncertain {
            eu: observed.eu,
            structural_pending: !observed.pending.is_empty(),
        };
        let violations = state.monitor.check(floor, uncertain, &Limits::at(authority));
        let severity = compound_severity(&violations);
        let response = Response::to(violations.len(), severity);
        Verdict {
            cycle: floor.cycle,
            severity,
            response,
            structural_permitted: response == Response::Continue && floor.structural_permitted,
            lyapunov_share: state.monitor.lyapunov_share(),
            violations,
        }
    }
}

#[cfg(test)]
mod tests;
