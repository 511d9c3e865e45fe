//! One line on a terminal that says what is being measured, and is gone with its value.

use std::io::{IsTerminal, Write};

/// See the module. Writes to standard error, so that figures can be piped.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
        }
    }
}

impl Progress {
    /// Shows a step in place of the one before.
    pub fn say(&self, step: &str) {
        self.show(&format!("measuring {step} ..."));
    }

    fn show(&self, text: &str) {
        if self.terminal {
            let mut err = std::io::stderr();
            // Nobody is left to tell when it is closed.
            drop(write!(err, "\r\x1b[K{text}").and_then(|()| err.flush()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
