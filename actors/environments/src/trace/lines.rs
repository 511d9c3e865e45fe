//! Lines and cells of a CSV file, both bounded.
//!
//! The grammar of a line is `csv_core`'s; the bounds are ours: a line is one row (a quoted cell does not go on in the
//! next line), at most [`MAX_LINE_BYTES`] long, with at most [`MAX_CELLS`] cells.

use super::error::{RowProblem, TableError};
use super::time;
use super::{MAX_LINE_BYTES, MAX_VALUE};
use rungs_types::spec::MAX_DIMENSIONS;
use std::io::{BufRead, BufReader, Read};

/// Size of the read buffer.
const BUFFER_BYTES: usize = 32 * 1024;
/// Most cells of a line: the values and the time.
pub(super) const MAX_CELLS: usize = MAX_DIMENSIONS + 1;
/// Most characters of a bad cell that a message shows.
const SHOWN_CHARS: usize = 40;
/// What a missing value looks like, beside nothing at all, in lower case.
const MISSING: [&str; 5] = ["nan", "null", "na", "n/a", "none"];

/// Lines of bounded length.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: BufReader<R>,
    /// The current line; its end is always one LF.
    pub(super) text: Vec<u8>,
    /// Its number, from 1.
    pub(super) number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            text: Vec::new(),
            number: 0,
        }
    }

    /// Goes to the next line; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, TableError> {
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
pub(super) struct Cells {
    grammar: csv_core::Reader,
    /// All cells, one after the other, unquoted.
    bytes: Vec<u8>,
    /// Where each cell ends in `bytes`.
    ends: [usize; MAX_CELLS],
    count: usize,
}

impl Cells {
    pub(super) fn new() -> Self {
        Self {
            grammar: csv_core::Reader::new(),
            bytes: Vec::new(),
            ends: [0; MAX_CELLS],
            count: 0,
        }
    }

    /// How many cells the line has.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Splits a line that ends in LF.
    pub(super) fn split(&mut self, line: &[u8]) -> Result<(), RowProblem> {
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
    pub(super) fn text(&self, index: usize) -> Option<&str> {
        let start = index.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        let end = self.ends[..self.count].get(index)?;
        std::str::from_utf8(&self.bytes[start..*end]).ok().map(str::trim)
    }

    pub(super) fn time(&self) -> Result<i64, RowProblem> {
        let text = self.text(0).ok_or(RowProblem::NotText { column: 1 })?;
        time::parse_micros(text).ok_or_else(|| RowProblem::NotTime { found: shown(text) })
    }

    /// The value of a cell; NaN if it is missing.
    pub(super) fn number(&self, index: usize) -> Result<f64, RowProblem> {
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

/// The beginning of a text, for messages.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
