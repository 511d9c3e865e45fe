use super::*;
use crate::l49::fixtures::World;
use crate::l49::goals::synthesize;
use crate::l49::values::ValueDimension;

#[test]
fn what_the_kernel_did_not_set_is_told_so_and_counts_as_neither_reached_nor_missed() {
    let below = World::new().next();
    let criteria = Criteria {
        purpose: 0.9,
        value: 0.9,
        feasibility: 0.9,
        resource: 9.0,
        rho: 0.5,
        violated: false,
    };
    let (dimension, alignment) = (ValueDimension::Growth, 0.0);
    let idea = |number| {
        let signal = Signal::PurposeRealignment { dimension, alignment };
        synthesize(&signal, &below, number).expect("a goal").spec
    };
    let entry = |number| GoalEntry {
        spec: Arc::new(idea(number)),
        origin: GoalOrigin::PurposeDerived,
        signal: Signal::PurposeRealignment { dimension, alignment },
        cycle: 10,
        criteria,
        verdict: Verdict::Approved,
        reduced: false,
        fate: Fate::Proposed,
    };
    let mut book = Book::default();
    for number in [1, 2] {
        book.note(entry(number));
        book.passed(entry(number), true);
    }
    let goal = idea(1).goal;
    let refused = [(goal.clone(), Refusal::AlreadyHolds)];
    book.refuse(&refused);
    let fate = book.get(&goal).expect("remembered").fate.clone();
    assert_eq!(fate, Fate::Refused(Refusal::AlreadyHolds));
    assert_eq!(fate.to_string(), "not set: it was reached already");
    assert_eq!(book.get(&idea(2).goal).expect("remembered").fate, Fate::Set);
    let counters = book.counters();
    assert_eq!((counters.approved, counters.completed, counters.failed), (2, 0, 0));
    assert_eq!(counters.completion_rate(), None);
}
