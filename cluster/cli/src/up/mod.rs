//! `rungs up`: a local cluster of real node processes, and a view of it.
//!
//! Prepare the folder (ports, certificates, configurations) → start the processes → join as the operator → look once
//! a second until Ctrl-C or the time is over → ask the nodes to stop, and end those that do not.

pub mod processes;
pub mod progress;
pub mod rate;
pub mod socket;
pub mod view;

use crate::args::Up;
use crate::interrupt::Interrupt;
use crate::join::{self, Joined};
use crate::local::{LocalCluster, Prepared, node_home, voters_of};
use anyhow::Context as _;
use processes::{NODE_LOG, NodeProcess, ProcessEvent, Processes};
use progress::Progress;
use rungs_directory::member::messages::{ListMembers, ListShards, MemberEntry};
use rungs_directory::membership::MemberState;
use rungs_host::{EventFilter, EventStream, Format, Payload, Refusal, Watched, Wire};
use rungs_mesh::{Ca, Role};
use rungs_shell::event_line::event_line;
use rungs_shell::protocol::{ListAgents, NodeInfo, NodeRow, Shutdown};
use rungs_shell::session::admin_of;
use rungs_shell::table::Style;
use rungs_shell::views::natural;
use rungs_types::{Address, AgentName, AgentSpec, NodeName};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use view::{Look, News};

/// How often the live view looks.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How often a line is printed when the output is not a terminal.
const LINE_PERIOD: Duration = Duration::from_secs(5);
/// How long a node may take to answer a look.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);
/// How long their shards may take to be where they stay.
const SHARE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the nodes may take to be up.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// The group of all agents.
const GROUP: &str = "up";
/// Process news that may wait to be shown.
const NEWS_BUFFER: usize = 256;

/// Runs the command.
pub async fn run(up: Up) -> anyhow::Result<()> {
    let began = Instant::now();
    std::fs::create_dir_all(&up.data).with_context(|| format!("cannot make {}", up.data.display()))?;
    let dir = up
        .data
        .canonicalize()
        .with_context(|| format!("cannot open {}", up.data.display()))?;
    let _lock = lock(&dir)?;
    let Prepared { cluster, sockets } = LocalCluster::prepare(&dir, up.nodes)?;
    let voters = cluster.voters.len();
    issue_certificates(&dir, &cluster)?;
    let rate_hz = up.rate.unwrap_or_else(|| rate::that_fits(up.agents));
    let agents: Vec<AgentSpec> = (1..=up.agents).map(|index| agent(index, rate_hz)).collect();
    if let Some(first) = agents.first() {
        first.validate()?;
    }
    let files = cluster.configure(&dir, &agents)?;
    let mut interrupt = Interrupt::listen().context("cannot wait for Ctrl-C")?;
    let (sender, process_events) = mpsc::channel(NEWS_BUFFER);
    let program = std::env::current_exe().context("cannot find this program")?;
    let nodes = files.into_iter().zip(sockets);
    let nodes = nodes.map(|((node, config), socket)| NodeProcess { node, config, socket });
    let processes = Processes::start(&program, nodes, &sender)?;
    let view = View::new(&up, &dir, rate_hz, voters, began);
    let result = watch_cluster(view, &dir, up.agents, process_events, &mut interrupt).await;
    tokio::select! {
        () = processes.stop() => result,
        // The nodes end by themselves when this process does.
        how = interrupt.received() => Err(anyhow::anyhow!("{how} again before all nodes had stopped")),
    }
}

async fn watch_cluster(
    mut view: View,
    dir: &Path,
    agents: u32,
    mut process_events: mpsc::Receiver<ProcessEvent>,
    interrupt: &mut Interrupt,
) -> anyhow::Result<()> {
    let joined = join::join(dir, None, false).await?;
    tokio::select! {
        up = wait_until_up(&joined, dir, agents, &mut process_events) => up?,
        how = interrupt.received() => anyhow::bail!("{how} before all nodes were up"),
    }
    view.greet()?;
    let events = joined.router.subscribe(EventFilter::default()).await?;
    view.run(&joined, events, process_events, interrupt).await?;
    stop_nodes(&joined).await;
    joined.leave().await;
    Ok(())
}

fn agent(index: u32, rate_hz: f64) -> AgentSpec {
    let name = rungs_shell::command::default_agent(index);
    AgentSpec {
        rate_hz,
        seed: u64::from(index),
        // So that the agents of one cluster meet.
        group: Some(AgentName::new(GROUP).expect("invariant: a constant that is a valid name")),
        ..AgentSpec::new(name)
    }
}

