//! Axes: from values to places, round ticks between, and how ticks are written.

/// A range of values on a stretch of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// `low` is at `from`, `high` at `to`. Where they are equal or none, a range around them.
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = match (low.is_finite() && high.is_finite(), low < high) {
            (true, true) => (low, high),
            (true, false) => {
                let room = (low.abs() * 0.1).max(1.0);
                (low - room, low + room)
            }
            (false, _) => (0.0, 1.0),
        };
        Self { low, high, from, to }
    }

    /// The same with room at both ends, as a share of the range.
    #[must_use]
    pub fn roomy(self, share: f64) -> Self {
        let room = share * (self.high - self.low);
        Self {
            low: self.low - room,
            high: self.high + room,
            ..self
        }
    }

    /// Where a value is; one outside is at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        // Halves, so that the difference of two large values stays finite.
        let share = (0.5 * value - 0.5 * self.low) / (0.5 * self.high - 0.5 * self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// About so many round values in the range, with what is written beside each.
    pub fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        let step = round_step((0.5 * self.high - 0.5 * self.low) * 2.0 / about.max(1) as f64);
        if !step.is_finite() || step <= 0.0 {
            return Vec::new();
        }
        // A tick at the very end is not lost to rounding.
        let (first, last) = ((self.low / step - 1e-9).ceil(), (self.high / step + 1e-9).floor());
        // A range far from 0 relative to its width has no exact ticks.
        if last - first > 10.0 * about as f64 || first.abs().max(last.abs()) > 1e15 {
            return Vec::new();
        }
        let count = (last - first) as i64;
        (0..=count)
            .map(|k| (first + k as f64) * step)
            .map(|value| (value, written(value, step)))
            .collect()
    }
}

/// The least of 1, 2 and 5 times a power of ten that is at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A tick with as many decimals as its step needs; `k`, `M` or `G` for thousands, millions and beyond.
fn written(value: f64, step: f64) -> String {
    let largest = value.abs().max(step);
    let (unit, suffix) = match largest {
        v if !(1e-4..1e13).contains(&v) => {
            return if value == 0.0 {
                "0".to_owned()
            } else {
                format!("{value:.1e}")
            };
        }
        v if v >= 1e9 => (1e9, "G"),
        v if v >= 1e6 => (1e6, "M"),
        v if v >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = (-(step / unit).log10().floor()).clamp(0.0, 9.0) as usize;
    let value = value / unit;
    // Adding 0 takes the sign off a zero.
    let value = if value.abs() < 0.5 * step / unit { 0.0 } else { value };
    format!("{value:.decimals$}{}", if value == 0.0 { "" } else { suffix })
}

/// `YYYY-MM-DD HH:MM` of microseconds since 1970 UTC (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`).
pub fn calendar(micros: i64) -> String {
    let minutes = micros.div_euclid(60_000_000);
    let (days, minute) = (minutes.div_euclid(1_440), minutes.rem_euclid(1_440));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // The year begins in March.
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + 400 * era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, about: usize) -> Vec<String> {
        let ticks = Axis::new(low, high, 0.0, 1.0).ticks(about);
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_written_short() {
        assert_eq!(labels(0.0, 1.0, 4), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(-3.0, 12.0, 4), ["0", "5", "10"]);
        assert_eq!(labels(0.0, 40_000.0, 4), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(labels(2.1e6, 2.4e6, 3), ["2.1M", "2.2M", "2.3M", "2.4M"]);
        assert_eq!(labels(0.0, 2e-6, 2), ["0", "1.0e-6", "2.0e-6"]);
        assert_eq!(labels(64.0, 64.3, 3), ["64.0", "64.1", "64.2", "64.3"]);
    }

    #[test]
    fn ranges_that_are_none_have_places_all_the_same() {
        assert_eq!(Axis::new(5.0, 5.0, 0.0, 10.0).at(5.0), 5.0);
        assert_eq!(Axis::new(f64::NAN, 1.0, 0.0, 10.0).at(0.5), 5.0);
        let huge = Axis::new(-1.7e308, 1.7e308, 10.0, 0.0);
        assert_eq!((huge.at(0.0), huge.at(-1.7e308), huge.at(f64::MAX)), (5.0, 10.0, 0.0));
        assert!(huge.ticks(3).len() <= 10);
        assert!(Axis::new(1e20, 1e20 + 1e5, 0.0, 1.0).ticks(4).is_empty());
        assert_eq!(Axis::new(0.0, 10.0, 0.0, 100.0).roomy(0.1).at(-1.0), 0.0);
    }

    #[test]
    fn times_are_calendar_times() {
        for (text, micros) in [
            ("1970-01-01 00:00", 0),
            ("1969-12-31 23:59", -1),
            ("2000-02-29 12:30", 951_827_400_000_000),
            ("2014-04-10 07:15", 1_397_114_100_000_000),
            ("2100-03-01 00:00", 4_107_542_400_000_000),
        ] {
            assert_eq!(calendar(micros), text);
            if micros >= 0 {
                assert_eq!(rungs_environments::trace::parse_micros(text), Some(micros));
            }
        }
    }
}
