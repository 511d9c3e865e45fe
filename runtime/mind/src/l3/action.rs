//! What the kernel can do, what is open to it at the moment, and the gate that every action passes.

use serde::{Deserialize, Serialize};

/// Most groups of dimensions (one per dimension at most).
pub const MAX_GROUPS: usize = 64;
/// From this depth of self-referential optimisation on, an action is refused by the kernel itself
/// (existential guard, ROD).
pub const REFUSED_DEPTH: u8 = 4;

/// The sort of an action: what a prediction model is kept for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Nothing.
    #[default]
    Hold,
    /// A group of dimensions is sampled more often.
    SampleFaster,
    /// A group of dimensions is sampled less often.
    SampleSlower,
    /// Another of the kernel's forecasters speaks for a group.
    SwitchForecaster,
    /// An incident is raised.
    RaiseIncident,
    /// The open incident is cleared.
    ClearIncident,
    /// A peer is asked about a group.
    AskPeer,
    /// The kernel's own period is changed.
    ChangePeriod,
}

impl ActionKind {
    /// All kinds.
    pub const ALL: [ActionKind; 8] = [
        ActionKind::Hold,
        ActionKind::SampleFaster,
        ActionKind::SampleSlower,
        ActionKind::SwitchForecaster,
        ActionKind::RaiseIncident,
        ActionKind::ClearIncident,
        ActionKind::AskPeer,
        ActionKind::ChangePeriod,
    ];

    /// The kind's place in [`ActionKind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Changes the agent's configuration, not only what it says: held back where structural change is not permitted.
    pub fn is_structural(self) -> bool {
        matches!(
            self,
            ActionKind::SampleFaster
                | ActionKind::SampleSlower
                | ActionKind::SwitchForecaster
                | ActionKind::ChangePeriod
        )
    }

    /// Its target is the agent itself.
    pub fn is_self_directed(self) -> bool {
        matches!(self, ActionKind::SwitchForecaster | ActionKind::ChangePeriod)
    }

    /// Depth of self-referential optimisation: 0 acts on the world, 1 tunes what acts on the world.
    pub fn self_reference_depth(self) -> u8 {
        u8::from(self.is_self_directed())
    }
}

/// Which of the kernel's forecasters speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecaster {
    /// The linear prediction model of the chosen action's kind.
    #[default]
    Linear,
    /// The mean of the AR(1) belief.
    Belief,
    /// Exponential smoothing.
    Smoothing,
    /// The last value.
    Persistence,
}

impl Forecaster {
    /// All forecasters.
    pub const ALL: [Forecaster; 4] = [
        Forecaster::Linear,
        Forecaster::Belief,
        Forecaster::Smoothing,
        Forecaster::Persistence,
    ];

    /// The forecaster's place in [`Forecaster::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// In which direction the kernel's period changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodChange {
    /// Fewer cycles per second.
    Longer,
    /// More cycles per second.
    Shorter,
}

/// One action. Groups are those of [`crate::report::CycleReport::groups`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Do nothing.
    #[default]
    Hold,
    /// Sample the group more often.
    SampleFaster {
        /// Which.
        group: u16,
    },
    /// Sample the group less often.
    SampleSlower {
        /// Which.
        group: u16,
    },
    /// Let another forecaster speak for the group. The kernel carries this one out itself.
    SwitchForecaster {
        /// Which.
        group: u16,
        /// Who speaks from now on.
        to: Forecaster,
    },
    /// Raise an incident about the group.
    RaiseIncident {
        /// Which.
        group: u16,
    },
    /// Clear the open incident.
    ClearIncident,
    /// Ask a peer what it knows of the group.
    AskPeer {
        /// Which.
        group: u16,
    },
    /// Change the kernel's own period.
    ChangePeriod {
        /// In which direction.
        change: PeriodChange,
    },
}

impl Action {
    /// The action's sort.
    pub fn kind(self) -> ActionKind {
        match self {
            Action::Hold => ActionKind::Hold,
            Action::SampleFaster { .. } => ActionKind::SampleFaster,
            Action::SampleSlower { .. } => ActionKind::SampleSlower,
            Action::SwitchForecaster { .. } => ActionKind::SwitchForecaster,
            Action::RaiseIncident { .. } => ActionKind::RaiseIncident,
            Action::ClearIncident => ActionKind::ClearIncident,
            Action::AskPeer { .. } => ActionKind::AskPeer,
            Action::ChangePeriod { .. } => ActionKind::ChangePeriod,
        }
    }

