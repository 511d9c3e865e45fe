//! What another agent claimed and promised, until it is checked against the agent's own observation.

use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};

/// Most claims and promises of one agent that are open.
pub const MAX_OPEN: usize = 8;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PledgeKind {
    /// A fact, checkable until it is due. Unchecked, it says nothing.
    Claim,
    /// Something to be delivered until it is due. Not delivered, it is broken.
    Promise,
}

/// A claim or a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pledge {
    /// What was said.
    pub kind: PledgeKind,
    /// Which, among those of the agent that said it.
    pub id: u64,
    /// The last cycle in which it can be checked or delivered.
    pub due: u64,
}

/// The open claims and promises of one agent, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Pledge>")]
pub struct Ledger(Vec<Pledge>);

impl TryFrom<Vec<Pledge>> for Ledger {
    type Error = Refused;

    fn try_from(open: Vec<Pledge>) -> Result<Self, Refused> {
        let twice = |at: usize| {
            open[at + 1..]
                .iter()
                .any(|other| same(other, open[at].kind, open[at].id))
        };
        if open.len() <= MAX_OPEN && !(0..open.len()).any(twice) {
            Ok(Self(open))
        } else {
            Err(Refused("the open claims and promises of an agent"))
        }
    }
}

fn same(pledge: &Pledge, kind: PledgeKind, id: u64) -> bool {
    pledge.kind == kind && pledge.id == id
}

impl Ledger {
    /// What is open.
    pub fn open(&self) -> &[Pledge] {
        &self.0
    }

    /// Takes in what was said, and gives back what has to make room for it: a claim before a promise, and of those the
    /// one due first. What is open already stays as it was: nobody moves his own deadline.
    pub fn take(&mut self, pledge: Pledge) -> Option<Pledge> {
        if self.0.iter().any(|open| same(open, pledge.kind, pledge.id)) {
            return None;
        }
        self.0.push(pledge);
        if self.0.len() <= MAX_OPEN {
            return None;
        }
        let order = |open: &Pledge| (open.kind == PledgeKind::Promise, open.due);
        let first = (0..self.0.len()).min_by_key(|at| order(&self.0[*at]))?;
        Some(self.0.remove(first))
    }

    /// Closes what the agent checked itself. `None` if it was not open at `cycle`.
    pub fn close(&mut self, kind: PledgeKind, id: u64, cycle: u64) -> Option<Pledge> {
        let at = self
            .0
            .iter()
            .position(|open| same(open, kind, id) && cycle <= open.due)?;
        Some(self.0.remove(at))
    }

    /// Takes out what was due before `cycle`.
    pub fn overdue(&mut self, cycle: u64) -> Vec<Pledge> {
        let (late, open) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|open| open.due < cycle);
        self.0 = open;
        late
    }
}
