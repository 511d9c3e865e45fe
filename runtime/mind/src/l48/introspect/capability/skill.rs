//! What a skill is, and in which domain it stands.

use crate::l3::ActionKind;
use crate::l3::action::MAX_GROUPS;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The general skills that the seed names (MSCP Level 4.8, sections 4.1 and 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum General {
    /// What the agent expects its own actions to do to itself, they do.
    LogicalReasoning,
    /// A change of strategy need not be taken back.
    AbstractPlanning,
    /// Resources last.
    ResourceManagement,
    /// Others that want something else are dealt with; no outcome without peers.
    AdversarialNegotiation,
}

impl General {
    /// All four.
    pub const ALL: [General; 4] = [
        General::LogicalReasoning,
        General::AbstractPlanning,
        General::ResourceManagement,
        General::AdversarialNegotiation,
    ];
}

/// One skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skill {
    /// One that all else rests on.
    General(General),
    /// Forecasting a group of sensors.
    Forecast {
        /// Which group.
        group: u16,
    },
    /// An action of this kind, which does what it promises.
    Act(ActionKind),
    /// Using a tool.
    Tool {
        /// The host's number of it.
        number: u16,
    },
    /// A kind of task.
    Task {
        /// The host's number of it.
        number: u16,
    },
}

/// What a skill is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The general skills.
    General,
    /// What the sensors will show.
    Forecasting,
    /// What the kernel does.
    Acting,
    /// Tools and tasks.
    Working,
}

impl Domain {
    /// All domains.
    pub const ALL: [Domain; 4] = [Domain::General, Domain::Forecasting, Domain::Acting, Domain::Working];
}

impl Skill {
    /// The skills of an agent that watches this many groups, in order.
    pub fn of_watcher(groups: u16) -> Vec<Skill> {
        let general = General::ALL.into_iter().map(Skill::General);
        let forecasts = (0..groups.min(MAX_GROUPS as u16)).map(|group| Skill::Forecast { group });
        let acting = ActionKind::ALL.into_iter().filter(|kind| *kind != ActionKind::Hold);
        general.chain(forecasts).chain(acting.map(Skill::Act)).collect()
    }

    /// Its domain.
    pub fn domain(self) -> Domain {
        match self {
            Skill::General(_) => Domain::General,
            Skill::Forecast { .. } => Domain::Forecasting,
            Skill::Act(_) => Domain::Acting,
            Skill::Tool { .. } | Skill::Task { .. } => Domain::Working,
        }
    }

    /// The agent came by it; it was not made with it.
    pub fn is_learnt(self) -> bool {
        self.domain() == Domain::Working
    }
}

impl fmt::Display for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skill::General(General::LogicalReasoning) => f.pad("logical reasoning"),
            Skill::General(General::AbstractPlanning) => f.pad("abstract planning"),
            Skill::General(General::ResourceManagement) => f.pad("resource management"),
            Skill::General(General::AdversarialNegotiation) => f.pad("adversarial negotiation"),
            Skill::Forecast { group } => f.pad(&format!("forecast group {group}")),
            Skill::Act(kind) => f.pad(kind_name(*kind)),
            Skill::Tool { number } => f.pad(&format!("tool {number}")),
            Skill::Task { number } => f.pad(&format!("task {number}")),
        }
    }
}

fn kind_name(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Hold => "hold",
        ActionKind::SampleFaster => "sample faster",
        ActionKind::SampleSlower => "sample slower",
        ActionKind::SwitchForecaster => "switch forecaster",
        ActionKind::RaiseIncident => "raise incident",
        ActionKind::ClearIncident => "clear incident",
        ActionKind::AskPeer => "ask peer",
        ActionKind::ChangePeriod => "change period",
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Domain::General => "general",
            Domain::Forecasting => "forecasting",
            Domain::Acting => "acting",
            Domain::Working => "working",
        })
    }
}
