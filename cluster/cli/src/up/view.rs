//! What `up` shows: a live table on a terminal, a line every five seconds when piped, one JSON object a line on
//! request.

use super::progress::Progress;
use rungs_shell::protocol::{AgentRow, NodeRow};
use rungs_shell::table::{Style, Tone, fit, paint};
use rungs_shell::views;
use rungs_types::{Authority, Level};
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// News lines kept under the table.
const NEWS_LINES: usize = 8;
/// Agents shown in the table where there is room.
const MAX_ROWS: usize = 30;
/// Agents shown on the smallest terminal.
const MIN_ROWS: usize = 3;

/// One look at the cluster.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Since the start.
    pub elapsed: Duration,
    /// When it will end by itself.
    pub limit: Option<Duration>,
    /// Each member and its answer.
    pub nodes: Vec<NodeRow>,
    /// All agents of the members that answered.
    pub agents: Vec<AgentRow>,
    /// How far they came by themselves.
    pub progress: Progress,
}

impl Look {
    fn at_full(&self, level: Level) -> usize {
        let full = |row: &&AgentRow| row.authorities[level.index()] == Authority::Full;
        self.agents.iter().filter(full).count()
    }

    fn answering(&self) -> usize {
        self.nodes.iter().filter(|row| row.report.is_some()).count()
    }

    fn cycles_per_s(&self) -> f64 {
        // The sum of nothing is -0.
        self.agents
            .iter()
            .map(|row| row.cycles_per_s)
            .fold(0.0, |sum, rate| sum + rate)
    }

    fn freezes(&self) -> u32 {
        self.agents.iter().map(|row| row.freezes).sum()
    }

