//! Which recordings are replayed: each file by itself, or all of them stacked.

use crate::args::Replay;
use rungs_agent::{Environment as _, EnvironmentError};
use rungs_environments::Trace;
use rungs_environments::trace::csv_files;
use rungs_types::name::MAX_NAME_CHARS;
use rungs_types::{AgentId, AgentName, AgentSpec, EnvironmentSpec};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What one agent watches.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The file, the folder, or what stands for several files.
    path: PathBuf,
    /// More than one only where they are stacked.
    files: Vec<PathBuf>,
    stacked: bool,
}

/// The recordings that the arguments ask for.
pub fn chosen(replay: &Replay) -> Result<Vec<Recording>, EnvironmentError> {
    let mut files = replay.traces.clone();
    if let Some(directory) = &replay.dir {
        files.extend(csv_files(directory)?);
    }
    if replay.stack {
        let path = match &replay.dir {
            Some(directory) if replay.traces.is_empty() => directory.clone(),
            _ => PathBuf::from("stack"),
        };
        return Ok(vec![Recording {
            path,
            files,
            stacked: true,
        }]);
    }
    let alone = |path: PathBuf| Recording {
        files: vec![path.clone()],
        path,
        stacked: false,
    };
    Ok(files.into_iter().map(alone).collect())
}

impl Recording {
    /// The file or folder without what leads to it.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The file, the folder, or what stands for several files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it at its first row.
    pub fn open(&self) -> Result<Trace, EnvironmentError> {
        let trace = match self.stacked {
            true => Trace::side_by_side(&self.path, &self.files)?,
            false => Trace::file(&self.path)?,
        };
        debug_assert!(!trace.describe().dimensions.is_empty(), "a file has a column of values");
        Ok(trace)
    }

    /// Lines of its longest file: what a progress bar counts up to. Files that cannot be read count nothing; opening
    /// them says why.
    pub fn rows_at_most(&self, limit: Option<u64>) -> u64 {
        let longest = self.files.iter().map(|file| lines(file)).max().unwrap_or(0);
        longest.saturating_sub(1).min(limit.unwrap_or(u64::MAX))
    }

    /// The agent that watches it, named after it.
    pub fn agent(&self, seed: u64, particles: u32) -> AgentSpec {
        let path = self.path.to_string_lossy().into_owned();
        AgentSpec {
            environment: EnvironmentSpec::Trace { path },
            seed,
            particles,
            ..AgentSpec::new(AgentId::of_default_tenant(agent_name(&self.path)))
        }
    }
}

fn lines(path: &Path) -> u64 {
    // To open a pipe waits for its writer.
    if !path.is_file() {
        return 0;
    }
    let Ok(file) = File::open(path) else { return 0 };
    let mut reader = BufReader::new(file);
    let mut count = 0;
    loop {
        let Ok(buffer) = reader.fill_buf() else { return count };
        if buffer.is_empty() {
            return count;
        }
        let length = buffer.len();
        count += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        reader.consume(length);
    }
}

/// The name of a file as the name of an agent: what names may not have becomes a dash.
fn agent_name(path: &Path) -> AgentName {
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let fitting = |c: char| {
        if matches!(c, 'a'..='z' | '0'..='9' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = stem.to_lowercase().chars().map(fitting).take(MAX_NAME_CHARS).collect();
    let name = name.trim_start_matches(['-', '_']);
    AgentName::new(if name.is_empty() { "replay" } else { name }).expect("invariant: made of what names may have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_name_makes_an_agent_name() {
        let name = |path: &str| agent_name(Path::new(path)).as_str().to_owned();
        assert_eq!(name("/a/CPU load.csv"), "cpu-load");
        assert_eq!(name("_x.csv"), "x");
        assert_eq!(name("時間.csv"), "replay");
        assert_eq!(name(&"x".repeat(80)).len(), MAX_NAME_CHARS);
    }
}
