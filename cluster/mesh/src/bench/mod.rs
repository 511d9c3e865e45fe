//! Measuring messages by address, through any router: how long a question takes, how fast messages go. One process
//! serves ([`target::Target`]), another one measures. What ractor_cluster alone makes of the same work is measured in
//! [`raw`]. `rungs bench mesh` runs both beside each other.

pub mod raw;
pub mod target;

use rungs_host::{Format, Payload, Refusal, Router};
use rungs_types::{Address, ErrorCode};
use std::time::Duration;
use target::{Count, Echo};
use tokio::time::Instant;

/// Most rounds of one measurement.
pub const MAX_ROUNDS: usize = 1_000_000;
/// Longest time that one measured question may take.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time that a measurement waits without any progress.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// How long questions took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// How many were asked.
    pub rounds: usize,
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// All of them, one after another.
    pub total: Duration,
}

impl Latency {
    /// From single times; `None` without any.
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        Some(Self {
            rounds: times.len(),
            p50: times[last / 2],
            p99: times[last * 99 / 100],
            total: times.iter().sum(),
        })
    }
}

/// How fast messages went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many were sent and handled.
    pub messages: u64,
    /// From the first sent to the last handled.
    pub took: Duration,
    /// How often the sender was held back.
    pub held_back: u64,
}

impl Rate {
    /// Messages per second.
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Asks a [`target::Target`] one question after another; the first tenth is not counted.
pub async fn ask_latency(router: &dyn Router, to: &Address, bytes: usize, rounds: usize) -> Result<Latency, Refusal> {
    let rounds = rounds.clamp(1, MAX_ROUNDS);
    let payload = Payload::of(&Echo { text: text(bytes) }, Format::Binary)?;
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + rounds / 10 {
        let began = Instant::now();
        router.ask(to.clone(), payload.clone(), ASK_DEADLINE).await?;
        if round >= rounds / 10 {
            times.push(began.elapsed());
        }
    }
    Latency::of(times).ok_or_else(|| Refusal::new(ErrorCode::Internal, "no rounds"))
}

/// Tells a [`target::Target`] as fast as it takes it, and waits until all are handled.
pub async fn tell_rate(router: &dyn Router, to: &Address, bytes: usize, messages: u64) -> Result<Rate, Refusal> {
    let payload = Payload::of(&Count { text: text(bytes) }, Format::Binary)?;
    let before = count(router, to).await?;
    let began = Instant::now();
    let (mut held_back, mut progress) = (0, Instant::now());
    let mut sent = 0;
    while sent < messages {
        match router.tell(to.clone(), payload.clone()).await {
            Ok(()) => {
                sent += 1;
                if sent % 64 == 0 {
                    progress = Instant::now();
                    tokio::task::yield_now().await;
                }
            }
            Err(refusal) if refusal.code == ErrorCode::Overloaded && progress.elapsed() < STALL_LIMIT => {
                held_back += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(refusal) => return Err(refusal),
        }
    }
    // Told and asked messages keep their order.
    let handled = count(router, to).await? - before - 1;
    Ok(Rate {
        messages: handled,
        took: began.elapsed(),
        held_back,
    })
}

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

async fn count(router: &dyn Router, to: &Address) -> Result<u64, Refusal> {
    let question = Payload::of(&Count { text: String::new() }, Format::Binary)?;
    router.ask(to.clone(), question, ASK_DEADLINE).await?.decode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let times = (1..=101).rev().map(Duration::from_micros).collect();
        let latency = Latency::of(times).expect("times");
        assert_eq!((latency.p50.as_micros(), latency.p99.as_micros()), (51, 100));
        assert_eq!((latency.rounds, latency.total.as_micros()), (101, 5151));
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
