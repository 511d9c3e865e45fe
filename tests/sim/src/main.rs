//! `cargo sim`: runs seeds and says what the witness found. `--seed N` shows the log of one; `--seeds N` runs the first N
//! (1,000 if nothing is said), `--clocks-beyond` with clocks that do not keep to their bound, `--calm` without
//! faults, `--nodes N` with so many nodes.

use rungs_sim::{Clocks, Options, Outcome, Violation, run};
use std::process::ExitCode;

const SEEDS: u64 = 1_000;
const USAGE: &str = "usage: cargo sim [--seed N | --seeds N] [--clocks-beyond] [--calm] [--nodes N]";

struct Arguments {
    seeds: std::ops::Range<u64>,
    clocks: Clocks,
    has_faults: bool,
    nodes: Option<usize>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments {
        seeds: 0..SEEDS,
        clocks: Clocks::Within,
        has_faults: true,
        nodes: None,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => {
                let seed: u64 = words.next()?.parse().ok()?;
                arguments.seeds = seed..seed.checked_add(1)?;
            }
            "--seeds" => arguments.seeds = 0..words.next()?.parse().ok()?,
            "--clocks-beyond" => arguments.clocks = Clocks::Beyond,
            "--nodes" => arguments.nodes = Some(words.next()?.parse().ok()?),
            "--calm" => arguments.has_faults = false,
            _ => return None,
        }
    }
    Some(arguments)
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let clocks = arguments.clocks;
    let keeps_log = arguments.seeds.end - arguments.seeds.start == 1;
    let counts = |it: &(u64, Violation)| clocks == Clocks::Within || !it.1.depends_on_clocks();
    let (mut failed, mut messages, mut maps, mut fenced, mut outside) = (0, [0; 4], 0, 0, 0);
    for seed in arguments.seeds.clone() {
        let outcome: Outcome = run(Options {
            clocks,
            nodes: arguments.nodes,
            has_faults: arguments.has_faults,
            keeps_log,
            ..Options::of(seed)
        });
        for line in &outcome.log {
            println!("{line}");
        }
        let wrong: Vec<_> = outcome.violations.iter().filter(|it| counts(it)).collect();
        for (at_ms, violation) in &wrong {
            println!("seed {seed}, {at_ms} ms: {violation}");
        }
        failed += usize::from(!wrong.is_empty());
        messages
            .iter_mut()
            .zip(outcome.messages)
            .for_each(|(sum, count)| *sum += count);
        (maps, fenced, outside) = (maps + outcome.maps, fenced + outcome.fenced, outside + outcome.outside);
    }
    let seeds = arguments.seeds.end - arguments.seeds.start;
    let [done, refused, unknown, unheard] = messages;
    println!(
        "{seeds} seeds, {failed} with violations; messages: {done} done, {refused} refused, {unknown} unknown, \
         {unheard} unheard; {maps} maps, {fenced} fences, {outside} effects outside"
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
