//! Which courses L4.5 leaves open to the plan: its projection and the votes of its five frames.

use super::Choice;
use super::strategy::{Archetype, Strategy};
use crate::report::{DivergenceBand, FloorReport};

/// A strategy of this sort may be chosen. The aggressive one only while its projected course is open; it and the
/// conservative one only if three of five frames are for it. While the divergence is Frozen the conservative frame
/// decides, and it holds back: nothing else is open (L4.5).
pub(super) fn is_open(floor: &FloorReport, archetype: Archetype) -> bool {
    let [aggressive, conservative] = floor.votes.posture.map(|ballot| ballot.is_some_and(|b| b.passed));
    let frozen = floor.divergence_band == DivergenceBand::Frozen;
    match archetype {
        Archetype::Aggressive => !frozen && floor.projection.aggressive_open && aggressive,
        Archetype::Conservative => frozen || conservative,
        Archetype::Balanced | Archetype::Learned => !frozen,
    }
}

/// What takes the place of an aggressive strategy in force whose course has closed; `None` while it is open, or another is
/// in force.
pub(super) fn retreat(floor: &FloorReport, in_force: &Choice) -> Option<Choice> {
    let closed = floor.divergence_band == DivergenceBand::Frozen || !floor.projection.aggressive_open;
    if in_force.archetype != Archetype::Aggressive || !closed {
        return None;
    }
    Some(if is_open(floor, Archetype::Balanced) {
        Choice::default()
    } else {
        Choice {
            archetype: Archetype::Conservative,
            strategy: Strategy::CONSERVATIVE,
        }
    })
}
