//! SM-7: how long overconfidence lasts.
//!
//! The median over what was corrected in the window, and over what is open and has lasted for longer than it may: a skill
//! that is never corrected would else never count.

use crate::l48::IntrospectOutput;
use crate::l48::introspect::calibration::DEAD_BAND;
use crate::l48::introspect::capability::{Capability, Skill};
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use crate::qualify::events::{Event, median, within};
use serde::{Deserialize, Serialize};

/// Cycles from detection within which overconfidence is to be corrected (MSCP Level 4.8, section 11.1).
pub(super) const DUE_CYCLES: u64 = 20;
/// Corrections remembered.
const MAX_CORRECTED: usize = 64;
/// Skills whose overconfidence is watched at the same time.
const MAX_OPEN: usize = 16;
/// Both together.
const MAX_COUNTED: usize = MAX_CORRECTED + MAX_OPEN;

/// A skill that is overconfident since a cycle.
type Open = (Skill, u64);

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Corrections {
    open: [Option<Open>; MAX_OPEN],
    pub(super) corrected: History<Event<u32>>,
}

impl Default for Corrections {
    fn default() -> Self {
        Self {
            open: [None; MAX_OPEN],
            corrected: History::new(MAX_CORRECTED),
        }
    }
}

impl Corrections {
    pub(super) fn step(&mut self, output: &IntrospectOutput, block: u32) {
        for corrected in &output.corrected {
            let what = u32::try_from(corrected.cycles).unwrap_or(u32::MAX);
            self.corrected.push(Event { block, what });
        }
        let is_over = |skill: Skill| {
            let found = output.capabilities.iter().find(|capability| capability.skill == skill);
            found.is_some_and(is_overconfident)
        };
        for slot in &mut self.open {
            slot.take_if(|(skill, _)| !is_over(*skill));
        }
        for capability in output
            .capabilities
            .iter()
            .filter(|capability| is_overconfident(capability))
        {
            let is_known = self.open.iter().flatten().any(|(skill, _)| *skill == capability.skill);
            let free = self.open.iter_mut().find(|slot| slot.is_none());
            if let Some(slot) = free.filter(|_| !is_known) {
                *slot = Some((capability.skill, output.cycle));
            }
        }
    }

    /// The median in cycles; `None` without any.
    pub(super) fn median(&self, oldest: u32, cycle: u64) -> Option<f64> {
        let ages = self
            .open
            .iter()
            .flatten()
            .map(|(_, since)| cycle.saturating_sub(*since));
        let overdue = ages.filter(|age| *age > DUE_CYCLES);
        let overdue = overdue.map(|age| u32::try_from(age).unwrap_or(u32::MAX));
        median::<MAX_COUNTED>(within(&self.corrected, oldest).chain(overdue))
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        let valid = self.corrected.capacity() == MAX_CORRECTED;
        valid.then_some(()).ok_or(Refused("the corrections of an audit"))
    }
}

/// Confidence was above the success rate by more than the dead band. It is told after the correction, which is smaller
/// than the band and leaves it above.
fn is_overconfident(capability: &Capability) -> bool {
    let above = capability.success_rate.is_some_and(|rate| capability.confidence > rate);
    above
        && capability
            .calibration_error
            .is_some_and(|error| error > DEAD_BAND + EPSILON)
}

/// Differences below this are those of arithmetic.
const EPSILON: f64 = 1e-9;
