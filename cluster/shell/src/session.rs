//! Runs commands: one line in, messages to actors, an answer printed. It decides nothing; what a command means is
//! decided by the actor that receives its message.

mod cluster;
mod mind;
mod operate;

use crate::command::{self, Command, LineError, Message, Spawn};
use crate::protocol::{ADMIN_ROLE, AgentRow, Describe, ListActors, ListAgents, NodeInfo, NodeReport, NodeRow, SetLog};
use crate::table::Style;
use crate::views;
use futures::future::join_all;
use rungs_agent::messages::LevelStanding;
use rungs_directory::activation;
use rungs_directory::activation::messages::{Activate, Passivate, Register, Unregister};
use rungs_host::{EventFilter, Format, Payload, Refusal, Router, Wire};
use rungs_types::{Address, AgentId, AgentSpec, ErrorCode, NodeName, RolePath};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// What a question to a node waits.
const NODE_DEADLINE: Duration = Duration::from_secs(5);
/// What starting an agent may take: its environment is opened and its state is read.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// What stopping an agent may take: its levels end in order and its state is saved.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How often `top` looks again.
const TOP_PERIOD: Duration = Duration::from_secs(1);
/// Agents that `top` shows.
const TOP_ROWS: usize = 20;

/// Why a line failed.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// It is not a command.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The message in it is not JSON.
    #[error("the message is not JSON: {0}; expected for example {{\"level\":\"L4.8\"}}")]
    Json(#[source] serde_json::Error),
    /// What is submitted is not a goal.
    #[error("the goal is not one: {0}; `help goal submit` shows one")]
    Goal(#[source] serde_json::Error),
    /// An actor or the way to it refused.
    #[error("{refusal} ({})", refusal.code)]
    Refused {
        /// What it said.
        #[from]
        refusal: Refusal,
    },
    /// A person said no.
    #[error("not done; repeat with --yes to do it without a question")]
    NotConfirmed,
    /// The terminal or the pipe failed.
    #[error("cannot read or write: {0}")]
    Io(#[from] std::io::Error),
}

impl ShellError {
    /// What a person is told, marked as an error.
    pub fn line(&self) -> String {
        let text = self.to_string();
        // That of the grammar comes with its mark.
        if text.starts_with("error: ") {
            text
        } else {
            format!("error: {text}")
        }
    }

    /// The exit code of a command that ends with this error: 2 for a line that is not in the grammar, 1 for all else. A
    /// message that is not JSON, or not a goal, is refused here as its receiver would refuse it.
    pub fn exit_code(&self) -> u8 {
        match self {
            ShellError::Line(_) => 2,
            ShellError::Json(_) | ShellError::Goal(_) => ErrorCode::Malformed.exit_code(),
            ShellError::Refused { refusal } => refusal.code.exit_code(),
            ShellError::NotConfirmed | ShellError::Io(_) => 1,
        }
    }
}

/// Whether another line follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Next,
    /// `exit` was typed.
    Exit,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Colours and width.
    pub style: Style,
    /// As JSON, one object or array a line.
    pub json: bool,
    /// Do not ask before destructive commands.
    pub yes: bool,
}

/// A shell on a cluster.
pub struct Session {
    router: Arc<dyn Router>,
    options: Options,
}

impl Session {
    /// A shell that reaches the cluster through a router.
    pub fn new(router: Arc<dyn Router>, options: Options) -> Self {
        Self { router, options }
    }

    /// Runs one line and prints its answer. Help that was asked for is printed, too.
    pub async fn run(&mut self, line: &str, out: &mut (impl Write + Send)) -> Result<Flow, ShellError> {
        match command::parse(line) {
            Ok(None) => Ok(Flow::Next),
            Ok(Some(Command::Exit)) => Ok(Flow::Exit),
            Ok(Some(command)) => self.execute(command, out).await.map(|()| Flow::Next),
            Err(help) if help.is_help() => {
                writeln!(out, "{help}")?;
                Ok(Flow::Next)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Names of nodes and agents, for completion.
    pub async fn names(&self) -> Result<Vec<String>, ShellError> {
        let mut names: Vec<String> = self.router.members().iter().map(ToString::to_string).collect();
        for (_, actors) in self.ask_all(&ListActors {}).await {
            names.extend(actors.unwrap_or_default().iter().map(ToString::to_string));
        }
        names.sort_by_cached_key(|name| views::natural(name));
        Ok(names)
    }

    async fn execute(&mut self, command: Command, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        match command {
            Command::Nodes => self.nodes(out).await,
            Command::Tree { target } => self.tree(target.as_deref(), out).await,
            Command::Agents { filter } => self.agents(filter.as_deref(), out).await,
            Command::Agent { agent } => self.agent(&agent, out).await,
            Command::Qualify { agent, level } => self.qualify(&agent, level, out).await,
            Command::Mind { agent, view } => self.mind(&agent, view, out).await,
            Command::Goals { agent } => self.goals(&agent, out).await,
            Command::Goal(command) => self.goal(command, out).await,
            Command::Top { count } => self.top(count, out).await,
            Command::Send(message) => self.send(&message, out).await,
            Command::Call { message, timeout } => self.call(&message, timeout, out).await,
            Command::Describe { target, schema } => self.describe(target, schema, out).await,
            Command::Spawn(spawn) => self.spawn(spawn, out).await,
            Command::Stop { agent, yes } => self.stop(agent, yes, out).await,
            Command::Passivate { agent } => {
                let rest = Passivate { agent: agent.clone() };
                self.activator(&agent, &rest, "rests", out).await
            }
            Command::Activate { agent } => {
                let run = Activate { agent: agent.clone() };
                self.activator(&agent, &run, "runs", out).await
            }
            Command::Freeze { agent, level } => {
                let then = format!(", and so is every level above it, until `thaw {agent} {level}`");
                self.order(agent, &rungs_agent::messages::Freeze { level, who: who() }, &then, out)
                    .await
            }
            Command::Thaw { agent, level } => {
                let then = "; it comes back step by step (`agents` says what it waits for). \
                            A level above it that was frozen with it waits for its own thaw";
                self.order(agent, &rungs_agent::messages::Thaw { level, who: who() }, then, out)
                    .await
            }
            Command::ResetIdentity { agent, yes } => self.reset_identity(agent, yes, out).await,
            Command::Authority {
                agent,
                level,
                value,
                yes,
            } => {
                self.confirm(yes, &format!("set the authority of {level} of {agent} to {value}?"))?;
                let who = who();
                let set = rungs_agent::messages::SetAuthority { level, value, who };
                self.order(agent, &set, "", out).await
            }
            Command::Inject(inject) => self.inject(inject, out).await,
            Command::Cluster(command) => self.cluster(command, out).await,
            Command::Links { node } => self.links(node, out).await,
            Command::Watch {
                agent,
                status,
                count,
                duration,
            } => {
                let filter = EventFilter { agent, status };
                self.watch(filter, count, duration, out).await
            }
            Command::Log { level, target, node } => self.log(&SetLog { level, target }, node, out).await,
            Command::Exit => Ok(()),
        }
    }

    async fn ask<W: Wire>(&self, to: Address, message: &W, deadline: Duration) -> Result<W::Reply, Refusal> {
        let payload = Payload::of(message, Format::Binary)?;
        self.router.ask(to, payload, deadline).await?.decode()
    }

    async fn ask_node<W: Wire>(&self, node: &NodeName, message: &W) -> Result<W::Reply, Refusal> {
        self.ask(admin_of(node), message, NODE_DEADLINE).await
    }

    /// Asks every member at once; the answers come with the member's name, those that fail too.
    async fn ask_all<W: Wire + Sync>(&self, message: &W) -> Vec<(NodeName, Result<W::Reply, Refusal>)> {
        let asks = self.router.members().into_iter().map(|node| async move {
            let answer = self.ask_node(&node, message).await;
            (node, answer)
        });
        join_all(asks).await
    }

    /// Orders something of a level of an agent, and tells how the level stands then.
    async fn order<W: Wire<Reply = LevelStanding>>(
        &self,
        agent: AgentId,
        message: &W,
        then: &str,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let answer = self.ask(agent.clone().into(), message, NODE_DEADLINE).await?;
        self.print_json_or(out, &answer, |now| {
            format!("done: {} of {agent} is {}{then}\n", now.level, now.authority)
        })
    }

    async fn reset_identity(&self, agent: AgentId, yes: bool, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let question = format!("measure the identity of {agent} by what it is from now on?");
        self.confirm(yes, &question)?;
        let then = "; its integrity is known again after 200 converged cycles";
        let reset = rungs_agent::messages::ResetIdentity { who: who() };
        self.order(agent, &reset, then, out).await
    }

    async fn nodes(&self, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let answers = self.ask_all(&NodeInfo {}).await;
        let row = |(node, answer): (NodeName, Result<NodeReport, Refusal>)| NodeRow {
            node,
            report: answer.ok(),
        };
        let rows: Vec<NodeRow> = answers.into_iter().map(row).collect();
        self.print_json_or(out, &rows, |rows| views::nodes(rows, self.options.style))
    }

    async fn tree(&self, target: Option<&str>, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let members = self.router.members();
        let (nodes, agent) = match target {
            None => (members, None),
            Some(name) if members.iter().any(|node| node.as_str() == name) => {
                (members.into_iter().filter(|node| node.as_str() == name).collect(), None)
            }
            Some(name) => {
                let agent: AgentId = name.parse().map_err(|error| {
                    Refusal::new(ErrorCode::NotFound, &format!("no node and no agent {name:?}: {error}"))
                })?;
                let owner = self.router.owner(&agent.clone().into()).await?;
                (vec![owner], Some(agent))
            }
        };
        for node in nodes {
            let tree = self
                .ask_node(&node, &crate::protocol::Tree { agent: agent.clone() })
                .await?;
            self.print_json_or(out, &tree, |tree| views::tree(tree, self.options.style))?;
        }
        Ok(())
    }

    /// All agents of all nodes that answer, sorted by name, and the nodes that did not answer.
    async fn rows(&self) -> (Vec<AgentRow>, Vec<(NodeName, Refusal)>) {
        let (mut rows, mut silent) = (Vec::new(), Vec::new());
        for (node, answer) in self.ask_all(&ListAgents {}).await {
            match answer {
                Ok(of_node) => rows.extend(of_node),
                Err(refusal) => silent.push((node, refusal)),
            }
        }
        rows.sort_by_key(|row| views::natural(&row.agent.to_string()));
        (rows, silent)
    }

    async fn agents(&self, filter: Option<&str>, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let (mut rows, silent) = self.rows().await;
        if let Some(filter) = filter {
            rows.retain(|row| row.node.as_str() == filter || row.agent.to_string().contains(filter));
        }
        self.print_json_or(out, &rows, |rows| views::agents(rows, self.options.style))?;
        let infos = self.ask_all(&NodeInfo {}).await;
        let resting: u64 = infos.iter().flat_map(|(_, info)| info).map(|info| info.passive).sum();
        if resting > 0 && !self.options.json {
            let agents = if resting == 1 { "agent rests" } else { "agents rest" };
            writeln!(out, "{resting} more {agents} until something comes for them")?;
        }
        for (node, refusal) in silent {
            eprintln!("{node} does not answer: {refusal}");
        }
        Ok(())
    }

    async fn agent(&self, agent: &AgentId, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let about = self
            .ask(agent.clone().into(), &rungs_agent::messages::Describe {}, NODE_DEADLINE)
            .await?;
        self.print_json_or(out, &about, |about| views::agent(about, self.options.style))
    }

    async fn top(&self, count: Option<u32>, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let terminal = std::io::stdout().is_terminal();
        let rounds = count.unwrap_or(if terminal { u32::MAX } else { 1 });
        let mut ticks = tokio::time::interval(TOP_PERIOD);
        for _ in 0..rounds {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
            let (mut rows, _) = self.rows().await;
            rows.sort_by(|a, b| b.cycles_per_s.total_cmp(&a.cycles_per_s));
            rows.truncate(TOP_ROWS);
            if terminal && !self.options.json {
                write!(out, "\x1b[2J\x1b[H")?;
            }
            self.print_json_or(out, &rows, |rows| views::agents(rows, self.options.style))?;
        }
        Ok(())
    }

    async fn send(&self, message: &Message, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let payload = json_payload(message)?;
        // Of a message that is sent nobody learns whether it was understood: that is asked before.
        let target = message.target.clone();
        let owner = self.router.owner(&target).await?;
        let described = self.ask_node(&owner, &Describe { target: target.clone() }).await;
        let kinds = match described {
            // It may rest: then what it receives is seen when it has been started.
            Err(refusal) if refusal.code == ErrorCode::NotFound => Vec::new(),
            kinds => kinds?,
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| kind.kind == payload.kind) {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.kind.as_str()).collect();
            let text = format!(
                "{target} receives no {:?}; expected one of {}",
                payload.kind,
                known.join(", ")
            );
            return Err(Refusal::new(ErrorCode::Malformed, &text).into());
        }
        self.router.tell(target, payload).await?;
        self.print_json_or(out, &(), |()| "sent\n".to_owned())
    }

    async fn call(
        &self,
        message: &Message,
        timeout: Duration,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let answer = self
            .router
            .ask(message.target.clone(), json_payload(message)?, timeout)
            .await?;
        let value: serde_json::Value = answer.decode()?;
        self.print_json_or(out, &value, |value| format!("{value:#}\n"))
    }

    async fn describe(&self, target: Address, schema: bool, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let owner = self.router.owner(&target).await?;
        let kinds = self.ask_node(&owner, &Describe { target: target.clone() }).await?;
        self.print_json_or(out, &kinds, |kinds| views::kinds(&target, kinds, schema))
    }

    async fn spawn(&self, spawn: Spawn, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let spec = AgentSpec {
            environment: spawn.env,
            rate_hz: spawn.rate,
            seed: spawn.seed,
            particles: spawn.particles,
            group: spawn.group,
            rests_after_s: spawn.rests_after,
            ..AgentSpec::new(spawn.agent)
        };
        let owner = self.router.owner(&spec.agent.clone().into()).await?;
        let register = Register { spec: spec.clone() };
        self.ask(activation::address(&owner), &register, START_DEADLINE).await?;
        self.print_json_or(out, &owner, |owner| format!("{} runs on {owner}\n", spec.agent))
    }

    /// Orders something of the activator of an agent's node, and tells what the agent does now.
    async fn activator<W: Wire<Reply = ()>>(
        &self,
        agent: &AgentId,
        order: &W,
        does: &str,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let owner = self.router.owner(&agent.clone().into()).await?;
        self.ask(activation::address(&owner), order, STOP_DEADLINE).await?;
        self.print_json_or(out, &owner, |owner| format!("{agent} {does} on {owner}\n"))
    }

    async fn stop(&self, agent: AgentId, yes: bool, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        self.confirm(yes, &format!("stop {agent}?"))?;
        let owner = self.router.owner(&agent.clone().into()).await?;
        let stop = Unregister { agent: agent.clone() };
        self.ask(activation::address(&owner), &stop, STOP_DEADLINE).await?;
        self.print_json_or(out, &owner, |owner| {
            format!("{agent} stopped on {owner}, its state is saved\n")
        })
    }

    fn confirm(&self, yes: bool, question: &str) -> Result<(), ShellError> {
        if yes || self.options.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(ShellError::NotConfirmed);
        }
        let mut out = std::io::stdout();
        write!(out, "{question} [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if matches!(answer.trim(), "y" | "yes") {
            Ok(())
        } else {
            Err(ShellError::NotConfirmed)
        }
    }

    fn print_json_or<T: serde::Serialize + ?Sized>(
        &self,
        out: &mut (impl Write + Send),
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), ShellError> {
        if self.options.json {
            let json = serde_json::to_string(value).map_err(std::io::Error::other)?;
            writeln!(out, "{json}")?;
        } else {
            out.write_all(text(value).as_bytes())?;
        }
        Ok(())
    }
}

/// The operator's name for the event stream: the login name, or `operator`.
fn who() -> String {
    std::env::var("USER")
        .ok()
        .filter(|name| !name.is_empty() && name.len() <= 64)
        .unwrap_or("operator".into())
}

/// The address of a node's admin actor.
pub fn admin_of(node: &NodeName) -> Address {
    node_address(node, ADMIN_ROLE)
}

fn node_address(node: &NodeName, role: &str) -> Address {
    Address::Node {
        node: node.clone(),
        role: RolePath::new(role).expect("a constant role is valid"),
    }
}

fn json_payload(message: &Message) -> Result<Payload, ShellError> {
    let (kind, json) = message.kind_and_json();
    let _: serde_json::Value = serde_json::from_str(&json).map_err(ShellError::Json)?;
    Ok(Payload {
        kind: Cow::Owned(kind),
        version: 1,
        format: Format::Json,
        bytes: json.into_bytes().into(),
    })
}
