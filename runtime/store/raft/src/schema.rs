//! The tables in SQLite.
//!
//! All rows of all tables are in one: so that a table costs nothing, and statements are few and stay prepared. A row that
//! was deleted stays for a while without a value, for those who watch.

/// The format that this program writes: the number of its last step.
pub(crate) const FORMAT: u32 = 2;

/// The statements of each step, from 1.
pub(crate) const STEPS: [&[&str]; FORMAT as usize] = [FIRST, MORE_DIGITS];

/// Places of preconditions are answered as numbers of digits, and there may be more than 245 of them.
const MORE_DIGITS: &[&str] =
    &["INSERT INTO digits WITH RECURSIVE c(n) AS (SELECT 256 UNION ALL SELECT n+1 FROM c WHERE n<511) SELECT n FROM c"];

const FIRST: &[&str] = &[
    // Where the store stands: the last commit, the latest time told, the last commit whose deletions may be forgotten.
    "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one=1), rev INTEGER NOT NULL, time INTEGER NOT NULL, \
     forgotten INTEGER NOT NULL)",
    "INSERT INTO head VALUES(1,0,0,0)",
    // Table, key, value, commit, and keys in the four indexes.
    "CREATE TABLE rows(t INTEGER NOT NULL, k BLOB NOT NULL, v BLOB, rev INTEGER NOT NULL, i0 BLOB, i1 BLOB, i2 BLOB, \
     i3 BLOB, PRIMARY KEY(t,k))",
    "CREATE INDEX rows_rev ON rows(rev)",
    "CREATE INDEX rows_gone ON rows(rev) WHERE v IS NULL",
    "CREATE INDEX rows_i0 ON rows(t,i0,k) WHERE i0 IS NOT NULL",
    "CREATE INDEX rows_i1 ON rows(t,i1,k) WHERE i1 IS NOT NULL",
    "CREATE INDEX rows_i2 ON rows(t,i2,k) WHERE i2 IS NOT NULL",
    "CREATE INDEX rows_i3 ON rows(t,i3,k) WHERE i3 IS NOT NULL",
    // Who writes, the number of their last batch, and the last commit in it.
    "CREATE TABLE sessions(id BLOB PRIMARY KEY, seq INTEGER NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID",
    // The commits of that batch that were not applied, by place, and the place of the precondition that failed.
    "CREATE TABLE conflicts(id BLOB NOT NULL, n INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(id,n)) WITHOUT ROWID",
    // Numbers from 0: a number is answered as that many rows of these.
    "CREATE TABLE digits(n INTEGER PRIMARY KEY)",
    "INSERT INTO digits WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM c WHERE n<255) SELECT n FROM c",
];

/// Notes that a step was taken. Fails, and the step with it, if it was before.
pub(crate) const NOTE: &str = "INSERT INTO formats(version) VALUES(?1)";
/// The table of those notes.
pub(crate) const NOTES: &str = "CREATE TABLE IF NOT EXISTS formats(version INTEGER PRIMARY KEY)";
/// Whether that table is there.
pub(crate) const HAS_NOTES: &str = "SELECT count(*) AS n FROM sqlite_master WHERE type='table' AND name='formats'";
/// The last note.
pub(crate) const LAST_NOTE: &str = "SELECT coalesce(max(version),0) AS n FROM formats";
