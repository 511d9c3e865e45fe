//! What agents say to each other, and what they answer when they are asked. Typed, small and bounded; an agent speaks at
//! most once in 50 cycles.
//!
//! Times are counted from when a message is taken in, in the cycles of whoever takes it in: no two agents count alike.

use crate::goal::{Condition, Knob, KnobSetting, TaskAction, ValueDimension};
use crate::id::AgentId;
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};

/// Most agents that one message goes to.
pub const MAX_RECIPIENTS: usize = 5;
/// Most kinds of goals that a report names: there are no more.
pub const MAX_REPORTED_GOALS: usize = ValueDimension::ALL.len();
/// Most dimensions that an answer tells of.
pub const MAX_TOLD: usize = 4;
/// Longest time until a claim is to be checked or a promise kept, in cycles.
pub const MAX_WITHIN_CYCLES: u32 = 10_000;

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PeerMessage {
    /// What it works on, and how busy it is.
    Report {
        /// The value dimension that each kind of its goals serves most, the one it works on most first; each once.
        goals: Vec<ValueDimension>,
        /// Share of its capacity in use, 0 to 1.
        load: f64,
    },
    /// Something that is so. Whoever can observe it checks it.
    Claim {
        /// Which, among those of the sender.
        id: u64,
        /// What is so.
        fact: Condition,
        /// For so many cycles it can be checked, 1 to 10,000.
        within_cycles: u32,
    },
    /// Something that will be so.
    Promise {
        /// Which, among those of the sender.
        id: u64,
        /// What will be so.
        fact: Condition,
        /// Within so many cycles, 1 to 10,000.
        within_cycles: u32,
    },
    /// The sender says that it has kept a promise.
    Kept {
        /// Which.
        id: u64,
    },
    /// Work that is to be done by somebody else.
    Offer {
        /// Which, among those of the sender.
        id: u64,
        /// What is to be done.
        task: TaskAction,
        /// Share of the doer's budget that it may take, above 0, at most 1.
        share: f64,
    },
    /// The sender would do what was offered.
    Bid {
        /// The offer.
        offer: u64,
        /// How sure it is of being able to, 0 to 1.
        confidence: f64,
    },
    /// The receiver is to do what was offered.
    Award {
        /// The offer.
        offer: u64,
    },
    /// What has done the sender good: settings of knobs.
    Lesson {
        /// The settings, each knob once.
        settings: Vec<KnobSetting>,
        /// By how much its objective has risen, -2 to 2.
        gain: f64,
    },
}

impl PeerMessage {
    /// Checks every range.
    pub fn validate(&self) -> Result<(), SpecError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let in_time = |cycles: u32| (1..=MAX_WITHIN_CYCLES).contains(&cycles);
        let fault = match self {
            PeerMessage::Report { goals, load } => {
                let once = goals.iter().enumerate().all(|(at, goal)| !goals[..at].contains(goal));
                (!once || !share(*load)).then_some(("peer.report", "goals each once, a load of 0 to 1"))
            }
            PeerMessage::Claim {
                fact, within_cycles, ..
            }
            | PeerMessage::Promise {
                fact, within_cycles, ..
            } => {
                let fits = fact.value.is_finite() && in_time(*within_cycles);
                (!fits).then_some(("peer.fact", "a finite value, within 1 to 10000 cycles"))
            }
            PeerMessage::Kept { .. } | PeerMessage::Award { .. } => None,
            PeerMessage::Offer { share: asked, .. } => {
                (!(share(*asked) && *asked > 0.0)).then_some(("peer.offer.share", "above 0, at most 1"))
            }
            PeerMessage::Bid { confidence, .. } => (!share(*confidence)).then_some(("peer.bid.confidence", "0 to 1")),
            PeerMessage::Lesson { settings, gain } => {
                let once = |at: usize, knob: Knob| settings[..at].iter().all(|other| other.knob != knob);
                let sane = settings
                    .iter()
                    .enumerate()
                    .all(|(at, s)| s.is_valid() && once(at, s.knob));
                let fits = sane && !settings.is_empty() && (-2.0..=2.0).contains(gain);
                (!fits).then_some(("peer.lesson", "valid settings, each knob once, a gain of -2 to 2"))
            }
        };
        match fault {
            None => Ok(()),
            Some((field, expected)) => Err(SpecError::OutOfRange {
                field,
                found: "another".to_owned(),
                expected: expected.to_owned(),
            }),
        }
    }
}

/// What an agent says of a group of dimensions that it was asked about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The dimensions of the group that it has seen lately, 1 to [`MAX_TOLD`], each once.
    pub dimensions: Vec<Told>,
    /// For so many cycles it can be checked, 1 to 10,000.
    pub within_cycles: u32,
}

