//! Event streams over one link, in both directions. The subscriber gives credit; a publisher without credit waits, and
//! what its hub overwrites meanwhile is told as lagged. Nothing here slows an agent down.

use super::{Peer, Sender, decode};
use crate::envelope::{Class, Envelope};
use rungs_host::tasks;
use rungs_host::{EventFilter, EventStream, Format, Refusal, Watched, codec};
use rungs_types::{ErrorCode, Event, EventKind};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::AbortHandle;

/// Events that may be under way in one stream.
pub const EVENT_CREDIT: u32 = 1024;
/// Most streams of one link in each direction.
pub const MAX_STREAMS: usize = 64;
/// Events that a subscriber reads before it gives new credit for them.
const GRANT_EVERY: u32 = EVENT_CREDIT / 4;

#[derive(Debug, Serialize, Deserialize)]
struct Subscription {
    filter: EventFilter,
    credit: u32,
}

/// A stream that this node publishes.
#[derive(Debug)]
struct Published {
    credit: Arc<Semaphore>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Tables {
    closed: bool,
    published: HashMap<u64, Published>,
    /// The streams that this node reads.
    read: HashMap<u64, mpsc::Sender<Watched>>,
}

/// The streams of one link.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Tables>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link has ended, and all its streams.
    pub(super) fn close(&self) {
        let mut tables = self.lock();
        tables.closed = true;
        tables.read.clear();
        for (_, published) in tables.published.drain() {
            published.task.abort();
        }
    }

    #[cfg(test)]
    pub(super) fn published_len(&self) -> usize {
        self.lock().published.len()
    }

    /// The peer does not publish this stream, which ends it; answers whether there is one.
    pub(super) fn refused(&self, sequence: u64) -> bool {
        self.lock().read.remove(&sequence).is_some()
    }
}

impl Peer {
    /// Streams the peer's events that pass the filter.
    pub(crate) fn subscribe(&self, filter: EventFilter) -> Result<EventStream, Refusal> {
        let node = &self.identity().node;
        let subscription = Subscription {
            filter,
            credit: EVENT_CREDIT,
        };
        let bytes = codec::encode(&subscription)?;
        // Twice the credit: before each event there may be a note that some were lost, which needs none.
        let (sender, arriving) = mpsc::channel(2 * EVENT_CREDIT as usize);
        let (events, stream) = mpsc::channel(1);
        let mut tables = self.streams.lock();
        if tables.closed || tables.read.len() >= MAX_STREAMS {
            let text = format!(
                "{}: {} streams; expected at most {MAX_STREAMS}",
                node.name,
                tables.read.len()
            );
            return Err(Refusal::new(ErrorCode::Overloaded, &text));
        }
        let envelope = Envelope::new(Class::Subscribe, 0).with(&bytes, Format::Binary);
        let sequence = self
            .outgoing
            .push_numbered(envelope, Sender::Task, |_| ())
            .map_err(|error| error.refusal(node))?;
        tables.read.insert(sequence, sender);
        drop(tables);
        if let Some(me) = self.me.upgrade() {
            tasks::spawn("mesh subscriber", me.pass_on(sequence, arriving, events));
        }
        Ok(stream)
    }

    /// Passes a stream on to its reader and gives credit for what was read.
    async fn pass_on(
        self: Arc<Self>,
        sequence: u64,
        mut arriving: mpsc::Receiver<Watched>,
        events: mpsc::Sender<Watched>,
    ) {
        let mut unpaid = 0;
        loop {
            let watched = tokio::select! {
                watched = arriving.recv() => watched,
                () = events.closed() => None,
            };
            let Some(watched) = watched else { break };
            unpaid += u32::from(matches!(watched, Watched::Event(_)));
            if events.send(watched).await.is_err() {
                break;
            }
            if unpaid >= GRANT_EVERY {
                self.push_control(Class::EventGrant, sequence, &unpaid);
                unpaid = 0;
            }
        }
        if self.streams.lock().read.remove(&sequence).is_some() {
            self.push_control(Class::StreamEnd, sequence, &());
        }
    }

