//! A batch of commits as the statements of one transaction, and its outcomes from what the transaction returns.
//!
//! The transaction is one entry of the Raft log: each replica runs the same statements on the same rows, and nothing comes
//! in between. What makes a commit conditional:
//!
//! 1. The first statement says whether the batch is new (0), was applied before (1) or is of a session that has gone on or
//!    is forgotten (2). This is the first *guard*.
//! 2. Each precondition is a statement whose one column is the next guard: the guard before it, if that is not 0; else
//!    [`FAILED`] plus the precondition's place if it does not hold; else 0. Statements refer to the columns of earlier ones.
//! 3. Each write happens where the last guard of its commit is 0.
//!
//! A transaction returns how many rows each statement returned or changed, and no values. So a number is asked for as that
//! many rows of the table `digits`, one more so that there is a first row to refer to; the revision, which is large, digit
//! by digit.

use rungs_store::cluster::{Commit, Fence, Outcome, Precondition, Revision, RowId, StoreTime, Write};
use rungs_store_replica::{Error, Param, Statement};
use std::borrow::Cow;

/// Guards from here on say which precondition failed.
const FAILED: i64 = 10;
/// A digit has this many bits; `digits` counts to 511, for the places of preconditions.
const DIGIT_BITS: u32 = 8;
/// Digits of a revision: 281 million million commits.
const DIGITS: u32 = 6;
/// Sessions that are remembered: those that wrote last. One per start of a node.
const MAX_SESSIONS: i64 = 1024;
/// Keys in indexes, of each row.
const INDEXES: usize = 4;

const BEGIN: &str = "SELECT c.g FROM (SELECT CASE coalesce((SELECT seq FROM sessions WHERE id=?1),0) \
    WHEN ?2-1 THEN 0 WHEN ?2 THEN 1 ELSE 2 END AS g) c JOIN digits d ON d.n<=c.g";
const SESSION: &str = "INSERT INTO sessions(id,seq,rev) SELECT ?1,?2,0 WHERE ?3=0 \
    ON CONFLICT(id) DO UPDATE SET seq=excluded.seq";
const NO_CONFLICTS: &str = "DELETE FROM conflicts WHERE id=?1 AND ?2=0";
const TIME: &str = "UPDATE head SET time=max(time,?1) WHERE ?2=0";
const ABSENT: &str = "SELECT CASE WHEN ?1<>0 THEN ?1 \
    WHEN EXISTS(SELECT 1 FROM rows WHERE t=?2 AND k=?3 AND v IS NOT NULL) THEN ?4 ELSE 0 END";
const REVISION_IS: &str = "SELECT CASE WHEN ?1<>0 THEN ?1 \
    WHEN EXISTS(SELECT 1 FROM rows WHERE t=?2 AND k=?3 AND v IS NOT NULL AND rev=?4) THEN 0 ELSE ?5 END";
const VALUE_IS: &str = "SELECT CASE WHEN ?1<>0 THEN ?1 \
    WHEN EXISTS(SELECT 1 FROM rows WHERE t=?2 AND k=?3 AND v=?4) THEN 0 ELSE ?5 END";
const NOT_BEFORE: &str = "SELECT CASE WHEN ?1<>0 THEN ?1 WHEN (SELECT time FROM head)>=?2 THEN 0 ELSE ?3 END";
const BEFORE: &str = "SELECT CASE WHEN ?1<>0 THEN ?1 WHEN (SELECT time FROM head)<?2 THEN 0 ELSE ?3 END";
/// Returns one row, and as many more as the place of the precondition that failed, from 1.
const PLACE: &str = "SELECT 1 FROM digits WHERE n<=max(?1-9,0)";
const CONFLICT: &str = "INSERT INTO conflicts(id,n,place) SELECT ?1,?2,?3-10 WHERE ?3>=10";
const REVISION: &str = "UPDATE head SET rev=rev+1 WHERE ?1=0";
const PUT: &str = "INSERT INTO rows(t,k,v,rev,i0,i1,i2,i3) SELECT ?1,?2,?3,(SELECT rev FROM head),?4,?5,?6,?7 WHERE ?8=0 \
    ON CONFLICT(t,k) DO UPDATE SET v=excluded.v,rev=excluded.rev,i0=excluded.i0,i1=excluded.i1,i2=excluded.i2,i3=excluded.i3";
