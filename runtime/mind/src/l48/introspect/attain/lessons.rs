//! What became of goals, by what they did and what they were seen by.

use crate::goals::{GoalRecord, action_of};
use crate::l3::ActionKind;
use crate::numeric::bits::{BitWindow, Tally};
use crate::numeric::condense::Refused;
use rungs_types::goal::{GoalSpec, Quantity};
use serde::{Deserialize, Serialize};

/// Goals of one sort that are remembered.
pub const OUTCOMES: u16 = 20;
/// Sorts of quantities.
const QUANTITIES: u8 = 9;
/// Sorts of what is done: the kernel's actions, and turning a knob.
const DEEDS: u8 = ActionKind::ALL.len() as u8 + 1;
/// Most sorts of goals.
pub const MAX_LESSONS: usize = QUANTITIES as usize * DEEDS as usize;

/// What is said of lessons that cannot have been stored.
const REFUSED: Refused = Refused("the lessons of goals");

/// A sort of goal: what it does first, and what its first condition looks at.
type Sort = (u8, u8);

/// The outcomes of each sort that there were any of, in the order of the sorts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Sort, BitWindow)>", into = "Vec<(Sort, BitWindow)>")]
pub struct Lessons {
    sorts: Vec<(Sort, BitWindow)>,
}

fn sort_of(spec: &GoalSpec) -> Option<Sort> {
    let quantity = match spec.success.conditions().next()?.of {
        Quantity::Dimension(_) => 0,
        Quantity::Variance(_) => 1,
        Quantity::Eu => 2,
        Quantity::Res => 3,
        Quantity::Rdf => 4,
        Quantity::Seof => 5,
        Quantity::Iis => 6,
        Quantity::CL4 => 7,
        Quantity::Uncertainty => 8,
    };
    let deed = action_of(&spec.tasks.first()?.does).map_or(DEEDS - 1, |action| action.kind().index() as u8);
    Some((deed, quantity))
}

impl Lessons {
    /// Takes in a goal; one that is open, or closed without having been tried to its end, is none.
    pub(super) fn note(&mut self, record: &GoalRecord) {
        let Some((reached, sort)) = record.outcome().zip(sort_of(&record.spec)) else {
            return;
        };
        let at = match self.sorts.binary_search_by_key(&sort, |(of, _)| *of) {
            Ok(at) => at,
            Err(at) => {
                self.sorts.insert(at, (sort, BitWindow::new(OUTCOMES)));
                at
            }
        };
        self.sorts[at].1.push(reached);
    }

    /// The last goals of the sort of this one, and how many of them were reached.
    pub fn tally(&self, spec: &GoalSpec) -> Tally {
        let sort = sort_of(spec);
        let known = self.sorts.iter().find(|(of, _)| Some(*of) == sort);
        known.map_or(Tally::default(), |(_, outcomes)| outcomes.tally())
    }
}

/// What a snapshot keeps of [`Lessons`]: of each sort how many goals, and how many of them were reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonsSummary {
    sorts: Vec<(Sort, Tally)>,
}

impl Lessons {
    /// What a snapshot keeps.
    pub fn summary(&self) -> LessonsSummary {
        let sorts = self.sorts.iter().map(|(sort, outcomes)| (*sort, outcomes.tally()));
        LessonsSummary { sorts: sorts.collect() }
    }

    /// From what a snapshot kept.
    pub fn from_summary(summary: &LessonsSummary) -> Result<Self, Refused> {
        let window = |(sort, tally): &(Sort, Tally)| {
            let outcomes = BitWindow::from_tally(OUTCOMES, *tally);
            outcomes.map(|outcomes| (*sort, outcomes)).map_err(|_| REFUSED)
        };
        let sorts: Result<Vec<_>, Refused> = summary.sorts.iter().map(window).collect();
        sorts?.try_into()
    }
}

impl TryFrom<Vec<(Sort, BitWindow)>> for Lessons {
    type Error = Refused;

    fn try_from(sorts: Vec<(Sort, BitWindow)>) -> Result<Self, Refused> {
        let ordered = sorts.is_sorted_by(|(a, _), (b, _)| a < b);
        let sane = |((deed, quantity), outcomes): &(Sort, BitWindow)| {
            *deed < DEEDS && *quantity < QUANTITIES && outcomes.capacity() == OUTCOMES
        };
        let valid = ordered && sorts.iter().all(sane);
        valid.then_some(Self { sorts }).ok_or(REFUSED)
    }
}

impl From<Lessons> for Vec<(Sort, BitWindow)> {
    fn from(lessons: Lessons) -> Self {
        lessons.sorts
    }
}
