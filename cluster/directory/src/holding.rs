//! What waits for a shard that is being handed over, or for a map that this node has not read yet: in order, bounded, each
//! until its deadline.

use crate::activation::Letter;
use crate::placement::Shard;
use rungs_host::Refusal;
use rungs_types::ErrorCode;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most messages that are held.
pub(crate) const MAX_HELD: usize = 65_536;
/// Most bytes that they weigh.
pub(crate) const MAX_HELD_BYTES: u64 = 64 << 20;
/// When a sender that is told to wait should try again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    waiting: Mutex<Waiting>,
    /// How many wait, to be looked at without the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    shards: BTreeMap<Shard, VecDeque<Letter>>,
    count: usize,
    bytes: u64,
}

/// What to do with the first that waits.
pub(crate) enum Next {
    /// It waits on, and those behind it.
    Wait,
    /// Its time to go has come.
    Go,
}

impl Holding {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something waits for a shard: what comes later stands behind it.
    pub(crate) fn has(&self, shard: Shard) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.lock().shards.contains_key(&shard)
    }

    /// Holds a message.
    pub(crate) fn push(&self, shard: Shard, letter: Letter) -> Result<(), Refusal> {
        let bytes = letter.payload.bytes.len() as u64;
        let mut waiting = self.lock();
        if waiting.count >= MAX_HELD || waiting.bytes.saturating_add(bytes) > MAX_HELD_BYTES {
            let text = format!(
                "too much waits for shards that move; nothing of this message for {} was executed",
                letter.to
            );
            return Err(Refusal {
                retry_after_ms: Some(RETRY_AFTER.as_millis() as u64),
                ..Refusal::new(ErrorCode::Overloaded, &text)
            });
        }
        waiting.count += 1;
        waiting.bytes += bytes;
        waiting.shards.entry(shard).or_default().push_back(letter);
        self.count.store(waiting.count, Ordering::Release);
        Ok(())
    }

    /// Looks at what waits: `next` says what becomes of the first of a shard, `go` sends it, `late` tells those whose deadline
    /// is over. All under one lock, so that nothing overtakes what is being sent; none of them may hold a message.
    pub(crate) fn look(
        &self,
        now: Instant,
        next: impl Fn(Shard, &Letter) -> Next,
        mut go: impl FnMut(Shard, Letter),
        mut late: impl FnMut(Letter),
    ) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.lock();
        let Waiting { shards, count, bytes } = &mut *waiting;
        let mut out = |letter: &Letter| {
            *count -= 1;
            *bytes -= letter.payload.bytes.len() as u64;
        };
        for (shard, queue) in &mut *shards {
            let (over, kept): (VecDeque<Letter>, VecDeque<Letter>) =
                queue.drain(..).partition(|letter| letter.until <= now);
            *queue = kept;
            for letter in over {
                out(&letter);
                late(letter);
            }
            while let Some(Next::Go) = queue.front().map(|letter| next(*shard, letter)) {
                if let Some(letter) = queue.pop_front() {
                    out(&letter);
                    go(*shard, letter);
                }
            }
        }
        shards.retain(|_, queue| !queue.is_empty());
        self.count.store(waiting.count, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_host::{Context, Format, Payload};

    fn letter(number: u8, until: Instant) -> Letter {
        Letter {
            to: "ops-1".parse().expect("an address"),
            payload: Payload {
                kind: "k".into(),
                version: 1,
                format: Format::Binary,
                bytes: vec![number].into(),
            },
            context: Context::default(),
            reply: None,
            until,
            sent_by: None,
        }
    }

    fn numbers(letters: &[Letter]) -> Vec<u8> {
        letters.iter().map(|letter| letter.payload.bytes[0]).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_goes_in_order_and_what_is_late_does_not_go() {
        let (holding, now) = (Holding::default(), Instant::now());
        let shard = Shard::new(3).expect("a shard");
        for number in 1..=3 {
            let until = now + Duration::from_secs(u64::from(number % 2) + 1);
            holding.push(shard, letter(number, until)).expect("there is room");
        }
        assert!(holding.has(shard) && !holding.has(Shard::new(4).expect("a shard")));
        let (mut sent, mut late) = (Vec::new(), Vec::new());
        holding.look(
            now,
            |_, _| Next::Wait,
            |_, letter| sent.push(letter),
            |letter| late.push(letter),
        );
        assert!(sent.is_empty() && late.is_empty());
        let later = now + Duration::from_secs(1);
        holding.look(
            later,
            |_, _| Next::Go,
            |_, letter| sent.push(letter),
            |letter| late.push(letter),
        );
        assert_eq!((numbers(&sent), numbers(&late)), (vec![1, 3], vec![2]));
        assert!(!holding.has(shard));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_held_than_the_limit() {
        let (holding, until) = (Holding::default(), Instant::now() + Duration::from_secs(1));
        let shard = Shard::new(0).expect("a shard");
        for _ in 0..MAX_HELD {
            holding.push(shard, letter(0, until)).expect("there is room");
        }
        let refusal = holding.push(shard, letter(0, until)).expect_err("full");
        assert_eq!(
            (refusal.code, refusal.retry_after_ms),
            (ErrorCode::Overloaded, Some(200))
        );
    }
}
