use super::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

/// A forecaster with the scale and history that a dimension keeps for it.
struct Bench {
    forecaster: Forecaster,
    history: Window,
    scale: Scale,
}

impl Bench {
    fn new() -> Self {
        Self {
            forecaster: Forecaster::default(),
            history: Window::new(HISTORY),
            scale: Scale::new(1_000),
        }
    }

    /// Forecast error of `y`, before it is taken in; `belief` is what the belief said of it.
    fn take(&mut self, y: f64, belief: f64) -> f64 {
        let error = (y - self.forecaster.forecast(belief).mean).abs();
        self.forecaster.learn(y, belief, &self.history, &self.scale);
        self.scale.push(y);
        self.history.push(y);
        self.forecaster.look_ahead(&self.history, &self.scale);
        error
    }
}

/// Mean absolute error of the online forecaster over the last half of a series, relative to persistence.
fn ratio(values: impl Iterator<Item = f64>) -> f64 {
    let mut bench = Bench::new();
    let (mut own, mut persistence, mut last) = (0.0, 0.0, f64::NAN);
    for (step, y) in values.enumerate() {
        let error = bench.take(y, 1e9);
        if step >= 1_500 {
            own += error;
            persistence += (y - last).abs();
        }
        last = y;
    }
    own / persistence
}

#[test]
fn an_autoregression_of_order_2_is_forecast_to_its_innovation() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let (mut last, mut before) = (0.0, 0.0);
    let ratio = ratio((0..3_000).map(|_| {
        let y = 1.5 * last - 0.8 * before + rng.sample::<f64, _>(StandardNormal);
        (last, before) = (y, last);
        y
    }));
    // Innovation 1 against steps of variance 2 g0 (1 - r1), r1 = 1.5 / 1.8: g0 = 1 / (1 - 0.64 - 2.25 x 0.2 / 1.8)
    // = 9.09, steps 3.03, sd 1.74: a perfect forecaster reaches 0.574.
    assert!((0.55..0.63).contains(&ratio), "{ratio}");
}

#[test]
fn white_noise_is_forecast_by_its_mean_and_a_random_walk_by_its_last_value() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let noise = ratio((0..3_000).map(|_| rng.sample::<f64, _>(StandardNormal)));
    // 1 / sqrt(2) = 0.707 is the best possible.
    assert!((0.70..0.75).contains(&noise), "{noise}");
    let mut walk = 0.0;
    let walk = ratio((0..3_000).map(|_| {
        walk += rng.sample::<f64, _>(StandardNormal);
        walk
    }));
    assert!((0.97..1.04).contains(&walk), "{walk}");
}

#[test]
fn a_rare_spike_is_paid_for_once() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let mut state = 0.0;
    let ratio = ratio((0..4_000).map(|step| {
        state = 0.8 * state + rng.sample::<f64, _>(StandardNormal);
        if step % 97 == 96 { state + 200.0 } else { state }
    }));
    // Per observation, 200 / 97 = 2.06 for the spike that nobody foresees and 0.8 for the innovation: 2.86. Persistence
    // pays the spike twice and 0.84 for a step: 4.96.
    assert!((0.55..0.68).contains(&ratio), "{ratio}; the best possible is 0.58");
}

#[test]
fn the_one_with_the_smaller_error_over_the_last_200_speaks_after_a_permitted_switch() {
    let mut bench = Bench::new();
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for step in 0..300 {
        let y: f64 = rng.sample(StandardNormal);
        bench.take(y, y + 0.01);
        assert_eq!(bench.forecaster.better() == Source::Belief, step >= 20, "step {step}");
        assert_eq!(bench.forecaster.speaker(), Source::Online, "not before the switch");
    }
    bench.forecaster.switch();
    let forecast = bench.forecaster.forecast(0.5);
    assert_eq!((forecast.source, forecast.mean), (Source::Belief, 0.5));
    assert!(
        (forecast.half_width - 0.01).abs() < 1e-9,
        "its own errors: {forecast:?}"
    );
    // 200 bad forecasts later the window holds nothing else.
    (0..200).for_each(|_| {
        let y: f64 = rng.sample(StandardNormal);
        bench.take(y, y + 50.0);
    });
    assert_eq!(bench.forecaster.better(), Source::Online);
}

#[test]
fn a_persistence_error_of_0_is_no_evidence() {
    let mut bench = Bench::new();
    assert_eq!(
        (bench.forecaster.ratio(&bench.history), bench.forecaster.coverage()),
        (None, None)
    );
    (0..50).for_each(|_| {
        bench.take(3.0, 3.0);
    });
    assert_eq!(bench.forecaster.ratio(&bench.history), None);
    assert_eq!(bench.forecaster.forecast(3.0).mean, 3.0);
    bench.take(4.0, 3.0);
    assert!(bench.forecaster.ratio(&bench.history).is_some());
}

#[test]
fn intervals_cover_90_percent_of_noise_whose_spread_changes() {
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let (mut inside, mut bench) = (0, Bench::new());
    for step in 0..4_000 {
        let sd = if step / 500 % 2 == 0 { 1.0 } else { 5.0 };
        let y = sd * rng.sample::<f64, _>(StandardNormal);
        let forecast = bench.forecaster.forecast(1e9);
        inside += u32::from((y - forecast.mean).abs() <= forecast.half_width);
        bench.take(y, 1e9);
    }
    assert!((3_520..=3_680).contains(&inside), "{inside} of 4,000: 0.88 to 0.92");
    assert!(
        bench
            .forecaster
            .coverage()
            .is_some_and(|share| (0.84..0.96).contains(&share))
    );
}

#[test]
fn enormous_tiny_and_constant_values_leave_finite_forecasts() {
    let mut bench = Bench::new();
    for y in [1e150, -1e150, 0.0, 1e-300, 5.0, 5.0, 5.0, 1e150, 1e150] {
        bench.take(y, y);
        let forecast = bench.forecaster.forecast(0.0);
        assert!(forecast.mean.is_finite(), "{y}: {forecast:?}");
    }
    assert!((median_of_last(&bench.history) - 5.0).abs() < 1e-9);
}
