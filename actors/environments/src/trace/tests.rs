//! Recordings on disk: one file, several side by side, and by the clock.

use super::*;
use std::fs;
use tempfile::TempDir;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("written");
    }
    directory
}

/// All rows, NaN as none.
fn drain(environment: &mut dyn Environment) -> Vec<Vec<Option<f64>>> {
    let mut row = vec![0.0; environment.describe().dimensions.len()];
    let mut rows = Vec::new();
    while environment.observe(Duration::ZERO, &mut row).expect("good") == Observed::Row {
        rows.push(row.iter().map(|value| (!value.is_nan()).then_some(*value)).collect());
    }
    rows
}

fn names(environment: &dyn Environment) -> Vec<(&str, u16)> {
    environment
        .describe()
        .dimensions
        .iter()
        .map(|d| (d.name.as_str(), d.group))
        .collect()
}

#[test]
fn one_file_is_one_group_with_a_row_each_cycle() {
    let directory = directory(&[("cpu.csv", "timestamp,user,system\n0,1,2\n60,,4\nbad\n120,5,6\n")]);
    let mut trace = Trace::open(&directory.path().join("cpu.csv")).expect("good");
    assert_eq!(trace.describe().name, "cpu");
    assert_eq!(trace.describe().groups, ["cpu"]);
    assert_eq!(names(&trace), [("user", 0), ("system", 0)]);
    assert_eq!(trace.time_micros(), None);
    let rows = drain(&mut trace);
    assert_eq!(
        rows,
        [[Some(1.0), Some(2.0)], [None, Some(4.0)], [Some(5.0), Some(6.0)]]
    );
    assert_eq!((trace.time_micros(), trace.bad_rows()), (Some(120_000_000), 1));
}

#[test]
fn the_end_leaves_the_row_alone_also_behind_a_bad_last_row() {
    let directory = directory(&[("a.csv", "a,b\n1,2\n3,x\n")]);
    let mut trace = Trace::open(&directory.path().join("a.csv")).expect("good");
    let mut row = [0.0; 2];
    assert_eq!(trace.observe(Duration::ZERO, &mut row), Ok(Observed::Row));
    for _ in 0..2 {
        assert_eq!(trace.observe(Duration::ZERO, &mut row), Ok(Observed::End));
    }
    assert_eq!(row, [1.0, 2.0]);
}

#[test]
fn a_stack_aligns_rows_by_number_and_lets_shorter_files_go_missing() {
    let directory = directory(&[
        ("b.csv", "timestamp,value\n0,10\n1,20\n2,30\n"),
        ("a.CSV", "x,y\n1,2\n"),
        ("notes.txt", "not a table"),
    ]);
    let mut trace = Trace::open(directory.path()).expect("good");
    assert_eq!(trace.describe().groups, ["a", "b"]);
    assert_eq!(names(&trace), [("a.x", 0), ("a.y", 0), ("b", 1)]);
    let rows = drain(&mut trace);
    assert_eq!(
        rows,
        [
            [Some(1.0), Some(2.0), Some(10.0)],
            [None, None, Some(20.0)],
            [None, None, Some(30.0)]
        ]
    );
}

