use super::*;
use crate::l48::belief::Scratch;
use rand::SeedableRng;

/// The cycle up to which the dimension below was watched.
const CYCLE: u64 = 300;

fn watched() -> DimensionSummary {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let (mut dimension, mut scratch) = (Dimension::new(50, &mut rng), Scratch::default());
    for cycle in 1..=CYCLE {
        dimension.observe((cycle as f64 / 7.0).sin(), cycle, &mut scratch, &mut rng);
    }
    dimension.summary(CYCLE)
}

fn restored(summary: &DimensionSummary) -> Result<Dimension, Refused> {
    Dimension::from_summary(summary, CYCLE, 50, &mut Pcg64Mcg::seed_from_u64(2))
}

#[test]
fn each_kind_of_damage_is_refused_by_name() {
    assert!(restored(&watched()).is_ok());
    let refused = |expected: &str, change: &dyn Fn(&mut DimensionSummary)| {
        let mut summary = watched();
        change(&mut summary);
        let found = restored(&summary).map(|_| ()).expect_err(expected).to_string();
        assert_eq!(found, format!("{expected} is out of range"));
    };
    refused("the scale", &|s| s.scale = Scale::new(7));
    refused("the scale", &|s| s.scale = Scale::new(SCALE_HORIZON));
    refused("the interval between observations", &|s| {
        s.interval = RunningMean::new(7)
    });
    let mut negative = RunningMean::new(INTERVAL_HORIZON);
    negative.push(-1.0);
    refused("the interval between observations", &|s| s.interval = negative);
    let mut long = RunningMean::new(INTERVAL_HORIZON);
    long.push(1e5);
    refused("the interval between observations", &|s| s.interval = long);
    refused("a series of steps", &|s| s.history = Steps::of(&[1.0; KEPT_VALUES + 1]));
    refused("the last observation", &|s| s.unseen = Some(CYCLE + 1));
    refused("the last observation", &|s| s.unseen = None);
    refused("the last observation", &|s| s.history = Steps::default());
    for belief in [
        [f32::NAN, 1.0, 1.0],
        [2e6, 1.0, 1.0],
        [0.0, f32::NAN, 1.0],
        [0.0, -1e-9, 1.0],
        [0.0, f32::INFINITY, 1.0],
        [0.0, 2e12, 1.0],
        [0.0, 1.0, f32::NAN],
        [0.0, 1.0, -1e-9],
        [0.0, 1.0, 2e12],
    ] {
        refused("the belief", &|s| s.belief = belief);
    }
    for (field, values) in [
        (0, [f32::NAN, -0.1, 1.01]),
        (1, [f32::NAN, -6.1, 6.1]),
        (2, [f32::NAN, 0.0, 40.0]),
        (3, [f32::NAN, 0.0, f32::INFINITY]),
    ] {
        for value in values {
            refused("the model", &|s| s.model[field] = value);
        }
    }
}

#[test]
fn the_least_variance_survives_rounding() {
    let mut summary = watched();
    summary.model[2] = narrow(MIN_VARIANCE);
    summary.model[0] = narrow(MAX_PHI);
    let model = restored(&summary).expect("undamaged").model;
    assert!(model.transition.variance >= MIN_VARIANCE && model.transition.phi <= MAX_PHI);
}

#[test]
fn what_was_never_seen_is_restored_unseen() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let unseen = Dimension::new(50, &mut rng);
    let restored = restored(&unseen.summary(CYCLE)).expect("undamaged");
    assert_eq!((restored.last_seen, restored.anchor().is_none()), (None, true));
    assert!(restored.mean().is_nan() && restored.forecast().mean.is_nan());
}
