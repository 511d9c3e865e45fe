//! What an agent's levels came to, for a person: one table for each question.

mod figures;
mod vetoes;

use crate::capabilities::capabilities;
use crate::command::MindView;
use crate::table::{Cell, Style, Table, Tone, paint};
use figures::{bar, cycles, decimals, number, percent, signed};
use rungs_agent::mind::{
    Allocation, AutonomyScore, ConditionRow, Mind, Projection, Resources, Scenarios, Strategies, StrategyRow,
    TrustTable, Values, Votes,
};
use std::fmt::Write;
use vetoes::vetoes;

/// One view.
pub fn view(mind: &Mind, view: MindView, style: Style) -> String {
    let (shown, level) = match view {
        MindView::Strategies => (mind.strategies.as_ref().map(|part| strategies(part, style)), "L4.8"),
        MindView::Allocation => (mind.allocation.as_ref().map(|part| allocation(part, style)), "L4.8"),
        MindView::Scenarios => (mind.scenarios.as_ref().map(|part| scenarios(part, style)), "L4.8"),
        MindView::Capabilities => (mind.capabilities.as_ref().map(|part| capabilities(part, style)), "L4.8"),
        MindView::Votes => (mind.votes.as_ref().map(|part| votes(part, style)), "L4.5"),
        MindView::Projection => (mind.projection.as_ref().map(|part| projection(part, style)), "L4.5"),
        MindView::Values => (mind.values.as_ref().map(|part| values(part, style)), "L4.9"),
        MindView::Resources => (mind.resources.as_ref().map(|part| resources(part, style)), "L4.9"),
        MindView::Trust => (mind.trust.as_ref().map(|part| trust(part, style)), "L4.9"),
        MindView::Ass => (mind.ass.as_ref().map(|part| score(part, style)), "L4.9"),
        MindView::Vetoes => (mind.vetoes.as_ref().map(|part| vetoes(part, style)), "L4.9"),
    };
    shown.unwrap_or_else(|| format!("{level} has made no pass on this node yet; `agent` says what it waits for\n"))
}

/// All of it, a line each, and which view says more.
pub fn overview(mind: &Mind, style: Style) -> String {
    let mut table = Table::new(&["view", "cycle", "in short"]);
    let mut line = |view: &str, found: Option<(u64, String)>| {
        let (cycle, text) = match found {
            Some((cycle, text)) => (Cell::number(cycle), Cell::text(text)),
            None => (Cell::number("-"), Cell::text("no pass yet").tone(Tone::Dim)),
        };
        table.row([Cell::text(view), cycle, text]);
    };
    line(
        "votes",
        mind.votes
            .as_ref()
            .map(|part| (part.cycle, format!("for the {} course", part.posture))),
    );
    line(
        "projection",
        mind.projection
            .as_ref()
            .map(|part| (mind.cycle, courses_in_short(part))),
    );
    line(
        "strategies",
        mind.strategies.as_ref().map(|part| (part.cycle, chosen(part))),
    );
    let allocation = |part: &Allocation| {
        // The sum of nothing is -0.
        let goals = part.goals.iter().fold(0.0, |sum, grant| sum + grant.share);
        let (guard, reserve) = (percent(part.guard), percent(part.reserve));
        format!("guard {guard}, reserve {reserve}, goals {}", percent(goals))
    };
    line(
        "allocation",
        mind.allocation.as_ref().map(|part| (part.cycle, allocation(part))),
    );
    line(
        "scenarios",
        mind.scenarios.as_ref().map(|part| (part.cycle, likeliest(part))),
    );
    line(
        "capabilities",
        mind.capabilities.as_ref().map(|model| {
            let text = format!(
                "{} skills, mean confidence {}",
                model.skills.len(),
                number(model.confidence, 2)
            );
            (model.cycle, text)
        }),
    );
    line(
        "values",
        mind.values.as_ref().map(|part| (part.cycle, drift_in_short(part))),
    );
    line(
        "resources",
        mind.resources.as_ref().map(|part| (part.cycle, lasts(part))),
    );
    line("trust", mind.trust.as_ref().map(|part| (part.cycle, known(part))));
    line("ass", mind.ass.as_ref().map(|part| (part.cycle, score_in_short(part))));
    let last = mind.vetoes.as_ref().map(|part| match part.vetoes.last() {
        Some(veto) => (veto.cycle, format!("last: {}", veto.decision)),
        None => (mind.cycle, "none".to_owned()),
    });
    line("vetoes", last);
    table.render(style)
}

fn courses_in_short(part: &Projection) -> String {
    match (part.frozen, part.courses.len()) {
        (true, _) => "frozen: forecasts are worth too little".to_owned(),
        (false, 0) => "nothing projected yet".to_owned(),
        (false, _) if part.aggressive_open => "the aggressive course is open".to_owned(),
        (false, _) => "the aggressive course is closed".to_owned(),
    }
}