#[test]
fn a_stack_without_files_or_with_too_many_columns_is_refused() {
    let empty = directory(&[("notes.txt", "")]);
    let error = Trace::open(empty.path()).expect_err("no CSV").to_string();
    assert!(
        error.ends_with("no file in it ends in .csv; expected at least one"),
        "{error}"
    );
    let wide: Vec<String> = (0..33).map(|column| format!("c{column}")).collect();
    let wide = format!("{}\n{}\n", wide.join(","), vec!["1"; 33].join(","));
    let error = Trace::open(directory(&[("a.csv", &wide), ("b.csv", &wide)]).path()).expect_err("66 columns");
    assert!(error.to_string().contains("more than 64 columns"), "{error}");
    let same = directory(&[("a.csv", "v\n1\n"), ("a.CSV", "v\n1\n")]);
    let error = Trace::open(same.path()).expect_err("twice the same name").to_string();
    assert!(error.contains("two columns are named \"a\""), "{error}");
    let many: Vec<String> = (0..65).map(|file| format!("{file}.csv")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v\n1\n")).collect();
    let error = Trace::open(directory(&many).path()).expect_err("65 files").to_string();
    assert!(error.contains("more than 64 CSV files"), "{error}");
}

#[test]
fn a_file_that_is_not_there_or_not_a_file_is_refused_by_name() {
    let directory = directory(&[]);
    let error = Trace::open(&directory.path().join("gone.csv"))
        .expect_err("gone")
        .to_string();
    assert!(error.contains("gone.csv: cannot be opened"), "{error}");
    let error = Trace::file(directory.path()).expect_err("a directory").to_string();
    assert!(error.ends_with("not a regular file; expected a CSV file"), "{error}");
}

#[test]
fn a_refused_file_stays_refused_and_names_file_and_line() {
    let text = format!("a\n1\n{}2\n", "x\n".repeat(101));
    let directory = directory(&[("a.csv", &text)]);
    let mut trace = Trace::open(&directory.path().join("a.csv")).expect("good at first");
    let mut row = [0.0];
    assert_eq!(trace.observe(Duration::ZERO, &mut row), Ok(Observed::Row));
    let error = trace.observe(Duration::ZERO, &mut row).expect_err("101 bad rows");
    assert!(error.to_string().contains("a.csv: line 103 is bad row 101"), "{error}");
    assert_eq!(trace.observe(Duration::ZERO, &mut row), Err(error));
}

#[test]
fn a_recording_obeys_no_command() {
    let directory = directory(&[("a.csv", "time,a\n0,1\n")]);
    let path = directory.path().join("a.csv");
    let mut environments: [Box<dyn Environment>; 2] = [
        Box::new(Trace::open(&path).expect("good")),
        Box::new(Playback::open(&path, 1.0).expect("good")),
    ];
    for environment in &mut environments {
        assert!(!environment.describe().adjustable);
        let error = environment
            .act(Command::SampleFaster { group: 0 })
            .expect_err("watched")
            .to_string();
        assert_eq!(error, "a does not do that: a recording can only be watched");
    }
}

/// What a playback shows at each second given.
fn play(text: &str, speed: f64, seconds: &[f64]) -> Vec<Option<Vec<f64>>> {
    let directory = directory(&[("a.csv", text)]);
    let mut playback = Playback::open(&directory.path().join("a.csv"), speed).expect("good");
    let width = playback.describe().dimensions.len();
    let mut shown = Vec::new();
    for second in seconds {
        let mut row = vec![-1.0; width];
        let observed = playback
            .observe(Duration::from_secs_f64(*second), &mut row)
            .expect("good");
        shown.push((observed == Observed::Row).then_some(row));
    }
    shown
}

#[test]
fn a_playback_shows_a_row_when_its_time_has_come() {
    let text = "time,a\n100,1\n101,2\n105,3\n";
    let shown = play(text, 1.0, &[5.0, 5.9, 6.0, 6.5, 9.999, 10.0, 10.1]);
    let values: Vec<Option<f64>> = shown.into_iter().map(|row| row.map(|row| row[0])).collect();
    assert_eq!(values[0], Some(1.0));
    assert!(values[1].is_some_and(f64::is_nan));
    assert_eq!(values[2], Some(2.0));
    assert!(values[3].is_some_and(f64::is_nan) && values[4].is_some_and(f64::is_nan));
    assert_eq!(values[5..], [Some(3.0), None]);
}

#[test]
fn a_playback_at_speed_lays_the_rows_of_one_cycle_over_each_other() {
    let text = "time,a,b\n0,1,10\n60,2,\n120,,30\n180,4,40\n";
    let shown = play(text, 60.0, &[0.0, 2.5, 3.0, 4.0]);
    assert_eq!(
        shown,
        [
            Some(vec![1.0, 10.0]),
            Some(vec![2.0, 30.0]),
            Some(vec![4.0, 40.0]),
            None
        ]
    );
}

#[test]
fn a_row_whose_time_goes_back_is_due_at_once() {
    let shown = play("time,a\n100,1\n50,2\n101,3\n", 1.0, &[0.0, 1.0, 1.0]);
    assert_eq!(shown, [Some(vec![2.0]), Some(vec![3.0]), None]);
}

#[test]
fn a_playback_takes_in_a_bounded_number_of_rows_at_once() {
    let text: String = (0..2500).map(|second| format!("{second},{second}\n")).collect();
    let shown = play(&format!("time,a\n{text}"), 1.0, &[0.0, 9999.0, 9999.0, 9999.0, 9999.0]);
    let expected = [0.0, 1000.0, 2000.0, 2499.0];
    assert_eq!(shown[..4], expected.map(|value| Some(vec![value])));
    assert_eq!(shown[4], None);
}

#[test]
fn a_playback_needs_times_and_a_speed() {
    let directory = directory(&[("a.csv", "a,b\n0,1\n"), ("b.csv", "time,b\n0,1\n")]);
    let refusal = |file, speed| {
        Playback::open(&directory.path().join(file), speed)
            .expect_err("refused")
            .to_string()
    };
    assert!(refusal("a.csv", 1.0).contains("no column of times"));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refusal("b.csv", speed).contains("expected 0.001 to 1000000"));
    }
}
