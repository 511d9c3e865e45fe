//! What other agents said, until Level 4.9 reads it, and how often each may speak.
//!
//! Whoever sends keeps to one message in 50 of its own cycles; this is what holds if it does not. Two agents do not count
//! alike, so a message may come [`EARLY_CYCLES`] before its time; the next one's time is not moved by that, so that it is
//! one in 50 cycles all the same.
//!
//! Invariants: at most [`MAX_MAIL`] messages wait and at most [`MAX_SENDERS`] senders are remembered; nobody pushes
//! another's message out.

use rungs_host::Refusal;
use rungs_mind::l49::below::MAX_MAIL;
use rungs_mind::l49::peers::MESSAGE_CYCLES;
use rungs_types::{AgentId, ErrorCode, Mail, SpecError};
use std::collections::BTreeMap;

/// How long before its time a message may come.
pub(crate) const EARLY_CYCLES: u64 = 10;
/// Most agents that may speak within 50 cycles.
const MAX_SENDERS: usize = 256;
/// A refusal is told to watchers at most once in so many cycles.
const TELL_CYCLES: u64 = 1_000;

/// Why a message is not taken in.
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
}

impl From<Unheard> for Refusal {
    fn from(unheard: Unheard) -> Self {
        let code = match unheard {
            Unheard::Deaf { .. } => ErrorCode::Refused,
            Unheard::Stranger { .. } => ErrorCode::Forbidden,
            Unheard::Malformed(_) => ErrorCode::Malformed,
            Unheard::TooSoon { .. } | Unheard::Full => ErrorCode::Overloaded,
        };
        Self::new(code, &unheard.to_string())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    mail: Vec<Mail>,
    /// When the next message of each sender is due; what is due already is as good as not there.
    due: BTreeMap<AgentId, u64>,
    told: Option<u64>,
    heard: u64,
    refused: u64,
}

impl Inbox {
    /// Takes a message in at `cycle`, if it is sound and its sender may speak.
    pub(crate) fn take_in(&mut self, mail: Mail, cycle: u64) -> Result<(), Unheard> {
        mail.message.validate()?;
        let due = self.due.get(&mail.from).copied().unwrap_or(0);
        let from = due.saturating_sub(EARLY_CYCLES);
        if cycle < from {
            return Err(Unheard::TooSoon {
                from: mail.from,
                cycles: from - cycle,
            });
        }
        if self.due.len() >= MAX_SENDERS && !self.due.contains_key(&mail.from) {
            self.due.retain(|_, due| *due > cycle);
        }
        let known = self.due.len() < MAX_SENDERS || self.due.contains_key(&mail.from);
        if !known || self.mail.len() >= MAX_MAIL {
            return Err(Unheard::Full);
        }
        let next = due.max(cycle).saturating_add(MESSAGE_CYCLES);
        self.due.insert(mail.from.clone(), next);
        self.mail.push(mail);
        self.heard += 1;
        Ok(())
    }

    /// What has come since it was last asked.
    pub(crate) fn take(&mut self) -> Vec<Mail> {
        std::mem::take(&mut self.mail)
    }

    /// A message was refused; whether watchers are to be told.
    pub(crate) fn refused(&mut self, cycle: u64) -> bool {
        self.refused += 1;
        let due = self.told.is_none_or(|told| cycle >= told.saturating_add(TELL_CYCLES));
        if due {
            self.told = Some(cycle);
        }
        due
    }

    /// How many messages were taken in and how many refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.heard, self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::PeerMessage;

    fn mail(from: &str) -> Mail {
        Mail {
            from: from.parse().expect("a name"),
            message: PeerMessage::Kept { id: 1 },
        }
    }

    #[test]
    fn each_sender_is_heard_once_in_fifty_cycles_and_coming_early_wins_nothing() {
        let mut inbox = Inbox::default();
        let heard = |inbox: &mut Inbox, from: &str, cycle| inbox.take_in(mail(from), cycle).is_ok();
        assert!(heard(&mut inbox, "a", 100) && heard(&mut inbox, "b", 101));
        let too_soon = inbox.take_in(mail("a"), 139).expect_err("too soon");
        assert_eq!(
            too_soon.to_string(),
            "a speaks too often: one message in 50 cycles; the next in 1 cycles"
        );
        assert_eq!(inbox.take().len(), 2);
        // As often as it can for 5,000 cycles: the early ones do not add up.
        let spoken = (140..5_140).filter(|cycle| heard(&mut inbox, "a", *cycle) && inbox.take().len() == 1);
        assert_eq!(spoken.count(), 100);
    }

    #[test]
    fn what_is_malformed_costs_its_sender_nothing_and_what_does_not_fit_is_refused() {
        let mut inbox = Inbox::default();
        let bad = Mail {
            message: PeerMessage::Bid {
                offer: 1,
                confidence: 2.0,
            },
            ..mail("a")
        };
        assert!(matches!(inbox.take_in(bad, 1), Err(Unheard::Malformed(_))));
        for index in 0..MAX_MAIL {
            assert_eq!(inbox.take_in(mail(&format!("a-{index}")), 1), Ok(()));
        }
        assert_eq!(inbox.take_in(mail("a"), 1), Err(Unheard::Full));
        assert_eq!(inbox.take().len(), MAX_MAIL);
        assert_eq!(inbox.take_in(mail("a"), 1), Ok(()));
    }

    #[test]
    fn no_more_senders_are_remembered_than_the_limit_and_only_for_as_long_as_it_matters() {
        let mut inbox = Inbox::default();
        for index in 0..MAX_SENDERS {
            inbox.take_in(mail(&format!("a-{index}")), 1).expect("room");
            inbox.take();
        }
        assert_eq!(inbox.take_in(mail("one-more"), 50), Err(Unheard::Full));
        assert_eq!(inbox.take_in(mail("one-more"), 51), Ok(()));
        assert_eq!(inbox.due.len(), 1);
        let told = (0..3_000).filter(|cycle| inbox.refused(*cycle));
        assert_eq!(told.count(), 3);
        assert_eq!(inbox.counts(), (MAX_SENDERS as u64 + 1, 3_000));
    }
}
