//! Why a file is refused: where, what was found, what was expected.

use super::lines::MAX_CELLS;
use super::time;
use super::{MAX_BAD_ROWS, MAX_LINE_BYTES, MAX_NAME_BYTES};
use rungs_types::spec::MAX_DIMENSIONS;
use std::io;

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
