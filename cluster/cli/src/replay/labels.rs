//! Labelled windows of recordings: when something was wrong, as somebody knows who was there.
//!
//! Two forms are read: the benchmark's `combined_windows.json`, an object of lists of `[start, end]` by file name, and a
//! CSV file of `start,end` lines for a single recording, with a first line of names or without.

use rungs_environments::trace::parse_micros;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest file of labels, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Most characters of what was found that a message shows.
const SHOWN_CHARS: usize = 60;
/// What a time is, for messages.
const A_TIME: &str = "a time as YYYY-MM-DD HH:MM:SS, ISO 8601 or Unix seconds";

/// When something was wrong; both ends belong to it. Microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its start.
    pub start_micros: i64,
    /// Its end.
    pub end_micros: i64,
}

/// Why labels are refused: what was found, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("{}: {bytes} bytes; expected at most {MAX_BYTES}", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is not of one of the two forms.
    #[error("{}: {place}: found {found}; expected {expected}", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What was there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A window ends before it starts.
    #[error("{}: {place}: it ends at {end}, before its start at {start}; expected start, then end", .path.display())]
    Backwards {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// The start as written.
        start: String,
        /// The end as written.
        end: String,
    },
    /// Two windows overlap.
    #[error("{}: {place}: it overlaps another; expected windows apart from each other", .path.display())]
    Overlap {
        /// The file.
        path: PathBuf,
        /// The later of the two.
        place: String,
    },
    /// Nothing is known of a recording.
    #[error("{}: nothing is said of {recording}; expected one of its {known} names to end in it (an empty list says \
             that nothing was wrong)", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The recording.
        recording: String,
        /// Names in the file.
        known: usize,
    },
    /// Two names may be meant.
    #[error("{}: both {first:?} and {second:?} may be {recording}; expected one name that ends in it", .path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The recording.
        recording: String,
        /// A name.
        first: String,
        /// Another.
        second: String,
    },
    /// A CSV file for several recordings.
    #[error("{}: a CSV file of windows is for one recording, and there are {recordings}; expected a JSON object of \
             windows by file name", .path.display())]
    OneForMany {
        /// The file.
        path: PathBuf,
        /// How many recordings there are.
        recordings: usize,
    },
}

/// A file of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    path: PathBuf,
    spans: Spans,
}

#[derive(Debug, Clone, PartialEq)]
enum Spans {
    /// Of the only recording.
    Only(Vec<Span>),
    /// By the name of a recording, in the file's order.
    Named(Vec<(String, Vec<Span>)>),
}

