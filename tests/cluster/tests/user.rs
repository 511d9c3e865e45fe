//! An actor of an embedding program, reached by name from another process: answered, described, and every malformed
//! message refused with what was expected.

use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs::prelude::*;
use rungs_cluster_tests::exec_in;
use rungs_test_support::temp_dir;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    name: String,
}

impl Wire for Greet {
    const KIND: &'static str = "greet";
    type Reply = String;

    fn example() -> Self {
        Self { name: "Ada".into() }
    }
}

struct Greeter;

impl Actor for Greeter {
    type Msg = Delivered<Request<Greet>>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, sent: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let name = &sent.message.message.name;
        if name == "panic" {
            return Err("it was asked to fail".into());
        }
        let greeting = format!("hello {name}");
        sent.message.reply.send(Ok(greeting));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_actor_is_called_by_name_from_another_process_and_refuses_what_is_malformed() {
    let dir = temp_dir("user").expect("a folder can be made");
    let node = NodeBuilder::local_member(dir.path(), "n1", 1).expect("prepared");
    let node = node.start().await.expect("the node starts");
    let greeter = node.register("greeter", || Greeter).expect("a name");
    greeter.receives::<Greet>().start().await.expect("it starts");

    let answer = exec_in(dir.path(), "call user:greeter greet {\"name\":\"Ada\"}").await;
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "\"hello Ada\"");
    let kinds = exec_in(dir.path(), "describe user:greeter").await;
    let kinds: serde_json::Value = serde_json::from_slice(&kinds.stdout).expect("JSON");
    assert_eq!(kinds[0]["kind"], "greet", "{kinds}");
    for (message, expected) in [
        ("greet {\"nam\":\"Ada\"}", "unknown field `nam`, expected `name`"),
        ("greet {\"name\":7}", "expected a string"),
        ("greet", "missing field `name`"),
        ("wave {\"name\":\"Ada\"}", "greet"),
    ] {
        let refused = exec_in(dir.path(), &format!("call user:greeter {message}")).await;
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{message}: {error}");
        assert!(error.contains(expected), "{message}: {error}");
    }
    // A failed one is started again under the same name.
    let failed = exec_in(dir.path(), "call user:greeter greet {\"name\":\"panic\"}").await;
    assert_eq!(failed.status.code(), Some(1));
    let again = rungs_test_support::eventually("the actor to be back", rungs_cluster_tests::WITHIN, async || {
        let answer = exec_in(dir.path(), "call user:greeter greet {\"name\":\"Ada\"}").await;
        answer.status.success().then_some(())
    });
    again.await.expect("it comes back");
    node.shutdown().await.expect("it stops");
}
