//! `trace`: recorded time series in CSV files, streamed in constant memory.
//!
//! A file has a line of column names, an optional first column that is the time of the row (it is called `timestamp`
//! or the like, or its first cell is a calendar time) and 1 to 64 columns of numbers. A cell that is empty, `NaN`,
//! `null`, `NA`, `N/A` or `none` is missing. A bad row is counted and skipped, as if it were not in the file; after
//! [`MAX_BAD_ROWS`] of them, or at a line longer than [`MAX_LINE_BYTES`], the file is refused.
//!
//! - [`Trace`] hands out one row each cycle, of one file or of all files of a directory side by side.
//! - [`Playback`] hands out the rows of one file when their time has come.
//!
//! Only regular files are read, at most one buffer and [`MAX_BAD_ROWS`] bad rows in a call, so that `observe` waits for
//! nothing but the disk. Nothing here writes.
//!
//! What a row is, is decided in `table`; what a line and a cell, in `lines`; what a time is, in `time`.

mod error;
mod lines;
mod playback;
mod table;
mod time;

pub use playback::{MAX_ROWS_PER_CYCLE, Playback};
pub use time::parse_micros;

use error::TableError;
use rungs_agent::{Command, Description, Dimension, Environment, EnvironmentError, Observed};
use rungs_types::spec::MAX_DIMENSIONS;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use table::Table;

/// Longest line of a file, in bytes, without its end.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// Most rows of a file that are skipped because they are not rows.
pub const MAX_BAD_ROWS: u64 = 100;
/// Most entries of a directory that is searched for recordings.
pub const MAX_DIRECTORY_ENTRIES: usize = 10_000;
/// Longest name of a column, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Largest magnitude of a value; the square of anything larger is not a number any more.
pub const MAX_VALUE: f64 = 1e150;

/// A recording that is replayed one row each cycle.
#[derive(Debug)]
pub struct Trace {
    description: Description,
    parts: Vec<Part>,
    /// Where a row is put together, so that the caller's is touched only by a whole one.
    scratch: Vec<f64>,
    /// Time of the last row of the first file.
    time_micros: Option<i64>,
    refused: Option<EnvironmentError>,
}

/// One file of a recording.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    table: Table<File>,
    ended: bool,
}

impl Trace {
    /// A CSV file, or a directory of them.
    pub fn open(path: &Path) -> Result<Self, EnvironmentError> {
        if path.is_dir() {
            Self::stack(path)
        } else {
            Self::file(path)
        }
    }

    /// One CSV file: one group, one dimension for each column of values.
    pub fn file(path: &Path) -> Result<Self, EnvironmentError> {
        let part = Part::open(path)?;
        let description = describe_file(path, &part.table);
        Ok(Self::of_parts(description, vec![part]))
    }

    /// The CSV files of a directory, in the order of their names, side by side: one group for each file, one dimension
    /// for each column of values, rows aligned by their number. Symbolic links are passed over. A file that has ended is
    /// missing from then on; the recording ends with the longest.
    pub fn stack(directory: &Path) -> Result<Self, EnvironmentError> {
        let files = csv_files(directory)?;
        if files.len() > MAX_DIMENSIONS {
            let reason = format!("more than {MAX_DIMENSIONS} CSV files; each is at least one dimension");
            return Err(broken(directory, reason));
        }
        Self::side_by_side(directory, &files)
    }

    /// The same of any CSV files; the recording is named, and told of in errors, as `path`.
    pub fn side_by_side(path: &Path, files: &[PathBuf]) -> Result<Self, EnvironmentError> {
        let mut description = Description {
            name: file_stem(path),
            dimensions: Vec::new(),
            groups: Vec::new(),
            adjustable: false,
        };
        let mut parts = Vec::new();
        for file in files {
            let part = Part::open(file)?;
            let stem = file_stem(file);
            let group = u16::try_from(description.groups.len()).expect("at most MAX_DIMENSIONS files");
            let names = part.table.names();
            for name in names {
                let name = if names.len() == 1 {
                    stem.clone()
                } else {
                    format!("{stem}.{name}")
                };
                if description.dimensions.iter().any(|d| d.name == name) {
                    return Err(broken(
                        path,
                        format!("two columns are named {name:?}; expected distinct names"),
                    ));
                }
                description.dimensions.push(dimension(name, group));
            }
            if description.dimensions.len() > MAX_DIMENSIONS {
                let reason = format!("more than {MAX_DIMENSIONS} columns of values in its CSV files");
                return Err(broken(path, reason));
            }
            description.groups.push(stem);
            parts.push(part);
        }
        Ok(Self::of_parts(description, parts))
    }

