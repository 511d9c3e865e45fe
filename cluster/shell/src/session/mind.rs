//! What the commands about an agent's mind and its goals send.

use super::{NODE_DEADLINE, Session, ShellError};
use crate::command::{GoalCommand, MindView};
use crate::goals::{self, Shown};
use crate::mind;
use crate::qualification::qualification;
use rungs_agent::goals::{AcceptGoal, CancelGoal, GetGoal, GoalEntry, ListGoals, acceptor_of, kernel_of};
use rungs_agent::messages::Qualify;
use rungs_agent::mind::{GetMind, GetOwnGoal, Mind};
use rungs_host::Refusal;
use rungs_types::{AgentId, ErrorCode, GoalId, GoalSpec, Level, NodeName};
use std::io::Write;

/// Largest file that `goal submit` reads, in bytes.
const MAX_GOAL_BYTES: u64 = 64 * 1024;

impl Session {
    pub(super) async fn qualify(
        &self,
        agent: &AgentId,
        level: Level,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let message = Qualify { level };
        let found = self.ask(agent.clone().into(), &message, NODE_DEADLINE).await?;
        self.print_json_or(out, &found, |found| match found {
            Some(found) => qualification(found, self.options.style),
            None => format!("{agent} has no level {}\n", level.to_string().trim_start_matches('L')),
        })
    }

    pub(super) async fn mind(
        &self,
        agent: &AgentId,
        view: Option<MindView>,
        out: &mut (impl Write + Send),
    ) -> Result<(), ShellError> {
        let mind: Mind = self.ask(agent.clone().into(), &GetMind {}, NODE_DEADLINE).await?;
        let Some(view) = view else {
            return self.print_json_or(out, &mind, |mind| mind::overview(mind, self.options.style));
        };
        let json = serde_json::to_value(&mind).map_err(std::io::Error::other)?;
        self.print_json_or(out, &json[view.field()], |_| {
            mind::view(&mind, view, self.options.style)
        })
    }

    pub(super) async fn goals(&self, agent: &AgentId, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let list: Vec<GoalEntry> = self.ask(kernel_of(agent), &ListGoals {}, NODE_DEADLINE).await?;
        let mind: Mind = self.ask(agent.clone().into(), &GetMind {}, NODE_DEADLINE).await?;
        let shown = goals::Stack {
            goals: list,
            order: mind.order,
            allocation: mind.allocation,
            own: mind.own_goals,
        };
        self.print_json_or(out, &shown, |shown| goals::tree(shown, self.options.style))
    }

    pub(super) async fn goal(&self, command: GoalCommand, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        match command {
            GoalCommand::Show { agent, goal } => self.show_goal(&agent, goal, out).await,
            GoalCommand::Submit { agent, what } => {
                let spec = goal_spec(&what).await?;
                let set = self.submit(&agent, spec).await?;
                self.print_json_or(out, &set, |set| {
                    let goal = &set.goal;
                    format!(
                        "{agent} has the goal {goal} ({}); see `goal show {agent} {goal}`\n",
                        set.state
                    )
                })
            }
            GoalCommand::Cancel { agent, goal, yes } => {
                self.confirm(yes, &format!("cancel the goal {goal} of {agent}?"))?;
                let cancelled = self.ask(kernel_of(&agent), &CancelGoal { goal }, NODE_DEADLINE).await?;
                self.print_json_or(out, &cancelled, |entry| format!("{} is {}\n", entry.goal, entry.state))
            }
        }
    }

    /// The agent's own node is asked first; when it is down another one accepts the goal for it.
    async fn submit(&self, agent: &AgentId, spec: GoalSpec) -> Result<GoalEntry, Refusal> {
        let owner = self.router.owner(&agent.clone().into()).await?;
        let others = self.router.members().into_iter().filter(|node| *node != owner);
        let nodes: Vec<NodeName> = std::iter::once(owner.clone()).chain(others).collect();
        let message = AcceptGoal {
            agent: agent.clone(),
            spec,
            key: None,
        };
        let mut down = None;
        for node in nodes {
            match self.ask(acceptor_of(&node), &message, NODE_DEADLINE).await {
                Err(refusal) if refusal.code == ErrorCode::NodeDown => down = down.or(Some(refusal)),
                answer => return answer,
            }
        }
        Err(down.expect("invariant: at least the owner was asked"))
    }

    /// The kernel knows the goals that were set, Level 4.9 those that it thought of: some are known to both.
    async fn show_goal(&self, agent: &AgentId, goal: GoalId, out: &mut (impl Write + Send)) -> Result<(), ShellError> {
        let set = GetGoal { goal: goal.clone() };
        let set = match self.ask(kernel_of(agent), &set, NODE_DEADLINE).await {
            Ok(set) => Some(set),
            Err(refusal) if refusal.code == ErrorCode::NotFound => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let own = GetOwnGoal { goal: goal.clone() };
        let own = self.ask(agent.clone().into(), &own, NODE_DEADLINE).await?;
        if set.is_none() && own.is_none() {
            let text = format!("{agent} has no goal {goal}, and remembers none; `goals {agent}` lists them");
            return Err(Refusal::new(ErrorCode::NotFound, &text).into());
        }
        self.print_json_or(out, &Shown { set, own }, |shown| goals::goal(shown, self.options.style))
    }
}

/// The goal of a file, or of a text that is JSON itself.
async fn goal_spec(what: &str) -> Result<GoalSpec, ShellError> {
    let text = if what.trim_start().starts_with('{') {
        what.to_owned()
    } else {
        let unreadable = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{what}: {error}"));
        let bytes = tokio::fs::metadata(what).await.map_err(unreadable)?.len();
        if bytes > MAX_GOAL_BYTES {
            let text = format!("{what} has {bytes} bytes; expected at most {MAX_GOAL_BYTES}");
            return Err(Refusal::new(ErrorCode::Malformed, &text).into());
        }
        tokio::fs::read_to_string(what).await.map_err(unreadable)?
    };
    serde_json::from_str(&text).map_err(ShellError::Goal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_goal_says_where_and_a_missing_file_its_name() {
        let field = goal_spec(r#"{"goal": "calm", "purpose": "none"}"#)
            .await
            .expect_err("no such field");
        assert!(
            field
                .to_string()
                .starts_with("the goal is not one: unknown field `purpose`"),
            "{field}"
        );
        assert_eq!(field.exit_code(), 1);
        let file = goal_spec("no/such.json").await.expect_err("no such file");
        assert!(file.to_string().contains("no/such.json"), "{file}");
    }
}
