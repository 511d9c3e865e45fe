//! Follows the table of membership in the store, and tells each new state of it.
//!
//! A look tells what has changed since the last, so that it costs what changed and not what there is. It is of the local
//! replica: it may be old, which the state machine is made for.

use super::known::Rows;
use super::rows::MembershipTable;
use rungs_store::cluster::table::{Table, TableError, entry};
use rungs_store::cluster::{Change, ReadError, Since, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Longest look.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
/// How long it waits at a time for the store to move.
const WAIT: Duration = Duration::from_secs(5);
/// How long it waits after a look that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// The rows so far, and from where to go on.
struct Feed {
    store: Arc<dyn Store>,
    since: Since,
    rows: Rows,
}

/// Follows until the receiver is gone: `tell` says so with `false`. A look is told when something has changed, and when one
/// was asked for through `asked`.
pub(super) async fn follow(store: Arc<dyn Store>, asked: Arc<Notify>, tell: impl Fn(&Rows) -> bool) {
    let mut feed = Feed {
        store,
        since: Since::the_beginning(Some(MembershipTable::ID)),
        rows: Rows::default(),
    };
    let (mut was_asked, mut failing) = (true, false);
    loop {
        match feed.look().await {
            Ok(changed) => {
                failing = false;
                if (changed || was_asked) && !tell(&feed.rows) {
                    return;
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "membership cannot be read from the store");
                }
                if matches!(error, TableError::Read(ReadError::Gap { .. })) {
                    feed.begin_anew();
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        }
        was_asked = tokio::select! {
            () = asked.notified() => true,
            // An error shows in the look that follows.
            _ = feed.store.moved(feed.since.after, WAIT) => false,
        };
    }
}

impl Feed {
    fn begin_anew(&mut self) {
        self.since = Since::the_beginning(Some(MembershipTable::ID));
        self.rows = Rows::default();
    }

    /// Goes on to where the replica stands; whether something has changed.
    async fn look(&mut self) -> Result<bool, TableError> {
        let mut changed = false;
        loop {
            let told = self.store.changes(self.since.clone(), LOOK_WITHIN).await?;
            self.since.go_on(&told);
            changed |= !told.changes.is_empty();
            for change in told.changes {
                self.take(change)?;
            }
            if told.through >= told.head.revision {
                // Only here the rows are those of one commit: those on a page that others overwrote come later.
                self.rows.head = told.head.revision;
                return Ok(changed);
            }
        }
    }

    fn take(&mut self, change: Change) -> Result<(), TableError> {
        let key = change.key.clone();
        let Some(row) = change.into_row() else {
            if let Some(key) = MembershipTable::read_key(&key) {
                self.rows.rows.remove(&key);
            }
            return Ok(());
        };
        let entry = entry::<MembershipTable>(&row)?;
        self.rows.rows.insert(entry.key, (entry.value, entry.revision));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Row, RowKey};
    use super::*;
    use crate::membership::LeaseRow;
    use rungs_host::tasks;
    use rungs_store::cluster::table::{delete, put};
    use rungs_store::cluster::{Commit, MemoryStore, RowId, TableId, Write};
    use rungs_types::NodeName;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn it_tells_what_changed_and_when_it_is_asked() {
        let store = Arc::new(MemoryStore::new());
        let asked = Arc::new(Notify::new());
        let (told, mut looks) = mpsc::unbounded_channel();
        let (of, notify) = (Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&asked));
        tasks::spawn("feed", follow(of, notify, move |rows| told.send(rows.clone()).is_ok()));
        assert!(looks.recv().await.expect("a first look").rows.is_empty());
        let n1 = NodeName::new("n1").expect("a name");
        let (key, holder) = (RowKey::Lease(n1), "n1~1".parse().expect("a node"));
        let row = Row::Lease(LeaseRow { holder, renewal: 1 });
        let commit = |write| Commit::new([], [write]);
        let within = Duration::from_secs(1);
        store
            .commit(commit(put::<MembershipTable>(&key, &row)), within)
            .await
            .expect("applied");
        let seen = looks.recv().await.expect("a look");
        assert_eq!((seen.head.0, seen.rows.get(&key).map(|(row, _)| row)), (1, Some(&row)));
        // Of other tables it tells nothing by itself.
        let other = Write::put(RowId::new(TableId(99), *b"k"), *b"v");
        store.commit(commit(other), within).await.expect("applied");
        asked.notify_one();
        let seen = looks.recv().await.expect("a look");
        assert_eq!((seen.head.0, seen.rows.len()), (2, 1));
        store
            .commit(commit(delete::<MembershipTable>(&key)), within)
            .await
            .expect("applied");
        let mut seen = looks.recv().await.expect("a look");
        while seen.head.0 < 3 {
            seen = looks.recv().await.expect("a look");
        }
        assert!(seen.rows.is_empty());
    }
}
