use super::*;
use crate::args::{Arguments, Command};
use clap::Parser as _;
use drive::{Step, Watcher};
use rungs_mind::l48::observe::Score;
use std::path::PathBuf;

fn arguments(line: &[&str]) -> Replay {
    let words = ["rungs", "replay"].iter().chain(line).map(|word| (*word).to_owned());
    match Arguments::try_parse_from(words).expect("valid").command {
        Command::Replay(replay) => replay,
        other => panic!("{other:?}"),
    }
}

/// A file of `rows` rows of a noisy wave around `level`.
fn wave(folder: &Path, name: &str, rows: u32, level: f64) -> PathBuf {
    let mut text = "timestamp,value\n".to_owned();
    let mut noise = 1_u64;
    for row in 0..rows {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let value = level + 10.0 * (f64::from(row) / 7.0).sin() + (noise >> 40) as f64 / 1e7;
        text += &format!("2024-01-01 {:02}:{:02}:00,{value:.4}\n", row / 60 % 24, row % 60);
    }
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writes");
    path
}

struct Events<'a>(&'a mut Vec<String>);

impl Watcher for Events<'_> {
    fn step(&mut self, step: &Step<'_>) -> anyhow::Result<()> {
        for told in &step.cycle.told {
            self.0.push(serde_json::to_string(told)?);
        }
        Ok(())
    }

    fn end(&mut self, _tail: &[Score]) {}
}

fn figures(line: &[&str]) -> anyhow::Result<(Vec<Summary>, Vec<String>)> {
    let replay = arguments(line);
    let (mut summaries, mut events) = (Vec::new(), Vec::new());
    for recording in recordings::chosen(&replay)? {
        let mut trace = recording.open()?;
        let spec = recording.agent(replay.seed, replay.particles);
        let course = Course {
            limit: replay.limit,
            place: replay.place,
            spans: &[],
        };
        let tally = drive::drive(&mut trace, &spec, &course, &mut Events(&mut events))?;
        summaries.push(tally.summary(recording.name(), trace.bad_rows(), trace.first_bad_row()));
    }
    Ok((summaries, events))
}

#[test]
fn a_wave_is_forecast_better_than_by_persistence_and_the_same_seed_gives_the_same_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = wave(folder.path(), "wave.csv", 1_503, 50.0);
    let line = [path.to_str().expect("utf-8"), "--seed", "3"];
    let (summaries, events) = figures(&line).expect("replays");
    let summary = &summaries[0];
    assert_eq!((summary.rows, summary.scored, summary.bad_rows), (1_503, 1_502, 0));
    assert!(summary.forecast_ratio.expect("evidence") < 0.6, "{summary:?}");
    assert!(
        (0.85..0.95).contains(&summary.coverage().expect("known")),
        "{summary:?}"
    );
    assert!(summary.eu.expect("known") < 0.15, "{summary:?}");
    assert_eq!(figures(&line).expect("replays"), (summaries, events));
}

#[test]
fn where_an_operator_lets_the_levels_act_their_decisions_are_counted_and_their_score_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = wave(folder.path(), "wave.csv", 2_000, 50.0);
    let path = path.to_str().expect("utf-8");
    let (watched, _) = figures(&[path]).expect("replays");
    let (acting, events) = figures(&[path, "--place", "full"]).expect("replays");
    let [watched, acting] = [&watched[0].autonomy, &acting[0].autonomy];
    assert_eq!(
        (watched.decisions, watched.veto_rate()),
        (0, None),
        "it only checks its criteria"
    );
    assert!(
        watched.checked > 1_000 && watched.comfortable_share() > Some(0.5),
        "{watched:?}"
    );
    assert!(
        acting.checked == watched.checked && acting.comfortable_share() > Some(0.5),
        "{acting:?}"
    );
    assert!(events.iter().any(|line| line.contains("operator replay")), "{events:?}");
}

#[test]
fn files_of_a_folder_are_replayed_one_by_one_or_side_by_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_str().expect("utf-8");
    wave(folder.path(), "a.csv", 300, 1.0);
    wave(folder.path(), "b.csv", 200, 2.0);
    let (alone, _) = figures(&["--dir", dir]).expect("replays");
    let names = |summaries: &[Summary]| summaries.iter().map(|s| s.recording.clone()).collect::<Vec<_>>();
    assert_eq!(names(&alone), ["a.csv", "b.csv"]);
    assert_eq!((alone[0].rows, alone[1].rows), (300, 200));
    let (stacked, events) = figures(&["--dir", dir, "--stack", "--limit", "250"]).expect("replays");
    assert_eq!((stacked.len(), stacked[0].rows, stacked[0].dimensions), (1, 250, 2));
    assert_eq!(
        stacked[0].scored,
        249 + 199,
        "a file that has ended is missing from then on"
    );
    let agent = recordings::chosen(&arguments(&["--dir", dir, "--stack"])).expect("lists")[0].agent(0, 100);
    let agent = serde_json::to_string(&agent.agent).expect("encodes");
    assert!(events.iter().all(|line| line.contains(&agent)), "{events:?}");
}

#[test]
fn a_series_that_never_moves_is_no_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flat.csv");
    std::fs::write(&path, format!("value\n{}", "7\n".repeat(120))).expect("writes");
    let (summaries, _) = figures(&[path.to_str().expect("utf-8")]).expect("replays");
    assert_eq!((summaries[0].rows, summaries[0].forecast_ratio), (120, None));
    let total = Total::of(&summaries);
    assert_eq!((total.forecast_ratio, total.with_ratio), (None, 0));
    let text = |labelled| report::text(&summaries, &total, labelled, Style::default());
    assert!(text(false).contains("no evidence") && text(false).contains("L4.9 on all rows: "));
    assert!(text(true).contains("L4.9 on healthy rows: "));
    let (short, _) = figures(&[path.to_str().expect("utf-8"), "--place", "full"]).expect("replays");
    let text = report::text(&short, &Total::of(&short), false, Style::default());
    let line = "\nflat.csv: L4.8 and L4.9 never put on full: it ends before row 1000\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn what_cannot_be_replayed_says_where_and_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        let error = figures(&[path.to_str().expect("utf-8")]).expect_err("refused");
        format!("{error:#}").replace(&folder.path().display().to_string(), "")
    };
    let bad = "x\n".repeat(101);
    assert_eq!(
        refused("cells.csv", &format!("value\n1\n{bad}")),
        "/cells.csv: line 103 is bad row 101 of at most 100: cell 1 is \"x\"; expected a number, at most 1e150 in \
         magnitude, or nothing"
    );
    assert_eq!(
        refused("head.csv", "1,2\n3,4\n"),
        "/head.csv: line 1: column 1 is named \"1\"; expected a name, not a value (the first line names the columns)"
    );
    let error = figures(&["/nowhere/x.csv"]).expect_err("refused").to_string();
    assert!(error.starts_with("/nowhere/x.csv: cannot be opened: "), "{error}");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let error = figures(&["--dir", empty.to_str().expect("utf-8")]).expect_err("refused");
    assert!(
        error
            .to_string()
            .ends_with("no file in it ends in .csv; expected at least one")
    );
}
