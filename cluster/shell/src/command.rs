//! The grammar of the shell: one line in, one [`Command`] out. The same grammar serves `rungs shell`, `rungs exec` and
//! the completion of a half-typed line.

mod cluster;
mod inject;
mod mind;

pub use cluster::{ClusterCommand, Place};
pub use inject::Inject;
pub use mind::{GoalCommand, MindView};

use clap::{Args, CommandFactory, Parser, Subcommand};
use rungs_types::{Address, AgentId, AgentName, Authority, EnvironmentSpec, Level, NodeName};
use std::time::Duration;

/// Longest line the shell reads, in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// What a call waits by default.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// One line of the shell.
#[derive(Debug, Parser)]
#[command(name = "", multicall = false, no_binary_name = true, disable_version_flag = true)]
#[command(help_template = "{subcommands}\n\n`help COMMAND` shows a command's arguments and an example.")]
#[command(disable_help_flag = true)]
pub struct Line {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What a line asks for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the nodes of the cluster and how the links to them are.
    #[command(after_help = "Example: nodes")]
    Nodes,
    /// Members, shards and what moves them.
    #[command(flatten)]
    Cluster(ClusterCommand),
    /// Show the links between nodes: round trips, what was sent, what waits, what had to be sent again.
    #[command(after_help = "Examples:\n  links\n  links n2    those of one node")]
    Links {
        /// Only those of this node.
        node: Option<NodeName>,
    },
    /// Show the supervision tree of a node or an agent: state, mailbox depth, restarts, authority.
    #[command(
        after_help = "Examples:\n  tree            all nodes\n  tree n2         one node\n  tree ops-1      one agent"
    )]
    Tree {
        /// A node or an agent; all nodes without it.
        target: Option<String>,
    },
    /// List the agents: level, authority, cycles, uncertainty, forecast error, freezes.
    #[command(
        after_help = "Examples:\n  agents\n  agents n2       those on n2\n  agents ops-1    those whose name contains ops-1"
    )]
    Agents {
        /// A node, or a part of the agent's name.
        filter: Option<String>,
    },
    /// Show one agent: levels with authority, scores and indices, what each level waits for, the last veto.
    #[command(after_help = "Example: agent ops-1")]
    Agent {
        /// The agent.
        agent: AgentId,
    },
    /// Show whether a level of an agent qualifies: each criterion against its target, and the score.
    #[command(after_help = "Examples:\n  qualify ops-1\n  qualify ops-1 L4.9")]
    Qualify {
        /// The agent.
        agent: AgentId,
        /// L4.8 or L4.9.
        #[arg(default_value = "L4.8")]
        level: Level,
    },
    /// Show what an agent's levels came to last: all of it in short, or one view.
    #[command(after_help = "Examples:\n  mind ops-1\n  mind ops-1 strategies\n  mind ops-1 values\n  mind ops-1 ass")]
    Mind {
        /// The agent.
        agent: AgentId,
        /// The view.
        #[arg(value_enum)]
        view: Option<MindView>,
    },
    /// Show an agent's goals as a tree: priority, share, tasks, what each waits for, and those it thought of itself.
    #[command(after_help = "Example: goals ops-1")]
    Goals {
        /// The agent.
        agent: AgentId,
    },
    /// Show, set or cancel a goal.
    #[command(
        subcommand,
        after_help = "Examples:\n  goal show ops-1 calm\n  goal submit ops-1 calm.json\n  goal cancel ops-1 calm\n\n`help goal submit` shows what a goal looks like."
    )]
    Goal(GoalCommand),
    /// Show the busiest agents, again and again until Ctrl-C (once when piped).
    #[command(after_help = "Example: top --count 5")]
    Top {
        /// How many refreshes; endless on a terminal, 1 when piped.
        #[arg(long)]
        count: Option<u32>,
    },
    /// Send a message to an actor and do not wait for an answer.
    #[command(after_help = "Example: send ops-1 'agent.freeze {\"level\":\"L4.8\"}'")]
    Send(Message),
    /// Send a message to an actor and print its answer.
    #[command(
        after_help = "Examples:\n  call ops-1 agent.status\n  call user:greeter 'greet {\"name\":\"Ada\"}' --timeout 5s"
    )]
    Call {
        /// The message.
        #[command(flatten)]
        message: Message,
        /// How long to wait, such as 500ms or 2s.
        #[arg(long, value_parser = duration, default_value = "2s")]
        timeout: Duration,
    },
    /// List the messages an actor receives, with an example of each.
    #[command(after_help = "Examples:\n  describe ops-1\n  describe ops-1#l48/observe\n  describe @n2/admin")]
    Describe {
        /// The actor.
        target: Address,
        /// Also print the JSON Schemas.
        #[arg(long)]
        schema: bool,
    },
    /// Register an agent and start it, on the node that its name belongs to; it comes back when the node does.
    #[command(
        after_help = "Examples:\n  spawn ops-99\n  spawn demo --env sim:8:7 --rests-after 60s\n  spawn demo --env sim:8:7 --rate 20 --seed 3 --group web"
    )]
    Spawn(Spawn),
    /// Let an agent save its state and rest: it takes nothing then, and runs again as soon as it is wanted.
    #[command(after_help = "Example: passivate demo")]
    Passivate {
        /// The agent; one that was spawned with --rests-after.
        agent: AgentId,
    },
    /// Start an agent that rests.
    #[command(after_help = "Example: activate demo")]
    Activate {
        /// The agent.
        agent: AgentId,
    },
    /// Stop an agent for good; its state is saved, and is there when an agent of its name is spawned again.
    #[command(after_help = "Example: stop ops-99 --yes")]
    Stop {
        /// The agent.
        agent: AgentId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Freeze a level of an agent and every level above it.
    #[command(after_help = "Example: freeze ops-1 L4.8")]
    Freeze {
        /// The agent.
        agent: AgentId,
        /// The lowest level to freeze.
        level: Level,
    },
    /// Let a frozen or suspended level begin its way back.
    #[command(after_help = "Example: thaw ops-1 L4.8")]
    Thaw {
        /// The agent.
        agent: AgentId,
        /// The level.
        level: Level,
    },
    /// Measure the identity of an agent by what it is from now on, after its work has changed for good.
    #[command(
        name = "reset-identity",
        long_about = "Measure the identity of an agent by what it is from now on, after its work has changed for good.\n\nThe reference is taken of its next 200 cycles in which its model of itself has converged. Until then its integrity (IIS) is not known, and a level that is not active yet waits for it.",
        after_help = "Example: reset-identity ops-1 --yes"
    )]
    ResetIdentity {
        /// The agent.
        agent: AgentId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Set the authority of a level: frozen, shadow, advisory, half or full.
    #[command(after_help = "Example: authority ops-1 L4.8 advisory")]
    Authority {
        /// The agent.
        agent: AgentId,
        /// The level.
        level: Level,
        /// The authority.
        value: Authority,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Break an actor on purpose (only on nodes whose configuration says allow_faults = true, as those of `up` do).
    #[command(
        subcommand,
        after_help = "Examples:\n  inject panic ops-1#l48/observe\n  inject stall-spin ops-1#l48/verify\n  inject delay ops-1#kernel --ms 500\n  inject drop ops-1#l48/emit --count 3\n  inject list\n  inject clear ops-1#kernel"
    )]
    Inject(Inject),
    /// Stream the events of an agent, or of all, until Ctrl-C.
    #[command(after_help = "Examples:\n  watch\n  watch ops-1 --status --count 20")]
    Watch {
        /// The agent; all without it.
        agent: Option<AgentId>,
        /// Also the frequent status events.
        #[arg(long)]
        status: bool,
        /// Stop after so many events.
        #[arg(long)]
        count: Option<u64>,
        /// Stop after so long.
        #[arg(long = "for", value_parser = duration)]
        duration: Option<Duration>,
    },
    /// Change what nodes log, live.
    #[command(after_help = "Examples:\n  log debug rungs_mesh\n  log info --node n2")]
    Log {
        /// error, warn, info, debug or trace.
        level: String,
        /// The module; all of Rungs without it.
        target: Option<String>,
        /// Only on this node.
        #[arg(long)]
        node: Option<NodeName>,
    },
    /// Leave the shell.
    #[command(visible_alias = "quit")]
    Exit,
}

