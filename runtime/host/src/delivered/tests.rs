use super::*;
use ractor::{Actor, ActorProcessingErr};
use rungs_types::ErrorCode;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

enum Message {
    Double(u32, Reply<u32>),
    Refuse(Reply<u32>),
    Forget(Reply<u32>),
    Keep(Reply<u32>),
    From(Reply<Option<String>>),
    Hang,
}

struct Answerer;

impl Actor for Answerer {
    type Msg = Delivered<Message>;
    type State = Vec<Reply<u32>>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        kept: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Message::Double(number, reply) => reply.send(Ok(2 * number)),
            Message::Refuse(reply) => reply.send(Err(Refusal::new(ErrorCode::Refused, "not today"))),
            Message::Forget(reply) => drop(reply),
            Message::Keep(reply) => kept.push(reply),
            Message::From(reply) => reply.send(Ok(delivered
                .context
                .and_then(|context| context.from.clone())
                .map(|from| from.to_string()))),
            Message::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

async fn answerer(mailbox: Mailbox) -> Handle<Message> {
    let (actor, _) = Actor::spawn(None, Answerer, ()).await.expect("starts");
    Handle::new(actor, mailbox)
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_refused_forgotten_or_late_and_says_which() {
    let handle = answerer(Mailbox::default()).await;
    assert_eq!(handle.ask(SECOND, |reply| Message::Double(21, reply)).await, Ok(42));
    let refusal = Refusal::new(ErrorCode::Refused, "not today");
    assert_eq!(
        handle.ask(SECOND, Message::Refuse).await,
        Err(AskError::Refused(refusal))
    );
    assert_eq!(handle.ask(SECOND, Message::Forget).await, Err(AskError::NoReply));
    let start = Instant::now();
    assert_eq!(
        handle.ask(SECOND, Message::Keep).await,
        Err(AskError::DeadlineExceeded(SECOND))
    );
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn no_deadline_is_longer_than_the_limit() {
    let handle = answerer(Mailbox::default()).await;
    let start = Instant::now();
    let late = handle.ask(Duration::MAX, Message::Keep).await;
    assert_eq!(late, Err(AskError::DeadlineExceeded(MAX_DEADLINE)));
    assert_eq!(start.elapsed(), MAX_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_question_leaves_nothing_behind() {
    let handle = answerer(Mailbox::default()).await;
    let asked = tokio::time::timeout(SECOND / 2, handle.ask(SECOND, Message::Keep)).await;
    asked.expect_err("given up first");
    assert_eq!(handle.ask(SECOND, |reply| Message::Double(1, reply)).await, Ok(2));
    assert_eq!(handle.mailbox().depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_at_once_and_a_signal_passes() {
    let handle = answerer(Mailbox::bounded(2, 1000)).await;
    for _ in 0..2 {
        handle.tell(Message::Hang).expect("room");
    }
    let full = TellError::Overloaded(Overloaded {
        retry_after: crate::mailbox::RETRY_AFTER,
    });
    assert_eq!(handle.tell(Message::Hang), Err(full.clone()));
    let asked = handle.ask(SECOND, |reply| Message::Double(1, reply)).await;
    assert_eq!(asked, Err(AskError::Tell(full)));
    handle.signal(Message::Hang);
    assert_eq!(handle.mailbox().depth(), 2);
}

#[tokio::test(start_paused = true)]
async fn messages_that_an_actor_never_handles_give_their_credits_back() {
    let handle = answerer(Mailbox::default()).await;
    for _ in 0..10 {
        handle.tell(Message::Hang).expect("room");
    }
    handle.cell().kill();
    handle.cell().wait(Some(SECOND)).await.expect("ends");
    assert_eq!((handle.mailbox().depth(), handle.mailbox().bytes()), (0, 0));
    assert_eq!(handle.tell(Message::Hang), Err(TellError::Ended));
    let asked = handle.ask(SECOND, |reply| Message::Double(1, reply)).await;
    assert_eq!(asked, Err(AskError::Tell(TellError::Ended)));
    assert_eq!(handle.mailbox().depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_context_arrives_with_the_message() {
    let handle = answerer(Mailbox::default()).await;
    let (reply, answer) = Reply::local();
    let context = Context {
        from: Some("acme/b#kernel".parse().expect("an address")),
        ..Context::default()
    };
    handle.tell_with(Message::From(reply), context, 10).expect("room");
    assert_eq!(answer.await.expect("answered"), Ok(Some("acme/b#kernel".to_owned())));
}
