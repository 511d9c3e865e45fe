use super::*;
use crate::task_log::MemoryTaskLogs;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

const NOW: Epoch = Epoch(0);

fn agent() -> AgentId {
    "a".parse().expect("an agent")
}

fn entry(seq: u64) -> LogEntry {
    LogEntry { seq, bytes: vec![7] }
}

/// A store that appends when it is told to, or fails.
struct Told {
    inner: MemoryTaskLogs,
    orders: Mutex<mpsc::Receiver<bool>>,
    appends: Arc<AtomicUsize>,
}

impl TaskLogStore for Told {
    fn append(&self, agent: &AgentId, epoch: Epoch, entries: &[LogEntry], sync: bool) -> Result<u64, StoreError> {
        let works = lock(&self.orders).recv().unwrap_or(true);
        self.appends.fetch_add(1, Ordering::AcqRel);
        if !works {
            return Err(StoreError::Busy);
        }
        self.inner.append(agent, epoch, entries, sync)
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        self.inner.read(agent, after)
    }

    fn trim(&self, agent: &AgentId, epoch: Epoch, base: &Base) -> Result<(), StoreError> {
        self.inner.trim(agent, epoch, base)
    }

    fn remove(&self, agent: &AgentId, epoch: Epoch) -> Result<bool, StoreError> {
        self.inner.remove(agent, epoch)
    }
}

fn told() -> (mpsc::Sender<bool>, Arc<AtomicUsize>, TaskLogs) {
    told_by(TaskLogs::new)
}

fn told_by(make: impl FnOnce(Told) -> TaskLogs) -> (mpsc::Sender<bool>, Arc<AtomicUsize>, TaskLogs) {
    let (sender, receiver) = mpsc::channel();
    let appends = Arc::new(AtomicUsize::new(0));
    let store = Told {
        inner: MemoryTaskLogs::new(),
        orders: Mutex::new(receiver),
        appends: Arc::clone(&appends),
    };
    (sender, appends, make(store))
}

async fn idle(log: &TaskLog) {
    let mut busy = log.0.busy.subscribe();
    busy.wait_for(|busy| !busy).await.expect("lives");
}

#[tokio::test]
async fn what_waits_is_written_in_one_go_and_the_actor_is_told_once() {
    let (orders, appends, logs) = told();
    let (log, tail) = logs.open(agent(), NOW).await.expect("opens");
    assert_eq!(tail, Tail::default());
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    log.on_change(move || {
        counted.fetch_add(1, Ordering::AcqRel);
    });
    log.want_wake();
    for seq in 1..=100 {
        log.append(vec![entry(seq)], seq == 50);
    }
    assert_eq!(log.durable(), 0, "the disk has not answered");
    drop(orders);
    idle(&log).await;
    assert_eq!(log.durable(), 100);
    // The first when it came, and the rest, of whatever threads saw first.
    assert!(appends.load(Ordering::Acquire) <= 3, "{appends:?}");
    assert_eq!(wakes.load(Ordering::Acquire), 1);
    assert_eq!(logs.open(agent(), NOW).await.expect("opens").1.entries.len(), 100);
}

#[tokio::test]
async fn what_failed_is_kept_told_and_tried_again() {
    let (orders, _, logs) = told();
    let (log, _) = logs.open(agent(), NOW).await.expect("opens");
    orders.send(false).expect("there");
    log.append(vec![entry(1)], true);
    idle(&log).await;
    assert!(log.failure().is_some());
    assert_eq!(log.durable(), 0);
    orders.send(false).expect("there");
    log.append(vec![entry(2)], false);
    idle(&log).await;
    orders.send(true).expect("there");
    log.write_out();
    idle(&log).await;
    assert_eq!((log.durable(), log.failure().is_none()), (2, true));
    // Nothing waits: nobody is called.
    log.write_out();
    idle(&log).await;
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let (orders, _, logs) = told();
    let (log, _) = logs.open(agent(), NOW).await.expect("opens");
    for seq in 1..=3 * MAX_PENDING_ENTRIES as u64 {
        log.append(vec![entry(seq)], false);
        assert!(lock(&log.0.pending).entries.len() <= MAX_PENDING_ENTRIES);
    }
    drop(orders);
    idle(&log).await;
    let found = logs.open(agent(), NOW).await.expect("opens").1.entries;
    assert!(found.len() <= 2 * MAX_PENDING_ENTRIES);
    assert_eq!(found.last().expect("there").seq, 3 * MAX_PENDING_ENTRIES as u64);
}

