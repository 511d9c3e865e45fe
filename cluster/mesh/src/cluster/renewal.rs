//! Certificates end, and a node that runs longer than its own needs the next one in time, without a restart.
//!
//! | where the node finds it | what happens |
//! | --- | --- |
//! | the authority's key is in the cluster folder | from [`RENEW_AT`] of the lifetime on the node issues the next one itself, for as long again |
//! | the key is elsewhere | what is put in the place of its files is taken within [`LOOK_PERIOD`]; from [`WARN_AT`] on the log says how much time is left |
//!
//! Of the files those count that were issued last. What is no successor (see [`Identity::check_successor`]) is not taken,
//! and the log says why.

use super::ClusterTransport;
use crate::ca::{Ca, KEY_FILE, now_unix};
use crate::identity::{Identity, IdentityError, Validity, node_files};
use rungs_host::tasks;
use rungs_types::NodeName;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// Share of a certificate's lifetime after which a node that can issues the next one.
pub const RENEW_AT: f64 = 2.0 / 3.0;
/// Share after which a node that has no next one says so.
pub const WARN_AT: f64 = 0.75;
/// How often a node says so; with short lifetimes more often, [`WARNINGS_PER_LIFETIME`] times in one.
pub const WARN_PERIOD: Duration = Duration::from_secs(3600);
/// See [`WARN_PERIOD`].
pub const WARNINGS_PER_LIFETIME: u32 = 24;
/// How often it looks for the next one; with short lifetimes more often, a hundred times in one.
pub const LOOK_PERIOD: Duration = Duration::from_secs(60);
/// See [`LOOK_PERIOD`].
const LOOKS_PER_LIFETIME: u32 = 100;
/// It looks no more often than that.
const SHORTEST_LOOK_PERIOD: Duration = Duration::from_millis(50);

/// Where the next certificate of a running node comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The node's files in this cluster folder. If the authority's key is there, too, the node issues the next one itself
    /// and writes it there.
    Files(PathBuf),
    /// The authority in this cluster folder; what it issues is not written down.
    Authority(PathBuf),
    /// The program, with [`ClusterTransport::renew`].
    Program,
}

/// What a look has found.
#[derive(Default)]
struct Look {
    /// To be shown from now on.
    next: Option<Identity>,
    /// What is wrong with what was found, or with what was tried.
    problem: Option<IdentityError>,
}

impl Renewal {
    /// Looks for a successor, and issues one if it is time; blocks. `now` is since 1970.
    fn look(&self, current: &Identity, now: Duration) -> Look {
        let mut problem = None;
        if let Self::Files(folder) = self {
            match in_folder(folder, current, now) {
                Ok(None) => {}
                Ok(next) => return Look { next, problem },
                Err(error) => problem = Some(error),
            }
        }
        match self.issue(current, now) {
            Ok(Some(next)) => {
                if let Self::Files(folder) = self
                    && let Err(error) = next.save(folder)
                {
                    let name = next.name();
                    tracing::warn!(%error, "the next certificate of {name} is not written down, and ends with the process");
                }
                let next = Some(next);
                Look { next, problem }
            }
            Ok(None) => Look { next: None, problem },
            Err(error) => Look {
                next: None,
                problem: Some(error),
            },
        }
    }

    /// Issues the next certificate; `None` if it is too early or the key is not here.
    fn issue(&self, current: &Identity, now: Duration) -> Result<Option<Identity>, IdentityError> {
        let (Self::Files(folder) | Self::Authority(folder)) = self else {
            return Ok(None);
        };
        let validity = current.validity()?;
        if validity.share(now) < RENEW_AT || !folder.join(KEY_FILE).exists() {
            return Ok(None);
        }
        let roles: Vec<_> = current.roles().iter().collect();
        let next = Ca::load(folder)?.issue_from(current.name(), &roles, now, validity.lifetime())?;
        current.check_successor(&next, now)?;
        Ok(Some(next))
    }

    /// What whoever runs the node can do.
    fn remedy(&self, name: &NodeName) -> String {
        match self {
            Self::Files(folder) => {
                let [certificate, key] = node_files(folder, name);
                let (certificate, key) = (certificate.display(), key.display());
                format!("put the next one at {certificate} and {key}, and it is taken without a restart")
            }
            Self::Authority(folder) => format!("it is issued by the authority in {}", folder.display()),
            Self::Program => "the program has to renew it".to_owned(),
        }
    }
}

