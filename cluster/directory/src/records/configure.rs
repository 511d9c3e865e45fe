//! Makes the records that a node's configuration wrote those that it lists now, beside other nodes that do the same.
//!
//! 1. A node deletes and changes only records that its own configuration wrote. Those of others, and those that somebody
//!    ordered, stay as they are, also where it lists the agent.
//! 2. Of several nodes that list an agent which has no record, one writes it, and it is that one's from then on. When it no
//!    longer lists it, the record goes; another that does writes it anew at its next start.
//! 3. Each write is on condition that the record is as it was when it was decided on; otherwise it is read again and
//!    decided anew.

use super::{AT_ONCE, AgentRecord, AgentTable, Origin, RecordError, Records, STORE_DEADLINE};
use futures::future::try_join_all;
use rungs_store::cluster::read::Consistency;
use rungs_store::cluster::table::{Entry, delete, put, row_id};
use rungs_store::cluster::{Commit, Outcome, Precondition};
use rungs_types::{AgentId, AgentSpec, NodeName};
use std::collections::BTreeMap;

/// How often a record that others change at the same time is decided anew. Each other node changes it once, as a rule.
const MAX_TRIES: usize = 16;

/// What a configuration changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// Records that are new or differ from what was.
    pub written: usize,
    /// Records of agents that the configuration no longer lists.
    pub deleted: Vec<AgentId>,
}

/// What is to be done about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Write,
    Delete,
}

type Found = Entry<AgentId, AgentRecord>;

/// What a node has to do about a record, by what its configuration says of the agent.
fn decide(node: &NodeName, listed: Option<&AgentSpec>, found: Option<&Found>) -> Change {
    let Some(found) = found else {
        return listed.map_or(Change::Nothing, |_| Change::Write);
    };
    match (&found.value.origin, listed) {
        (Origin::Order, _) => Change::Nothing,
        (Origin::Configuration(Some(by)), _) if by != node => Change::Nothing,
        (Origin::Configuration(_), None) => Change::Delete,
        // One that does not say whose it is becomes the node's own.
        (Origin::Configuration(by), Some(spec)) if by.is_none() || found.value.spec != *spec => Change::Write,
        (Origin::Configuration(_), Some(_)) => Change::Nothing,
    }
}

impl Records {
    /// See the module. `specs` is all that the configuration of the node lists, wherever it runs.
    ///
    /// # Errors
    /// If the store does not answer or a write fails; what was written until then stays, and the next call goes on.
    pub async fn configure(&self, node: &NodeName, specs: &[AgentSpec]) -> Result<Configured, RecordError> {
        let listed: BTreeMap<&AgentId, &AgentSpec> = specs.iter().map(|spec| (&spec.agent, spec)).collect();
        let (mut missing, mut changes) = (listed.clone(), Vec::new());
        self.each(&[], |found| {
            missing.remove(&found.key);
            let spec = listed.get(&found.key).copied();
            if decide(node, spec, Some(&found)) != Change::Nothing {
                changes.push((found.key.clone(), spec, Some(found)));
            }
        })
        .await?;
        changes.extend(
            missing
                .into_iter()
                .map(|(agent, spec)| (agent.clone(), Some(spec), None)),
        );
        let mut configured = Configured::default();
        // Together, so that the store writes them as few batches: one by one each waits for the disk.
        while !changes.is_empty() {
            let some = changes.split_off(changes.len().saturating_sub(AT_ONCE));
            let agents: Vec<AgentId> = some.iter().map(|(agent, ..)| agent.clone()).collect();
            let made = some
                .into_iter()
                .map(|(agent, spec, found)| self.make_so(node, agent, spec, found));
            for (agent, change) in agents.into_iter().zip(try_join_all(made).await?) {
                match change {
                    Change::Nothing => {}
                    Change::Write => configured.written += 1,
                    Change::Delete => configured.deleted.push(agent),
                }
            }
        }
        configured.deleted.sort();
        Ok(configured)
    }

    /// Decides on a record and writes it, as often as others are faster.
    async fn make_so(
        &self,
        node: &NodeName,
        agent: AgentId,
        spec: Option<&AgentSpec>,
        mut found: Option<Found>,
    ) -> Result<Change, RecordError> {
        let row = row_id::<AgentTable>(&agent);
        for _ in 0..MAX_TRIES {
            let change = decide(node, spec, found.as_ref());
            let write = match (change, spec) {
                (Change::Write, Some(spec)) => {
                    let (spec, origin) = (spec.clone(), Origin::Configuration(Some(node.clone())));
                    put::<AgentTable>(&agent, &AgentRecord { spec, origin })
                }
                (Change::Delete, _) => delete::<AgentTable>(&agent),
                (Change::Nothing | Change::Write, _) => return Ok(Change::Nothing),
            };
            let unchanged = match &found {
                Some(found) => Precondition::RevisionIs(row.clone(), found.revision),
                None => Precondition::Absent(row.clone()),
            };
            let commit = Commit::new([unchanged], [write]);
            if let Outcome::Committed(_) = self.store.commit(commit, STORE_DEADLINE).await? {
                return Ok(change);
            }
            let seen = self
                .table()
                .get(&agent, Consistency::Consistent, STORE_DEADLINE)
                .await?;
            found = seen.value;
        }
        Err(RecordError::Contended(agent))
    }
}

#[cfg(test)]
mod tests;
