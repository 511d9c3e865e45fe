//! The loops that send copies to their holders and write the index. They run beside the actor `@node/copies` and end with
//! it; what waits is in [`Outgoing`](super::Outgoing), so that who comes after goes on.

use super::actor;
use super::handle::CopiesParts;
use super::index::{INDEX_PERIOD, Index};
use super::messages::{Kept, MAX_BATCH_BYTES, MAX_COPY_BYTES, PutCopies, SnapshotCopy};
use super::queue::{Batch, Confirmed, Named};
use crate::placement::Shard;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rungs_host::{Context, Format, Payload, Refusal};
use rungs_mesh::Outbound;
use rungs_store::Stamp;
use rungs_types::{AgentId, ErrorCode, NodeName};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Messages with copies that are on their way at a time.
pub(super) const MAX_IN_FLIGHT: usize = 4;
/// How long a holder may take to make the copies of a message durable.
pub(super) const PUT_DEADLINE: Duration = Duration::from_secs(5);
/// A shard of this node is looked at so often for agents at rest whose last snapshot has no copy where it should be.
pub(super) const REPAIR_PERIOD: Duration = Duration::from_millis(100);
/// How often what waits for a pause to be over, or for a holder to be up, is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(250);

/// Runs until it is dropped.
pub(super) async fn run(parts: Arc<CopiesParts>, index: Arc<Index>) {
    parts.outgoing.recover();
    tokio::join!(copy(&parts), write_index(&parts, &index), repair(&parts, &index));
}

async fn copy(parts: &CopiesParts) {
    let mut sending = FuturesUnordered::new();
    let mut look = tokio::time::interval(LOOK_PERIOD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while sending.len() < MAX_IN_FLIGHT
            && let Some(batch) = parts.outgoing.take(|holder| parts.is_up(holder))
        {
            sending.push(send(parts, batch));
        }
        tokio::select! {
            Some(()) = sending.next(), if !sending.is_empty() => {}
            () = parts.outgoing.changed() => {}
            _ = look.tick() => {}
        }
    }
}

/// Sends the last snapshots of these agents to their holder.
async fn send(parts: &CopiesParts, batch: Batch) {
    let Batch { holder, agents } = batch;
    let (mut copies, mut room) = (Vec::new(), MAX_BATCH_BYTES);
    for agent in agents {
        let Some(copy) = read(parts, &agent).await else {
            continue;
        };
        // It may have grown since it was put into the batch.
        if copies.is_empty() || copy.bytes.len() <= room {
            room = room.saturating_sub(copy.bytes.len());
            copies.push(copy);
        } else {
            parts.outgoing.left_over(&agent);
        }
    }
    if copies.is_empty() {
        return;
    }
    let sent: Vec<Sent> = copies.iter().map(Sent::of).collect();
    let answer = ask(parts, &holder, PutCopies { copies }).await.and_then(|kept| {
        let wrong = || Refusal::new(ErrorCode::Malformed, "an answer for each copy was expected");
        if kept.len() == sent.len() {
            Ok(kept)
        } else {
            Err(wrong())
        }
    });
    match answer {
        Ok(kept) => {
            for (sent, kept) in sent.into_iter().zip(kept) {
                answered(parts, &holder, sent, kept);
            }
        }
        Err(refusal) if refusal.code == ErrorCode::NodeDown => {
            sent.iter().for_each(|sent| parts.outgoing.postponed(&sent.agent));
        }
        Err(refusal) => sent
            .iter()
            .for_each(|sent| failed(parts, &holder, &sent.agent, &refusal.message)),
    }
}

struct Sent {
    agent: AgentId,
    stamp: Stamp,
    hash: [u8; 32],
}

impl Sent {
    fn of(copy: &SnapshotCopy) -> Self {
        Self {
            agent: copy.agent.clone(),
            stamp: copy.stamp(),
            hash: copy.hash,
        }
    }
}

