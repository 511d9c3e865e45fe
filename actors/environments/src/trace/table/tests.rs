//! What a CSV file may hold and what it is refused for, on texts in memory.

use super::super::{MAX_LINE_BYTES, MAX_VALUE};
use super::*;
use proptest::prelude::*;
use std::io;

type Rows = Vec<(Option<i64>, Vec<f64>)>;

fn open(text: &[u8]) -> Result<Table<&[u8]>, TableError> {
    Table::open(text)
}

fn read(text: &[u8]) -> Result<(Vec<String>, Rows, u64), TableError> {
    let mut table = open(text)?;
    let mut rows = Rows::new();
    let mut row = vec![0.0; table.names().len()];
    while let Some(info) = table.next_row(&mut row)? {
        rows.push((info.time_micros, row.clone()));
    }
    Ok((table.names().to_vec(), rows, table.bad_rows()))
}

fn values(text: &str) -> Vec<Vec<f64>> {
    let (_, rows, bad) = read(text.as_bytes()).expect("good");
    assert_eq!(bad, 0, "{text:?}");
    rows.into_iter().map(|(_, row)| row).collect()
}

fn refusal(text: impl AsRef<[u8]>) -> String {
    read(text.as_ref()).expect_err("refused").to_string()
}

/// A file whose rows are all bad in the same way, so that the refusal names it.
fn bad_rows(row: &str) -> String {
    refusal(format!("a,b\n1,2\n{}", format!("{row}\n").repeat(101)))
}

#[test]
fn a_first_column_is_the_time_by_its_name_or_its_first_cell() {
    let by_name = read(b"timestamp,value\n2013-07-04 00:00:00,69.5\n").expect("good");
    assert_eq!(by_name.0, ["value"]);
    assert_eq!(by_name.1, [(Some(1_372_896_000_000_000), vec![69.5])]);
    let unix = read(b"Time,a,b\n10.5,1,2\n").expect("good");
    assert_eq!(unix.1, [(Some(10_500_000), vec![1.0, 2.0])]);
    let by_cell = read(b"when,a\n1970-01-01T00:00:01Z,7\n").expect("good");
    assert_eq!(by_cell.1, [(Some(1_000_000), vec![7.0])]);
    // A plain number under an ordinary name is a value, and only the first column is looked at.
    let none = read(b"x,y\n10,2\n").expect("good");
    assert_eq!((none.0.len(), none.1), (2, vec![(None, vec![10.0, 2.0])]));
}

#[test]
fn numbers_are_read_in_all_their_forms() {
    let expected = [1.0, -2.5, 3e5, 0.25, 7.0, 1e150];
    assert_eq!(values("a,b,c,d,e,f\n1,-2.5,+3E5,.25, 7 ,1e150\n"), [expected]);
    assert_eq!(values("a,b,c,d,e,f\n\"1\",\"-2.5\",3e5,0.25,\" 7\",1e150"), [expected]);
}

#[test]
fn a_missing_value_is_not_a_number_in_all_its_forms() {
    let row = &values("a,b,c,d,e,f,g,h\n,NaN,null,NA,n/a,None,\"\", \n")[0];
    assert!(row.len() == 8 && row.iter().all(|value| value.is_nan()), "{row:?}");
    // With one column there is no comma to be seen: an empty line is an empty cell.
    let one = values("a\n1\n\n3\n");
    assert!(one.len() == 3 && one[1][0].is_nan(), "{one:?}");
}

#[test]
fn byte_order_mark_crlf_and_a_missing_last_newline_change_nothing() {
    let plain = values("a,b\n1,2\n3,4\n");
    assert_eq!(values("\u{feff}a,b\r\n1,2\r\n3,4\r\n"), plain);
    assert_eq!(values("a,b\n1,2\n3,4"), plain);
    assert_eq!(values("\"a\",\"b, or \"\"c\"\"\"\n1,2\n3,4"), plain);
    assert_eq!(
        open(b"\"a\",\"b, or \"\"c\"\"\"\n1,2").expect("good").names(),
        ["a", "b, or \"c\""]
    );
}