fn chosen(part: &Strategies) -> String {
    match part.candidates.len() {
        0 => format!("{}: nothing could be compared", part.chosen),
        count => format!("{} of {count} candidates", part.chosen),
    }
}

fn likeliest(part: &Scenarios) -> String {
    let most = part
        .scenarios
        .iter()
        .max_by(|a, b| a.probability.total_cmp(&b.probability));
    most.map_or_else(
        || "none".to_owned(),
        |most| format!("{} with {}", most.scenario, percent(most.probability)),
    )
}

fn drift_in_short(part: &Values) -> String {
    format!(
        "drift {:.3} ({}), coherence {:.3}",
        part.total_drift, part.band, part.coherence
    )
}

fn lasts(part: &Resources) -> String {
    match &part.bottleneck {
        Some(kind) => format!("{}: {kind} lasts {}", part.mode, cycles(part.min_survival_cycles)),
        None => format!("{}: nothing runs out", part.mode),
    }
}

fn known(part: &TrustTable) -> String {
    match part.peers.len() {
        0 => "no other agent is modelled".to_owned(),
        1 => "1 agent modelled".to_owned(),
        count => format!("{count} agents modelled"),
    }
}

fn score_in_short(part: &AutonomyScore) -> String {
    format!("{:.3}, {}", part.ass, part.status)
}

fn strategies(part: &Strategies, style: Style) -> String {
    let changed = if part.chosen == part.before {
        ""
    } else {
        ", new in this pass"
    };
    let mut out = format!("cycle {}: {} in force{changed}\n", part.cycle, part.chosen);
    if part.candidates.is_empty() {
        return out + "nothing was compared: the law of the agent's own state is not known yet\n";
    }
    let mut table = Table::new(&[
        "strategy",
        "score",
        "EV",
        "RA",
        "SI",
        "VaR",
        "CVaR",
        "goals done",
        "resource used",
        "",
        "against balanced",
    ]);
    for row in &part.candidates {
        let tone = if row.selected { Tone::Good } else { Tone::Plain };
        table.row([
            Cell::text(&row.strategy).tone(tone),
            Cell::maybe(Some(row.score), 3),
            Cell::maybe(Some(row.ev), 3),
            Cell::maybe(Some(row.ra), 3),
            Cell::maybe(Some(row.si), 3),
            Cell::number(signed(row.var, 4)),
            Cell::number(signed(row.cvar, 4)),
            Cell::number(percent(row.goal_progress)),
            Cell::number(percent(row.resource_cost)),
            Cell::text(if row.selected { "chosen" } else { "" }).tone(tone),
            Cell::text(against_balanced(row, part)).tone(Tone::Dim),
        ]);
    }
    out += &table.render(style);
    let robust = part.robustness.map_or_else(|| "-".to_owned(), percent);
    out + &format!(
        "within 10 % of the best in {robust} of the scenarios; trajectories of each candidate in each: {}\n",
        part.trajectories
    )
}

/// What a learned strategy does otherwise than the balanced one.
fn against_balanced(row: &StrategyRow, part: &Strategies) -> String {
    let balanced = part.candidates.iter().find(|other| other.strategy == "balanced");
    let Some(balanced) = balanced.filter(|_| row.strategy == "learned") else {
        return String::new();
    };
    let others = row
        .settings
        .iter()
        .filter(|(knob, to)| balanced.settings.get(*knob) != Some(to));
    let each: Vec<String> = others
        .map(|(knob, to)| format!("{} {}", knob.replace('_', " "), decimals(*to)))
        .collect();
    each.join(", ")
}

fn allocation(part: &Allocation, style: Style) -> String {
    let mut table = Table::new(&["who", "share", ""]);
    let guard = ("guard".to_owned(), part.guard);
    let reserve = ("reserve".to_owned(), part.reserve);
    let goals = part
        .goals
        .iter()
        .map(|grant| (format!("goal {}", grant.goal), grant.share));
    for (who, share) in [guard].into_iter().chain(goals).chain([reserve]) {
        table.row([Cell::text(who), Cell::number(percent(share)), bar(share, 1.0)]);
    }
    table.render(style)
}

fn scenarios(part: &Scenarios, style: Style) -> String {
    let mut table = Table::new(&["scenario", "probability", "spread", "consumption", ""]);
    for row in &part.scenarios {
        table.row([
            Cell::text(&row.scenario),
            Cell::maybe(Some(row.probability), 3),
            Cell::number(format!("x {:.1}", row.spread)),
            Cell::number(format!("x {:.1}", row.consumption)),
            bar(row.probability, 1.0),
        ]);
    }
    let (eu, res) = (number(part.eu, 3), number(part.res, 3));
    table.render(style)
        + &format!(
            "EU {eu} (target < 0.15), RES {res} (< 0.40), runway {} cycles\n",
            number(part.rdf, 0)
        )
}

