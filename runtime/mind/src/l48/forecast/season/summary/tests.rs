use super::*;
use crate::l48::forecast::KEPT_VALUES;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A season, with what goes with it, after a series with a period.
struct Watched {
    season: Season,
    scale: Scale,
    history: Window,
    steps: usize,
}

impl Watched {
    fn new() -> Self {
        Self {
            season: Season::default(),
            scale: Scale::new(1_000),
            history: Window::new(201),
            steps: 0,
        }
    }

    fn watch(&mut self, period: usize, count: usize, rng: &mut Pcg64Mcg) -> f64 {
        let (mut errors, mut scored) = (0.0, 0.0);
        for _ in 0..count {
            let level = if self.steps % period < period / 3 { 80.0 } else { 20.0 };
            let y = level + 4.0 * (rng.random::<f64>() - 0.5);
            if let [Some(profile), _] = self.season.opinions(&self.history, &self.scale) {
                errors += (y - profile).abs();
                scored += 1.0;
            }
            self.season.learn(y, &self.history, &self.scale);
            self.scale.push(y);
            self.history.push(y);
            let z = self.scale.in_sd(y - self.scale.mean(), ar::CLIP_SD);
            self.season.observe(z, &self.scale);
            self.steps += 1;
        }
        errors / scored
    }

    /// The same with the season from its summary and the values that are kept.
    fn stored(&self) -> Self {
        let values: Vec<f64> = self
            .history
            .iter()
            .skip(self.history.len().saturating_sub(KEPT_VALUES))
            .collect();
        let mut history = Window::new(201);
        values.iter().for_each(|value| history.push(*value));
        let season = Season::from_summary(&self.season.summary(), &values, &self.scale).expect("undamaged");
        Self {
            season,
            history,
            ..*self
        }
    }
}

#[test]
fn a_known_season_is_kept_in_phase_and_is_not_lost_to_what_a_young_search_finds() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut watched = Watched::new();
    watched.watch(300, 2_000, &mut rng);
    assert_eq!(watched.season.period(), Some(300));
    let mut stored = watched.stored();
    let error = stored.watch(300, 1_000, &mut rng);
    // The noise alone has 1; to be out of phase by one pays 60 twice in 300.
    assert!(error < 1.5, "{error}");
    assert_eq!(stored.season.period(), Some(300));
    // It is replaced by one that is there once the search has come far enough.
    stored.steps = 0;
    stored.watch(40, 3_000, &mut rng);
    assert_eq!(stored.season.period(), Some(40));
}

#[test]
fn a_search_goes_on_and_finds_the_season_sooner_than_one_that_starts_anew() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let mut watched = Watched::new();
    // A day of five-minute values, found after 1.5 periods and two looks: not yet.
    watched.watch(288, 430, &mut rng);
    assert_eq!(watched.season.period(), None);
    let found_after = |mut watched: Watched, rng: &mut Pcg64Mcg| {
        (0..40).find(|_| {
            watched.watch(288, 50, rng);
            watched.season.period() == Some(288)
        })
    };
    let stored = found_after(watched.stored(), &mut rng).expect("found");
    let anew = Watched {
        season: Season::default(),
        ..watched.stored()
    };
    let anew = found_after(anew, &mut rng).expect("found");
    println!(
        "found after {} observations, anew after {}",
        50 * (stored + 1),
        50 * (anew + 1)
    );
    assert!(stored < anew, "{stored} {anew}");
}

#[test]
fn a_damaged_summary_is_refused() {
    let scale = Scale::new(1_000);
    let read = |summary: &SeasonSummary| Season::from_summary(summary, &[], &scale).is_ok();
    let levels = |count| Levels::around(0.0, std::iter::repeat_n(1.0, count));
    let searching = |count, mean, variance, candidate, lags| SeasonSummary::Searching {
        count,
        mean,
        variance,
        candidate,
        products: levels(lags),
    };
    assert!(read(&searching(400, 0.0, 1.0, 48, 360)));
    for bad in [
        searching(400, f64::NAN, 1.0, 48, 360),
        searching(400, 5.0, 1.0, 48, 360),
        searching(400, 0.0, -1.0, 48, 360),
        searching(400, 0.0, f64::INFINITY, 48, 360),
        searching(400, 0.0, 1.0, 361, 360),
        searching(400, 0.0, 1.0, 48, 361),
        searching(300, 0.0, 1.0, 48, 360),
    ] {
        assert!(!read(&bad), "{bad:?}");
    }
    let found = |period, phase, departure, regressors| SeasonSummary::Found {
        values: levels(period),
        phase,
        departure,
        ar: RobustAr::new(regressors).summary(),
    };
    assert!(read(&found(8, 7, 0.0, REGRESSORS)));
    for bad in [
        found(7, 0, 0.0, REGRESSORS),
        found(361, 0, 0.0, REGRESSORS),
        found(8, 8, 0.0, REGRESSORS),
        found(8, 0, f64::NAN, REGRESSORS),
        found(8, 0, f64::INFINITY, REGRESSORS),
        found(8, 0, 0.0, REGRESSORS + 1),
    ] {
        assert!(!read(&bad), "{bad:?}");
    }
}
