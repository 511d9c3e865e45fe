//! `rungs replay` as it is typed: the same seed and files give the same bytes, and what is wrong is said with exit code 1.

use rungs_test_support::{program, temp_dir};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

/// A day of a quantity that is high at daytime, with a value each ten minutes, over so many days.
fn days(count: u32) -> String {
    let mut text = "timestamp,value\n".to_owned();
    for slot in 0..144 * count {
        let (day, hour, minute) = (1 + slot / 144, slot / 6 % 24, slot % 6 * 10);
        let level = if (8..20).contains(&hour) { 80.0 } else { 20.0 };
        // A fixed scatter: it needs no randomness to look like some.
        let scatter = f64::from(slot * 37 % 101) / 25.0;
        writeln!(text, "2024-01-{day:02} {hour:02}:{minute:02}:00,{}", level + scatter).expect("a string takes all");
    }
    text
}

async fn replay(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(program());
    command.arg("replay").args(arguments).current_dir(folder);
    command.output().await.expect("the program runs")
}

#[tokio::test]
async fn a_folder_is_replayed_alike_each_time_and_its_figures_are_told() {
    let folder = temp_dir("replay").expect("a folder can be made");
    for (name, count) in [("a.csv", 14), ("b.csv", 9)] {
        std::fs::write(folder.path().join(name), days(count)).expect("writes");
    }
    let line = ["--dir", ".", "--seed", "7", "--json", "--events", "events.jsonl"];
    let first = replay(&line, folder.path()).await;
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let events = std::fs::read(folder.path().join("events.jsonl")).expect("written");
    let again = replay(&line, folder.path()).await;
    assert!(first.stdout == again.stdout, "the same seed and files");
    assert!(events == std::fs::read(folder.path().join("events.jsonl")).expect("written"));

    let lines: Vec<Value> = String::from_utf8(first.stdout)
        .expect("utf-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (&lines[0]["recording"], &lines[0]["rows"]),
        (&"a.csv".into(), &2_016.into())
    );
    assert_eq!((lines.len(), &lines[2]["recordings"]), (3, &2.into()));
    assert!(
        lines[2]["forecast_ratio"].as_f64().expect("evidence") < 0.9,
        "{}",
        lines[2]
    );
    let coverage = lines[2]["coverage"].as_f64().expect("known");
    assert!((0.85..0.95).contains(&coverage), "{coverage}");

    let shown = replay(&["a.csv", "--limit", "100"], folder.path()).await;
    let shown = String::from_utf8(shown.stdout).expect("utf-8");
    for word in [
        "recording",
        "a.csv",
        "100 rows",
        "alarms per 10,000 cycles: spectral 0.00",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_replayed_is_an_error_that_says_where() {
    let folder = temp_dir("replay-bad").expect("a folder can be made");
    let bad = format!("value,other\n1,2\n{}", "1,x\n".repeat(101));
    std::fs::write(folder.path().join("bad.csv"), bad).expect("writes");
    for (arguments, code, expected) in [
        (
            &["bad.csv"][..],
            1,
            "bad.csv: line 103 is bad row 101 of at most 100: cell 2 is \"x\"; expected a number",
        ),
        (&["gone.csv"], 1, "gone.csv: cannot be opened"),
        (&["--dir", "gone"], 1, "gone: cannot be listed"),
        (
            &["bad.csv", "--limit", "1", "--events", "gone/e"],
            1,
            "cannot write gone/e",
        ),
        (&["bad.csv", "--particles", "9"], 2, "10..=10000"),
        (&[], 2, "<TRACE>"),
    ] {
        let output = replay(arguments, folder.path()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
