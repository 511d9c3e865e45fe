//! Summaries for people: a row for each recording, then what they come to.

use super::detection::{Detection, Figures};
use super::summary::{Rung, Summary, Total};
use rungs_shell::table::{Cell, Style, Table, Tone};
use rungs_types::{Authority, Level};
use std::fmt::Write;

/// From this score of the benchmark on, a recording counts as well watched.
const GOOD_NAB: f64 = 70.0;

/// A table, and lines below it. Where there are labels, the rows outside of them are the healthy ones.
pub fn text(summaries: &[Summary], total: &Total, labelled: bool, style: Style) -> String {
    let mut table = Table::new(&[
        "recording",
        "rows",
        "error",
        "in 90 %",
        "EU",
        "incidents",
        "spectral",
        "identity",
        "lyapunov",
        "freezes",
        "reached",
        "at the end",
    ]);
    for summary in summaries {
        table.row(row(summary));
    }
    let mut out = table.render(style);
    let rates = &total.alarms_per_10_000;
    let counted = if labelled { "healthy rows" } else { "all rows" };
    let lines = [
        format!(
            "{} recordings, {} rows, {} bad rows skipped",
            total.recordings, total.rows, total.bad_rows
        ),
        format!(
            "error of one-step forecasts relative to persistence: {} (geometric mean of {})",
            shown(total.forecast_ratio, 3),
            total.with_ratio
        ),
        format!("observations inside their 90 % interval: {}", percent(total.coverage)),
        format!(
            "mean EU {}, {} incidents, {} freezes",
            shown(total.eu, 3),
            total.incidents,
            total.freezes
        ),
        format!(
            "alarms per 10,000 cycles: spectral {:.2}, identity {:.2}, lyapunov {:.2}",
            rates.spectral, rates.identity, rates.lyapunov
        ),
        format!(
            "L4.9 on {counted}: stability score above 0.5 in {} of {}, veto rate {} ({} of {} decisions)",
            percent(total.autonomy.comfortable_share()),
            total.autonomy.checked,
            shown(total.autonomy.veto_rate(), 3),
            total.autonomy.vetoes,
            total.autonomy.decisions
        ),
    ];
    out.push('\n');
    for line in lines {
        writeln!(out, "{line}").expect("a string takes all writes");
    }
    for bad in summaries.iter().filter_map(|summary| summary.first_bad_row.as_ref()) {
        writeln!(out, "first bad row of {bad}").expect("a string takes all writes");
    }
    for summary in summaries {
        if let Some(unplaced) = &summary.unplaced {
            writeln!(out, "{}: {unplaced}", summary.recording).expect("a string takes all writes");
        }
    }
    out
}

/// Detection against labels: a row for each recording at the one threshold, then what they come to.
pub fn detection(detection: &Detection, style: Style) -> String {
    let heading = [
        "recording",
        "windows",
        "found",
        "false alarms",
        "precision",
        "recall",
        "F1",
        "NAB",
    ];
    let mut table = Table::new(&heading);
    for each in &detection.recordings {
        let figures = &each.figures;
        let nab_tone = match figures.verdict.nab {
            Some(nab) if nab < 0.0 => Tone::Bad,
            Some(nab) if nab >= GOOD_NAB => Tone::Good,
            _ => Tone::Plain,
        };
        table.row([
            Cell::text(&each.recording),
            Cell::number(figures.verdict.windows),
            Cell::number(figures.verdict.found),
            Cell::number(figures.verdict.false_alarms),
            Cell::maybe(figures.precision, 2),
            Cell::maybe(figures.recall, 2),
            Cell::maybe(figures.f1, 2),
            Cell::maybe(figures.verdict.nab, 1).tone(nab_tone),
        ]);
    }
    let threshold = detection.total.verdict.threshold;
    let sought = match (threshold.is_finite(), detection.optimised) {
        (true, true) => format!("threshold {threshold:.4}, the best for all recordings together"),
        (true, false) => format!("threshold {threshold}, as given"),
        (false, _) => "no threshold is better than none".to_owned(),
    };
    let line = |what: &str, figures: &Figures| {
        format!(
            "{what}: {} of {} windows found, {} false alarms; precision {}, recall {}, F1 {}, NAB {}\n",
            figures.verdict.found,
            figures.verdict.windows,
            figures.verdict.false_alarms,
            shown(figures.precision, 3),
            shown(figures.recall, 3),
            shown(figures.f1, 3),
            shown(figures.verdict.nab, 1),
        )
    };
    format!(
        "\n{}\n{sought}\n{}{}",
        table.render(style),
        line("anomaly score", &detection.total),
        line("incidents raised by the agent", &detection.incidents)
    )
}

fn row(summary: &Summary) -> [Cell; 12] {
    let ratio_tone = match summary.forecast_ratio {
        Some(ratio) if ratio < 1.0 => Tone::Good,
        Some(_) => Tone::Warn,
        None => Tone::Plain,
    };
    let freezes_tone = if summary.freezes > 0 { Tone::Bad } else { Tone::Plain };
    [
        Cell::text(&summary.recording),
        Cell::number(summary.rows),
        Cell::maybe(summary.forecast_ratio, 3).tone(ratio_tone),
        Cell::number(percent(summary.coverage())),
        Cell::maybe(summary.eu, 3),
        Cell::number(summary.incidents),
        Cell::number(summary.alarms.spectral),
        Cell::number(summary.alarms.identity),
        Cell::number(summary.alarms.lyapunov),
        Cell::number(summary.freezes).tone(freezes_tone),
        rung(summary.highest),
        rung(summary.last),
    ]
}

fn rung(rung: Rung) -> Cell {
    let risen = rung.level >= Level::L48 && rung.authority == Authority::Full;
    let cell = Cell::text(format!("{} {}", rung.level, rung.authority));
    cell.tone(if risen { Tone::Good } else { Tone::Plain })
}

fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "no evidence".to_owned(), |value| format!("{value:.decimals$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}
