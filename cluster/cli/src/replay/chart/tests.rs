use super::*;
use crate::plot::svg::tests::assert_well_formed;

fn history(dimensions: usize, rows: u64) -> History {
    let names: Vec<String> = (0..dimensions).map(|index| format!("cpu<{index}>")).collect();
    let mut history = History::new(&names);
    history.rows = rows;
    for row in 0..rows {
        for panel in &mut history.panels {
            let value = (row as f64 / 9.0).sin();
            panel.observed.push(row, value);
            panel.forecast.push(row, 0.9 * value);
            panel.low.push(row, 0.9 * value - 0.2);
            panel.high.push(row, 0.9 * value + 0.2);
        }
        history.times.push(row, 1.4e15 + row as f64 * 3e8);
        history.anomaly.push(row, (row % 100) as f64 / 100.0);
        history.divergence.push(row, 0.05);
    }
    let [frozen, full] = [Authority::Frozen, Authority::Full];
    history.authorities = vec![
        (0, [full, full, frozen, frozen, frozen]),
        (rows / 2, [full, full, full, frozen, frozen]),
    ];
    history.incidents = vec![(rows / 3, Some(rows / 3 + 5)), (rows - 1, None)];
    history.freezes = vec![(rows / 2, Level::L48)];
    history
}

fn notes() -> Notes {
    Notes {
        recording: "a&b.csv".to_owned(),
        figures: "5 of 6 windows".to_owned(),
        windows: vec![(100, 150)],
        probation: 75,
        threshold: Some(0.9),
        alarms: vec![120, 300],
    }
}

#[test]
fn a_picture_is_well_formed_and_the_same_each_time() {
    for (dimensions, rows) in [(1, 500), (3, 1), (70, 20_000)] {
        let history = history(dimensions, rows);
        let picture = draw(&history, &notes());
        assert_well_formed(&picture);
        assert_eq!(picture, draw(&history, &notes()));
        assert!(picture.len() < 1_500_000, "{}", picture.len());
    }
}

#[test]
fn it_shows_windows_detections_incidents_levels_and_times() {
    let picture = draw(&history(1, 500), &notes());
    for part in [
        "<text class=\"title\" x=\"72\" y=\"30\">a&amp;b.csv</text>",
        "cpu&lt;0&gt;",
        "class=\"label\"",
        "<circle class=\"hit\" ",
        "<title>row 301</title>",
        "incident from row 167 to 172",
        "threshold 0.900",
        ">L4.8</text>",
        "class=\"freeze\"",
        ">2014-05-1",
        "prefers-color-scheme:dark",
    ] {
        assert!(picture.contains(part), "{part}");
    }
    assert!(
        !picture.contains(">L6</text>"),
        "a level that never was above frozen has no lane"
    );
}

#[test]
fn of_many_columns_the_first_are_drawn_and_the_rest_are_told() {
    let picture = draw(&history(20, 50), &Notes::default());
    assert!(picture.contains("8 of 20 columns drawn"));
    assert!(picture.contains("cpu&lt;7&gt;") && !picture.contains("cpu&lt;8&gt;"));
    assert!(!picture.contains("detection in a window") && !picture.contains("not judged"));
}

#[test]
fn a_recording_without_a_row_has_a_picture() {
    assert_well_formed(&draw(&History::new(&["x".to_owned()]), &Notes::default()));
}
