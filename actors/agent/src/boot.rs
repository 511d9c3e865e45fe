//! Booting an agent: its last snapshot, its task log and its environment become the states from which the actors of its
//! tree start.
//!
//! Nothing is decided about cognition here. What of a snapshot cannot be used is told and left out: an agent starts
//! anew rather than not at all, unless its environment does not open.

use crate::environment::{Description, Environment, EnvironmentError};
use crate::error::AgentError;
use crate::guard::GuardState;
use crate::journal::{self, GoalsAt, Journal, Told};
use crate::kernel::KernelStart;
use crate::level45::Level45Start;
use crate::level48::{Level48Cell, Level48Part};
use crate::level49::{Level49Cell, Level49Part};
use crate::snapshot::{NEWEST_VERSION, Record};
use crate::tree::Tree;
use rungs_mind::body::Body;
use rungs_mind::goals::Runner;
use rungs_mind::l3;
use rungs_mind::l45::{Level45, Level45Config, Level45Error};
use rungs_mind::l48::Orchestrator;
use rungs_mind::l49::{Bundle as Bundle49, Orchestrator as Orchestrator49};
use rungs_mind::qualify::{Audit48, Audit49};
use rungs_mind::setup;
use rungs_store::Base;
use rungs_types::{Epoch, EventKind, Level};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// How long an environment may take to open: it may read a recording from a disk.
const OPEN_DEADLINE: Duration = Duration::from_secs(30);

/// What the tree starts from.
pub(crate) struct Boot {
    /// For the kernel.
    pub(crate) kernel: KernelStart,
    /// For L4.5.
    pub(crate) floor: Level45Start,
    /// For the guard.
    pub(crate) guard: GuardState,
    /// For L4.8, if the agent has it.
    pub(crate) level48: Option<Arc<Level48Cell>>,
    /// For L4.9, if the agent has it.
    pub(crate) level49: Option<Arc<Level49Cell>>,
    /// What the agent watches.
    pub(crate) description: Description,
    /// The record it goes on from; empty at the first start.
    pub(crate) record: Record,
    /// What was wrong with the snapshots, for people.
    pub(crate) warnings: Vec<String>,
}

/// Loads the last snapshot, opens the environment, and makes the states.
pub(crate) async fn boot(tree: &Tree) -> Result<Boot, AgentError> {
    let environment = open(tree).await?;
    let description = environment.describe().clone();
    let mut warnings = Vec::new();
    let mut record = load(tree, &mut warnings).await?;
    let journal = journal::open(tree, &mut warnings).await?;
    let builder = Builder {
        tree,
        description: &description,
        groups: description.dimensions.iter().map(|dimension| dimension.group).collect(),
    };
    let (kernel, untold) = builder.kernel(environment, &record, journal, &mut warnings)?;
    if let Some(base) = untold {
        // Before anybody is told anything about these goals: what the snapshot alone has is lost with it.
        journal::keep(tree, base).await?;
    }
    let floor = builder.floor(&record, &mut warnings)?;
    if record.kernel.is_some() && kernel.cycle == 0 && record.level48.is_some() {
        // They count the cycles of a kernel that is gone.
        (record.level48, record.level49) = (None, None);
        warnings.push("the levels above L4.5 begin anew with the kernel".to_owned());
    }
    let level48 = match tree.shared.spec.highest >= Level::L48 {
        true => Some(builder.level48(&record, &mut warnings)?),
        false => None,
    };
    let level49 = (tree.shared.spec.highest >= Level::L49).then(|| builder.level49(&record, &mut warnings));
    let guard = guard_of(&record, &mut warnings);
    Ok(Boot {
        kernel,
        floor,
        guard,
        level48,
        level49,
        record,
        warnings,
        description,
    })
}

async fn open(tree: &Tree) -> Result<Box<dyn Environment>, AgentError> {
    let (runtime, shared) = (Arc::clone(&tree.runtime), Arc::clone(&tree.shared));
    let open = move || (runtime.environments)(&shared.spec.environment, shared.agent());
    let opening = tokio::task::spawn_blocking(open);
    let broken = |reason: &str| EnvironmentError::Broken {
        environment: tree.shared.agent().to_string(),
        reason: reason.to_owned(),
    };
    match tokio::time::timeout(OPEN_DEADLINE, opening).await {
        Ok(Ok(opened)) => Ok(opened?),
        Ok(Err(_)) => Err(broken("it panicked while it was being opened").into()),
        Err(_) => Err(broken("it did not open in time").into()),
    }
}