const DELETE: &str = "UPDATE rows SET v=NULL,rev=(SELECT rev FROM head),i0=NULL,i1=NULL,i2=NULL,i3=NULL \
    WHERE t=?1 AND k=?2 AND v IS NOT NULL AND ?3=0";
const FORGOTTEN: &str = "UPDATE head SET forgotten=max(forgotten,coalesce( \
    (SELECT max(rev) FROM rows WHERE v IS NULL AND rev<=head.rev-?1),0)) WHERE ?2=0";
const FORGET: &str = "DELETE FROM rows WHERE v IS NULL AND rev<=(SELECT rev FROM head)-?1 AND ?2=0";
const END: &str = "UPDATE sessions SET rev=(SELECT rev FROM head) WHERE id=?1 AND ?2=0";
const OLD_SESSIONS: &str = "DELETE FROM sessions WHERE ?1=0 AND id IN \
    (SELECT id FROM sessions ORDER BY rev DESC,id LIMIT -1 OFFSET ?2)";
const OLD_CONFLICTS: &str = "DELETE FROM conflicts WHERE ?1=0 AND id NOT IN (SELECT id FROM sessions)";
const DIGIT: &str = "SELECT 1 FROM digits WHERE n<=(((SELECT rev FROM head)>>?1)&255)";
/// What a batch left behind, for those who did not get its answer.
pub(crate) const LEFT_BEHIND: &str = "SELECT s.rev AS rev,c.n AS n,c.place AS place \
    FROM sessions s LEFT JOIN conflicts c ON c.id=s.id WHERE s.id=?1 AND s.seq=?2";

/// Who writes, and the number of the batch: the first of a session is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchId {
    /// The session.
    pub(crate) session: Vec<u8>,
    /// Which of its batches.
    pub(crate) number: u64,
}

/// The statements, and where in them the answers are.
pub(crate) struct Plan {
    statements: Vec<Statement>,
    /// Of each commit: the statement that tells the place, if it has preconditions, and the one that counts it.
    commits: Vec<(Option<usize>, usize)>,
    /// The first of the statements that tell the revision.
    digits: usize,
}

/// What a transaction says of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was new; these are its outcomes.
    Applied(Vec<Outcome>),
    /// It was applied before, and left behind what came of it.
    Before,
    /// Nothing can be known of it any more.
    Lost,
}

impl Plan {
    /// Plans a batch of commits that keep to the rules.
    pub(crate) fn new(id: &BatchId, commits: &[Commit], kept_deletions: u64) -> Self {
        let (session, number) = (Param::Blob(id.session.clone()), integer(id.number));
        let mut plan = Self {
            statements: Vec::new(),
            commits: Vec::with_capacity(commits.len()),
            digits: 0,
        };
        let begin = plan.add(BEGIN, [session.clone(), number.clone()]);
        plan.add(SESSION, [session.clone(), number, value_of(begin)]);
        plan.add(NO_CONFLICTS, [session.clone(), value_of(begin)]);
        for (place, commit) in (0..).zip(commits) {
            plan.commit(&session, place, commit, begin);
        }
        let kept = integer(kept_deletions);
        plan.add(FORGOTTEN, [kept.clone(), value_of(begin)]);
        plan.add(FORGET, [kept, value_of(begin)]);
        plan.add(END, [session, value_of(begin)]);
        if id.number == 1 {
            plan.add(OLD_SESSIONS, [value_of(begin), Param::Integer(MAX_SESSIONS)]);
            plan.add(OLD_CONFLICTS, [value_of(begin)]);
        }
        plan.digits = plan.statements.len();
        for digit in 0..DIGITS {
            plan.add(DIGIT, [Param::Integer(i64::from(digit * DIGIT_BITS))]);
        }
        plan
    }

