//! The command line: what can be typed after `rungs`.

use clap::{Args, Parser, Subcommand};
use rungs_mesh::Role;
use rungs_shell::command::{duration, rate};
use rungs_types::{AgentId, Authority, Level};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where `up` keeps a local cluster, and where the shell looks for one.
pub const DEFAULT_DATA: &str = ".rungs";
/// For how many days a certificate is issued.
const DEFAULT_CERTIFICATE_DAYS: u32 = (rungs_mesh::ca::NODE_VALIDITY.as_secs() / (24 * 3600)) as u32;

/// Autonomous agents whose autonomy is governed.
#[derive(Debug, Parser)]
#[command(name = "rungs", version, max_term_width = 110)]
#[command(after_help = "Begin with `rungs up`, then `rungs shell` in a second terminal.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a local cluster of real node processes whose agents watch this machine, with a live view.
    #[command(
        after_help = "Examples:\n  rungs up\n  rungs up --nodes 3 --agents 12 --for 60s\n  rungs up --json --for 30s"
    )]
    Up(Up),
    /// Run one node.
    #[command(
        after_help = "Examples:\n  rungs node --config node.toml\n  rungs node --config node.toml --set log=debug --check"
    )]
    Node(Node),
    /// Open the admin actor shell.
    #[command(
        after_help = "Examples:\n  rungs shell\n  echo agents | rungs shell\n  rungs shell --data /var/lib/rungs"
    )]
    Shell(Connect),
    /// Run one shell command.
    #[command(
        after_help = "Examples:\n  rungs exec nodes\n  rungs exec 'call ops-1 agent.status' --json\n  rungs exec 'inject panic ops-1#l48/observe'"
    )]
    Exec(Exec),
    /// Show whether a level of an agent qualifies: each criterion against its target, and the score.
    #[command(
        after_help = "Examples:\n  rungs qualify ops-1\n  rungs qualify ops-1 --level L4.9\n  rungs qualify ops-1 --json"
    )]
    Qualify(Qualify),
    /// Run agents over recorded time series as fast as it goes; print how well they forecast, what they raised and how
    /// far they rose.
    #[command(
        after_help = "Examples:\n  rungs replay cpu.csv disk.csv\n  rungs replay --dir traces --seed 7\n  rungs replay --dir traces --stack --events events.jsonl\n  rungs replay --dir traces --labels combined_windows.json --plot plots/\n\nA CSV file has a line of column names, an optional first column of times, and 1 to 64 columns of numbers.\nLabels are {\"cpu.csv\": [[\"2024-05-01 10:00:00\", \"2024-05-01 11:00:00\"]]}, or, of one trace, a CSV file of start,end lines."
    )]
    Replay(Replay),
    /// Measure this build on this machine, beside baselines in the same run.
    #[command(
        after_help = "Examples:\n  rungs bench\n  rungs bench mesh filter\n  rungs bench local --runs 5 --json\n  rungs bench --mind --dir traces --labels labels.json"
    )]
    Bench(Bench),
    /// One process of a measurement; prints a line for `bench`.
    #[command(subcommand, hide = true)]
    BenchChild(BenchChild),
    /// Write what a running cluster has agreed on (agents, goals, members, who owns what) into a file, and read it again.
    #[command(after_help = "Example: rungs backup cluster.backup --data .rungs")]
    Backup(Backup),
    /// Begin a cluster anew from a backup, in a folder that has none.
    #[command(
        after_help = "Examples:\n  rungs restore cluster.backup --check           only say whether it is whole\n  rungs restore cluster.backup --data restored"
    )]
    Restore(Restore),
    /// Make a certificate authority and node certificates.
    #[command(subcommand)]
    Cert(Cert),
    /// Print a completion script for a shell.
    #[command(after_help = "Example: rungs completions bash > /etc/bash_completion.d/rungs")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `backup`.