/// The last record that can be read; an empty one if there is none.
async fn load(tree: &Tree, warnings: &mut Vec<String>) -> Result<Record, AgentError> {
    let agent = tree.shared.agent();
    let latest = tree.runtime.snapshots.latest(agent.clone(), NEWEST_VERSION).await;
    let latest = latest.map_err(|error| AgentError::Snapshots {
        agent: agent.clone(),
        reason: error.to_string(),
    })?;
    for refused in &latest.refused {
        warnings.push(format!("snapshot {} is refused: {}", refused.sequence, refused.reason));
    }
    if let Some(missing) = latest.missing {
        let used = match &latest.snapshot {
            Some(snapshot) => format!("snapshot {} is used", snapshot.meta.stamp()),
            None => "the agent starts anew".to_owned(),
        };
        warnings.push(format!(
            "snapshot {missing} is known, but no node that had it answers; {used}"
        ));
    }
    let Some(snapshot) = latest.snapshot else {
        return Ok(Record::default());
    };
    Ok(match Record::decode(&snapshot.bytes) {
        Ok(record) if record.agent.as_ref() == Some(agent) => record,
        Ok(_) => {
            warnings.push(format!("snapshot {} is another agent's", snapshot.meta.sequence));
            Record::default()
        }
        Err(error) => {
            warnings.push(format!("snapshot {} does not decode: {error}", snapshot.meta.sequence));
            Record::default()
        }
    })
}

/// A part of the record, or a warning that says why it is left out.
fn usable<T, E: Display>(part: Result<Option<T>, E>, name: &str, warnings: &mut Vec<String>) -> Option<T> {
    part.unwrap_or_else(|error| {
        warnings.push(format!("the {name} in the snapshot is left out: {error}"));
        None
    })
}

struct Builder<'a> {
    tree: &'a Tree,
    description: &'a Description,
    groups: Arc<[u16]>,
}

impl Builder<'_> {
    fn not_started(&self, reason: impl Display) -> AgentError {
        AgentError::NotStarted {
            agent: self.tree.shared.agent().clone(),
            reason: reason.to_string(),
        }
    }

    fn kernel(
        &self,
        environment: Box<dyn Environment>,
        record: &Record,
        (journal, mut told): (Journal, Told),
        warnings: &mut Vec<String>,
    ) -> Result<(KernelStart, Option<Base>), AgentError> {
        let spec = &self.tree.shared.spec;
        let config = setup::kernel(spec, Arc::clone(&self.groups));
        let body = Body::new(spec.agent.tenant.clone(), &self.description.surroundings());
        let body = body.asking(spec.highest >= Level::L49);
        let surroundings = self.description.surroundings();
        let (dimensions, groups) = (surroundings.group_of.len(), surroundings.groups.len());
        let restored = usable(record.kernel(), "kernel", warnings).and_then(|part| {
            let kernel = l3::Kernel::restore(config.clone(), part.kernel.clone());
            usable(kernel.map(|kernel| Some((part, kernel))), "kernel", warnings)
        });
        let (from, untold) = told.go_on(restored.as_ref().map(|(part, _)| GoalsAt {
            cycle: part.cycle,
            goals: part.goals.clone(),
        }));
        let base = untold.then(|| journal::base(from.cycle, &from.goals)).flatten();
        let journal = journal.after(from.goals.seq);
        let goals = Runner::resumed(from.goals, told.kept, dimensions, groups, from.cycle);
        let start = match restored {
            Some((part, kernel)) => KernelStart {
                kernel: Box::new(kernel),
                body: body.restored(part.body),
                journal,
                goals,
                environment,
                cycle: part.cycle,
                late_cycles: part.late_cycles,
                elapsed: Duration::from_micros(part.elapsed_us),
            },
            None => KernelStart {
                kernel: Box::new(l3::Kernel::new(config).map_err(|error| self.not_started(error))?),
                body,
                goals,
                journal,
                environment,
                cycle: 0,
                late_cycles: 0,
                elapsed: Duration::ZERO,
            },
        };
        Ok((start, base))
    }

    fn floor(&self, record: &Record, warnings: &mut Vec<String>) -> Result<Level45Start, AgentError> {
        let config = setup::floor(&self.tree.shared.spec, Arc::clone(&self.groups));
        let restored = usable(record.floor(), "floor", warnings).and_then(|state| {
            let level = Level45::restore(config.clone(), state);
            usable(level.map(Some), "floor", warnings)
        });
        let level = match restored {
            Some(level) => level,
            None => Level45::new(config).map_err(|error| self.not_started(error))?,
        };
        Ok(Level45Start {
            level: Box::new(level),
            cycle: record.cycle,
        })
    }

    fn level48(&self, record: &Record, warnings: &mut Vec<String>) -> Result<Arc<Level48Cell>, AgentError> {
        let config = setup::world(&self.tree.shared.spec, self.groups.len());
        let kept = record.level48(config, &self.groups, warnings);
        let kept = usable(kept, "level 4.8", warnings);
        let audit = usable(record.audit(), "audit of level 4.8", warnings);
        // An audit of a level that begins anew is of another one.
        let audit = audit.filter(|_| kept.is_some());
        let audit = audit.unwrap_or_else(|| Audit48::new(self.tree.shared.spec.seed));
        Ok(match kept {
            Some((epoch, orchestrator)) => Level48Part::new(epoch, orchestrator, audit),
            None => {
                let first = setup::first_bundle(&self.tree.shared.spec, &self.groups);
                let first = first.map_err(|error| self.not_started(error))?;
                Level48Part::new(Epoch::default(), Orchestrator::new(first), audit)
            }
        })
    }
}

