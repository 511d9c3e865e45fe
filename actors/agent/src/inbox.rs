//! What other agents said and asked, until Level 4.9 reads it, and how often each may speak and ask.
//!
//! Whoever sends keeps to one message in 50 of its own cycles; this is what holds if it does not. Two agents do not count
//! alike, so a message may come [`EARLY_CYCLES`] before its time; the next one's time is not moved by that, so that it is
//! one in 50 cycles all the same. Questions are counted likewise, by themselves, also those that are refused.
//!
//! Invariants: at most [`MAX_MAIL`] messages wait, of which at most [`MAX_ASKED_CLAIMS`] were asked for, and at most
//! [`MAX_SENDERS`] senders are remembered; nobody pushes another's message out.

use rungs_host::Refusal;
use rungs_mind::l49::below::MAX_MAIL;
use rungs_mind::l49::peers::MESSAGE_CYCLES;
use rungs_types::{AgentId, ErrorCode, Mail, PeerMessage, SpecError};
use std::collections::BTreeMap;

/// How long before its time a message may come.
pub(crate) const EARLY_CYCLES: u64 = 10;
/// Most agents that may speak within 50 cycles, and that may ask.
const MAX_SENDERS: usize = 256;
/// Most claims of answers that wait at a time: four answers in full. Whoever is asked leaves room for whoever speaks.
const MAX_ASKED_CLAIMS: usize = 16;
/// A refusal is told to watchers at most once in so many cycles.
const TELL_CYCLES: u64 = 1_000;

/// Why a message is not taken in, or a question not answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Unheard {
    /// There is nobody to read it.
    #[error("{agent} has no Level 4.9 and hears no other agents")]
    Deaf {
        /// Whom it was for.
        agent: AgentId,
    },
    /// From the agent itself, or from another tenant.
    #[error("{agent} hears other agents of its tenant, not {from}")]
    Stranger {
        /// Whom it was for.
        agent: AgentId,
        /// Who says it.
        from: AgentId,
    },
    /// A number is out of its range.
    #[error("malformed: {0}")]
    Malformed(#[from] SpecError),
    /// Too soon after the sender's last one.
    #[error("{from} speaks too often: one message in {MESSAGE_CYCLES} cycles; the next in {cycles} cycles")]
    TooSoon {
        /// Who says it.
        from: AgentId,
        /// Until the next one is taken in.
        cycles: u64,
    },
    /// More than a pass reads.
    #[error("more than {MAX_MAIL} messages, or messages of {MAX_SENDERS} agents, wait to be read")]
    Full,
    /// Who asks is not trusted enough.
    #[error("{agent} answers agents of moderate trust and above, not {from}")]
    Distrusted {
        /// Who is asked.
        agent: AgentId,
        /// Who asks.
        from: AgentId,
    },
    /// What is asked about is not watched here.
    #[error("{agent} watches no group of that name; expected one of {groups}")]
    Unknown {
        /// Who is asked.
        agent: AgentId,
        /// What it watches.
        groups: String,
    },
    /// What is asked about has not been seen, or not for long.
    #[error("{agent} has not seen {about} lately")]
    Unseen {
        /// Who is asked.
        agent: AgentId,
        /// About what.
        about: String,
    },
}

impl From<Unheard> for Refusal {
    fn from(unheard: Unheard) -> Self {
        let code = match unheard {
            Unheard::Deaf { .. } | Unheard::Unseen { .. } => ErrorCode::Refused,
            Unheard::Stranger { .. } | Unheard::Distrusted { .. } => ErrorCode::Forbidden,
            Unheard::Malformed(_) => ErrorCode::Malformed,
            Unheard::TooSoon { .. } | Unheard::Full => ErrorCode::Overloaded,
            Unheard::Unknown { .. } => ErrorCode::NotFound,
        };
        Self::new(code, &unheard.to_string())
    }
}

/// When each of at most [`MAX_SENDERS`] agents may come next; what is due already is as good as not there.
#[derive(Debug, Default)]
struct Turns(BTreeMap<AgentId, u64>);

