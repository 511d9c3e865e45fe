//! Logs: one subscriber for the process, text or JSON on standard error, with a filter that the shell changes while the
//! node runs.
//!
//! Invariant: ractor and ractor_cluster stay at `warn` unless they are named: below that they write message contents
//! and secrets.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The filter before anything else is said.
pub const DEFAULT_FILTER: &str = "info,ractor=warn,ractor_cluster=warn";
/// Most targets with a level of their own.
pub const MAX_LOG_TARGETS: usize = 64;
/// Longest target, in characters.
pub const MAX_LOG_TARGET_CHARS: usize = 128;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging is not as asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The filter text does not parse.
    #[error("{found:?} is not a log filter; expected levels such as info or target=debug, separated by commas")]
    BadFilter {
        /// What was found, shortened.
        found: String,
    },
    /// The level is none.
    #[error("{found:?} is not a log level; expected off, error, warn, info, debug or trace")]
    BadLevel {
        /// What was found, shortened.
        found: String,
    },
    /// The target is none.
    #[error("{found:?} is not a log target; expected a module path such as rungs_host::timer")]
    BadTarget {
        /// What was found, shortened.
        found: String,
    },
    /// [`MAX_LOG_TARGETS`] have a level of their own.
    #[error("{MAX_LOG_TARGETS} targets have a level of their own; expected fewer")]
    TooManyTargets,
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    AlreadyInstalled,
}

/// The live filter of the process's log.
pub struct Telemetry {
    base: String,
    // By target; the empty target is the level of everything else.
    overrides: Mutex<BTreeMap<String, String>>,
    reload: reload::Handle<EnvFilter, Registry>,
}

impl Telemetry {
    /// Sets the process's subscriber up, on standard error. `filter` is added to [`DEFAULT_FILTER`] and may be empty.
    pub fn install(format: LogFormat, filter: &str) -> Result<Self, TelemetryError> {
        let (subscriber, telemetry) = build(format, filter, std::io::stderr)?;
        tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyInstalled)?;
        Ok(telemetry)
    }

    /// Changes the level of a target, or without one that of everything not named; returns the filter now in force.
    pub fn set(&self, level: &str, target: Option<&str>) -> Result<String, TelemetryError> {
        let level = level.to_ascii_lowercase();
        if !["off", "error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
            return Err(TelemetryError::BadLevel { found: shorten(&level) });
        }
        let target = target.unwrap_or_default();
        let in_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if target.len() > MAX_LOG_TARGET_CHARS || !target.chars().all(in_path) {
            return Err(TelemetryError::BadTarget { found: shorten(target) });
        }
        let mut overrides = self.overrides.lock().unwrap_or_else(PoisonError::into_inner);
        if overrides.len() >= MAX_LOG_TARGETS && !overrides.contains_key(target) {
            return Err(TelemetryError::TooManyTargets);
        }
        let mut changed = overrides.clone();
        changed.insert(target.to_owned(), level);
        let text = join(&self.base, &changed);
        let filter = parse(&text)?;
        // The subscriber lives as long as the process; only a test can have dropped it.
        drop(self.reload.reload(filter));
        *overrides = changed;
        Ok(text)
    }

    /// The filter now in force.
    pub fn filter(&self) -> String {
        let overrides = self.overrides.lock().unwrap_or_else(PoisonError::into_inner);
        join(&self.base, &overrides)
    }
}

/// Whether a text is a log filter as [`Telemetry::install`] takes it.
pub fn check_filter(text: &str) -> Result<(), TelemetryError> {
    parse(text).map(drop)
}

/// Later directives win over earlier ones of the same target.
fn join(base: &str, overrides: &BTreeMap<String, String>) -> String {
    overrides
        .iter()
        .fold(base.to_owned(), |text, (target, level)| match target.as_str() {
            "" => format!("{text},{level}"),
            target => format!("{text},{target}={level}"),
        })
}

