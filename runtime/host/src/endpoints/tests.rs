use super::*;
use crate::delivered::Delivered;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use schemars::JsonSchema;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Add {
    number: u32,
}

impl Wire for Add {
    const KIND: &'static str = "counter.add";
    const VERSION: u16 = 2;
    type Reply = u32;

    fn example() -> Self {
        Self { number: 1 }
    }
}

struct Message(Request<Add>);

impl From<Request<Add>> for Message {
    fn from(request: Request<Add>) -> Self {
        Self(request)
    }
}

/// Adds up; panics at 13.
struct Counter {
    endpoints: Arc<Endpoints>,
    mailbox: Arc<Mailbox>,
}

impl Actor for Counter {
    type Msg = Delivered<Message>;
    type State = (u32, Registration);
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle).receives::<Add>().build();
        Ok((0, self.endpoints.register_while_alive(address(), endpoint)))
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        (sum, _): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Message(Request { message, reply }) = delivered.message;
        assert!(message.number != 13, "an unlucky number");
        *sum += message.number;
        reply.send(Ok(*sum));
        Ok(())
    }
}

fn address() -> Address {
    "user:counter".parse().expect("an address")
}

async fn start(endpoints: &Arc<Endpoints>) -> ActorCell {
    let counter = Counter {
        endpoints: Arc::clone(endpoints),
        mailbox: Arc::new(Mailbox::bounded(4, 1000)),
    };
    let (actor, _) = Actor::spawn(None, counter, ()).await.expect("starts");
    actor.get_cell()
}

fn payload(number: u32, format: Format) -> Payload {
    Payload::of(&Add { number }, format).expect("encodes")
}

async fn ask(endpoints: &Endpoints, payload: Payload) -> Result<u32, Refusal> {
    let (sender, answer) = oneshot::channel();
    let endpoint = endpoints.get(&address()).expect("registered");
    endpoint.deliver(payload, Context::default(), Some(sender))?;
    answer.await.expect("answered")?.decode()
}