#[test]
fn a_file_without_rows_is_refused() {
    assert_eq!(refusal(""), "the file is empty; expected a line of column names");
    assert_eq!(refusal("a,b\n"), "there is no row after the column names");
    assert_eq!(refusal("\u{feff}"), "line 1: column 1 has no name");
}

#[test]
fn a_first_line_that_names_no_columns_is_refused() {
    assert_eq!(refusal("\n1\n"), "line 1: column 1 has no name");
    assert_eq!(refusal("a,,c\n1,2,3\n"), "line 1: column 2 has no name");
    assert_eq!(
        refusal("a,b,a\n1,2,3\n"),
        "line 1: columns 1 and 3 are both named \"a\""
    );
    assert_eq!(
        refusal("1.5,2\n1,2\n"),
        "line 1: column 1 is named \"1.5\"; expected a name, not a value (the first line names the columns)"
    );
    assert_eq!(
        refusal("timestamp\n2013-07-04\n"),
        "line 1: there is a time, but no column of values"
    );
    assert_eq!(refusal(b"a,\xff\xfe\n1,2\n"), "line 1: cell 2 is not UTF-8");
    assert_eq!(refusal("a,\"b\n1,2\n"), "line 1: a quote is not closed in its line");
    assert!(refusal("a\rb\r1\r2\r").contains("line 1: a carriage return inside the line"));
    assert!(refusal(format!("{}\n1\n", "n".repeat(129))).contains("expected at most 128 bytes"));
    assert!(refusal("a\u{7}b\n1\n").contains("without control characters"));
}

#[test]
fn sixty_four_columns_and_a_time_are_the_most() {
    let file = |columns: usize, first: &str| {
        let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
        let values = vec!["1"; columns].join(",");
        format!(
            "{first}{}\n{}{values}\n",
            names.join(","),
            if first.is_empty() { "" } else { "5," }
        )
    };
    assert_eq!(values(&file(64, "")), [vec![1.0; 64]]);
    assert_eq!(values(&file(64, "time,")), [vec![1.0; 64]]);
    assert_eq!(
        refusal(file(65, "")),
        "line 1: 65 columns of values; expected at most 64"
    );
    assert_eq!(refusal(file(65, "time,")), "line 1: more than 65 cells");
    assert_eq!(refusal(file(100, "")), "line 1: more than 65 cells");
}

#[test]
fn a_bad_row_is_counted_and_skipped() {
    let text = "ts,a,b\n0,1,2\nx,1,2\n1,3\n2,3,4,5\n3,inf,4\n4,\"5,6\n5,7,8\r9\n\n6,-,1\n7,1e151,1\n8,5,6\n";
    let (_, rows, bad) = read(text.as_bytes()).expect("good");
    assert_eq!(rows, [(Some(0), vec![1.0, 2.0]), (Some(8_000_000), vec![5.0, 6.0])]);
    assert_eq!(bad, 9);
}

#[test]
fn one_bad_row_too_many_refuses_the_file_by_line_and_reason() {
    let (_, rows, bad) = read(format!("a,b\n{}5,6\n", "x\n".repeat(100)).as_bytes()).expect("at the limit");
    assert_eq!((rows.len(), bad), (1, 100));
    let line = "line 103 is bad row 101 of at most 100: ";
    assert_eq!(bad_rows("1,2,3"), format!("{line}3 cells; expected 2"));
    assert_eq!(bad_rows(""), format!("{line}0 cells; expected 2"));
    assert_eq!(bad_rows("1,\"2"), format!("{line}a quote is not closed in its line"));
    assert_eq!(
        bad_rows("1,2x"),
        format!("{line}cell 2 is \"2x\"; expected a number, at most 1e150 in magnitude, or nothing")
    );
    let times = refusal(format!("time,a\n{}", "noon,1\n".repeat(101)));
    assert_eq!(
        times,
        "line 102 is bad row 101 of at most 100: cell 1 is \"noon\"; expected YYYY-MM-DD HH:MM:SS, ISO 8601 or Unix \
         seconds"
    );
}