#[derive(Debug, Clone, Args)]
pub struct Backup {
    /// The file; one that is there is replaced when the new one is whole.
    pub file: PathBuf,
    /// The folder of the cluster.
    #[arg(long, default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
pub struct Restore {
    /// The backup.
    pub file: PathBuf,
    /// The folder of the cluster that begins.
    #[arg(long, default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Nodes of a folder that has no cluster.toml, 1 to 16.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::local::MAX_NODES)))]
    pub nodes: u32,
    /// Only say whether the backup is whole.
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `up`.
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Node processes, 1 to 16.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::local::MAX_NODES)))]
    pub nodes: u32,
    /// Agents, 0 to 1000, spread over the nodes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub agents: u32,
    /// Stop after so long, such as 60s; without it at Ctrl-C.
    #[arg(long = "for", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Where the cluster lives; a second `up` on the same folder resumes it.
    #[arg(long, default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Cycles per second of each agent, 0.1 to 1000; without it a rate that fits the machine.
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// Print one JSON object a line instead of the live view.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `node`.
#[derive(Debug, Clone, Args)]
pub struct Node {
    /// The configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// Set a key, over file and RUNGS_... variables; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Check the configuration, print what is in force, and end.
    #[arg(long)]
    pub check: bool,
    /// End when the standard input is closed: how `up` makes sure that its nodes never outlive it.
    #[arg(long, hide = true)]
    pub follow_stdin: bool,
    /// Take the listening socket from the standard input, a Unix socket: how `up` keeps the ports of its nodes.
    #[arg(long, hide = true)]
    pub socket_on_stdin: bool,
}

/// How the shell finds the cluster.
#[derive(Debug, Clone, Args)]
pub struct Connect {
    /// The folder that `up` was given: members and certificates are read from it.
    #[arg(long, default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Connect to this node instead of the members listed in the folder.
    #[arg(long)]
    pub connect: Option<SocketAddr>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Do not ask before destructive commands.
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `exec`.
#[derive(Debug, Clone, Args)]
pub struct Exec {
    /// The command as it would be typed in the shell.
    pub command: String,
    /// The cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Arguments of `qualify`.
#[derive(Debug, Clone, Args)]
pub struct Qualify {
    /// The agent.
    pub agent: AgentId,
    /// The level: L4.8 or L4.9.
    #[arg(long, default_value = "L4.8")]
    pub level: Level,
    /// The cluster.
    #[command(flatten)]
    pub connect: Connect,
}

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// CSV files, each watched by an agent of its own.
    #[arg(value_name = "TRACE", required_unless_present = "dir")]
    pub traces: Vec<PathBuf>,
    /// All CSV files of this folder, after those named.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// One agent watches all files side by side, a row of each in every cycle; a file is a group of dimensions.
    #[arg(long)]
    pub stack: bool,
    /// Seed of all the agents' randomness: the same seed and files give the same output.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Particles of the belief filter, 10 to 10000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub particles: u32,
    /// Print one JSON object a line: each recording, then the total.
    #[arg(long)]
    pub json: bool,
    /// Write the agents' events to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Stop after so many rows of each recording.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Draw the replay into this SVG file; of several recordings, one file each into this folder. What is there is
    /// overwritten.
    #[arg(long, value_name = "FILE|DIR/")]
    pub plot: Option<PathBuf>,
    /// Score incident detection against the labelled windows in this JSON or CSV file.
    #[arg(long, value_name = "FILE", conflicts_with = "stack")]
    pub labels: Option<PathBuf>,
    /// From this anomaly score on, a row is a detection; without it, from the one that scores best over all recordings.
    #[arg(long, value_name = "X", requires = "labels", value_parser = threshold)]
    pub threshold: Option<f64>,
    /// From row 1000 on an operator has L4.8 and L4.9 on this authority, whatever their criteria say: to see what they
    /// decide. A level that is frozen then is put there when it is not any more; a recording that is shorter is watched as
    /// without it. The summary says which levels were never put there.
    #[arg(long, value_name = "AUTHORITY")]
    pub place: Option<Authority>,
}

fn threshold(text: &str) -> Result<f64, String> {
    let value = text
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| format!("{text:?} is not a threshold; expected a number above 0"))
}

