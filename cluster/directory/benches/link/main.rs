//! A message between two processes on loopback, over mutual TLS: by agent address through directory and mesh, and with
//! ractor_cluster alone. Runs alternate, figures are medians of [`RUNS`] runs.
//!
//! `cargo bench -p rungs-directory --bench link`; add `-- ROUNDS MESSAGES` for longer or shorter runs.

mod raw;

use raw::{RawError, RawPeer};
use rungs_directory::{Directory, Member, StaticPlacement};
use rungs_host::{Endpoints, EventHub, Mailbox, Timers};
use rungs_mesh::bench::target::{TARGET_BYTES, TARGET_MESSAGES, Target};
use rungs_mesh::bench::{Latency, Rate, ask_latency, tell_rate};
use rungs_mesh::{Ca, ClusterConfig, ClusterTransport, Identity, Mesh, MeshConfig, Role, Roles, Seed};
use rungs_types::{Address, Incarnation, NodeName};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const RUNS: usize = 3;
const ROUNDS: usize = 5_000;
const MESSAGES: u64 = 200_000;
const SIZES: [usize; 2] = [64, 1024];

/// Figures of one process that measured.
#[derive(Clone, Default)]
struct Figures {
    ask_p50_us: f64,
    ask_p99_us: f64,
    tell_per_second: Vec<f64>,
    held_back: u64,
}

fn main() -> Result<(), RawError> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match words[..] {
        ["serve", kind, dir] => runtime.block_on(serve(kind, Path::new(dir))),
        ["measure", kind, dir, address, rounds, messages] => runtime.block_on(measure(
            kind,
            Path::new(dir),
            address.parse()?,
            rounds.parse()?,
            messages.parse()?,
        )),
        [rounds, messages] => compare(rounds.parse()?, messages.parse()?),
        _ => compare(ROUNDS, MESSAGES),
    }
}

