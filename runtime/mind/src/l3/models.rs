//! The prediction model: what an action of each kind changes, in the self and in the environment.
//!
//! Linear, by recursive least squares with forgetting 0.98, one set per kind of action. Models of a kind other than
//! holding are made at its first use, from what holding has taught: an action that was never tried is expected to change
//! what holding changes.

use super::action::ActionKind;
use super::dimension::{self, Lesson, PRIOR_VARIANCE, REGRESSORS};
use super::identity::{COMPONENTS, DELTA_MAX, Motion, STABILIZING_SHARE};
use crate::numeric::rls::Rls;
use serde::{Deserialize, Serialize};

/// Steps of I have this size in the models, so that regressors and targets are of order 1.
const STEP_UNIT: f64 = DELTA_MAX / 10.0;
/// Steps in these units are cut at this magnitude.
const STEP_CUT: f64 = 20.0;
/// Regressors of a component of I: constant, what is left to move, last step.
const IDENTITY_REGRESSORS: usize = 3;

/// The models of one kind of action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KindModels {
    identity: [Rls; COMPONENTS],
    environment: Vec<Rls>,
}

/// All models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Models {
    hold: KindModels,
    /// Of the kinds after holding, in the order of [`ActionKind::ALL`].
    others: [Option<Box<KindModels>>; 7],
}

impl Models {
    /// Models that expect no change.
    pub fn new(dimensions: usize) -> Self {
        let rls = |regressors| Rls::new(regressors, dimension::FORGETTING, PRIOR_VARIANCE);
        let hold = KindModels {
            identity: std::array::from_fn(|_| rls(IDENTITY_REGRESSORS)),
            environment: (0..dimensions).map(|_| rls(REGRESSORS)).collect(),
        };
        Self {
            hold,
            others: Default::default(),
        }
    }

    /// The change of I that an action of the kind will cause, given the last move, each component within what the
    /// mode allows.
    pub fn predict_identity(&self, kind: ActionKind, last: &Motion, stabilizing: bool) -> [f64; COMPONENTS] {
        let models = &self.of(kind).identity;
        std::array::from_fn(|c| {
            let steps = models[c].predict(&identity_regressors(last, c)).unwrap_or(0.0);
            (steps * STEP_UNIT).clamp(-DELTA_MAX, DELTA_MAX) * share(stabilizing)
        })
    }

    /// Learns what an action of the kind did to I, from the move before it and the move after it. The halving of
    /// stabilization mode is the mode's doing, not the action's, and is taken out.
    pub fn learn_identity(&mut self, kind: ActionKind, before: &Motion, after: &Motion) {
        for (c, model) in self.of_mut(kind).identity.iter_mut().enumerate() {
            let whole = after.taken[c] / share(after.halved);
            model.update(
                &identity_regressors(before, c),
                (whole / STEP_UNIT).clamp(-STEP_CUT, STEP_CUT),
            );
        }
    }

    /// The change of a dimension that an action of the kind will cause, in usual changes; `None` for a dimension that
    /// does not exist.
    pub fn predict_change(&self, kind: ActionKind, dimension: usize, regressors: &[f64; REGRESSORS]) -> Option<f64> {
        self.of(kind).environment.get(dimension)?.predict(regressors)
    }

    /// Learns what an action did to a dimension.
    pub fn learn_change(&mut self, dimension: usize, lesson: &Lesson) {
        if let Some(model) = self.of_mut(lesson.kind).environment.get_mut(dimension) {
            model.update(&lesson.regressors, lesson.target);
        }
    }

    fn of(&self, kind: ActionKind) -> &KindModels {
        let own = kind.index().checked_sub(1).and_then(|i| self.others[i].as_deref());
        own.unwrap_or(&self.hold)
    }

    fn of_mut(&mut self, kind: ActionKind) -> &mut KindModels {
        match kind.index().checked_sub(1) {
            None => &mut self.hold,
            Some(i) => self.others[i].get_or_insert_with(|| Box::new(self.hold.clone())),
        }
    }

    /// All models are of the shape that an environment of this many dimensions has.
    pub(super) fn is_valid(&self, dimensions: usize) -> bool {
        let fits = |models: &KindModels| {
            models.environment.len() == dimensions
                && models.environment.iter().all(|rls| rls.dim() == REGRESSORS)
                && models.identity.iter().all(|rls| rls.dim() == IDENTITY_REGRESSORS)
        };
        fits(&self.hold) && self.others.iter().flatten().all(|models| fits(models))
    }
}

/// Share of a move that is made.
fn share(stabilizing: bool) -> f64 {
    if stabilizing { STABILIZING_SHARE } else { 1.0 }
}

/// 1, what is left to move, the last step taken; the latter two in [`STEP_UNIT`]s.
fn identity_regressors(motion: &Motion, component: usize) -> [f64; IDENTITY_REGRESSORS] {
    let in_units = |step: f64| (step / STEP_UNIT).clamp(-STEP_CUT, STEP_CUT);
    [1.0, in_units(motion.left[component]), in_units(motion.taken[component])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motion(taken: f64, left: f64) -> Motion {
        Motion {
            taken: [taken; COMPONENTS],
            left: [left; COMPONENTS],
            velocity: 0.0,
            acceleration: 0.0,
            drift: false,
            halved: false,
        }
    }

    #[test]
    fn untaught_models_expect_no_change() {
        let models = Models::new(2);
        assert_eq!(
            models.predict_identity(ActionKind::AskPeer, &motion(0.05, 0.3), false),
            [0.0; COMPONENTS]
        );
        assert_eq!(models.predict_change(ActionKind::Hold, 1, &[1.0, 2.0, 3.0]), Some(0.0));
        assert_eq!(models.predict_change(ActionKind::Hold, 2, &[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn a_clamped_move_is_learnt_to_go_on_within_the_limit() {
        let mut models = Models::new(1);
        // What is left moves at the clamp until it is gone.
        for _ in 0..100 {
            models.learn_identity(ActionKind::Hold, &motion(0.05, 0.05), &motion(0.05, 0.0));
            models.learn_identity(ActionKind::Hold, &motion(0.05, 0.0), &motion(0.0, 0.0));
        }
        let predicted = models.predict_identity(ActionKind::Hold, &motion(0.05, 0.05), false);
        assert!((predicted[0] - 0.05).abs() < 0.002, "{predicted:?}");
        assert_eq!(
            models.predict_identity(ActionKind::Hold, &motion(0.05, 1.0), false),
            [0.05; COMPONENTS]
        );
        assert_eq!(
            models.predict_identity(ActionKind::Hold, &motion(0.05, 1.0), true),
            [0.025; COMPONENTS]
        );
    }

    #[test]
    fn a_new_kind_starts_from_holding_and_then_goes_its_own_way() {
        let mut models = Models::new(1);
        let lesson = |kind, target| Lesson {
            kind,
            regressors: [1.0, 0.0, 0.0],
            target,
        };
        (0..200).for_each(|_| models.learn_change(0, &lesson(ActionKind::Hold, 1.0)));
        let of = |models: &Models, kind| models.predict_change(kind, 0, &[1.0, 0.0, 0.0]).expect("exists");
        assert!((of(&models, ActionKind::SampleFaster) - of(&models, ActionKind::Hold)).abs() < 1e-15);
        (0..200).for_each(|_| models.learn_change(0, &lesson(ActionKind::SampleFaster, -1.0)));
        assert!(of(&models, ActionKind::SampleFaster) < -0.9 && of(&models, ActionKind::Hold) > 0.9);
        assert!(models.is_valid(1) && !models.is_valid(2));
    }
}