    /// A copy of the statements.
    pub(crate) fn statements(&self) -> Vec<Statement> {
        self.statements.clone()
    }

    fn add(&mut self, sql: &'static str, parameters: impl Into<Vec<Param>>) -> usize {
        self.statements.push((Cow::Borrowed(sql), parameters.into()));
        self.statements.len() - 1
    }

    fn commit(&mut self, session: &Param, place: i64, commit: &Commit, begin: usize) {
        if let Some(time) = commit.at {
            self.add(TIME, [time_of(time), value_of(begin)]);
        }
        let mut guard = begin;
        for (failed, must) in (FAILED..).zip(&commit.preconditions) {
            guard = self.precondition(must, value_of(guard), Param::Integer(failed));
        }
        let told = (guard != begin).then(|| {
            self.add(CONFLICT, [session.clone(), Param::Integer(place), value_of(guard)]);
            self.add(PLACE, [value_of(guard)])
        });
        let counted = self.add(REVISION, [value_of(guard)]);
        for write in &commit.writes {
            self.write(write, value_of(guard));
        }
        self.commits.push((told, counted));
    }

    fn precondition(&mut self, must: &Precondition, guard: Param, failed: Param) -> usize {
        match must {
            Precondition::Absent(row) => self.absent(row, guard, failed),
            Precondition::RevisionIs(row, revision) => {
                let [table, key] = names(row);
                self.add(REVISION_IS, [guard, table, key, integer(revision.0), failed])
            }
            Precondition::FenceIs(fence) => self.fence(*fence, guard, failed),
            Precondition::NotBefore(time) => self.add(NOT_BEFORE, [guard, time_of(*time), failed]),
            Precondition::Before(time) => self.add(BEFORE, [guard, time_of(*time), failed]),
        }
    }

    fn absent(&mut self, row: &RowId, guard: Param, failed: Param) -> usize {
        let [table, key] = names(row);
        self.add(ABSENT, [guard, table, key, failed])
    }

    fn fence(&mut self, fence: Fence, guard: Param, failed: Param) -> usize {
        let row = fence.row();
        match fence.value() {
            None => self.absent(&row, guard, failed),
            Some(value) => {
                let [table, key] = names(&row);
                self.add(VALUE_IS, [guard, table, key, Param::Blob(value), failed])
            }
        }
    }

    fn write(&mut self, write: &Write, guard: Param) {
        match write {
            Write::Put { row, value, indexes } => self.put(row, value.clone(), indexes, guard),
            Write::Delete(row) => {
                let [table, key] = names(row);
                self.add(DELETE, [table, key, guard]);
            }
            Write::Raise(fence) => self.put(&fence.row(), fence.value().unwrap_or_default(), &[], guard),
        }
    }

    fn put(&mut self, row: &RowId, value: Vec<u8>, indexes: &[Option<Vec<u8>>], guard: Param) {
        let mut parameters = names(row).to_vec();
        parameters.push(Param::Blob(value));
        let keys = indexes.iter().cloned().chain(std::iter::repeat(None));
        parameters.extend(keys.take(INDEXES).map(|key| key.map_or(Param::Null, Param::Blob)));
        parameters.push(guard);
        self.add(PUT, parameters);
    }

