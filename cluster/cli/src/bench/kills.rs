//! P10: nodes of a cluster of three are killed, one after the other, while goals are submitted: how long until all agents of
//! the killed node answer again, and whether a goal that was acknowledged is lost.
//!
//! The cluster is that of `rungs up`: processes over sockets, three voters. What was killed is started again by `up`; the next
//! kill comes when every node has its share again.

use super::process::Folder;
use super::progress::Progress;
use super::report::{Figure, Target};
use crate::join::{Joined, join};
use anyhow::Context as _;
use futures::future::join_all;
use rungs_agent::goals::{AcceptGoal, GetGoal, acceptor_of, kernel_of};
use rungs_agent::messages::Describe;
use rungs_directory::SHARDS;
use rungs_directory::member::{self, messages::ListMembers};
use rungs_directory::membership::MemberState;
use rungs_host::{Format, Payload, Refusal, Router, Wire};
use rungs_shell::protocol::NodeInfo;
use rungs_shell::session::admin_of;
use rungs_types::goal::{Comparison, Condition, Quantity, Success};
use rungs_types::{Address, AgentId, GoalId, GoalSpec, NodeName};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Nodes of the cluster.
const NODES: usize = 3;
/// How long the cluster may take to be up, to be balanced again, or to answer again.
const WITHIN: Duration = Duration::from_secs(120);
/// Time between two kills, at least: `up` leaves a node alone that ends five times in a minute.
const KILL_EVERY: Duration = Duration::from_secs(5);
/// How long one question is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long after a question that was not answered the next is asked.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a goal is submitted while a node is down.
const SUBMIT_EVERY: Duration = Duration::from_millis(100);
/// How long a goal is submitted before it is given up as not acknowledged.
const SUBMIT_WITHIN: Duration = Duration::from_secs(5);

/// A running cluster.
struct Cluster {
    joined: Joined,
    up: Child,
    _folder: Folder,
}

impl Cluster {
    /// Ends it in order: what still ran would write into a folder that is gone.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.joined.leave().await;
        let up = self.up.id().and_then(|id| i32::try_from(id).ok());
        if let Some(up) = up.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(up, rustix::process::Signal::INT).context("cannot stop `rungs up`")?;
        }
        let ended = tokio::time::timeout(WITHIN, self.up.wait()).await;
        ended
            .context("`rungs up` does not end")?
            .map(drop)
            .context("cannot wait for `rungs up`")
    }
}

/// What one kill came to.
struct Outcome {
    /// For each agent of the killed node how long it took until it answered, in seconds.
    answered_s: Vec<f64>,
    /// Goals that were acknowledged while the node was down, or just before.
    acknowledged: Vec<(AgentId, GoalId)>,
}

/// Kills nodes so often.
pub async fn measure(kills: u32, agents: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    progress.say("a cluster of three is started");
    let cluster = start(agents).await?;
    let measured = measure_on(&cluster, kills, agents, progress).await;
    cluster.stop().await?;
    measured
}

