//! What a skill is, and in which domain it stands.

use crate::l3::ActionKind;
use crate::l3::action::MAX_GROUPS;
use rungs_types::SkillName;
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

    /// The skill that goals name so: as it is shown, with `-` between the words, such as `resource-management`,
    /// `forecast-group-2` or `sample-faster`; `None` of another name.
    pub fn named(name: &SkillName) -> Option<Skill> {
        let name = name.as_str();
        let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|number| number.parse::<u16>().ok());
        if let Some(group) = numbered("forecast-group-") {
            return Some(Skill::Forecast { group });
        }
        if let Some(number) = numbered("tool-") {
            return Some(Skill::Tool { number });
        }
        if let Some(number) = numbered("task-") {
            return Some(Skill::Task { number });
        }
        let plain = General::ALL.into_iter().map(Skill::General);
        let mut plain = plain.chain(ActionKind::ALL.into_iter().map(Skill::Act));
        plain.find(|skill| skill.to_string().replace(' ', "-") == name)
    }

    /// The name by which goals ask for it.
    pub fn name(self) -> SkillName {
        SkillName::new(&self.to_string().replace(' ', "-")).expect("invariant: lower-case words, joined")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skill_is_found_again_by_its_name_and_other_names_are_none() {
        let others = [Skill::Tool { number: 3 }, Skill::Task { number: 65_535 }];
        for skill in Skill::of_watcher(12).into_iter().chain(others) {
            assert_eq!(Skill::named(&skill.name()), Some(skill), "{}", skill.name());
        }
        for other in ["forecast", "forecast-group-", "forecast-group-65536", "dance"] {
            assert_eq!(Skill::named(&SkillName::new(other).unwrap()), None, "{other}");
        }
    }
}
