//! Questions to other agents, and of other agents: what the kernel asks, what it makes of an answer, and what it answers.
//!
//! A question is on its way beside the kernel, which waits for nothing; at most one at a time, and it is over soon after
//! [`ASK_DEADLINE`], whatever happens. An answer is a claim: of each dimension that both watch, the bound that is nearer to
//! what the agent sees itself goes to Level 4.9, which checks it against own observation, and trusts the other by that.
//! Nothing of an answer is taken for an observation, so that only tasks of goals ask.

use super::{Cycling, KernelActor, KernelMessage};
use crate::inbox::Unheard;
use crate::messages::Ask;
use crate::ports::{Asked, Question};
use rungs_host::{Handle, Refusal, Request, tasks};
use rungs_mind::l3::{Action, Outlook};
use rungs_mind::l49::peers::TrustLevel;
use rungs_types::goal::{Comparison, Condition, Quantity};
use rungs_types::peer::{Answer, MAX_TOLD, PeerMessage, Told};
use rungs_types::{ErrorCode, EventKind};
use std::time::Duration;

/// How long the kernel waits for an answer.
pub(super) const ASK_DEADLINE: Duration = Duration::from_secs(2);
/// For how long an answer can be checked, in cycles: two passes of Level 4.9.
const CHECKABLE_CYCLES: u32 = 100;
/// Bounds that are more than so many times as wide as the agent's own say nothing: they would hold whatever came.
const TOO_WIDE: f64 = 2.0;
/// What the numbers of claims begin with that were asked for, so that they are none of those that the other chose itself.
const ASKED_FOR: u64 = 1 << 63;

/// The question that is on its way.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Its group.
    about: Option<u16>,
    /// Questions so far.
    count: u64,
}

/// Tells the kernel how a question came out, also if that is only that nobody says so.
struct Waiting {
    kernel: Handle<KernelMessage>,
    told: bool,
}

impl Waiting {
    fn over(&mut self, asked: Asked) {
        self.told = true;
        self.kernel.signal(KernelMessage::Told(Box::new(asked)));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.told {
            let lost = Refusal::new(ErrorCode::TargetEnded, "the question was lost on its way");
            self.over(Asked {
                of: None,
                answer: Err(lost),
            });
        }
    }
}

impl Asking {
    /// Another question can be asked.
    pub(super) fn is_free(&self) -> bool {
        self.about.is_none()
    }
}

impl KernelActor {
    /// Asks another agent about a group. What comes of it comes as [`KernelMessage::Told`].
    pub(super) fn ask(&self, group: u16, state: &mut Cycling) {
        let names = &state.start.environment.describe().groups;
        let about = names.get(usize::from(group)).cloned();
        let whom = self.tree.whom_to_ask();
        let (Some(about), Some((whom, avoid)), None) = (about, whom, state.asking.about) else {
            state.start.goals.came_out(Action::AskPeer { group }, false);
            return;
        };
        let question = Question {
            from: self.tree.shared.agent().clone(),
            whom,
            avoid,
            about,
            number: state.asking.count,
            deadline: ASK_DEADLINE,
        };
        state.asking = Asking {
            about: Some(group),
            count: state.asking.count.wrapping_add(1),
        };
        let mut waiting = Waiting {
            kernel: state.handle.clone(),
            told: false,
        };
        let asked = self.tree.runtime.peers.ask(question);
        tasks::spawn("question to a peer", async move { waiting.over(asked.await) });
    }

    /// A question came out.
    pub(super) fn told(&self, asked: Asked, state: &mut Cycling) {
        let Some(group) = state.asking.about.take() else {
            return;
        };
        let Asked { of, answer } = asked;
        let answer = answer.and_then(|answer| match answer.validate() {
            Ok(()) => Ok(answer),
            Err(error) => Err(Refusal::new(ErrorCode::Malformed, &error.to_string())),
        });
        let done = match (of, answer) {
            (Some(of), Ok(answer)) => {
                let (known, claims) = checkable(&answer, state);
                self.tree.inbox().answered(&of, claims);
                known
            }
            (of, answer) => {
                let by = of.clone().filter(|_| answer.as_ref().err().is_none_or(is_its_doing));
                self.tree.inbox().unanswered(by);
                if let Err(refusal) = answer {
                    self.warn_of(&refusal, of.map(|of| of.to_string()), state.start.cycle);
                }
                false
            }
        };
        state.start.goals.came_out(Action::AskPeer { group }, done);
    }

    fn warn_of(&self, refusal: &Refusal, of: Option<String>, cycle: u64) {
        let of = of.map_or_else(String::new, |of| format!(" by {of}"));
        let summary = tasks::shorten(&format!("a question was not answered{of}: {refusal}"));
        self.tree.shared.log.emit(cycle, EventKind::Warning { summary });
    }

    /// Another agent asks.
    pub(super) fn asked(&self, request: Request<Ask>, state: &Cycling) {
        let answer = self.answer_to(&request.message, state);
        if let Err(unheard) = &answer {
            self.tree.refuses("asked", unheard, state.start.cycle);
        }
        request.reply.send(answer.map_err(Refusal::from));
    }

