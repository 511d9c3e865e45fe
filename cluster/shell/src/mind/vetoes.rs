//! What Level 4.9 was not let do, and when it froze.

use crate::table::{Cell, Style, Table};
use rungs_agent::mind::Vetoes;
use std::cmp::Reverse;

/// Vetoes and freezes, the last one first.
pub(super) fn vetoes(part: &Vetoes, style: Style) -> String {
    if part.vetoes.is_empty() && part.rollbacks.is_empty() {
        return "nothing was vetoed\n".to_owned();
    }
    let mut rows = Vec::new();
    for row in &part.vetoes {
        rows.push((row.cycle, row.decision.clone(), &row.by));
    }
    for row in &part.rollbacks {
        rows.push((row.cycle, format!("L4.9 froze, back to {}", row.to_cycle), &row.cause));
    }
    rows.sort_by_key(|(cycle, ..)| Reverse(*cycle));
    let mut table = Table::new(&["cycle", "decision", "because"]);
    for (cycle, what, why) in rows {
        table.row([Cell::number(cycle), Cell::text(&what), Cell::text(why)]);
    }
    table.render(style)
}
