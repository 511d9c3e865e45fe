//! What the commands for members and shards send. Any node answers for all.

use super::{NODE_DEADLINE, Session, ShellError};
use crate::command::{ClusterCommand, Place};
use crate::protocol::Shutdown;
use crate::views;
use rungs_directory::member;
use rungs_directory::member::messages::{Change, ListMembers, ListShards, MemberEntry, Order, Ordered, ShardsReport};
use rungs_directory::{SHARDS, Shard};
use rungs_host::{Refusal, Wire};
use rungs_types::{AgentId, ErrorCode, NodeName};
use std::io::Write;
use std::time::Duration;

/// How often `members --watch` looks.
const WATCH_PERIOD: Duration = Duration::from_millis(500);

impl Session {
    pub(super) async fn cluster(
        &self,
        command: ClusterCommand,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        match command {
            ClusterCommand::Members { watch: false } => self.members(out).await.map(drop),
            ClusterCommand::Members { watch: true } => self.watch_members(out).await,
            ClusterCommand::Shards { agent: None } => {
                let report = self.of_cluster(&ListShards {}).await?;
                self.print_json_or(out, &report, |report| views::shards(report, self.options.style))
            }
            ClusterCommand::Shards { agent: Some(agent) } => self.shard_of(&agent, out).await,
            ClusterCommand::Move { what, node, .. } => self.move_to(&what, node, out).await,
            ClusterCommand::Rebalance { dry_run } => {
                let ordered = self.change(Change::Rebalance { dry_run }).await?;
                self.print_json_or(out, &ordered, |ordered| {
                    views::rebalance(ordered, dry_run, self.options.style)
                })
            }
            ClusterCommand::Drain { node, undo } => self.drain(node, undo, out).await,
            ClusterCommand::Leave { node, yes } => {
                self.confirm(yes, &format!("have {node} hand over all its agents and end?"))?;
                self.ask_node(&node, &Shutdown {}).await?;
                self.print_json_or(out, &node, |node| {
                    format!("{node} hands over its shards and ends; `members` shows how far it is\n")
                })
            }
        }
    }

    /// What the first member that answers says of the cluster.
    async fn of_cluster<W: Wire>(&self, message: &W) -> Result<W::Reply, Refusal> {
        let mut last = Refusal::new(ErrorCode::NodeDown, "no member of the cluster is known");
        for node in self.router.members() {
            match self.ask(member::address(&node), message, NODE_DEADLINE).await {
                Err(refusal) if refusal.code == ErrorCode::NodeDown => last = refusal,
                answer => return answer,
            }
        }
        Err(last)
    }

    async fn change(&self, change: Change) -> Result<Ordered, Refusal> {
        self.of_cluster(&Order { change }).await
    }

    async fn members(&self, out: &mut (impl Write + Send)) -> Result<Vec<MemberEntry>, ShellError> {
        let members = self.of_cluster(&ListMembers {}).await?;
        self.print_json_or(out, &members, |members| views::members(members, self.options.style))?;
        Ok(members)
    }

    async fn watch_members(&self, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let mut shown = self.members(out).await?;
        let mut ticks = tokio::time::interval(WATCH_PERIOD);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
            // A moment in which nobody answers is a change that the next look shows.
            let Ok(members) = self.of_cluster(&ListMembers {}).await else {
                continue;
            };
            if members != shown {
                if !self.options.json {
                    writeln!(out)?;
                }
                self.print_json_or(out, &members, |members| views::members(members, self.options.style))?;
                out.flush()?;
                shown = members;
            }
        }
    }

    async fn shard_of(&self, agent: &AgentId, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let (shard, report): (_, ShardsReport) = (Shard::of(agent), self.of_cluster(&ListShards {}).await?);
        let owner = self.router.owner(&agent.clone().into()).await?;
        let number = shard.number();
        let to = report
            .moves
            .iter()
            .find(|it| it.shard == number)
            .map(|it| it.to.clone());
        let pinned = report.pinned.iter().any(|(pinned, _)| *pinned == number);
        let place = ShardPlace {
            agent: agent.clone(),
            shard: number,
            owner,
            moving_to: to,
            pinned,
        };
        self.print_json_or(out, &place, |place| {
            let moving = place.moving_to.as_ref().map(|to| format!(", moving to {to}"));
            let pinned = if place.pinned { ", pinned there" } else { "" };
            let moving = moving.unwrap_or_default();
            format!(
                "{agent} is in s{number} of {SHARDS}, owned by {}{pinned}{moving}\n",
                place.owner
            )
        })
    }

    async fn move_to(
        &self,
        what: &Place,
        node: Option<NodeName>,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let shard = what.shard();
        let number = shard.number();
        let (change, text) = match node {
            Some(node) => {
                let text = format!("{shard} goes to {node} and stays there until `move {shard} --unpin`\n");
                (Change::Pin { shard: number, node }, text)
            }
            None => (
                Change::Unpin { shard: number },
                format!("{shard} goes where it would by itself\n"),
            ),
        };
        let ordered = self.change(change).await?;
        self.print_json_or(out, &ordered, |_| text)
    }

    async fn drain(&self, node: NodeName, undo: bool, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let (change, text) = match undo {
            false => (
                Change::Drain { node: node.clone() },
                format!("{node} hands over its shards; `members` shows how far it is\n"),
            ),
            true => (
                Change::Undrain { node: node.clone() },
                format!("{node} gets its share again\n"),
            ),
        };
        let ordered = self.change(change).await?;
        self.print_json_or(out, &ordered, |_| text)
    }
}

/// Where an agent's shard is.
#[derive(Debug, serde::Serialize)]
struct ShardPlace {
    agent: AgentId,
    shard: u16,
    owner: NodeName,
    moving_to: Option<NodeName>,
    pinned: bool,
}