/// What it says of one dimension, in the unit of its environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The dimension's name.
    pub name: String,
    /// The forecast of its next value, in its unit.
    pub value: f64,
    /// It is not expected to fall below this, in its unit; at most the forecast.
    pub lowest: f64,
    /// It is not expected to rise above this, in its unit; at least the forecast.
    pub highest: f64,
}

impl Answer {
    /// Checks every range.
    pub fn validate(&self) -> Result<(), SpecError> {
        let sane = |told: &Told| {
            let order = told.lowest <= told.value && told.value <= told.highest;
            order && told.lowest.is_finite() && told.highest.is_finite()
        };
        let once = |at: usize| self.dimensions[..at].iter().all(|o| o.name != self.dimensions[at].name);
        let count = (1..=MAX_TOLD).contains(&self.dimensions.len());
        let each = self
            .dimensions
            .iter()
            .enumerate()
            .all(|(at, told)| sane(told) && once(at));
        let fault = match (count && each, (1..=MAX_WITHIN_CYCLES).contains(&self.within_cycles)) {
            (true, true) => return Ok(()),
            (false, _) => (
                "answer.dimensions",
                "1 to 4 dimensions, each once, lowest <= value <= highest",
            ),
            (true, false) => ("answer.within_cycles", "1 to 10000"),
        };
        Err(SpecError::OutOfRange {
            field: fault.0,
            found: "another".to_owned(),
            expected: fault.1.to_owned(),
        })
    }
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// Who says it, as the node knows it: not what the message says of itself.
    pub from: AgentId,
    /// What.
    pub message: PeerMessage,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::{Comparison, Quantity};

    fn fact(value: f64) -> Condition {
        Condition {
            of: Quantity::Eu,
            is: Comparison::AtMost,
            value,
        }
    }

    #[test]
    fn a_message_with_a_number_outside_its_range_is_refused() {
        let growth = ValueDimension::Growth;
        let claim = |value, within_cycles| PeerMessage::Claim {
            id: 1,
            fact: fact(value),
            within_cycles,
        };
        let lesson = |settings: &[KnobSetting], gain| PeerMessage::Lesson {
            settings: settings.to_vec(),
            gain,
        };
        let setting = |to| KnobSetting {
            knob: Knob::RiskCap,
            to,
        };
        let report = |goals: &[ValueDimension], load| PeerMessage::Report {
            goals: goals.to_vec(),
            load,
        };
        let good = [
            report(&[growth], 1.0),
            claim(0.5, MAX_WITHIN_CYCLES),
            lesson(&[setting(0.5)], 2.0),
            PeerMessage::Kept { id: 4 },
        ];
        assert!(good.iter().all(|message| message.validate().is_ok()));
        let bad = [
            report(&[growth, growth], 0.5),
            report(&[], 1.01),
            report(&[], f64::NAN),
            claim(f64::NAN, 10),
            claim(0.5, 0),
            claim(0.5, MAX_WITHIN_CYCLES + 1),
            lesson(&[], 0.1),
            lesson(&[setting(1.1)], 0.1),
            lesson(&[setting(0.5), setting(0.6)], 0.1),
            lesson(&[setting(0.5)], 2.1),
            PeerMessage::Bid {
                offer: 1,
                confidence: -0.1,
            },
            PeerMessage::Offer {
                id: 1,
                task: TaskAction::ClearIncident,
                share: 0.0,
            },
        ];
        for message in bad {
            assert!(message.validate().is_err(), "{message:?}");
        }
    }

    #[test]
    fn an_answer_that_tells_nothing_too_much_or_what_cannot_be_is_refused() {
        let told = |name: &str, lowest, value, highest| Told {
            name: name.to_owned(),
            value,
            lowest,
            highest,
        };
        let answer = |dimensions: &[Told], within_cycles| Answer {
            dimensions: dimensions.to_vec(),
            within_cycles,
        };
        let four = ["a", "b", "c", "d"].map(|name| told(name, -1.0, 0.0, 1.0));
        assert!(answer(&four, MAX_WITHIN_CYCLES).validate().is_ok());
        assert!(answer(&[told("a", 2.0, 2.0, 2.0)], 1).validate().is_ok());
        let five = [&four[..], &[told("e", 0.0, 0.0, 0.0)]].concat();
        let bad = [
            answer(&[], 1),
            answer(&five, 1),
            answer(&[four[0].clone(), four[0].clone()], 1),
            answer(&[told("a", 1.0, 0.5, 2.0)], 1),
            answer(&[told("a", 1.0, 2.5, 2.0)], 1),
            answer(&[told("a", f64::NEG_INFINITY, 0.0, 1.0)], 1),
            answer(&[told("a", 0.0, f64::NAN, 1.0)], 1),
            answer(&four, 0),
            answer(&four, MAX_WITHIN_CYCLES + 1),
        ];
        for answer in bad {
            assert!(answer.validate().is_err(), "{answer:?}");
        }
    }
}
