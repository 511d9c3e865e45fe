//! One CSV file, read row by row in constant memory: the bounds, the header and what a row must be.
//!
//! The grammar of a line is `csv_core`'s; the bounds are ours: a line is one row (a quoted cell does not go on in the
//! next line), at most [`MAX_LINE_BYTES`] long, with at most [`MAX_DIMENSIONS`] values.
//!
//! Invariants:
//! 1. Memory does not grow with the file, and one call reads at most [`MAX_BAD_ROWS`] + 1 lines.
//! 2. A value is finite, or NaN where it is missing.
//! 3. A row that is not one is counted and skipped; after [`MAX_BAD_ROWS`] of them the file is refused for good.

use super::time;
use super::{MAX_BAD_ROWS, MAX_LINE_BYTES, MAX_NAME_BYTES, MAX_VALUE};
use rungs_types::spec::MAX_DIMENSIONS;
use std::io::{self, BufRead, BufReader, Read};

/// Size of the read buffer.
const BUFFER_BYTES: usize = 32 * 1024;
/// Most cells of a line: the values and the time.
const MAX_CELLS: usize = MAX_DIMENSIONS + 1;
/// Most characters of a bad cell that a message shows.
const SHOWN_CHARS: usize = 40;
/// Names of a first column that is the time, in lower case.
const TIME_NAMES: [&str; 6] = ["timestamp", "time", "datetime", "date", "ts", "t"];
/// What a missing value looks like, beside nothing at all, in lower case.
const MISSING: [&str; 5] = ["nan", "null", "na", "n/a", "none"];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where and why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("cannot be read after line {line}: {source}")]
    Io { line: u64, source: io::Error },
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes")]
    LongLine { line: u64 },
    #[error("the file is empty; expected a line of column names")]
    Empty,
    #[error("there is no row after the column names")]
    NoRows,
    #[error("line {line}: {problem}")]
    Header { line: u64, problem: HeaderProblem },
    #[error(
        "line {line} is bad row {} of at most {MAX_BAD_ROWS}: {problem}",
        MAX_BAD_ROWS + 1
    )]
    BadRows { line: u64, problem: RowProblem },
}

/// What is wrong with the column names.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderProblem {
    #[error("{0}")]
    Line(RowProblem),
    #[error("column {column} has no name")]
    Unnamed { column: usize },
    #[error("column {column} is named {name:?}; expected at most {MAX_NAME_BYTES} bytes without control characters")]
    BadName { column: usize, name: String },
    #[error("column {column} is named {name:?}; expected a name, not a value (the first line names the columns)")]
    Value { column: usize, name: String },
    #[error("columns {first} and {second} are both named {name:?}")]
    Duplicate { first: usize, second: usize, name: String },
    #[error("there is a time, but no column of values")]
    OnlyTime,
    #[error("{found} columns of values; expected at most {MAX_DIMENSIONS}")]
    TooMany { found: usize },
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum RowProblem {
    #[error("{found} cells; expected {expected}")]
    Cells { found: usize, expected: usize },
    #[error("more than {MAX_CELLS} cells")]
    TooManyCells,
    #[error("a quote is not closed in its line")]
    OpenQuote,
    #[error("a carriage return inside the line; expected lines that end in LF or CRLF")]
    CarriageReturn,
    #[error("cell {column} is not UTF-8")]
    NotText { column: usize },
    #[error("cell {column} is {found:?}; expected a number, at most 1e150 in magnitude, or nothing")]
    NotNumber { column: usize, found: String },
    #[error("cell 1 is {found:?}; expected {}", time::EXPECTED)]
    NotTime { found: String },
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Table<R> {
    lines: Lines<R>,
    cells: Cells,
    /// Names of the columns of values.
    names: Vec<String>,
    /// Whether the first column is the time.
    timed: bool,
    /// The first row has been read to see what it is, and is still to be handed out.
    held: bool,
    bad_rows: u64,
}

/// What is known of a row beside its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowInfo {
    /// Its time, if the file has times.
    pub(super) time_micros: Option<i64>,
}