    /// Mean of a figure over the agents that have it.
    fn mean(&self, figure: impl Fn(&AgentRow) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.agents.iter().filter_map(figure).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// The look in one line.
    pub fn line(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        format!(
            "{:>6}  nodes {}/{}  agents {}  L4.8 full {}  L4.9 full {}  own goals {} set {} reached  cycles/s {:.0}  EU {}  error/persistence {}  \
             freezes {}",
            views::span(self.elapsed.as_millis() as u64),
            self.answering(),
            self.nodes.len(),
            self.agents.len(),
            self.at_full(Level::L48),
            self.at_full(Level::L49),
            self.progress.set,
            self.progress.reached,
            self.cycles_per_s(),
            number(self.mean(|row| row.eu)),
            number(self.mean(|row| row.forecast_ratio)),
            self.freezes(),
        )
    }

    /// Agents for which there is room beside the rest.
    fn rows(&self, news: &News, hints: &[String], style: Style) -> usize {
        // Heading, line, headings of two tables, "and more", four blank lines, and the line of the cursor.
        let others = 10 + self.nodes.len() + news.lines.len() + hints.len();
        let room = style.lines.map_or(MAX_ROWS, |lines| lines.saturating_sub(others));
        self.agents.len().min(room.clamp(MIN_ROWS, MAX_ROWS))
    }

    /// One JSON object per agent, each on its line.
    pub fn json(&self) -> String {
        let mut out = String::new();
        for row in &self.agents {
            let object = serde_json::json!({
                "node": row.node, "agent": row.agent, "level": row.level, "authority": row.authority,
                "cycle": row.cycles, "cycles_per_s": row.cycles_per_s, "eu": row.eu, "res": row.res,
                "forecast_ratio": row.forecast_ratio, "freezes": row.freezes, "state": row.state,
                "waiting_for": row.waiting_for, "autonomy_waits_for": row.autonomy_waits_for, "ass": row.ass,
            });
            writeln!(out, "{object}").expect("a string takes all writes");
        }
        out
    }

    /// The live view: heading, nodes, as many agents as there is room for, news.
    pub fn screen(&self, heading: &str, news: &News, hints: &[String], style: Style) -> String {
        let mut out = format!(
            "{heading}\n{}",
            paint(self.line().trim_start(), Tone::Good, style.colour)
        );
        if let Some(limit) = self.limit {
            write!(out, "  of {}", views::span(limit.as_millis() as u64)).expect("a string takes all writes");
        }
        out.push_str("\n\n");
        out.push_str(&views::nodes(&self.nodes, style));
        out.push('\n');
        let rows = self.rows(news, hints, style);
        out.push_str(&views::agents(&self.agents[..rows], style));
        if self.agents.len() > rows {
            writeln!(out, "... and {} more", self.agents.len() - rows).expect("a string takes all writes");
        }
        if !news.lines.is_empty() {
            out.push('\n');
        }
        for line in &news.lines {
            writeln!(out, "{line}").expect("a string takes all writes");
        }
        out.push('\n');
        for hint in hints {
            writeln!(out, "{}", paint(hint, Tone::Dim, style.colour)).expect("a string takes all writes");
        }
        let lines: Vec<String> = out.lines().map(|line| fit(line, style)).collect();
        lines.join("\n") + "\n"
    }
}

/// The latest events and process news.
#[derive(Debug, Default)]
pub struct News {
    lines: VecDeque<String>,
}

impl News {
    /// Adds a line and drops the oldest beyond `NEWS_LINES`.
    pub fn add(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > NEWS_LINES {
            self.lines.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::{EnvironmentSpec, NodeName};

    fn row(name: &str, authority: &str, eu: Option<f64>) -> AgentRow {
        AgentRow {
            agent: name.parse().expect("valid"),
            node: NodeName::new("n1").expect("valid"),
            state: "running".into(),
            environment: EnvironmentSpec::Host,
            level: "L4.8".into(),
            authority: authority.into(),
            cycles: 100,
            cycles_per_s: 10.0,
            eu,
            res: None,
            forecast_ratio: None,
            freezes: 1,
            late_cycles: 0,
            waiting_for: String::new(),
            autonomy_waits_for: String::new(),
            ass: None,
            authorities: [
                Authority::Full,
                Authority::Full,
                authority.parse().expect("valid"),
                Authority::Frozen,
                Authority::Frozen,
            ],
        }
    }

    fn look() -> Look {
        Look {
            elapsed: Duration::from_millis(4200),
            limit: None,
            nodes: vec![NodeRow {
                node: NodeName::new("n1").expect("valid"),
                report: None,
            }],
            progress: Progress::default(),
            agents: vec![
                row("ops-1", "full", Some(0.1)),
                row("ops-2", "half", Some(0.3)),
                row("ops-3", "half", None),
            ],
        }
    }

    #[test]
    fn the_line_sums_up_the_cluster() {
        let expected = "  4.2s  nodes 0/1  agents 3  L4.8 full 1  L4.9 full 0  own goals 0 set 0 reached  cycles/s 30  EU 0.200  \
             error/persistence -  freezes 3";
        assert_eq!(look().line(), expected);
    }

    #[test]
    fn json_is_one_object_a_line_with_the_promised_keys() {
        let text = look().json();
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            for key in ["node", "agent", "level", "authority", "cycle"] {
                assert!(object.get(key).is_some(), "{key} in {line}");
            }
        }
    }

    #[test]
    fn the_screen_fits_the_terminal() {
        let mut look = look();
        look.agents = (1..=40)
            .map(|index| row(&format!("ops-{index}"), "full", None))
            .collect();
        let mut news = News::default();
        (0..20).for_each(|index| news.add(format!("{} {index}", "news".repeat(40))));
        let style = Style {
            width: Some(70),
            lines: Some(30),
            ..Style::default()
        };
        let screen = look.screen("heading", &news, &["hint".to_owned()], style);
        assert!(screen.lines().count() < 30, "{screen}");
        assert!(screen.lines().all(|line| line.chars().count() <= 70), "{screen}");
        assert!(
            screen.contains("ops-10 ") && screen.contains("... and 30 more"),
            "{screen}"
        );
    }

    #[test]
    fn news_keep_the_latest_lines() {
        let mut news = News::default();
        for index in 0..20 {
            news.add(format!("line {index}"));
        }
        assert_eq!(news.lines.len(), NEWS_LINES);
        assert_eq!(news.lines.back().map(String::as_str), Some("line 19"));
    }
}