fn parse(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|_| TelemetryError::BadFilter { found: shorten(text) })
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn build<W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync, Telemetry), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let base = match filter {
        "" => DEFAULT_FILTER.to_owned(),
        filter => format!("{DEFAULT_FILTER},{filter}"),
    };
    let (filter, reload) =
        reload::Layer::new(parse(&base).map_err(|_| TelemetryError::BadFilter { found: shorten(filter) })?);
    let lines = match format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(writer).boxed(),
    };
    let telemetry = Telemetry {
        base,
        overrides: Mutex::default(),
        reload,
    };
    Ok((Registry::default().with(filter).with(lines), telemetry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;

    /// Collects what is written.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn take(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
            String::from_utf8(bytes).expect("text")
        }
    }

    /// Runs with a subscriber that writes on paper.
    fn on_paper(format: LogFormat, filter: &str, test: impl FnOnce(&Telemetry, &Paper)) {
        let paper = Paper::default();
        let writer = paper.clone();
        let (subscriber, telemetry) = build(format, filter, move || writer.clone()).expect("a filter");
        tracing::subscriber::with_default(subscriber, || test(&telemetry, &paper));
    }

    #[test]
    fn levels_change_while_running() {
        on_paper(LogFormat::Text, "", |telemetry, paper| {
            tracing::debug!("hidden");
            tracing::info!(answer = 42, "shown");
            assert!(paper.take().ends_with("shown answer=42\n"));
            assert_eq!(telemetry.set("DEBUG", None), Ok(format!("{DEFAULT_FILTER},debug")));
            tracing::debug!("now shown");
            assert!(paper.take().contains("now shown"));
            let filter = telemetry.set("error", Some("rungs_host::telemetry"));
            assert_eq!(
                filter,
                Ok(format!("{DEFAULT_FILTER},debug,rungs_host::telemetry=error"))
            );
            tracing::info!("hidden again");
            assert_eq!(paper.take(), "");
            telemetry.set("info", Some("rungs_host::telemetry")).expect("replaces");
            tracing::info!("back");
            assert!(paper.take().contains("back"));
        });
    }

    #[test]
    fn ractor_stays_at_warn_unless_it_is_named() {
        on_paper(LogFormat::Text, "trace", |telemetry, paper| {
            tracing::info!(target: "ractor::actor", "contents");
            tracing::debug!(target: "ractor_cluster::node", "secrets");
            assert_eq!(paper.take(), "");
            tracing::warn!(target: "ractor::actor", "trouble");
            assert!(paper.take().contains("trouble"));
            telemetry.set("info", Some("ractor")).expect("a target");
            tracing::info!(target: "ractor::actor", "asked for");
            assert!(paper.take().contains("asked for"));
        });
    }

    #[test]
    fn json_lines_are_json() {
        on_paper(LogFormat::Json, "", |_, paper| {
            tracing::info!(agent = "ops-1", "cycle");
            let line: serde_json::Value = serde_json::from_str(&paper.take()).expect("json");
            assert_eq!(line["fields"]["message"], "cycle");
            assert_eq!(line["fields"]["agent"], "ops-1");
        });
    }

    #[test]
    fn a_wrong_level_target_or_filter_is_refused_and_changes_nothing() {
        on_paper(LogFormat::Text, "", |telemetry, _| {
            let found = "loud".to_owned();
            assert_eq!(telemetry.set("loud", None), Err(TelemetryError::BadLevel { found }));
            for target in ["a=trace,b", "a b", &"x".repeat(129)] {
                let refused = telemetry.set("info", Some(target)).expect_err("no target");
                assert!(matches!(refused, TelemetryError::BadTarget { .. }), "{target}");
            }
            assert_eq!(telemetry.filter(), DEFAULT_FILTER);
            for number in 0..MAX_LOG_TARGETS {
                telemetry.set("info", Some(&format!("t{number}"))).expect("room");
            }
            assert_eq!(telemetry.set("info", Some("more")), Err(TelemetryError::TooManyTargets));
            telemetry.set("warn", Some("t1")).expect("replaces");
        });
        let found = "a=b=c".to_owned();
        let refused = build(LogFormat::Text, "a=b=c", std::io::sink).map(|_| ());
        assert_eq!(refused, Err(TelemetryError::BadFilter { found }));
    }
}
