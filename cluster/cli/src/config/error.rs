//! Why a configuration is refused: where, what was found, what was expected.

use super::MAX_CONFIG_BYTES;
use rungs_types::SpecError;
use std::fmt;
use std::path::PathBuf;

/// Most changed letters between a wrong key and the one that it is taken for; always less than half of them.
const MAX_CHANGES: usize = 2;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, or what stands for one.
    File(String),
    /// An environment variable, as `NAME=value`.
    Variable(String),
    /// `--set`, as `key=value`.
    Setting(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) | Self::Variable(name) => f.write_str(name),
            Self::Setting(setting) => write!(f, "--set {setting}"),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is too large.
    #[error("{}: more than {MAX_CONFIG_BYTES} bytes; expected at most that", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{}, line {line}: not UTF-8; expected a text in TOML", path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
        /// The line with the first byte that is none.
        line: usize,
    },
    /// Not TOML, an unknown key or a wrong value; the text names line and key.
    #[error("{origin}: {}", explain(error))]
    Toml {
        /// Where.
        origin: Origin,
        /// Where in it, and what.
        error: Box<toml::de::Error>,
    },
    /// `--set` without `=`.
    #[error("--set {setting}: expected KEY=VALUE, such as allow_faults=true or log=debug")]
    Setting {
        /// What was given.
        setting: String,
    },
    /// A value outside its range.
    #[error("{origin}: {field}: {found}; expected {expected}")]
    OutOfRange {
        /// Where.
        origin: Origin,
        /// The key.
        field: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// An agent outside its ranges.
    #[error("{origin}: agents, {agent}: {error}")]
    Agent {
        /// Where.
        origin: Origin,
        /// Which agent.
        agent: String,
        /// What is wrong with it.
        error: SpecError,
    },
}

impl ConfigError {
    /// It was typed on the command line.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Setting { .. } => true,
            Self::Toml { origin, .. } | Self::OutOfRange { origin, .. } | Self::Agent { origin, .. } => {
                matches!(origin, Origin::Setting(_))
            }
            Self::Read { .. } | Self::TooLarge { .. } | Self::NotText { .. } => false,
        }
    }
}

/// The error with what a person would call the types in it, and with the key that was probably meant.
fn explain(error: &toml::de::Error) -> String {
    let mut text = error.to_string().trim_end().replace("\nin `", " in `");
    for (machine, person) in [
        ("expected u64", "expected a whole number from 0"),
        ("expected u32", "expected a whole number from 0"),
        ("expected f64", "expected a number"),
    ] {
        text = text.replace(machine, person);
    }
    if let Some(meant) = meant(error.message()) {
        text.push_str(&format!("; did you mean `{meant}`?"));
    }
    text
}

/// Of "unknown field `a`, expected one of `b`, `c`" the one that is most like `a`, if one is.
fn meant(message: &str) -> Option<&str> {
    let mut quoted = message.strip_prefix("unknown ")?.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    let changes = quoted.map(|known| (changes(found, known), known));
    let (least, known) = changes.min_by_key(|(changes, _)| *changes)?;
    (least <= MAX_CHANGES && 2 * least < found.len()).then_some(known)
}

/// How many letters have to be put in, taken out, changed, or swapped with the next, to make one word of the other.
fn changes(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let mut least = (last[column] + usize::from(letter != other)).min(last[column + 1].min(next[column]) + 1);
            if row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *letter {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_letter_is_one_change() {
        let words = [
            ("weight", "weight"),
            ("wieght", "weight"),
            ("zon", "zone"),
            ("log", "name"),
        ];
        assert_eq!(words.map(|(from, to)| changes(from, to)), [0, 1, 1, 4]);
    }

    #[test]
    fn the_nearest_known_word_is_meant_unless_none_is_near() {
        let message = |word| format!("unknown field `{word}`, expected one of `name`, `listen`, `zone`");
        assert_eq!(meant(&message("lisetn")), Some("listen"));
        assert_eq!(meant(&message("colour")), None);
        assert_eq!(meant("unknown variant `L7`, expected one of `L3`, `L4.5`"), None);
        assert_eq!(meant("invalid type: `a`, `b`"), None);
    }
}
