//! What the answers look like to a person.

mod cluster;

pub use cluster::{members, rebalance, shards};

use crate::capabilities::capabilities;
use crate::protocol::{AgentRow, FaultRow, LinkRow, NodeRow};
use crate::table::{Cell, Style, Table, Tone, one_line, paint};
use rungs_agent::messages::AgentDescription;
use rungs_host::supervisor::NodeState;
use rungs_host::{KindDescription, TreeNode};
use rungs_types::{Address, Authority};
use std::fmt::Write;

/// Characters of "waits for ", under which the second and further things that a level waits for stand.
const WAITS_FOR_CHARS: usize = 10;

/// Where `copy age` stands among the columns of the nodes, if it does.
const COPY_AGE_COLUMN: usize = 9;
/// What agents know is to be on another node within so long.
const OLD_COPY_MS: u64 = 5_000;

/// The nodes: who answers, what runs there, which links are up.
pub fn nodes(rows: &[NodeRow], style: Style) -> String {
    // A node that is alone copies its snapshots nowhere.
    let copies = rows
        .iter()
        .any(|row| row.report.as_ref().is_some_and(|report| report.copy_age_ms.is_some()));
    let mut heading = vec![
        "node",
        "state",
        "incarnation",
        "uptime",
        "agents",
        "parked",
        "resting",
        "cycles/s",
        "decided p99",
        "memory",
        "links",
    ];
    if copies {
        heading.insert(COPY_AGE_COLUMN, "copy age");
    }
    let mut table = Table::new(&heading);
    for NodeRow { node, report } in rows {
        let Some(report) = report else {
            table.row([Cell::text(node), Cell::text("no answer").tone(Tone::Bad)]);
            continue;
        };
        let state = if report.draining {
            ("draining", Tone::Warn)
        } else {
            ("up", Tone::Good)
        };
        let down: Vec<String> = report
            .peers
            .iter()
            .filter(|peer| !peer.up)
            .map(|peer| peer.node.to_string())
            .collect();
        let up = report.peers.len() - down.len();
        let links = match down.as_slice() {
            [] => Cell::text(format!("{up} up")),
            down => Cell::text(format!("{up} up, down: {}", down.join(" "))).tone(Tone::Warn),
        };
        let incarnation = report.node.split_once('~').map_or("-", |(_, incarnation)| incarnation);
        let mut cells = vec![
            Cell::text(node),
            Cell::text(state.0).tone(state.1),
            Cell::text(incarnation),
            Cell::number(span(report.uptime_ms)),
            Cell::number(report.agents),
            Cell::number(report.parked).tone(if report.parked > 0 { Tone::Bad } else { Tone::Plain }),
            Cell::number(report.passive),
            Cell::number(format!("{:.0}", report.cycles_per_s)),
            Cell::number(report.decision_us_p99.map_or_else(|| "-".to_owned(), millis)),
            Cell::number(bytes(report.resident_bytes)),
            links,
        ];
        if copies {
            cells.insert(COPY_AGE_COLUMN, copy_age(report.copy_age_ms));
        }
        table.row(cells);
    }
    table.render(style)
}

/// How far the copies of snapshots are behind.
fn copy_age(age_ms: Option<u64>) -> Cell {
    let Some(age_ms) = age_ms else {
        return Cell::number("-");
    };
    let late = age_ms > OLD_COPY_MS;
    Cell::number(span(age_ms)).tone(if late { Tone::Warn } else { Tone::Plain })
}

/// The links, as the nodes at their ends see them.
pub fn links(rows: &[LinkRow], style: Style) -> String {
    let mut table = Table::new(&[
        "node",
        "peer",
        "up for",
        "round trip",
        "sent",
        "received",
        "told",
        "asked",
        "delivered",
        "refused",
        "waiting",
        "unacked",
        "resumed",
        "repeated",
    ]);
    for row in rows {
        let refused = row.received[1] + row.refused_by_peer;
        let waiting: u64 = row.queued.iter().sum();
        let unacked = match row.unacknowledged {
            [0, _] => "0".to_owned(),
            [messages, size] => format!("{messages} ({})", bytes(size)),
        };
        let warn = |count: u64| if count > 0 { Tone::Warn } else { Tone::Plain };
        table.row([
            Cell::text(&row.node),
            Cell::text(&row.peer),
            Cell::number(span(row.age_ms)),
            Cell::number(row.round_trip_us.map_or_else(|| "-".to_owned(), millis)),
            Cell::number(bytes(row.bytes[0])),
            Cell::number(bytes(row.bytes[1])),
            Cell::number(row.sent[0]),
            Cell::number(row.sent[1]),
            Cell::number(row.received[0]),
            Cell::number(refused).tone(warn(refused)),
            Cell::number(waiting),
            Cell::number(unacked),
            Cell::number(row.resumed).tone(warn(row.resumed)),
            Cell::number(row.repeated_frames.iter().sum::<u64>()),
        ]);
    }
    table.render(style)
}