impl<R: Read> Table<R> {
    /// Reads the column names and looks at the first row.
    pub(super) fn open(input: R) -> Result<Self, TableError> {
        let mut lines = Lines::new(input);
        let mut cells = Cells::new();
        if !lines.advance()? {
            return Err(TableError::Empty);
        }
        if lines.text.starts_with(BYTE_ORDER_MARK) {
            lines.text.drain(..BYTE_ORDER_MARK.len());
        }
        let line = lines.number;
        let header = |problem| TableError::Header { line, problem };
        let mut names = column_names(&mut cells, &lines.text).map_err(header)?;
        if !lines.advance()? {
            return Err(TableError::NoRows);
        }
        let first_cell = cells.split(&lines.text).ok().and_then(|()| cells.text(0));
        let timed =
            TIME_NAMES.contains(&names[0].to_lowercase().as_str()) || first_cell.and_then(time::calendar).is_some();
        if timed {
            names.remove(0);
        }
        match names.len() {
            0 => Err(header(HeaderProblem::OnlyTime)),
            1..=MAX_DIMENSIONS => Ok(Self {
                lines,
                cells,
                names,
                timed,
                held: true,
                bad_rows: 0,
            }),
            found => Err(header(HeaderProblem::TooMany { found })),
        }
    }

    /// Names of the columns of values, in order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether its rows have a time.
    pub(super) fn timed(&self) -> bool {
        self.timed
    }

    /// Rows that were skipped so far.
    pub(super) fn bad_rows(&self) -> u64 {
        self.bad_rows
    }

    /// Fills `row`, one value per name, from the next good row; none at the end of the file.
    pub(super) fn next_row(&mut self, row: &mut [f64]) -> Result<Option<RowInfo>, TableError> {
        loop {
            if !std::mem::take(&mut self.held) && !self.lines.advance()? {
                return Ok(None);
            }
            match self.parse(row) {
                Ok(info) => return Ok(Some(info)),
                Err(problem) => {
                    self.bad_rows += 1;
                    if self.bad_rows > MAX_BAD_ROWS {
                        let line = self.lines.number;
                        return Err(TableError::BadRows { line, problem });
                    }
                }
            }
        }
    }

    fn parse(&mut self, row: &mut [f64]) -> Result<RowInfo, RowProblem> {
        debug_assert_eq!(row.len(), self.names.len(), "the caller sizes the row by the names");
        let expected = self.names.len() + usize::from(self.timed);
        if self.lines.text == b"\n" && expected == 1 {
            row[0] = f64::NAN;
            return Ok(RowInfo { time_micros: None });
        }
        self.cells.split(&self.lines.text)?;
        let found = self.cells.count;
        if found != expected {
            return Err(RowProblem::Cells { found, expected });
        }
        let time_micros = if self.timed { Some(self.cells.time()?) } else { None };
        for (index, value) in row.iter_mut().enumerate() {
            *value = self.cells.number(index + usize::from(self.timed))?;
        }
        Ok(RowInfo { time_micros })
    }
}

fn column_names(cells: &mut Cells, line: &[u8]) -> Result<Vec<String>, HeaderProblem> {
    cells.split(line).map_err(HeaderProblem::Line)?;
    let mut names: Vec<String> = Vec::with_capacity(cells.count);
    for index in 0..cells.count {
        let column = index + 1;
        let not_text = HeaderProblem::Line(RowProblem::NotText { column });
        let name = cells.text(index).ok_or(not_text)?.to_owned();
        if name.is_empty() {
            return Err(HeaderProblem::Unnamed { column });
        }
        if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            let name = shown(&name);
            return Err(HeaderProblem::BadName { column, name });
        }
        if name.parse::<f64>().is_ok() {
            return Err(HeaderProblem::Value { column, name });
        }
        if let Some(first) = names.iter().position(|earlier| *earlier == name) {
            return Err(HeaderProblem::Duplicate {
                first: first + 1,
                second: column,
                name,
            });
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(HeaderProblem::Unnamed { column: 1 });
    }
    Ok(names)
}

