//! How what agents say leaves the node: a bounded queue, and one task that sends by the directory.
//!
//! Nothing waits for it: a letter for which there is no room is dropped and counted, and one that cannot be delivered is
//! counted. Agents live with lost letters.

use futures::StreamExt;
use futures::stream;
use rungs_agent::{Letter, Peers, Recipients};
use rungs_directory::Directory;
use rungs_host::{Refusal, Router, tasks};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Letters that may wait.
const MAX_LETTERS: usize = 1_024;
/// Letters that are being sent at a time: a group's members may have to be asked for first.
const AT_A_TIME: usize = 16;

/// What became of letters.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    dropped: AtomicU64,
    sent: AtomicU64,
    undelivered: AtomicU64,
}

/// See the module. The task ends with this.
#[derive(Debug)]
pub(crate) struct Post {
    queue: mpsc::Sender<Letter>,
    counts: Arc<Counts>,
}

impl Post {
    /// Starts the task.
    pub(crate) fn start(directory: Directory) -> Self {
        let (queue, letters) = mpsc::channel(MAX_LETTERS);
        let counts = Arc::<Counts>::default();
        let post = Self {
            queue,
            counts: Arc::clone(&counts),
        };
        let letters = stream::unfold(letters, async |mut letters| Some((letters.recv().await?, letters)));
        tasks::spawn("peer messages", async move {
            letters
                .for_each_concurrent(AT_A_TIME, |letter| carry(&directory, &counts, letter))
                .await;
        });
        post
    }
}

impl Peers for Post {
    fn send(&self, letter: Letter) -> bool {
        let taken = self.queue.try_send(letter).is_ok();
        if !taken && self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("more messages between agents than can be sent; the first is dropped");
        }
        taken
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sent, dropped) = (read(&self.counts.sent), read(&self.counts.dropped));
        let undelivered = read(&self.counts.undelivered);
        tracing::debug!(sent, dropped, undelivered, "messages between agents");
    }
}

async fn carry(directory: &Directory, counts: &Counts, letter: Letter) {
    let from = letter.from.clone();
    match deliver(directory, letter).await {
        Ok(()) => drop(counts.sent.fetch_add(1, Ordering::Relaxed)),
        Err(refusal) => {
            counts.undelivered.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%from, %refusal, "what an agent said was not delivered");
        }
    }
}

/// To all that it is for; an error if one of them is out of reach.
async fn deliver(directory: &Directory, letter: Letter) -> Result<(), Refusal> {
    let payload = letter.payload()?;
    match letter.to {
        Recipients::Agents(agents) => {
            let mut result = Ok(());
            for agent in agents {
                result = directory.tell(agent.into(), payload.clone()).await.and(result);
            }
            result
        }
        Recipients::Group(name) => {
            let group = letter.from.beside(name);
            directory
                .tell_group(&group, Some(&letter.from), &payload)
                .await
                .map(|_| ())
        }
    }
}
