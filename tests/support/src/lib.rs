//! What tests with real processes share: the program, a guard around a running process, free ports, temporary folders,
//! and waiting for what is needed instead of for a while.
//!
//! 1. Nothing waits without a deadline, and nothing sleeps for a fixed time in the hope that it is long enough.
//! 2. Nothing outlives its test: a dropped [`Process`] takes its whole process group with it.
//! 3. What a failed wait returns shows what the process had printed.

mod ports;
mod process;
mod program;
mod wait;

pub use ports::free_ports;
pub use process::{Process, ProcessError, Signal};
pub use program::program;
pub use tempfile::TempDir;
pub use wait::{POLL_INTERVAL, eventually};

use std::io;

/// A folder that is gone when the value is dropped; `name` shows whose it is.
///
/// # Errors
/// If it cannot be made.
pub fn temp_dir(name: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(&format!("rungs-{name}-")).tempdir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_is_gone_with_its_value() {
        let folder = temp_dir("support").unwrap();
        let path = folder.path().to_owned();
        assert!(
            path.is_dir()
                && path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("rungs-support-")
        );
        drop(folder);
        assert!(!path.exists());
    }
}
