//! A node that does what it is told on its input, and says `= …` to each line.

use rungs_host::{
    Context, Delivered, EndpointBuilder, Endpoints, EventHub, Format, Handle, Mailbox, Payload, Refusal, Request,
    Timers, Wire,
};
use rungs_mesh::bench::target::{Count, Echo, Target};
use rungs_mesh::cluster::{gateways, remotable_actors};
use rungs_mesh::{ClusterConfig, ClusterTransport, Identity, Listen, Mesh, MeshConfig, Outbound, Seed};
use rungs_types::{Address, Incarnation, NodeId, NodeName};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(20);

/// Panics when it is taken in.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
struct Bomb;

impl Wire for Bomb {
    const KIND: &'static str = "test.bomb";
    type Reply = ();

    fn example() -> Self {
        Self
    }
}

struct Fragile;

impl From<Request<Bomb>> for Fragile {
    fn from(_: Request<Bomb>) -> Self {
        panic!("a bomb")
    }
}

impl ractor::Actor for Fragile {
    type Msg = Delivered<Fragile>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ractor::ActorRef<Self::Msg>, (): ()) -> Result<(), ractor::ActorProcessingErr> {
        Ok(())
    }
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// Plays node `name` (or `name@address to listen on`) until its input ends.
pub(crate) async fn run(dir: &Path, name: &str, seeds: &[&str]) {
    let (name, listen) = name.split_once('@').unwrap_or((name, "127.0.0.1:0"));
    let identity = Identity::load(dir, &NodeName::new(name).expect("a name")).expect("an identity");
    let millis = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("after 1970")
        .as_millis();
    let incarnation = Incarnation(u64::try_from(millis).expect("fits"));
    let config = MeshConfig {
        node: NodeId {
            name: identity.name().clone(),
            incarnation,
        },
        roles: identity.roles(),
        cluster: identity.cluster().clone(),
    };
    let seed = |address: &&str| Seed {
        node: None,
        address: (*address).to_owned(),
    };
    let transport = ClusterConfig {
        identity,
        incarnation,
        listen: Some(Listen::At(listen.parse().expect("an address"))),
        seeds: seeds.iter().map(seed).collect(),
    };
    let transport = ClusterTransport::bind(transport, Timers::start(), None)
        .await
        .expect("binds");
    let endpoints = Arc::new(Endpoints::new());
    let target = Target::start(&endpoints, address("ops-1"), Mailbox::bounded(32_768, 1 << 26)).await;
    let guarded = EndpointBuilder::new(target.expect("starts").handle).receives::<Echo>();
    endpoints.register(address("user:guarded"), guarded.operators_only().build());
    let (fragile, _) = ractor::Actor::spawn(None, Fragile, ()).await.expect("starts");
    let fragile = EndpointBuilder::new(Handle::new(fragile, Mailbox::default())).receives::<Bomb>();
    endpoints.register(address("user:fragile"), fragile.build());
    let network = Arc::clone(&transport) as Arc<dyn rungs_mesh::Transport>;
    let mesh = Mesh::start(config, network, endpoints, EventHub::default())
        .await
        .expect("starts");
    println!("listening {}", transport.local_addr().expect("listens"));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = tokio::time::timeout(DEADLINE * 2, obey(dir, &mesh, &transport, &line)).await;
        println!("= {}", answer.unwrap_or_else(|_| "too late".to_owned()));
    }
    mesh.stop().await;
}

async fn obey(dir: &Path, mesh: &Mesh, transport: &Arc<ClusterTransport>, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let result = match words[..] {
        ["up", ref names @ ..] => {
            let mut peers = mesh.watch();
            let all = |peers: &rungs_mesh::Peers| names.iter().all(|name| peers.contains_key(&node(name)));
            drop(peers.wait_for(all).await.expect("lives"));
            Ok("up".to_owned())
        }
        ["down", name] => {
            let mut peers = mesh.watch();
            drop(
                peers
                    .wait_for(|peers| !peers.contains_key(&node(name)))
                    .await
                    .expect("lives"),
            );
            Ok("down".to_owned())
        }
        ["refused", name] => {
            let mut refusal = None;
            while refusal.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                refusal = mesh.refusals().remove(&node(name));
            }
            Err(refusal.expect("there is one by now"))
        }
        ["peers"] => {
            let peers = mesh.peers();
            Ok(peers.keys().map(NodeName::as_str).collect::<Vec<_>>().join(" "))
        }
        ["rtt", to, count] => round_trip(mesh, to, count.parse().expect("a count")).await,
        ["renew"] => {
            let identity = Identity::load(dir, &mesh.node().name).expect("an identity");
            transport.renew(identity).expect("of this node");
            Ok("renewed".to_owned())
        }
        ["keep"] => {
            transport.keep_certified(rungs_mesh::Renewal::Files(dir.to_owned()));
            Ok("kept".to_owned())
        }
        ["resumed", name] => {
            let metrics = mesh.metrics();
            let link = metrics.iter().find(|link| link.node.name == node(name));
            Ok(link.map_or("none".to_owned(), |link| link.resumed.to_string()))
        }
        ["echo", to, size] => echo(mesh, to, size.parse().expect("a size")).await,
        ["tell", to, count] => tell(mesh, to, count.parse().expect("a count")).await,
        ["ask", to, at] => ask(mesh, to, at, &Echo { text: String::new() }).await,
        ["bomb", to] => ask(mesh, to, "user:fragile", &Bomb).await.map(|()| String::new()),
        ["remotable"] => {
            let (remotable, gateways) = (remotable_actors(), gateways());
            let known = remotable.iter().filter(|pid| gateways.contains(pid)).count();
            Ok(format!("{known} of {} are gateways", remotable.len()))
        }
        ["connections", count] => {
            let count: usize = count.parse().expect("a count");
            while transport.connections() != count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(format!("{count} connections"))
        }
        _ => panic!("cannot {line:?}"),
    };
    result.unwrap_or_else(|refusal| format!("{} {refusal}", refusal.code))
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

async fn ask<W: Wire>(mesh: &Mesh, to: &str, at: &str, message: &W) -> Result<W::Reply, Refusal> {
    let payload = Payload::of(message, Format::Binary)?;
    let message = Outbound {
        to: &address(at),
        payload: &payload,
        context: &Context::default(),
        sent_by: None,
    };
    mesh.ask(&node(to), message, DEADLINE).await?.decode()
}

/// What a quarter of so many questions took at most, in microseconds: whatever else the machine does shows in the others.
async fn round_trip(mesh: &Mesh, to: &str, count: usize) -> Result<String, Refusal> {
    let question = Echo { text: String::new() };
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        ask(mesh, to, "ops-1", &question).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[count / 4].as_micros().to_string())
}

async fn echo(mesh: &Mesh, to: &str, size: usize) -> Result<String, Refusal> {
    let text: String = (0..size).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
    let answer = ask(mesh, to, "ops-1", &Echo { text: text.clone() }).await?;
    Ok(if answer == text { "the same" } else { "something else" }.to_owned())
}

async fn tell(mesh: &Mesh, to: &str, count: u64) -> Result<String, Refusal> {
    let question = Count { text: String::new() };
    let counted = || ask(mesh, to, "ops-1", &question);
    let before = counted().await?;
    let payload = Payload::of(&Count { text: "x".repeat(64) }, Format::Binary)?;
    for _ in 0..count {
        let message = Outbound {
            to: &address("ops-1"),
            payload: &payload,
            context: &Context::default(),
            sent_by: None,
        };
        mesh.tell(&node(to), message)?;
    }
    let told = counted().await? - before - 1;
    Ok(format!("{told} in order"))
}
