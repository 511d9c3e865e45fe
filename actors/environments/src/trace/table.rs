//! One CSV file, read row by row in constant memory: what its first line and its rows must be.
//!
//! Invariants:
//! 1. Memory does not grow with the file, and one call reads at most [`MAX_BAD_ROWS`] + 1 lines.
//! 2. A value is finite, or NaN where it is missing.
//! 3. A row that is not one is counted and skipped; after [`MAX_BAD_ROWS`] of them the file is refused for good.

use super::error::{HeaderProblem, RowProblem, TableError};
use super::lines::{Cells, Lines, shown};
use super::time;
use super::{MAX_BAD_ROWS, MAX_NAME_BYTES};
use rungs_types::spec::MAX_DIMENSIONS;
use std::io::Read;

/// Names of a first column that is the time, in lower case.
const TIME_NAMES: [&str; 5] = ["timestamp", "time", "datetime", "date", "ts"];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

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
    /// Line of the first bad row, and what is wrong with it.
    first_bad: Option<(u64, RowProblem)>,
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
                first_bad: None,
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

    /// Where the first of them was and what was wrong with it.
    pub(super) fn first_bad_row(&self) -> Option<String> {
        let (line, problem) = self.first_bad.as_ref()?;
        Some(format!("line {line}: {problem}"))
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
                    let line = self.lines.number;
                    if self.bad_rows > MAX_BAD_ROWS {
                        return Err(TableError::BadRows { line, problem });
                    }
                    self.first_bad.get_or_insert((line, problem));
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
        let found = self.cells.count();
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
    let mut names: Vec<String> = Vec::with_capacity(cells.count());
    for index in 0..cells.count() {
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

#[cfg(test)]
mod tests;
