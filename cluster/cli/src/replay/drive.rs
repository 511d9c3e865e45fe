//! One recording, row by row, through an agent without actors.

use super::summary::Tally;
use anyhow::Context as _;
use rungs_agent::{Environment as _, Observed};
use rungs_environments::Trace;
use rungs_mind::Stack;
use rungs_mind::l48::observe::Score;
use rungs_mind::stack::Cycle;
use rungs_types::{AgentSpec, Authority, Level};
use std::time::Duration;

/// What came of one row.
#[derive(Debug)]
pub struct Step<'a> {
    /// What the agent did.
    pub cycle: &'a Cycle,
    /// The row; NaN = missing.
    pub row: &'a [f64],
    /// Its time, in microseconds since 1970 UTC, if the recording has times.
    pub time_micros: Option<i64>,
    /// The authority of each level after it.
    pub authorities: [Authority; Level::ALL.len()],
}

/// Who looks on while an agent is driven.
pub trait Watcher {
    /// A row was taken in.
    fn step(&mut self, step: &Step<'_>) -> anyhow::Result<()>;
    /// The recording is over; these are the scores of the rows that no pass has taken in.
    fn end(&mut self, tail: &[Score]);
}

/// Runs the agent over the recording until its end or the limit.
pub fn drive(
    trace: &mut Trace,
    spec: &AgentSpec,
    limit: Option<u64>,
    watcher: &mut dyn Watcher,
) -> anyhow::Result<Tally> {
    let surroundings = trace.describe().surroundings();
    let mut stack =
        Stack::new(spec, &surroundings).with_context(|| format!("no agent can watch {}", trace.describe().name))?;
    let mut tally = Tally::new(surroundings.group_of.len());
    let mut row = vec![f64::NAN; surroundings.group_of.len()];
    while limit.is_none_or(|limit| stack.cycle() < limit) && !stack.has_ended() {
        row.fill(f64::NAN);
        // A recording has a time of its own and is not asked for it.
        if trace.observe(Duration::ZERO, &mut row)? == Observed::End {
            break;
        }
        let cycle = stack.step(&row);
        tally.take(&cycle, stack.authorities());
        watcher.step(&Step {
            cycle: &cycle,
            row: &row,
            time_micros: trace.time_micros(),
            authorities: stack.authorities(),
        })?;
    }
    let tail = stack.tail_scores();
    tally.score(&tail);
    watcher.end(&tail);
    Ok(tally)
}