#[tokio::test]
async fn a_log_that_is_still_being_written_is_not_opened_again() {
    let (orders, _, logs) = told();
    let (log, _) = logs.open(agent(), NOW).await.expect("opens");
    log.append(vec![entry(1)], true);
    drop(log);
    let again = logs.open(agent(), NOW);
    tokio::pin!(again);
    let early = tokio::select! {
        biased;
        opened = &mut again => Some(opened.is_ok()),
        () = tokio::task::yield_now() => None,
    };
    assert_eq!(early, None);
    orders.send(true).expect("there");
    assert_eq!(again.await.expect("opens").1.entries, [entry(1)]);
}

#[test]
fn a_store_that_does_not_block_answers_at_once() {
    let logs = TaskLogs::inline(MemoryTaskLogs::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (log, _) = runtime.block_on(logs.open(agent(), NOW)).expect("opens");
    log.append(vec![entry(1), entry(2)], true);
    assert_eq!(log.durable(), 2);
}

#[tokio::test]
async fn what_nobody_relies_on_waits_for_what_somebody_does_and_is_bounded() {
    let (orders, appends, logs) = told_by(TaskLogs::shared);
    drop(orders);
    let (log, _) = logs.open(agent(), NOW).await.expect("opens");
    for seq in 1..=9 {
        log.append(vec![entry(seq)], false);
    }
    idle(&log).await;
    assert_eq!(appends.load(Ordering::Acquire), 0);
    log.append(vec![entry(10)], true);
    idle(&log).await;
    assert_eq!((appends.load(Ordering::Acquire), log.durable()), (1, 10));
    for seq in 11..11 + MAX_HELD_ENTRIES as u64 {
        log.append(vec![entry(seq)], false);
    }
    idle(&log).await;
    assert_eq!(appends.load(Ordering::Acquire), 2);
    log.append(vec![entry(1000)], false);
    log.settle(Duration::from_secs(60)).await;
    assert_eq!((appends.load(Ordering::Acquire), log.durable()), (3, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_not_waited_for_for_ever() {
    let (orders, _, logs) = told();
    let (log, _) = logs.open(agent(), NOW).await.expect("opens");
    log.append(vec![entry(1)], false);
    let settled = log.settle(Duration::from_millis(1));
    tokio::pin!(settled);
    // Time does not pass by itself while a thread is busy.
    loop {
        tokio::select! {
            biased;
            () = &mut settled => break,
            () = tokio::task::yield_now() => tokio::time::advance(Duration::from_millis(1)).await,
        }
    }
    assert_eq!(log.durable(), 0);
    drop(orders);
    idle(&log).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_is_given_up_and_takes_no_more_threads_than_the_limit() {
    let logs = TaskLogs::new(MemoryTaskLogs::new());
    let (release, stuck) = mpsc::channel::<()>();
    let (stuck, inside) = (Arc::new(Mutex::new(stuck)), Arc::new(AtomicUsize::new(0)));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..3 * MAX_CONCURRENT_CALLS {
        let (logs, stuck, inside) = (logs.clone(), Arc::clone(&stuck), Arc::clone(&inside));
        calls.spawn(async move {
            let call = logs.call(move |_| {
                inside.fetch_add(1, Ordering::AcqRel);
                let _released = lock(&stuck).recv();
                Ok(())
            });
            call.await
        });
    }
    while inside.load(Ordering::Acquire) < MAX_CONCURRENT_CALLS {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(STORE_DEADLINE).await;
    let late = |ended: &Result<(), StoreError>| matches!(ended, Err(StoreError::TimedOut(STORE_DEADLINE)));
    assert!(calls.join_all().await.iter().all(late));
    assert_eq!(inside.load(Ordering::Acquire), MAX_CONCURRENT_CALLS);
    assert_eq!(logs.0.turns.available_permits(), 0, "they are still in the disk");
    drop(release);
    while logs.0.turns.available_permits() < MAX_CONCURRENT_CALLS {
        tokio::task::yield_now().await;
    }
    assert_eq!(logs.0.calls.load(Ordering::Acquire), 0);
}
