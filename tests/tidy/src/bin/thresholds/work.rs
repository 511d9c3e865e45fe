//! The copy of the workspace, what is built of it, and how its tests are run.

use crate::CRATES;
use rungs_tidy::source::Source;
use rungs_tidy::thresholds::SWITCH;
use rungs_tidy::thresholds::rewrite::{Change, Plan};
use rungs_tidy::workspace::Workspace;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program of tests may take, before a change counts as noticed: an endless loop does not end by itself. At
/// least so long, and so many times what the slowest takes without a change: how fast the machine is must not decide.
const LEAST_LIMIT: Duration = Duration::from_secs(120);
const LIMIT_RATIO: u32 = 5;
/// How long one may take without a change.
const SOUND_LIMIT: Duration = Duration::from_secs(1_800);

/// A program of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The folder of its crate.
    pub(crate) folder: String,
    /// Whether it holds the crate's own tests, not those of a file in `tests/`.
    pub(crate) is_lib: bool,
    path: PathBuf,
}

/// A program and which of its tests are run: those whose path begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) program: Program,
    pub(crate) module: String,
}

/// The copy.
pub(crate) struct Work {
    folder: PathBuf,
    seed: String,
    /// The longest time that a program has taken without a change.
    slowest: Cell<Duration>,
    /// How many builds there were.
    pub(crate) builds: usize,
    /// What the last build made.
    pub(crate) programs: Vec<Program>,
    /// What identifies the sources.
    pub(crate) fingerprint: u64,
}

impl Work {
    /// Copies the workspace. Files that are the same are left alone, so that cargo does not build them again.
    pub(crate) fn new(workspace: &Workspace) -> Result<Self, String> {
        let folder = workspace.root.join("target/thresholds");
        let mut hasher = DefaultHasher::new();
        for text in &workspace.texts {
            let is_source = workspace.sources.iter().any(|source| source.path == text.path);
            if text.path.starts_with("runtime/") || text.path.starts_with("tests/tidy/") {
                (&text.path, &text.text).hash(&mut hasher);
            }
            if !(is_source && CRATES.iter().any(|folder| text.path.starts_with(&format!("{folder}/")))) {
                write(&folder.join("copy").join(&text.path), &text.text)?;
            }
        }
        let config: toml::Table = toml::from_str(workspace.text(".cargo/config.toml")).unwrap_or_default();
        let seed = config.get("env").and_then(|env| env.get("PROPTEST_RNG_SEED"));
        Ok(Self {
            folder,
            seed: seed.and_then(toml::Value::as_str).unwrap_or("1").to_owned(),
            slowest: Cell::default(),
            builds: 0,
            programs: Vec::new(),
            fingerprint: hasher.finish(),
        })
    }