impl Turns {
    /// Whether `from` may come at `cycle`.
    fn check(&mut self, from: &AgentId, cycle: u64) -> Result<(), Unheard> {
        let first = self.due(from).saturating_sub(EARLY_CYCLES);
        if cycle < first {
            return Err(Unheard::TooSoon {
                from: from.clone(),
                cycles: first - cycle,
            });
        }
        if self.0.len() >= MAX_SENDERS && !self.0.contains_key(from) {
            self.0.retain(|_, due| *due > cycle);
        }
        let known = self.0.len() < MAX_SENDERS || self.0.contains_key(from);
        known.then_some(()).ok_or(Unheard::Full)
    }

    /// It has come.
    fn take(&mut self, from: &AgentId, cycle: u64) {
        let next = self.due(from).max(cycle).saturating_add(MESSAGE_CYCLES);
        self.0.insert(from.clone(), next);
    }

    fn due(&self, from: &AgentId) -> u64 {
        self.0.get(from).copied().unwrap_or(0)
    }
}

/// How many messages and questions there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages taken in.
    pub(crate) heard: u64,
    /// Messages and questions refused.
    pub(crate) refused: u64,
    /// Questions put to others that were answered.
    pub(crate) answered: u64,
    /// Questions put to others that were not answered.
    pub(crate) unanswered: u64,
}

/// What has come since Level 4.9 last read.
#[derive(Debug, Default)]
pub(crate) struct Come {
    /// What others said, unasked or asked.
    pub(crate) mail: Vec<Mail>,
    /// Who was asked and gave no answer.
    pub(crate) unanswered: Vec<AgentId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    come: Come,
    /// How many of what has come were asked for.
    asked_claims: usize,
    speakers: Turns,
    askers: Turns,
    told: Option<u64>,
    counts: Counts,
}

impl Inbox {
    /// Takes a message in at `cycle`, if it is sound and its sender may speak.
    pub(crate) fn take_in(&mut self, mail: Mail, cycle: u64) -> Result<(), Unheard> {
        mail.message.validate()?;
        self.speakers.check(&mail.from, cycle)?;
        if self.come.mail.len() >= MAX_MAIL {
            return Err(Unheard::Full);
        }
        self.speakers.take(&mail.from, cycle);
        self.come.mail.push(mail);
        self.counts.heard += 1;
        Ok(())
    }

    /// Whether `from` may ask at `cycle`; if so, it has.
    pub(crate) fn take_question(&mut self, from: &AgentId, cycle: u64) -> Result<(), Unheard> {
        self.askers.check(from, cycle)?;
        self.askers.take(from, cycle);
        Ok(())
    }

    /// An agent that was asked has answered: what it claims waits to be read like what it says unasked, up to
    /// [`MAX_ASKED_CLAIMS`] of all answers. What does not fit is lost; an unchecked claim says nothing.
    pub(crate) fn answered(&mut self, from: &AgentId, claims: Vec<PeerMessage>) {
        self.counts.answered += 1;
        let waiting = self.come.mail.len();
        let room = MAX_MAIL
            .saturating_sub(waiting)
            .min(MAX_ASKED_CLAIMS.saturating_sub(self.asked_claims));
        let mail = claims.into_iter().map(|message| Mail {
            from: from.clone(),
            message,
        });
        self.come.mail.extend(mail.take(room));
        self.asked_claims += self.come.mail.len() - waiting;
    }

    /// A question had no answer; `by` is who should have given one, if it was its doing.
    pub(crate) fn unanswered(&mut self, by: Option<AgentId>) {
        self.counts.unanswered += 1;
        let room = self.come.unanswered.len() < MAX_MAIL;
        self.come.unanswered.extend(by.filter(|_| room));
    }

    /// What has come since it was last asked.
    pub(crate) fn take(&mut self) -> Come {
        self.asked_claims = 0;
        std::mem::take(&mut self.come)
    }

    /// A message or a question was refused; whether watchers are to be told.
    pub(crate) fn refused(&mut self, cycle: u64) -> bool {
        self.counts.refused += 1;
        let due = self.told.is_none_or(|told| cycle >= told.saturating_add(TELL_CYCLES));
        if due {
            self.told = Some(cycle);
        }
        due
    }

    /// How many there were.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