fn votes(part: &Votes, style: Style) -> String {
    // Three ballots at most, and a table's heading is fixed.
    const HEADINGS: [&str; 3] = ["aggressive course", "conservative course", "recomposition"];
    let on: Vec<&str> = part.ballots.iter().map(|ballot| &*ballot.on).collect();
    let headings = HEADINGS.into_iter().filter(|heading| on.contains(heading));
    let heading: Vec<&'static str> = ["frame", "weight"].into_iter().chain(headings).collect();
    let mut table = Table::new(&heading);
    for frame in &part.frames {
        let votes = frame.votes.iter().map(|vote| {
            let tone = if *vote > 0.0 { Tone::Good } else { Tone::Plain };
            Cell::number(signed(*vote, 2)).tone(tone)
        });
        let first = [Cell::text(&frame.frame), Cell::maybe(Some(frame.weight), 3)];
        table.row(first.into_iter().chain(votes));
    }
    let mut out = format!("cycle {}: the frames are for the {} course\n", part.cycle, part.posture);
    out += &table.render(style);
    if part.ballots.is_empty() {
        out += "nothing was voted on yet\n";
    }
    for ballot in &part.ballots {
        let (verdict, tone) = match (ballot.passed, ballot.vetoed) {
            (true, _) => ("agreed", Tone::Good),
            (false, true) => ("vetoed by the ethical frame", Tone::Bad),
            (false, false) => ("not agreed", Tone::Plain),
        };
        let line = format!(
            "{}: {verdict}, {} for it of {} needed, variance {:.3}: {}",
            ballot.on, ballot.yes, ballot.needed, ballot.variance, ballot.resolution
        );
        writeln!(out, "{}", paint(&line, tone, style.colour)).expect("a string takes all writes");
    }
    out
}

fn projection(part: &Projection, style: Style) -> String {
    let open = if part.aggressive_open { "open" } else { "closed" };
    let mut out = format!("on the {} course; the aggressive one is {open}\n", part.posture);
    if part.courses.is_empty() {
        return out + &courses_in_short(part) + "\n";
    }
    let mut table = Table::new(&[
        "course",
        "cycles ahead",
        "score",
        "SEOF",
        "max C_L4",
        "min IIS",
        "CDI",
        "trust",
        "from cycle",
        "",
    ]);
    for row in &part.courses {
        table.row([
            Cell::text(&row.course),
            Cell::number(row.horizon_cycles),
            Cell::maybe(Some(row.score), 3),
            Cell::number(signed(row.seof_trend, 3)),
            Cell::maybe(Some(row.max_c_l4), 3),
            Cell::maybe(Some(row.min_iis), 3),
            Cell::maybe(Some(row.final_cdi), 3),
            Cell::maybe(Some(row.confidence), 2),
            Cell::number(row.at_cycle),
            Cell::text(if row.alarm { "alarm" } else { "" }).tone(Tone::Bad),
        ]);
    }
    out += &table.render(style);
    out
}

fn values(part: &Values, style: Style) -> String {
    let mut table = Table::new(&["value", "weight", "baseline", "drift", "per 100 cycles", ""]);
    for row in &part.dimensions {
        table.row([
            Cell::text(row.dimension.replace('_', " ")),
            Cell::maybe(Some(row.weight), 3),
            Cell::maybe(Some(row.baseline), 3).tone(Tone::Dim),
            Cell::maybe(Some(row.drift), 3),
            Cell::number(signed(100.0 * row.velocity, 3)),
            if row.sustained {
                Cell::text("moves too fast").tone(Tone::Warn)
            } else {
                bar(row.weight, 0.5)
            },
        ]);
    }
    let tone = match part.band.as_str() {
        "nominal" => Tone::Good,
        "moderate" => Tone::Warn,
        _ => Tone::Bad,
    };
    let drift = format!(
        "total drift {:.3}: {} (mutations stop at 0.25)",
        part.total_drift, part.band
    );
    let mut out = table.render(style) + &paint(&drift, tone, style.colour);
    let tone = if part.coherence < 0.80 { Tone::Bad } else { Tone::Good };
    let coherence = format!("coherence {:.3} (target >= 0.80)", part.coherence);
    write!(out, "\n{}\n", paint(&coherence, tone, style.colour)).expect("a string takes all writes");
    out + &format!(
        "mutations: {} in the sandbox, {} applied, {} taken back\n",
        part.pending, part.applied, part.rolled_back
    )
}