/// A message in a line: its kind, then its fields as JSON.
#[derive(Debug, Args)]
pub struct Message {
    /// The actor: [tenant/]name[#role], @node/role or user:name.
    pub target: Address,
    /// The kind, then its fields as JSON; no JSON stands for {}.
    #[arg(required = true, num_args = 1.., trailing_var_arg = false)]
    pub message: Vec<String>,
}

impl Message {
    /// Splits the message into its kind and its JSON text.
    pub fn kind_and_json(&self) -> (String, String) {
        let text = self.message.join(" ");
        let text = text.trim();
        match text.find(|c: char| c.is_whitespace() || c == '{') {
            Some(end) => (text[..end].to_owned(), text[end..].trim().to_owned()),
            None => (text.to_owned(), "{}".to_owned()),
        }
    }
}

/// Arguments of `spawn`.
#[derive(Debug, Args)]
pub struct Spawn {
    /// The agent's name, [tenant/]name.
    pub agent: AgentId,
    /// What it watches: host, sim:DIMENSIONS:SEED, trace:FILE (a path on the node) or custom:NAME.
    #[arg(long, value_parser = environment, default_value = "host")]
    pub env: EnvironmentSpec,
    /// Cycles per second, 0.1 to 1000.
    #[arg(long, value_parser = rate, default_value_t = 10.0)]
    pub rate: f64,
    /// Seed of all its randomness.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Particles of the belief filter, 10 to 10000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub particles: u32,
    /// The group of agents that it speaks to.
    #[arg(long)]
    pub group: Option<AgentName>,
    /// After how long without a message or an open goal it rests until it is wanted, such as 60s or 5m; without it, it runs
    /// always.
    #[arg(long, value_parser = rests_after)]
    pub rests_after: Option<u32>,
}

