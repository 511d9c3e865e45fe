//! The processing graph from a group's sensors to its forecast, and how it can be recomposed (L4.5).
//!
//! ```text
//! sensor group → filter → forecaster(s) → join → corrector → what the kernel expects → detectors
//! ```
//!
//! All four forecasters of a dimension always run (two of them behind a filter of their own); the [`Route`] of its group
//! says whose output is used, and how. So nothing is ever deleted: a recomposition is another route, and the old one can
//! be taken again at any cycle. While a recomposition is tried, both routes are computed and the [`TrialStage`] says
//! in which share of the cycles the new one is used.
//!
//! Invariants: 1. One trial at a time, on one group. 2. A trial changes nothing but which forecast is used: ethical kernel,
//! guard and identity are no nodes of this graph, and no operation can name them. 3. A trial number is used once.

mod trial;

pub(super) use trial::Trial;
pub use trial::{TrialOrder, TrialReport, TrialStage};

use super::action::Forecaster;
use serde::{Deserialize, Serialize};

/// Parts that the cycles of a stage are counted in.
pub(super) const TENTHS: u32 = 10;
/// What a cycle adds to the place in a stage: the golden ratio of 2^32. Its multiples are spread evenly, also those of
/// every tenth cycle: a slow sensor sees the same share as a fast one.
const STEP: u32 = 0x9E37_79B9;

/// A way to recompose the graph of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The filter is left out: the forecaster reads what was measured.
    Bypass,
    /// A second forecaster runs beside the first, and the mean of both is used.
    Parallelize,
    /// What runs side by side becomes one forecaster again: the better one.
    Merge,
    /// Each dimension of the group gets the forecaster that suits it best.
    Split,
    /// The group is forecast by another one.
    Reroute,
    /// A corrector is put behind the forecaster: it takes out its mean error.
    Introduce,
}

/// How much an operation can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// A node is passed by.
    Low,
    /// Nodes that are there are used together or apart.
    Medium,
    /// The output comes from elsewhere.
    High,
}

impl Operation {
    /// All operations, the least risky first.
    pub const ALL: [Operation; 6] = [
        Operation::Bypass,
        Operation::Parallelize,
        Operation::Merge,
        Operation::Split,
        Operation::Reroute,
        Operation::Introduce,
    ];

    /// The operation's place in [`Operation::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// How much it can change (L4.5).
    pub fn risk(self) -> Risk {
        match self {
            Operation::Bypass => Risk::Low,
            Operation::Parallelize | Operation::Merge | Operation::Split => Risk::Medium,
            Operation::Reroute | Operation::Introduce => Risk::High,
        }
    }
}

/// Who forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voices {
    /// One forecaster for the group.
    One(Forecaster),
    /// The mean of two.
    Both(Forecaster, Forecaster),
    /// For each dimension the one with the smallest error.
    Each,
}

/// From a group's sensors to its forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Who forecasts.
    pub voices: Voices,
    /// Filters are in use.
    pub filtered: bool,
    /// The mean error is taken out.
    pub corrected: bool,
}

impl Default for Route {
    fn default() -> Self {
        Forecaster::default().into()
    }
}

impl From<Forecaster> for Route {
    fn from(forecaster: Forecaster) -> Self {
        Self {
            voices: Voices::One(forecaster),
            filtered: true,
            corrected: false,
        }
    }
}

impl Route {
    /// The forecaster, if the route is that forecaster and nothing else.
    pub fn plain(&self) -> Option<Forecaster> {
        match self.voices {
            Voices::One(forecaster) if self.filtered && !self.corrected => Some(forecaster),
            _ => None,
        }
    }

    /// The forecaster that speaks for it where one must be named.
    pub fn first(&self) -> Forecaster {
        match self.voices {
            Voices::One(first) | Voices::Both(first, _) => first,
            Voices::Each => Forecaster::default(),
        }
    }

    /// The route after an operation; `None` where there is nothing that it could act on. `ranked` are all forecasters, the
    /// one with the smallest error in the group first, and `dimensions` is how many the group has.
    pub fn after(&self, operation: Operation, ranked: &[Forecaster; 4], dimensions: usize) -> Option<Route> {
        let other = |than: Forecaster| ranked.iter().copied().find(|candidate| *candidate != than);
        let voices = match (operation, self.voices) {
            (Operation::Bypass, Voices::One(one)) if self.filtered && has_filter(one) => {
                return Some(Route {
                    filtered: false,
                    ..*self
                });
            }
            (Operation::Bypass, Voices::Both(one, two)) if self.filtered && (has_filter(one) || has_filter(two)) => {
                return Some(Route {
                    filtered: false,
                    ..*self
                });
            }
            (Operation::Introduce, _) if !self.corrected => {
                return Some(Route {
                    corrected: true,
                    ..*self
                });
            }
            (Operation::Parallelize, Voices::One(one)) => Voices::Both(one, other(one)?),
            (Operation::Merge, Voices::Both(one, two)) => {
                let better = ranked.iter().copied().find(|c| *c == one || *c == two);
                Voices::One(better.unwrap_or(one))
            }
            (Operation::Merge, Voices::Each) => Voices::One(ranked[0]),
            (Operation::Split, Voices::One(_) | Voices::Both(..)) if dimensions > 1 => Voices::Each,
            (Operation::Reroute, Voices::One(one)) => Voices::One(other(one)?),
            _ => return None,
        };
        Some(Route { voices, ..*self })
    }
}

/// The forecaster reads through a filter.
fn has_filter(forecaster: Forecaster) -> bool {
    matches!(forecaster, Forecaster::Belief | Forecaster::Smoothing)
}