/// Two `up` on one folder would fight for ports and snapshots.
fn lock(dir: &Path) -> anyhow::Result<std::fs::File> {
    let path = dir.join("up.lock");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.try_lock()
        .map_err(|_| anyhow::anyhow!("{} is in use by another `rungs up`", dir.display()))?;
    Ok(file)
}

/// A development authority and a certificate for each node.
fn issue_certificates(dir: &Path, cluster: &LocalCluster) -> anyhow::Result<()> {
    let ca = Ca::create_or_load(dir)?;
    for member in &cluster.members {
        ca.issue(&member.name, &[Role::Voter])?.save(dir)?;
    }
    Ok(())
}

async fn wait_until_up(
    joined: &Joined,
    dir: &Path,
    agents: u32,
    process_events: &mut mpsc::Receiver<ProcessEvent>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    for node in joined.router.members() {
        loop {
            let asked = ask(joined, &node, &NodeInfo {}).await;
            let Err(refusal) = asked else { break };
            while let Ok(event) = process_events.try_recv() {
                if let ProcessEvent::Ended { node, how, last, .. } = event {
                    let log = node_home(dir, &node).join(NODE_LOG);
                    anyhow::bail!(
                        "node {node} ended at its start with {how}: {last} (its log is {})",
                        log.display()
                    );
                }
            }
            anyhow::ensure!(Instant::now() < deadline, "node {node} is not up after 30 s: {refusal}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // One that takes longer to share out its agents is up all the same; whoever asks for one waits for it.
    drop(tokio::time::timeout(SHARE_DEADLINE, wait_until_shared(joined, agents)).await);
    Ok(())
}

/// Waits until every node is a live member, every shard is where it stays, and so many agents run or rest.
async fn wait_until_shared(joined: &Joined, agents: u32) {
    let nodes = joined.router.members();
    for node in nodes.iter().cycle() {
        let at = rungs_directory::member::address(node);
        let members = ask_at(joined, at.clone(), &ListMembers {}).await;
        let shards = ask_at(joined, at, &ListShards {}).await;
        if let (Ok(members), Ok(shards)) = (members, shards) {
            let live = |member: &&MemberEntry| member.state == MemberState::Live && member.has_lease;
            let all = members.iter().filter(live).count() >= nodes.len();
            if all && shards.unowned == 0 && shards.moving == 0 && known_agents(joined).await >= u64::from(agents) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn known_agents(joined: &Joined) -> u64 {
    let nodes = joined.router.members();
    let asked = nodes.iter().map(|node| ask(joined, node, &NodeInfo {}));
    let reports = futures::future::join_all(asked).await.into_iter().flatten();
    reports
        .map(|report| u64::from(report.agents + report.parked) + report.passive)
        .sum()
}

async fn ask<W: Wire>(joined: &Joined, node: &NodeName, message: &W) -> Result<W::Reply, Refusal> {
    ask_at(joined, admin_of(node), message).await
}

async fn ask_at<W: Wire>(joined: &Joined, at: Address, message: &W) -> Result<W::Reply, Refusal> {
    let payload = Payload::of(message, Format::Binary)?;
    joined.router.ask(at, payload, LOOK_DEADLINE).await?.decode()
}

async fn stop_nodes(joined: &Joined) {
    let stops = joined.router.members().into_iter().map(|node| async move {
        // A node that does not hear it ends when its standard input closes.
        drop(ask(joined, &node, &Shutdown {}).await);
    });
    futures::future::join_all(stops).await;
}

/// Asks every node at once.
async fn look(joined: &Joined, elapsed: Duration, limit: Option<Duration>) -> Look {
    let asks = joined.router.members().into_iter().map(|node| async move {
        let (info, agents) = tokio::join!(ask(joined, &node, &NodeInfo {}), ask(joined, &node, &ListAgents {}));
        (node, info.ok(), agents.unwrap_or_default())
    });
    let mut look = Look {
        elapsed,
        limit,
        ..Look::default()
    };
    for (node, info, agents) in futures::future::join_all(asks).await {
        look.nodes.push(NodeRow { node, report: info });
        look.agents.extend(agents);
    }
    look.agents.sort_by_key(|row| natural(&row.agent.to_string()));
    look
}

/// The three ways to show the cluster.
struct View {
    terminal: bool,
    json: bool,
    colour: bool,
    began: Instant,
    limit: Option<Duration>,
    hints: Vec<String>,
    heading: String,
    news: News,
    progress: Progress,
}

impl View {
    fn new(up: &Up, dir: &Path, rate_hz: f64, voters: usize, began: Instant) -> Self {
        let terminal = std::io::stdout().is_terminal() && !up.json;
        let data = match up.data == Path::new(crate::args::DEFAULT_DATA) {
            true => String::new(),
            false => format!(" --data {}", up.data.display()),
        };
        let chosen = if up.rate.is_some() {
            "as asked for"
        } else {
            "chosen for this machine"
        };
        let heading = format!(
            "{}, {} at {rate_hz} cycles/s ({chosen}), data in {}",
            counted(up.nodes, "node"),
            counted(up.agents, "agent"),
            dir.display()
        );
        let mut hints = vec![
            format!("shell:  rungs shell{data}"),
            format!("break:  rungs exec{data} 'inject panic ops-1#l48/observe'"),
            "Ctrl-C drains and stops all of it".to_owned(),
        ];
        hints.extend(fewer_voters(up.nodes, voters));
        let colour = terminal && Style::of_output().colour;
        Self {
            terminal,
            json: up.json,
            colour,
            began,
            limit: up.duration,
            hints,
            heading,
            news: News::default(),
            progress: Progress::default(),
        }
    }

    fn greet(&self) -> std::io::Result<()> {
        if self.json {
            return Ok(());
        }
        let mut out = std::io::stdout();
        writeln!(
            out,
            "{}; up after {:.1} s",
            self.heading,
            self.began.elapsed().as_secs_f64()
        )?;
        if !self.terminal {
            for hint in &self.hints {
                writeln!(out, "{hint}")?;
            }
        }
        Ok(())
    }

    async fn run(
        &mut self,
        joined: &Joined,
        mut events: EventStream,
        mut process_events: mpsc::Receiver<ProcessEvent>,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let period = if self.terminal || self.json {
            LOOK_PERIOD
        } else {
            LINE_PERIOD
        };
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let end = self.limit.map(|limit| self.began + limit);
        let mut events_open = true;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let look = self.look(joined).await;
                    self.show(&look)?;
                }
                event = events.recv(), if events_open => match event {
                    Some(Watched::Event(event)) => {
                        self.progress.note(&event, self.began.elapsed());
                        self.tell(event_line(&event, self.colour))?;
                    }
                    Some(Watched::Lagged(lost)) => self.tell(format!("({lost} events lost)"))?,
                    None => events_open = false,
                },
                Some(event) = process_events.recv() => self.tell(process_line(&event))?,
                () = until(end) => break,
                _ = interrupt.received() => break,
            }
        }
        let look = self.look(joined).await;
        self.show(&look)?;
        if !self.json {
            writeln!(
                std::io::stdout(),
                "{}\nstopping {}",
                self.progress.summary(look.agents.len()),
                counted(look.nodes.len() as u32, "node")
            )?;
        }
        Ok(())
    }

    async fn look(&self, joined: &Joined) -> Look {
        Look {
            progress: self.progress.clone(),
            ..look(joined, self.began.elapsed(), self.limit).await
        }
    }

    fn tell(&mut self, line: String) -> std::io::Result<()> {
        match (self.json, self.terminal) {
            (true, _) => Ok(()),
            (false, true) => {
                self.news.add(line);
                Ok(())
            }
            (false, false) => writeln!(std::io::stdout(), "{line}"),
        }
    }

    fn show(&self, look: &Look) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        if self.json {
            out.write_all(look.json().as_bytes())?;
        } else if self.terminal {
            let screen = look.screen(&self.heading, &self.news, &self.hints, Style::of_output());
            // Over the screen before, line by line: a screen that is cleared first flickers.
            write!(out, "\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"))?;
        } else {
            writeln!(out, "{}", look.line())?;
        }
        out.flush()
    }
}

/// What a folder that began with fewer nodes lacks.
fn fewer_voters(nodes: u32, voters: usize) -> Option<String> {
    let wanted = voters_of(nodes as usize);
    (voters < wanted).then(|| {
        format!("store:  on n1 alone, as this folder began; in a new one (--data) it is on {wanted} nodes and outlives any of them")
    })
}

/// Such as `1 node` or `3 nodes`.
fn counted(count: u32, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn process_line(event: &ProcessEvent) -> String {
    match event {
        ProcessEvent::Started { node, pid } => format!("{node} process {pid} started"),
        ProcessEvent::Ended { node, how, again, last } => {
            let next = if *again {
                "starting it again"
            } else {
                "it is left alone"
            };
            // One that was killed had nothing to say.
            let last = if how.starts_with("signal") { "" } else { last };
            let said = if last.is_empty() {
                String::new()
            } else {
                format!(" ({last})")
            };
            format!("{node} ENDED by {how}{said}; {next}")
        }
    }
}
