//! Telling a level of phases what the ladder wants of it: each action once and in order, whether or not its supervisor
//! failed meanwhile. Part of the root.

use crate::phased::{LevelMessage, Obedience, Part, PartCell, Phased};
use crate::tree::Tree;
use rungs_mind::ladder::{Action, At};
use rungs_types::{Epoch, EventKind, Level};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

/// Actions that wait until the level's supervisor runs again.
const MAX_UNOBEYED: usize = 256;

/// See the module.
pub(crate) struct Relay<L: Phased> {
    part: Arc<PartCell<L>>,
    /// Actions that the part does not know of yet, oldest first.
    unobeyed: VecDeque<Obedience>,
    next: u64,
}

impl<L: Phased> Relay<L> {
    /// A relay to the level that publishes here.
    pub(crate) fn new(part: Arc<PartCell<L>>) -> Self {
        Self {
            part,
            unobeyed: VecDeque::new(),
            next: 1,
        }
    }

    /// Where the level stands, as it published it last.
    pub(crate) fn part(&self) -> Arc<Part<L>> {
        Arc::clone(&self.part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the level an action of the ladder, if it concerns it.
    pub(crate) fn tell(&mut self, tree: &Tree, action: &Action, at: At, epochs: &[Epoch; 5]) {
        if !concerns::<L>(action) {
            return;
        }
        let obeyed = self.part().obeyed;
        while self.unobeyed.front().is_some_and(|order| order.number <= obeyed) {
            self.unobeyed.pop_front();
        }
        let order = Obedience {
            number: self.next,
            at,
            epoch: epochs[L::LEVEL.index()],
            action: action.clone(),
        };
        self.next += 1;
        if self.unobeyed.len() == MAX_UNOBEYED {
            // A supervisor that far behind is stuck; what it is told at its restart begins with a freeze anyway.
            self.unobeyed.pop_front();
        }
        self.unobeyed.push_back(order.clone());
        if let Some(level) = L::link(tree).get() {
            level.signal(LevelMessage::Obey(order));
        }
    }

    /// The level's supervisor runs again: it is told what its part does not know.
    pub(crate) fn repeat(&self, tree: &Tree) {
        if let Some(level) = L::link(tree).get() {
            for order in &self.unobeyed {
                level.signal(LevelMessage::Obey(order.clone()));
            }
        }
    }

    /// Brings the level in line with a ladder that went on while the level's record was written: decisions that a dead
    /// tree did not carry out are not in it. False if the level stands lower than the ladder has it: it begins anew, and the
    /// authority was granted to the one before.
    pub(crate) fn align(&self, tree: &Tree) -> bool {
        let mut slot = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let mut part = Part::clone(&slot);
        let governor = &tree.shared.governor;
        let ladder = governor.ladder();
        part.epoch = ladder.epoch(L::LEVEL);
        let requests = L::align(&mut part.orchestrator, &ladder, tree.shared.cycle());
        governor.requests(L::LEVEL, part.epoch, requests, tree.at());
        let stands = L::authority(&part.orchestrator) >= ladder.authority(L::LEVEL);
        *slot = Arc::new(part);
        stands
    }
}

/// What the level's orchestrator obeys, and the restarts that its supervisor tells of.
fn concerns<L: Phased>(action: &Action) -> bool {
    match action {
        Action::FreezeFrom { level, .. } => *level <= L::LEVEL,
        Action::Suspend { level }
        | Action::Reenable { level }
        | Action::Place { level, .. }
        | Action::Revert { level, .. }
        | Action::SetAuthority { level, .. } => *level == L::LEVEL,
        // The mode of the resources is Level 4.9's own, and binds what is below it.
        Action::Constrain(_) => L::LEVEL < Level::L49,
        Action::Restart { role, .. } => L::PHASES.contains(&role.as_str()),
        Action::Emit(EventKind::Frozen { level, .. }) => *level <= L::LEVEL,
        _ => false,
    }
}
