//! How what agents say leaves the node: a bounded queue, and one task that sends by the directory. Questions do not queue:
//! an agent has at most one on its way.
//!
//! Nothing waits for a letter: one for which there is no room is dropped and counted, and one that cannot be delivered is
//! counted. Agents live with lost letters.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use rungs_agent::{Asked, Letter, Peers, Question, Recipients, Whom};
use rungs_directory::Directory;
use rungs_host::{Payload, Refusal, Router, tasks};
use rungs_types::AgentId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Letters that may wait.
const MAX_LETTERS: usize = 1_024;
/// Letters that are being sent at a time: a group's members may have to be asked for first.
const AT_A_TIME: usize = 16;

/// What became of letters.
#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    sent: AtomicU64,
    undelivered: AtomicU64,
}

impl Counts {
    /// Dropped, sent, undelivered.
    fn read(&self) -> [u64; 3] {
        [&self.dropped, &self.sent, &self.undelivered].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The letters that wait, and the task that sends them. The task ends with this, when it has sent what waits.
#[derive(Debug)]
struct Queue {
    letters: mpsc::Sender<Letter>,
    counts: Arc<Counts>,
}

impl Queue {
    /// Starts the task; `deliver` sends one letter.
    fn start<D, F>(deliver: D) -> Self
    where
        D: Fn(Letter) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let (queue, letters) = mpsc::channel(MAX_LETTERS);
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        let letters = stream::unfold(letters, async |mut letters| Some((letters.recv().await?, letters)));
        tasks::spawn("peer messages", async move {
            let carry = |letter: Letter| {
                let (from, sending) = (letter.from.clone(), deliver(letter));
                let counts = Arc::clone(&counted);
                async move {
                    match sending.await {
                        Ok(()) => drop(counts.sent.fetch_add(1, Ordering::Relaxed)),
                        Err(refusal) => {
                            counts.undelivered.fetch_add(1, Ordering::Relaxed);
                            tracing::debug!(%from, %refusal, "what an agent said was not delivered");
                        }
                    }
                }
            };
            letters.for_each_concurrent(AT_A_TIME, carry).await;
        });
        Self { letters: queue, counts }
    }

    fn send(&self, letter: Letter) -> bool {
        let taken = self.letters.try_send(letter).is_ok();
        if !taken && self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("more messages between agents than can be sent; the first is dropped");
        }
        taken
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let [dropped, sent, undelivered] = self.counts.read();
        tracing::debug!(sent, dropped, undelivered, "messages between agents");
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Post {
    queue: Queue,
    directory: Directory,
}

impl Post {
    /// Starts the task.
    pub(crate) fn start(directory: Directory) -> Self {
        let carrier = directory.clone();
        Self {
            queue: Queue::start(move |letter| deliver(carrier.clone(), letter)),
            directory,
        }
    }
}

impl Peers for Post {
    fn send(&self, letter: Letter) -> bool {
        self.queue.send(letter)
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Asked> {
        Box::pin(ask(self.directory.clone(), question))
    }
}

/// To all that it is for; an error if one of them is out of reach.
async fn deliver(directory: Directory, letter: Letter) -> Result<(), Refusal> {
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

async fn ask(directory: Directory, question: Question) -> Asked {
    let group = match &question.whom {
        Whom::Agent(_) => None,
        Whom::OneOf(name) => Some(question.from.beside(name.clone())),
    };
    let finder = directory.clone();
    let members = async move {
        match group {
            Some(group) => finder.members_of(&group).await,
            None => BTreeSet::new(),
        }
    };
    let deadline = question.deadline;
    let put = move |of: AgentId, payload: Payload| async move {
        let to = Question::address(of);
        directory.ask(to, payload, deadline).await
    };
    in_time(&question, members, put).await
}

/// Asks one of those that the question is for; over at its deadline, whatever takes so long: to find out who there is, or
/// the answer. `members` is waited for only if one of a group is asked.
async fn in_time<F>(
    question: &Question,
    members: impl Future<Output = BTreeSet<AgentId>>,
    put: impl FnOnce(AgentId, Payload) -> F,
) -> Asked
where
    F: Future<Output = Result<Payload, Refusal>>,
{
    let mut of = None;
    let asking = async {
        of = match &question.whom {
            Whom::Agent(agent) => Some(agent.clone()),
            Whom::OneOf(_) => question.choose(&members.await),
        };
        let asked = of.clone()?;
        let answer = match question.payload() {
            Ok(payload) => put(asked, payload).await,
            Err(refusal) => Err(refusal),
        };
        Some(answer.and_then(|payload| payload.decode()))
    };
    match tokio::time::timeout(question.deadline, asking).await {
        Ok(Some(answer)) => Asked { of, answer },
        Ok(None) => question.unasked(),
        Err(_) => {
            let answer = Err(question.late());
            Asked { of, answer }
        }
    }
}

#[cfg(test)]
mod tests;
