//! Goals, for a person: an agent's goals as a tree, and one goal with all that is known of it.

use crate::table::{Cell, Style, Table, Tone, one_line, paint};
use rungs_agent::goals::{GoalDetail, GoalEntry};
use rungs_agent::mind::{Allocation, GoalOrder, OwnGoal, OwnGoals};
use rungs_types::GoalId;
use rungs_types::goal::{Comparison, Condition, GoalSpec, PeriodStep, Quantity, Speaker, TaskAction, Tier};
use serde::Serialize;
use std::fmt::Write;

/// Closed goals that the tree shows.
const MAX_CLOSED: usize = 8;
/// Own goals that it shows.
const MAX_OWN: usize = 12;

/// What is known of an agent's goals.
#[derive(Debug, Clone, Serialize)]
pub struct Stack {
    /// The kernel's table: those that are worked on, those that wait, those closed lately.
    pub goals: Vec<GoalEntry>,
    /// How Level 4.8 ranks the open ones.
    pub order: Option<GoalOrder>,
    /// Who may use how much.
    pub allocation: Option<Allocation>,
    /// What Level 4.9 thought of.
    pub own: Option<OwnGoals>,
}

/// One goal, as far as it is known to the kernel and to Level 4.9.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// As the kernel's table has it.
    pub set: Option<GoalDetail>,
    /// As Level 4.9 thought of it.
    pub own: Option<OwnGoal>,
}

/// The goals as a tree: tiers, and in them the goals below those that they wait for.
pub fn tree(stack: &Stack, style: Style) -> String {
    let mut branches = Branches::of(stack);
    for tier in Tier::ALL.map(|tier| tier.to_string()) {
        branches.tier(&tier);
    }
    branches.closed();
    let mut out = if branches.table.is_empty() {
        "no goals\n".to_owned()
    } else {
        branches.table.render(style)
    };
    if let Some(order) = &stack.order {
        let wrong = order.pathologies.iter().map(|line| ("wrong", line));
        let done = order.remedies.iter().map(|line| ("done about it", line));
        for (what, line) in wrong.chain(done) {
            let line = format!("{what}: {}", one_line(line));
            writeln!(out, "{}", paint(&line, Tone::Warn, style.colour)).expect("a string takes all writes");
        }
    }
    if let Some(own) = &stack.own {
        out.push('\n');
        out += &own_goals(own, style);
    }
    out
}

/// The tree as it grows.
struct Branches<'a> {
    stack: &'a Stack,
    open: Vec<&'a GoalEntry>,
    /// Goals that are drawn already, so that a circle is drawn once.
    drawn: Vec<&'a GoalId>,
    table: Table,
}

