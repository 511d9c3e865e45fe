//! Credits: ractor's mailboxes have no bound, so admission is ours. A message enters a mailbox with a [`Credit`] that
//! travels inside it and is given back when the message is dropped, handled or not.
//!
//! Invariant: messages and bytes admitted and not yet dropped never exceed the limits of the mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Messages that a mailbox holds by default.
pub const DEFAULT_MAX_MESSAGES: u32 = 1024;
/// Bytes that a mailbox holds by default.
pub const DEFAULT_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// What a full mailbox tells its caller to wait.
pub const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The bounds of one actor's mailbox and what is in it.
#[derive(Debug)]
pub struct Mailbox {
    max_messages: u32,
    max_bytes: u64,
    messages: AtomicU32,
    bytes: AtomicU64,
}

/// The mailbox is full; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("mailbox full, retry after {} ms", retry_after.as_millis())]
pub struct Overloaded {
    /// How long to wait before another try.
    pub retry_after: Duration,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::bounded(DEFAULT_MAX_MESSAGES, DEFAULT_MAX_BYTES)
    }
}

impl Mailbox {
    /// A mailbox that admits at most so many messages and bytes at a time.
    pub fn bounded(max_messages: u32, max_bytes: u64) -> Self {
        Self {
            max_messages,
            max_bytes,
            messages: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Takes one message of `bytes` bytes in, or refuses it.
    pub fn admit(self: &Arc<Self>, bytes: u64) -> Result<Credit, Overloaded> {
        let full = Overloaded {
            retry_after: RETRY_AFTER,
        };
        // Checked first, so that the sum below cannot pass the end of the counter.
        if bytes > self.max_bytes {
            return Err(full);
        }
        if self.messages.fetch_add(1, Ordering::AcqRel) >= self.max_messages {
            self.messages.fetch_sub(1, Ordering::AcqRel);
            return Err(full);
        }
        if self.bytes.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes) > self.max_bytes {
            self.bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.messages.fetch_sub(1, Ordering::AcqRel);
            return Err(full);
        }
        Ok(Credit {
            mailbox: Some(Arc::clone(self)),
            bytes,
        })
    }

    /// Messages admitted and not yet dropped.
    pub fn depth(&self) -> u32 {
        self.messages.load(Ordering::Acquire)
    }

    /// Bytes admitted and not yet dropped.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }
}

/// The right of one message to be in a mailbox; given back on drop.
#[derive(Debug)]
pub struct Credit {
    mailbox: Option<Arc<Mailbox>>,
    bytes: u64,
}

impl Credit {
    /// For messages that a supervisor or a timer sends to its own actors and that bound themselves.
    pub fn unmetered() -> Self {
        Self {
            mailbox: None,
            bytes: 0,
        }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
            mailbox.messages.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Where a message came from, if that is to know when the message has left its mailbox.
pub trait Window: std::fmt::Debug + Send + Sync {
    /// One message of `bytes` bytes has been dropped, handled or not.
    fn release(&self, bytes: u64);
}

/// A message's share of a [`Window`], released on drop. A clone holds nothing: a message is counted once.
#[derive(Debug, Default)]
pub struct Held(Option<(Arc<dyn Window>, u64)>);

impl Held {
    /// A share of `bytes` bytes.
    pub fn of(window: Arc<dyn Window>, bytes: u64) -> Self {
        Self(Some((window, bytes)))
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((window, bytes)) = self.0.take() {
            window.release(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_mailbox_refuses_until_a_message_is_dropped() {
        let mailbox = Arc::new(Mailbox::bounded(2, 100));
        let first = mailbox.admit(10).expect("room");
        let _second = mailbox.admit(10).expect("room");
        assert!(mailbox.admit(10).is_err());
        drop(first);
        assert_eq!((mailbox.depth(), mailbox.bytes()), (1, 10));
        assert!(mailbox.admit(91).is_err());
        assert_eq!((mailbox.depth(), mailbox.bytes()), (1, 10));
        let _third = mailbox.admit(90).expect("exactly the bytes left");
        assert!(mailbox.admit(u64::MAX).is_err());
        assert_eq!((mailbox.depth(), mailbox.bytes()), (2, 100));
    }

    #[test]
    fn the_bounds_hold_between_threads_and_everything_comes_back() {
        let mailbox = Arc::new(Mailbox::bounded(3, 25));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let credits: Vec<_> = (0..4).filter_map(|_| mailbox.admit(10).ok()).collect();
                        assert!(credits.len() <= 2, "20 of 25 bytes");
                    }
                });
            }
        });
        assert_eq!((mailbox.depth(), mailbox.bytes()), (0, 0));
    }

    #[test]
    fn an_unmetered_credit_has_no_mailbox() {
        let mailbox = Arc::new(Mailbox::bounded(1, 1));
        let _full = mailbox.admit(1).expect("room");
        drop(Credit::unmetered());
        assert_eq!(mailbox.depth(), 1);
    }

    #[derive(Debug, Default)]
    struct Released(AtomicU64);

    impl Window for Released {
        fn release(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::AcqRel);
        }
    }

    #[test]
    fn a_share_of_a_window_is_released_once_however_often_it_is_cloned() {
        let window = Arc::new(Released::default());
        let held = Held::of(Arc::clone(&window) as Arc<dyn Window>, 7);
        drop(held.clone());
        assert_eq!(window.0.load(Ordering::Acquire), 0);
        drop(held);
        assert_eq!(window.0.load(Ordering::Acquire), 7);
    }
}
