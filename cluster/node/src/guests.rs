//! [`AgentGuests`]: what the directory starts and stops on this node are agents, from their records.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rungs_agent::{AgentError, Hosts};
use rungs_directory::activation::{Guests, StartError};
use rungs_directory::records::Records;
use rungs_host::Refusal;
use rungs_types::{AgentId, Epoch};

/// See the module.
pub(crate) struct AgentGuests {
    pub(crate) hosts: Hosts,
    pub(crate) records: Records,
}

impl Guests for AgentGuests {
    fn start(&self, agent: AgentId, epoch: Epoch) -> BoxFuture<'static, Result<(), StartError>> {
        let (hosts, records) = (self.hosts.clone(), self.records.clone());
        async move {
            let failed = |refusal: Refusal| StartError::Failed(refusal);
            let record = records.get(&agent).await.map_err(|error| failed(error.into()))?;
            let spec = record.ok_or(StartError::Unknown)?.spec;
            // One that still runs in an epoch that is over could not write what it promises.
            if hosts.get(&agent).is_some_and(|running| running.epoch() != epoch)
                && let Err(error) = hosts.stop(&agent).await
            {
                return Err(failed(error.into()));
            }
            match hosts.spawn_in(spec, epoch).await {
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
}