    /// What the numbers of rows that the transaction returned say; none if they cannot be of it.
    pub(crate) fn read(&self, rows: &[Result<usize, Error>]) -> Option<Said> {
        let count = |at: usize| rows.get(at)?.as_ref().ok().copied();
        match count(0)? {
            1 => {}
            2 => return Some(Said::Before),
            _ => return Some(Said::Lost),
        }
        let mut conflicts = Vec::new();
        for (place, (told, counted)) in (0..).zip(&self.commits) {
            match (count(*counted)?, told) {
                (1, _) => {}
                // One row for the first, which there always is, and one for the place 0.
                (0, Some(told)) => conflicts.push((place, count(*told)?.checked_sub(2)?)),
                _ => return None,
            }
        }
        let mut revision = 0;
        for digit in 0..DIGITS {
            let value = count(self.digits + digit as usize)?.checked_sub(1)? as u64;
            revision |= value << (digit * DIGIT_BITS);
        }
        Some(Said::Applied(outcomes(
            self.commits.len(),
            &conflicts,
            Revision(revision),
        )?))
    }

    /// The outcomes by what the batch left behind: the revision after it, and its conflicts.
    pub(crate) fn left_behind(&self, revision: Revision, conflicts: &[(usize, usize)]) -> Option<Vec<Outcome>> {
        outcomes(self.commits.len(), conflicts, revision)
    }
}

/// Commits before the last have one revision less each, those that were not applied none.
fn outcomes(count: usize, conflicts: &[(usize, usize)], last: Revision) -> Option<Vec<Outcome>> {
    let mut revision = Some(last.0);
    let mut outcomes = Vec::with_capacity(count);
    for commit in (0..count).rev() {
        let conflict = conflicts.iter().find(|(place, _)| *place == commit);
        outcomes.push(match conflict {
            Some((_, precondition)) => Outcome::Conflict(*precondition),
            None => {
                let mine = revision?;
                revision = mine.checked_sub(1);
                Outcome::Committed(Revision(mine))
            }
        });
    }
    outcomes.reverse();
    Some(outcomes)
}

/// The first column of the first row of an earlier statement.
fn value_of(statement: usize) -> Param {
    Param::StmtOutputIndexed(statement, 0)
}

fn names(row: &RowId) -> [Param; 2] {
    [Param::Integer(row.table.0.into()), Param::Blob(row.key.clone())]
}

/// SQLite's numbers have a sign: what is beyond is as large as they are.
pub(crate) fn integer(number: u64) -> Param {
    Param::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn time_of(time: StoreTime) -> Param {
    integer(time.ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_numbered_back_from_the_last() {
        let committed = |revision| Outcome::Committed(Revision(revision));
        let found = outcomes(4, &[(1, 7), (3, 0)], Revision(12));
        assert_eq!(
            found,
            Some(vec![
                committed(11),
                Outcome::Conflict(7),
                committed(12),
                Outcome::Conflict(0)
            ])
        );
        assert_eq!(outcomes(2, &[], Revision(1)), Some(vec![committed(0), committed(1)]));
        assert_eq!(outcomes(3, &[], Revision(1)), None);
    }

    #[test]
    fn an_answer_that_is_not_of_the_plan_is_none() {
        let id = BatchId {
            session: vec![1],
            number: 2,
        };
        let row = RowId::new(rungs_store::cluster::TableId(20), b"a");
        let commit = Commit::new([], [Write::put(row, b"x")]);
        let plan = Plan::new(&id, &[commit], 100);
        let mut rows: Vec<_> = plan.statements().iter().map(|_| Ok(1)).collect();
        assert_eq!(
            plan.read(&rows),
            Some(Said::Applied(vec![Outcome::Committed(Revision(0))]))
        );
        rows[plan.digits] = Ok(8);
        assert_eq!(
            plan.read(&rows),
            Some(Said::Applied(vec![Outcome::Committed(Revision(7))]))
        );
        rows[plan.commits[0].1] = Ok(0);
        assert_eq!(plan.read(&rows), None, "nothing stood against it");
        assert_eq!(plan.read(&rows[..2]), None);
        for (count, said) in [(2, Said::Before), (3, Said::Lost)] {
            rows[0] = Ok(count);
            assert_eq!(plan.read(&rows), Some(said));
        }
    }
}
