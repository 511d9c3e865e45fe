//! [`AgentGuests`]: what the directory starts and stops on this node are agents, from their records.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rungs_agent::{AgentError, Hosts};
use rungs_directory::activation::{Guests, StartError};
use rungs_directory::records::Records;
use rungs_host::Refusal;
use rungs_types::{AgentId, AgentSpec, Epoch};

/// See the module.
pub(crate) struct AgentGuests {
    pub(crate) hosts: Hosts,
    pub(crate) records: Records,
}

impl Guests for AgentGuests {
    fn start(&self, agent: AgentId, _: Epoch) -> BoxFuture<'static, Result<(), StartError>> {
        let (hosts, records) = (self.hosts.clone(), self.records.clone());
        async move {
            let failed = |refusal: Refusal| StartError::Failed(refusal);
            let record = records.get(&agent).await.map_err(|error| failed(error.into()))?;
            let spec = record.ok_or(StartError::Unknown)?.spec;
            match hosts.spawn(spec).await {
                Ok(_) | Err(AgentError::RunsAlready { .. }) => Ok(()),
                Err(error) => Err(failed(error.into())),
            }
        }
        .boxed()
    }

    fn rest(&self, agent: AgentId) -> BoxFuture<'static, ()> {
        let hosts = self.hosts.clone();
        async move {
            match hosts.stop(&agent).await {
                Ok(_) | Err(AgentError::NotHere { .. }) => {}
                // It is killed then, and goes on from its last snapshot.
                Err(error) => tracing::warn!(%agent, %error, "agent does not come to rest in order"),
            }
        }
        .boxed()
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
}
