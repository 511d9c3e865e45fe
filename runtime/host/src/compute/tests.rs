//! Spinning needs real threads; every spin here ends by a flag that the test sets, and every wait is for an event.

use super::*;
use crate::faults::Fault;
use std::sync::Mutex;
use std::sync::mpsc;

/// Longer than any healthy job takes, on any machine.
const AMPLE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn job(deadline: Duration) -> Job {
    job_of("a#l48/plan", deadline)
}

fn job_of(address: &str, deadline: Duration) -> Job {
    Job {
        address: address.parse().expect("an address"),
        deadline,
        meter: Arc::default(),
    }
}

fn pool(threads: usize) -> ComputePool {
    ComputePool::start(threads, Faults::off(), |_| ()).expect("starts")
}

/// A job that asks nothing and ends only when the sender is dropped.
fn stuck() -> (mpsc::Sender<()>, impl FnOnce(&AtomicBool) + Send + 'static) {
    let (release, held) = mpsc::channel();
    let wait = move |_: &AtomicBool| held.recv().map_or((), |()| ());
    (release, wait)
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_job_returns_what_was_moved_into_it() {
    let pool = pool(1);
    let state = vec![1, 2, 3];
    let step = move |_: &AtomicBool| {
        let sum: i32 = state.iter().sum();
        (state, sum)
    };
    assert_eq!(pool.run(job(AMPLE), step).await, Ok((vec![1, 2, 3], 6)));
    assert_eq!(pool.stats().running, 0);
}

#[tokio::test]
async fn a_panic_is_reported_with_its_words_and_harms_nobody() {
    let pool = pool(1);
    let panicked = pool.run(job(AMPLE), |_| panic!("step {}", 7)).await;
    let message = "step 7".to_owned();
    assert_eq!(panicked, Err::<(), _>(ComputeError::Panicked { message }));
    assert_eq!(pool.run(job(AMPLE), |_| 1).await, Ok(1));
}

#[tokio::test]
async fn a_job_that_asks_its_budget_stalls_without_losing_its_thread() {
    let pool = pool(1);
    let patient = |expired: &AtomicBool| {
        while !expired.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    };
    let stalled = ComputeError::Stalled { deadline: SHORT };
    assert_eq!(pool.run(job(SHORT), patient).await, Err(stalled));
    assert_eq!(pool.run(job(AMPLE), |_| 1).await, Ok(1));
    assert_eq!((pool.stats().abandoned, pool.stats().abandoned_ever), (0, 0));
}

#[tokio::test]
async fn a_stuck_job_is_abandoned_and_others_run_on_the_replacement() {
    let pool = pool(1);
    let (release, work) = stuck();
    let stuck_job = {
        let pool = pool.clone();
        crate::tasks::spawn("stuck", async move { pool.run(job(SHORT), work).await })
    };
    until(|| pool.stats().running == 1).await;
    // This one waits behind it; its own deadline counts from its own start.
    assert_eq!(pool.run(job_of("b#l48/plan", AMPLE), |_| 1).await, Ok(1));
    let stalled = ComputeError::Stalled { deadline: SHORT };
    assert_eq!(stuck_job.await.expect("no panic"), Err(stalled));
    assert_eq!((pool.stats().abandoned, pool.stats().running), (1, 0));
    drop(release);
    until(|| pool.stats().abandoned == 0).await;
    assert_eq!(pool.stats().abandoned_ever, 1);
}

#[tokio::test]
async fn one_abandoned_thread_too_many_drains_the_node_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let pool = {
        let told = Arc::clone(&told);
        let on_exhausted = move |abandoned| told.lock().expect("not poisoned").push(abandoned);
        ComputePool::start(4, Faults::off(), on_exhausted).expect("starts")
    };
    let mut releases = Vec::new();
    let mut jobs = Vec::new();
    for _ in 0..=MAX_ABANDONED_THREADS {
        assert_eq!(told.lock().expect("not poisoned").len(), 0);
        let (release, work) = stuck();
        releases.push(release);
        jobs.push(pool.run(job(SHORT), work));
    }
    for stalled in futures::future::join_all(jobs).await {
        assert_eq!(stalled, Err(ComputeError::Stalled { deadline: SHORT }));
    }
    until(|| pool.stats().abandoned == MAX_ABANDONED_THREADS + 1).await;
    until(|| !told.lock().expect("not poisoned").is_empty()).await;
    assert_eq!(*told.lock().expect("not poisoned"), [MAX_ABANDONED_THREADS + 1]);
    assert_eq!(pool.run(job(AMPLE), |_| ()).await, Err(ComputeError::Draining));
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_is_told_so_and_gives_its_thread_back() {
    let pool = pool(1);
    let patient = |expired: &AtomicBool| {
        while !expired.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    };
    let mut run = Box::pin(pool.run(job(AMPLE), patient));
    tokio::select! {
        biased;
        _ = &mut run => panic!("does not end by itself"),
        () = until(|| pool.stats().running == 1) => {}
    }
    drop(run);
    assert_eq!(pool.run(job(AMPLE), |_| 1).await, Ok(1));
}

#[tokio::test]
async fn an_injected_spin_is_abandoned_like_any_other() {
    let faults = Faults::allowed();
    let pool = ComputePool::start(1, Arc::clone(&faults), |_| ()).expect("starts");
    let spinning = job(SHORT);
    faults
        .inject(spinning.address.clone(), Fault::StallSpin)
        .expect("allowed");
    let stalled = ComputeError::Stalled { deadline: SHORT };
    assert_eq!(pool.run(spinning.clone(), |_| 1).await, Err(stalled));
    assert_eq!(pool.run(job_of("b#l48/plan", AMPLE), |_| 1).await, Ok(1));
    assert_eq!(pool.stats().abandoned, 1);
    assert!(faults.clear(&spinning.address));
    until(|| pool.stats().abandoned == 0).await;
}

#[tokio::test]
async fn more_waiting_jobs_than_the_limit_are_refused() {
    let pool = pool(1);
    pool.0.waiting.store(MAX_WAITING_JOBS, Ordering::Release);
    assert_eq!(pool.run(job(AMPLE), |_| ()).await, Err(ComputeError::Busy));
    assert_eq!(pool.stats().waiting, MAX_WAITING_JOBS);
}

#[tokio::test(start_paused = true)]
async fn paused_time_stands_still_while_a_job_runs_and_its_time_is_charged() {
    let pool = ComputePool::on_current_runtime(1, Faults::off(), |_| ());
    let start = tokio::time::Instant::now();
    let charged = job(Duration::from_millis(1));
    let busy = |_: &AtomicBool| {
        let watch = crate::clock::Stopwatch::start();
        while watch.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
    };
    assert_eq!(pool.run(charged.clone(), busy).await, Ok(()));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(charged.meter.read().busy_nanos >= 5_000_000);
}
