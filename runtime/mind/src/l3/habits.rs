//! What the kernel did lately: how far each group is from its nominal rate, how long a kind of action must rest, and
//! which changes took back an earlier one.

use super::action::{Action, Forecaster, PeriodChange};
use crate::numeric::history::History;
use serde::{Deserialize, Serialize};

/// Cycles between two structural changes.
pub const STRUCTURAL_REST_CYCLES: u64 = 20;
/// Cycles between two changes of the same group, or of the period.
pub const GROUP_REST_CYCLES: u64 = 100;
/// Cycles between two questions to peers.
pub const ASK_REST_CYCLES: u64 = 50;
/// Cycles between raising and clearing incidents.
pub const INCIDENT_REST_CYCLES: u64 = 100;
/// A change that takes back one not older than this is a flip.
pub const FLIP_CYCLES: u64 = 200;
/// Cycles over which late ones are counted.
const LATE_CYCLES: usize = 50;

/// The last change of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LastChange {
    /// The cycle; 0 = never.
    cycle: u64,
    /// The last change was upwards (faster, longer).
    up: bool,
    /// Steps above (or below) nominal.
    steps: i16,
}

impl LastChange {
    /// Makes a change and says whether it took back the one before.
    fn change(&mut self, cycle: u64, up: bool) -> bool {
        let flip = self.cycle > 0 && self.up != up && cycle.saturating_sub(self.cycle) <= FLIP_CYCLES;
        let step = if up { 1 } else { -1 };
        *self = Self {
            cycle,
            up,
            steps: self.steps.saturating_add(step),
        };
        flip
    }

    /// The last change could not be carried out: it rests as long, and has moved nothing.
    fn refused(&mut self, up: bool) {
        let step = if up { -1 } else { 1 };
        self.steps = self.steps.saturating_add(step);
    }
}

/// What was done to one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct GroupHabit {
    sampling: LastChange,
    /// Cycle of the last switch of forecaster (0 = never) and who spoke before it.
    switched: u64,
    spoke_before: Forecaster,
}

/// All habits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    groups: Vec<GroupHabit>,
    period: LastChange,
    /// Cycles of the last structural change, question and incident; 0 = never.
    structural: u64,
    asked: u64,
    incident_changed: u64,
    incident: Option<u16>,
    late: History<bool>,
}

impl Habits {
    /// No habit yet.
    pub fn new(groups: usize) -> Self {
        Self {
            groups: vec![GroupHabit::default(); groups],
            period: LastChange::default(),
            structural: 0,
            asked: 0,
            incident_changed: 0,
            incident: None,
            late: History::new(LATE_CYCLES),
        }
    }

    /// Takes in whether the cycle was late.
    pub fn cycle(&mut self, late: bool) {
        self.late.push(late);
    }

    /// Share of late cycles among the last 50.
    pub fn late_share(&self) -> f64 {
        self.late.share().unwrap_or(0.0)
    }

    /// The group of the open incident.
    pub fn incident(&self) -> Option<u16> {
        self.incident
    }

    /// How many steps the group is sampled faster than nominal.
    pub fn sampling_steps(&self, group: u16) -> i16 {
        self.groups
            .get(usize::from(group))
            .map_or(0, |habit| habit.sampling.steps)
    }

    /// How many steps the period is longer than nominal.
    pub fn period_steps(&self) -> i16 {
        self.period.steps
    }

    /// Whether enough cycles have passed for the action.
    pub fn rested(&self, action: Action, cycle: u64) -> bool {
        let rested = |last: u64, rest: u64| last == 0 || cycle.saturating_sub(last) >= rest;
        let group = action.group().and_then(|group| self.groups.get(usize::from(group)));
        let of_its_own = match action {
            Action::Hold => true,
            Action::SampleFaster { .. } | Action::SampleSlower { .. } => {
                group.is_some_and(|habit| rested(habit.sampling.cycle, GROUP_REST_CYCLES))
            }
            Action::SwitchForecaster { .. } => group.is_some_and(|habit| rested(habit.switched, GROUP_REST_CYCLES)),
            Action::RaiseIncident { .. } | Action::ClearIncident => rested(self.incident_changed, INCIDENT_REST_CYCLES),
            Action::AskPeer { .. } => rested(self.asked, ASK_REST_CYCLES),
            Action::ChangePeriod { .. } => rested(self.period.cycle, GROUP_REST_CYCLES),
        };
        of_its_own && (!action.kind().is_structural() || rested(self.structural, STRUCTURAL_REST_CYCLES))
    }

    /// Takes in an action and says whether it took back an earlier change. `speaker` is who spoke for its group so far.
    pub fn acted(&mut self, action: Action, cycle: u64, speaker: Forecaster) -> bool {
        if action.kind().is_structural() {
            self.structural = cycle;
        }
        let habit = action.group().and_then(|group| self.groups.get_mut(usize::from(group)));
        match (action, habit) {
            (Action::SampleFaster { .. }, Some(habit)) => habit.sampling.change(cycle, true),
            (Action::SampleSlower { .. }, Some(habit)) => habit.sampling.change(cycle, false),
            (Action::SwitchForecaster { to, .. }, Some(habit)) => {
                let recent = habit.switched > 0 && cycle.saturating_sub(habit.switched) <= FLIP_CYCLES;
                let flip = recent && habit.spoke_before == to;
                (habit.switched, habit.spoke_before) = (cycle, speaker);
                flip
            }
            (Action::ChangePeriod { change }, _) => self.period.change(cycle, change == PeriodChange::Longer),
            (Action::RaiseIncident { group }, _) => {
                (self.incident, self.incident_changed) = (Some(group), cycle);
                false
            }
            (Action::ClearIncident, _) => {
                (self.incident, self.incident_changed) = (None, cycle);
                false
            }
            (Action::AskPeer { .. }, _) => {
                self.asked = cycle;
                false
            }
            (Action::Hold, _) | (_, None) => false,
        }
    }

