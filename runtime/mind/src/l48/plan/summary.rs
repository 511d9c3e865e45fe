//! What of phase 3 is stored: which strategies are in force and were learned. The law of the agent's own state is not: it
//! is known again after fifty cycles, and until then nothing is compared.

use super::Choice;
use super::learned::{Learned, MAX_LEARNED};
use super::state::PlanState;
use super::strategy::{Archetype, Strategy, StrategyError};
use rand_pcg::Pcg64Mcg;
use rungs_types::goal::Knob;
use serde::{Deserialize, Serialize};

/// The state of the phase in some 170 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSummary {
    rng: Pcg64Mcg,
    in_force: ChoiceSummary,
    before: ChoiceSummary,
    since_change: u32,
    learned: Vec<LearnedSummary>,
    neighbour: u32,
}

/// A choice; only what was learned says its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ChoiceSummary {
    archetype: Archetype,
    settings: Option<Settings>,
}

type Settings = [f32; Knob::ALL.len()];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LearnedSummary {
    settings: Settings,
    worth: f32,
    passes: u32,
}

/// Why a stored plan is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanRestoreError {
    /// A strategy that cannot be.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// A learned strategy without settings.
    #[error("a learned strategy without settings")]
    Unset,
    /// More learned strategies than there may be, or one of a worth outside [-1, 1].
    #[error("{found} learned strategies; expected at most {MAX_LEARNED}, each of a worth of -1 to 1")]
    Learned {
        /// How many.
        found: usize,
    },
}

impl PlanState {
    /// What of it is stored.
    pub fn summary(&self) -> PlanSummary {
        PlanSummary {
            rng: self.rng.clone(),
            in_force: ChoiceSummary::of(&self.in_force),
            before: ChoiceSummary::of(&self.before),
            since_change: self.since_change,
            learned: self.learned.iter().map(LearnedSummary::of).collect(),
            neighbour: self.neighbour,
        }
    }
}

impl PlanSummary {
    /// The state again, without the law of the agent's own state.
    pub fn restore(&self) -> Result<PlanState, PlanRestoreError> {
        let found = self.learned.len();
        let mut state = PlanState::new(0);
        state.rng = self.rng.clone();
        state.in_force = self.in_force.restore()?;
        state.before = self.before.restore()?;
        state.since_change = self.since_change;
        state.neighbour = self.neighbour % (2 * Knob::ALL.len() as u32);
        if found > MAX_LEARNED {
            return Err(PlanRestoreError::Learned { found });
        }
        for known in &self.learned {
            let worth = f64::from(known.worth);
            if !(-1.0..=1.0).contains(&worth) {
                return Err(PlanRestoreError::Learned { found });
            }
            state.learned.push(Learned {
                strategy: strategy(&known.settings)?,
                worth,
                passes: known.passes,
            });
        }
        Ok(state)
    }
}

impl ChoiceSummary {
    fn of(choice: &Choice) -> Self {
        let learned = choice.archetype == Archetype::Learned;
        Self {
            archetype: choice.archetype,
            settings: learned.then(|| settings(&choice.strategy)),
        }
    }

    fn restore(&self) -> Result<Choice, PlanRestoreError> {
        let strategy = match (Strategy::of(self.archetype), &self.settings) {
            (Some(known), _) => known,
            (None, Some(settings)) => strategy(settings)?,
            (None, None) => return Err(PlanRestoreError::Unset),
        };
        Ok(Choice {
            archetype: self.archetype,
            strategy,
        })
    }
}

impl LearnedSummary {
    fn of(learned: &Learned) -> Self {
        Self {
            settings: settings(&learned.strategy),
            worth: learned.worth as f32,
            passes: learned.passes,
        }
    }
}

fn settings(strategy: &Strategy) -> Settings {
    Knob::ALL.map(|knob| strategy.get(knob) as f32)
}

/// The strategy of settings that were rounded: never beyond what a knob can be set to.
fn strategy(settings: &Settings) -> Result<Strategy, StrategyError> {
    let mut all = [0.0; Knob::ALL.len()];
    for (knob, (to, found)) in Knob::ALL.into_iter().zip(all.iter_mut().zip(settings)) {
        let (low, high) = knob.range();
        let found = f64::from(*found);
        // The rounding of one f32 and no more; what is further out is damage, and refused.
        *to = if (low - 1e-6..=high + 1e-6).contains(&found) {
            found.clamp(low, high)
        } else {
            found
        };
    }
    Strategy::try_from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned() -> PlanState {
        let mut state = PlanState::new(7);
        let strategies: Vec<Strategy> = (0..3).map(|nth| Strategy::AGGRESSIVE.neighbour(nth)).collect();
        for strategy in &strategies {
            state.learned.push(Learned {
                strategy: *strategy,
                worth: -0.25,
                passes: 12,
            });
        }
        (state.since_change, state.neighbour) = (4, 11);
        state.in_force = Choice {
            archetype: Archetype::Learned,
            strategy: strategies[1],
        };
        state
    }

    #[test]
    fn what_is_in_force_and_was_learned_comes_back_within_a_rounding() {
        let state = learned();
        let restored = state.summary().restore().unwrap();
        assert!(restored.is_valid());
        assert_eq!(restored.summary(), state.summary());
        for knob in Knob::ALL {
            let (was, is) = (state.in_force.strategy.get(knob), restored.in_force.strategy.get(knob));
            assert!((was - is).abs() < 1e-6, "{knob}");
        }
        assert_eq!(PlanState::new(1).summary().restore().unwrap(), PlanState::new(1));
    }

    #[test]
    fn a_damaged_summary_is_refused() {
        let mut unset = learned().summary();
        unset.in_force.settings = None;
        assert_eq!(unset.restore(), Err(PlanRestoreError::Unset));
        let mut wild = learned().summary();
        wild.learned[0].settings[0] = f32::NAN;
        assert!(matches!(wild.restore(), Err(PlanRestoreError::Strategy(_))));
        let mut many = learned().summary();
        many.learned.push(many.learned[0].clone());
        assert_eq!(many.restore(), Err(PlanRestoreError::Learned { found: 4 }));
        let mut worth = learned().summary();
        worth.learned[2].worth = 1.1;
        assert!(worth.restore().is_err());
    }
}
