//! [`HeadWatch`]: tells those who wait when the local replica has gone further. SQLite tells nobody, so it is asked, by
//! one task for all, and only while somebody waits.

use crate::reader::Reader;
use rungs_store::cluster::{Consistency, Head, ReadError, Revision};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often the replica is asked while somebody waits.
const PACE: Duration = Duration::from_millis(20);

/// Longest wait for what the replica answers at once.
const LOCAL: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct HeadWatch {
    head: Arc<watch::Sender<Head>>,
    wake: Arc<Notify>,
}

/// The watch, and the work, which is to be run as a task of its own.
pub(crate) fn watch(reader: Reader) -> (HeadWatch, impl Future<Output = ()> + Send) {
    let (head, wake) = (Arc::new(watch::Sender::default()), Arc::new(Notify::new()));
    let work = run(reader, Arc::clone(&head), Arc::clone(&wake));
    (HeadWatch { head, wake }, work)
}

impl HeadWatch {
    /// See [`Store::moved`](rungs_store::cluster::Store::moved).
    pub(crate) async fn moved(&self, past: Revision, within: Duration) -> Result<Head, ReadError> {
        let mut head = self.head.subscribe();
        self.wake.notify_one();
        let further = head.wait_for(|head| head.revision > past);
        if let Ok(Ok(head)) = tokio::time::timeout(within, further).await {
            return Ok(*head);
        }
        // As it was last seen, which is a moment ago: this call woke the one who looks.
        Ok(*self.head.borrow())
    }
}

async fn run(reader: Reader, head: Arc<watch::Sender<Head>>, wake: Arc<Notify>) {
    loop {
        if head.receiver_count() == 0 {
            wake.notified().await;
        }
        if let Ok(now) = reader.head(Consistency::Local, LOCAL).await {
            head.send_if_modified(|before| {
                let further = now != *before;
                *before = now;
                further
            });
        }
        tokio::time::sleep(PACE).await;
    }
}