/// Why a line is not a command.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("the line has {0} bytes; expected at most {MAX_LINE_BYTES}")]
    TooLong(usize),
    /// A quotation mark without its partner.
    #[error("the line has an opening quotation mark without a closing one")]
    OpenQuote,
    /// Not in the grammar; the text says what was expected. Help that was asked for arrives this way too.
    #[error("{}", .0.render().to_string().trim_end())]
    Grammar(#[source] Box<clap::Error>),
}

impl LineError {
    /// The text is help that was asked for, not a complaint.
    pub fn is_help(&self) -> bool {
        use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
        matches!(self, LineError::Grammar(error) if matches!(error.kind(), DisplayHelp | DisplayVersion))
    }
}

/// Reads one line; `None` for an empty one or a comment (`#` first).
pub fn parse(line: &str) -> Result<Option<Command>, LineError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong(line.len()));
    }
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(None);
    }
    let mut words = split(trimmed)?;
    // `inject stall spin X` reads better than `inject stall-spin X`: both are taken.
    if words.len() > 2 && words[0] == "inject" && words[1] == "stall" {
        let kind = format!("stall-{}", words.remove(2));
        words[1] = kind;
    }
    let line = Line::try_parse_from(words).map_err(|error| LineError::Grammar(Box::new(error)))?;
    Ok(Some(line.command))
}

/// The names of all commands, for completion.
pub fn names() -> Vec<String> {
    Line::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

/// Splits a line into words as a Unix shell does: blanks separate, quotes group, braces of JSON group too, so that a
/// message needs no quotes.
fn split(line: &str) -> Result<Vec<String>, LineError> {
    let (mut words, mut word, mut begun) = (Vec::new(), String::new(), false);
    let (mut quote, mut depth) = (None, 0_usize);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => {
                quote = None;
                if depth > 0 {
                    word.push(c);
                }
            }
            (Some('"'), '\\') => {
                let escaped = chars.next().ok_or(LineError::OpenQuote)?;
                if depth > 0 || !matches!(escaped, '"' | '\\') {
                    word.push('\\');
                }
                word.push(escaped);
            }
            (Some(_), c) => word.push(c),
            (None, '"') | (None, '\'') if depth == 0 || c == '"' => {
                (quote, begun) = (Some(c), true);
                if depth > 0 {
                    word.push(c);
                }
            }
            (None, '{' | '[') => {
                depth += 1;
                begun = true;
                word.push(c);
            }
            (None, '}' | ']') => {
                depth = depth.saturating_sub(1);
                word.push(c);
            }
            (None, c) if c.is_whitespace() && depth == 0 => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, c) => {
                begun = true;
                word.push(c);
            }
        }
    }
    if quote.is_some() {
        return Err(LineError::OpenQuote);
    }
    if begun {
        words.push(word);
    }
    Ok(words)
}

