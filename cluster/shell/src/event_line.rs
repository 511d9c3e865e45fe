//! One line for each event, for `watch` and the log.

use crate::table::{Tone, clean, paint};
use rungs_types::goal::Origin;
use rungs_types::{Authority, Event, EventKind, Level};

/// The event as a line for a person: node, agent, cycle, what happened.
pub fn event_line(event: &Event, colour: bool) -> String {
    let (tone, text) = describe(&event.kind);
    let head = format!(
        "{:<8} {:<16} #{:<8} ",
        event.node.as_str(),
        event.agent.to_string(),
        event.cycle
    );
    format!("{head}{}", paint(&text, tone, colour))
}

fn describe(kind: &EventKind) -> (Tone, String) {
    match kind {
        EventKind::Status(status) => (Tone::Dim, status_text(status)),
        EventKind::Frozen {
            level,
            cause,
            checkpoint,
        } => (
            Tone::Bad,
            format!("{level} FROZEN, back to {checkpoint}: {}", long(&cause.to_string())),
        ),
        EventKind::Reverted { level, checkpoint } => (Tone::Warn, format!("{level} reverted to {checkpoint}")),
        EventKind::Withdrawn {
            level,
            checkpoint,
            count,
        } => (
            Tone::Warn,
            match count {
                0 => format!("{level} had given no advice since {checkpoint}"),
                _ => format!("{level} advice since {checkpoint} withdrawn: {count}"),
            },
        ),
        EventKind::Authority {
            level,
            from,
            to,
            reason,
        } => {
            let tone = if to > from { Tone::Good } else { Tone::Warn };
            (tone, format!("{level} authority {from} -> {to} ({})", clean(reason)))
        }
        EventKind::Verdict {
            level,
            violations,
            severity,
            response,
        } => {
            let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
            (
                Tone::Warn,
                format!(
                    "{level} verdict: {} ({}, severity {severity:.2})",
                    clean(response),
                    list.join(", ")
                ),
            )
        }
        other => describe_actor(other),
    }
}

/// What happened to an actor or to the agent as a whole, not to a level's authority.
fn describe_actor(kind: &EventKind) -> (Tone, String) {
    match kind {
        EventKind::Suspended { level, cause } => (
            Tone::Bad,
            format!(
                "{level} SUSPENDED until an operator thaws it: {}",
                long(&cause.to_string())
            ),
        ),
        EventKind::IdentityReset { who } => (
            Tone::Warn,
            format!("identity is measured anew, by order of {}", clean(who)),
        ),
        EventKind::Restarted {
            role,
            generation,
            cause,
        } => (
            Tone::Warn,
            format!("{role} restarted (start {generation}): {}", long(&cause.to_string())),
        ),
        EventKind::Parked { cause } => (
            Tone::Bad,
            format!("PARKED until an operator starts it: {}", long(&cause.to_string())),
        ),
        EventKind::Incident { raised, summary } => {
            let (tone, verb) = if *raised {
                (Tone::Bad, "raised")
            } else {
                (Tone::Good, "cleared")
            };
            (tone, format!("incident {verb}: {}", long(summary)))
        }
        EventKind::Goal { goal, origin, state } => {
            let tone = match state.as_str() {
                "set" => Tone::Plain,
                "succeeded" => Tone::Good,
                _ => Tone::Warn,
            };
            (tone, format!("goal {goal} ({}) {}", whose(*origin), long(state)))
        }
        EventKind::Mode { mode, l48, l49 } => {
            let text = format!("resources {}: L4.8 may have {l48} authority, L4.9 {l49}", clean(mode));
            (
                if *l49 == Authority::Full {
                    Tone::Good
                } else {
                    Tone::Warn
                },
                text,
            )
        }
        EventKind::Warning { summary } => (Tone::Warn, format!("warning: {}", long(summary))),
        _ => (Tone::Dim, String::new()),
    }
}

fn whose(origin: Origin) -> &'static str {
    match origin {
        Origin::User => "of a user",
        Origin::L48 => "of L4.8",
        Origin::L49 => "of L4.9",
        Origin::L6 => "of L6",
    }
}

fn status_text(status: &rungs_types::AgentStatus) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"));
    let (level, authority) = highest(&status.authority);
    format!(
        "{level} {authority}, {} cycles, EU {}, RES {}, error/persistence {}",
        status.cycles,
        number(status.eu),
        number(status.res),
        number(status.forecast_ratio),
    )
}

/// The highest level that computes, and its authority.
pub fn highest(authority: &[Authority; 5]) -> (Level, Authority) {
    let running = Level::ALL
        .into_iter()
        .rev()
        .map(|level| (level, authority[level.index()]));
    running
        .into_iter()
        .find(|(_, authority)| *authority > Authority::Frozen)
        .unwrap_or((Level::L3, authority[0]))
}

/// A text of another node as one line of at most 200 characters.
fn long(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::{Cause, CheckpointId, NodeName, RolePath};

    #[test]
    fn a_freeze_names_level_cause_and_checkpoint() {
        let event = Event {
            seq: 3,
            node: NodeName::new("n1").expect("valid"),
            agent: "ops-1".parse().expect("valid"),
            cycle: 4210,
            kind: EventKind::Frozen {
                level: Level::L48,
                cause: Cause::Panic {
                    role: RolePath::new("l48/observe").expect("valid"),
                    message: "injected".into(),
                },
                checkpoint: CheckpointId(17),
            },
        };
        let line = event_line(&event, false);
        assert_eq!(
            line,
            "n1       ops-1            #4210     L4.8 FROZEN, back to c17: l48/observe panicked: injected"
        );
    }

    #[test]
    fn a_goal_says_whose_it_is_and_a_mode_what_may_still_be_done() {
        let set = EventKind::Goal {
            goal: "l49-3".parse().expect("valid"),
            origin: Origin::L49,
            state: "failed: its time was over".into(),
        };
        assert_eq!(
            describe(&set),
            (Tone::Warn, "goal l49-3 (of L4.9) failed: its time was over".into())
        );
        let mode = EventKind::Mode {
            mode: "warning".into(),
            l48: Authority::Half,
            l49: Authority::Advisory,
        };
        let expected = "resources warning: L4.8 may have half authority, L4.9 advisory";
        assert_eq!(describe(&mode), (Tone::Warn, expected.into()));
    }

    #[test]
    fn the_highest_level_that_computes_is_named() {
        use Authority::{Frozen, Full, Shadow};
        assert_eq!(highest(&[Full, Full, Shadow, Frozen, Frozen]), (Level::L48, Shadow));
        assert_eq!(highest(&[Full, Full, Frozen, Frozen, Frozen]), (Level::L45, Full));
        assert_eq!(highest(&[Full, Frozen, Frozen, Frozen, Frozen]), (Level::L3, Full));
    }
}