    /// An envelope of a stream. An error breaks the protocol.
    pub(super) fn streamed(&self, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let sequence = envelope.sequence;
        match envelope.class {
            Class::Subscribe => self.publish_to(sequence, decode(envelope)?),
            Class::Event => {
                let event: Event = decode(envelope)?;
                return self.read(sequence, Watched::Event(Arc::new(event)));
            }
            Class::Lagged => return self.read(sequence, Watched::Lagged(decode(envelope)?)),
            Class::EventGrant => {
                let more: u32 = decode(envelope)?;
                if let Some(published) = self.streams.lock().published.get(&sequence) {
                    let room = (EVENT_CREDIT as usize).saturating_sub(published.credit.available_permits());
                    published.credit.add_permits(room.min(more as usize));
                }
            }
            _ => {
                let mut tables = self.streams.lock();
                tables.read.remove(&sequence);
                if let Some(published) = tables.published.remove(&sequence) {
                    published.task.abort();
                }
            }
        }
        Ok(())
    }

    fn read(&self, sequence: u64, watched: Watched) -> Result<(), Refusal> {
        // A stream that has just been ended here may still have events under way.
        let Some(sender) = self.streams.lock().read.get(&sequence).cloned() else {
            return Ok(());
        };
        match sender.try_send(watched) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refusal::new(
                ErrorCode::Overloaded,
                "more events than the credit it was given",
            )),
        }
    }

    fn publish_to(&self, sequence: u64, subscription: Subscription) {
        let mut tables = self.streams.lock();
        if tables.published.len() >= MAX_STREAMS {
            drop(tables);
            let text = format!("{MAX_STREAMS} streams; expected fewer");
            return self.refuse(sequence, &Refusal::new(ErrorCode::Overloaded, &text));
        }
        let Some(me) = self.me.upgrade().filter(|_| !tables.closed) else {
            return;
        };
        let credit = Arc::new(Semaphore::new(subscription.credit.min(EVENT_CREDIT) as usize));
        let source = self.local.events.subscribe();
        let task = me.publish(sequence, source, subscription.filter, Arc::clone(&credit));
        let task = tasks::spawn("mesh publisher", task).abort_handle();
        tables.published.insert(sequence, Published { credit, task });
    }

    async fn publish(
        self: Arc<Self>,
        sequence: u64,
        mut source: broadcast::Receiver<Arc<Event>>,
        filter: EventFilter,
        credit: Arc<Semaphore>,
    ) {
        let mut lost: u64 = 0;
        loop {
            let Ok(permit) = credit.acquire().await else { break };
            let event = match source.recv().await {
                Ok(event) if passes(&filter, &event) => event,
                Ok(_) => continue,
                Err(RecvError::Lagged(more)) => {
                    lost += more;
                    continue;
                }
                Err(RecvError::Closed) => break,
            };
            if lost > 0 {
                self.push_control(Class::Lagged, sequence, &lost);
                lost = 0;
            }
            let Ok(bytes) = codec::encode(&*event) else { continue };
            let envelope = Envelope::new(Class::Event, sequence).with(&bytes, Format::Binary);
            match self.outgoing.push(&envelope, Sender::Task) {
                Ok(()) => permit.forget(),
                Err(super::outgoing::PushError::Closed) => break,
                Err(_) => lost += 1,
            }
        }
        self.streams.lock().published.remove(&sequence);
        self.push_control(Class::StreamEnd, sequence, &());
    }
}

/// Whether a subscriber wants the event.
pub fn passes(filter: &EventFilter, event: &Event) -> bool {
    let agent = filter.agent.as_ref().is_none_or(|agent| *agent == event.agent);
    agent && (filter.status || !matches!(event.kind, EventKind::Status(_)))
}