/// A successor among the files of a cluster folder.
fn in_folder(folder: &Path, current: &Identity, now: Duration) -> Result<Option<Identity>, IdentityError> {
    let found = Identity::load(folder, current.name())?;
    let (ours, theirs) = (current.validity()?, found.validity()?);
    if found.certificate_pem == current.certificate_pem || theirs.issued() < ours.issued() || now < theirs.begins {
        return Ok(None);
    }
    current.check_successor(&found, now)?;
    Ok(Some(found))
}

/// What is to be said of a certificate that has no successor yet, if anything.
#[derive(Debug, PartialEq, Eq)]
enum Warning {
    /// It has ended.
    Ended(String),
    /// It ends soon, or the next one is not what it should be.
    Ends(String),
}

/// `problem`: what is wrong with what was found in the place of the next one.
fn warning(
    from: &Renewal,
    name: &NodeName,
    validity: Validity,
    now: Duration,
    problem: Option<&str>,
) -> Option<Warning> {
    let remedy = from.remedy(name);
    let problem = problem.map_or(String::new(), |problem| format!(" ({problem})"));
    let share = validity.share(now);
    if share >= 1.0 {
        let text =
            format!("the certificate of {name} has ended, and no node and no shell can reach it: {remedy}{problem}");
        return Some(Warning::Ended(text));
    }
    if share >= WARN_AT {
        let left = in_words(validity.ends.saturating_sub(now));
        return Some(Warning::Ends(format!(
            "the certificate of {name} ends in {left}: {remedy}{problem}"
        )));
    }
    let text = format!("the next certificate of {name} is not taken{problem}");
    (!problem.is_empty()).then_some(Warning::Ends(text))
}

/// What has been said, so that it is not said at each look.
#[derive(Default)]
struct Told {
    at: Option<Instant>,
    problem: Option<String>,
}

impl Told {
    /// Says what there is to say, once in [`WARN_PERIOD`] or when it changes.
    fn tell(&mut self, from: &Renewal, current: &Identity, validity: Validity, problem: Option<&IdentityError>) {
        let problem = problem.map(ToString::to_string);
        if problem != self.problem {
            self.problem = problem;
            self.at = None;
            // Of two files that are replaced one after the other, one is seen without the other: what is wrong at one look
            // only is not told.
            if self.problem.is_some() {
                return;
            }
        }
        let period = WARN_PERIOD.min(validity.lifetime() / WARNINGS_PER_LIFETIME);
        if self.at.is_some_and(|at| at.elapsed() < period) {
            return;
        }
        match warning(from, current.name(), validity, now_unix(), self.problem.as_deref()) {
            Some(Warning::Ended(text)) => tracing::error!("{text}"),
            Some(Warning::Ends(text)) => tracing::warn!("{text}"),
            None => return,
        }
        self.at = Some(Instant::now());
    }
}

/// Such as `6 d 2 h` or `45 s`.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

impl ClusterTransport {
    /// From now on, until the transport stops, the node has the next certificate before its own ends; see the module.
    pub fn keep_certified(self: &Arc<Self>, from: Renewal) {
        let transport = Arc::downgrade(self);
        self.keep(tasks::spawn("mesh certificate", run(transport, from)));
    }
}

async fn run(transport: Weak<ClusterTransport>, from: Renewal) {
    let mut told = Told::default();
    loop {
        let Some(current) = transport.upgrade().map(|transport| transport.identity()) else {
            return;
        };
        let Ok(validity) = current.validity() else { return };
        let (source, of) = (from.clone(), Arc::clone(&current));
        let looked = tokio::task::spawn_blocking(move || source.look(&of, now_unix())).await;
        let Look { next, mut problem } = looked.unwrap_or_default();
        let renewed = match (next, transport.upgrade()) {
            (Some(next), Some(transport)) => transport.renew(next).map_err(|error| problem = Some(error)).is_ok(),
            _ => false,
        };
        if renewed {
            tracing::info!("{} shows its next certificate", current.name());
            told = Told::default();
        } else {
            told.tell(&from, &current, validity, problem.as_ref());
        }
        let pause = LOOK_PERIOD.min(validity.lifetime() / LOOKS_PER_LIFETIME);
        tokio::time::sleep(pause.max(SHORTEST_LOOK_PERIOD)).await;
    }
}

#[cfg(test)]
mod tests;
