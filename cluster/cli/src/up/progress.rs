//! How far the agents of an `up` came by themselves: counted from their events.

use rungs_shell::views::span;
use rungs_types::goal::Origin;
use rungs_types::{AgentId, Authority, Event, EventKind, Level};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// When each agent's L4.9 first had full authority.
    full: BTreeMap<AgentId, Duration>,
    /// Goals that agents have set themselves.
    pub set: u64,
    /// Of those, reached.
    pub reached: u64,
}

impl Progress {
    /// Takes in an event that came so long after the start.
    pub fn note(&mut self, event: &Event, after: Duration) {
        match &event.kind {
            EventKind::Authority {
                level: Level::L49,
                to: Authority::Full,
                ..
            } => {
                self.full.entry(event.agent.clone()).or_insert(after);
            }
            EventKind::Goal {
                origin: Origin::L49,
                state,
                ..
            } => match state.as_str() {
                "set" => self.set += 1,
                "succeeded" => self.reached += 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// In one line, of so many agents.
    pub fn summary(&self, agents: usize) -> String {
        let after = |time: Option<&Duration>| span(time.map_or(0, |time| time.as_millis() as u64));
        let times = match self.full.len() {
            0 => String::new(),
            1 => format!(" (after {})", after(self.full.values().min())),
            _ => format!(
                " (the first after {}, the last after {})",
                after(self.full.values().min()),
                after(self.full.values().max())
            ),
        };
        format!(
            "L4.9 came to full authority in {} of {agents} agents{times}; goals of their own: {} set, {} reached",
            self.full.len(),
            self.set,
            self.reached
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::NodeName;

    fn event(agent: &str, kind: EventKind) -> Event {
        Event {
            seq: 1,
            node: NodeName::new("n1").expect("valid"),
            agent: agent.parse().expect("valid"),
            cycle: 10,
            kind,
        }
    }

    fn full(level: Level) -> EventKind {
        EventKind::Authority {
            level,
            from: Authority::Half,
            to: Authority::Full,
            reason: "activation".into(),
        }
    }

    fn goal(origin: Origin, state: &str) -> EventKind {
        EventKind::Goal {
            goal: "g".parse().expect("valid"),
            origin,
            state: state.into(),
        }
    }

    #[test]
    fn the_first_time_at_full_counts_and_only_goals_of_their_own_do() {
        let mut progress = Progress::default();
        let none = "L4.9 came to full authority in 0 of 3 agents; goals of their own: 0 set, 0 reached";
        assert_eq!(progress.summary(3), none);
        let events = [
            ("ops-1", full(Level::L48), 10),
            ("ops-1", full(Level::L49), 40),
            ("ops-2", full(Level::L49), 45),
            ("ops-1", full(Level::L49), 50),
            ("ops-1", goal(Origin::L49, "set"), 50),
            ("ops-1", goal(Origin::User, "set"), 50),
            ("ops-1", goal(Origin::L49, "succeeded"), 55),
            ("ops-1", goal(Origin::L49, "withdrawn"), 55),
        ];
        for (agent, kind, after_s) in events {
            progress.note(&event(agent, kind), Duration::from_secs(after_s));
        }
        let some = "L4.9 came to full authority in 2 of 3 agents (the first after 40.0s, the last after 45.0s); goals \
                    of their own: 1 set, 1 reached";
        assert_eq!(progress.summary(3), some);
    }
}
