use super::*;
use crate::budget::Unlimited;
use crate::l48::fixtures;
use crate::l48::introspect::{Introspect, IntrospectOutput, Introspected};
use crate::l48::observe::{Observe, ObserveConfig};
use crate::report::{CycleReport, FloorReport};
use proptest::prelude::*;

const GROUPS: [u16; 8] = [0, 0, 1, 1, 2, 2, 3, 3];
/// What of the 8 KiB of a stored Level 4.8 the self-model may have, for 8 dimensions.
const MOST_BYTES: usize = 500;

fn config() -> bincode::config::Configuration {
    bincode::config::standard()
}

/// A phase that has watched eight noisy waves for 3,000 cycles, with a regime that comes and goes, and goes on.
struct Life {
    observe: Observe,
    phase: Introspect,
}

impl Life {
    fn new() -> Self {
        let config = ObserveConfig {
            dimensions: 8,
            particles: 20,
            seed: 5,
        };
        let mut life = Self {
            observe: Observe::new(config).expect("valid"),
            phase: Introspect::new(GROUPS.into()),
        };
        for last in (10..=3_000).step_by(10) {
            life.pass(last);
        }
        life
    }

    fn pass(&mut self, last: u64) -> IntrospectOutput {
        let report = CycleReport {
            groups: GROUPS.into(),
            ..fixtures::report(last, 8, |cycle, dimension| {
                let regime = if cycle / 500 % 2 == 1 { 40.0 } else { 0.0 };
                let noise = (cycle * 7_919 + dimension as u64 * 104_729) % 1_009;
                regime + noise as f64 / 500.0 + (cycle as f64 / 9.0).sin()
            })
        };
        let world = self.observe.step(&report, false, &Unlimited).expect("computes");
        self.phase.step(&Introspected {
            report: &report,
            floor: &FloorReport::default(),
            world: &world,
            epoch: Epoch(3),
            outcomes: &[],
            demands: &[],
        })
    }
}

#[test]
fn the_self_model_of_eight_dimensions_is_within_its_share_of_the_record() {
    let summary = Life::new().phase.state().summary();
    let size = bincode::serde::encode_to_vec(&summary, config())
        .expect("serialises")
        .len();
    println!("{size} bytes");
    assert!(size <= MOST_BYTES, "{size}");
}

#[test]
fn what_was_learnt_of_the_self_survives_a_snapshot() {
    let mut life = Life::new();
    let state = life.phase.state();
    let stored = bincode::serde::encode_to_vec(state.summary(), config()).expect("serialises");
    let (read, _): (IntrospectSummary, usize) =
        bincode::serde::decode_from_slice(&stored, config()).expect("reads back");
    let restored = read.restore(&GROUPS.into()).expect("undamaged");
    assert!(restored.is_for(&GROUPS));
    assert_eq!(restored.summary().weaknesses, state.summary().weaknesses);
    let before = life.pass(3_010);
    life.phase.revert(Arc::new(restored));
    let after = life.pass(3_010);
    assert!(before.confidence.is_some());
    let difference = before.confidence.expect("known") - after.confidence.expect("known");
    assert!(difference.abs() < 0.01, "{difference}");
    for (there, here) in after.capabilities.iter().zip(&before.capabilities) {
        assert_eq!((there.skill, there.outcomes), (here.skill, here.outcomes));
        assert!((there.confidence - here.confidence).abs() < 0.03, "{there:?} {here:?}");
    }
    assert_eq!(after.unknown_registered, before.unknown_registered);
}

#[test]
fn a_self_model_of_other_groups_is_refused() {
    let summary = Life::new().phase.state().summary();
    for groups in [&[0, 0, 1, 1, 2, 2][..], &[0; 8], &[0, 0, 0, 1, 2, 2, 3, 3]] {
        assert!(summary.restore(&groups.into()).is_err(), "{groups:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_damaged_summary_is_refused_or_gives_a_state_that_can_be(at in any::<prop::sample::Index>(), byte: u8) {
        thread_local! {
            static STORED: Vec<u8> = {
                let summary = Life::new().phase.state().summary();
                bincode::serde::encode_to_vec(summary, config()).expect("serialises")
            };
        }
        let mut stored = STORED.with(Vec::clone);
        let at = at.index(stored.len());
        stored[at] = byte;
        let Ok((summary, _)) = bincode::serde::decode_from_slice::<IntrospectSummary, _>(&stored, config()) else {
            return Ok(());
        };
        let Ok(state) = summary.restore(&GROUPS.into()) else { return Ok(()) };
        prop_assert!(state.is_for(&GROUPS));
        let mut life = Life {
            observe: Observe::new(ObserveConfig { dimensions: 8, particles: 10, seed: 1 }).expect("valid"),
            phase: Introspect::from_state(Arc::new(state)),
        };
        let output = life.pass(3_010);
        prop_assert!(output.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
    }
}
