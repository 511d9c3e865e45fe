//! The architecture of the workspace as tests.
//!
//! Each module holds one family of rules: functions from plain data (packages, sources, texts) to [`Finding`]s, with
//! unit tests that plant a violation of every rule and see it found. `tests/house.rs` reads the real workspace once and
//! applies all of them; a rule that is broken fails by name and place.
//!
//! 1. The rules read; they never build, write or reach for the network. (The program `thresholds` beside them, which
//!    [`thresholds`] serves, builds a copy.)
//! 2. A rule has no silent exception: those on length stand in `exceptions.toml`, each with a reason, and one that is no
//!    longer needed is a finding itself.

pub mod arrows;
pub mod deploy;
pub mod exceptions;
pub mod features;
pub mod habits;
pub mod layout;
pub mod length;
pub mod manifests;
pub mod purity;
pub mod readme;
pub mod remotable;
pub mod source;
pub mod texts;
pub mod thresholds;
pub mod tokens;
pub mod trace;
pub mod workspace;

use std::fmt;

/// One broken rule, at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: a path from the root of the workspace, with the line if there is one, or a crate's folder.
    pub place: String,
    /// What is wrong, and what is expected instead.
    pub what: String,
}

impl Finding {
    /// A finding about a file or folder as a whole.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }

    /// A finding at a line of a file.
    pub fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