    /// A file for what is found.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.join("results.tsv")
    }

    /// Names that an earlier run found the compiler to need.
    pub(crate) fn needed_before(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("needed")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Keeps those names for the next run.
    pub(crate) fn remember_needed(&self, names: &BTreeSet<String>) -> Result<(), String> {
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        write(&self.folder.join("needed"), &lines)
    }

    /// Writes the sources of the crates as the plan has them.
    pub(crate) fn write(
        &self,
        sources: &[&Source],
        plan: &Plan<'_>,
        only: Option<(&Change, &str)>,
    ) -> Result<(), String> {
        for source in sources {
            let mut text = plan.rewrite(source, only);
            if source.path == format!("{}/src/lib.rs", source.folder) {
                text.push_str("\n#[allow(missing_docs, unused, reason = \"of the copy\")]\npub mod mutant;\n");
            }
            write(&self.folder.join("copy").join(&source.path), &text)?;
        }
        for folder in CRATES {
            write(&self.folder.join("copy").join(folder).join("src/mutant.rs"), SWITCH)?;
        }
        Ok(())
    }

    /// Builds all tests, and returns the names that the compiler cannot do without.
    pub(crate) fn build_all(&mut self, switched: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
        let (built, errors) = self.cargo(&["--lib", "--test", "*"])?;
        if built {
            return Ok(BTreeSet::new());
        }
        let mut needed = BTreeSet::new();
        for (file, first, last) in errors.iter().flat_map(spans) {
            let text = fs::read_to_string(self.folder.join("copy").join(file)).unwrap_or_default();
            let lines = text.lines().skip(first - 1).take(last + 1 - first);
            let words = lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
            needed.extend(words.filter(|word| switched.contains(*word)).map(str::to_owned));
        }
        if needed.is_empty() {
            let said = errors.iter().filter_map(|error| error["message"]["rendered"].as_str());
            return Err(format!("the copy does not build:\n{}", said.collect::<String>()));
        }
        Ok(needed)
    }

    /// Builds the crates' own tests; whether they can be built.
    pub(crate) fn builds_lib(&mut self) -> Result<bool, String> {
        Ok(self.cargo(&["--lib"])?.0)
    }

    fn cargo(&mut self, what: &[&str]) -> Result<(bool, Vec<Value>), String> {
        self.builds += 1;
        let output = Command::new("cargo")
            .args(["test", "--locked", "--no-run", "--message-format=json"])
            .args(
                CRATES
                    .iter()
                    .flat_map(|folder| ["-p".to_owned(), format!("rungs-{}", name_of(folder))]),
            )
            .args(what)
            .current_dir(self.folder.join("copy"))
            .env("CARGO_TARGET_DIR", self.folder.join("build"))
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let messages: Vec<Value> = said
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        self.programs = messages.iter().filter_map(program).collect();
        self.programs
            .sort_by_key(|program| (!program.is_lib, program.path.clone()));
        let errors = messages
            .into_iter()
            .filter(|message| message["message"]["level"] == "error")
            .collect();
        Ok((output.status.success(), errors))
    }

    /// Runs tests under a change. The name of one that fails, or `None` if all pass.
    #[expect(
        clippy::disallowed_methods,
        reason = "it times programs, and there is no clock to be given"
    )]
    pub(crate) fn run(&self, stage: &Stage, change: Option<usize>) -> Result<Option<String>, String> {
        let mut command = Command::new(&stage.program.path);
        command
            .args((!stage.module.is_empty()).then_some(&stage.module))
            .current_dir(self.folder.join("copy").join(&stage.program.folder))
            .env("PROPTEST_RNG_SEED", &self.seed)
            .env_remove("PROPTEST_CASES")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        match change {
            Some(change) => command.env("RUNGS_CHANGE", change.to_string()),
            None => command.env_remove("RUNGS_CHANGE"),
        };
        let mut child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", stage.program.path.display()))?;
        let output = child.stdout.take().expect("standard output is piped");
        let (sender, receiver) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let failed = BufReader::new(output).lines().map_while(Result::ok).find_map(|line| {
                let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
                Some(name.to_owned())
            });
            // Nobody listens any more when the time is over.
            let _ = sender.send(failed);
        });
        let began = Instant::now();
        let limit = match change {
            Some(_) => LEAST_LIMIT.max(self.slowest.get() * LIMIT_RATIO),
            None => SOUND_LIMIT,
        };
        let said = receiver.recv_timeout(limit);
        if change.is_none() {
            self.slowest.set(self.slowest.get().max(began.elapsed()));
        }
        if !matches!(said, Ok(None)) {
            // One failure is enough, and a program that is over cannot be killed.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        reader.join().map_err(|_| "the reader panicked".to_owned())?;
        Ok(match said {
            Ok(None) if status.success() => None,
            Ok(None) => Some("the program fails".to_owned()),
            Ok(failed) => failed,
            Err(_) => Some("the time is over".to_owned()),
        })
    }
}

fn name_of(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|have| have == text) {
        return Ok(());
    }
    let folder = path.parent().expect("a file has a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn program(message: &Value) -> Option<Program> {
    let path = message["executable"].as_str()?;
    let root = message["manifest_path"].as_str()?;
    let folder = CRATES
        .iter()
        .find(|folder| root.ends_with(&format!("{folder}/Cargo.toml")))?;
    Some(Program {
        folder: (*folder).to_owned(),
        is_lib: message["target"]["kind"][0] == "lib",
        path: PathBuf::from(path),
    })
}

/// File, first and last line of everything an error points to, that in notes included.
fn spans(error: &Value) -> Vec<(String, usize, usize)> {
    let read = |message: &Value| -> Vec<(String, usize, usize)> {
        let spans = message["spans"].as_array().into_iter().flatten();
        let primary = spans.filter(|span| span["is_primary"] == true);
        primary
            .filter_map(|span| {
                let line = |name: &str| span[name].as_u64().map(|line| line as usize);
                Some((
                    span["file_name"].as_str()?.to_owned(),
                    line("line_start")?,
                    line("line_end")?,
                ))
            })
            .collect()
    };
    read(&error["message"])
}
