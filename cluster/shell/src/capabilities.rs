//! What an agent knows of itself, for a person: the capability table, then what is unknown, lacking and weak.

use crate::table::{Cell, Style, Table, Tone, clean, paint};
use rungs_agent::self_model::{SelfModel, SkillRow};
use std::fmt::Write;

/// Calibration error above which a skill needs somebody.
const BAD_ERROR: f64 = 0.20;
/// Most lines of a list; the rest is counted.
const MAX_LINES: usize = 8;

/// The self-model.
pub fn capabilities(model: &SelfModel, style: Style) -> String {
    let mut table = Table::new(&["skill", "domain", "confidence", "success", "error", "trend", "outcomes"]);
    for row in &model.skills {
        table.row([
            Cell::text(&row.skill).tone(tone(row, model.mce_target)),
            Cell::text(&row.domain).tone(Tone::Dim),
            if row.unknown {
                Cell::number("unknown").tone(Tone::Bad)
            } else {
                Cell::maybe(Some(row.confidence), 2)
            },
            Cell::maybe(row.success_rate, 2),
            Cell::maybe(row.calibration_error, 2),
            Cell::maybe(row.trend, 2),
            Cell::number(row.outcomes),
        ]);
    }
    let mut out = table.render(style);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let (confidence, mce) = (number(model.confidence), number(model.mce));
    writeln!(
        out,
        "mean confidence {confidence}, calibration error {mce} (target < {:.3}), {} unknown domains met",
        model.mce_target, model.unknown_registered
    )
    .expect("a string takes all writes");
    list(&mut out, "gap", &model.gaps, Tone::Warn, style);
    list(&mut out, "weakness", &model.weaknesses, Tone::Warn, style);
    out
}

fn tone(row: &SkillRow, target: f64) -> Tone {
    match row.calibration_error {
        _ if row.unknown => Tone::Bad,
        None => Tone::Dim,
        Some(error) if error < target => Tone::Good,
        Some(error) if error <= BAD_ERROR => Tone::Warn,
        Some(_) => Tone::Bad,
    }
}

fn list(out: &mut String, name: &str, lines: &[String], tone: Tone, style: Style) {
    for line in lines.iter().take(MAX_LINES) {
        let line = format!("{name}: {}", clean(line));
        writeln!(out, "{}", paint(&line, tone, style.colour)).expect("a string takes all writes");
    }
    if lines.len() > MAX_LINES {
        writeln!(out, "and {} more", lines.len() - MAX_LINES).expect("a string takes all writes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(skill: &str, success_rate: Option<f64>, unknown: bool) -> SkillRow {
        SkillRow {
            skill: skill.to_owned(),
            domain: "forecasting".to_owned(),
            confidence: 0.5,
            success_rate,
            calibration_error: success_rate.map(|rate| (0.5 - rate).abs()),
            trend: success_rate.map(|_| 0.1),
            outcomes: 50,
            unknown,
        }
    }

    #[test]
    fn a_skill_without_evidence_and_one_in_an_unknown_domain_show_it() {
        let model = SelfModel {
            cycle: 100,
            confidence: Some(0.5),
            mce: None,
            mce_target: 0.1,
            skills: vec![row("forecast cpu", None, false), row("forecast disk", Some(0.9), true)],
            unknown_groups: vec!["disk".to_owned()],
            unknown_registered: 1,
            gaps: (0..10)
                .map(|number| format!("goal {number}: not feasible (0.10)"))
                .collect(),
            weaknesses: vec!["forecast\x1b[2J disk".to_owned()],
        };
        let text = capabilities(&model, Style::default());
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].starts_with("forecast cpu   forecasting        0.50        -"),
            "{text}"
        );
        assert!(lines[2].contains("unknown     0.90   0.40   0.10"), "{text}");
        assert_eq!(
            lines[3],
            "mean confidence 0.500, calibration error - (target < 0.100), 1 unknown domains met"
        );
        assert_eq!(lines[12], "and 2 more");
        assert_eq!(lines[13], "weakness: forecast [2J disk");
    }

    #[test]
    fn errors_up_to_the_target_are_good_up_to_a_fifth_a_warning_and_beyond_bad() {
        let of = |rate| tone(&row("a", Some(rate), false), 0.1);
        assert_eq!(
            [of(0.45), of(0.40), of(0.32), of(0.25)],
            [Tone::Good, Tone::Good, Tone::Warn, Tone::Bad]
        );
    }
}
