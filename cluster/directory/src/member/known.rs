//! [`Known`]: the rows of membership as this node knows them, each with the commit that wrote it; and how a proposal, which
//! speaks of values, becomes a commit, which speaks of revisions.
//!
//! Invariants:
//! 1. A row is never replaced by an older one: what a look missed because it began before a commit of this node stays.
//! 2. A commit that writes the map raises the fence of every shard whose epoch rises, from the epoch of the map before, all
//!    in one: a map and its fences never differ.

use super::rows::{MembershipTable, Row, RowKey};
use crate::membership::{Answer, Need, Proposal, Revision, View, Write};
use crate::placement::{Pins, ShardMap};
use rungs_store::cluster::table::{delete, put, row_id};
use rungs_store::cluster::{self as store, Commit, CommitError, Fence, Outcome, Precondition};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All rows of the table as of a commit.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) head: store::Revision,
    pub(super) rows: BTreeMap<RowKey, (Row, store::Revision)>,
}

impl Rows {
    /// What they say.
    pub(super) fn view(&self) -> View {
        let mut view = View {
            revision: Revision(self.head.0),
            ..View::default()
        };
        for (key, (row, _)) in &self.rows {
            match (key, row) {
                (RowKey::Map, Row::Map(map)) => view.map = Arc::clone(map),
                (RowKey::Pins, Row::Pins(pins)) => view.pins = Arc::clone(pins),
                (RowKey::Member(node), Row::Member(row)) => drop(view.members.insert(node.clone(), row.clone())),
                (RowKey::Lease(node), Row::Lease(row)) => drop(view.leases.insert(node.clone(), row.clone())),
                // Whoever wrote that does not speak of membership.
                _ => tracing::warn!(
                    ?key,
                    "a row of membership holds what its key does not say; it is left out"
                ),
            }
        }
        view
    }
}

/// See the module. A row that is gone is kept as such.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<RowKey, (Option<Row>, store::Revision)>);

/// A proposal as the store takes it, and what then is.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) commit: Commit,
    pub(super) written: Vec<(RowKey, Option<Row>)>,
}

impl Known {
    /// Takes in a look at all rows.
    pub(super) fn see(&mut self, seen: &Rows) {
        let rows = seen.rows.iter();
        let rows = rows.map(|(key, (row, revision))| (key.clone(), (Some(row.clone()), *revision)));
        let before = std::mem::replace(&mut self.0, rows.collect());
        self.0
            .extend(before.into_iter().filter(|(_, (_, revision))| *revision > seen.head));
    }

    /// Takes in what this node has written.
    pub(super) fn wrote(&mut self, written: Vec<(RowKey, Option<Row>)>, revision: store::Revision) {
        for (key, row) in written {
            let older = self.0.get(&key).is_none_or(|(_, before)| *before < revision);
            if older {
                self.0.insert(key, (row, revision));
            }
        }
    }

    fn row(&self, key: &RowKey) -> (Option<&Row>, store::Revision) {
        match self.0.get(key) {
            Some((row, revision)) => (row.as_ref(), *revision),
            None => (None, store::Revision::default()),
        }
    }

    fn map(&self) -> Arc<ShardMap> {
        match self.row(&RowKey::Map).0 {
            Some(Row::Map(map)) => Arc::clone(map),
            _ => Arc::default(),
        }
    }

    /// What to put to the store for a proposal; `None` if something that it needs is not so, as far as is known here, which is
    /// at least what the proposal was made from.
    pub(super) fn request(&self, proposal: &Proposal) -> Option<Request> {
        let mut preconditions = Vec::with_capacity(proposal.needs.len());
        for need in &proposal.needs {
            preconditions.push(self.precondition(need)?);
        }
        let (mut writes, mut written) = (Vec::new(), Vec::new());
        for write in &proposal.writes {
            if let Write::Map(map) = write {
                for (shard, before, after) in map.raised_since(&self.map()) {
                    let fence = |epoch| Fence {
                        shard: shard.number(),
                        epoch,
                    };
                    preconditions.push(Precondition::FenceIs(fence(before)));
                    writes.push(store::Write::Raise(fence(after)));
                }
            }
            let (key, row) = row_of(write);
            writes.push(match &row {
                Some(row) => put::<MembershipTable>(&key, row),
                None => delete::<MembershipTable>(&key),
            });
            written.push((key, row));
        }
        let commit = Commit::new(preconditions, writes);
        Some(Request { commit, written })
    }

    fn precondition(&self, need: &Need) -> Option<Precondition> {
        let (key, holds) = match need {
            Need::Map(version) => (RowKey::Map, self.map().version() == *version),
            Need::Pins(pins) => {
                let found = match self.row(&RowKey::Pins).0 {
                    Some(Row::Pins(found)) => Arc::clone(found),
                    _ => Arc::<Pins>::default(),
                };
                (RowKey::Pins, found == *pins)
            }
            Need::Member(node, row) => {
                let key = RowKey::Member(node.clone());
                let expected = row.clone().map(Row::Member);
                let holds = self.row(&key).0 == expected.as_ref();
                (key, holds)
            }
            Need::Lease(node, row) => {
                let key = RowKey::Lease(node.clone());
                let expected = row.clone().map(Row::Lease);
                let holds = self.row(&key).0 == expected.as_ref();
                (key, holds)
            }
        };
        let row = row_id::<MembershipTable>(&key);
        holds.then(|| match self.row(&key) {
            (Some(_), revision) => Precondition::RevisionIs(row, revision),
            (None, _) => Precondition::Absent(row),
        })
    }
}