    /// Takes in that a change of sampling was not carried out: the group is as near its nominal rate as before.
    pub fn refused(&mut self, action: Action) {
        let (group, up) = match action {
            Action::SampleFaster { group } => (group, true),
            Action::SampleSlower { group } => (group, false),
            _ => return,
        };
        if let Some(habit) = self.groups.get_mut(usize::from(group)) {
            habit.sampling.refused(up);
        }
    }

    /// There is one habit per group.
    pub(super) fn is_valid(&self, groups: usize) -> bool {
        self.groups.len() == groups && self.incident.is_none_or(|group| usize::from(group) < groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FASTER: Action = Action::SampleFaster { group: 0 };
    const SLOWER: Action = Action::SampleSlower { group: 0 };

    #[test]
    fn a_group_rests_a_hundred_cycles_and_any_structural_change_twenty() {
        let mut habits = Habits::new(2);
        assert!(habits.rested(FASTER, 5));
        habits.acted(FASTER, 5, Forecaster::Linear);
        assert!(!habits.rested(FASTER, 104) && habits.rested(FASTER, 105));
        assert!(!habits.rested(Action::SampleFaster { group: 1 }, 24));
        assert!(habits.rested(Action::SampleFaster { group: 1 }, 25));
        assert!(
            habits.rested(Action::RaiseIncident { group: 0 }, 6),
            "saying something is not structural"
        );
        assert!(habits.rested(Action::Hold, 6));
    }

    #[test]
    fn a_change_that_is_refused_is_no_step_and_rests_as_long() {
        let mut habits = Habits::new(1);
        habits.acted(FASTER, 5, Forecaster::Linear);
        habits.refused(FASTER);
        assert_eq!(habits.sampling_steps(0), 0);
        assert!(!habits.rested(FASTER, 104));
        habits.acted(SLOWER, 300, Forecaster::Linear);
        habits.refused(SLOWER);
        habits.refused(Action::SampleSlower { group: 1 });
        habits.refused(Action::Hold);
        assert_eq!(habits.sampling_steps(0), 0);
    }

    #[test]
    fn a_late_cycle_counts_for_fifty_cycles() {
        let mut habits = Habits::new(1);
        habits.cycle(true);
        (0..49).for_each(|_| habits.cycle(false));
        assert_eq!(habits.late_share(), 1.0 / 50.0);
        habits.cycle(false);
        assert_eq!(habits.late_share(), 0.0);
    }

    #[test]
    fn taking_back_a_recent_change_is_a_flip() {
        let mut habits = Habits::new(1);
        assert!(!habits.acted(FASTER, 1, Forecaster::Linear));
        assert!(!habits.acted(FASTER, 101, Forecaster::Linear));
        assert_eq!(habits.sampling_steps(0), 2);
        assert!(habits.acted(SLOWER, 301, Forecaster::Linear));
        assert!(!habits.acted(FASTER, 502, Forecaster::Linear), "201 cycles later");
        let longer = Action::ChangePeriod {
            change: PeriodChange::Longer,
        };
        let shorter = Action::ChangePeriod {
            change: PeriodChange::Shorter,
        };
        assert!(!habits.acted(longer, 600, Forecaster::Linear));
        assert_eq!(habits.period_steps(), 1);
        assert!(habits.acted(shorter, 700, Forecaster::Linear));
    }

    #[test]
    fn switching_back_is_a_flip_and_switching_on_is_not() {
        let mut habits = Habits::new(1);
        let switch = |to| Action::SwitchForecaster { group: 0, to };
        assert!(!habits.acted(switch(Forecaster::Belief), 100, Forecaster::Linear));
        assert!(!habits.acted(switch(Forecaster::Persistence), 200, Forecaster::Belief));
        assert!(habits.acted(switch(Forecaster::Belief), 300, Forecaster::Persistence));
    }

    #[test]
    fn incidents_open_and_close_and_questions_rest() {
        let mut habits = Habits::new(2);
        habits.acted(Action::RaiseIncident { group: 1 }, 10, Forecaster::Linear);
        assert_eq!(habits.incident(), Some(1));
        assert!(!habits.rested(Action::ClearIncident, 109) && habits.rested(Action::ClearIncident, 110));
        habits.acted(Action::ClearIncident, 110, Forecaster::Linear);
        assert_eq!(habits.incident(), None);
        habits.acted(Action::AskPeer { group: 0 }, 200, Forecaster::Linear);
        assert!(!habits.rested(Action::AskPeer { group: 1 }, 249) && habits.rested(Action::AskPeer { group: 1 }, 250));
    }

    #[test]
    fn an_action_on_a_group_that_does_not_exist_is_never_rested() {
        let habits = Habits::new(1);
        assert!(!habits.rested(Action::SampleFaster { group: 1 }, 1));
        assert!(habits.is_valid(1) && !habits.is_valid(2));
    }
}
