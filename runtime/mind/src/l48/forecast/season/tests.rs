use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Feeds a series and gives the season found, with the mean absolute error of both opinions over the last half.
fn run(values: impl Iterator<Item = f64>) -> (Option<usize>, [f64; 2]) {
    let (mut season, mut scale, mut history) = (Season::default(), Scale::new(1_000), Window::new(201));
    let (mut errors, mut scored) = ([0.0; 2], 0.0);
    for (step, y) in values.enumerate() {
        if let ([Some(profile), Some(fitted)], true) = (season.opinions(&history, &scale), step >= 1_500) {
            scored += 1.0;
            errors[0] += (y - profile).abs();
            errors[1] += (y - fitted).abs();
        }
        season.learn(y, &history, &scale);
        scale.push(y);
        history.push(y);
        season.observe(scale.in_sd(y - scale.mean(), ar::CLIP_SD), &scale);
    }
    (season.period(), errors.map(|error| error / scored))
}

#[test]
fn a_noisy_period_of_48_is_found_and_forecast() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let series = (0..3_000).map(|step| {
        let level = if step % 48 < 16 { 80.0 } else { 20.0 };
        level + 4.0 * (rng.random::<f64>() - 0.5)
    });
    let (period, errors) = run(series);
    assert_eq!(period, Some(48));
    // Noise uniform in +-2 has a mean absolute deviation of 1, the least possible. Persistence pays 4/3 for the
    // noise and 60 twice in 48: 3.8.
    assert!(errors[0] < 1.2 && errors[1] < 1.9, "{errors:?}");
}

#[test]
fn noise_and_a_persistent_series_have_no_season() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    assert_eq!(run((0..3_000).map(|_| rng.random())).0, None);
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let mut state = 0.0;
    let drifting = (0..3_000).map(|_| {
        state = 0.99 * state + rng.random::<f64>() - 0.5;
        state
    });
    assert_eq!(run(drifting).0, None);
    assert_eq!(run((0..500).map(|_| 7.0)).0, None, "nothing moves");
}
