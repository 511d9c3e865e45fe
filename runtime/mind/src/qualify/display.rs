//! A report as people read it.

use super::category::{Category, Standing};
use super::criterion::{Number, Reading};
use super::report::Report;
use std::fmt;

/// What stands for a value that there is none of.
const NONE: &str = "-";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qualified = if self.qualified { "qualified" } else { "not qualified" };
        writeln!(
            f,
            "{} at cycle {}: {qualified}, {} {:.3} ({:.2} needed)",
            self.level, self.cycle, self.score_name, self.score, self.needed
        )?;
        let widths = Widths::of(self);
        for category in &self.categories {
            writeln!(f, "{}", headline(category))?;
            let prefix = format!("{}-", category.id);
            for reading in self.readings.iter().filter(|reading| reading.id.starts_with(&prefix)) {
                writeln!(f, "  {}", widths.line(reading))?;
            }
        }
        for reason in &self.reasons {
            writeln!(f, "not qualified: {reason}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn headline(category: &Category) -> String {
    let what = match category.standing {
        Standing::Scored => format!("{:.3}", category.score),
        Standing::NoEvidence => "no evidence".to_owned(),
        Standing::LeftOut => "left out".to_owned(),
    };
    format!(
        "{} {} (weight {:.2}): {what}",
        category.id, category.name, category.weight
    )
}

struct Widths {
    id: usize,
    name: usize,
    value: usize,
    target: usize,
}

impl Widths {
    fn of(report: &Report) -> Self {
        let widest = |of: &dyn Fn(&Reading) -> usize| report.readings.iter().map(of).max().unwrap_or(0);
        Self {
            id: widest(&|reading| reading.id.len()),
            name: widest(&|reading| reading.name.len()),
            value: widest(&|reading| value(reading).len()),
            target: widest(&|reading| reading.target.to_string().len()),
        }
    }

    fn line(&self, reading: &Reading) -> String {
        let Widths {
            id,
            name,
            value: width,
            target,
        } = *self;
        format!(
            "{:id$}  {:name$}  {:>width$}  {:target$}  {}",
            reading.id,
            reading.name,
            value(reading),
            reading.target.to_string(),
            reading.verdict
        )
    }
}

fn value(reading: &Reading) -> String {
    reading
        .value
        .map_or_else(|| NONE.to_owned(), |value| Number(value).to_string())
}
