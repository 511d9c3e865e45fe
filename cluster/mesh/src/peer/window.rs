//! The way in from one peer: how much of it is on this node and not yet worked off. The peer is told when there is
//! room again; a peer that sends more than it was given breaks the rules, and its link is closed.
//!
//! Invariant: messages and bytes taken and not released never exceed the window.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Messages of one peer that this node holds at a time: more than a mailbox holds by default, so that one slow actor
/// does not stop the link for all others.
pub const WINDOW_MESSAGES: u64 = 16 * 1024;
/// Their bytes; at least the largest message.
pub const WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// The peer is told of new room when it is this part of the window.
const GRANT_PART: u64 = 8;

/// Messages and bytes, counted since the link came up or as a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Grant {
    /// Adds one message.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

/// Messages and bytes that one side counts, away from what the other side counts: the reader and the actors run on
/// different cores, and what shares a cache line is fetched from the other core each time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counted {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// The window that this node gives one peer.
#[derive(Debug)]
pub(crate) struct InboundWindow {
    taken: Counted,
    released: Counted,
    granted: Counted,
    wake: Arc<Notify>,
}

impl InboundWindow {
    /// An empty window; `wake` is notified when the peer should be told of new room.
    pub(crate) fn new(wake: Arc<Notify>) -> Self {
        Self {
            taken: Counted::default(),
            released: Counted::default(),
            granted: Counted::default(),
            wake,
        }
    }

    /// Takes a message in; `false` if the peer had no right to send it.
    #[must_use]
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let messages = self.taken.messages.fetch_add(1, Ordering::AcqRel) + 1;
        let taken = self.taken.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        // A sender compares before it counts the header of its message.
        let slack = crate::envelope::MAX_HEADER_BYTES as u64;
        messages.saturating_sub(self.granted.messages.load(Ordering::Acquire)) <= WINDOW_MESSAGES
            && taken.saturating_sub(self.granted.bytes.load(Ordering::Acquire)) <= WINDOW_BYTES + slack
    }

    fn is_due(&self, messages: u64, bytes: u64) -> bool {
        // Saturating: another thread may just have granted more than the caller has seen.
        messages.saturating_sub(self.granted.messages.load(Ordering::Acquire)) >= WINDOW_MESSAGES / GRANT_PART
            || bytes.saturating_sub(self.granted.bytes.load(Ordering::Acquire)) >= WINDOW_BYTES / GRANT_PART
    }

    /// What to tell the peer now: what was worked off so far, if that is news worth a message, or any news at all.
    pub(crate) fn grant(&self, any: bool) -> Option<Grant> {
        let messages = self.released.messages.load(Ordering::Acquire);
        let bytes = self.released.bytes.load(Ordering::Acquire);
        let news = messages != self.granted.messages.load(Ordering::Acquire);
        let due = self.is_due(messages, bytes) || (any && news);
        if !due {
            return None;
        }
        self.granted.messages.store(messages, Ordering::Release);
        self.granted.bytes.store(bytes, Ordering::Release);
        Some(Grant { messages, bytes })
    }
}

impl rungs_host::Window for InboundWindow {
    fn release(&self, bytes: u64) {
        // Bytes first: a grant that counts the message must not miss its bytes.
        let bytes = self.released.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let messages = self.released.messages.fetch_add(1, Ordering::AcqRel) + 1;
        if self.is_due(messages, bytes) {
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_host::Window;

    fn window() -> InboundWindow {
        InboundWindow::new(Arc::default())
    }

    #[test]
    fn a_peer_is_told_of_room_when_an_eighth_of_the_window_is_free_again() {
        let window = window();
        let eighth = WINDOW_MESSAGES / 8;
        for _ in 0..eighth {
            assert!(window.take(10));
        }
        for _ in 1..eighth {
            window.release(10);
        }
        assert_eq!(window.grant(false), None);
        window.release(10);
        let expected = Grant {
            messages: eighth,
            bytes: 10 * eighth,
        };
        assert_eq!(window.grant(false), Some(expected));
        assert_eq!((window.grant(false), window.grant(true)), (None, None));
        assert!(window.take(WINDOW_BYTES / 2));
        window.release(WINDOW_BYTES / 2);
        assert!(window.grant(false).is_some());
    }

    #[test]
    fn a_peer_that_sends_more_than_it_was_given_is_noticed() {
        let window = window();
        for _ in 0..WINDOW_MESSAGES {
            assert!(window.take(1));
        }
        assert!(!window.take(1));
        let window = self::window();
        assert!(window.take(WINDOW_BYTES));
        assert!(!window.take(crate::envelope::MAX_HEADER_BYTES as u64 + 1));
    }
}
