use super::*;

const SECOND: i64 = 1_000_000;

fn span(start: i64, end: i64) -> Span {
    Span {
        start_micros: start * SECOND,
        end_micros: end * SECOND,
    }
}

/// A hundred rows, one a second; row 45 is strange and an incident is raised at row 60.
fn judged(spans: &[Span]) -> Judged {
    let mut judged = Judged::new(spans);
    (0..100).for_each(|row| judged.row(Some(row * SECOND), row == 60));
    judged.score(45, 2.0);
    judged.score(45, 1.0);
    judged.score(1_000, 9.0);
    judged
}

#[test]
fn windows_of_time_become_rows_and_all_is_scored_at_one_threshold() {
    let all = [("a.csv".to_owned(), judged(&[span(40, 49), span(70, 75)]))];
    let detection = Detection::of(&all, None, false).expect("has times");
    assert_eq!((detection.total.verdict.threshold, detection.optimised), (2.0, true));
    assert_eq!(
        (detection.total.precision, detection.total.recall),
        (Some(1.0), Some(0.5))
    );
    assert_eq!(
        (detection.incidents.precision, detection.incidents.recall),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(detection.recordings[0].figures, detection.total);
    let given = Detection::of(&all, Some(2.5), false).expect("has times");
    assert_eq!(
        (
            given.total.verdict.found,
            given.total.verdict.threshold,
            given.optimised
        ),
        (0, 2.5, false)
    );
    let json = serde_json::to_value(&detection).expect("encodes");
    assert_eq!(
        (&json["total"]["found"], &json["recordings"][0]["windows"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn a_window_without_a_row_is_refused_unless_the_recording_was_cut_off_before_it() {
    let late = [("a.csv".to_owned(), judged(&[span(40, 49), span(200, 210)]))];
    let error = Detection::of(&late, None, false).expect_err("refused").to_string();
    let expected = "a.csv: window 2 in time covers no row; expected times from 1970-01-01 00:00 to 1970-01-01 00:01";
    assert_eq!(error, expected);
    let cut = Detection::of(&late, None, true).expect("cut off");
    assert_eq!(cut.total.verdict.windows, 1);
    let early = [("a.csv".to_owned(), judged(&[span(-5, -4)]))];
    assert!(Detection::of(&early, None, true).is_err());
}

#[test]
fn rows_without_times_cannot_be_held_against_labels() {
    let mut judged = Judged::new(&[span(1, 2)]);
    judged.row(None, false);
    let error = Detection::of(&[("a.csv".to_owned(), judged)], None, false).expect_err("refused");
    assert!(error.to_string().starts_with("a.csv has no column of times"), "{error}");
}