impl Builder<'_> {
    fn level49(&self, record: &Record, warnings: &mut Vec<String>) -> Arc<Level49Cell> {
        match usable(record.level49(), "level 4.9", warnings) {
            Some((epoch, orchestrator, audit)) => Level49Part::new(epoch, orchestrator, audit),
            None => {
                let first = Bundle49::first(self.tree.shared.spec.seed);
                Level49Part::new(Epoch::default(), Orchestrator49::new(first), Audit49::default())
            }
        }
    }
}

/// The guard of a record; a new one if there is none that can be used.
fn guard_of(record: &Record, warnings: &mut Vec<String>) -> GuardState {
    let guard = usable(record.guard(), "guard", warnings);
    let valid = guard.as_ref().is_none_or(GuardState::is_valid);
    if !valid {
        warnings
            .push("the guard in the snapshot is left out: it counts more clean cycles than its stage has".to_owned());
    }
    guard.filter(|_| valid).unwrap_or_default()
}

/// The guard as it was in the last record, for its restart; a new one if there is none. What cannot be used is told.
pub(crate) async fn last_guard(tree: &Tree) -> GuardState {
    let mut warnings = Vec::new();
    let record = last_record(tree, &mut warnings).await;
    let guard = guard_of(&record, &mut warnings);
    tell(tree, warnings);
    guard
}

/// L4.5 as it was in the last record, for its restart; a new one if there is none. What cannot be used is told.
pub(crate) async fn last_floor(tree: &Tree, config: Level45Config) -> Result<Level45Start, Level45Error> {
    let mut warnings = Vec::new();
    let record = last_record(tree, &mut warnings).await;
    let restored = usable(record.floor(), "floor", &mut warnings).and_then(|state| {
        let level = Level45::restore(config.clone(), state);
        usable(level.map(Some), "floor", &mut warnings)
    });
    tell(tree, warnings);
    let level = match restored {
        Some(level) => level,
        None => Level45::new(config)?,
    };
    Ok(Level45Start {
        level: Box::new(level),
        cycle: record.cycle,
    })
}

/// The last record for an actor that starts again: it starts anew rather than not at all.
async fn last_record(tree: &Tree, warnings: &mut Vec<String>) -> Record {
    load(tree, warnings).await.unwrap_or_else(|error| {
        warnings.push(error.to_string());
        Record::default()
    })
}

fn tell(tree: &Tree, warnings: Vec<String>) {
    for summary in warnings {
        tree.shared
            .log
            .emit(tree.shared.cycle(), EventKind::Warning { summary });
    }
}
