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

/// Twenty days of which the thirteenth stays low at noon and has a spike at night, and the window around both.
fn labelled_days(folder: &Path) {
    let mut rows: Vec<String> = days(20).lines().map(str::to_owned).collect();
    for (row, line) in rows
        .iter_mut()
        .enumerate()
        .skip(1)
        .filter(|(row, _)| (1_780..1_850).contains(row))
    {
        let value = if row == 1_850 - 1 { 300 } else { 20 + row % 4 };
        line.truncate(line.find(',').expect("a time and a value"));
        write!(line, ",{value}").expect("a string takes all");
    }
    std::fs::write(folder.join("a.csv"), rows.join("\n")).expect("writes");
    std::fs::write(folder.join("quiet.csv"), days(20)).expect("writes");
    let labels = r#"{"some/a.csv": [["2024-01-13 06:00:00", "2024-01-14 03:00:00"]], "some/quiet.csv": []}"#;
    std::fs::write(folder.join("labels.json"), labels).expect("writes");
}

#[tokio::test]
async fn detection_is_scored_against_labels_and_a_plot_shows_it() {
    let folder = temp_dir("replay-labels").expect("a folder can be made");
    labelled_days(folder.path());
    let line = ["a.csv", "quiet.csv", "--labels", "labels.json", "--plot", "plots/"];
    let first = replay(&line, folder.path()).await;
    let shown = String::from_utf8(first.stdout).expect("utf-8");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    for words in [
        "false alarms  precision  recall",
        "the best for all recordings together",
        "anomaly score: 1 of 1 windows found, 0 false alarms; precision 1.000, recall 1.000, F1 1.000, NAB 9",
        "incidents raised by the agent: ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let plot = |name: &str| std::fs::read_to_string(folder.path().join("plots").join(name)).expect("written");
    let (a, quiet) = (plot("a.svg"), plot("quiet.svg"));
    assert!(a.starts_with("<?xml") && a.ends_with("</svg>\n") && a.contains("class=\"hit\""));
    assert!(!quiet.contains("class=\"label\""), "nothing is labelled there");
    let again = replay(&line, folder.path()).await;
    assert_eq!(String::from_utf8(again.stdout).expect("utf-8"), shown);
    assert!((plot("a.svg"), plot("quiet.svg")) == (a, quiet), "the same bytes");

    let plain = replay(&["a.csv", "quiet.csv"], folder.path()).await;
    let plain = String::from_utf8(plain.stdout).expect("utf-8");
    assert!(plain.contains("L4.9 on all rows: ") && shown.contains("L4.9 on healthy rows: "));
    // Without labels no row is known to be healthy, so that line counts others.
    let all_else = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("L4.9 on "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    assert!(
        all_else(&shown).starts_with(&all_else(&plain)),
        "what is asked for comes after what is always told"
    );

    let line = ["a.csv", "--labels", "labels.json", "--threshold", "99", "--json"];
    let given = String::from_utf8(replay(&line, folder.path()).await.stdout).expect("utf-8");
    let last: Value = serde_json::from_str(given.lines().last().expect("lines")).expect("JSON");
    let total = &last["detection"]["total"];
    assert_eq!(
        (&total["found"], &total["nab"], &total["windows"]),
        (&0.into(), &0.0.into(), &1.into())
    );
}

#[tokio::test]
async fn labels_and_plots_that_do_not_fit_are_errors_before_anything_is_replayed() {
    let folder = temp_dir("replay-labels-bad").expect("a folder can be made");
    labelled_days(folder.path());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
    write("other.json", r#"{"b.csv": []}"#);
    write("back.json", r#"{"a.csv": [["2024-01-02", "2024-01-01"]]}"#);
    write("late.csv", "start,end\n2025-01-01,2025-01-02\n");
    write("plain.csv", "value\n1\n2\n");
    write("bad.csv", "value,other\n1\n2\n");
    write("some-bad.csv", "value\n1\nx\n2\n");
    for (arguments, code, expected) in [
        (&["a.csv", "--labels", "gone.json"][..], 1, "gone.json: cannot be read"),
        (
            &["a.csv", "--labels", "other.json"],
            1,
            "nothing is said of a.csv; expected one of its 1 names",
        ),
        (
            &["a.csv", "--labels", "back.json"],
            1,
            "it ends at 2024-01-01, before its start at 2024-01-02",
        ),
        (
            &["a.csv", "--labels", "late.csv"],
            1,
            "window 1 in time covers no row; expected times from 2024-01-01 00:00",
        ),
        (
            &["plain.csv", "--labels", "late.csv"],
            1,
            "plain.csv has no column of times",
        ),
        (
            &["a.csv", "quiet.csv", "--labels", "late.csv"],
            1,
            "is for one recording, and there are 2",
        ),
        (&["a.csv", "--threshold", "1"], 2, "--labels <FILE>"),
        (
            &["a.csv", "--labels", "labels.json", "--threshold", "0"],
            2,
            "expected a number above 0",
        ),
        (
            &["a.csv", "--labels", "labels.json", "--stack"],
            2,
            "cannot be used with",
        ),
        (
            &["a.csv", "quiet.csv", "--plot", "x.svg"],
            1,
            "2 recordings do not go into one file; expected a folder, such as x/",
        ),
        (&["a.csv", "--plot", "gone/x.svg"], 1, "cannot write gone/x.svg"),
        (
            &["bad.csv"],
            1,
            "no row can be used; the first is refused: bad.csv: line 2: 1 cells; expected 2",
        ),
    ] {
        let output = replay(arguments, folder.path()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let output = replay(&["some-bad.csv"], folder.path()).await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("first bad row of some-bad.csv: line 3: cell 1 is \"x\"; expected a number"),
        "{shown}"
    );
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
