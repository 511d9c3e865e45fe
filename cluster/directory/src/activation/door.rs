//! How what waited is given to an agent, or back to its sender; and [`Door`], which lets nothing past what waits.

use super::actor::Letter;
use super::waiting::{Unwanted, Why};
use dashmap::{DashMap, Entry};
use rungs_host::endpoints::ReplySender;
use rungs_host::{Endpoints, Refusal, tasks};
use rungs_mesh::mesh::not_found;
use rungs_types::{Address, AgentId, ErrorCode, NodeName};
use tokio::sync::oneshot;

/// How often a door stays shut because something is on its way to what waits: a flood must not keep it shut.
const MAX_TRIES: u32 = 32;

/// What is on its way to the activator, by agent: an agent that has started is found by others only when nothing is, so that
/// each sender's messages come in order.
#[derive(Debug, Default)]
pub(super) struct Door {
    coming: DashMap<AgentId, u32>,
}

impl Door {
    /// Sends a letter to the activator, or, if the agent is to be found by now, to itself.
    pub(super) fn pass(
        &self,
        agent: &AgentId,
        letter: Letter,
        endpoints: &Endpoints,
        send: impl FnOnce(Letter) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let passed = {
            let mut coming = self.coming.entry(agent.clone()).or_default();
            match endpoints.get(&letter.to).filter(|_| *coming == 0) {
                Some(endpoint) => endpoint.deliver(letter.payload, letter.context, letter.reply),
                None => send(letter).map(|()| *coming += 1),
            }
        };
        self.coming.remove_if(agent, |_, coming| *coming == 0);
        passed
    }

    /// The activator begins anew: what was on its way to the one before is lost.
    pub(super) fn forget(&self) {
        self.coming.clear();
    }

    /// A letter has come.
    pub(super) fn came(&self, agent: &AgentId) {
        if let Entry::Occupied(mut coming) = self.coming.entry(agent.clone()) {
            *coming.get_mut() = coming.get().saturating_sub(1);
            if *coming.get() == 0 {
                coming.remove();
            }
        }
    }

    /// Lets everyone find an agent that has started, if nothing is on its way to what waits; `false` if something is.
    pub(super) fn open(&self, agent: &AgentId, tries: u32, endpoints: &Endpoints) -> bool {
        let coming = self.coming.entry(agent.clone());
        let is_clear = match &coming {
            Entry::Occupied(coming) => *coming.get() == 0,
            Entry::Vacant(_) => true,
        };
        if is_clear || tries >= MAX_TRIES {
            // Under the lock of the entry: nobody is between looking and sending.
            endpoints.reveal(agent);
            return true;
        }
        false
    }
}

/// Puts a letter into the mailbox it is for; `absent` is why there is none.
pub(super) fn deliver(letter: Letter, endpoints: &Endpoints, absent: impl FnOnce(&Address) -> Refusal) {
    match endpoints.get_concealed(&letter.to) {
        None => {
            let refusal = absent(&letter.to);
            refuse(letter.reply, refusal);
        }
        Some(endpoint) => give(letter, |letter| {
            endpoint.deliver(letter.payload, letter.context, letter.reply)
        }),
    }
}

/// Gives a letter to who takes it. The way back goes with the message, and is lost with one that is refused: the asker keeps
/// its own, and learns of a refusal. Of a `tell` nobody learns.
pub(crate) fn give(mut letter: Letter, take: impl FnOnce(Letter) -> Result<(), Refusal>) {
    let Some(asker) = letter.reply.take() else {
        drop(take(letter));
        return;
    };
    let (reply, answered) = oneshot::channel();
    let to = letter.to.clone();
    letter.reply = Some(reply);
    if let Err(refusal) = take(letter) {
        return refuse(Some(asker), refusal);
    }
    tasks::spawn("answer of an agent that was waited for", async move {
        let ended = || {
            let text = format!("{to} ended; the message may have been executed");
            Refusal::new(ErrorCode::TargetEnded, &text)
        };
        // An asker that no longer waits is no error.
        drop(asker.send(answered.await.unwrap_or_else(|_| Err(ended()))));
    });
}

/// Says why something cannot be given; `cause` is why its agent has just failed to start.
pub(super) fn give_back(unwanted: Unwanted<Letter>, cause: Option<&Refusal>, node: &NodeName) {
    let Unwanted { agent, content, why } = unwanted;
    let text = match why {
        Why::Unknown => return refuse(content.reply, not_found(&content.to, node)),
        Why::Full => format!("too much waits for {agent} to start"),
        Why::Failing { .. } => match cause {
            Some(cause) => format!("{agent} does not start: {}", cause.message),
            None => format!("{agent} did not start a moment ago"),
        },
        Why::Late => format!("{agent} did not start in time; nothing was executed"),
        Why::Moved => format!("{agent} is not this node's, or is moving to another; nothing was executed"),
    };
    let retry_after_ms = match why {
        Why::Failing { retry_after } => Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)),
        _ => None,
    };
    let refusal = Refusal {
        retry_after_ms,
        ..Refusal::new(why.code(), &text)
    };
    refuse(content.reply, refusal);
}

/// Nobody waits for it any more: the agents of its shard did not become known in time.
pub(super) fn refuse_late(letter: Letter) {
    let text = format!("{} did not start in time; nothing was executed", letter.to);
    refuse(letter.reply, Refusal::new(ErrorCode::DeadlineExceeded, &text));
}

/// Too much has come for shards whose agents are not known yet.
pub(super) fn refuse_full(letter: Letter, agent: &AgentId) {
    let text = format!("too much waits for {agent} to start");
    refuse(letter.reply, Refusal::new(ErrorCode::Overloaded, &text));
}

/// Its agent is being stopped for good.
pub(super) fn refuse_leaving(letter: Letter, agent: &AgentId) {
    let text = format!("{agent} is being stopped and forgotten; nothing was executed");
    refuse(letter.reply, Refusal::new(ErrorCode::Overloaded, &text));
}

/// Tells the sender, if it waits for an answer; of a `tell` nobody learns.
pub(crate) fn refuse(reply: ReplySender, refusal: Refusal) {
    if let Some(reply) = reply {
        drop(reply.send(Err(refusal)));
    }
}
