//! One recording, row by row, through an agent without actors.

use super::labels::Span;
use super::summary::Tally;
use anyhow::Context as _;
use rungs_agent::{Environment as _, Observed};
use rungs_environments::Trace;
use rungs_mind::Stack;
use rungs_mind::l48::observe::Score;
use rungs_mind::ladder::Order;
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

/// The row after which [`Course::place`] is ordered: by then the identity has its reference, against which it is measured.
const PLACED_AT: u64 = 1_000;

/// How an agent is driven.
#[derive(Debug, Clone, Copy, Default)]
pub struct Course<'a> {
    /// It stops after so many rows.
    pub limit: Option<u64>,
    /// An operator puts L4.8 and L4.9 on this authority.
    pub place: Option<Authority>,
    /// When something was wrong: rows of these times are not healthy.
    pub spans: &'a [Span],
}

impl Course<'_> {
    fn is_healthy(&self, time_micros: Option<i64>) -> bool {
        let within = |time: i64| {
            self.spans
                .iter()
                .any(|span| (span.start_micros..=span.end_micros).contains(&time))
        };
        !time_micros.is_some_and(within)
    }
}

/// Runs the agent over the recording until its end or the limit.
pub fn drive(
    trace: &mut Trace,
    spec: &AgentSpec,
    course: &Course<'_>,
    watcher: &mut dyn Watcher,
) -> anyhow::Result<Tally> {
    let surroundings = trace.describe().surroundings();
    let mut stack =
        Stack::new(spec, &surroundings).with_context(|| format!("no agent can watch {}", trace.describe().name))?;
    let mut tally = Tally::new(surroundings.group_of.len());
    let mut row = vec![f64::NAN; surroundings.group_of.len()];
    while course.limit.is_none_or(|limit| stack.cycle() < limit) && !stack.has_ended() {
        row.fill(f64::NAN);
        // A recording has a time of its own and is not asked for it.
        if trace.observe(Duration::ZERO, &mut row)? == Observed::End {
            break;
        }
        let cycle = stack.step(&row);
        if let Some(to) = course.place.filter(|_| cycle.number == PLACED_AT) {
            place(&mut stack, to)?;
        }
        tally.take(&cycle, stack.authorities());
        if course.is_healthy(trace.time_micros()) {
            tally.autonomy(&cycle, stack.autonomy());
        }
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

fn place(stack: &mut Stack, to: Authority) -> anyhow::Result<()> {
    for level in [Level::L48, Level::L49] {
        let who = "replay".to_owned();
        let order = Order::Authority { level, to, who };
        stack
            .order(&order)
            .with_context(|| format!("{level} cannot be put on {to}"))?;
    }
    Ok(())
}