impl Labels {
    /// Reads a file of labels: CSV by its name, else JSON.
    pub fn read(path: &Path) -> Result<Self, LabelError> {
        let cannot = |source| LabelError::Io {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(cannot)?.len();
        if bytes > MAX_BYTES {
            let path = path.to_owned();
            return Err(LabelError::TooLarge { path, bytes });
        }
        let text = std::fs::read_to_string(path).map_err(cannot)?;
        let is_csv = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let spans = match is_csv {
            true => Spans::Only(from_csv(path, &text)?),
            false => Spans::Named(from_json(path, &text)?),
        };
        let path = path.to_owned();
        Ok(Self { path, spans })
    }

    /// The windows of the recording of this file, in order, where so many recordings are replayed.
    pub fn of(&self, recording: &Path, recordings: usize) -> Result<&[Span], LabelError> {
        let named = match &self.spans {
            Spans::Only(spans) if recordings == 1 => return Ok(spans),
            Spans::Only(_) => {
                let path = self.path.clone();
                return Err(LabelError::OneForMany { path, recordings });
            }
            Spans::Named(named) => named,
        };
        let shared = |name: &str| shared_end(Path::new(name), recording);
        let most = named.iter().map(|(name, _)| shared(name)).max().unwrap_or(0);
        let mut best = named.iter().filter(|(name, _)| most > 0 && shared(name) == most);
        let name = || recording.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match (best.next(), best.next()) {
            (Some((_, spans)), None) => Ok(spans),
            (Some((first, _)), Some((second, _))) => Err(LabelError::Ambiguous {
                path: self.path.clone(),
                recording: name(),
                first: first.clone(),
                second: second.clone(),
            }),
            (None, _) => Err(LabelError::Unknown {
                path: self.path.clone(),
                recording: name(),
                known: named.len(),
            }),
        }
    }
}

/// How many parts two paths have in common at their end.
fn shared_end(a: &Path, b: &Path) -> usize {
    let both = a.components().rev().zip(b.components().rev());
    both.take_while(|(a, b)| a == b).count()
}

fn from_json(path: &Path, text: &str) -> Result<Vec<(String, Vec<Span>)>, LabelError> {
    let form = |place: String, found: String, expected| LabelError::Form {
        path: path.to_owned(),
        place,
        found,
        expected,
    };
    let whole = "an object of lists of [start, end] by file name";
    let value: Value = serde_json::from_str(text)
        .map_err(|error| form(format!("line {}", error.line()), format!("no JSON ({error})"), whole))?;
    let Value::Object(entries) = &value else {
        return Err(form("at its top".to_owned(), shown(&value), whole));
    };
    let mut named = Vec::with_capacity(entries.len());
    for (name, windows) in entries {
        let Value::Array(windows) = windows else {
            return Err(form(format!("{name:?}"), shown(windows), "a list of [start, end]"));
        };
        let mut spans = Vec::with_capacity(windows.len());
        for (number, window) in (1..).zip(windows) {
            let place = || format!("window {number} of {name:?}");
            let Some([start, end]) = window
                .as_array()
                .and_then(|pair| <&[Value; 2]>::try_from(pair.as_slice()).ok())
            else {
                return Err(form(place(), shown(window), "[start, end]"));
            };
            spans.push(span(path, place, &text_of(start), &text_of(end))?);
        }
        named.push((name.clone(), in_order(path, &format!("{name:?}"), spans)?));
    }
    Ok(named)
}

fn from_csv(path: &Path, text: &str) -> Result<Vec<Span>, LabelError> {
    let mut spans = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim().trim_start_matches('\u{feff}');
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let is_heading = number == 1 && cells.iter().all(|cell| parse_micros(cell).is_none());
        if line.is_empty() || is_heading {
            continue;
        }
        let place = || format!("line {number}");
        let [start, end] = cells[..] else {
            return Err(LabelError::Form {
                path: path.to_owned(),
                place: place(),
                found: format!("{} cells", cells.len()),
                expected: "two, start and end",
            });
        };
        spans.push(span(path, place, start, end)?);
    }
    in_order(path, "the file", spans)
}

fn span(path: &Path, place: impl Fn() -> String, start: &str, end: &str) -> Result<Span, LabelError> {
    let time = |text: &str| {
        parse_micros(text.trim()).ok_or_else(|| LabelError::Form {
            path: path.to_owned(),
            place: place(),
            found: format!("{:?}", cut(text)),
            expected: A_TIME,
        })
    };
    let (start_micros, end_micros) = (time(start)?, time(end)?);
    if end_micros < start_micros {
        return Err(LabelError::Backwards {
            path: path.to_owned(),
            place: place(),
            start: start.to_owned(),
            end: end.to_owned(),
        });
    }
    Ok(Span {
        start_micros,
        end_micros,
    })
}

fn in_order(path: &Path, place: &str, mut spans: Vec<Span>) -> Result<Vec<Span>, LabelError> {
    spans.sort_unstable();
    let overlap = spans
        .windows(2)
        .position(|pair| pair[1].start_micros <= pair[0].end_micros);
    match overlap {
        Some(index) => Err(LabelError::Overlap {
            path: path.to_owned(),
            place: format!("window {} in time of {place}", index + 2),
        }),
        None => Ok(spans),
    }
}

/// A time as it is written: a string, or a number of Unix seconds.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    rungs_shell::table::cut(text, SHOWN_CHARS).into_owned()
}

#[cfg(test)]
mod tests;
