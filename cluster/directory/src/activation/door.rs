//! How what waited is given to an agent, or back to its sender.

use super::actor::Letter;
use super::waiting::{Unwanted, Why};
use rungs_host::endpoints::ReplySender;
use rungs_host::{Endpoints, Refusal, tasks};
use rungs_mesh::mesh::not_found;
use rungs_types::{AgentId, ErrorCode, NodeName};
use tokio::sync::oneshot;

/// Puts a letter into the mailbox it is for.
pub(super) fn deliver(letter: Letter, endpoints: &Endpoints, node: &NodeName) {
    let Letter {
        to,
        payload,
        context,
        reply,
        ..
    } = letter;
    let Some(endpoint) = endpoints.get(&to) else {
        return refuse(reply, not_found(&to, node));
    };
    let Some(asker) = reply else {
        // Of a `tell` nobody learns.
        drop(endpoint.deliver(payload, context, None));
        return;
    };
    // The way back goes with the message, and is lost with one that is refused at the door: the asker keeps its own.
    let (reply, answered) = oneshot::channel();
    if let Err(refusal) = endpoint.deliver(payload, context, Some(reply)) {
        return refuse(Some(asker), refusal);
    }
    tasks::spawn("answer of an agent that was started", async move {
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
fn refuse(reply: ReplySender, refusal: Refusal) {
    if let Some(reply) = reply {
        drop(reply.send(Err(refusal)));
    }
}
