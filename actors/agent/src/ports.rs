//! What an agent needs of whoever hosts it, as traits: so far, a way to other agents. The node implements it over the
//! directory; [`LocalPeers`] is for a program without a cluster.

use crate::kernel;
use crate::messages::{Ask, Say};
use crate::tree::role;
use futures::future::BoxFuture;
use rungs_host::{Context, Endpoints, Format, Payload, Refusal, groups};
pub use rungs_mind::l49::peers::Recipients;
use rungs_types::peer::{Answer, MAX_RECIPIENTS};
use rungs_types::{Address, AgentId, AgentName, ErrorCode, PeerMessage};
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// What an agent says, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Who says it.
    pub from: AgentId,
    /// To whom; a group is one of the sender's tenant.
    pub to: Recipients,
    /// What.
    pub message: PeerMessage,
}

impl Letter {
    /// It as it is delivered.
    pub fn payload(&self) -> Result<Payload, Refusal> {
        let say = Say {
            from: self.from.clone(),
            message: self.message.clone(),
        };
        Payload::of(&say, Format::Binary)
    }
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// This agent.
    Agent(AgentId),
    /// One of a group of the asker's tenant, another one each time.
    OneOf(AgentName),
}

/// What an agent asks one other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub from: AgentId,
    /// Whom.
    pub whom: Whom,
    /// Whom not, though it is in the group: whoever the asker has come to distrust.
    pub avoid: Vec<AgentId>,
    /// About which group of dimensions.
    pub about: String,
    /// How many questions it has asked before: whose turn it is in a group.
    pub number: u64,
    /// How long it waits for the answer.
    pub deadline: Duration,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Who was asked; nobody, if there was nobody.
    pub of: Option<AgentId>,
    /// The answer, or why there is none.
    pub answer: Result<Answer, Refusal>,
}

impl Question {
    /// It as it is delivered.
    pub fn payload(&self) -> Result<Payload, Refusal> {
        let ask = Ask {
            from: self.from.clone(),
            about: self.about.clone(),
        };
        Payload::of(&ask, Format::Binary)
    }

    /// Where an agent that is asked is reached.
    pub fn address(of: AgentId) -> Address {
        Address::Agent {
            agent: of,
            role: Some(role(kernel::ROLE)),
        }
    }

    /// Whose turn it is of the members of the group: of at most five, the same ones while the group stays the same.
    pub fn choose(&self, members: &BTreeSet<AgentId>) -> Option<AgentId> {
        let wanted: BTreeSet<AgentId> = members
            .iter()
            .filter(|one| !self.avoid.contains(one))
            .cloned()
            .collect();
        let mut others = groups::recipients(&wanted, Some(&self.from), MAX_RECIPIENTS);
        let turn = usize::try_from(self.number).unwrap_or(0).checked_rem(others.len())?;
        Some(others.swap_remove(turn))
    }

    /// There was no answer in time.
    pub fn late(&self) -> Refusal {
        let text = format!("no answer within {} ms", self.deadline.as_millis());
        Refusal::new(ErrorCode::DeadlineExceeded, &text)
    }

    /// Nobody is there to be asked.
    pub fn unasked(&self) -> Asked {
        let text = match &self.whom {
            Whom::Agent(agent) => format!("there is no agent {agent}"),
            Whom::OneOf(group) => format!("nobody else to ask is in group:{}", self.from.beside(group.clone())),
        };
        Asked {
            of: None,
            answer: Err(Refusal::new(ErrorCode::NotFound, &text)),
        }
    }
}

/// Carries what agents say to each other and ask each other.
pub trait Peers: Send + Sync + 'static {
    /// Sends; false if there was no room, and the letter is dropped. It never waits, and says nothing of whether a message
    /// arrived.
    fn send(&self, letter: Letter) -> bool;

    /// Asks one agent, and is over soon after the question's deadline, whatever happens.
    fn ask(&self, question: Question) -> BoxFuture<'static, Asked>;
}

/// The agents of this process, and no others.
#[derive(Debug, Clone)]
pub struct LocalPeers(Weak<Endpoints>);

impl LocalPeers {
    /// Carries to what is reachable here.
    pub fn new(endpoints: &Arc<Endpoints>) -> Self {
        Self(Arc::downgrade(endpoints))
    }
}

impl Peers for LocalPeers {
    fn send(&self, letter: Letter) -> bool {
        let (Some(endpoints), Ok(payload)) = (self.0.upgrade(), letter.payload()) else {
            return false;
        };
        let to = match letter.to {
            Recipients::Agents(agents) => agents,
            Recipients::Group(name) => {
                let members = endpoints.groups().members(&letter.from.beside(name), usize::MAX);
                groups::recipients(&members, Some(&letter.from), MAX_RECIPIENTS)
            }
        };
        let deliver = |agent: AgentId| {
            let endpoint = endpoints.get(&Address::from(agent))?;
            endpoint.deliver(payload.clone(), Context::default(), None).ok()
        };
        // All of them are tried, whoever has no room.
        to.into_iter().map(deliver).filter(Option::is_none).count() == 0
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Asked> {
        let endpoints = self.0.upgrade();
        Box::pin(async move {
            let members = |name: &AgentName| {
                let group = question.from.beside(name.clone());
                endpoints
                    .as_ref()
                    .map(|endpoints| endpoints.groups().members(&group, usize::MAX))
            };
            let of = match &question.whom {
                Whom::Agent(agent) => Some(agent.clone()),
                Whom::OneOf(name) => members(name).and_then(|members| question.choose(&members)),
            };
            let Some(of) = of else {
                return question.unasked();
            };
            let endpoint = endpoints.and_then(|endpoints| endpoints.get(&Question::address(of.clone())));
            let Some(endpoint) = endpoint else {
                return question.unasked();
            };
            let (reply, answer) = oneshot::channel();
            let delivered = question
                .payload()
                .and_then(|payload| endpoint.deliver(payload, Context::default(), Some(reply)));
            let answer = match delivered {
                Err(refusal) => Err(refusal),
                Ok(()) => match tokio::time::timeout(question.deadline, answer).await {
                    Ok(Ok(answer)) => answer.and_then(|payload| payload.decode()),
                    Ok(Err(_)) => Err(Refusal::new(ErrorCode::TargetEnded, "it ended before it answered")),
                    Err(_) => Err(question.late()),
                },
            };
            Asked { of: Some(of), answer }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_of_a_group_are_asked_in_turn_and_never_whom_the_asker_distrusts() {
        let id = |name: &str| -> AgentId { name.parse().expect("a name") };
        let members: BTreeSet<AgentId> = ["a", "b", "c", "d", "e", "f", "g"].map(id).into();
        let asked = |number, avoid: &[&str], members| {
            let question = Question {
                from: id("b"),
                whom: Whom::OneOf(id("web").name),
                avoid: avoid.iter().map(|name| id(name)).collect(),
                about: "cpu".to_owned(),
                number,
                deadline: Duration::from_secs(1),
            };
            question.choose(members)
        };
        let turns: Vec<_> = (0..6).map(|number| asked(number, &[], &members)).collect();
        let expected = ["c", "d", "e", "f", "g", "c"].map(|name| Some(id(name)));
        assert_eq!(turns, expected, "the five after the asker");
        assert_eq!(asked(0, &["c", "e"], &members), Some(id("d")));
        assert_eq!(asked(1, &["c", "e"], &members), Some(id("f")));
        let two: BTreeSet<AgentId> = ["a", "b"].map(id).into();
        assert_eq!(asked(0, &["a"], &two), None);
        assert_eq!(asked(u64::MAX, &[], &BTreeSet::new()), None);
    }
}