/// Runs both kinds in turn and prints the medians.
fn compare(rounds: usize, messages: u64) -> Result<(), RawError> {
    let dir = tempfile::tempdir()?;
    let ca = Ca::create_or_load(dir.path())?;
    for name in ["n1", "n2"] {
        ca.issue(&NodeName::new(name)?, &[Role::Member])?.save(dir.path())?;
    }
    let kinds = ["raw", "mesh"];
    let mut runs: [Vec<Figures>; 2] = Default::default();
    for _ in 0..RUNS {
        for (kind, runs) in kinds.into_iter().zip(&mut runs) {
            runs.push(run(kind, dir.path(), rounds, messages)?);
        }
    }
    let median = |runs: &[Figures], value: &dyn Fn(&Figures) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{:<22} {:>14} {:>14} {:>8}",
        "median of 3 runs", kinds[0], kinds[1], "ratio"
    );
    let row = |name: &str, value: &dyn Fn(&Figures) -> f64| {
        let (raw, mesh) = (median(&runs[0], value), median(&runs[1], value));
        println!("{name:<22} {raw:>14.1} {mesh:>14.1} {:>8.2}", mesh / raw);
    };
    row("ask 64 B p50, us", &|figures| figures.ask_p50_us);
    row("ask 64 B p99, us", &|figures| figures.ask_p99_us);
    for (index, size) in SIZES.into_iter().enumerate() {
        row(&format!("tell {size} B, per s"), &|figures| {
            figures.tell_per_second[index]
        });
    }
    let held_back: u64 = runs[1].iter().map(|figures| figures.held_back).sum();
    println!("the mesh held its sender back {held_back} times");
    Ok(())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn run(kind: &str, dir: &Path, rounds: usize, messages: u64) -> Result<Figures, RawError> {
    let program = std::env::current_exe()?;
    let mut server = Command::new(&program);
    server
        .args(["serve", kind])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut server = Server(server.spawn()?);
    let mut address = String::new();
    let output = server.0.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut address)?;
    let measured = Command::new(&program)
        .args(["measure", kind])
        .arg(dir)
        .args([address.trim(), &rounds.to_string(), &messages.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(measured.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [p50, p99, held_back, tells @ ..] = numbers.as_slice() else {
        return Err(format!("{kind}: no figures").into());
    };
    Ok(Figures {
        ask_p50_us: *p50,
        ask_p99_us: *p99,
        held_back: *held_back as u64,
        tell_per_second: tells.to_vec(),
    })
}

async fn serve(kind: &str, dir: &Path) -> Result<(), RawError> {
    let identity = Identity::load(dir, &NodeName::new("n2")?)?;
    let mut keep = None;
    let address = if kind == "raw" {
        raw::serve(&identity).await?
    } else {
        let (address, directory) = node(identity, Vec::new()).await?;
        let mailbox = Mailbox::bounded(TARGET_MESSAGES, TARGET_BYTES);
        let target = Target::start(directory.mesh().endpoints(), agent(&directory)?, mailbox).await?;
        keep = Some((directory, target));
        address
    };
    println!("{address}");
    std::io::stdout().flush()?;
    // Until the other side closes.
    tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().count()).await?;
    drop(keep);
    Ok(())
}

async fn measure(kind: &str, dir: &Path, address: SocketAddr, rounds: usize, messages: u64) -> Result<(), RawError> {
    let identity = Identity::load(dir, &NodeName::new("n1")?)?;
    let (latency, rates) = if kind == "raw" {
        measure_raw(&identity, address, rounds, messages).await?
    } else {
        measure_mesh(identity, address, rounds, messages).await?
    };
    let held_back: u64 = rates.iter().map(|rate| rate.held_back).sum();
    print!("{} {} {held_back}", us(latency.p50), us(latency.p99));
    for rate in rates {
        print!(" {}", rate.per_second());
    }
    Ok(())
}

fn us(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

type Measured = (Latency, Vec<Rate>);

async fn measure_raw(
    identity: &Identity,
    address: SocketAddr,
    rounds: usize,
    messages: u64,
) -> Result<Measured, RawError> {
    let peer = RawPeer::connect(identity, address).await?;
    let latency = peer.ask_latency(SIZES[0], rounds).await?;
    let mut rates = Vec::new();
    for size in SIZES {
        rates.push(peer.tell_rate(size, messages).await?);
    }
    Ok((latency, rates))
}

async fn measure_mesh(
    identity: Identity,
    address: SocketAddr,
    rounds: usize,
    messages: u64,
) -> Result<Measured, RawError> {
    let seed = Seed {
        node: Some(NodeName::new("n2")?),
        address: address.to_string(),
    };
    let (_, directory) = node(identity, vec![seed]).await?;
    let mut peers = directory.mesh().watch();
    peers.wait_for(|peers| !peers.is_empty()).await?;
    let agent = agent(&directory)?;
    let latency = ask_latency(&directory, &agent, SIZES[0], rounds).await?;
    let mut rates = Vec::new();
    for size in SIZES {
        rates.push(tell_rate(&directory, &agent, size, messages).await?);
    }
    Ok((latency, rates))
}

/// An agent that lives on n2.
fn agent(directory: &Directory) -> Result<Address, RawError> {
    let names = (0..).map(|i| format!("bench-{i}").parse::<rungs_types::AgentId>());
    for agent in names {
        let agent = agent?;
        if directory.owner_of(&agent).is_some_and(|owner| owner.as_str() == "n2") {
            return Ok(agent.into());
        }
    }
    Err("no agent of n2".into())
}

async fn node(identity: Identity, seeds: Vec<Seed>) -> Result<(SocketAddr, Directory), RawError> {
    let config = MeshConfig {
        node: rungs_types::NodeId {
            name: identity.name().clone(),
            incarnation: Incarnation(1),
        },
        roles: Roles::of(&[Role::Member]),
        cluster: identity.cluster().clone(),
    };
    let transport = ClusterConfig {
        identity,
        incarnation: Incarnation(1),
        listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
        seeds,
    };
    let transport = ClusterTransport::bind(transport, Timers::start(), None).await?;
    let address = transport.local_addr().ok_or("not listening")?;
    let mesh = Mesh::start(config, transport, Arc::new(Endpoints::new()), EventHub::default()).await?;
    let members = ["n1", "n2"].map(|name| NodeName::new(name).map(|node| Member { node, weight: 1 }));
    let members = members.into_iter().collect::<Result<_, _>>()?;
    Ok((address, Directory::new(mesh, Arc::new(StaticPlacement::new(members)?))))
}