/// The faults that are armed or being stalled in.
pub fn faults(rows: &[FaultRow], style: Style) -> String {
    if rows.is_empty() {
        return "no faults\n".to_owned();
    }
    let mut table = Table::new(&["node", "actor", "fault"]);
    for row in rows {
        table.row([
            Cell::text(&row.node),
            Cell::text(&row.target),
            Cell::text(row.fault.words()).tone(Tone::Warn),
        ]);
    }
    table.render(style)
}

/// The agents, one a row.
pub fn agents(rows: &[AgentRow], style: Style) -> String {
    let mut table = Table::new(&[
        "agent",
        "node",
        "level",
        "authority",
        "cycles",
        "cycles/s",
        "EU",
        "RES",
        "ASS",
        "err/pers",
        "freezes",
        "waits for",
    ]);
    for row in rows {
        let authority = match row.authority.as_str() {
            "full" => Tone::Good,
            "frozen" => Tone::Bad,
            _ => Tone::Warn,
        };
        let waiting = if row.state == "running" {
            row.waits_for()
        } else {
            row.state.clone()
        };
        table.row([
            Cell::text(&row.agent),
            Cell::text(&row.node),
            Cell::text(&row.level),
            Cell::text(&row.authority).tone(authority),
            Cell::number(row.cycles),
            Cell::number(format!("{:.1}", row.cycles_per_s)),
            Cell::maybe(row.eu, 3),
            Cell::maybe(row.res, 3),
            Cell::maybe(row.ass, 3),
            Cell::maybe(row.forecast_ratio, 3),
            Cell::number(row.freezes).tone(if row.freezes > 0 { Tone::Warn } else { Tone::Plain }),
            Cell::text(waiting).tone(if row.state == "running" { Tone::Dim } else { Tone::Bad }),
        ]);
    }
    if table.is_empty() {
        "no agents\n".to_owned()
    } else {
        table.render(style)
    }
}

/// One agent: the ladder from the top, then the figures.
pub fn agent(about: &AgentDescription, style: Style) -> String {
    let environment = serde_json::to_string(&about.spec.environment).unwrap_or_default();
    let mut out = format!(
        "{} on {}, watching {} ({} dimensions) at {} cycles/s\n\n",
        about.spec.agent,
        about.node,
        crate::table::clean(environment.trim_matches('"')),
        about.dimensions.len(),
        about.spec.rate_hz,
    );
    for level in about.levels.iter().rev() {
        let authority = level.standing.authority;
        let tone = match authority {
            Authority::Full => Tone::Good,
            Authority::Frozen => Tone::Bad,
            _ => Tone::Warn,
        };
        let bar = "#".repeat(usize::from(authority.as_byte()) * 3);
        let name = level.standing.level.to_string();
        // What a level waits for is a list: a line each.
        let mut parts = level.state.split(", ");
        let first = parts.next().unwrap_or_default();
        let line = format!("  {name:<5} {:<9} {bar:<12} {first}", authority.to_string());
        writeln!(out, "{}", paint(line.trim_end(), tone, style.colour)).expect("a string takes all writes");
        for part in parts {
            let line = format!("{:31}{:WAITS_FOR_CHARS$}{part}", "", "");
            writeln!(out, "{}", paint(&line, tone, style.colour)).expect("a string takes all writes");
        }
    }
    out.push('\n');
    out += &figures(about).render(style);
    if let Some(veto) = about.autonomy.as_ref().and_then(|autonomy| autonomy.last_veto.as_ref()) {
        let line = format!(
            "last veto at cycle {}: {}, because {}",
            veto.cycle, veto.decision, veto.by
        );
        writeln!(out, "{}", paint(&one_line(&line), Tone::Warn, style.colour)).expect("a string takes all writes");
    }
    if let Some(model) = &about.self_model {
        out.push('\n');
        out += &capabilities(model, style);
    }
    out
}

fn figures(about: &AgentDescription) -> Table {
    let status = &about.status;
    let mut table = Table::new(&["figure", "value", "target"]);
    let mut figure = |name: &str, value: Cell, target: &str| {
        table.row([Cell::text(name), value, Cell::text(target).tone(Tone::Dim)]);
    };
    figure("cycles", Cell::number(status.cycles), "");
    figure("late cycles", Cell::number(status.late_cycles), "");
    figure("freezes", Cell::number(status.freezes), "");
    figure(
        "complexity C_L4",
        Cell::maybe(Some(status.c_l4), 3),
        "<= 0.15 to begin L4.8",
    );
    figure(
        "identity integrity IIS",
        Cell::maybe(status.iis, 3),
        ">= 0.90 to begin, >= 0.85 always",
    );
    figure("uncertainty EU", Cell::maybe(status.eu, 3), "< 0.15");
    figure("risk exposure RES", Cell::maybe(status.res, 3), "< 0.40");
    figure(
        "forecast error / persistence",
        Cell::maybe(status.forecast_ratio, 3),
        "< 1",
    );
    figure("interval coverage", Cell::maybe(status.coverage, 3), "0.90");
    if let Some(autonomy) = &about.autonomy {
        figure(
            "audit of L4.8 SMS",
            Cell::maybe(Some(autonomy.sms), 3),
            ">= 0.80, see `qualify`",
        );
        figure(
            "audit of L4.9 AMS",
            Cell::maybe(autonomy.ams, 3),
            ">= 0.80, see `qualify AGENT L4.9`",
        );
        figure(
            "autonomy stability ASS",
            Cell::maybe(autonomy.ass, 3),
            ">= 0.20 to act, see `mind AGENT ass`",
        );
    }
    table
}

