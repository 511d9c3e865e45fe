//! One recording, row by row, through an agent without actors.

use super::labels::Span;
use super::summary::Tally;
use anyhow::Context as _;
use rungs_agent::{Environment as _, Observed};
use rungs_environments::Trace;
use rungs_mind::Stack;
use rungs_mind::l48::observe::Score;
use rungs_mind::ladder::{Order, OrderError};
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
    /// An operator puts L4.8 and L4.9 on this authority, each once: as soon as it can be after that row.
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
    let mut placing = course.place.map(Placing::on);
    let mut row = vec![f64::NAN; surroundings.group_of.len()];
    while course.limit.is_none_or(|limit| stack.cycle() < limit) && !stack.has_ended() {
        row.fill(f64::NAN);
        // A recording has a time of its own and is not asked for it.
        if trace.observe(Duration::ZERO, &mut row)? == Observed::End {
            break;
        }
        let cycle = stack.step(&row);
        if let Some(placing) = placing.as_mut().filter(|_| cycle.number >= PLACED_AT) {
            placing.place(&mut stack)?;
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
    tally.placed(placing.and_then(|placing| placing.unplaced()));
    watcher.end(&tail);
    Ok(tally)
}

/// What is left of [`Course::place`].
#[derive(Debug)]
struct Placing {
    to: Authority,
    /// Lowest first; one waits for those below.
    left: Vec<Level>,
    /// Why the first of them was not placed after the last row.
    refused: Option<OrderError>,
}

impl Placing {
    fn on(to: Authority) -> Self {
        Self {
            to,
            left: vec![Level::L48, Level::L49],
            refused: None,
        }
    }

    /// Places what can be placed after this row. What is frozen or suspended comes back by its own way, and waits for that.
    fn place(&mut self, stack: &mut Stack) -> anyhow::Result<()> {
        let to = self.to;
        while let Some(&level) = self.left.first() {
            let who = "replay".to_owned();
            match stack.order(&Order::Authority { level, to, who }) {
                Ok(()) => drop(self.left.remove(0)),
                Err(error @ (OrderError::Frozen { .. } | OrderError::Suspended { .. } | OrderError::Parked)) => {
                    self.refused = Some(error);
                    return Ok(());
                }
                Err(error) => return Err(error).with_context(|| format!("{level} cannot be put on {to}")),
            }
        }
        Ok(())
    }

    /// Which levels were never placed, and why.
    fn unplaced(&self) -> Option<String> {
        let levels: Vec<String> = self.left.iter().map(Level::to_string).collect();
        let why = match self.refused {
            Some(error) => error.to_string(),
            None => format!("it ends before row {PLACED_AT}"),
        };
        (!levels.is_empty()).then(|| format!("{} never put on {}: {why}", levels.join(" and "), self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::body::Surroundings;

    #[test]
    fn a_level_that_is_frozen_is_placed_when_it_is_not_any_more() {
        let surroundings = Surroundings {
            groups: vec!["all".into()],
            group_of: vec![0],
            capacities: vec![None],
            adjustable: false,
        };
        let spec = AgentSpec::new("ops-1".parse().expect("a name"));
        let mut stack = Stack::new(&spec, &surroundings).expect("valid");
        let (level, who) = (Level::L49, "ada".to_owned());
        let mut placing = Placing::on(Authority::Full);
        let early = "L4.8 and L4.9 never put on full: it ends before row 1000";
        assert_eq!(placing.unplaced().as_deref(), Some(early));
        stack
            .order(&Order::Freeze {
                level,
                who: who.clone(),
            })
            .expect("freezes");
        for value in [1.0, 2.0, 3.0] {
            stack.step(&[value]);
            placing.place(&mut stack).expect("waits");
        }
        let frozen = "L4.9 never put on full: L4.9 is frozen; thaw it first";
        assert_eq!(placing.unplaced().as_deref(), Some(frozen));
        assert_eq!(stack.authorities()[2..4], [Authority::Full, Authority::Frozen]);
        stack.order(&Order::Thaw { level, who }).expect("thaws");
        // It comes back with a pass of its own.
        let placed = (0..500).any(|row| {
            stack.step(&[f64::from(row % 7)]);
            placing.place(&mut stack).expect("waits, or places");
            placing.unplaced().is_none()
        });
        assert!(placed, "{:?}", placing.unplaced());
        assert_eq!(stack.authorities()[2..4], [Authority::Full; 2]);
    }
}
