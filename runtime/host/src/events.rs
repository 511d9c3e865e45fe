//! The node's event hub: agents publish, watchers subscribe. A slow watcher loses the oldest events and is told how
//! many; it never slows an agent down.

use rungs_types::Event;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Events that a watcher may be behind before it loses the oldest.
pub const EVENT_BUFFER: usize = 4096;

/// What a watcher reads.
#[derive(Debug, Clone)]
pub enum Watched {
    /// An event.
    Event(Arc<Event>),
    /// So many events were lost because the watcher, or the link to it, was slow.
    Lagged(u64),
}

/// Where a watcher reads; ends when the node or the link ends.
pub type EventStream = tokio::sync::mpsc::Receiver<Watched>;

/// The hub.
#[derive(Debug, Clone)]
pub struct EventHub {
    sender: broadcast::Sender<Arc<Event>>,
}

impl Default for EventHub {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(EVENT_BUFFER),
        }
    }
}

impl EventHub {
    /// Tells all watchers; never blocks.
    pub fn publish(&self, event: Event) {
        // No watcher is no error.
        drop(self.sender.send(Arc::new(event)));
    }

    /// Everything published from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::EventKind;
    use tokio::sync::broadcast::error::RecvError;

    fn event(seq: u64) -> Event {
        Event {
            seq,
            node: "n1".parse().expect("a name"),
            agent: "a".parse().expect("an agent"),
            cycle: 0,
            kind: EventKind::Warning { summary: String::new() },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_watcher_loses_the_oldest_and_learns_how_many_while_nobody_waits_for_it() {
        let hub = EventHub::default();
        hub.publish(event(0));
        let mut slow = hub.subscribe();
        for seq in 1..=EVENT_BUFFER as u64 + 10 {
            hub.publish(event(seq));
        }
        assert_eq!(slow.recv().await, Err(RecvError::Lagged(10)));
        for seq in 11..=EVENT_BUFFER as u64 + 10 {
            assert_eq!(slow.recv().await.map(|event| event.seq), Ok(seq));
        }
        drop(hub);
        assert_eq!(slow.recv().await, Err(RecvError::Closed));
    }
}
