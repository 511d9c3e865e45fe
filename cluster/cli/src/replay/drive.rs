//! One recording, row by row, through an agent without actors.

use super::summary::Tally;
use anyhow::Context as _;
use rungs_agent::{Environment, Observed};
use rungs_mind::Stack;
use rungs_mind::stack::Told;
use rungs_types::AgentSpec;
use std::time::Duration;

/// Runs the agent over the environment until its end or the limit. `on_row` hears how many rows there were so far,
/// `on_event` what is told.
pub fn drive(
    environment: &mut dyn Environment,
    spec: &AgentSpec,
    limit: Option<u64>,
    mut on_row: impl FnMut(u64),
    mut on_event: impl FnMut(&Told) -> anyhow::Result<()>,
) -> anyhow::Result<Tally> {
    let surroundings = environment.describe().surroundings();
    let mut stack = Stack::new(spec, &surroundings)
        .with_context(|| format!("no agent can watch {}", environment.describe().name))?;
    let mut tally = Tally::new(surroundings.group_of.len());
    let mut row = vec![f64::NAN; surroundings.group_of.len()];
    while limit.is_none_or(|limit| stack.cycle() < limit) && !stack.has_ended() {
        row.fill(f64::NAN);
        // A recording has a time of its own and is not asked for it.
        if environment.observe(Duration::ZERO, &mut row)? == Observed::End {
            break;
        }
        let cycle = stack.step(&row);
        for told in &cycle.told {
            on_event(told)?;
        }
        tally.take(&cycle, stack.authorities());
        on_row(cycle.number);
    }
    tally.score(&stack.tail_scores());
    Ok(tally)
}