/// Routes of all groups, and the trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Graph {
    pub(super) routes: Vec<Route>,
    pub(super) trial: Option<Trial>,
    /// The last number that was used, and whether it ended in a commit.
    pub(super) last_number: u32,
    pub(super) committed: bool,
    /// The cycle's place, of 2^32.
    turn: u32,
}

impl Graph {
    pub(super) fn new(groups: usize) -> Self {
        Self {
            routes: vec![Route::default(); groups],
            trial: None,
            last_number: 0,
            committed: false,
            turn: 0,
        }
    }

    /// The route of a group whatever is being tried.
    pub(super) fn settled(&self, group: u16) -> Route {
        self.routes.get(usize::from(group)).copied().unwrap_or_default()
    }

    /// The route that is used in this cycle.
    pub(super) fn used(&self, group: u16) -> Route {
        self.tried(group)
            .filter(|(stage, _)| u64::from(self.turn) * u64::from(TENTHS) < u64::from(stage.tenths()) << 32)
            .map_or_else(|| self.settled(group), |(_, route)| route)
    }

    /// The route that is tried on a group.
    pub(super) fn tried(&self, group: u16) -> Option<(TrialStage, Route)> {
        let trial = self.trial.filter(|trial| trial.order.group == group)?;
        Some((trial.order.stage, trial.route?))
    }

    /// The next cycle.
    pub(super) fn turn(&mut self) {
        self.turn = self.turn.wrapping_add(STEP);
    }

    pub(super) fn is_valid(&self, groups: usize) -> bool {
        self.routes.len() == groups
            && self
                .trial
                .is_none_or(|trial| usize::from(trial.order.group) < groups && trial.order.number == self.last_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Forecaster::{Belief, Linear, Persistence, Smoothing};

    const RANKED: [Forecaster; 4] = [Belief, Smoothing, Linear, Persistence];

    fn after(route: Route, operation: Operation) -> Option<Route> {
        route.after(operation, &RANKED, 2)
    }

    #[test]
    fn operations_are_ordered_by_risk() {
        assert!(
            Operation::ALL
                .iter()
                .enumerate()
                .all(|(i, operation)| operation.index() == i)
        );
        let risks = Operation::ALL.map(Operation::risk);
        assert_eq!(
            risks,
            [
                Risk::Low,
                Risk::Medium,
                Risk::Medium,
                Risk::Medium,
                Risk::High,
                Risk::High
            ]
        );
    }

    #[test]
    fn each_operation_changes_one_thing_or_cannot_act() {
        let linear = Route::from(Linear);
        let belief = Route::from(Belief);
        let both = Route {
            voices: Voices::Both(Linear, Belief),
            ..linear
        };
        let each = Route {
            voices: Voices::Each,
            ..linear
        };
        assert_eq!(after(linear, Operation::Bypass), None, "there is no filter");
        assert_eq!(
            after(belief, Operation::Bypass),
            Some(Route {
                filtered: false,
                ..belief
            })
        );
        assert_eq!(
            after(
                Route {
                    filtered: false,
                    ..belief
                },
                Operation::Bypass
            ),
            None
        );
        assert_eq!(
            after(both, Operation::Bypass),
            Some(Route {
                filtered: false,
                ..both
            })
        );
        assert_eq!(after(linear, Operation::Parallelize), Some(both));
        assert_eq!(
            after(belief, Operation::Parallelize).map(|r| r.voices),
            Some(Voices::Both(Belief, Smoothing))
        );
        assert_eq!(after(both, Operation::Parallelize), None);
        assert_eq!(after(both, Operation::Merge), Some(belief));
        assert_eq!(after(each, Operation::Merge), Some(belief));
        assert_eq!(after(linear, Operation::Merge), None);
        assert_eq!(after(linear, Operation::Split), Some(each));
        assert_eq!(
            linear.after(Operation::Split, &RANKED, 1),
            None,
            "one dimension cannot be split"
        );
        assert_eq!(after(each, Operation::Split), None);
        assert_eq!(after(linear, Operation::Reroute), Some(belief));
        assert_eq!(after(belief, Operation::Reroute), Some(Route::from(Smoothing)));
        let corrected = Route {
            corrected: true,
            ..linear
        };
        assert_eq!(after(linear, Operation::Introduce), Some(corrected));
        assert_eq!(after(corrected, Operation::Introduce), None);
        assert_eq!(
            (linear.plain(), corrected.plain(), both.plain()),
            (Some(Linear), None, None)
        );
        assert_eq!((both.first(), each.first()), (Linear, Linear));
    }

    #[test]
    fn a_stage_is_a_share_of_the_cycles() {
        let mut graph = Graph::new(1);
        for (stage, share) in [
            (TrialStage::Shadow, 0),
            (TrialStage::Fifth, 200),
            (TrialStage::Most, 800),
            (TrialStage::Whole, 1000),
        ] {
            graph.trial = Some(Trial {
                order: TrialOrder {
                    number: 1,
                    group: 0,
                    operation: Operation::Reroute,
                    stage,
                },
                route: Some(Belief.into()),
            });
            // Of every cycle, and of every tenth.
            for stride in [1, 10] {
                let mut used = 0_i32;
                for _ in 0..1_000 {
                    used += i32::from(graph.used(0) == Belief.into());
                    (0..stride).for_each(|_| graph.turn());
                }
                assert!((used - share).abs() <= 10, "{stage:?}, every {stride}: {used} of 1000");
            }
        }
        assert_eq!(
            graph.used(1),
            Route::default(),
            "a group that does not exist has the usual route"
        );
    }
}