fn row_of(write: &Write) -> (RowKey, Option<Row>) {
    match write {
        Write::Map(map) => (RowKey::Map, Some(Row::Map(Arc::clone(map)))),
        Write::Pins(pins) => (RowKey::Pins, Some(Row::Pins(Arc::clone(pins)))),
        Write::Member(row) => {
            let key = RowKey::Member(row.identity.node.name.clone());
            (key, Some(Row::Member(row.clone())))
        }
        Write::Lease(row) => (RowKey::Lease(row.holder.name.clone()), Some(Row::Lease(row.clone()))),
        Write::DropLease(node) => (RowKey::Lease(node.clone()), None),
    }
}

/// What the store's answer means for a proposal.
pub(super) fn answer_of(outcome: &Result<Outcome, CommitError>) -> Answer {
    match outcome {
        Ok(Outcome::Committed(revision)) => Answer::Committed(Revision(revision.0)),
        // What was certainly not applied is decided anew from what the store says now.
        Ok(Outcome::Conflict(_)) | Err(CommitError::Overloaded | CommitError::Malformed(_)) => Answer::Conflict,
        Err(CommitError::Unavailable | CommitError::Unknown) => Answer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::{Identity, LeaseRow, MemberRow, MemberState};
    use crate::placement::{MapStep, MapVersion, Shard, Zone};
    use rungs_mesh::role::Role;
    use rungs_store::cluster::{MemoryStore, Store};
    use rungs_types::{Epoch, NodeId, NodeName};
    use std::time::Duration;

    const WITHIN: Duration = Duration::from_secs(1);

    fn node(text: &str) -> NodeId {
        text.parse().expect("a node")
    }

    fn member(text: &str) -> MemberRow {
        MemberRow {
            identity: Identity {
                node: node(text),
                role: Role::Voter,
                zone: Zone::default(),
                weight: 1,
                address: None,
            },
            state: MemberState::Live,
        }
    }

    fn lease(renewal: u64) -> LeaseRow {
        LeaseRow {
            holder: node("n1~1"),
            renewal,
        }
    }

    fn give(map: &ShardMap, shards: std::ops::Range<u16>) -> Arc<ShardMap> {
        let to = || NodeName::new("n1").expect("a name");
        let steps = shards.map(|shard| MapStep::Give {
            shard: Shard::new(shard).expect("a shard"),
            to: to(),
        });
        Arc::new(map.apply(&steps.collect::<Vec<_>>()).expect("fits"))
    }

    async fn put_to(store: &MemoryStore, known: &mut Known, proposal: &Proposal) -> Answer {
        let Some(request) = known.request(proposal) else {
            return Answer::Conflict;
        };
        let outcome = store.commit(request.commit, WITHIN).await;
        if let Ok(Outcome::Committed(revision)) = outcome {
            known.wrote(request.written, revision);
        }
        answer_of(&outcome)
    }

    #[tokio::test]
    async fn a_map_of_the_largest_step_is_one_commit_with_its_fences() {
        let (store, mut known) = (MemoryStore::new(), Known::default());
        let first = give(&ShardMap::default(), 0..256);
        let proposal = Proposal {
            needs: vec![Need::Map(MapVersion::default())],
            writes: vec![Write::Map(Arc::clone(&first))],
        };
        assert!(matches!(
            put_to(&store, &mut known, &proposal).await,
            Answer::Committed(_)
        ));
        assert_eq!(
            put_to(&store, &mut known, &proposal).await,
            Answer::Conflict,
            "the same again"
        );
        let stale = Commit::new(
            [Precondition::FenceIs(Fence {
                shard: 255,
                epoch: Epoch(0),
            })],
            [store::Write::put(store::RowId::new(store::TableId(99), *b"k"), *b"v")],
        );
        assert_eq!(store.commit(stale, WITHIN).await, Ok(Outcome::Conflict(0)));
        let raised: Vec<MapStep> = (0..256)
            .map(|shard| MapStep::Raise {
                shard: Shard::new(shard).expect("a shard"),
            })
            .collect();
        let second = Proposal {
            needs: vec![Need::Map(first.version())],
            writes: vec![Write::Map(Arc::new(first.apply(&raised).expect("fits")))],
        };
        assert!(matches!(
            put_to(&store, &mut known, &second).await,
            Answer::Committed(_)
        ));
    }

    #[tokio::test]
    async fn a_renewal_goes_on_from_one_that_no_look_has_shown_yet() {
        let (store, mut known) = (MemoryStore::new(), Known::default());
        let name = || NodeName::new("n1").expect("a name");
        let join = Proposal {
            needs: vec![Need::Member(name(), None), Need::Lease(name(), None)],
            writes: vec![Write::Member(member("n1~1")), Write::Lease(lease(1))],
        };
        let renew = |from: u64| Proposal {
            needs: vec![Need::Lease(name(), Some(lease(from)))],
            writes: vec![Write::Lease(lease(from + 1))],
        };
        assert!(matches!(put_to(&store, &mut known, &join).await, Answer::Committed(_)));
        assert!(matches!(
            put_to(&store, &mut known, &renew(1)).await,
            Answer::Committed(_)
        ));
        // A look from before both, which comes late.
        known.see(&Rows::default());
        assert!(matches!(
            put_to(&store, &mut known, &renew(2)).await,
            Answer::Committed(_)
        ));
        assert_eq!(put_to(&store, &mut known, &renew(2)).await, Answer::Conflict);
        let dropped = Proposal {
            needs: vec![Need::Lease(name(), Some(lease(3)))],
            writes: vec![Write::DropLease(name())],
        };
        assert!(matches!(
            put_to(&store, &mut known, &dropped).await,
            Answer::Committed(_)
        ));
        assert_eq!(
            put_to(&store, &mut known, &renew(3)).await,
            Answer::Conflict,
            "it is gone"
        );
    }
}