    fn answer_to(&self, ask: &Ask, state: &Cycling) -> Result<Answer, Unheard> {
        let Ask { from, about } = ask;
        self.tree.hears(from)?;
        // A refusal is an answer too: it costs a turn like one.
        self.tree.inbox().take_question(from, state.start.cycle)?;
        let agent = self.tree.shared.agent();
        if self
            .tree
            .trust_in(from)
            .is_some_and(|trust| trust < TrustLevel::Moderate)
        {
            return Err(Unheard::Distrusted {
                agent: agent.clone(),
                from: from.clone(),
            });
        }
        let environment = state.start.environment.describe();
        let group = environment.groups.iter().position(|group| group == about);
        let group = group.ok_or_else(|| Unheard::Unknown {
            agent: agent.clone(),
            groups: environment.groups.join(", "),
        })?;
        let members = environment.dimensions.iter().enumerate();
        let members = members.filter(|(_, dimension)| usize::from(dimension.group) == group);
        let told = members.filter_map(|(index, dimension)| {
            let outlook = state.start.kernel.outlook(index, state.start.cycle)?;
            Some(Told {
                name: dimension.name.clone(),
                value: outlook.value,
                lowest: outlook.lowest,
                highest: outlook.highest,
            })
        });
        let dimensions: Vec<Told> = told.take(MAX_TOLD).collect();
        if dimensions.is_empty() {
            return Err(Unheard::Unseen {
                agent: agent.clone(),
                about: environment.groups[group].clone(),
            });
        }
        Ok(Answer {
            dimensions,
            within_cycles: CHECKABLE_CYCLES,
        })
    }
}

/// Whether an answer tells of anything that is watched here, and what of it can be checked.
fn checkable(answer: &Answer, state: &Cycling) -> (bool, Vec<PeerMessage>) {
    let (cycle, own) = (state.start.cycle, &state.start.environment.describe().dimensions);
    let index_of = |told: &Told| own.iter().position(|dimension| dimension.name == told.name);
    let known: Vec<(usize, &Told)> = answer
        .dimensions
        .iter()
        .filter_map(|told| Some((index_of(told)?, told)))
        .collect();
    let claims = known.iter().enumerate().filter_map(|(number, (index, told))| {
        let own = state.start.kernel.outlook(*index, cycle)?;
        let fact = nearer_bound(told, &own, u16::try_from(*index).ok()?)?;
        Some(PeerMessage::Claim {
            id: ASKED_FOR | (cycle.wrapping_mul(MAX_TOLD as u64).wrapping_add(number as u64) & !ASKED_FOR),
            fact,
            within_cycles: answer.within_cycles,
        })
    });
    (!known.is_empty(), claims.collect())
}

/// What is checked of an interval is one claim: of its two bounds the one that the own value is nearer to. Were it both,
/// whoever is far off would be right half of the time. `None` of one that is [`TOO_WIDE`].
fn nearer_bound(told: &Told, own: &Outlook, dimension: u16) -> Option<Condition> {
    if told.highest - told.lowest > TOO_WIDE * (own.highest - own.lowest) {
        return None;
    }
    let above = own.value - told.lowest > told.highest - own.value;
    let (is, value) = match above {
        true => (Comparison::AtMost, told.highest),
        false => (Comparison::AtLeast, told.lowest),
    };
    Some(Condition {
        of: Quantity::Dimension(dimension),
        is,
        value,
    })
}

/// That there is no answer tells something of who was asked: if it is silent, says what makes no sense, or ends over the
/// question. A refusal that gives its reason is honest, and the way there is not its doing.
fn is_its_doing(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        ErrorCode::DeadlineExceeded | ErrorCode::Malformed | ErrorCode::TargetEnded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_checked_at_the_bound_that_is_nearer_and_not_at_all_if_it_says_nothing() {
        let told = Told {
            name: "d0".to_owned(),
            value: 10.0,
            lowest: 8.0,
            highest: 12.0,
        };
        let own = |value: f64| Outlook {
            value,
            lowest: value - 1.0,
            highest: value + 1.0,
        };
        let at_least = |value| Condition {
            of: Quantity::Dimension(3),
            is: Comparison::AtLeast,
            value,
        };
        let at_most = |value| Condition {
            is: Comparison::AtMost,
            ..at_least(value)
        };
        let bound = |value| nearer_bound(&told, &own(value), 3);
        assert_eq!(bound(-500.0), Some(at_least(8.0)));
        assert_eq!(bound(9.0), Some(at_least(8.0)));
        assert_eq!(bound(11.0), Some(at_most(12.0)));
        assert_eq!(bound(500.0), Some(at_most(12.0)));
        // Four wide is twice the own two, and the most that says something.
        let wider = Told { lowest: 7.9, ..told };
        assert_eq!(nearer_bound(&wider, &own(9.0), 3), None);
    }

    #[test]
    fn silence_and_nonsense_are_blamed_and_neither_a_reason_nor_the_way_there() {
        let blamed = |code: &ErrorCode| is_its_doing(&Refusal::new(*code, ""));
        let its_doing = [
            ErrorCode::DeadlineExceeded,
            ErrorCode::Malformed,
            ErrorCode::TargetEnded,
        ];
        assert!(its_doing.iter().all(blamed));
        let unseen_or_deaf = ErrorCode::Refused;
        let distrusted = ErrorCode::Forbidden;
        let asked_too_often = ErrorCode::Overloaded;
        let not_its_doing = [
            unseen_or_deaf,
            distrusted,
            asked_too_often,
            ErrorCode::NotFound,
            ErrorCode::TooLarge,
            ErrorCode::NodeDown,
            ErrorCode::Incompatible,
            ErrorCode::Internal,
        ];
        assert!(!not_its_doing.iter().any(blamed));
    }
}
