//! Commands for members and shards.

use clap::Subcommand;
use rungs_directory::Shard;
use rungs_types::{AgentId, NodeName};
use std::str::FromStr;

/// What concerns members and shards.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// List the members of the cluster: state, lease, role, zone, shards.
    #[command(after_help = "Examples:\n  members\n  members --watch    again at each change, until Ctrl-C")]
    Members {
        /// Show them again whenever something has changed.
        #[arg(long)]
        watch: bool,
    },
    /// Show which node owns how many shards, what moves and what is pinned; or where one agent's shard is.
    #[command(after_help = "Examples:\n  shards\n  shards ops-1")]
    Shards {
        /// An agent.
        agent: Option<AgentId>,
    },
    /// Move a shard to a node and keep it there; all agents of a shard move together.
    #[command(
        after_help = "Examples:\n  move ops-1 n2      the shard of ops-1\n  move s17 n2\n  move s17 --unpin   back to where it would be"
    )]
    Move {
        /// An agent, or a shard such as s17.
        what: Place,
        /// The node.
        #[arg(required_unless_present = "unpin", conflicts_with = "unpin")]
        node: Option<NodeName>,
        /// Let it go where it would.
        #[arg(long)]
        unpin: bool,
    },
    /// Move each shard to the node that wants it most; pinned ones stay.
    #[command(after_help = "Examples:\n  rebalance --dry-run    only say what would move\n  rebalance")]
    Rebalance {
        /// Only say what would move.
        #[arg(long)]
        dry_run: bool,
    },
    /// Have a node hand over all its shards. It stays a member, without agents.
    #[command(after_help = "Examples:\n  drain n2\n  drain n2 --undo    it gets its share again")]
    Drain {
        /// The node.
        node: NodeName,
        /// Give it its share again.
        #[arg(long)]
        undo: bool,
    },
    /// Have a node hand over all its shards, leave the cluster and end.
    #[command(after_help = "Example: leave n2 --yes")]
    Leave {
        /// The node.
        node: NodeName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A shard, by its number or by an agent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A number behind an `s`.
    Shard(Shard),
    /// The shard of an agent.
    Of(AgentId),
}

impl Place {
    /// Which shard it is.
    pub fn shard(&self) -> Shard {
        match self {
            Self::Shard(shard) => *shard,
            Self::Of(agent) => Shard::of(agent),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text
            .strip_prefix('s')
            .filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(number) = number.filter(|number| !number.is_empty()) {
            let shard = number.parse().ok().and_then(Shard::new);
            let expected = || format!("{text} is no shard; expected s0 to s{}", rungs_directory::SHARDS - 1);
            return shard.map(Self::Shard).ok_or_else(expected);
        }
        let agent = text
            .parse()
            .map_err(|error| format!("neither a shard such as s17 nor an agent: {error}"));
        agent.map(Self::Of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_shard_or_an_agent() {
        assert_eq!("s17".parse(), Ok(Place::Shard(Shard::new(17).unwrap())));
        let agent: AgentId = "ops-1".parse().unwrap();
        assert_eq!("ops-1".parse(), Ok(Place::Of(agent.clone())));
        assert_eq!(
            "ops-1".parse::<Place>().map(|place| place.shard()),
            Ok(Shard::of(&agent))
        );
        assert!("s4096".parse::<Place>().unwrap_err().contains("expected s0 to s4095"));
        assert!(
            "a b"
                .parse::<Place>()
                .unwrap_err()
                .starts_with("neither a shard such as s17 nor an agent")
        );
        assert_eq!("s".parse(), Ok(Place::Of("s".parse().unwrap())));
    }
}
