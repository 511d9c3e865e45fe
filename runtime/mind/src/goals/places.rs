//! Who may be worked on: the caps of the tiers (MSCP Level 4.8, section 5.1).
//!
//! Over the cap the goal of lowest priority waits that no user has assigned; only if all are assigned, the lowest of
//! those does. Nothing is dropped.

use rungs_types::goal::Tier;

/// A goal that could be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its tier.
    pub tier: Tier,
    /// A user has assigned it.
    pub assigned: bool,
}

/// Who has a place and who waits for one: indices into the candidates, each in order of priority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// They are worked on.
    pub running: Vec<usize>,
    /// They wait.
    pub queued: Vec<usize>,
}

/// Gives places to `candidates`, which are in order of priority, the highest first.
pub fn give_places(candidates: &[Candidate]) -> Places {
    let mut has_place = vec![true; candidates.len()];
    for tier in Tier::ALL {
        let of_tier = || (0..candidates.len()).filter(move |index| candidates[*index].tier == tier);
        let mut over = of_tier().count().saturating_sub(tier.cap());
        // The lowest priority first: those set by the agent itself, then those of users.
        for assigned in [false, true] {
            for index in of_tier().rev().filter(|index| candidates[*index].assigned == assigned) {
                if over > 0 {
                    has_place[index] = false;
                    over -= 1;
                }
            }
        }
    }
    let (running, queued) = (0..candidates.len()).partition(|index| has_place[*index]);
    Places { running, queued }
}