/// An agent's last snapshot, if it can be sent.
async fn read(parts: &CopiesParts, agent: &AgentId) -> Option<SnapshotCopy> {
    match parts.snapshots.latest(agent.clone(), u16::MAX).await {
        Ok(latest) => match latest.snapshot {
            Some(snapshot) if snapshot.bytes.len() <= MAX_COPY_BYTES => {
                return Some(SnapshotCopy::new(agent.clone(), snapshot));
            }
            Some(snapshot) => {
                let bytes = snapshot.bytes.len();
                tracing::warn!(%agent, bytes, "a snapshot of more than {MAX_COPY_BYTES} bytes is not copied");
                parts.outgoing.done(agent, None);
            }
            // It was removed meanwhile, or lost; the index goes on saying who has a copy.
            None => drop(parts.outgoing.forget(agent)),
        },
        Err(error) => failed(parts, &parts.node, agent, &error.to_string()),
    }
    None
}

fn answered(parts: &CopiesParts, holder: &NodeName, sent: Sent, kept: Kept) {
    let Sent { agent, stamp, hash } = sent;
    match kept {
        Kept::Kept => {
            let holder = holder.clone();
            parts.outgoing.done(&agent, Some(Confirmed { holder, stamp, hash }));
        }
        Kept::Later { epoch, sequence } => {
            let later = Stamp { epoch, sequence };
            // Another node has written it: this one has lost the shard, and what it has is not wanted.
            tracing::warn!(%agent, %stamp, %later, %holder, "a later snapshot of the agent has been copied already");
            parts.outgoing.done(&agent, None);
        }
        Kept::Refused { reason } => failed(parts, holder, &agent, &reason),
    }
}

fn failed(parts: &CopiesParts, holder: &NodeName, agent: &AgentId, reason: &str) {
    if parts.outgoing.failed(agent) {
        tracing::warn!(%agent, %holder, reason, "a snapshot is not copied, and not tried again until the next one");
    } else {
        tracing::debug!(%agent, %holder, reason, "a snapshot is not copied; it is tried again");
    }
}

async fn ask(parts: &CopiesParts, holder: &NodeName, put: PutCopies) -> Result<Vec<Kept>, Refusal> {
    let payload = Payload::of(&put, Format::Binary)?;
    drop(put);
    let to = actor::address(holder);
    let message = Outbound {
        to: &to,
        payload: &payload,
        context: &Context::default(),
        sent_by: None,
    };
    parts.mesh.ask(holder, message, PUT_DEADLINE).await?.decode()
}

async fn write_index(parts: &CopiesParts, index: &Index) {
    let mut rounds = tokio::time::interval(INDEX_PERIOD);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0.. {
        rounds.tick().await;
        index_round(parts, index, round).await;
    }
}

/// Writes what the index does not say yet.
pub(super) async fn index_round(parts: &CopiesParts, index: &Index, round: u64) {
    let rows = parts.outgoing.to_index(round);
    if !rows.is_empty() {
        let epoch = |shard| parts.outgoing.epoch_of(shard);
        index
            .write(rows, epoch, |written| parts.outgoing.indexed(&written))
            .await;
    }
}

/// Agents that run are copied as they write. One that rests may have none: its holder has been lost or is another now, or
/// this node ended before it could send. So the index is gone through, shard after shard, for ever.
async fn repair(parts: &CopiesParts, index: &Index) {
    let mut looks = tokio::time::interval(REPAIR_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let holders = &parts.outgoing.holders;
        if holders.alone() {
            continue;
        }
        for shard in Shard::all().filter(|shard| holders.owns(*shard)) {
            if let Some(holder) = holders.holder(shard).filter(|holder| parts.is_up(holder)) {
                looks.tick().await;
                repair_shard(parts, index, shard, &holder).await;
            }
        }
    }
}

/// Has the agents of a shard copied that rest and are not copied to their holder.
pub(super) async fn repair_shard(parts: &CopiesParts, index: &Index, shard: Shard, holder: &NodeName) {
    let rows = match index.known_here(shard).await {
        Ok(rows) => rows,
        Err(error) => return tracing::warn!(%shard, %error, "the index of snapshots cannot be read"),
    };
    for (agent, row) in rows {
        let copied = row.holder.as_ref() == Some(holder) && row.hash.is_some();
        if copied || row.writer != parts.node {
            continue;
        }
        let said = Named {
            agent,
            stamp: row.stamp(),
            holder: row.holder,
            hash: row.hash,
        };
        if !parts.outgoing.repair(said) {
            // The rest when there is room again.
            return;
        }
    }
}