/// Reads `500ms`, `2s`, `1m` or `1.5s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is not a duration; expected a number with ms, s or m, such as 500ms or 2s");
    let (digits, unit_s) = if let Some(digits) = text.strip_suffix("ms") {
        (digits, 1e-3)
    } else if let Some(digits) = text.strip_suffix('s') {
        (digits, 1.0)
    } else if let Some(digits) = text.strip_suffix('m') {
        (digits, 60.0)
    } else {
        return Err(expected());
    };
    let value: f64 = digits.trim().parse().map_err(|_| expected())?;
    Duration::try_from_secs_f64(value * unit_s).map_err(|_| expected())
}

/// Reads a duration of whole seconds.
pub fn rests_after(text: &str) -> Result<u32, String> {
    let range = rungs_types::spec::RESTS_AFTER_RANGE_S;
    let seconds = duration(text)?.as_secs_f64();
    let whole = (seconds.fract() == 0.0).then_some(seconds as u32);
    whole.filter(|seconds| range.contains(seconds)).ok_or_else(|| {
        format!(
            "{text:?} is not a time to rest after; expected whole seconds from {}s to {}s",
            range.start(),
            range.end()
        )
    })
}

/// Reads a rate in cycles per second.
pub fn rate(text: &str) -> Result<f64, String> {
    let range = rungs_types::spec::RATE_RANGE_HZ;
    let value = text.parse().ok().filter(|rate| range.contains(rate));
    value.ok_or_else(|| {
        format!(
            "{text:?} is not a rate; expected a number from {} to {}, in cycles per second",
            range.start(),
            range.end()
        )
    })
}

/// Reads `host`, `sim:DIMENSIONS:SEED`, `trace:FILE` or `custom:NAME`.
pub fn environment(text: &str) -> Result<EnvironmentSpec, String> {
    let expected =
        || format!("{text:?} is not an environment; expected host, sim:DIMENSIONS:SEED, trace:FILE or custom:NAME");
    match text.split_once(':') {
        None if text == "host" => Ok(EnvironmentSpec::Host),
        None if text == "sim" => Ok(EnvironmentSpec::Sim { dimensions: 8, seed: 0 }),
        Some(("trace", path)) if !path.is_empty() => Ok(EnvironmentSpec::Trace { path: path.to_owned() }),
        Some(("custom", name)) if !name.is_empty() => Ok(EnvironmentSpec::Custom { name: name.to_owned() }),
        Some(("sim", rest)) => {
            let (dimensions, seed) = rest.split_once(':').unwrap_or((rest, "0"));
            let dimensions = dimensions.parse().map_err(|_| expected())?;
            if !(1..=rungs_types::spec::MAX_DIMENSIONS as u32).contains(&dimensions) {
                return Err(format!(
                    "{dimensions} dimensions; expected 1 to {}",
                    rungs_types::spec::MAX_DIMENSIONS
                ));
            }
            Ok(EnvironmentSpec::Sim {
                dimensions,
                seed: seed.parse().map_err(|_| expected())?,
            })
        }
        _ => Err(expected()),
    }
}

/// The name of an agent as typed by `up`: `ops-1`, `ops-2` and so on.
pub fn default_agent(index: u32) -> AgentId {
    let name = AgentName::new(&format!("ops-{index}")).expect("ops- and digits are a name");
    AgentId::of_default_tenant(name)
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