    fn of_parts(description: Description, parts: Vec<Part>) -> Self {
        Self {
            scratch: vec![f64::NAN; description.dimensions.len()],
            description,
            parts,
            time_micros: None,
            refused: None,
        }
    }

    /// The time of the last row (of the first file), in microseconds since 1970 UTC, if the file has times.
    pub fn time_micros(&self) -> Option<i64> {
        self.time_micros
    }

    /// Rows of all files that were skipped so far.
    pub fn bad_rows(&self) -> u64 {
        self.parts.iter().map(|part| part.table.bad_rows()).sum()
    }

    /// Where the first of them was, in the first file that has one, and what was wrong with it.
    pub fn first_bad_row(&self) -> Option<String> {
        let mut bad = self.parts.iter().filter_map(|part| {
            let what = part.table.first_bad_row()?;
            Some(format!("{}: {what}", part.path.display()))
        });
        bad.next()
    }

    fn next(&mut self, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        let mut rest = self.scratch.as_mut_slice();
        let mut any = false;
        for (index, part) in self.parts.iter_mut().enumerate() {
            let (cells, others) = rest.split_at_mut(part.table.names().len());
            rest = others;
            match part.next_row(cells)? {
                Some(info) => {
                    any = true;
                    if index == 0 {
                        self.time_micros = info.time_micros;
                    }
                }
                None => cells.fill(f64::NAN),
            }
        }
        if !any {
            return Ok(Observed::End);
        }
        row.copy_from_slice(&self.scratch);
        Ok(Observed::Row)
    }
}

impl Environment for Trace {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        crate::check_row(&self.description, row)?;
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let observed = self.next(row);
        self.refused = observed.clone().err();
        observed
    }

    fn act(&mut self, _command: Command) -> Result<(), EnvironmentError> {
        Err(only_watched(&self.description))
    }
}

impl Part {
    fn open(path: &Path) -> Result<Self, EnvironmentError> {
        let cannot = |error: std::io::Error| broken(path, format!("cannot be opened: {error}"));
        // Asked before it is opened: to open a pipe waits for its writer.
        if !std::fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(broken(path, "not a regular file; expected a CSV file".to_owned()));
        }
        let file = File::open(path).map_err(cannot)?;
        let table = Table::open(file).map_err(|error| broken(path, error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            table,
            ended: false,
        })
    }

    /// As [`Table::next_row`]; once it has ended, the file is not read again.
    fn next_row(&mut self, row: &mut [f64]) -> Result<Option<table::RowInfo>, EnvironmentError> {
        if self.ended {
            return Ok(None);
        }
        let info = self.table.next_row(row);
        let info = info.map_err(|error: TableError| broken(&self.path, error.to_string()))?;
        self.ended = info.is_none();
        Ok(info)
    }
}

/// The CSV files of a directory, in the order of their names. Symbolic links are passed over.
pub fn csv_files(directory: &Path) -> Result<Vec<PathBuf>, EnvironmentError> {
    let cannot = |error: std::io::Error| broken(directory, format!("cannot be listed: {error}"));
    let mut files = Vec::new();
    for (index, entry) in std::fs::read_dir(directory).map_err(cannot)?.enumerate() {
        if index >= MAX_DIRECTORY_ENTRIES {
            return Err(broken(directory, format!("more than {MAX_DIRECTORY_ENTRIES} entries")));
        }
        let entry = entry.map_err(cannot)?;
        let path = entry.path();
        let is_csv = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        // Of the entry itself: a link could lead out of the directory.
        if is_csv && entry.file_type().map_err(cannot)?.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(broken(
            directory,
            "no file in it ends in .csv; expected at least one".to_owned(),
        ));
    }
    files.sort();
    Ok(files)
}

fn describe_file(path: &Path, table: &Table<File>) -> Description {
    Description {
        name: file_stem(path),
        dimensions: table.names().iter().map(|name| dimension(name.clone(), 0)).collect(),
        groups: vec![file_stem(path)],
        adjustable: false,
    }
}

fn dimension(name: String, group: u16) -> Dimension {
    Dimension {
        name,
        unit: String::new(),
        group,
        capacity: None,
    }
}

/// The name of a file without its folder and ending.
fn file_stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn broken(path: &Path, reason: String) -> EnvironmentError {
    EnvironmentError::Broken {
        environment: path.display().to_string(),
        reason,
    }
}

fn only_watched(description: &Description) -> EnvironmentError {
    EnvironmentError::NotApplicable {
        environment: description.name.clone(),
        reason: "a recording can only be watched".to_owned(),
    }
}

#[cfg(test)]
mod tests;
