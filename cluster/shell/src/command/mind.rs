//! The commands that show an agent's mind and set it goals.

use clap::{Subcommand, ValueEnum};
use rungs_types::{AgentId, GoalId};

/// What `mind` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MindView {
    /// Each strategy that was compared: score, EV, RA, SI, VaR, CVaR; which was chosen.
    Strategies,
    /// Who may use how much of the agent's budget.
    Allocation,
    /// How the world may go on, and how likely.
    Scenarios,
    /// What the agent can do, with calibration; what it does not know, lacks and is weak at.
    Capabilities,
    /// The frames, what each is worth and how it voted.
    Votes,
    /// Where the agent is going, on three courses.
    Projection,
    /// What the agent values, against the baseline.
    Values,
    /// For how long its resources last in each scenario, its mode, the bottleneck.
    Resources,
    /// What it thinks of other agents.
    Trust,
    /// The Autonomy Stability Score with its five ratios.
    Ass,
    /// What it was not let do, and why.
    Vetoes,
}

impl MindView {
    /// The field of `rungs_agent::mind::Mind` that it shows.
    pub fn field(self) -> &'static str {
        match self {
            MindView::Strategies => "strategies",
            MindView::Allocation => "allocation",
            MindView::Scenarios => "scenarios",
            MindView::Capabilities => "capabilities",
            MindView::Votes => "votes",
            MindView::Projection => "projection",
            MindView::Values => "values",
            MindView::Resources => "resources",
            MindView::Trust => "trust",
            MindView::Ass => "ass",
            MindView::Vetoes => "vetoes",
        }
    }
}

/// What is done with a goal.
#[derive(Debug, Subcommand)]
pub enum GoalCommand {
    /// Show a goal: who set it and why, the five criteria of one that the agent set itself, tasks, deadline, what happened.
    #[command(after_help = "Example: goal show ops-1 l49-gap-3")]
    Show {
        /// The agent.
        agent: AgentId,
        /// The goal.
        goal: GoalId,
    },
    /// Set a goal: a JSON file here, or JSON as you type it.
    #[command(
        after_help = "Examples:\n  goal submit ops-1 calm.json\n  goal submit ops-1 {\"goal\": \"calm\", \"intent\": \"have somebody look when the load is high\",\n    \"success\": {\"all\": [{\"of\": {\"dimension\": 0}, \"is\": \"below\", \"value\": 80}]},\n    \"tasks\": [{\"name\": \"tell\", \"does\": {\"raise_incident\": {\"group\": 0}}}]}\n\n`describe ops-1#kernel --schema` shows every field."
    )]
    Submit {
        /// The agent.
        agent: AgentId,
        /// A file, or JSON.
        what: String,
    },
    /// Cancel a goal that a user has set.
    #[command(after_help = "Example: goal cancel ops-1 calm --yes")]
    Cancel {
        /// The agent.
        agent: AgentId,
        /// The goal.
        goal: GoalId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}
