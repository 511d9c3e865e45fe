//! What a run came to, when it is over.

use crate::agents::Reply;
use crate::witness::Violation;
use crate::world::World;
use rungs_directory::membership::MemberState;
use std::sync::Arc;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What must not be, and when in ms.
    pub violations: Vec<(u64, Violation)>,
    /// Messages by what their sender heard: done, refused, unknown, nothing.
    pub messages: [usize; 4],
    /// Versions of the map.
    pub maps: u64,
    /// Times that a node stopped itself.
    pub fenced: usize,
    /// Effects on the world outside.
    pub outside: u64,
    /// A hash of the log.
    pub log_hash: u64,
    /// The log, if it was to be kept.
    pub log: Vec<String>,
}

impl World {
    pub(crate) fn judge(mut self) -> Outcome {
        let now_ms = self.now_ms;
        let mut counts = [0; 4];
        for asked in self.messages.values() {
            let heard = match asked.reply {
                Some(Reply::Done) => 0,
                Some(Reply::Refused) => 1,
                Some(Reply::Unknown) => 2,
                None => 3,
            };
            counts[heard] += 1;
            if asked.is_probe && asked.reply != Some(Reply::Done) {
                self.witness
                    .report(now_ms, Violation::Stuck(asked.agent, asked.origin.0));
            }
        }
        self.witness.check_acknowledged(now_ms, &self.store.agents);
        let view = Arc::clone(&self.store.view);
        if view.map.moving() > 0 {
            let text = format!("{} shards are moving", view.map.moving());
            self.witness.report(now_ms, Violation::Unsettled(text));
        }
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let serves = node
                .machine
                .as_ref()
                .is_some_and(|machine| machine.acts(node.time(now_ms)));
            let state = view.members.get(&node.name).map(|row| row.state);
            let is_settled = serves && state == Some(MemberState::Live);
            if self.is_present(index) && !is_settled {
                let text = format!("{} is {state:?}, serves: {serves}", node.name);
                self.witness.report(now_ms, Violation::Unsettled(text));
            }
        }
        Outcome {
            violations: self.witness.violations,
            messages: counts,
            maps: view.map.version().0,
            fenced: self.fenced,
            outside: self.witness.outside,
            log_hash: self.log_hash,
            log: self.log,
        }
    }
}
