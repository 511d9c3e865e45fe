//! The sandbox: the same 200 cycles of the world with and without a mutation (MSCP Level 4.9, section 4.3).

use super::mutation::Refusal;
use super::vector::ValueVector;
use crate::lookahead::{LookaheadError, LookaheadReport};

/// Cycles simulated.
pub const SANDBOX_CYCLES: u32 = 200;
/// The most: whatever has not settled by then is rejected. Also how long a mutation waits for its simulation, in cycles
/// of the agent.
pub const SANDBOX_LIMIT_CYCLES: u32 = 250;
/// Cycles between the two looks by which a simulation has settled or not.
const LOOK_CYCLES: u32 = 50;
/// A simulation has settled when what the mutation does to SEOF has moved by no more than this since the last look: a
/// third of what may be lost.
pub const CONVERGED_WITHIN: f64 = 0.01;
/// Most that SEOF may lose.
const MAX_SEOF_LOSS: f64 = 0.03;
/// Most of the goal completion rate that may be lost, as a share of it.
const MAX_GOAL_LOSS: f64 = 0.10;
/// Differences are compared up to rounding.
const ROUNDING: f64 = 1e-12;

/// What became of the agent in one simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// SEOF at the end, under the agent's present weights.
    pub seof: f64,
    /// All invariants held.
    pub intact: bool,
    /// Share of goals complete at the end; `None` without goals.
    pub goal_rate: Option<f64>,
}

impl From<&LookaheadReport> for Trial {
    fn from(report: &LookaheadReport) -> Self {
        Self {
            seof: report.seof_last,
            intact: report.broken.is_empty(),
            goal_rate: report.goal_completion,
        }
    }
}

/// Why the sandbox rejects.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// SEOF falls by more than 0.03.
    #[error("SEOF falls by {loss:.3}")]
    Seof {
        /// By how much.
        loss: f64,
    },
    /// An invariant does not hold.
    #[error("an invariant is violated")]
    Invariant,
    /// Fewer goals are completed: more than 10 % fewer.
    #[error("the goal completion rate falls from {before:.3} to {after:.3}")]
    Goals {
        /// Without the mutation.
        before: f64,
        /// With it.
        after: f64,
    },
    /// Not settled within 250 cycles, or not simulated within 250 cycles of the agent: TIMEOUT.
    #[error("not settled within 250 cycles")]
    Timeout,
    /// The values have moved since it was admitted, and it would now leave their bounds.
    #[error(transparent)]
    Bounds(#[from] Refusal),
    /// The simulation failed or gave a number that is not finite.
    #[error("the simulation failed")]
    Failed,
}

/// What becomes of a mutation in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It may be applied.
    Approved,
    /// It is dropped.
    Rejected(Rejection),
    /// There was no time to simulate it, or mutations are frozen: it waits.
    Waits,
}

/// Compares the two simulations: SEOF loses at most 0.03, all invariants hold with the mutation, and the goal
/// completion rate loses at most a tenth of itself.
pub fn judge(without: &Trial, with: &Trial) -> Result<(), Rejection> {
    let rates = [without.goal_rate, with.goal_rate];
    let finite = |value: f64| value.is_finite();
    if ![without.seof, with.seof]
        .into_iter()
        .chain(rates.into_iter().flatten())
        .all(finite)
    {
        return Err(Rejection::Failed);
    }
    if !with.intact {
        return Err(Rejection::Invariant);
    }
    let loss = without.seof - with.seof;
    if loss > MAX_SEOF_LOSS + ROUNDING {
        return Err(Rejection::Seof { loss });
    }
    let (before, after) = (rates[0].unwrap_or(0.0), rates[1].unwrap_or(0.0));
    if after < before * (1.0 - MAX_GOAL_LOSS) - ROUNDING {
        return Err(Rejection::Goals { before, after });
    }
    Ok(())
}

/// Simulates with and without the mutation, 200 cycles, or up to 250 where what it does to SEOF still moves.
///
/// `simulate` is asked for the end of so many cycles under a value vector. It draws the same world each time, so that the
/// difference is the mutation's.
pub fn run<S>(without: &ValueVector, with: &ValueVector, mut simulate: S) -> Verdict
where
    S: FnMut(&ValueVector, u32) -> Result<Trial, LookaheadError>,
{
    match settle(without, with, &mut simulate) {
        Ok(verdict) => verdict,
        Err(LookaheadError::Budget(_)) => Verdict::Waits,
        Err(_) => Verdict::Rejected(Rejection::Failed),
    }
}

fn settle<S>(without: &ValueVector, with: &ValueVector, simulate: &mut S) -> Result<Verdict, LookaheadError>
where
    S: FnMut(&ValueVector, u32) -> Result<Trial, LookaheadError>,
{
    let mut look = |cycles| Ok::<_, LookaheadError>((simulate(without, cycles)?, simulate(with, cycles)?));
    let gap = |(without, with): &(Trial, Trial)| with.seof - without.seof;
    let mut last = look(SANDBOX_CYCLES - LOOK_CYCLES)?;
    for cycles in [SANDBOX_CYCLES, SANDBOX_LIMIT_CYCLES] {
        let now = look(cycles)?;
        let moved = (gap(&now) - gap(&last)).abs();
        if moved.is_nan() {
            return Ok(Verdict::Rejected(Rejection::Failed));
        }
        if moved <= CONVERGED_WITHIN + ROUNDING {
            return Ok(match judge(&now.0, &now.1) {
                Ok(()) => Verdict::Approved,
                Err(rejection) => Verdict::Rejected(rejection),
            });
        }
        last = now;
    }
    Ok(Verdict::Rejected(Rejection::Timeout))
}