impl<'a> Branches<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self {
            stack,
            open: stack.goals.iter().filter(|entry| is_open(entry)).collect(),
            drawn: Vec::new(),
            table: Table::new(&[
                "goal",
                "state",
                "priority",
                "share",
                "tasks",
                "actions",
                "set by",
                "waits for",
                "intent",
            ]),
        }
    }

    /// The open goal below which a goal stands: the first that it waits for.
    fn above(&self, entry: &GoalEntry) -> Option<&'a GoalEntry> {
        let open = |goal: &GoalId| self.open.iter().copied().find(|other| other.goal == *goal);
        entry.after.iter().find_map(open)
    }

    fn tier(&mut self, tier: &str) {
        let of_tier: Vec<&GoalEntry> = self.open.iter().copied().filter(|entry| entry.tier == tier).collect();
        // What waits for nothing that is open, and then what waits in a circle.
        let roots = |branches: &Self| -> Vec<&'a GoalEntry> {
            let root = |entry: &&&GoalEntry| branches.above(entry).is_none();
            of_tier.iter().filter(root).copied().collect()
        };
        let roots = roots(self);
        let in_circle = of_tier.iter().copied().filter(|entry| self.is_circular(entry));
        let all: Vec<&GoalEntry> = roots.into_iter().chain(in_circle).collect();
        if all.is_empty() {
            return;
        }
        self.table.row([Cell::text(tier).tone(Tone::Dim)]);
        for entry in all {
            self.draw(entry, "  ", "");
        }
    }

    /// Going up from it never ends.
    fn is_circular(&self, entry: &GoalEntry) -> bool {
        let mut at = entry;
        for _ in 0..=self.open.len() {
            match self.above(at) {
                Some(above) if above.goal == entry.goal => return true,
                Some(above) => at = above,
                None => return false,
            }
        }
        false
    }

    fn draw(&mut self, entry: &'a GoalEntry, indent: &str, joint: &str) {
        if self.drawn.contains(&&entry.goal) {
            return;
        }
        self.drawn.push(&entry.goal);
        self.row(entry, &format!("{indent}{joint}"));
        let below: Vec<&GoalEntry> = self
            .open
            .iter()
            .copied()
            .filter(|other| self.above(other).is_some_and(|above| above.goal == entry.goal))
            .filter(|other| !self.drawn.contains(&&other.goal))
            .collect();
        let indent = match joint {
            "" => indent.to_owned(),
            "├─ " => format!("{indent}│  "),
            _ => format!("{indent}   "),
        };
        for (index, other) in below.iter().enumerate() {
            let joint = if index + 1 == below.len() { "└─ " } else { "├─ " };
            self.draw(other, &indent, joint);
        }
    }

    fn row(&mut self, entry: &GoalEntry, before: &str) {
        let ranked = self.stack.order.iter().flat_map(|order| &order.ranked);
        let priority = ranked.into_iter().find(|ranked| ranked.goal == entry.goal);
        let grants = self.stack.allocation.iter().flat_map(|allocation| &allocation.goals);
        let share = grants.into_iter().find(|grant| grant.goal == entry.goal);
        let waits: Vec<&str> = match is_open(entry) && entry.state != "active" {
            true => entry.after.iter().map(GoalId::as_str).collect(),
            false => Vec::new(),
        };
        self.table.row([
            Cell::text(format!("{before}{}", entry.goal)),
            Cell::text(&entry.state).tone(tone(&entry.state)),
            Cell::maybe(priority.map(|ranked| ranked.priority), 2),
            Cell::number(share.map_or_else(|| "-".to_owned(), |grant| percent(grant.share))),
            Cell::number(format!("{}/{}", entry.tasks_done, entry.tasks)),
            Cell::number(entry.actions),
            Cell::text(origin(&entry.origin)),
            Cell::text(if waits.is_empty() {
                "-".to_owned()
            } else {
                waits.join(", ")
            }),
            Cell::text(&entry.intent).tone(Tone::Dim),
        ]);
    }

    fn closed(&mut self) {
        let stack = self.stack;
        let closed: Vec<&GoalEntry> = stack.goals.iter().filter(|entry| !is_open(entry)).collect();
        if closed.is_empty() {
            return;
        }
        self.table
            .row([Cell::text("closed, the last one first").tone(Tone::Dim)]);
        for entry in closed.iter().take(MAX_CLOSED) {
            self.row(entry, "  ");
        }
        if closed.len() > MAX_CLOSED {
            let more = format!("  and {} more", closed.len() - MAX_CLOSED);
            self.table.row([Cell::text(more).tone(Tone::Dim)]);
        }
    }
}

fn is_open(entry: &GoalEntry) -> bool {
    matches!(entry.state.as_str(), "active" | "waiting" | "queued")
}

