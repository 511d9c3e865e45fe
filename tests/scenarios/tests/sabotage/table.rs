//! The table, and how it is checked.

use rungs_mind::qualify::{Reading, Report, Verdict};

/// Where an agent is sabotaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// A whole agent, from outside.
    Life,
    /// The evidence, at the audit's door.
    Audit,
}

/// One row.
pub(crate) struct Row<'a> {
    pub(crate) criterion: &'static str,
    pub(crate) what: &'static str,
    pub(crate) at: At,
    pub(crate) report: &'a Report,
}

fn reading<'a>(report: &'a Report, id: &str) -> &'a Reading {
    report.reading(id).expect("a criterion")
}

fn told(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// Prints the table. Each criterion must have a row, fail in it, and be passed by the sound agent. `unforged` is what the
/// audit says of the evidence that forged rows are made of: before it is forged, it must be passed.
pub(crate) fn check(sound: &Report, unforged: &Report, rows: &[Row<'_>]) {
    println!(
        "{:6} {:8} {:>10} {:>10} {:>10}  what is sabotaged",
        "", "at", "target", "sound", "sabotaged"
    );
    let mut wrong = Vec::new();
    for of in &sound.readings {
        let Some(row) = rows.iter().find(|row| row.criterion == of.id) else {
            wrong.push(format!("{}: no row", of.id));
            continue;
        };
        let found = reading(row.report, &of.id);
        println!(
            "{:6} {:8} {:>10} {:>10} {:>10}  {}",
            of.id,
            format!("{:?}", row.at).to_lowercase(),
            of.target.to_string().replace(" always", ""),
            told(of.value),
            told(found.value),
            row.what
        );
        if found.verdict != Verdict::Failed {
            wrong.push(format!("{}: {} when sabotaged", of.id, found.verdict));
        }
        // What the sound agent has no evidence of is forged both ways.
        let before = match row.at {
            At::Life => &of.verdict,
            At::Audit => &reading(unforged, &of.id).verdict,
        };
        if *before != Verdict::Passed || matches!(of.verdict, Verdict::Failed | Verdict::WarmingUp { .. }) {
            wrong.push(format!(
                "{}: {} of the sound agent, {before} unforged",
                of.id, of.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