fn resources(part: &Resources, style: Style) -> String {
    let binding = if part.binding { "binding" } else { "advice only" };
    let tone = match part.mode.as_str() {
        "abundant" | "adequate" => Tone::Good,
        "critical" => Tone::Bad,
        _ => Tone::Warn,
    };
    let first = format!("mode {} ({binding}); the state now is {}", part.mode, part.state);
    let mut out = paint(&first, tone, style.colour) + "\n";
    let mut table = Table::new(&["cycles left of", "baseline", "adverse", "optimistic", "crisis", ""]);
    for row in &part.resources {
        let note = if part.bottleneck.as_ref() == Some(&row.resource) {
            Cell::text("runs out first").tone(Tone::Warn)
        } else if row.baseline.is_none() {
            Cell::text("not measured").tone(Tone::Dim)
        } else if row.counts {
            Cell::text("")
        } else {
            Cell::text("does not count for survival").tone(Tone::Dim)
        };
        let left = |found: Option<f64>| Cell::number(found.map_or_else(|| "-".to_owned(), cycles));
        table.row([
            Cell::text(&row.resource),
            left(row.baseline),
            left(row.adverse),
            left(row.optimistic),
            left(row.crisis),
            note,
        ]);
    }
    out += &table.render(style);
    out + &format!(
        "restrictions so far {}, exhaustions not foreseen {}, forecast error {}\n",
        part.adaptations,
        part.surprises,
        number(part.forecast_error, 3)
    )
}

fn trust(part: &TrustTable, style: Style) -> String {
    if part.peers.is_empty() {
        return "no other agent is modelled\n".to_owned();
    }
    let mut table = Table::new(&[
        "agent",
        "trust",
        "level",
        "seems",
        "treated as",
        "wants",
        "reliability",
        "keeps promises",
        "deal",
    ]);
    for row in &part.peers {
        let tone = match row.level.as_str() {
            "high" => Tone::Good,
            "minimal" => Tone::Bad,
            _ => Tone::Plain,
        };
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        table.row([
            Cell::text(&row.agent),
            Cell::maybe(Some(row.trust), 2),
            Cell::text(&row.level).tone(tone),
            Cell::text(&row.class),
            Cell::text(&row.treated_as),
            Cell::text(or_none(&row.wants).replace('_', " ")),
            Cell::maybe(row.reliability, 2),
            Cell::number(percent(row.capability)),
            Cell::text(or_none(&row.deal)),
        ]);
    }
    let (accuracy, error) = (number(part.accuracy, 2), number(part.calibration_error, 2));
    table.render(style)
        + &format!(
            "goals predicted {accuracy} (target >= 0.60), |trust - reliability| {error} (< 0.15), {} recommendations\n",
            part.recommended
        )
}

fn score(part: &AutonomyScore, style: Style) -> String {
    let tone = match part.ass {
        ass if ass >= 0.20 => Tone::Good,
        ass if ass >= 0.05 => Tone::Warn,
        _ => Tone::Bad,
    };
    let first = format!("ASS {:.3} at cycle {} ({})", part.ass, part.cycle, part.status);
    let mut out = paint(&first, tone, style.colour) + "\n";
    let mut table = Table::new(&["condition", "found", "fails at", "comfort", "ratio", ""]);
    for row in &part.conditions {
        let tone = if row.holds { Tone::Plain } else { Tone::Bad };
        table.row([
            Cell::text(row.condition.replace('_', " ")),
            Cell::number(found(row)).tone(tone),
            Cell::number(format!("{:.2}", row.limit)).tone(Tone::Dim),
            Cell::number(format!("{:.2}", row.comfort)).tone(Tone::Dim),
            Cell::maybe(row.ratio, 3),
            if row.holds {
                bar(row.ratio.unwrap_or(0.0), 1.0)
            } else {
                Cell::text("fails").tone(Tone::Bad)
            },
        ]);
    }
    out += &table.render(style);
    out += "below 0.20 it advises, below 0.05 it freezes\n";
    if let Some(rate) = part.veto_rate.map(percent) {
        writeln!(out, "vetoed {rate} of the last decisions (target < 15 %)").expect("a string takes all writes");
    }
    if !part.persistent.is_empty() {
        let line = format!("vetoes again and again: {}", part.persistent.join(", "));
        writeln!(out, "{}", paint(&line, Tone::Warn, style.colour)).expect("a string takes all writes");
    }
    out
}

/// Beyond the comfort point a margin is not told.
fn found(row: &ConditionRow) -> String {
    match row.found {
        Some(found) => format!("{found:.3}"),
        None if row.ratio.is_none() => "holds".to_owned(),
        None if !row.holds => "not a number".to_owned(),
        None if row.comfort > row.limit => format!(">= {:.2}", row.comfort),
        None => format!("<= {:.2}", row.comfort),
    }
}

#[cfg(test)]
mod tests;
