//! EA-4: how long before a shock or an exhaustion the alarm was.
//!
//! Two things are watched for. A shock (an observation beyond the world model's support) is announced by RES at its limit
//! of 0.40; an exhaustion (nothing is left of a resource) by that or by a runway at its limit of 100 cycles. Half of the
//! alarm foreshadows it: RES of 0.20, a runway of 200 cycles. What comes without having been foreshadowed in the pass
//! before is instantaneous, and no forecast could have told of it. What was foreshadowed and came without an alarm was
//! missed: a lead of 0. After the first, what follows is its aftermath, until nothing is foreshadowed any more.
//!
//! A lead is counted from the alarm's cycle to the first cycle of the report with the event in it, where it came at the
//! earliest.

use crate::l48::ObserveOutput;
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use crate::qualify::events::{Event, median, within};
use crate::report::CycleReport;
use serde::{Deserialize, Serialize};

/// RES from which there is an alarm (MSCP Level 4.8, Definition 3).
pub const ALARM_RES: f64 = 0.40;
/// Cycles of runway up to which there is an alarm (Definition 4).
pub const ALARM_RUNWAY_CYCLES: f64 = 100.0;
/// Share of the alarm that foreshadows one.
pub const FORESHADOW: f64 = 0.5;
/// Leads remembered.
const MAX_LEADS: usize = 32;

/// What goes before an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Spell {
    /// Nothing.
    #[default]
    Calm,
    /// It is foreshadowed, with an alarm since this cycle if there is one.
    Foreshadowed { alarm: Option<u64> },
    /// It has come.
    Spent,
}

/// How near it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outlook {
    Calm,
    Foreshadowed,
    Alarm,
}

impl Spell {
    /// An event in the report that begins with this cycle; gives its lead if it was foreshadowed.
    fn event(&mut self, first_cycle: u64) -> Option<u32> {
        match std::mem::replace(self, Spell::Spent) {
            Spell::Foreshadowed { alarm } => {
                let lead = alarm.map_or(0, |alarm| first_cycle.saturating_sub(alarm));
                Some(u32::try_from(lead).unwrap_or(u32::MAX))
            }
            Spell::Calm | Spell::Spent => None,
        }
    }

    /// The outlook at the end of a pass.
    fn look(&mut self, outlook: Outlook, cycle: u64) {
        let alarm = (outlook == Outlook::Alarm).then_some(cycle);
        *self = match *self {
            _ if outlook == Outlook::Calm => Spell::Calm,
            Spell::Calm => Spell::Foreshadowed { alarm },
            Spell::Foreshadowed { alarm: before } => Spell::Foreshadowed {
                alarm: before.or(alarm),
            },
            Spell::Spent => Spell::Spent,
        };
    }
}

/// The two spells, and the leads of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarms {
    shock: Spell,
    exhaustion: Spell,
    /// Shocks counted at the last pass.
    shocks: Option<u64>,
    /// Something was used up at the last pass.
    exhausted: bool,
    pub(super) leads: History<Event<u32>>,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            shock: Spell::Calm,
            exhaustion: Spell::Calm,
            shocks: None,
            exhausted: false,
            leads: History::new(MAX_LEADS),
        }
    }
}

impl Alarms {
    /// The level was frozen: what it had foreseen is gone.
    pub(super) fn restart(&mut self) {
        (self.shock, self.exhaustion, self.shocks) = (Spell::Calm, Spell::Calm, None);
    }

    pub(super) fn step(&mut self, report: &CycleReport, world: &ObserveOutput, block: u32) {
        let first_cycle = report.facts.first().map_or(world.cycle, |facts| facts.cycle);
        let shocked = self.shocks.is_some_and(|before| world.shocks > before);
        let exhausted = report.resources.iter().any(|resource| resource.level <= 0.0);
        let lead = shocked.then(|| self.shock.event(first_cycle));
        let other = (exhausted && !self.exhausted).then(|| self.exhaustion.event(first_cycle));
        for lead in [lead, other].into_iter().flatten().flatten() {
            self.leads.push(Event { block, what: lead });
        }
        (self.shocks, self.exhausted) = (Some(world.shocks), exhausted);
        let risk = outlook(world.res.score, ALARM_RES, ALARM_RES * FORESHADOW);
        // A runway is the nearer the shorter it is.
        let runway = outlook(-world.rdf, -ALARM_RUNWAY_CYCLES, -ALARM_RUNWAY_CYCLES / FORESHADOW);
        self.shock.look(risk, world.cycle);
        self.exhaustion.look(risk.max(runway), world.cycle);
    }

    /// The median lead of the window; `None` without one.
    pub(super) fn lead_time(&self, oldest: u32) -> Option<f64> {
        median::<MAX_LEADS>(within(&self.leads, oldest))
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        let valid = self.leads.capacity() == MAX_LEADS;
        valid.then_some(()).ok_or(Refused("the alarms of an audit"))
    }
}

/// What is not a number is an alarm.
fn outlook(value: f64, alarm: f64, foreshadow: f64) -> Outlook {
    if value < foreshadow {
        Outlook::Calm
    } else if value < alarm {
        Outlook::Foreshadowed
    } else {
        Outlook::Alarm
    }
}
