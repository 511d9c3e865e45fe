//! Members, shards and plans for them.

use crate::table::{Cell, Style, Table, Tone};
use rungs_directory::SHARDS;
use rungs_directory::member::messages::{MemberEntry, MoveEntry, Ordered, ShardsReport};
use rungs_directory::membership::MemberState;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The members, as the node that answered sees them.
pub fn members(members: &[MemberEntry], style: Style) -> String {
    let mut table = Table::new(&[
        "node",
        "state",
        "lease",
        "role",
        "zone",
        "weight",
        "shards",
        "arriving",
        "address",
        "incarnation",
    ]);
    for member in members {
        let tone = match member.state {
            MemberState::Live => Tone::Good,
            MemberState::Joining | MemberState::Draining => Tone::Warn,
            MemberState::Dead => Tone::Bad,
            MemberState::Left => Tone::Dim,
        };
        let (lease, lease_tone) = match (member.has_lease, member.is_suspect) {
            (true, true) => ("held, suspect", Tone::Warn),
            (true, false) => ("held", Tone::Plain),
            (false, _) => ("none", Tone::Dim),
        };
        let address = member
            .address
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        table.row([
            Cell::text(&member.node),
            Cell::text(member.state).tone(tone),
            Cell::text(lease).tone(lease_tone),
            Cell::text(&member.role),
            Cell::text(&member.zone),
            Cell::number(member.weight),
            Cell::number(member.shards),
            Cell::number(member.arriving),
            Cell::text(address),
            Cell::text(format!("{:x}", member.incarnation)),
        ]);
    }
    table.render(style)
}

/// Who owns how many shards, and what moves.
pub fn shards(report: &ShardsReport, style: Style) -> String {
    let mut table = Table::new(&["node", "shards", "share", "leaving", "arriving", "pinned"]);
    let count = |matches: &dyn Fn(&MoveEntry) -> bool| report.moves.iter().filter(|it| matches(it)).count();
    for (node, owned) in &report.owned {
        let share = f64::from(*owned) * 100.0 / f64::from(SHARDS);
        let pinned = report.pinned.iter().filter(|(_, pinned)| pinned == node).count();
        table.row([
            Cell::text(node),
            Cell::number(owned),
            Cell::number(format!("{share:.1} %")),
            Cell::number(count(&|it| it.from.as_ref() == Some(node))),
            Cell::number(count(&|it| it.to == *node)),
            Cell::number(pinned),
        ]);
    }
    let mut text = table.render(style);
    let _ = writeln!(
        text,
        "map {} of {SHARDS} shards: {} without an owner, {} moving",
        report.version, report.unowned, report.moving
    );
    text
}

/// What a rebalance moves, or would.
pub fn rebalance(ordered: &Ordered, dry_run: bool, style: Style) -> String {
    if ordered.moving == 0 {
        return "nothing to move: each shard is where it is wanted most\n".to_owned();
    }
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for it in &ordered.moves {
        let from = it
            .from
            .as_ref()
            .map_or_else(|| "nobody".to_owned(), ToString::to_string);
        *counts.entry((from, it.to.to_string())).or_default() += 1;
    }
    let mut table = Table::new(&["from", "to", "shards"]);
    for ((from, to), count) in counts {
        table.row([Cell::text(from), Cell::text(to), Cell::number(count)]);
    }
    let mut text = table.render(style);
    let (moving, first) = (ordered.moving, ordered.moves.len());
    let _ = match dry_run {
        true => writeln!(text, "{moving} shards would move, {first} of them at first"),
        false => writeln!(
            text,
            "{moving} shards move, {first} of them at first; `shards` shows how far it is"
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> rungs_types::NodeName {
        rungs_types::NodeName::new(text).expect("a name")
    }

    #[test]
    fn shards_are_counted_for_each_node() {
        let report = ShardsReport {
            version: 9,
            unowned: 0,
            moves: vec![MoveEntry {
                shard: 3,
                from: Some(node("n1")),
                to: node("n2"),
                reason: None,
            }],
            moving: 1,
            pinned: vec![(3, node("n2"))],
            owned: vec![(node("n1"), 3072), (node("n2"), 1024)],
        };
        let text = shards(&report, Style::default());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["n1", "3072", "75.0", "%", "1", "0", "0"]);
        assert_eq!(lines[2], ["n2", "1024", "25.0", "%", "0", "1", "1"]);
        assert!(
            text.ends_with("map 9 of 4096 shards: 0 without an owner, 1 moving\n"),
            "{text}"
        );
    }

    #[test]
    fn a_plan_without_moves_says_so() {
        let ordered = Ordered {
            version: 1,
            moves: Vec::new(),
            moving: 0,
        };
        assert!(rebalance(&ordered, true, Style::default()).starts_with("nothing to move"));
    }
}
