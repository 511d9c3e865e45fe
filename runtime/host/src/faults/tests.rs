use super::*;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(1);

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn nothing_is_injected_unless_allowed() {
    let faults = Faults::off();
    assert_eq!(faults.inject(address("a"), Fault::Panic), Err(FaultError::NotAllowed));
    assert_eq!(faults.on_message(&address("a")).await, Gate::Deliver);
}

#[tokio::test(start_paused = true)]
async fn an_injected_panic_hits_its_actor_once() {
    let faults = Faults::allowed();
    faults.inject(address("a#kernel"), Fault::Panic).expect("allowed");
    assert_eq!(faults.on_message(&address("a")).await, Gate::Deliver);
    let hit = Arc::clone(&faults);
    let panicked = crate::tasks::spawn("victim", async move { hit.on_message(&address("a#kernel")).await });
    assert!(panicked.await.expect_err("panics").is_panic());
    assert_eq!(faults.on_message(&address("a#kernel")).await, Gate::Deliver);
    assert_eq!(faults.list(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_message_waits_until_cleared_and_others_pass() {
    let faults = Faults::allowed();
    let a = address("a");
    faults.inject(a.clone(), Fault::StallAwait).expect("allowed");
    let stalled = faults.on_message(&a);
    tokio::pin!(stalled);
    timeout(SOON, &mut stalled).await.expect_err("stalled");
    // What replaces the stalled actor is not hit again.
    assert_eq!(faults.on_message(&a).await, Gate::Deliver);
    assert!(faults.clear(&a));
    assert_eq!(timeout(SOON, stalled).await, Ok(Gate::Deliver));
    assert!(!faults.clear(&a));
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_for_each_message_and_a_drop_for_so_many() {
    let faults = Faults::allowed();
    let a = address("a");
    faults.inject(a.clone(), Fault::DelayMs(250)).expect("allowed");
    let start = Instant::now();
    for _ in 0..2 {
        assert_eq!(faults.on_message(&a).await, Gate::Deliver);
    }
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    faults.inject(a.clone(), Fault::Drop(2)).expect("replaces");
    let gates = [
        faults.on_message(&a).await,
        faults.on_message(&a).await,
        faults.on_message(&a).await,
    ];
    assert_eq!(gates, [Gate::Drop, Gate::Drop, Gate::Deliver]);
    assert_eq!(start.elapsed(), Duration::from_millis(500));
}

#[test]
fn a_spin_hits_the_computation_only_and_ends_when_cleared_or_replaced() {
    let faults = Faults::allowed();
    let a = address("a#l48/plan");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for replace in [false, true] {
        faults.inject(a.clone(), Fault::StallSpin).expect("allowed");
        assert_eq!(runtime.block_on(faults.on_message(&a)), Gate::Deliver);
        let spinning = {
            let (faults, a) = (Arc::clone(&faults), a.clone());
            std::thread::spawn(move || faults.on_compute(&a))
        };
        while !faults.table.get(&a).expect("armed").hit {
            std::thread::yield_now();
        }
        assert!(!spinning.is_finished());
        faults.on_compute(&a);
        if replace {
            faults.inject(a.clone(), Fault::Drop(1)).expect("allowed");
        } else {
            assert!(faults.clear(&a));
        }
        spinning.join().expect("let go");
    }
}

#[test]
fn faults_are_bounded() {
    let faults = Faults::allowed();
    let too_long = FaultError::TooLong { found_ms: 60_001 };
    assert_eq!(faults.inject(address("a"), Fault::DelayMs(60_001)), Err(too_long));
    for number in 0..MAX_FAULTS {
        faults
            .inject(address(&format!("a{number}")), Fault::Panic)
            .expect("room");
    }
    assert_eq!(faults.inject(address("b"), Fault::Panic), Err(FaultError::TooMany));
    faults.inject(address("a0"), Fault::DelayMs(1)).expect("replaces");
    assert!(faults.clear(&address("a1")));
    faults.inject(address("b"), Fault::Panic).expect("room again");
    assert_eq!(faults.list().len(), MAX_FAULTS);
}