fn tone(state: &str) -> Tone {
    match state {
        "active" | "succeeded" | "set" | "approved" => Tone::Good,
        state if state.starts_with("failed") => Tone::Bad,
        state if state.starts_with("rejected") || state.starts_with("vetoed") => Tone::Warn,
        state if state.starts_with("abandoned") || state == "withdrawn" => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn origin(name: &str) -> &str {
    match name {
        "l48" => "L4.8",
        "l49" => "L4.9",
        "l6" => "L6",
        other => other,
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// What Level 4.9 thought of, the last one first.
fn own_goals(own: &OwnGoals, style: Style) -> String {
    let mut out = format!(
        "of its own: {} thought of, {} approved, {} reached, {} not reached, {} vetoed\n",
        own.generated, own.approved, own.completed, own.failed, own.vetoed
    );
    if own.goals.is_empty() {
        return out;
    }
    let mut table = Table::new(&["own goal", "from", "cycle", "verdict", "now", "intent"]);
    for row in own.goals.iter().rev().take(MAX_OWN) {
        table.row([
            Cell::text(&row.goal),
            Cell::text(&row.origin),
            Cell::number(row.cycle),
            Cell::text(&row.verdict).tone(tone(&row.verdict)),
            Cell::text(&row.fate).tone(tone(&row.fate)),
            Cell::text(&row.intent).tone(Tone::Dim),
        ]);
    }
    out += &table.render(style);
    if own.goals.len() > MAX_OWN {
        writeln!(out, "and {} more", own.goals.len() - MAX_OWN).expect("a string takes all writes");
    }
    out
}

/// One goal with all that is known of it.
pub fn goal(shown: &Shown, style: Style) -> String {
    let spec = match (&shown.set, &shown.own) {
        (Some(set), _) => &set.spec,
        (None, Some(own)) => &own.spec,
        (None, None) => return "no such goal\n".to_owned(),
    };
    let mut out = format!("{}: {}\n", spec.goal, one_line(&spec.intent));
    let mut fact = |name: &str, text: String| {
        writeln!(out, "  {name:<13} {}", one_line(&text)).expect("a string takes all writes");
    };
    if let Some(own) = &shown.own {
        fact(
            "thought of",
            format!("at cycle {}, from {}: {}", own.cycle, own.origin, own.signal),
        );
        let reduced = if own.reduced { " (its scope was reduced)" } else { "" };
        fact("verdict", format!("{}{reduced}", own.verdict));
        fact("now", own.fate.clone());
    }
    if let Some(set) = &shown.set {
        stands(set, &mut fact);
    }
    asked(spec, &mut fact);
    if let Some(own) = &shown.own {
        out.push('\n');
        out += &criteria(own, style);
    }
    out.push('\n');
    out + &tasks(spec, shown.set.as_ref(), style)
}

fn stands(set: &GoalDetail, fact: &mut impl FnMut(&str, String)) {
    let by = origin(&set.spec.origin.to_string()).to_owned();
    fact("set", format!("by {by} at cycle {}, {}", set.set_at, set.spec.tier));
    let since = match (set.closed_at, set.approved_at) {
        (Some(cycle), _) => format!(" at cycle {cycle}"),
        (None, Some(cycle)) => format!(" since cycle {cycle}"),
        (None, None) => String::new(),
    };
    fact("state", format!("{}{since}", set.state));
    if set.approved_at.is_some() && set.closed_at.is_none() {
        fact("holds", format!("for {} of 20 cycles", set.held_cycles));
    }
    fact(
        "used",
        format!("{} of {} actions", set.actions, set.spec.budget.actions),
    );
    if let Some(cycle) = set.deadline_at {
        fact("deadline", format!("cycle {cycle}"));
    }
}

fn asked(spec: &GoalSpec, fact: &mut impl FnMut(&str, String)) {
    let list = |conditions: &[Condition], word: &str| {
        let each: Vec<String> = conditions.iter().map(condition).collect();
        each.join(word)
    };
    let reached = [list(&spec.success.all, " and "), list(&spec.success.any, " or ")];
    let parts: Vec<&str> = reached
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    fact("reached when", parts.join(", and "));
    if let Some(cycles) = spec.deadline_cycles {
        fact("time", format!("{cycles} cycles from its approval"));
    }
    fact("asks for", format!("{} of the budget", percent(spec.budget.share)));
    let names = |names: Vec<&str>| names.join(", ");
    if !spec.after.is_empty() {
        fact("waits for", names(spec.after.iter().map(GoalId::as_str).collect()));
    }
    if !spec.skills.is_empty() {
        fact("needs", names(spec.skills.iter().map(|skill| skill.as_str()).collect()));
    }
    if !spec.weights.is_empty() {
        let each = spec
            .weights
            .iter()
            .map(|(value, weight)| format!("{value} {weight:.2}"));
        fact("serves", each.collect::<Vec<_>>().join(", "));
    }
}

fn criteria(own: &OwnGoal, style: Style) -> String {
    let mut table = Table::new(&["criterion", "value", "passes", "grade"]);
    for row in &own.criteria {
        let tone = match row.grade.as_str() {
            "pass" => Tone::Good,
            "marginal" => Tone::Warn,
            _ => Tone::Bad,
        };
        table.row([
            Cell::text(&row.criterion),
            Cell::maybe(Some(row.value), 3),
            Cell::text(&row.target).tone(Tone::Dim),
            Cell::text(&row.grade).tone(tone),
        ]);
    }
    table.render(style)
}

fn tasks(spec: &GoalSpec, set: Option<&GoalDetail>, style: Style) -> String {
    let mut table = Table::new(&[
        "task", "does", "state", "attempts", "failed", "deadline", "after", "when",
    ]);
    for (index, task) in spec.tasks.iter().enumerate() {
        let detail = set.and_then(|set| set.tasks.get(index));
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let after: Vec<&str> = task.after.iter().map(|name| name.as_str()).collect();
        let when: Vec<String> = task.when.iter().map(condition).collect();
        let joined = |parts: String| if parts.is_empty() { "-".to_owned() } else { parts };
        table.row([
            Cell::text(&task.name),
            Cell::text(action(task.does)),
            Cell::text(detail.map_or("not set", |detail| &detail.state)),
            Cell::number(or_none(
                detail.map(|detail| format!("{}/{}", detail.attempts, task.retries + 1)),
            )),
            Cell::number(or_none(detail.map(|detail| detail.failures.to_string()))),
            Cell::number(or_none(detail.and_then(|detail| Some(detail.deadline_at?.to_string())))),
            Cell::text(joined(after.join(", "))),
            Cell::text(joined(when.join(" and "))),
        ]);
    }
    table.render(style)
}

fn action(does: TaskAction) -> String {
    match does {
        TaskAction::SampleFaster { group } => format!("sample group {group} more often"),
        TaskAction::SampleSlower { group } => format!("sample group {group} less often"),
        TaskAction::SwitchForecaster { group, to } => {
            let to = match to {
                Speaker::Linear => "linear prediction",
                Speaker::Belief => "the belief",
                Speaker::Smoothing => "smoothing",
                Speaker::Persistence => "persistence",
            };
            format!("forecast group {group} by {to}")
        }
        TaskAction::RaiseIncident { group } => format!("raise an incident about group {group}"),
        TaskAction::ClearIncident => "clear the incident".to_owned(),
        TaskAction::AskPeer { group } => format!("ask a peer about group {group}"),
        TaskAction::ChangePeriod { change } => match change {
            PeriodStep::Longer => "cycle more slowly".to_owned(),
            PeriodStep::Shorter => "cycle faster".to_owned(),
        },
        TaskAction::Turn(setting) => format!("set {} to {}", setting.knob, setting.to),
    }
}

fn condition(condition: &Condition) -> String {
    let of = match condition.of {
        Quantity::Dimension(index) => format!("dimension {index}"),
        Quantity::Variance(index) => format!("variance of dimension {index}"),
        Quantity::Eu => "EU".to_owned(),
        Quantity::Res => "RES".to_owned(),
        Quantity::Rdf => "RDF".to_owned(),
        Quantity::Seof => "SEOF".to_owned(),
        Quantity::Iis => "IIS".to_owned(),
        Quantity::CL4 => "C_L4".to_owned(),
        Quantity::Uncertainty => "U".to_owned(),
    };
    let is = match condition.is {
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
        Comparison::AtLeast => ">=",
        Comparison::Above => ">",
    };
    format!("{of} {is} {}", short(condition.value))
}

/// A number of at most four decimals.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
