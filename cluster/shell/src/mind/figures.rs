//! Figures as a person reads them.

use crate::table::{Cell, Tone};

/// Cycles that stand for "for ever".
const NO_END_CYCLES: f64 = 10_000.0;

pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A number with its sign; what rounds to nothing has none.
pub(super) fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    let nothing = text.chars().all(|c| !matches!(c, '1'..='9'));
    if nothing { text[1..].to_owned() } else { text }
}

/// A number of at most three decimals.
pub(super) fn decimals(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

pub(super) fn cycles(left: f64) -> String {
    if left >= NO_END_CYCLES {
        "no end".to_owned()
    } else {
        format!("{left:.0} cycles")
    }
}

/// A share of `full` as a bar of at most 20 characters.
pub(super) fn bar(value: f64, full: f64) -> Cell {
    let share = (value / full).clamp(0.0, 1.0);
    Cell::text("#".repeat((20.0 * share).round() as usize)).tone(Tone::Dim)
}