async fn measure_on(cluster: &Cluster, kills: u32, agents: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let router = Arc::clone(&cluster.joined.router);
    let names: Vec<AgentId> = (1..=agents).map(rungs_shell::command::default_agent).collect();
    let (mut answered_s, mut acknowledged) = (Vec::new(), Vec::new());
    let mut ticks = tokio::time::interval(KILL_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for kill in 0..kills {
        ticks.tick().await;
        balanced(&*router).await?;
        let victim = NodeName::new(&format!("n{}", kill as usize % NODES + 1))?;
        progress.say(&format!("kill {} of {kills}: {victim}", kill + 1));
        let outcome = kill_one(&router, &victim, &names, kill).await?;
        answered_s.extend(outcome.answered_s);
        acknowledged.extend(outcome.acknowledged);
    }
    balanced(&*router).await?;
    progress.say("what was acknowledged is looked for");
    let mut lost = 0;
    for (agent, goal) in &acknowledged {
        if !is_there(&*router, agent, goal).await {
            eprintln!("goal {goal} of {agent} was acknowledged and is not there");
            lost += 1;
        }
    }
    Ok(figures(&mut answered_s, acknowledged.len(), lost))
}

async fn start(agents: u32) -> anyhow::Result<Cluster> {
    let folder = Folder::new()?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut up = Command::new(program);
    up.arg("up").arg("--data").arg(folder.path());
    up.args([
        "--nodes",
        &NODES.to_string(),
        "--rate",
        "1",
        "--agents",
        &agents.to_string(),
    ]);
    up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let up = up.kill_on_drop(true).spawn().context("cannot start `rungs up`")?;
    let joined = joined(folder.path()).await?;
    Ok(Cluster {
        joined,
        up,
        _folder: folder,
    })
}

async fn joined(dir: &Path) -> anyhow::Result<Joined> {
    let end = Instant::now() + WITHIN;
    loop {
        match join(dir, None, true).await {
            Ok(joined) => return Ok(joined),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn ask<W: Wire>(router: &dyn Router, to: Address, message: &W, within: Duration) -> Result<W::Reply, Refusal> {
    let payload = Payload::of(message, Format::Binary)?;
    router.ask(to, payload, within).await?.decode()
}

/// Waits until every node is a live member with about its share.
async fn balanced(router: &dyn Router) -> anyhow::Result<()> {
    let end = Instant::now() + WITHIN;
    let least = u32::from(SHARDS) / NODES as u32 / 2;
    loop {
        for node in router.members() {
            let members = ask(router, member::address(&node), &ListMembers {}, ANSWER_WITHIN).await;
            let live = members.unwrap_or_default();
            let live = live.iter().filter(|member| {
                member.state == MemberState::Live && member.has_lease && member.arriving == 0 && member.shards >= least
            });
            if live.count() == NODES {
                return Ok(());
            }
        }
        anyhow::ensure!(
            Instant::now() < end,
            "the cluster is not balanced within {} s",
            WITHIN.as_secs()
        );
        tokio::time::sleep(PAUSE).await;
    }
}

async fn kill_one(
    router: &Arc<dyn Router>,
    victim: &NodeName,
    names: &[AgentId],
    kill: u32,
) -> anyhow::Result<Outcome> {
    let owners = join_all(names.iter().map(|agent| {
        let address = Address::from(agent.clone());
        async move { router.owner(&address).await.ok() }
    }));
    let owners = owners.await;
    let of_victim = names
        .iter()
        .zip(owners)
        .filter(|(_, owner)| owner.as_ref() == Some(victim));
    let of_victim: Vec<AgentId> = of_victim.map(|(agent, _)| agent.clone()).collect();
    let pid = process_of(&**router, victim).await?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let submitted = submit_until(Arc::clone(router), names.to_vec(), kill, stopped);
    let submitted = rungs_host::tasks::spawn("submit goals", submitted);
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).context("cannot kill the node")?;
    let killed = Instant::now();
    let answered = join_all(of_victim.iter().map(|agent| answers_again(&**router, agent, killed))).await;
    // Whoever submits ends by this, or has ended.
    let _ = stop.send(());
    let acknowledged = submitted.await.context("goals were submitted")?;
    Ok(Outcome {
        answered_s: answered.into_iter().collect::<anyhow::Result<_>>()?,
        acknowledged,
    })
}

/// The process of a node. The link to one that has just started may take a moment.
async fn process_of(router: &dyn Router, node: &NodeName) -> anyhow::Result<rustix::process::Pid> {
    let end = Instant::now() + WITHIN;
    loop {
        match ask(router, admin_of(node), &NodeInfo {}, ANSWER_WITHIN).await {
            Ok(info) => {
                let pid = i32::try_from(info.pid).ok().and_then(rustix::process::Pid::from_raw);
                return pid.context("the node has a process");
            }
            Err(refusal) => anyhow::ensure!(Instant::now() < end, "{node} does not answer: {refusal}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks an agent until it answers; how long that was after the kill, in seconds.
async fn answers_again(router: &dyn Router, agent: &AgentId, killed: Instant) -> anyhow::Result<f64> {
    loop {
        let answer = ask(router, Address::from(agent.clone()), &Describe {}, ANSWER_WITHIN).await;
        let after = killed.elapsed();
        match answer {
            Ok(_) => return Ok(after.as_secs_f64()),
            Err(refusal) => anyhow::ensure!(after < WITHIN, "{agent} does not answer: {refusal}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Submits goals to any node for agents in turn until it is told to stop; those that were acknowledged.
async fn submit_until(
    router: Arc<dyn Router>,
    names: Vec<AgentId>,
    kill: u32,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) -> Vec<(AgentId, GoalId)> {
    let (mut acknowledged, nodes) = (Vec::new(), router.members());
    let mut ticks = tokio::time::interval(SUBMIT_EVERY);
    for number in 0.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut stopped => break,
        }
        // Every agent has its turn, far from the one before.
        let agent = names[(number * 37 + kill as usize * 11) % names.len()].clone();
        let Ok(goal) = GoalId::new(&format!("k{kill}-{number}")) else {
            break;
        };
        if submit(&*router, &nodes, number, &agent, &goal).await {
            acknowledged.push((agent, goal));
        }
    }
    acknowledged
}

/// As an operator does who gets no answer: the same goal again, to another node.
async fn submit(router: &dyn Router, nodes: &[NodeName], first: usize, agent: &AgentId, goal: &GoalId) -> bool {
    let end = Instant::now() + SUBMIT_WITHIN;
    let never = Condition {
        of: Quantity::Dimension(0),
        is: Comparison::Below,
        value: -1.0,
    };
    let message = AcceptGoal {
        agent: agent.clone(),
        spec: GoalSpec {
            goal: goal.clone(),
            success: Success {
                all: vec![never],
                any: Vec::new(),
            },
            ..AcceptGoal::example().spec
        },
        key: None,
    };
    for node in nodes.iter().cycle().skip(first) {
        match ask(router, acceptor_of(node), &message, ANSWER_WITHIN).await {
            Ok(_) => return true,
            Err(_) if Instant::now() >= end => return false,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    false
}

/// Whether an agent has a goal, or takes it yet.
async fn is_there(router: &dyn Router, agent: &AgentId, goal: &GoalId) -> bool {
    let end = Instant::now() + WITHIN / 4;
    let message = GetGoal { goal: goal.clone() };
    while ask(router, kernel_of(agent), &message, ANSWER_WITHIN).await.is_err() {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

fn figures(answered_s: &mut [f64], acknowledged: usize, lost: usize) -> Vec<Figure> {
    answered_s.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let place = (answered_s.len() as f64 * q).ceil() as usize;
        answered_s.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    let figure = |what, value, unit, target| Figure {
        id: "P10",
        what,
        value,
        unit,
        baseline: "",
        baseline_value: None,
        target,
    };
    vec![
        figure("agents of a killed node answer, p50", quantile(0.5), "s", Target::None),
        figure(
            "agents of a killed node answer, p99",
            quantile(0.99),
            "s",
            Target::AtMost(10.0),
        ),
        figure("agents that had to answer", answered_s.len() as f64, "", Target::None),
        figure("goals acknowledged", acknowledged as f64, "", Target::None),
        figure("of these lost", lost as f64, "", Target::AtMost(0.0)),
    ]
}
