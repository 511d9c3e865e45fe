//! The agent's event log: numbers each event and tells the node's hub. Watch, logs and audit read nothing else.
//!
//! Invariant: numbers count up by one in the order in which watchers see them; the log outlives a restart of the
//! agent, so they do not begin again.

use rungs_host::EventHub;
use rungs_types::{AgentId, Event, EventKind, NodeName};
use std::sync::{Mutex, PoisonError};

/// Numbers and publishes the events of one agent.
#[derive(Debug)]
pub(crate) struct EventLog {
    node: NodeName,
    agent: AgentId,
    hub: EventHub,
    next_seq: Mutex<u64>,
}

impl EventLog {
    /// A log whose first event has the number 1.
    pub(crate) fn new(node: NodeName, agent: AgentId, hub: EventHub) -> Self {
        Self {
            node,
            agent,
            hub,
            next_seq: Mutex::new(1),
        }
    }

    /// Tells all watchers; never waits for one.
    pub(crate) fn emit(&self, cycle: u64, kind: EventKind) {
        // Held while publishing, so that the order of numbers is the order of arrival. A panic inside leaves a number,
        // which is always whole.
        let mut next = self.next_seq.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = *next;
        *next += 1;
        self.hub.publish(Event {
            seq,
            node: self.node.clone(),
            agent: self.agent.clone(),
            cycle,
            kind,
        });
    }

    /// Events so far.
    pub(crate) fn last_seq(&self) -> u64 {
        *self.next_seq.lock().unwrap_or_else(PoisonError::into_inner) - 1
    }

    /// Goes on after the events that a snapshot knows of; never back.
    pub(crate) fn resume_after(&self, seq: u64) {
        let mut next = self.next_seq.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(seq.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn numbers_arrive_in_order_from_any_number_of_threads() {
        let hub = EventHub::default();
        let mut receiver = hub.subscribe();
        let log = Arc::new(EventLog::new(
            NodeName::new("n1").expect("a name"),
            "a".parse().expect("a name"),
            hub,
        ));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..250).for_each(|cycle| log.emit(cycle, EventKind::Warning { summary: String::new() }));
                });
            }
        });
        let seqs: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|event| event.seq)
            .collect();
        assert_eq!(seqs, (1..=1_000).collect::<Vec<_>>());
        log.resume_after(500);
        assert_eq!(log.last_seq(), 1_000, "never back");
        log.resume_after(2_000);
        assert_eq!(log.last_seq(), 2_000);
    }
}
