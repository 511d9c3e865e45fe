use super::*;
use crate::cluster::commit::{Precondition, Revision, RowId, TableId, Write};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const WITHIN: Duration = Duration::from_secs(1);

/// Tells each batch, by the keys in it, and waits for what to answer.
struct Told {
    batches: UnboundedSender<Vec<Vec<u8>>>,
    answers: UnboundedReceiver<Result<(), BatchError>>,
    written: u64,
}

impl WriteBatch for Told {
    async fn write(&mut self, batch: &[Commit], _until: Instant) -> Result<Vec<Outcome>, BatchError> {
        let keys = batch.iter().map(|commit| match &commit.writes[0] {
            Write::Put { row, .. } => row.key.clone(),
            other => panic!("{other:?}"),
        });
        self.batches.send(keys.collect()).expect("the test listens");
        self.answers.recv().await.unwrap_or(Err(BatchError::Unknown))?;
        let outcomes = batch.iter().map(|commit| {
            self.written += 1;
            match commit.preconditions.len() {
                0 => Outcome::Committed(Revision(self.written)),
                _ => Outcome::Conflict(0),
            }
        });
        Ok(outcomes.collect())
    }
}

struct Rig {
    group: GroupCommit,
    batches: UnboundedReceiver<Vec<Vec<u8>>>,
    answers: UnboundedSender<Result<(), BatchError>>,
    _work: tokio::task::JoinSet<()>,
}

fn rig() -> Rig {
    let (told, batches) = unbounded_channel();
    let (answers, answered) = unbounded_channel();
    let (group, work) = group_commit(Told {
        batches: told,
        answers: answered,
        written: 0,
    });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(work);
    Rig {
        group,
        batches,
        answers,
        _work: tasks,
    }
}

fn commit(key: u8, bytes: usize) -> Commit {
    let row = RowId::new(TableId(20), [key]);
    Commit::new([], [Write::put(row, vec![0; bytes])])
}

impl Rig {
    /// Sends a commit on its way.
    fn send(&self, tasks: &mut tokio::task::JoinSet<(u8, Result<Outcome, CommitError>)>, key: u8, commit: Commit) {
        let group = self.group.clone();
        tasks.spawn(async move { (key, group.commit(commit, WITHIN).await) });
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_batch_is_under_way_makes_the_next() {
    let mut rig = rig();
    let mut tasks = tokio::task::JoinSet::new();
    rig.send(&mut tasks, 0, commit(0, 1));
    assert_eq!(rig.batches.recv().await, Some(vec![vec![0]]));
    for key in 1..4 {
        let mut more = commit(key, 1);
        if key == 2 {
            more.preconditions = vec![Precondition::Absent(RowId::new(TableId(20), b"x"))];
        }
        rig.send(&mut tasks, key, more);
    }
    while rig.group.queue.capacity() > MAX_WAITING_COMMITS - 3 {
        tokio::task::yield_now().await;
    }
    rig.answers.send(Ok(())).expect("listens");
    assert_eq!(rig.batches.recv().await, Some(vec![vec![1], vec![2], vec![3]]));
    rig.answers.send(Ok(())).expect("listens");
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|(key, _)| *key);
    let committed = |revision| Ok(Outcome::Committed(Revision(revision)));
    let expected = [committed(1), committed(2), Ok(Outcome::Conflict(0)), committed(4)];
    assert_eq!(outcomes, (0..).zip(expected).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_within_its_limits() {
    let mut rig = rig();
    let mut tasks = tokio::task::JoinSet::new();
    rig.send(&mut tasks, 0, commit(0, 1));
    assert_eq!(rig.batches.recv().await, Some(vec![vec![0]]));
    let fifth = MAX_BATCH_BYTES / 5;
    for key in 1..=6 {
        rig.send(&mut tasks, key, commit(key, fifth));
        while rig.group.queue.capacity() > MAX_WAITING_COMMITS - usize::from(key) {
            tokio::task::yield_now().await;
        }
    }
    rig.answers.send(Ok(())).expect("listens");
    // Keys count too: five times a fifth and the keys are more than the limit.
    assert_eq!(rig.batches.recv().await, Some((1..=4).map(|key| vec![key]).collect()));
    rig.answers.send(Ok(())).expect("listens");
    assert_eq!(rig.batches.recv().await, Some(vec![vec![5], vec![6]]));
    rig.answers.send(Ok(())).expect("listens");
    assert!(tasks.join_all().await.iter().all(|(_, outcome)| outcome.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn each_knows_for_certain_whether_it_may_have_been_written() {
    let mut rig = rig();
    let mut tasks = tokio::task::JoinSet::new();
    rig.send(&mut tasks, 0, commit(0, 1));
    assert_eq!(rig.batches.recv().await, Some(vec![vec![0]]));
    rig.send(&mut tasks, 1, commit(1, 1));
    // Nobody answers: the first was taken, the second still waits when its time is over.
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|(key, _)| *key);
    assert_eq!(
        outcomes,
        [(0, Err(CommitError::Unknown)), (1, Err(CommitError::Unavailable))]
    );
    rig.answers.send(Ok(())).expect("listens");
    let mut tasks = tokio::task::JoinSet::new();
    for (key, error, told) in [
        (2, BatchError::NotApplied, CommitError::Unavailable),
        (3, BatchError::Unknown, CommitError::Unknown),
    ] {
        rig.send(&mut tasks, key, commit(key, 1));
        // The one that was given up is not among them.
        assert_eq!(rig.batches.recv().await, Some(vec![vec![key]]));
        rig.answers.send(Err(error)).expect("listens");
        assert_eq!(tasks.join_next().await.expect("one").expect("ended"), (key, Err(told)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_caller_has_gone_is_not_written() {
    let mut rig = rig();
    let mut tasks = tokio::task::JoinSet::new();
    rig.send(&mut tasks, 0, commit(0, 1));
    assert_eq!(rig.batches.recv().await, Some(vec![vec![0]]));
    {
        let gone = rig.group.commit(commit(1, 1), WITHIN);
        tokio::pin!(gone);
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(gone.as_mut().poll(context).is_pending()));
        assert!(polled.await);
    }
    rig.send(&mut tasks, 2, commit(2, 1));
    while rig.group.queue.capacity() > MAX_WAITING_COMMITS - 2 {
        tokio::task::yield_now().await;
    }
    rig.answers.send(Ok(())).expect("listens");
    assert_eq!(rig.batches.recv().await, Some(vec![vec![2]]));
    rig.answers.send(Ok(())).expect("listens");
    assert_eq!(tasks.join_all().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn more_than_can_wait_are_refused() {
    let (queue, waiting) = mpsc::channel(1);
    let group = GroupCommit { queue };
    let first = group.commit(commit(0, 1), WITHIN);
    let second = group.commit(commit(1, 1), WITHIN);
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (first, second),
        (Err(CommitError::Unavailable), Err(CommitError::Overloaded))
    );
    drop(waiting);
    assert_eq!(group.commit(commit(0, 1), WITHIN).await, Err(CommitError::Unavailable));
    let malformed = group.commit(Commit::new([], []), WITHIN).await;
    assert!(matches!(malformed, Err(CommitError::Malformed(_))));
}
