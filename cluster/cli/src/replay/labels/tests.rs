use super::*;

fn read(name: &str, text: &str) -> Result<Labels, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("writes");
    let shorter = |error: LabelError| error.to_string().replace(&folder.path().display().to_string(), "");
    Labels::read(&path).map_err(shorter)
}

fn span(start: i64, end: i64) -> Span {
    Span {
        start_micros: start * 1_000_000,
        end_micros: end * 1_000_000,
    }
}

#[test]
fn the_benchmarks_form_is_read_and_windows_come_in_order() {
    let labels = read(
        "labels.json",
        r#"{"real/a.csv": [["1970-01-02 00:00:00.000000", "1970-01-02 00:01:00.000000"], [10, 20.5]], "b.csv": []}"#,
    )
    .expect("well-formed");
    let first = Span {
        start_micros: 10_000_000,
        end_micros: 20_500_000,
    };
    let a = [first, span(86_400, 86_460)];
    assert_eq!(labels.of(Path::new("/traces/a.csv"), 2).expect("known"), a);
    assert_eq!(labels.of(Path::new("b.csv"), 2).expect("known"), []);
}

#[test]
fn a_name_that_shares_more_of_its_path_is_meant() {
    let labels = read("l.json", r#"{"x/a.csv": [[1, 2]], "y/a.csv": [[3, 4]]}"#).expect("well-formed");
    assert_eq!(labels.of(Path::new("/t/y/a.csv"), 1).expect("known"), [span(3, 4)]);
    let error = labels.of(Path::new("z/a.csv"), 1).expect_err("two").to_string();
    assert!(
        error.ends_with(r#"both "x/a.csv" and "y/a.csv" may be a.csv; expected one name that ends in it"#),
        "{error}"
    );
    let error = labels.of(Path::new("b.csv"), 1).expect_err("none").to_string();
    assert!(
        error.contains("nothing is said of b.csv; expected one of its 2 names"),
        "{error}"
    );
}

#[test]
fn a_csv_file_is_for_one_recording_with_a_heading_or_without() {
    for text in ["start,end\r\n5,6\r\n\r\n1,2\r\n", "\u{feff}\"5\", 6\n1,2"] {
        let labels = read("w.csv", text).expect("well-formed");
        assert_eq!(
            labels.of(Path::new("any.csv"), 1).expect("the only one"),
            [span(1, 2), span(5, 6)]
        );
        let error = labels.of(Path::new("any.csv"), 3).expect_err("three").to_string();
        assert!(error.contains("is for one recording, and there are 3"), "{error}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_what_was_expected() {
    for (name, text, expected) in [
        ("a.json", "{\n", "/a.json: line 2: found no JSON"),
        (
            "a.json",
            "[]",
            "/a.json: at its top: found []; expected an object of lists",
        ),
        (
            "a.json",
            r#"{"a.csv": 7}"#,
            r#"/a.json: "a.csv": found 7; expected a list of [start, end]"#,
        ),
        (
            "a.json",
            r#"{"a.csv": [[1, 2], [3]]}"#,
            r#"/a.json: window 2 of "a.csv": found [3]; expected [start, end]"#,
        ),
        (
            "a.json",
            r#"{"a.csv": [["soon", 2]]}"#,
            r#"/a.json: window 1 of "a.csv": found "soon"; expected a time as YYYY-MM-DD HH:MM:SS"#,
        ),
        (
            "a.json",
            r#"{"a.csv": [[2, 1]]}"#,
            r#"/a.json: window 1 of "a.csv": it ends at 1, before its start at 2; expected start, then end"#,
        ),
        (
            "a.json",
            r#"{"a.csv": [[1, 5], [4, 8]]}"#,
            r#"/a.json: window 2 in time of "a.csv": it overlaps another"#,
        ),
        ("a.csv", "1,2,3\n", "/a.csv: line 1: found 3 cells; expected two"),
        (
            "a.csv",
            "start,end\n1,later\n",
            r#"/a.csv: line 2: found "later"; expected a time"#,
        ),
    ] {
        let error = read(name, text).expect_err(text);
        assert!(error.starts_with(expected), "{error}");
    }
    let error = Labels::read(Path::new("/nowhere/l.json"))
        .expect_err("gone")
        .to_string();
    assert!(error.starts_with("/nowhere/l.json: cannot be read: "), "{error}");
}
