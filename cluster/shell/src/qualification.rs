//! Whether a level qualifies, for a person: each criterion against its target, by category, and what is in the way.

use crate::table::{Cell, Style, Table, Tone, one_line, paint};
use rungs_agent::qualification::{CategoryRow, CriterionRow, Finding, Qualification};
use std::fmt::Write;

/// The audit of a level.
pub fn qualification(found: &Qualification, style: Style) -> String {
    let mut table = Table::new(&["criterion", "what", "value", "target", "verdict"]);
    for category in &found.categories {
        table.row(headline(category));
        let prefix = format!("{}-", category.id);
        let own = found.criteria.iter().filter(|row| row.id.starts_with(&prefix));
        own.for_each(|row| table.row(line(row)));
    }
    let (verdict, tone) = match found.qualified {
        true => ("qualified", Tone::Good),
        false => ("not qualified", Tone::Warn),
    };
    let first = format!(
        "{} at cycle {}: {verdict}, {} {:.3} ({:.2} needed)",
        found.level, found.cycle, found.score_name, found.score, found.needed
    );
    let mut out = paint(&one_line(&first), tone, style.colour);
    out.push('\n');
    out += &table.render(style);
    let reasons = found.reasons.iter().map(|reason| ("not qualified", reason, Tone::Warn));
    let notes = found.notes.iter().map(|note| ("note", note, Tone::Dim));
    for (what, text, tone) in reasons.chain(notes) {
        let line = format!("{what}: {}", one_line(text));
        writeln!(out, "{}", paint(&line, tone, style.colour)).expect("a string takes all writes");
    }
    out
}

fn headline(category: &CategoryRow) -> [Cell; 5] {
    let verdict = match category.score {
        Some(_) => Cell::text(""),
        None if category.left_out => Cell::text("left out").tone(Tone::Dim),
        None => Cell::text("no evidence").tone(Tone::Bad),
    };
    [
        Cell::text(&category.id),
        Cell::text(&category.name),
        Cell::maybe(category.score, 3),
        Cell::text(format!("weight {:.2}", category.weight)).tone(Tone::Dim),
        verdict,
    ]
}

fn line(row: &CriterionRow) -> [Cell; 5] {
    let tone = match row.verdict {
        Finding::Passed => Tone::Good,
        Finding::Failed => Tone::Bad,
        Finding::NoEvidence | Finding::WarmingUp => Tone::Dim,
    };
    [
        Cell::text(format!("  {}", row.id)),
        Cell::text(&row.name),
        Cell::maybe(row.value, 3),
        Cell::text(&row.target).tone(Tone::Dim),
        Cell::text(&row.state).tone(tone),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::Level;

    fn row(id: &str, value: Option<f64>, verdict: Finding, state: &str) -> CriterionRow {
        CriterionRow {
            id: id.to_owned(),
            name: "prediction accuracy".to_owned(),
            value,
            target: ">= 0.7".to_owned(),
            score: value,
            verdict,
            state: state.to_owned(),
        }
    }

    fn category(id: &str, score: Option<f64>, left_out: bool) -> CategoryRow {
        CategoryRow {
            id: id.to_owned(),
            name: "awareness".to_owned(),
            weight: 0.25,
            score,
            left_out,
        }
    }

    #[test]
    fn criteria_stand_below_their_category_and_what_is_in_the_way_at_the_end() {
        let found = Qualification {
            level: Level::L48,
            cycle: 4_000,
            qualified: false,
            score_name: "SMS".to_owned(),
            score: 0.7604,
            needed: 0.8,
            reasons: vec!["SMS 0.760 is below 0.80".to_owned()],
            notes: vec!["peers\x1b[2J left out".to_owned()],
            categories: vec![
                category("EA", Some(0.9), false),
                category("SA", None, false),
                category("MA", None, true),
            ],
            criteria: vec![
                row("SA-9", None, Finding::NoEvidence, "no evidence"),
                row("EA-1", Some(0.8124), Finding::Passed, "passed"),
            ],
        };
        let text = qualification(&found, Style::default());
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "L4.8 at cycle 4000: not qualified, SMS 0.760 (0.80 needed)");
        assert!(lines[1].starts_with("criterion"), "{text}");
        assert!(
            lines[2].starts_with("EA ") && lines[2].ends_with("weight 0.25"),
            "{text}"
        );
        assert!(lines[3].starts_with("  EA-1") && lines[3].contains("0.812"), "{text}");
        assert!(
            lines[3].ends_with("passed") && lines[4].ends_with("no evidence"),
            "{text}"
        );
        assert!(
            lines[5].starts_with("  SA-9") && lines[6].ends_with("left out"),
            "{text}"
        );
        assert_eq!(lines[7], "not qualified: SMS 0.760 is below 0.80");
        assert!(lines[8].starts_with("note: peers") && !text.contains('\x1b'), "{text}");
    }
}