#[tokio::test(start_paused = true)]
async fn both_formats_reach_the_same_actor() {
    let endpoints = Arc::new(Endpoints::new());
    let _actor = start(&endpoints).await;
    assert_eq!(ask(&endpoints, payload(1, Format::Binary)).await, Ok(1));
    assert_eq!(ask(&endpoints, payload(2, Format::Json)).await, Ok(3));
    // A tell has no way back.
    let endpoint = endpoints.get(&address()).expect("registered");
    endpoint
        .deliver(payload(4, Format::Json), Context::default(), None)
        .expect("room");
    assert_eq!(ask(&endpoints, payload(1, Format::Json)).await, Ok(8));
    assert_eq!(endpoint.mailbox().depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_for_operators_is_refused_of_other_nodes_before_it_is_decoded() {
    let endpoints = Arc::new(Endpoints::new());
    let actor = start(&endpoints).await;
    let actor: ActorRef<Delivered<Message>> = actor.into();
    let handle = Handle::new(actor, Mailbox::default());
    let guarded = EndpointBuilder::new(handle).receives::<Add>().operators_only().build();
    let deliver = |endpoint: &Endpoint, payload, caller| {
        let context = Context {
            caller,
            ..Context::default()
        };
        endpoint.deliver(payload, context, None).map_err(|refusal| refusal.code)
    };
    let add = || payload(1, Format::Binary);
    let garbage = Payload {
        bytes: vec![0xff; 3].into(),
        ..add()
    };
    assert_eq!(deliver(&guarded, garbage, Caller::Node), Err(ErrorCode::Forbidden));
    assert_eq!(deliver(&guarded, add(), Caller::Operator), Ok(()));
    assert_eq!(deliver(&guarded, add(), Caller::Here), Ok(()));
    let open = endpoints.get(&address()).expect("registered");
    assert_eq!(deliver(&open, add(), Caller::Node), Ok(()));
    assert_eq!(ask(&endpoints, add()).await, Ok(4));
}

#[tokio::test(start_paused = true)]
async fn what_the_actor_does_not_receive_is_refused_with_what_it_does() {
    let endpoints = Arc::new(Endpoints::new());
    let _actor = start(&endpoints).await;
    let unknown = Payload {
        kind: "counter.sub".into(),
        ..payload(1, Format::Json)
    };
    let refusal = ask(&endpoints, unknown).await.expect_err("unknown");
    assert_eq!(refusal.code, ErrorCode::Malformed);
    assert_eq!(
        refusal.message,
        r#"no message "counter.sub"; expected one of counter.add"#
    );
    let older = Payload {
        version: 1,
        ..payload(1, Format::Binary)
    };
    let refusal = ask(&endpoints, older).await.expect_err("older");
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (ErrorCode::Incompatible, "counter.add version 1; expected 2")
    );
    let noise = Payload {
        bytes: "{}".into(),
        ..payload(1, Format::Json)
    };
    assert_eq!(
        ask(&endpoints, noise).await.expect_err("noise").code,
        ErrorCode::Malformed
    );
    assert_eq!(ask(&endpoints, payload(1, Format::Json)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_is_told_with_when_to_come_back() {
    let endpoints = Arc::new(Endpoints::new());
    let _actor = start(&endpoints).await;
    let endpoint = endpoints.get(&address()).expect("registered");
    let deliver = || endpoint.deliver(payload(1, Format::Json), Context::default(), None);
    // The actor does not run in between.
    let refusals: Vec<_> = (0..6).filter_map(|_| deliver().err()).collect();
    assert_eq!(refusals.len(), 2);
    assert_eq!(refusals[0].code, ErrorCode::Overloaded);
    assert_eq!(refusals[0].retry_after_ms, Some(50));
}

#[tokio::test(start_paused = true)]
async fn an_entry_leaves_with_its_actor_however_it_ends() {
    let endpoints = Arc::new(Endpoints::new());
    for how in ["stop", "kill", "panic"] {
        let actor = start(&endpoints).await;
        let endpoint = endpoints.get(&address()).expect("registered");
        match how {
            "stop" => actor.stop(None),
            "kill" => actor.kill(),
            _ => endpoint
                .deliver(payload(13, Format::Json), Context::default(), None)
                .expect("room"),
        }
        actor.wait(Some(SECOND)).await.expect("ends");
        assert_eq!(endpoints.addresses(), [], "{how}");
        assert!(endpoints.get(&address()).is_none(), "{how}");
        // Who still holds it learns that nothing was executed.
        let refusal = endpoint.deliver(payload(1, Format::Json), Context::default(), None);
        assert_eq!(refusal.expect_err("ended").code, ErrorCode::NotFound, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_actor_does_not_take_its_successor_away() {
    let endpoints = Arc::new(Endpoints::new());
    let first = start(&endpoints).await;
    let second = start(&endpoints).await;
    first.stop(None);
    first.wait(Some(SECOND)).await.expect("ends");
    assert_eq!(endpoints.addresses(), [address()]);
    assert_eq!(ask(&endpoints, payload(5, Format::Json)).await, Ok(5));
    endpoints.remove(&address());
    assert_eq!(endpoints.addresses(), []);
    second.stop(None);
}

#[tokio::test(start_paused = true)]
async fn an_entry_registered_without_a_guard_is_not_handed_out_after_its_actor_has_ended() {
    let endpoints = Arc::new(Endpoints::new());
    let actor = start(&endpoints).await;
    let other: Address = "user:other".parse().expect("an address");
    let handle = Handle::new(actor.clone().into(), Mailbox::default());
    endpoints.register(other.clone(), EndpointBuilder::<Message>::new(handle).build());
    assert!(endpoints.get(&other).is_some());
    actor.stop(None);
    actor.wait(Some(SECOND)).await.expect("ends");
    assert!(endpoints.get(&other).is_none());
    assert!(endpoints.table.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_description_has_a_message_to_copy_and_both_schemas() {
    let endpoints = Arc::new(Endpoints::new());
    let _actor = start(&endpoints).await;
    let described = endpoints.get(&address()).expect("registered").describe();
    assert_eq!(described.len(), 1);
    assert_eq!((described[0].kind.as_str(), described[0].version), ("counter.add", 2));
    assert_eq!(described[0].example, r#"{"number":1}"#);
    let schema: serde_json::Value = serde_json::from_str(&described[0].schema).expect("json");
    assert_eq!(schema["properties"]["number"]["type"], "integer");
    let reply: serde_json::Value = serde_json::from_str(&described[0].reply_schema).expect("json");
    assert_eq!(reply["type"], "integer");
}
