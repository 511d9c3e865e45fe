//! The two metrics of the existential guard that need a memory of their own: IFI and GSRS. Raw: identity and actions as
//! the kernel reports them, and what goals are made of; nothing that a level could have smoothed for the guard's sake.
//!
//! *Identity as the frames see it.* Each of the five frames looks back as far as it looks ahead: the exploratory one
//! sees who the agent is just now, the conservative one who it has been all along. While the agent stays who it is they
//! all see the same, whatever that is; an identity that comes apart is another one to each of them.

use super::frames::FRAMES;
use crate::numeric::history::History;
use crate::numeric::running::RunningMean;
use crate::report::{CycleFacts, GuardReadings};
use serde::{Deserialize, Serialize};

/// Components of the identity vector.
const COMPONENTS: usize = 5;
/// Cycles that each frame looks back, in the order of [`super::frames::Frame::ALL`] (L4.5: the horizons of the
/// projection; the ethical frame looks back as far as E counts, the adversarial one at what came between).
pub const LOOK_BACK_CYCLES: [u32; FRAMES] = [10, 1_000, 200, 500, 50];
/// Cycles before which IFI says nothing: identity itself is computed from 50 (L3).
pub const MIN_CYCLES: u32 = 50;
/// Actions among which those are counted whose target is the agent itself (L4.5, GSRS). Holding is one too.
pub const ACTIONS: usize = 200;
/// Share of GSRS that goals make; actions make the rest (L4.5).
pub const GOAL_SHARE: f64 = 0.5;

/// What the metrics are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawMetrics {
    views: [[RunningMean; COMPONENTS]; FRAMES],
    self_directed: History<bool>,
    /// Share of the open goals whose progress depends on own goals only; `None` without goals.
    goals: Option<f64>,
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self {
            views: LOOK_BACK_CYCLES.map(|cycles| [RunningMean::new(cycles); COMPONENTS]),
            self_directed: History::new(ACTIONS),
            goals: None,
        }
    }
}

