use super::*;
use rungs_types::{ErrorCode, PeerMessage};
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

fn letter(number: u64) -> Letter {
    let [from, to]: [AgentId; 2] = ["ops-1", "ops-2"].map(|name| name.parse().expect("a name"));
    Letter {
        from,
        to: Recipients::Agents(vec![to]),
        message: PeerMessage::Kept { id: number },
    }
}

/// A queue whose letters are delivered as permits come; every tenth cannot be.
struct Slow {
    queue: Queue,
    begun: Arc<Mutex<Vec<u64>>>,
    permits: Arc<Semaphore>,
}

impl Slow {
    fn start() -> Self {
        let (begun, permits) = (Arc::<Mutex<Vec<u64>>>::default(), Arc::new(Semaphore::new(0)));
        let (begins, permit) = (Arc::clone(&begun), Arc::clone(&permits));
        let queue = Queue::start(move |letter| {
            let PeerMessage::Kept { id } = letter.message else {
                panic!("{letter:?}");
            };
            begins.lock().expect("not poisoned").push(id);
            let permit = Arc::clone(&permit);
            async move {
                permit.acquire().await.expect("open").forget();
                match id % 10 {
                    0 => Err(Refusal::new(ErrorCode::NodeDown, "n2 is down")),
                    _ => Ok(()),
                }
            }
        });
        Self { queue, begun, permits }
    }

    fn begun(&self) -> Vec<u64> {
        self.begun.lock().expect("not poisoned").clone()
    }

    /// Waits until this is so; everything else that can run does before.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_letter_and_has_room_again_when_some_are_sent() {
    let slow = Slow::start();
    let taken = |from: u64, count: usize| (from..).take(count).filter(|id| slow.queue.send(letter(*id))).count();
    // Nobody has begun to send: so many wait, and no more.
    assert_eq!(taken(1, MAX_LETTERS + 3), MAX_LETTERS);
    assert_eq!(slow.queue.counts.read(), [3, 0, 0]);
    // As many as are sent at a time are out of the queue, in the order in which they came.
    slow.until(|slow| slow.begun().len() == AT_A_TIME).await;
    assert_eq!(slow.begun(), (1..=AT_A_TIME as u64).collect::<Vec<_>>());
    assert_eq!(taken(5_000, AT_A_TIME + 1), AT_A_TIME, "that is the room there is");
    assert_eq!(slow.queue.counts.read(), [4, 0, 0]);
    slow.permits.add_permits(MAX_LETTERS + AT_A_TIME);
    slow.until(|slow| slow.begun().len() == MAX_LETTERS + AT_A_TIME).await;
    // 10, 20, .. 1020 and 5000, 5010 are not delivered: 102 and 2 of 1040.
    slow.until(|slow| slow.queue.counts.read() == [4, 936, 104]).await;
    let mut expected: Vec<u64> = (1..=MAX_LETTERS as u64).collect();
    expected.extend((5_000..).take(AT_A_TIME));
    assert_eq!(slow.begun(), expected, "what was dropped is never sent");
}

#[tokio::test]
async fn the_task_sends_what_waits_and_ends_with_the_queue() {
    let Slow { queue, begun, permits } = Slow::start();
    for id in 1..=20 {
        assert!(queue.send(letter(id)));
    }
    permits.add_permits(20);
    drop(queue);
    // The task has the other one of each; it is gone when they are.
    while Arc::strong_count(&begun) > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.lock().expect("not poisoned").len(), 20);
    assert_eq!(permits.available_permits(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_is_over_at_its_deadline_also_if_nobody_says_who_is_in_the_group() {
    let [from, other]: [AgentId; 2] = ["ops-1", "ops-2"].map(|name| name.parse().expect("a name"));
    let question = Question {
        whom: Whom::OneOf(other.name.clone()),
        from,
        avoid: Vec::new(),
        about: "cpu".to_owned(),
        number: 0,
        deadline: Duration::from_secs(2),
    };
    let began = Instant::now();
    let never = |_, _| pending::<Result<Payload, Refusal>>();
    let late = |asked: Asked| (asked.of, asked.answer.map_err(|refusal| refusal.code));
    let nobody = in_time(&question, pending(), never).await;
    assert_eq!(late(nobody), (None, Err(ErrorCode::DeadlineExceeded)));
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    // A second and a half to find out who there is leave half a second to answer.
    let members = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        BTreeSet::from([other.clone()])
    };
    let silent = in_time(&question, members, never).await;
    assert_eq!(late(silent), (Some(other.clone()), Err(ErrorCode::DeadlineExceeded)));
    assert_eq!(began.elapsed(), Duration::from_secs(4));
    let alone = in_time(&question, async { BTreeSet::new() }, never).await;
    assert_eq!(late(alone), (None, Err(ErrorCode::NotFound)));
}
