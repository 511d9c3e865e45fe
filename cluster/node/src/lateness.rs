//! [`Lateness`]: how late the node's runtime is with what is due, a figure that its own agents watch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it is measured.
const PERIOD: Duration = Duration::from_millis(100);

/// See the module. The measurement ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Lateness(Arc<AtomicU64>);

impl Lateness {
    /// Begins to measure.
    pub(crate) fn measure() -> Self {
        let micros = Arc::new(AtomicU64::new(0));
        rungs_host::tasks::spawn("measure lateness", watch(Arc::downgrade(&micros)));
        Self(micros)
    }

    /// How late the last wake-up came, in milliseconds.
    pub(crate) fn ms(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

async fn watch(micros: Weak<AtomicU64>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let due = ticks.tick().await;
        let Some(micros) = micros.upgrade() else { return };
        let late = Instant::now().saturating_duration_since(due);
        micros.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