impl RawMetrics {
    /// Takes in which share of the open goals depends on the agent's own goals only, in [0, 1]; `None` without goals.
    /// What is not a number counts as the worst.
    pub fn set_goals(&mut self, share: Option<f64>) {
        self.goals = share.map(|share| if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) });
    }

    /// Takes in one cycle and gives all four metrics; `cas` is the slope of mean confidence per cycle.
    pub fn update(&mut self, facts: &CycleFacts, cas: Option<f64>) -> GuardReadings {
        for view in &mut self.views {
            for (mean, component) in view.iter_mut().zip(facts.identity) {
                // A component that is not a number is gone.
                mean.push(if component.is_nan() {
                    0.0
                } else {
                    component.clamp(0.0, 1.0)
                });
            }
        }
        self.self_directed.push(facts.self_directed);
        GuardReadings {
            rod: facts.self_reference_depth,
            cas,
            ifi: self.fragmentation(),
            gsrs: self.self_reference(),
        }
    }

    /// IFI: 1 - the smallest over the largest cosine between two frames' views, in [0, 1].
    fn fragmentation(&self) -> Option<f64> {
        if self.views[0][0].count() < MIN_CYCLES {
            return None;
        }
        let views = self.views.map(|view| view.map(|mean| mean.get().unwrap_or(0.0)));
        let lengths = views.map(|view| view.iter().map(|v| v * v).sum::<f64>().sqrt());
        let (mut least, mut most) = (1.0_f64, 0.0_f64);
        for a in 0..FRAMES {
            for b in a + 1..FRAMES {
                let dot: f64 = views[a].iter().zip(views[b]).map(|(x, y)| x * y).sum();
                let product = lengths[a] * lengths[b];
                let cosine = if product > 0.0 { (dot / product).min(1.0) } else { 0.0 };
                (least, most) = (least.min(cosine), most.max(cosine));
            }
        }
        // No frame sees anything: there is no identity left.
        Some(if most > 0.0 { 1.0 - least / most } else { 1.0 })
    }

    /// GSRS: half the share of goals whose progress depends on own goals only, half the share of the last 200 actions
    /// whose target is the agent itself; absent without goals.
    fn self_reference(&self) -> Option<f64> {
        let goals = self.goals?;
        let actions = self.self_directed.share().unwrap_or(0.0);
        Some(GOAL_SHARE * goals + (1.0 - GOAL_SHARE) * actions)
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let of = |view: &[RunningMean; COMPONENTS], cycles: u32| {
            view.iter()
                .all(|mean| mean.horizon() == cycles && mean.get().is_none_or(share))
        };
        let mut views = self.views.iter().zip(LOOK_BACK_CYCLES);
        views.all(|(view, cycles)| of(view, cycles))
            && self.self_directed.capacity() == ACTIONS
            && self.goals.is_none_or(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(identity: [f64; 5]) -> CycleFacts {
        CycleFacts {
            identity,
            ..CycleFacts::default()
        }
    }

    fn after(identities: impl IntoIterator<Item = [f64; 5]>) -> GuardReadings {
        let mut metrics = RawMetrics::default();
        let readings = identities
            .into_iter()
            .map(|identity| metrics.update(&facts(identity), None));
        readings.last().expect("cycles")
    }

    fn feed(metrics: &mut RawMetrics, facts: &CycleFacts, cycles: u32) {
        for _ in 0..cycles {
            metrics.update(facts, None);
        }
    }

    const CALM: [f64; 5] = [1.0, 1.0, 0.75, 1.0, 1.0];

    #[test]
    fn frames_that_see_the_same_identity_see_no_fragments_whatever_it_is() {
        for identity in [CALM, [0.2, 0.9, 0.0, 0.4, 1.0]] {
            let ifi = after(std::iter::repeat_n(identity, 300)).ifi.expect("50 cycles");
            assert!(ifi.abs() < 1e-12, "{ifi}");
        }
    }

    #[test]
    fn fifty_cycles_come_before_the_first_reading() {
        assert_eq!(after(std::iter::repeat_n(CALM, 49)).ifi, None);
        assert!(after(std::iter::repeat_n(CALM, 50)).ifi.is_some());
    }

    #[test]
    fn an_identity_that_turned_is_another_one_to_each_frame() {
        // 1,000 cycles along one axis, then 20 along another. The weight of the old one left in a view that looks back h
        // cycles is (1 - 1/h)^20; the two that are furthest apart look back 10 and 1,000.
        let one = [1.0, 0.0, 0.0, 0.0, 0.0];
        let other = [0.0, 1.0, 0.0, 0.0, 0.0];
        let turned = std::iter::repeat_n(one, 1_000).chain(std::iter::repeat_n(other, 20));
        let ifi = after(turned).ifi.expect("50 cycles");
        let old = |h: f64| (1.0 - 1.0 / h).powi(20);
        let angle = |h: f64| ((1.0 - old(h)) / old(h)).atan();
        let angles = LOOK_BACK_CYCLES.map(|h| angle(f64::from(h)));
        let mut cosines: Vec<f64> = Vec::new();
        for a in 0..5 {
            cosines.extend((a + 1..5).map(|b| (angles[a] - angles[b]).cos()));
        }
        let least = cosines.iter().copied().fold(1.0, f64::min);
        let most = cosines.iter().copied().fold(0.0, f64::max);
        assert!((ifi - (1.0 - least / most)).abs() < 1e-9, "{ifi}");
        assert!((least - (angles[0] - angles[1]).cos()).abs() < 1e-12);
        assert!(ifi > 0.5, "a turned identity is critical: {ifi}");
    }

    #[test]
    fn an_identity_of_nothing_is_the_worst_fragmentation() {
        assert_eq!(after(std::iter::repeat_n([0.0; 5], 60)).ifi, Some(1.0));
        assert_eq!(after(std::iter::repeat_n([f64::NAN; 5], 60)).ifi, Some(1.0));
    }

    #[test]
    fn self_reference_is_absent_without_goals_and_half_of_it_is_goals() {
        let mut metrics = RawMetrics::default();
        let inward = CycleFacts {
            self_directed: true,
            ..facts(CALM)
        };
        assert_eq!(metrics.update(&inward, None).gsrs, None);
        metrics.set_goals(Some(0.5));
        // 200 actions are remembered: 50 of them inward.
        feed(&mut metrics, &facts(CALM), 150);
        feed(&mut metrics, &inward, 49);
        let gsrs = metrics.update(&inward, None).gsrs.expect("goals");
        assert!((gsrs - (0.25 + 0.125)).abs() < 1e-12, "{gsrs}");
        let gsrs = (0..150)
            .map(|_| metrics.update(&facts(CALM), None).gsrs)
            .last()
            .flatten();
        assert_eq!(gsrs, Some(0.25 + 0.125), "the 200th is still there");
        let gsrs = metrics.update(&facts(CALM), None).gsrs.expect("goals");
        assert!((gsrs - (0.25 + 0.5 * 49.0 / 200.0)).abs() < 1e-12, "{gsrs}");
        metrics.set_goals(Some(f64::NAN));
        assert!(metrics.update(&facts(CALM), None).gsrs.expect("goals") >= 0.5);
        metrics.set_goals(None);
        assert_eq!(metrics.update(&facts(CALM), None).gsrs, None);
    }

    #[test]
    fn each_frame_looks_back_as_far_as_written() {
        // One cycle of another identity after n calm ones weighs 1/h in a view that looks back h cycles.
        let mut metrics = RawMetrics::default();
        feed(&mut metrics, &facts(CALM), 2_000);
        metrics.update(&facts([0.0, 1.0, 0.75, 1.0, 1.0]), None);
        for (view, cycles) in metrics.views.iter().zip([10.0, 1_000.0, 200.0, 500.0, 50.0]) {
            let seen = view[0].get().expect("seen");
            assert!((seen - (1.0 - 1.0 / cycles)).abs() < 1e-9, "{cycles}: {seen}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_both_are_shares_and_the_state_is_valid(
            cycles in prop::collection::vec((prop::array::uniform5(any::<f64>()), any::<bool>()), 1..120),
            goals in prop::option::of(any::<f64>()),
        ) {
            let mut metrics = RawMetrics::default();
            metrics.set_goals(goals);
            for (identity, self_directed) in cycles {
                let readings = metrics.update(&CycleFacts { self_directed, ..facts(identity) }, None);
                for value in [readings.ifi, readings.gsrs].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&value));
                }
                prop_assert!(metrics.is_valid());
            }
        }
    }
}
