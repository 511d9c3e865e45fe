//! Figures beside their baselines: a row each, as a table or as JSON.

use rungs_shell::table::{Cell, Table, Tone};
use serde::Serialize;

/// One figure and what it is measured against, both medians of runs in the same process and minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its number in the list of targets, such as `P1`.
    pub id: &'static str,
    /// What was measured.
    pub what: &'static str,
    /// The measured value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is compared with.
    pub baseline: &'static str,
    /// The baseline's value in the same unit; absent for an absolute target.
    pub baseline_value: Option<f64>,
    /// The target for `value / baseline_value`, or for `value` without a baseline.
    pub target: Target,
}

/// What is good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The ratio or value should be at least this.
    AtLeast(f64),
    /// The ratio or value should be at most this.
    AtMost(f64),
    /// Shown for information.
    None,
}

impl Figure {
    /// Value over baseline.
    pub fn ratio(&self) -> Option<f64> {
        self.baseline_value
            .filter(|baseline| *baseline > 0.0)
            .map(|baseline| self.value / baseline)
    }

    /// Whether the target is met; absent without one.
    pub fn met(&self) -> Option<bool> {
        let judged = if self.baseline_value.is_some() {
            self.ratio()?
        } else {
            self.value
        };
        match self.target {
            Target::AtLeast(least) => Some(judged >= least),
            Target::AtMost(most) => Some(judged <= most),
            Target::None => None,
        }
    }
}

/// All figures as a table.
pub fn table(figures: &[Figure], colour: bool) -> String {
    let mut table = Table::new(&[
        "#",
        "what",
        "value",
        "unit",
        "baseline",
        "its value",
        "ratio",
        "target",
        "met",
    ]);
    for figure in figures {
        let target = match figure.target {
            Target::AtLeast(least) => format!(">= {least}"),
            Target::AtMost(most) => format!("<= {most}"),
            Target::None => String::new(),
        };
        let (met, tone) = match figure.met() {
            Some(true) => ("yes", Tone::Good),
            Some(false) => ("no", Tone::Bad),
            None => ("", Tone::Plain),
        };
        table.row([
            Cell::text(figure.id),
            Cell::text(figure.what),
            Cell::number(short(figure.value)),
            Cell::text(figure.unit),
            Cell::text(figure.baseline),
            Cell::number(figure.baseline_value.map_or_else(String::new, short)),
            Cell::number(figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"))),
            Cell::text(target),
            Cell::text(met).tone(tone),
        ]);
    }
    table.render(colour)
}

/// Three significant digits, thousands as k and M.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2}M", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle value; the mean of the two in the middle for an even count. Infinite values sort last.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_its_ratio_if_it_has_a_baseline() {
        let mut figure = Figure {
            id: "P1",
            what: "tell",
            value: 1.2e6,
            unit: "1/s",
            baseline: "ractor",
            baseline_value: Some(2.0e6),
            target: Target::AtLeast(0.5),
        };
        assert_eq!((figure.ratio(), figure.met()), (Some(0.6), Some(true)));
        figure.target = Target::AtLeast(0.61);
        assert_eq!(figure.met(), Some(false));
        figure.baseline_value = None;
        figure.target = Target::AtMost(25.0);
        assert_eq!(figure.met(), Some(false));
    }

    #[test]
    fn the_median_of_an_even_count_is_between() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }
}
