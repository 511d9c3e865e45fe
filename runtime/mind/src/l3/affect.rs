//! Affect: five slow signals about how things go, and the valence made of them.
//!
//! A secondary signal: it may order actions of equal value, never decide between unequal ones.

use super::action::ActionKind;
use serde::{Deserialize, Serialize};

/// Share of an affect that stays from cycle to cycle.
const STAY: f64 = 0.7;
/// Share that follows its cause.
const FOLLOW: f64 = 0.3;
/// What each affect loses in a cycle.
const DECAY: f64 = 0.05;

/// Curiosity, frustration, satisfaction, anxiety, excitement: each in [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Affect {
    /// Follows environmental uncertainty.
    pub curiosity: f64,
    /// Follows the share of failed tasks.
    pub frustration: f64,
    /// Follows the share of succeeded tasks.
    pub satisfaction: f64,
    /// Follows the greater of risk exposure and the uncertainty index.
    pub anxiety: f64,
    /// Follows the rise of SEOF.
    pub excitement: f64,
}

/// What affect follows, each in [0, 1] and over 50 cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Causes {
    /// Environmental uncertainty.
    pub uncertainty: f64,
    /// Share of tasks that failed.
    pub failed: f64,
    /// Share of tasks that succeeded.
    pub succeeded: f64,
    /// The greater of risk exposure and the uncertainty index.
    pub risk: f64,
    /// Rise of SEOF; a fall counts as 0.
    pub seof_rise: f64,
}

impl Affect {
    /// Each affect: `0.7 a + 0.3 cause - 0.05`, clamped to [0, 1]; a cause that is NaN counts as 0.
    pub fn update(&mut self, causes: &Causes) {
        let follow = |affect: &mut f64, cause: f64| {
            let cause = if cause.is_nan() { 0.0 } else { cause.clamp(0.0, 1.0) };
            *affect = (STAY * *affect + FOLLOW * cause - DECAY).clamp(0.0, 1.0);
        };
        follow(&mut self.curiosity, causes.uncertainty);
        follow(&mut self.frustration, causes.failed);
        follow(&mut self.satisfaction, causes.succeeded);
        follow(&mut self.anxiety, causes.risk);
        follow(&mut self.excitement, causes.seof_rise);
    }

    /// (curiosity + satisfaction + excitement - frustration - anxiety) / 5, in [-0.4, 0.6].
    pub fn valence(&self) -> f64 {
        (self.curiosity + self.satisfaction + self.excitement - self.frustration - self.anxiety) / 5.0
    }

    /// How much the mood leans to a kind of action, in [0, 1]: orders what is otherwise equal.
    pub fn leaning(&self, kind: ActionKind) -> f64 {
        match kind {
            ActionKind::Hold => self.satisfaction,
            ActionKind::SampleFaster | ActionKind::AskPeer => self.curiosity,
            ActionKind::SwitchForecaster => self.frustration,
            ActionKind::RaiseIncident => self.anxiety,
            ActionKind::ChangePeriod => self.excitement,
            ActionKind::SampleSlower | ActionKind::ClearIncident => 1.0 - self.anxiety,
        }
    }

    /// Every affect is in [0, 1].
    pub(super) fn is_valid(&self) -> bool {
        [
            self.curiosity,
            self.frustration,
            self.satisfaction,
            self.anxiety,
            self.excitement,
        ]
        .iter()
        .all(|a| (0.0..=1.0).contains(a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn affect_follows_its_cause_as_by_hand() {
        let mut affect = Affect {
            curiosity: 0.5,
            satisfaction: 0.1,
            ..Affect::default()
        };
        affect.update(&Causes {
            uncertainty: 1.0,
            failed: 0.5,
            ..Causes::default()
        });
        // 0.35 + 0.3 - 0.05; 0.15 - 0.05; 0.07 - 0.05; the others stay at 0, cut from -0.05.
        assert!((affect.curiosity - 0.6).abs() < 1e-15);
        assert!((affect.frustration - 0.1).abs() < 1e-15);
        assert!((affect.satisfaction - 0.02).abs() < 1e-15);
        assert_eq!((affect.anxiety, affect.excitement), (0.0, 0.0));
        assert!((affect.valence() - (0.6 + 0.02 - 0.1) / 5.0).abs() < 1e-15);
    }

    #[test]
    fn a_constant_cause_settles_at_itself_less_a_sixth() {
        let mut affect = Affect::default();
        for _ in 0..200 {
            affect.update(&Causes {
                risk: 0.6,
                ..Causes::default()
            });
        }
        assert!((affect.anxiety - (0.6 - 1.0 / 6.0)).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn no_cause_takes_affect_out_of_range(causes in prop::collection::vec(prop::array::uniform5(any::<f64>()), 0..20)) {
            let mut affect = Affect::default();
            for [uncertainty, failed, succeeded, risk, seof_rise] in causes {
                affect.update(&Causes { uncertainty, failed, succeeded, risk, seof_rise });
                prop_assert!(affect.is_valid());
                prop_assert!((-0.4..=0.6).contains(&affect.valence()));
            }
        }
    }
}
