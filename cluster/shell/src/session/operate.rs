//! What the commands that break, watch and log send.

use super::{Session, ShellError};
use crate::command::Inject;
use crate::event_line::event_line;
use crate::protocol::{ClearFault, FaultRow, InjectFault, LinkRow, ListAgents, ListFaults, ListLinks, SetLog};
use crate::views;
use futures::future::join_all;
use rungs_host::{EventFilter, Refusal, Watched, Wire};
use rungs_types::{ErrorCode, NodeName};
use std::io::Write;
use std::time::Duration;

impl Session {
    pub(super) async fn inject(&self, inject: Inject, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        if let Some((target, fault)) = inject.fault() {
            let owner = self.router.owner(target).await?;
            let target = target.clone();
            let message = InjectFault { target, fault };
            self.ask_node(&owner, &message).await?;
            return self.print_json_or(out, &owner, |owner| {
                format!("{} on {owner} {}\n", message.target, fault.words())
            });
        }
        match inject {
            Inject::Clear { target } => {
                let owner = self.router.owner(&target).await?;
                let message = ClearFault { target };
                let cleared = self.ask_node(&owner, &message).await?;
                self.print_json_or(out, &cleared, |cleared| match cleared {
                    true => format!("{} on {owner} is as it was\n", message.target),
                    false => format!("{} on {owner} had no fault\n", message.target),
                })
            }
            Inject::List { node } => {
                let faults: Vec<FaultRow> = self.of_nodes(node, &ListFaults {}).await?;
                self.print_json_or(out, &faults, |faults| views::faults(faults, self.options.style))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn links(&self, node: Option<NodeName>, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let links: Vec<LinkRow> = self.of_nodes(node, &ListLinks {}).await?;
        self.print_json_or(out, &links, |links| views::links(links, self.options.style))
    }

    /// What all nodes answer, or one; of all, those that do not answer are told.
    async fn of_nodes<W: Wire<Reply = Vec<R>> + Sync, R>(
        &self,
        node: Option<NodeName>,
        message: &W,
    ) -> Result<Vec<R>, ShellError> {
        if let Some(node) = node {
            return Ok(self.ask_node(&node, message).await?);
        }
        let mut all = Vec::new();
        for (node, answer) in self.ask_all(message).await {
            match answer {
                Ok(rows) => all.extend(rows),
                Err(refusal) => eprintln!("{node} does not answer: {refusal}"),
            }
        }
        Ok(all)
    }

    /// An agent that nobody hosts would never say anything: that is an error, and not silence.
    async fn expect_hosted(&self, filter: &EventFilter) -> Result<(), ShellError> {
        let Some(agent) = &filter.agent else {
            return Ok(());
        };
        let nodes = self.router.members();
        let answers = join_all(nodes.iter().map(|node| self.ask_node(node, &ListAgents {}))).await;
        let silent = nodes.iter().zip(&answers).filter(|(_, answer)| answer.is_err());
        let silent: Vec<&str> = silent.map(|(node, _)| node.as_str()).collect();
        if answers.iter().flatten().flatten().any(|row| row.agent == *agent) {
            return Ok(());
        }
        if !silent.is_empty() {
            // It may be there: what it says will be seen when the node is back.
            eprintln!(
                "no node that answers has an agent {agent}; {} does not",
                silent.join(", ")
            );
            return Ok(());
        }
        let text = format!("no node has an agent {agent}; `agents` lists them");
        Err(Refusal::new(ErrorCode::NotFound, &text).into())
    }

    pub(super) async fn watch(
        &self,
        filter: EventFilter,
        count: Option<u64>,
        duration: Option<Duration>,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        self.expect_hosted(&filter).await?;
        let mut events = self.router.subscribe(filter).await?;
        let end = tokio::time::sleep(duration.unwrap_or(Duration::from_secs(u64::from(u32::MAX))));
        tokio::pin!(end);
        let mut left = count.unwrap_or(u64::MAX);
        while left > 0 {
            let watched = tokio::select! {
                watched = events.recv() => watched,
                () = &mut end => return Ok(()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
            };
            match watched {
                None => return Err(Refusal::new(ErrorCode::NodeDown, "the stream of events ended").into()),
                Some(Watched::Lagged(lost)) => writeln!(out, "(lagged: {lost} events lost)")?,
                Some(Watched::Event(event)) => {
                    left -= 1;
                    self.print_json_or(out, &*event, |event| {
                        event_line(event, self.options.style.colour) + "\n"
                    })?;
                }
            }
            out.flush()?;
        }
        Ok(())
    }

    pub(super) async fn log(
        &self,
        message: &SetLog,
        node: Option<NodeName>,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let nodes = node.map_or_else(|| self.router.members(), |node| vec![node]);
        for node in nodes {
            self.ask_node(&node, message).await?;
            self.print_json_or(out, &node, |node| {
                let what = message.target.as_deref().unwrap_or("everything");
                format!("{node} logs {what} at {}\n", message.level)
            })?;
        }
        Ok(())
    }
}
