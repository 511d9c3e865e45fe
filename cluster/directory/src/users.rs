//! Users' own actors, found by name: which node was last seen to have which, and which names nobody has.
//!
//! Invariant: at most [`MAX_USERS`] names, none older than [`FOUND_FOR`] or [`MISSING_FOR`].

use rungs_host::Refusal;
use rungs_types::{ErrorCode, NodeName, UserName};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Most names that are remembered.
pub const MAX_USERS: usize = 4096;
/// How long a name that was found is not looked up again.
pub const FOUND_FOR: Duration = Duration::from_secs(30);
/// How long a name that nobody had is not looked up again.
pub const MISSING_FOR: Duration = Duration::from_millis(500);
/// Look-ups at a time; each asks every peer.
const MAX_LOOK_UPS: usize = 16;
/// Look-ups that wait for their turn; one more is refused.
pub const MAX_WAITING_LOOK_UPS: usize = 1024;
/// Longest wait for one's turn.
pub const TURN_WITHIN: Duration = Duration::from_secs(5);
/// When to try again what had no turn.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The remembered names.
#[derive(Debug)]
pub struct Users {
    seen: Mutex<HashMap<UserName, (Option<NodeName>, Instant)>>,
    look_ups: Semaphore,
    /// One place for each that looks up or waits to.
    waiting: Semaphore,
}

/// One's turn to ask all peers.
#[derive(Debug)]
pub struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _place: SemaphorePermit<'a>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            look_ups: Semaphore::new(MAX_LOOK_UPS),
            waiting: Semaphore::new(MAX_LOOK_UPS + MAX_WAITING_LOOK_UPS),
        }
    }
}

impl Users {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserName, (Option<NodeName>, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self, name: &UserName) -> Option<Option<NodeName>> {
        let seen = self.lock();
        let (node, until) = seen.get(name)?;
        (*until > Instant::now()).then(|| node.clone())
    }

    /// The node that has the actor, if that is known.
    pub fn get(&self, name: &UserName) -> Option<NodeName> {
        self.recent(name).flatten()
    }

    /// Whether it is known that nobody has it.
    pub fn is_missing(&self, name: &UserName) -> bool {
        self.recent(name) == Some(None)
    }

    /// Remembers the outcome of a look-up. When full, what has expired goes first, then whatever expires first.
    pub fn note(&self, name: &UserName, node: Option<NodeName>) {
        let now = Instant::now();
        let until = now + if node.is_some() { FOUND_FOR } else { MISSING_FOR };
        let mut seen = self.lock();
        if seen.len() >= MAX_USERS && !seen.contains_key(name) {
            seen.retain(|_, (_, until)| *until > now);
        }
        if seen.len() >= MAX_USERS && !seen.contains_key(name) {
            let first = seen.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(first) = first.map(|(name, _)| name.clone()) {
                seen.remove(&first);
            }
        }
        seen.insert(name.clone(), (node, until));
    }

    /// The actor is not where it was.
    pub fn forget(&self, name: &UserName) {
        self.lock().remove(name);
    }

    /// Waits for one's turn to ask all peers, at most [`TURN_WITHIN`]. What is known by then need not be asked.
    ///
    /// # Errors
    /// `overloaded` if too many wait, or it takes too long; nothing was asked.
    pub async fn look_up(&self) -> Result<Turn<'_>, Refusal> {
        let refused = |text: &str| Refusal {
            retry_after_ms: Some(RETRY_AFTER.as_millis() as u64),
            ..Refusal::new(ErrorCode::Overloaded, text)
        };
        let many = |_| refused("too many actors of users are being looked for; nothing was sent");
        let place = self.waiting.try_acquire().map_err(many)?;
        let turn = tokio::time::timeout(TURN_WITHIN, self.look_ups.acquire()).await;
        let turn = turn.ok().and_then(Result::ok);
        let late = || refused("no turn to look for an actor of a user within 5 s; nothing was sent");
        Ok(Turn {
            _turn: turn.ok_or_else(late)?,
            _place: place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        UserName::new(text).expect("a name")
    }

    fn node(text: &str) -> Option<NodeName> {
        NodeName::new(text).ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_and_what_was_not_is_remembered_for_a_while() {
        let users = Users::default();
        users.note(&name("a"), node("n1"));
        users.note(&name("b"), None);
        assert_eq!(
            (users.get(&name("a")), users.is_missing(&name("b"))),
            (node("n1"), true)
        );
        tokio::time::advance(MISSING_FOR).await;
        assert_eq!(
            (users.get(&name("a")), users.is_missing(&name("b"))),
            (node("n1"), false)
        );
        tokio::time::advance(FOUND_FOR).await;
        assert_eq!(users.get(&name("a")), None);
        users.note(&name("a"), node("n2"));
        users.forget(&name("a"));
        assert_eq!(users.get(&name("a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_turn_waits_in_bounds() {
        let users = Users::default();
        let mut turns = Vec::new();
        for _ in 0..MAX_LOOK_UPS {
            turns.push(users.look_up().await.expect("a turn"));
        }
        let began = Instant::now();
        let waiting = futures::future::join_all((0..=MAX_WAITING_LOOK_UPS).map(|_| users.look_up())).await;
        let [full, late] = ["too many", "no turn"].map(|text| {
            let refused = waiting.iter().filter_map(|turn| turn.as_ref().err());
            let refused = refused.filter(|refusal| refusal.code == ErrorCode::Overloaded);
            refused.filter(|refusal| refusal.message.starts_with(text)).count()
        });
        assert_eq!((full, late, began.elapsed()), (1, MAX_WAITING_LOOK_UPS, TURN_WITHIN));
        turns.pop();
        assert!(users.look_up().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_names_are_remembered_than_the_limit() {
        let users = Users::default();
        for i in 0..MAX_USERS {
            users.note(&name(&format!("u{i}")), node("n1"));
            tokio::time::advance(Duration::from_micros(1)).await;
        }
        users.note(&name("one-more"), node("n2"));
        assert_eq!(users.lock().len(), MAX_USERS);
        assert_eq!(users.get(&name("u0")), None);
        assert_eq!(users.get(&name("one-more")), node("n2"));
    }
}
