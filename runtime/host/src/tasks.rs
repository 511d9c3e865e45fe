//! [`spawn`]: the only place that starts a bare task. Whatever has a mailbox is an actor; a task is for the loops beside
//! them (the timer wheel, a watch over a computation). A task has a name and its panic is logged, never lost.

use futures::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Longest text kept of a panic or an error, in characters.
pub const MAX_LAST_WORDS_CHARS: usize = 200;

/// Starts a task on the current runtime. Its panic is logged under its name and also reaches the join handle.
///
/// # Panics
/// Outside a tokio runtime.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_on(&Handle::current(), name, future)
}

/// Starts a task on a given runtime; otherwise as [`spawn`].
pub fn spawn_on<F>(runtime: &Handle, name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    runtime.spawn(async move {
        // The future is dropped right after its panic, so nobody sees it half-done.
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(output) => output,
            Err(panic) => {
                tracing::error!(task = name, panic = %last_words(panic.as_ref()), "task panicked");
                std::panic::resume_unwind(panic)
            }
        }
    })
}

/// What a panic said, shortened to [`MAX_LAST_WORDS_CHARS`].
pub fn last_words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    shorten(text.unwrap_or("a panic without a text"))
}

/// The first [`MAX_LAST_WORDS_CHARS`] characters of a text.
pub fn shorten(text: &str) -> String {
    text.chars().take(MAX_LAST_WORDS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_returns_its_value_and_its_panic_reaches_the_join_handle() {
        assert_eq!(spawn("adder", async { 1 + 1 }).await.expect("no panic"), 2);
        let panicked = spawn("faulty", async { panic!("{}", "no".repeat(150)) });
        let error = panicked.await.map(|()| "returned").expect_err("panicked");
        assert_eq!(last_words(error.into_panic().as_ref()), "no".repeat(100));
    }

    #[test]
    fn a_panic_without_a_text_has_last_words_too() {
        assert_eq!(last_words(&7_u32), "a panic without a text");
        assert_eq!(last_words(&"literal"), "literal");
    }
}
