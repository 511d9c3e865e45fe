//! Changes each number of the pure crates' constants by 2 % and says which changes no test notices.
//!
//! `thresholds [--near] [PLACE…]`, where a place is a file or folder from the root of the workspace, or `file:NAME`.
//! Without one everything is changed. `--near` asks only the tests of the constant's own level, and builds nothing one by one:
//! a quick look. Works in `target/thresholds`: a copy of the workspace, its build, and the results, which the
//! next run takes up if no source is different. Fails if a change survives. See [`rungs_tidy::thresholds`].

mod judge;
mod work;

use judge::{Judge, Verdict};
use rungs_tidy::source::Source;
use rungs_tidy::thresholds::rewrite::{Change, Plan, known_to_the_compiler};
use rungs_tidy::thresholds::{Constant, Exceptions, constants};
use rungs_tidy::workspace::Workspace;
use std::collections::BTreeSet;
use std::process::ExitCode;
use work::Work;

/// The crates whose tests judge, by folder; the first part of each is what is changed in them.
const CRATES: [&str; 2] = ["runtime/types", "runtime/mind"];
/// Where constants are changed.
const CHANGED: [&str; 2] = ["runtime/types/src/goal", "runtime/mind/src/"];
/// How often names may be found to be needed by the compiler.
const MAX_BUILDS: usize = 20;

fn main() -> ExitCode {
    let (options, places): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    match run(&places, options == ["--near"]) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(survivors) => {
            eprintln!("{survivors} changes survive");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("thresholds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(places: &[String], near: bool) -> Result<usize, String> {
    let workspace = Workspace::read()?;
    let exceptions = Exceptions::parse(workspace.text("tests/tidy/thresholds.toml"))?;
    let ours = |source: &&Source| CRATES.contains(&source.folder.as_str());
    let sources: Vec<&Source> = workspace.sources.iter().filter(ours).collect();
    let all: Vec<Constant> = sources.iter().flat_map(|source| constants(source)).collect();
    let changes = changes(&all, &exceptions);
    let mut fixed: BTreeSet<String> = sources
        .iter()
        .flat_map(|source| known_to_the_compiler(source))
        .collect();

    let mut work = Work::new(&workspace)?;
    fixed.extend(work.needed_before());
    let plan = loop {
        let plan = Plan::new(&all, &changes, fixed.clone());
        work.write(&sources, &plan, None)?;
        let needed = work.build_all(&plan.switched)?;
        if needed.is_empty() {
            break plan;
        }
        println!(
            "the compiler needs {}",
            needed.iter().cloned().collect::<Vec<_>>().join(", ")
        );
        fixed.extend(needed);
        work.remember_needed(&fixed)?;
        if work.builds > MAX_BUILDS {
            return Err("the copy does not build".to_owned());
        }
    };
    let wanted = |index: usize, place: &str| {
        let constant = &all[changes[index].constant];
        constant.path.starts_with(place) || format!("{}:{}", constant.path, constant.name) == place
    };
    let every = [String::new()];
    let places = if places.is_empty() { &every[..] } else { places };
    let chosen = places
        .iter()
        .flat_map(|place| (0..changes.len()).filter(move |index| wanted(*index, place)));
    let (switched, built): (Vec<usize>, Vec<usize>) = chosen.partition(|index| plan.is_switched(&changes[*index]));
    println!("{} changes switched, {} built one by one", switched.len(), built.len());

    let mut judge = Judge::new(&work, &all, &changes, near)?;
    if !near {
        judge.baseline(&work)?;
    }
    for index in switched {
        judge.judge(index, &work)?;
    }
    for index in built {
        if near || judge.known(index) {
            continue;
        }
        let number = &all[changes[index].constant].numbers[changes[index].number];
        let mut verdict = Verdict::NotCompiled;
        for to in [&number.up, &number.down] {
            work.write(&sources, &plan, Some((&changes[index], to)))?;
            if work.builds_lib()? {
                verdict = judge.alone(index, &mut work)?;
                break;
            }
        }
        judge.note(index, verdict)?;
    }
    Ok(judge.report())
}

/// One change for each number of each constant that ships and is no exception.
fn changes(all: &[Constant], exceptions: &Exceptions) -> Vec<Change> {
    let changed =
        |constant: &Constant| CHANGED.iter().any(|place| constant.path.starts_with(place)) && !exceptions.has(constant);
    let constants = all.iter().enumerate().filter(|(_, constant)| changed(constant));
    constants
        .flat_map(|(index, constant)| {
            (0..constant.numbers.len()).map(move |number| Change {
                constant: index,
                number,
            })
        })
        .collect()
}