/// Arguments of `bench`.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// Which; all without it, in about ten minutes.
    #[arg(value_enum, value_name = "PART")]
    pub parts: Vec<BenchPart>,
    /// Hold what the mind computes against independent references instead: filter, spectral radius, risk, intervals,
    /// forecasts and detection.
    #[arg(long, conflicts_with = "parts")]
    pub mind: bool,
    /// Also on the recordings in this folder, with --mind.
    #[arg(long, requires = "mind")]
    pub dir: Option<PathBuf>,
    /// The labelled windows of these recordings; see `rungs replay --labels`.
    #[arg(long, requires = "dir", value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// How often a node is killed, with `kills`.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub kills: u32,
    /// Agents of the cluster whose nodes are killed.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=3000))]
    pub agents: u32,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Runs of which the median is shown, 1 to 99.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub runs: u32,
}

/// The parts of `bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum BenchPart {
    /// Tell and ask on one node, against raw ractor (P1).
    Local,
    /// Ask and tell between two node processes over mutual TLS, against raw ractor_cluster (P2, P3).
    Mesh,
    /// One cycle of L3 and L4.5, and how late decisions are on a full node (P6).
    Cycle,
    /// The world model of L4.8, against a bootstrap filter and the exact posterior (P7).
    Filter,
    /// Memory and computing of active agents (P5).
    Agents,
    /// Memory of agents that rest, and how fast one of them starts (P4, P8).
    Activation,
    /// What a freeze takes, and what L3 notices of it: 100 freezes, 20 pairs of runs, four minutes (P9).
    Freeze,
    /// Nodes of a cluster of three processes are killed while goals are submitted: when their agents answer again, and what is
    /// lost (P10).
    Kills,
}

/// Roles of the processes of a measurement.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchChild {
    /// Answer and count messages until the input ends.
    Serve {
        /// Over what.
        link: Link,
        /// Certificates.
        dir: PathBuf,
    },
    /// Send messages and measure.
    Send {
        /// Over what.
        link: Link,
        /// Certificates.
        dir: PathBuf,
        /// Of the process that serves.
        address: SocketAddr,
    },
    /// Run many agents and measure.
    Crowd {
        /// The highest level of each.
        level: CrowdLevel,
    },
    /// Take in a million agents that rest, or start agents one after the other.
    Rest {
        /// The former.
        #[arg(long)]
        known: bool,
    },
    /// Note how late agents decide.
    Decide {
        /// Timers instead of agents.
        #[arg(long)]
        timers: bool,
    },
}

/// What carries the messages of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Link {
    /// ractor_cluster alone.
    Raw,
    /// Directory and mesh.
    Mesh,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Mesh => "mesh",
        })
    }
}

/// What a measured crowd consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CrowdLevel {
    /// Agents up to Level 4.5.
    #[value(name = "L4.5")]
    L45,
    /// Agents up to Level 4.8.
    #[value(name = "L4.8")]
    L48,
    /// Agents up to Level 4.9, all of whose phases run.
    #[value(name = "L4.9")]
    L49,
    /// Bare actors.
    None,
}

impl CrowdLevel {
    /// The level, if they are agents.
    pub fn level(self) -> Option<Level> {
        match self {
            Self::L45 => Some(Level::L45),
            Self::L48 => Some(Level::L48),
            Self::L49 => Some(Level::L49),
            Self::None => None,
        }
    }
}

/// Arguments of `cert`.
#[derive(Debug, Clone, Subcommand)]
pub enum Cert {
    /// Make a development certificate authority.
    #[command(after_help = "Example: rungs cert init --dir certs")]
    Init {
        /// The folder.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Issue a certificate for a node or an operator.
    #[command(after_help = "Example: rungs cert issue --dir certs --name n1 --role voter")]
    Issue {
        /// The folder of the authority.
        #[arg(long)]
        dir: PathBuf,
        /// The node's name.
        #[arg(long)]
        name: rungs_types::NodeName,
        /// voter, member or admin; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// For how many days it is valid, 1 to 365: the fewer, the less a stolen key is good for. A node that runs takes the
        /// next certificate from this folder without a restart.
        #[arg(long, default_value_t = DEFAULT_CERTIFICATE_DAYS, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_has_help_with_an_example() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        command.build();
        for sub in command
            .get_subcommands_mut()
            .filter(|sub| !matches!(sub.get_name(), "help" | "cert" | "bench-child"))
        {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("Example"), "{}: {help}", sub.get_name());
        }
    }
}
