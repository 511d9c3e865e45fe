//! Random commits, each compared with a model that is too simple to be wrong: a list of rows.

use super::{Subject, WITHIN, table};
use crate::cluster::change::Since;
use crate::cluster::commit::{Commit, Outcome, Precondition, Revision, RowId, TableId, Write};
use crate::cluster::read::{By, Row, Scan};

/// Keys that the steps are about.
const KEYS: u8 = 6;
/// Steps of a run.
const STEPS: usize = 40;

/// What a step asks of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// That it is not there.
    Absent,
    /// That it is as it was last seen.
    Unchanged,
    /// That it is as it was before.
    Outdated,
}

/// What a step does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Puts this byte as value and as key in the first index, which even ones only have.
    Put(u8),
    /// Deletes it.
    Delete,
}

/// A commit, before it is known which revisions it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Rows, by number, and what must be so.
    pub guards: Vec<(u8, Guard)>,
    /// Rows, by number, and what becomes of them.
    pub acts: Vec<(u8, Act)>,
}

/// The rows, in no order.
#[derive(Debug, Clone, Default)]
pub struct Model(Vec<(u8, u8, Revision)>);

impl Model {
    fn find(&self, key: u8) -> Option<(u8, Revision)> {
        let found = self.0.iter().find(|(at, _, _)| *at == key);
        found.map(|(_, value, revision)| (*value, *revision))
    }

    fn holds(&self, key: u8, guard: Guard) -> bool {
        match guard {
            Guard::Absent => self.find(key).is_none(),
            Guard::Unchanged => self.find(key).is_some(),
            Guard::Outdated => false,
        }
    }

    /// The place of the first guard that does not hold.
    pub fn conflict(&self, step: &Step) -> Option<usize> {
        step.guards.iter().position(|(key, guard)| !self.holds(*key, *guard))
    }

    /// Applies the acts of a step.
    pub fn apply(&mut self, step: &Step, revision: Revision) {
        for (key, act) in &step.acts {
            self.0.retain(|(at, _, _)| at != key);
            if let Act::Put(value) = act {
                self.0.push((*key, *value, revision));
            }
        }
    }

    /// The step as a commit to this table.
    pub fn commit(&self, step: &Step, table: TableId) -> Commit {
        let row = |key: u8| RowId::new(table, [key]);
        let guards = step.guards.iter().map(|(key, guard)| {
            let seen = self.find(*key).map_or(Revision(0), |(_, revision)| revision);
            match guard {
                Guard::Absent => Precondition::Absent(row(*key)),
                Guard::Unchanged => Precondition::RevisionIs(row(*key), seen),
                Guard::Outdated => Precondition::RevisionIs(row(*key), Revision(seen.0.saturating_sub(1))),
            }
        });
        let acts = step.acts.iter().map(|(key, act)| match act {
            Act::Put(value) => Write::Put {
                row: row(*key),
                value: vec![*value],
                indexes: vec![(value % 2 == 0).then(|| vec![*value])],
            },
            Act::Delete => Write::Delete(row(*key)),
        });
        Commit::new(guards, acts)
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.0.iter().map(|(key, value, revision)| Row {
            key: vec![*key],
            value: vec![*value],
            revision: *revision,
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    }

    fn indexed(&self) -> Vec<Row> {
        let mut rows = self.rows();
        rows.retain(|row| row.value[0] % 2 == 0);
        // Sorted by key already, and stable.
        rows.sort_by(|a, b| a.value.cmp(&b.value));
        rows
    }
}

/// Numbers that a seed decides (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u8) -> u8 {
        (self.next() % u64::from(end)) as u8
    }
}

/// The steps of a seed.
pub fn steps(seed: u64) -> Vec<Step> {
    let mut dice = Dice(seed);
    let step = |_| Step {
        guards: (0..dice.below(3))
            .map(|_| {
                (
                    dice.below(KEYS),
                    [Guard::Absent, Guard::Unchanged, Guard::Unchanged, Guard::Outdated][dice.below(4) as usize],
                )
            })
            .collect(),
        acts: (0..=dice.below(3))
            .map(|_| {
                (
                    dice.below(KEYS),
                    [Act::Delete, Act::Put(dice.below(5)), Act::Put(dice.below(5))][dice.below(3) as usize],
                )
            })
            .collect(),
    };
    (0..STEPS).map(step).collect()
}

pub(super) async fn check(subject: &Subject, seed: u64) {
    run(subject, table(100 + seed as u16), &steps(seed)).await;
}

/// Takes the steps on an empty table that nobody else writes, and compares after each.
///
/// # Panics
/// Where the store differs from the model.
pub async fn run(subject: &Subject, table: TableId, steps: &[Step]) {
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        let told_at = subject.head().await.revision;
        let outcome = subject.store.commit(model.commit(step, table), WITHIN).await;
        match outcome.expect("commits") {
            Outcome::Conflict(place) => assert_eq!(model.conflict(step), Some(place), "step {number}: {step:?}"),
            Outcome::Committed(revision) => {
                assert_eq!(model.conflict(step), None, "step {number}: {step:?}");
                let before = model.rows();
                model.apply(step, revision);
                compare_changes(subject, table, told_at, &before, &model).await;
            }
        }
        let max_rows = 1 + number % 4;
        let scan = Scan::all(table, max_rows);
        assert_eq!(
            subject.scan(scan).await,
            Ok(model.rows()),
            "after step {number}: {step:?}"
        );
        let scan = Scan::prefix(table, By::Index(0), b"", max_rows);
        assert_eq!(
            subject.scan(scan).await,
            Ok(model.indexed()),
            "after step {number}: {step:?}"
        );
    }
}

/// Played onto what was there before, the changes give what is there now.
async fn compare_changes(subject: &Subject, table: TableId, after: Revision, before: &[Row], model: &Model) {
    let since = Since {
        after,
        ..Since::the_beginning(Some(table))
    };
    subject.store.moved(after, WITHIN).await.expect("reads");
    let told = subject.store.changes(since, WITHIN).await.expect("tells");
    let mut rows = before.to_vec();
    for change in told.changes {
        rows.retain(|row| row.key != change.key);
        rows.extend(change.into_row());
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(rows, model.rows());
}
