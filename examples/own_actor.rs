//! A ractor actor of your own: supervised by a node, called by name from another node, which is another process.
//!
//! `cargo run -p rungs-examples --example own_actor`

use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
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
    type State = u32;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<u32, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, sent: Self::Msg, count: &mut u32) -> Result<(), ActorProcessingErr> {
        let greet = sent.message;
        *count += 1;
        greet
            .reply
            .send(Ok(format!("hello {}, you are number {count}", greet.message.name)));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> rungs::Result<()> {
    if let Some(dir) = std::env::args().nth(1) {
        let node = NodeBuilder::local_member(&dir, "n2", 2)?.start().await?;
        let greeter = node.register("greeter", || Greeter)?.receives::<Greet>();
        greeter.start().await?;
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        return node.shutdown().await;
    }
    let dir = tempfile::tempdir()?;
    let node = NodeBuilder::local_member(&dir, "n1", 2)?.start().await?;
    let mut second = std::process::Command::new(std::env::current_exe()?);
    let mut second = second.arg(dir.path()).spawn()?;
    node.reachable("user:greeter").await?;
    println!("{}", node.call("user:greeter", &Greet { name: "Ada".into() }).await?);
    second.kill()?;
    node.shutdown().await
}
