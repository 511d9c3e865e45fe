//! How far a row of a report is from what L3 had forecast.

use super::CycleReport;
use crate::numeric::normal::MEAN_ABSOLUTE;

/// Errors are cut off at this many standard deviations (L4.5).
const MAX_ERROR_SD: f64 = 5.0;

impl CycleReport {
    /// Mean |error| in forecast standard deviations over the dimensions observed in a row, / 0.798, - 1; `None` without one.
    pub fn surprise(&self, row: usize) -> Option<f64> {
        let cells = row * self.dimensions..(row + 1) * self.dimensions;
        let seen = self.observations.get(cells.clone())?;
        let forecast = self.forecasts.get(cells.clone())?;
        let sd = self.forecast_sd.get(cells)?;
        let each = seen.iter().zip(forecast).zip(sd);
        let errors = each
            .map(|((seen, forecast), sd)| (seen - forecast).abs() / sd)
            .filter(|z| z.is_finite());
        let (sum, count) = errors.fold((0.0, 0.0), |(sum, count), z| (sum + z.min(MAX_ERROR_SD), count + 1.0));
        (count > 0.0).then(|| sum / count / MEAN_ABSOLUTE - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_half_a_deviation_and_one_beyond_five_is_so_much_of_a_surprise_and_what_is_missing_is_none() {
        let report = CycleReport {
            dimensions: 3,
            observations: vec![1.0, 9.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN],
            forecasts: vec![0.0; 6],
            forecast_sd: vec![2.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            ..CycleReport::default()
        };
        let expected = (0.5 + MAX_ERROR_SD) / 2.0 / MEAN_ABSOLUTE - 1.0;
        assert_eq!(report.surprise(0), Some(expected));
        assert_eq!((report.surprise(1), report.surprise(2)), (None, None));
    }

    #[test]
    fn an_error_counts_at_most_five_deviations() {
        for (error, deviations) in [(9.9, 4.95), (10.1, 5.0)] {
            let report = CycleReport {
                dimensions: 1,
                observations: vec![error],
                forecasts: vec![0.0],
                forecast_sd: vec![2.0],
                ..CycleReport::default()
            };
            let found = report.surprise(0).expect("an observation");
            // sqrt(pi / 2) = 1.2533.
            assert!(
                (found - (deviations * 1.253_314_137_315_500_3 - 1.0)).abs() < 1e-12,
                "{found}"
            );
        }
    }
}
