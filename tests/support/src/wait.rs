//! Waiting for a condition.

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often a condition that nobody announces is looked at.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Asks `attempt` until it gives a value, at most for `within`.
///
/// # Errors
/// `what` and the time, if there was no value by then.
pub async fn eventually<T, F>(what: &str, within: Duration, mut attempt: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Option<T>>,
{
    let tries = async {
        loop {
            if let Some(value) = attempt().await {
                return value;
            }
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(within, tries)
        .await
        .map_err(|_| format!("{what}: not within {} ms", within.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_returned_when_it_comes() {
        let asked = Cell::new(0);
        let third = eventually("the third", Duration::from_secs(1), || {
            asked.set(asked.get() + 1);
            let asked = asked.get();
            async move { (asked == 3).then_some(asked) }
        });
        assert_eq!(third.await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_named_after_the_deadline() {
        let never = eventually("the moon", Duration::from_millis(50), || async { None::<()> });
        assert_eq!(never.await, Err("the moon: not within 50 ms".to_owned()));
    }
}
