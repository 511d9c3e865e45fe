//! Figures beside their baselines: a row each, as a table or as JSON.

use rungs_shell::table::{Cell, Style, Table, Tone};
use serde_json::{Value, json};

/// One figure and what it is measured against, both medians of runs in the same minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its number in the list of targets, such as `P1`.
    pub id: &'static str,
    /// What was measured.
    pub what: &'static str,
    /// The measured value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is compared with; empty without a comparison.
    pub baseline: &'static str,
    /// The baseline's value in the same unit.
    pub baseline_value: Option<f64>,
    /// What is good.
    pub target: Target,
}

/// What is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The value over its baseline should be at least this.
    RatioAtLeast(f64),
    /// The value over its baseline should be at most this.
    RatioAtMost(f64),
    /// The value should be at least this.
    AtLeast(f64),
    /// The value should be at most this.
    AtMost(f64),
    /// The value should be in this range.
    Within(f64, f64),
    /// Shown for information.
    None,
}

impl Target {
    /// Such as `ratio <= 1.2` or `>= 1.00M`.
    fn text(self) -> String {
        match self {
            Target::RatioAtLeast(least) => format!("ratio >= {least}"),
            Target::RatioAtMost(most) => format!("ratio <= {most}"),
            Target::AtLeast(least) => format!(">= {}", short(least)),
            Target::AtMost(most) => format!("<= {}", short(most)),
            Target::Within(least, most) => format!("{} to {}", short(least), short(most)),
            Target::None => String::new(),
        }
    }
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
        match self.target {
            Target::RatioAtLeast(least) => Some(self.ratio()? >= least),
            Target::RatioAtMost(most) => Some(self.ratio()? <= most),
            Target::AtLeast(least) => Some(self.value >= least),
            Target::AtMost(most) => Some(self.value <= most),
            Target::Within(least, most) => Some((least..=most).contains(&self.value)),
            Target::None => None,
        }
    }

    /// The figure as one JSON object.
    pub fn json(&self) -> Value {
        let target = self.target.text();
        json!({
            "id": self.id,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "baseline": (!self.baseline.is_empty()).then_some(self.baseline),
            "baseline_value": self.baseline_value,
            "ratio": self.ratio(),
            "target": (!target.is_empty()).then_some(target),
            "met": self.met(),
        })
    }
}

/// All figures as a table.
pub fn table(figures: &[Figure], style: Style) -> String {
    let heading = [
        "id", "what", "value", "unit", "baseline", "value", "ratio", "target", "met",
    ];
    let mut table = Table::new(&heading);
    for figure in figures {
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
            Cell::text(figure.baseline).tone(Tone::Dim),
            Cell::number(figure.baseline_value.map_or_else(String::new, short)),
            Cell::number(figure.ratio().map_or_else(String::new, share)),
            Cell::text(figure.target.text()).tone(Tone::Dim),
            Cell::text(met).tone(tone),
        ]);
    }
    table.render(style)
}

/// How many targets there are and how many are met, in a sentence.
pub fn summary(figures: &[Figure], runs: u32) -> String {
    let judged: Vec<bool> = figures.iter().filter_map(Figure::met).collect();
    let met = judged.iter().filter(|met| **met).count();
    let of = if runs == 1 {
        "one run".to_owned()
    } else {
        format!("medians of {runs} runs")
    };
    let counts_itself = figures.iter().any(|figure| figure.id == "P9");
    let but = if counts_itself {
        " (P9: of 100 freezes and 20 pairs of runs)"
    } else {
        ""
    };
    format!("{of}{but}; {met} of {} targets met\n", judged.len())
}

/// A ratio: two decimals, more for one that would be nothing.
fn share(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

/// Three significant digits, thousands as k and M; of what is next to nothing the power of ten.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 1e6 => format!("{:.2}M", value / 1e6),
        v if v >= 1e4 => format!("{:.0}k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        v if v >= 5e-4 => format!("{value:.3}"),
        _ => format!("{value:.0e}"),
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

/// The median of one value of each run.
pub fn median_of<T>(runs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    median(runs.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> Figure {
        Figure {
            id: "P1",
            what: "tell",
            value: 1.2e6,
            unit: "1/s",
            baseline: "ractor",
            baseline_value: Some(2.0e6),
            target: Target::RatioAtLeast(0.5),
        }
    }

    #[test]
    fn a_figure_is_judged_by_its_ratio_or_by_its_value() {
        let mut figure = figure();
        assert_eq!((figure.ratio(), figure.met()), (Some(0.6), Some(true)));
        for (target, met) in [
            (Target::RatioAtLeast(0.61), Some(false)),
            (Target::RatioAtMost(0.6), Some(true)),
            (Target::AtLeast(1.3e6), Some(false)),
            (Target::AtMost(1.3e6), Some(true)),
            (Target::Within(1.0e6, 1.2e6), Some(true)),
            (Target::Within(1.3e6, 1.4e6), Some(false)),
            (Target::None, None),
        ] {
            figure.target = target;
            assert_eq!(figure.met(), met, "{target:?}");
        }
        figure.baseline_value = None;
        figure.target = Target::RatioAtMost(1.0);
        assert_eq!(figure.met(), None, "without a baseline there is no ratio to judge");
    }

    #[test]
    fn a_row_has_value_baseline_ratio_and_verdict() {
        let expected = "id  what  value  unit  baseline  value  ratio  target        met\n\
                        P1  tell  1.20M  1/s   ractor    2.00M   0.60  ratio >= 0.5  yes\n";
        assert_eq!(table(&[figure()], Style::default()), expected);
        assert_eq!(summary(&[figure()], 3), "medians of 3 runs; 1 of 1 targets met\n");
        let json = figure().json();
        assert_eq!((&json["ratio"], &json["met"]), (&Value::from(0.6), &Value::from(true)));
    }

    #[test]
    fn the_median_of_an_even_count_is_between() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn numbers_have_three_digits() {
        let values = [
            0.0,
            1.2e-10,
            0.12345,
            1.2345,
            12.345,
            123.45,
            1234.5,
            12_345.0,
            1_234_500.0,
        ];
        let expected = ["0", "1e-10", "0.123", "1.23", "12.3", "123", "1234", "12k", "1.23M"];
        assert_eq!(values.map(short), expected);
    }
}