/// A supervision tree, indented.
pub fn tree(root: &TreeNode, style: Style) -> String {
    let mut table = Table::new(&["actor", "state", "restarts", "mailbox", "note"]);
    add_branch(&mut table, root, String::new(), "");
    table.render(style)
}

fn add_branch(table: &mut Table, node: &TreeNode, indent: String, joint: &str) {
    let (tone, state) = match node.state {
        NodeState::Running => (Tone::Good, "running"),
        NodeState::Parked => (Tone::Bad, "parked"),
        NodeState::Waiting => (Tone::Warn, "waiting"),
        NodeState::Stopping => (Tone::Warn, "stopping"),
        NodeState::Idle => (Tone::Dim, "idle"),
    };
    table.row([
        Cell::text(format!("{indent}{joint}{}", node.role)),
        Cell::text(state).tone(tone),
        Cell::number(node.restarts),
        Cell::number(node.mailbox_depth.map_or_else(String::new, |depth| depth.to_string())),
        Cell::text(&node.note).tone(Tone::Dim),
    ]);
    let below = match joint {
        "" => indent,
        "├─ " => indent + "│  ",
        _ => indent + "   ",
    };
    for (index, child) in node.children.iter().enumerate() {
        let joint = if index + 1 == node.children.len() {
            "└─ "
        } else {
            "├─ "
        };
        add_branch(table, child, below.clone(), joint);
    }
}

/// What an actor receives.
pub fn kinds(target: &Address, kinds: &[KindDescription], schema: bool) -> String {
    let mut out = format!("{target} receives:\n");
    for kind in kinds {
        writeln!(out, "  call {target} {} {}", kind.kind, kind.example).expect("a string takes all writes");
        if schema {
            writeln!(out, "    message {}\n    reply   {}", kind.schema, kind.reply_schema)
                .expect("a string takes all writes");
        }
    }
    out
}

/// A key that sorts `ops-2` before `ops-10`.
pub fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), name[stem.len()..].parse().unwrap_or(0))
}

/// A time span such as `4.2s`, `3m10s` or `2h05m`.
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{:.1}s", ms as f64 / 1000.0),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
    }
}

/// Microseconds as milliseconds, such as `1.4 ms`.
fn millis(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1000.0)
}

/// A size such as `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        1..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::NodeReport;

    #[test]
    fn spans_and_sizes_are_short() {
        assert_eq!([span(4200), span(190_000), span(7_500_000)], ["4.2s", "3m10s", "2h05m"]);
        assert_eq!(
            [bytes(0), bytes(2048), bytes(3 << 20), bytes(5 << 29)],
            ["-", "2.0 KiB", "3.0 MiB", "2.50 GiB"]
        );
    }

    #[test]
    fn how_far_copies_are_behind_is_shown_where_there_are_others() {
        let row = |node: &str, copy_age_ms| NodeRow {
            node: node.parse().expect("a name"),
            report: Some(NodeReport {
                copy_age_ms,
                ..NodeReport::default()
            }),
        };
        let shown = |rows: &[NodeRow]| nodes(rows, Style::default());
        assert!(!shown(&[row("n1", None)]).contains("copy age"));
        let two = shown(&[row("n1", Some(1_200)), row("n2", None)]);
        let lines: Vec<&str> = two.lines().collect();
        assert!(lines[0].contains("decided p99  copy age  memory  links"), "{two}");
        assert!(
            lines[1].contains("1.2s") && lines[2].trim_end().ends_with("0 up"),
            "{two}"
        );
    }

    #[test]
    fn agents_sort_by_number() {
        let mut names = vec!["ops-10", "ops-2", "a"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a", "ops-2", "ops-10"]);
    }

    #[test]
    fn a_tree_is_drawn_with_joints() {
        let leaf = |role: &str| TreeNode {
            role: role.into(),
            state: NodeState::Running,
            generation: 1,
            restarts: 0,
            actor: None,
            mailbox_depth: None,
            note: String::new(),
            children: Vec::new(),
        };
        let mut inner = leaf("l48");
        inner.children = vec![leaf("observe"), leaf("verify")];
        let mut root = leaf("ops-1");
        root.children = vec![inner, leaf("kernel")];
        let lines: Vec<String> = tree(&root, Style::default())
            .lines()
            .map(|l| l.split("  ").next().unwrap_or("").into())
            .collect();
        assert_eq!(lines[1..].join("\n"), "ops-1\n├─ l48\n│\n│\n└─ kernel");
    }
}