/// The beginning of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

/// Lines of bounded length.
#[derive(Debug)]
struct Lines<R> {
    input: BufReader<R>,
    /// The current line; its end is always one LF.
    text: Vec<u8>,
    /// Its number, from 1.
    number: u64,
}

impl<R: Read> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            text: Vec::new(),
            number: 0,
        }
    }

    /// Goes to the next line; false at the end.
    fn advance(&mut self) -> Result<bool, TableError> {
        self.text.clear();
        let limit = MAX_LINE_BYTES as u64 + 2; // CR and LF
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.text);
        let line = self.number;
        if read.map_err(|source| TableError::Io { line, source })? == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.text.ends_with(b"\n") {
            self.text.pop();
        }
        if self.text.ends_with(b"\r") {
            self.text.pop();
        }
        if self.text.len() > MAX_LINE_BYTES {
            return Err(TableError::LongLine { line: self.number });
        }
        self.text.push(b'\n');
        Ok(true)
    }
}

/// The cells of one line.
#[derive(Debug)]
struct Cells {
    grammar: csv_core::Reader,
    /// All cells, one after the other, unquoted.
    bytes: Vec<u8>,
    /// Where each cell ends in `bytes`.
    ends: [usize; MAX_CELLS],
    count: usize,
}

impl Cells {
    fn new() -> Self {
        Self {
            grammar: csv_core::Reader::new(),
            bytes: Vec::new(),
            ends: [0; MAX_CELLS],
            count: 0,
        }
    }

    /// Splits a line that ends in LF.
    fn split(&mut self, line: &[u8]) -> Result<(), RowProblem> {
        use csv_core::ReadRecordResult::{End, InputEmpty, OutputEndsFull, OutputFull, Record};
        self.count = 0;
        if line == b"\n" {
            return Ok(());
        }
        if self.bytes.len() < line.len() {
            self.bytes.resize(line.len(), 0);
        }
        let (result, read, _, count) = self.grammar.read_record(line, &mut self.bytes, &mut self.ends);
        let problem = match result {
            Record if read == line.len() => {
                self.count = count;
                return Ok(());
            }
            Record => RowProblem::CarriageReturn,
            InputEmpty | End => RowProblem::OpenQuote,
            // The output is as long as the line, so that only the ends can be full.
            OutputFull | OutputEndsFull => RowProblem::TooManyCells,
        };
        self.grammar.reset();
        Err(problem)
    }

    /// A cell without the white space around it; none if it is not UTF-8.
    fn text(&self, index: usize) -> Option<&str> {
        let start = index.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        let end = self.ends[..self.count].get(index)?;
        std::str::from_utf8(&self.bytes[start..*end]).ok().map(str::trim)
    }

    fn time(&self) -> Result<i64, RowProblem> {
        let text = self.text(0).ok_or(RowProblem::NotText { column: 1 })?;
        time::parse_micros(text).ok_or_else(|| RowProblem::NotTime { found: shown(text) })
    }

    /// The value of a cell; NaN if it is missing.
    fn number(&self, index: usize) -> Result<f64, RowProblem> {
        let column = index + 1;
        let text = self.text(index).ok_or(RowProblem::NotText { column })?;
        if text.is_empty() || MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) {
            return Ok(f64::NAN);
        }
        let number = text.parse().ok().filter(|number: &f64| number.abs() <= MAX_VALUE);
        number.ok_or_else(|| RowProblem::NotNumber {
            column,
            found: shown(text),
        })
    }
}

#[cfg(test)]
mod tests;