    /// The group it is about, if it is about one.
    pub fn group(self) -> Option<u16> {
        match self {
            Action::SampleFaster { group }
            | Action::SampleSlower { group }
            | Action::SwitchForecaster { group, .. }
            | Action::RaiseIncident { group }
            | Action::AskPeer { group } => Some(group),
            Action::Hold | Action::ClearIncident | Action::ChangePeriod { .. } => None,
        }
    }

    /// Whether it can change what is observed of a group: its own, or every group for a change of period.
    pub fn touches(self, group: u16) -> bool {
        matches!(self, Action::ChangePeriod { .. }) || self.group() == Some(group)
    }
}

/// A set of groups, each below [`MAX_GROUPS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupSet(u64);

impl GroupSet {
    /// No group.
    pub const NONE: GroupSet = GroupSet(0);

    /// The groups `0..count` (all of them from [`MAX_GROUPS`] on).
    pub const fn first(count: usize) -> Self {
        if count >= MAX_GROUPS {
            Self(u64::MAX)
        } else {
            Self((1 << count) - 1)
        }
    }

    /// With the group; one beyond [`MAX_GROUPS`] is left out.
    #[must_use]
    pub fn with(self, group: u16) -> Self {
        Self(self.0 | Self::bit(group))
    }

    /// The group is in the set.
    pub fn contains(self, group: u16) -> bool {
        self.0 & Self::bit(group) != 0
    }

    fn bit(group: u16) -> u64 {
        1_u64.checked_shl(u32::from(group)).unwrap_or(0)
    }
}

/// What the environment lets the agent do in this cycle. Holding and switching forecasters are always open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Available {
    /// Groups that can be sampled faster than they are.
    pub faster: GroupSet,
    /// Groups that can be sampled slower than they are.
    pub slower: GroupSet,
    /// Incidents can be raised and cleared.
    pub incidents: bool,
    /// There is a peer to ask.
    pub peers: bool,
    /// The period can be made longer.
    pub longer_period: bool,
    /// The period can be made shorter.
    pub shorter_period: bool,
}

impl Available {
    /// The action can be done now.
    pub fn offers(&self, action: Action) -> bool {
        match action {
            Action::Hold | Action::SwitchForecaster { .. } => true,
            Action::SampleFaster { group } => self.faster.contains(group),
            Action::SampleSlower { group } => self.slower.contains(group),
            Action::RaiseIncident { .. } | Action::ClearIncident => self.incidents,
            Action::AskPeer { .. } => self.peers,
            Action::ChangePeriod { change } => match change {
                PeriodChange::Longer => self.longer_period,
                PeriodChange::Shorter => self.shorter_period,
            },
        }
    }
}

/// Who refused an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The ethical kernel.
    Ethics,
    /// The policy engine or a budget.
    Policy,
}

/// What every action but [`Action::Hold`] passes before the kernel takes it. An action that it refuses is never taken,
/// at any level.
pub trait Gate {
    /// Grants the action, or says who refuses it.
    fn permit(&mut self, action: &Action) -> Result<(), Refusal>;
}

impl<F: FnMut(&Action) -> Result<(), Refusal>> Gate for F {
    fn permit(&mut self, action: &Action) -> Result<(), Refusal> {
        self(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_forecasters_are_at_their_index() {
        assert!(ActionKind::ALL.iter().enumerate().all(|(i, kind)| kind.index() == i));
        assert!(
            Forecaster::ALL
                .iter()
                .enumerate()
                .all(|(i, forecaster)| forecaster.index() == i)
        );
    }

    #[test]
    fn no_action_of_the_kernel_reaches_the_refused_depth() {
        assert!(
            ActionKind::ALL
                .iter()
                .all(|kind| kind.self_reference_depth() < REFUSED_DEPTH)
        );
        assert_eq!(ActionKind::Hold.self_reference_depth(), 0);
        assert_eq!(ActionKind::ChangePeriod.self_reference_depth(), 1);
    }

    #[test]
    fn an_action_touches_its_group_and_a_change_of_period_touches_all() {
        assert!(Action::SampleFaster { group: 3 }.touches(3));
        assert!(!Action::SampleFaster { group: 3 }.touches(4));
        assert!(
            Action::ChangePeriod {
                change: PeriodChange::Longer
            }
            .touches(4)
        );
        assert!(!Action::Hold.touches(0));
    }

    #[test]
    fn a_group_beyond_the_limit_is_in_no_set() {
        assert!(GroupSet::first(64).contains(63));
        assert!(!GroupSet::first(64).contains(64));
        assert!(!GroupSet::NONE.with(64).contains(64));
        assert!(GroupSet::first(3).contains(2) && !GroupSet::first(3).contains(3));
    }
}
