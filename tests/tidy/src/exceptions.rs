//! The list of allowed exceptions to the rules on length and on messages, `exceptions.toml` beside this crate's manifest.

use serde::Deserialize;

/// The list as it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Files that may be longer.
    #[serde(default)]
    pub file: Vec<LongFile>,
    /// Functions that may be longer.
    #[serde(default)]
    pub function: Vec<LongFunction>,
    /// Messages of ractor other than `Delivered` and the gateway's.
    #[serde(default)]
    pub message: Vec<OtherMessage>,
}

/// A file that may be longer than others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongFile {
    /// Its path from the root of the workspace.
    pub path: String,
    /// How long it may be, in lines.
    pub lines: usize,
    /// Why it reads better in one piece.
    pub reason: String,
}

/// A function that may be longer than others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongFunction {
    /// The path of its file from the root of the workspace.
    pub path: String,
    /// Its name.
    pub name: String,
    /// How long it may be, in lines.
    pub lines: usize,
    /// Why it reads better in one piece.
    pub reason: String,
}

/// A type that meets ractor although it is neither `Delivered` nor the gateway's message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherMessage {
    /// The path of its file from the root of the workspace.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Why it is needed.
    pub reason: String,
}

/// A reason is a sentence, not a word.
pub const REASON_CHARS: usize = 20;

impl Exceptions {
    /// Reads the list.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("exceptions.toml: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_without_a_reason_is_refused() {
        assert!(Exceptions::parse("").is_ok());
        assert!(Exceptions::parse("[[file]]\npath = 'a'\nlines = 600\nreason = 'a table'").is_ok());
        let error = Exceptions::parse("[[file]]\npath = 'a'\nlines = 600").unwrap_err();
        assert!(error.contains("missing field `reason`"), "{error}");
    }
}
