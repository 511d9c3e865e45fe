//! [`Environments`]: from what an agent's specification asks for to the environment itself.
//!
//! Invariant: what is handed out has 1 to 64 dimensions, each in a group that exists, whoever made it.

use crate::{HostSensors, Playback, Sim, Trace};
use rungs_agent::{Description, Environment, EnvironmentError};
use rungs_types::name::{NameError, UserName};
use rungs_types::spec::{EnvironmentSpec, MAX_DIMENSIONS, SimSpec};
use rungs_types::{AgentId, SpecError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most environments that a program registers.
pub const MAX_CUSTOM: usize = 1024;

/// Makes an environment for an agent.
pub type Factory = Arc<dyn Fn(&AgentId) -> Result<Box<dyn Environment>, EnvironmentError> + Send + Sync>;

/// What agents of this node can watch.
#[derive(Clone)]
pub struct Environments {
    host: HostSensors,
    trace_root: Option<PathBuf>,
    custom: BTreeMap<UserName, Factory>,
}

/// Why an environment is not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is one of that name.
    #[error("an environment is registered as {name} already; expected a new name")]
    Taken {
        /// The name.
        name: UserName,
    },
    /// There are [`MAX_CUSTOM`].
    #[error("{MAX_CUSTOM} environments are registered; that is the limit")]
    Full,
}

impl fmt::Debug for Environments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environments")
            .field("trace_root", &self.trace_root)
            .field("custom", &self.custom.keys())
            .finish_non_exhaustive()
    }
}

impl Environments {
    /// The built-in ones, with the node's sensors. Recordings may lie anywhere.
    pub fn new(host: HostSensors) -> Self {
        Self {
            host,
            trace_root: None,
            custom: BTreeMap::new(),
        }
    }

    /// Restricts recordings to this directory and what is below it, symbolic links followed; paths are relative to it.
    /// For nodes on which specifications come from elsewhere: a refusal shows the beginning of a bad cell, and so of
    /// any file that the node can read.
    pub fn traces_under(mut self, root: impl Into<PathBuf>) -> Self {
        self.trace_root = Some(root.into());
        self
    }

    /// Adds an environment of the embedding program, for [`EnvironmentSpec::Custom`].
    pub fn register(&mut self, name: &str, factory: Factory) -> Result<(), RegisterError> {
        let name = UserName::new(name)?;
        if self.custom.contains_key(&name) {
            return Err(RegisterError::Taken { name });
        }
        if self.custom.len() >= MAX_CUSTOM {
            return Err(RegisterError::Full);
        }
        self.custom.insert(name, factory);
        Ok(())
    }

    /// The environment that a specification asks for, for this agent alone. Opens files and may start the sampler, so
    /// it is not for a thread that must not wait for a disk.
    pub fn build(&self, spec: &EnvironmentSpec, agent: &AgentId) -> Result<Box<dyn Environment>, EnvironmentError> {
        let refused = |error: SpecError| broken(agent.to_string(), error.to_string());
        spec.validate().map_err(refused)?;
        let environment: Box<dyn Environment> = match spec {
            EnvironmentSpec::Host => Box::new(self.host.environment()?),
            EnvironmentSpec::Trace { path } => Box::new(Trace::open(&self.resolve(path)?)?),
            EnvironmentSpec::Playback { path, speed } => Box::new(Playback::open(&self.resolve(path)?, *speed)?),
            EnvironmentSpec::Sim { dimensions, seed } => {
                Box::new(Sim::new(&SimSpec::new(*dimensions, *seed)).map_err(refused)?)
            }
            EnvironmentSpec::Scenario(spec) => Box::new(Sim::new(spec).map_err(refused)?),
            EnvironmentSpec::Custom { name } => self.custom(name)?(agent)?,
        };
        check(environment.describe())?;
        Ok(environment)
    }

    fn custom(&self, name: &str) -> Result<&Factory, EnvironmentError> {
        let unknown = |reason: String| broken(name.to_owned(), reason);
        let known = UserName::new(name).map_err(|error| unknown(error.to_string()))?;
        self.custom
            .get(&known)
            .ok_or_else(|| unknown("no environment is registered under this name".to_owned()))
    }

    fn resolve(&self, path: &str) -> Result<PathBuf, EnvironmentError> {
        let Some(root) = &self.trace_root else {
            return Ok(PathBuf::from(path));
        };
        let cannot = |error: std::io::Error| broken(path.to_owned(), format!("cannot be opened: {error}"));
        let root = root.canonicalize().map_err(cannot)?;
        let resolved = root.join(Path::new(path)).canonicalize().map_err(cannot)?;
        if resolved.starts_with(&root) {
            return Ok(resolved);
        }
        Err(broken(
            path.to_owned(),
            "outside the directory of recordings".to_owned(),
        ))
    }
}

fn broken(environment: String, reason: String) -> EnvironmentError {
    EnvironmentError::Broken { environment, reason }
}

fn check(description: &Description) -> Result<(), EnvironmentError> {
    let refuse = |reason: String| Err(broken(description.name.clone(), reason));
    let count = description.dimensions.len();
    if !(1..=MAX_DIMENSIONS).contains(&count) {
        return refuse(format!("{count} dimensions; expected 1 to {MAX_DIMENSIONS}"));
    }
    for dimension in &description.dimensions {
        if usize::from(dimension.group) >= description.groups.len() {
            let (name, group, groups) = (&dimension.name, dimension.group, description.groups.len());
            return refuse(format!("{name} is in group {group}; expected one of {groups} groups"));
        }
        if let Some(capacity) = dimension
            .capacity
            .filter(|capacity| !(*capacity > 0.0 && capacity.is_finite()))
        {
            let name = &dimension.name;
            return refuse(format!(
                "{name} has capacity {capacity}; expected a finite number above 0"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
