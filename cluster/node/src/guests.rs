//! [`AgentGuests`]: what the directory starts and stops on this node are agents, from their records.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rungs_agent::messages::AgentState;
use rungs_agent::{AgentError, Hosts, NEWEST_VERSION};
use rungs_directory::activation::{Guests, StartError};
use rungs_directory::copies::Copies;
use rungs_directory::records::Records;
use rungs_host::Refusal;
use rungs_types::{Address, AgentId, AgentSpec, Authority, Epoch, ErrorCode, Level, NodeName};

/// When to try again to reach an agent that is just starting again.
const STARTING_AGAIN_MS: u64 = 500;

/// See the module.
pub(crate) struct AgentGuests {
    pub(crate) node: NodeName,
    pub(crate) hosts: Hosts,
    pub(crate) records: Records,
    pub(crate) copies: Copies,
}

impl Guests for AgentGuests {
    fn start(&self, agent: AgentId, epoch: Epoch) -> BoxFuture<'static, Result<(), StartError>> {
        let (hosts, records, copies) = (self.hosts.clone(), self.records.clone(), self.copies.clone());
        async move {
            let failed = |refusal: Refusal| StartError::Failed(refusal);
            let record = records.get(&agent).await.map_err(|error| failed(error.into()))?;
            let spec = record.ok_or(StartError::Unknown)?.spec;
            copies.enter(&agent, epoch);
            // One that still runs in an epoch that is over could not write what it promises.
            if hosts.get(&agent).is_some_and(|running| running.epoch() != epoch)
                && let Err(error) = hosts.stop(&agent).await
            {
                return Err(failed(error.into()));
            }
            // One that runs has a later state than any snapshot.
            if hosts.get(&agent).is_none() {
                let recalled = copies.recall(&agent, epoch, NEWEST_VERSION).await;
                recalled.map_err(failed)?;
            }
            match hosts.spawn_in(spec, epoch).await {
                Ok(_) => Ok(()),
                Err(error) => Err(failed(error.into())),
            }
        }
        .boxed()
    }

    fn rest(&self, agent: AgentId) -> BoxFuture<'static, ()> {
        let (hosts, copies) = (self.hosts.clone(), self.copies.clone());
        async move {
            match hosts.stop(&agent).await {
                Ok(_) | Err(AgentError::NotHere { .. }) => {}
                // It is killed then, and goes on from its last snapshot.
                Err(error) => tracing::warn!(%agent, %error, "agent does not come to rest in order"),
            }
            copies.rested(&agent);
        }
        .boxed()
    }

    fn forget(&self, agent: AgentId) -> BoxFuture<'static, ()> {
        let copies = self.copies.clone();
        async move { copies.forget(&agent).await }.boxed()
    }

    fn idle(&self) -> Vec<AgentId> {
        self.hosts.idle()
    }

    fn running(&self) -> Vec<AgentId> {
        self.hosts.list().into_iter().map(|entry| entry.agent).collect()
    }

    fn spec(&self, agent: &AgentId) -> Option<AgentSpec> {
        Some(self.hosts.get(agent)?.spec().clone())
    }

    fn absence(&self, of: &Address) -> Refusal {
        let Address::Agent { agent, role } = of else {
            return absence(&self.hosts, &self.node, of);
        };
        let state = self.hosts.get(agent).map(|known| known.entry().state);
        match (state, role) {
            (Some(AgentState::Parked), _) => {
                let text = format!(
                    "{agent} is parked: it failed too often; `call @{}/agents agents.unpark` starts it again",
                    self.node
                );
                Refusal::new(ErrorCode::Refused, &text)
            }
            (Some(_), None) => {
                let text = format!("{agent} is just starting again");
                Refusal {
                    retry_after_ms: Some(STARTING_AGAIN_MS),
                    ..Refusal::new(ErrorCode::Overloaded, &text)
                }
            }
            _ => absence(&self.hosts, &self.node, of),
        }
    }
}

/// Why nobody is at an address: a phase of a level that is frozen does not run, and is nothing unknown.
pub(crate) fn absence(hosts: &Hosts, node: &NodeName, target: &Address) -> Refusal {
    let not_found = || Refusal::new(ErrorCode::NotFound, &format!("{node} has no {target}"));
    let Address::Agent {
        agent,
        role: Some(role),
    } = target
    else {
        return not_found();
    };
    let Some(known) = hosts.get(agent) else {
        return not_found();
    };
    // The phases of a level stand below its role, which is its name without the dot.
    let level = Level::ALL.into_iter().find(|level| {
        let prefix = level.to_string().to_lowercase().replace('.', "");
        let below = role.as_str().strip_prefix(&prefix);
        below.is_some_and(|rest| rest.starts_with('/'))
    });
    match level {
        Some(level) if known.spec().highest >= level && known.authorities()[level.index()] == Authority::Frozen => {
            let text = format!("{level} of {agent} is frozen, so that {target} does not run; see `agent {agent}`");
            Refusal::new(ErrorCode::Refused, &text)
        }
        _ => not_found(),
    }
}
