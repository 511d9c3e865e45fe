//! P2 and P3: a message between two node processes on loopback over mutual TLS, by agent address through directory and
//! mesh, against ractor_cluster alone over the same kind of stream. Four processes a run: two of each kind in turn.

use super::process::{Folder, measure as child, serve};
use super::progress::Progress;
use super::report::{Figure, Target, median_of};
use super::resources::Peak;
use crate::args::Link;
use anyhow::Context as _;
use rungs_directory::routing::Fixed;
use rungs_directory::{Directory, Member, StaticPlacement};
use rungs_host::{Endpoints, EventHub, Mailbox, Timers, tasks};
use rungs_mesh::bench::raw::{self, RawPeer};
use rungs_mesh::bench::target::{TARGET_BYTES, TARGET_MESSAGES, Target as Counter};
use rungs_mesh::bench::{Latency, Rate, ask_latency, tell_rate};
use rungs_mesh::{Ca, ClusterConfig, ClusterTransport, Identity, Listen, Mesh, MeshConfig, Role, Roles, Seed};
use rungs_types::{Address, Incarnation, NodeId, NodeName};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Questions of one run, after a tenth as many that are not counted.
const ROUNDS: usize = 5_000;
/// Bytes of a question.
const QUESTION_BYTES: usize = 64;
/// Bytes of a told message, and how many of them are told in a run: so many that a queue without a bound is seen.
const TELLS: [(usize, u64); 2] = [(64, 1_000_000), (1024, 200_000)];
/// The process that measures.
const HERE: &str = "n1";
/// The process that serves.
const THERE: &str = "n2";
const BASELINE: &str = "ractor_cluster";

/// What one process measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Figures {
    ask_p50_us: f64,
    ask_p99_us: f64,
    /// One for each of [`TELLS`].
    tells: Vec<Tells>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tells {
    per_s: f64,
    held_back: u64,
    sender_mib: f64,
}

/// Runs both kinds in turn, so that a noisy machine is noisy for both.
pub async fn measure(runs: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::new().context("cannot make a folder for the certificates")?;
    let ca = Ca::create_or_load(folder.path())?;
    for name in [HERE, THERE] {
        ca.issue(&NodeName::new(name)?, &[Role::Member])?.save(folder.path())?;
    }
    let (mut raw, mut own) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        for (link, runs_of) in [(Link::Raw, &mut raw), (Link::Mesh, &mut own)] {
            progress.say(&format!("mesh, {link}, run {run} of {runs}"));
            runs_of.push(one_run(link, folder.path()).await?);
        }
    }
    Ok(rows(&raw, &own))
}

async fn one_run(link: Link, dir: &Path) -> anyhow::Result<Figures> {
    let (link, dir) = (link.to_string(), dir.display().to_string());
    let server = serve(&["serve", &link, &dir]).await?;
    child(&["send", &link, &dir, server.line.trim()]).await
}

fn rows(raw: &[Figures], own: &[Figures]) -> Vec<Figure> {
    let row = |id, what, unit, target, value: &dyn Fn(&Figures) -> f64| Figure {
        id,
        what,
        value: median_of(own, value),
        unit,
        baseline: BASELINE,
        baseline_value: Some(median_of(raw, value)),
        target,
    };
    let (first, second) = (
        |run: &Figures| run.tells[0].clone(),
        |run: &Figures| run.tells[1].clone(),
    );
    vec![
        row(
            "P2",
            "ask by address, 2 nodes, TLS, 64 B, p50",
            "us",
            Target::RatioAtMost(0.4),
            &|run| run.ask_p50_us,
        ),
        row(
            "P2",
            "ask by address, 2 nodes, TLS, 64 B, p99",
            "us",
            Target::None,
            &|run| run.ask_p99_us,
        ),
        row(
            "P3",
            "tell by address, 2 nodes, TLS, 64 B",
            "1/s",
            Target::AtLeast(1e6),
            &|run| first(run).per_s,
        ),
        row(
            "P3",
            "tell by address, 2 nodes, TLS, 1 KiB",
            "1/s",
            Target::None,
            &|run| second(run).per_s,
        ),
        row(
            "P3",
            "most memory of the sender over its start, 64 B",
            "MiB",
            Target::AtMost(32.0),
            &|run| first(run).sender_mib,
        ),
        row("P3", "times the sender was held back, 64 B", "", Target::None, &|run| {
            first(run).held_back as f64
        }),
    ]
}

