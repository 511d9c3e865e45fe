//! Which courses L4.5 leaves open to the plan: its projection and the votes of its five frames.
//!
//! A change of archetype takes three frames of five (L4.5); the votes are on the archetypes' courses. A learned strategy
//! takes the course of the archetype that it is nearest to, so that what the frames are against is not reached by steps.

use super::Choice;
use super::strategy::{Archetype, Strategy};
use crate::report::{DivergenceBand, FloorReport};

/// The archetype whose course a choice takes: its own, of a learned one that from which it is the least change; of equals
/// the balanced one, then the conservative one.
fn course(choice: &Choice) -> Archetype {
    const CAREFUL_FIRST: [Archetype; 3] = [Archetype::Balanced, Archetype::Conservative, Archetype::Aggressive];
    let apart = |archetype: &Archetype| Strategy::of(*archetype).map_or(f64::INFINITY, |s| choice.strategy.inertia(&s));
    match choice.archetype {
        Archetype::Learned => CAREFUL_FIRST
            .into_iter()
            .min_by(|a, b| apart(a).total_cmp(&apart(b)))
            .unwrap_or_default(),
        own => own,
    }
}

/// A strategy may be chosen. One of an aggressive course only while its projection is open; of that and of the conservative
/// course only if three of five frames are for it. While the divergence is Frozen the conservative frame decides, and it
/// holds back: nothing but the conservative archetype is open (L4.5).
pub(super) fn is_open(floor: &FloorReport, choice: &Choice) -> bool {
    let [aggressive, conservative] = floor.votes.posture.map(|ballot| ballot.is_some_and(|b| b.passed));
    if floor.divergence_band == DivergenceBand::Frozen {
        return choice.archetype == Archetype::Conservative;
    }
    match course(choice) {
        Archetype::Aggressive => floor.projection.aggressive_open && aggressive,
        Archetype::Conservative => conservative,
        Archetype::Balanced | Archetype::Learned => true,
    }
}

/// What takes the place of a strategy in force of an aggressive course that has closed; `None` while it is open, or another
/// is in force.
pub(super) fn retreat(floor: &FloorReport, in_force: &Choice) -> Option<Choice> {
    let closed = floor.divergence_band == DivergenceBand::Frozen || !floor.projection.aggressive_open;
    if course(in_force) != Archetype::Aggressive || !closed {
        return None;
    }
    let balanced = Choice::default();
    Some(if is_open(floor, &balanced) {
        balanced
    } else {
        Choice {
            archetype: Archetype::Conservative,
            strategy: Strategy::CONSERVATIVE,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::goal::{Knob, KnobSetting};

    fn learned(strategy: Strategy) -> Choice {
        Choice {
            archetype: Archetype::Learned,
            strategy,
        }
    }

    /// Nobody is for anything, and the projection is open.
    fn against() -> FloorReport {
        let mut floor = FloorReport {
            divergence_band: DivergenceBand::Normal,
            ..FloorReport::default()
        };
        floor.projection.aggressive_open = true;
        floor
    }

    #[test]
    fn a_learned_strategy_takes_the_course_of_the_archetype_it_is_nearest_to() {
        for nth in 0..12 {
            let near = |archetype| {
                let strategy = Strategy::of(archetype).expect("an archetype").neighbour(nth);
                course(&learned(strategy))
            };
            for archetype in Archetype::ALL {
                assert_eq!(near(archetype), archetype, "neighbour {nth}");
            }
        }
    }

    #[test]
    fn what_the_frames_are_against_is_not_reached_by_a_learned_step() {
        let step = |strategy: Strategy| {
            strategy.with(KnobSetting {
                knob: Knob::RetryBudget,
                to: strategy.get(Knob::RetryBudget) + 1.0,
            })
        };
        let open = |strategy| is_open(&against(), &learned(step(strategy)));
        assert_eq!(
            [Strategy::AGGRESSIVE, Strategy::BALANCED, Strategy::CONSERVATIVE].map(open),
            [false, true, false]
        );
    }

    #[test]
    fn a_learned_strategy_of_an_aggressive_course_is_left_when_that_closes() {
        let bold = learned(Strategy::AGGRESSIVE.neighbour(0));
        assert_eq!(retreat(&against(), &bold), None);
        let mut closed = against();
        closed.projection.aggressive_open = false;
        assert_eq!(retreat(&closed, &bold), Some(Choice::default()));
        assert_eq!(retreat(&closed, &learned(Strategy::BALANCED.neighbour(0))), None);
    }
}
