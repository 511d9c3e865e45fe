//! Why the agent might want something: six origins (MSCP Level 4.9, section 3.1), and what was seen.

use crate::l49::resources::{ResourceKind, SurvivalState};
use crate::l49::values::ValueDimension;
use rungs_types::SkillName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a goal of the agent's own comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalOrigin {
    /// What the agent does has drifted from its purpose.
    PurposeDerived,
    /// The world is about to be kind.
    OpportunityDriven,
    /// It lacks a skill that it is going to need.
    GapFilling,
    /// A value that its goals serve badly.
    ValueAligned,
    /// It knows little of something, and can afford to look.
    Exploratory,
    /// Its resources do not last.
    SurvivalDriven,
}

impl GoalOrigin {
    /// All six, in the order of section 3.1.
    pub const ALL: [GoalOrigin; 6] = [
        GoalOrigin::PurposeDerived,
        GoalOrigin::OpportunityDriven,
        GoalOrigin::GapFilling,
        GoalOrigin::ValueAligned,
        GoalOrigin::Exploratory,
        GoalOrigin::SurvivalDriven,
    ];

    /// The origin's place in [`GoalOrigin::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name, as in goal names.
    pub fn as_str(self) -> &'static str {
        match self {
            GoalOrigin::PurposeDerived => "purpose",
            GoalOrigin::OpportunityDriven => "opportunity",
            GoalOrigin::GapFilling => "gap",
            GoalOrigin::ValueAligned => "value",
            GoalOrigin::Exploratory => "exploratory",
            GoalOrigin::SurvivalDriven => "survival",
        }
    }
}

impl fmt::Display for GoalOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was seen. Its numbers are finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Stream 1: the Optimistic scenario is likely, and worth something.
    Environmental {
        /// Its probability after re-weighting.
        probability: f64,
        /// SEOF in it less SEOF without it.
        gain: f64,
        /// For how long it is expected to last, in cycles.
        window_cycles: u32,
    },
    /// Stream 2: confidence in a skill is too low for what needs it.
    CapabilityGap {
        /// Which skill.
        skill: SkillName,
        /// Needed less calibrated confidence.
        magnitude: f64,
        /// Cycles to the earliest goal that needs it.
        time_to_need: u64,
    },
    /// Stream 3: the goals serve the purpose badly.
    PurposeRealignment {
        /// In which dimension.
        dimension: ValueDimension,
        /// How well, in [0, 1].
        alignment: f64,
    },
    /// The goals that serve a value do not go with the values as a whole, for 200 cycles.
    Neglected {
        /// Which value.
        dimension: ValueDimension,
        /// Their mean alignment.
        alignment: f64,
        /// For how long.
        cycles: u64,
    },
    /// A group is more uncertain than it was nine times in ten.
    Curiosity {
        /// Which group.
        group: u16,
        /// Its mean variance.
        variance: f64,
        /// The ninth decile of what it was.
        decile: f64,
    },
    /// Resources are Constrained or worse.
    Shortage {
        /// The state.
        state: SurvivalState,
        /// What runs out first.
        bottleneck: Option<ResourceKind>,
        /// When, in cycles.
        min_survival: f64,
    },
}

impl Signal {
    /// Where a goal made of it comes from.
    pub fn origin(&self) -> GoalOrigin {
        match self {
            Signal::Environmental { .. } => GoalOrigin::OpportunityDriven,
            Signal::CapabilityGap { .. } => GoalOrigin::GapFilling,
            Signal::PurposeRealignment { .. } => GoalOrigin::PurposeDerived,
            Signal::Neglected { .. } => GoalOrigin::ValueAligned,
            Signal::Curiosity { .. } => GoalOrigin::Exploratory,
            Signal::Shortage { .. } => GoalOrigin::SurvivalDriven,
        }
    }

    /// The value dimension that a goal made of it serves most.
    pub fn serves(&self) -> ValueDimension {
        match self {
            Signal::Environmental { .. } | Signal::CapabilityGap { .. } => ValueDimension::Growth,
            Signal::PurposeRealignment { dimension, .. } | Signal::Neglected { dimension, .. } => *dimension,
            Signal::Curiosity { .. } => ValueDimension::Exploration,
            Signal::Shortage { .. } => ValueDimension::Stability,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::Environmental {
                probability,
                gain,
                window_cycles,
            } => write!(
                f,
                "a kind world is likely ({probability:.2}) and worth {gain:.3} of SEOF for {window_cycles} cycles"
            ),
            Signal::CapabilityGap {
                skill,
                magnitude,
                time_to_need,
            } => write!(
                f,
                "{skill} falls short by {magnitude:.2}, needed in {time_to_need} cycles"
            ),
            Signal::PurposeRealignment { dimension, alignment } => {
                write!(
                    f,
                    "goals serve {dimension} only {alignment:.2} of what the purpose asks"
                )
            }
            Signal::Neglected {
                dimension,
                alignment,
                cycles,
            } => write!(
                f,
                "goals for {dimension} align {alignment:.2} with the values for {cycles} cycles"
            ),
            Signal::Curiosity {
                group,
                variance,
                decile,
            } => write!(
                f,
                "group {group} is uncertain: variance {variance:.3}, mostly below {decile:.3}"
            ),
            Signal::Shortage {
                state,
                bottleneck,
                min_survival,
            } => {
                write!(f, "resources are {state}: {min_survival:.0} cycles left")?;
                bottleneck.map_or(Ok(()), |kind| write!(f, " of {kind}"))
            }
        }
    }
}