/// The serving process: prints its address and serves until its input ends.
pub async fn serve_until_closed(link: Link, dir: &Path) -> anyhow::Result<()> {
    let identity = Identity::load(dir, &NodeName::new(THERE)?)?;
    let mut keep = None;
    let address = match link {
        Link::Raw => raw::serve(&identity).await?,
        Link::Mesh => {
            let (address, directory) = node(identity, Vec::new()).await?;
            let mailbox = Mailbox::bounded(TARGET_MESSAGES, TARGET_BYTES);
            let counter = Counter::start(directory.mesh().endpoints(), agent_there(&directory)?, mailbox).await?;
            keep = Some((directory, counter));
            address
        }
    };
    println!("{address}");
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().count()).await?;
    drop(keep);
    Ok(())
}

/// The measuring process: prints its figures. Both kinds are measured from a task on the runtime, as actors run; the
/// main thread would add its own waking to every question.
pub async fn send(link: Link, dir: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let identity = Identity::load(dir, &NodeName::new(HERE)?)?;
    let measuring = async move {
        match link {
            Link::Raw => send_raw(&identity, address).await,
            Link::Mesh => send_mesh(identity, address).await,
        }
    };
    let figures = tasks::spawn("measuring", measuring).await??;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn send_raw(identity: &Identity, address: SocketAddr) -> anyhow::Result<Figures> {
    let peer = RawPeer::connect(identity, address).await?;
    let latency = peer.ask_latency(QUESTION_BYTES, ROUNDS).await?;
    let mut tells = Vec::new();
    for (bytes, messages) in TELLS {
        let peak = Peak::watch()?;
        tells.push(told(peer.tell_rate(bytes, messages).await?, &peak)?);
    }
    Ok(figures(latency, tells))
}

async fn send_mesh(identity: Identity, address: SocketAddr) -> anyhow::Result<Figures> {
    let seed = Seed {
        node: Some(NodeName::new(THERE)?),
        address: address.to_string(),
    };
    let (_, directory) = node(identity, vec![seed]).await?;
    let mut peers = directory.mesh().watch();
    peers.wait_for(|peers| !peers.is_empty()).await?;
    let agent = agent_there(&directory)?;
    let latency = ask_latency(&directory, &agent, QUESTION_BYTES, ROUNDS).await?;
    let mut tells = Vec::new();
    for (bytes, messages) in TELLS {
        let peak = Peak::watch()?;
        tells.push(told(tell_rate(&directory, &agent, bytes, messages).await?, &peak)?);
    }
    Ok(figures(latency, tells))
}

fn told(rate: Rate, peak: &Peak) -> anyhow::Result<Tells> {
    Ok(Tells {
        per_s: rate.per_second(),
        held_back: rate.held_back,
        sender_mib: peak.over_baseline()? as f64 / (1 << 20) as f64,
    })
}

fn figures(latency: Latency, tells: Vec<Tells>) -> Figures {
    Figures {
        ask_p50_us: latency.p50.as_secs_f64() * 1e6,
        ask_p99_us: latency.p99.as_secs_f64() * 1e6,
        tells,
    }
}

/// The first agent that lives on the serving node.
fn agent_there(directory: &Directory) -> anyhow::Result<Address> {
    for index in 0.. {
        let agent: rungs_types::AgentId = format!("bench-{index}").parse()?;
        if directory.owner_of(&agent).is_some_and(|owner| owner.as_str() == THERE) {
            return Ok(agent.into());
        }
    }
    anyhow::bail!("no agent belongs to {THERE}")
}

async fn node(identity: Identity, seeds: Vec<Seed>) -> anyhow::Result<(SocketAddr, Directory)> {
    let config = MeshConfig {
        node: NodeId {
            name: identity.name().clone(),
            incarnation: Incarnation(1),
        },
        roles: Roles::of(&[Role::Member]),
        cluster: identity.cluster().clone(),
    };
    let transport = ClusterConfig {
        identity,
        incarnation: Incarnation(1),
        listen: Some(Listen::At((Ipv4Addr::LOCALHOST, 0).into())),
        seeds,
    };
    let transport = ClusterTransport::bind(transport, Timers::start(), None).await?;
    let address = transport.local_addr().context("the transport listens")?;
    let mesh = Mesh::start(config, transport, Arc::new(Endpoints::new()), EventHub::default()).await?;
    let members = [HERE, THERE].map(|name| NodeName::new(name).map(|node| Member { node, weight: 1 }));
    let members = members.into_iter().collect::<Result<_, _>>()?;
    let (node, placement) = (mesh.node().name.clone(), StaticPlacement::new(members)?);
    Ok((address, Directory::new(mesh, Arc::new(Fixed { node, placement }))))
}