#[test]
fn a_line_is_refused_from_its_first_byte_too_many() {
    let padded = |bytes: usize, end: &str| format!("a\n1\n{}2{end}", " ".repeat(bytes - 1));
    for end in ["", "\n", "\r\n"] {
        assert_eq!(values(&padded(MAX_LINE_BYTES, end)), [[1.0], [2.0]]);
        for bytes in [
            MAX_LINE_BYTES + 1,
            MAX_LINE_BYTES + 2,
            MAX_LINE_BYTES + 3,
            10 * MAX_LINE_BYTES,
        ] {
            assert_eq!(refusal(padded(bytes, end)), "line 3 is longer than 65536 bytes");
        }
    }
}

#[test]
fn a_reader_that_fails_is_reported_with_its_line() {
    struct Torn(bool);
    impl Read for Torn {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("torn"));
            }
            buffer[..6].copy_from_slice(b"a\n1\n2\n");
            Ok(6)
        }
    }
    let mut table = Table::open(Torn(false)).expect("good so far");
    let mut row = [0.0];
    for expected in [1.0, 2.0] {
        assert!(table.next_row(&mut row).expect("good so far").is_some());
        assert_eq!(row, [expected]);
    }
    let error = table.next_row(&mut row).expect_err("torn").to_string();
    assert_eq!(error, "cannot be read after line 3: torn");
}

/// Bytes that are often nearly CSV.
fn nearly_csv() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[0-9]{1,4}(\\.[0-9]{1,3})?".prop_map(String::into_bytes),
        4 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        1 => prop_oneof![Just("\r\n"), Just("\r"), Just("\""), Just("NaN"), Just("inf"), Just("1e999"), Just("-0")]
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(b"2013-07-04 00:00:00".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let body = prop::collection::vec(piece, 0..300).prop_map(|pieces| pieces.concat());
    (
        prop_oneof![Just(""), Just("a\n"), Just("a,b\n"), Just("time,a\n")],
        body,
    )
        .prop_map(|(header, body)| [header.as_bytes(), &body].concat())
}

proptest! {
    #[test]
    fn any_bytes_end_in_rows_or_a_refusal_and_never_in_an_infinite_value(bytes in nearly_csv()) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        match read(&bytes) {
            Ok((names, rows, bad)) => {
                prop_assert!((1..=MAX_DIMENSIONS).contains(&names.len()));
                prop_assert!(bad <= MAX_BAD_ROWS);
                prop_assert!(rows.len() + bad as usize <= lines);
                for (_, row) in rows {
                    prop_assert!(row.iter().all(|value| value.is_nan() || value.abs() <= MAX_VALUE));
                }
            }
            Err(error) => prop_assert!(error.to_string().len() < 400, "{}", error),
        }
    }

    #[test]
    fn what_was_written_is_what_is_read(
        table in prop::collection::vec(prop::collection::vec(prop::option::of(-1e150..1e150), 3), 1..40),
    ) {
        let mut text = "a,b,c\n".to_owned();
        for row in &table {
            let cells: Vec<String> = row.iter().map(|cell| cell.map_or(String::new(), |x: f64| format!("{x:e}"))).collect();
            text += &(cells.join(",") + "\n");
        }
        let expected: Vec<Vec<u64>> =
            table.iter().map(|row| row.iter().map(|cell| cell.unwrap_or(f64::NAN).to_bits()).collect()).collect();
        let found: Vec<Vec<u64>> =
            values(&text).iter().map(|row| row.iter().map(|value| value.to_bits()).collect()).collect();
        prop_assert_eq!(found, expected);
    }
}
