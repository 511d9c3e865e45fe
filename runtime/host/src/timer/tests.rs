use super::*;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

const MS: Duration = Duration::from_millis(1);

/// Times of calls in milliseconds since the start.
#[derive(Clone)]
struct Log {
    start: Instant,
    calls: Arc<Mutex<Vec<(u128, u64)>>>,
}

impl Log {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            calls: Arc::default(),
        }
    }

    fn note(&self, missed: u64) {
        let at = self.start.elapsed().as_millis();
        self.calls.lock().expect("not poisoned").push((at, missed));
    }

    fn calls(&self) -> Vec<(u128, u64)> {
        self.calls.lock().expect("not poisoned").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_one_shot_fires_once_at_its_time_in_order_of_time() {
    let timers = Timers::start();
    let log = Log::new();
    for after in [30, 10, 20] {
        let log = log.clone();
        timers
            .once("shot", MS * after, move || log.note(0))
            .expect("room")
            .detach();
    }
    assert_eq!(timers.live(), 3);
    tokio::time::sleep(MS * 100).await;
    assert_eq!(log.calls(), [(10, 0), (20, 0), (30, 0)]);
    assert_eq!(timers.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_timer_never_fires_even_when_it_was_due() {
    let timers = Timers::start();
    let log = Log::new();
    let at_once = timers
        .once("shot", Duration::ZERO, {
            let log = log.clone();
            move || log.note(0)
        })
        .expect("room");
    let later = timers
        .every("tick", MS, MS, {
            let log = log.clone();
            move |_| log.note(0)
        })
        .expect("room");
    at_once.cancel();
    drop(later);
    tokio::time::sleep(MS * 20).await;
    assert_eq!(log.calls(), []);
    assert_eq!(timers.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn ticks_stay_on_their_grid() {
    let timers = Timers::start();
    let log = Log::new();
    let timer = timers.every("tick", MS * 3, MS * 10, {
        let log = log.clone();
        move |tick| log.note(tick.missed)
    });
    tokio::time::sleep(MS * 35).await;
    assert_eq!(log.calls(), [(3, 0), (13, 0), (23, 0), (33, 0)]);
    timer.expect("room").cancel();
    tokio::time::sleep(MS * 35).await;
    assert_eq!(log.calls().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn missed_ticks_are_counted_and_skipped() {
    let timers = Timers::start();
    let log = Log::new();
    let timer = timers.every("tick", MS * 10, MS * 10, {
        let log = log.clone();
        move |tick| log.note(tick.missed)
    });
    tokio::time::sleep(MS).await;
    // The wheel does not run while time jumps: the ticks at 10, 20, 30 and 40 are due together.
    tokio::time::advance(MS * 44).await;
    tokio::time::sleep(MS * 10).await;
    assert_eq!(log.calls(), [(45, 3), (50, 0)]);
    drop(timer);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_callback_ends_its_own_timer_only() {
    let timers = Timers::start();
    let calls = Arc::new(AtomicU64::new(0));
    let bad = timers.every("bad", MS, MS, |_| panic!("bad tick")).expect("room");
    let good = {
        let calls = Arc::clone(&calls);
        timers.every("good", MS, MS, move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
        })
    };
    tokio::time::sleep(MS * 10).await;
    assert!(calls.load(Ordering::Relaxed) >= 9);
    assert_eq!(timers.live(), 1);
    drop((bad, good));
}

#[tokio::test(start_paused = true)]
async fn too_many_timers_are_refused_by_name() {
    let timers = Timers::start();
    timers.live.store(MAX_TIMERS, Ordering::Release);
    let refused = timers.once("one-more", MS, || ()).map(Timer::detach);
    assert_eq!(refused, Err(TooManyTimers { name: "one-more" }));
    assert_eq!(timers.live(), MAX_TIMERS);
}

#[tokio::test(start_paused = true)]
async fn an_endless_delay_and_a_period_of_zero_are_brought_into_range() {
    let timers = Timers::start();
    let log = Log::new();
    let endless = timers.once("endless", Duration::MAX, || ()).expect("room");
    let fast = timers.every("fast", Duration::ZERO, Duration::ZERO, {
        let log = log.clone();
        move |_| log.note(0)
    });
    tokio::time::sleep(MS * 5).await;
    assert!((5..=6).contains(&log.calls().len()), "{:?}", log.calls());
    drop((endless, fast));
}

#[test]
fn the_grid_survives_any_lateness() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let _guard = runtime.enter();
    let due = Instant::now();
    assert_eq!(grid(due, MS * 10, due), (0, due + MS * 10));
    assert_eq!(grid(due, MS * 10, due + MS * 9), (0, due + MS * 10));
    assert_eq!(grid(due, MS * 10, due + MS * 10), (1, due + MS * 20));
    assert_eq!(grid(due, MS * 10, due + MS * 25), (2, due + MS * 30));
    assert_eq!(grid(due + MS, MS * 10, due), (0, due + MS * 11));
    let year = Duration::from_secs(365 * 24 * 3600);
    assert_eq!(grid(due, MS, due + year), (365 * 24 * 3_600_000, due + year + MS));
}
