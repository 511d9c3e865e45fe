//! [`Reader`]: reads rows, from the local replica or, consistently, from the leader.
//!
//! Each read is one statement, so that what it sees is of one state, and says where the store stood.

use crate::batch::{BatchId, LEFT_BEHIND, integer};
use crate::health::Health;
use crate::start;
use rungs_store::cluster::change::whole_commits;
use rungs_store::cluster::limits::{MAX_PAGE_BYTES, MAX_PAGE_ROWS};
use rungs_store::cluster::read::{after_prefix, page_rows};
use rungs_store::cluster::{
    By, Change, Changes, Consistency, Continuation, Head, Page, ReadError, Revision, Row, RowId, Scan, Seen, Since,
    StoreTime, TableId,
};
use rungs_store_replica::{Error, Param, Replica};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Heartbeats within which the replica here says where it stands.
const CATCH_UP_HEARTBEATS: u32 = 50;
/// Heartbeats after which a call is given up and made again.
const PATIENCE_HEARTBEATS: u32 = 10;

const HEAD: &str = "SELECT rev AS head,time FROM head";
const GET: &str = "SELECT h.rev AS head,h.time AS time,r.k AS k,r.v AS v,r.rev AS rev FROM head h \
    LEFT JOIN rows r ON r.t=?1 AND r.k=?2 AND r.v IS NOT NULL";

/// See the module.
#[derive(Clone)]
pub(crate) struct Reader {
    replica: Replica,
    health: Health,
    heartbeat: Duration,
    /// Whether the replica here knows what the store knew when it began: until then it is asked nothing.
    caught_up: Arc<AtomicBool>,
}

type Rows = Vec<rungs_store_replica::Row<'static>>;

impl Reader {
    pub(crate) fn new(replica: Replica, health: Health, heartbeat: Duration) -> Self {
        Self {
            replica,
            health,
            heartbeat,
            caught_up: Arc::default(),
        }
    }

    /// Lets the replica here answer local reads when it has caught up with where the store stands. One that was killed runs a
    /// part of its log again first, which takes as long as that is; meanwhile it would show a state of long ago.
    pub(crate) async fn catch_up(&self) {
        let pace = self.heartbeat;
        loop {
            let Ok(now) = self.head(Consistency::Consistent, pace * CATCH_UP_HEARTBEATS).await else {
                continue;
            };
            loop {
                let own = self.own_head(pace * CATCH_UP_HEARTBEATS).await;
                if own.is_some_and(|own| own.revision >= now.revision) {
                    self.caught_up.store(true, Ordering::Release);
                    return;
                }
                if !self.replica.is_here() {
                    break;
                }
                sleep_until(Instant::now() + pace).await;
            }
            sleep_until(Instant::now() + pace).await;
        }
    }

    /// Where the replica that answers stands, whether or not it has caught up.
    pub(crate) async fn own_head(&self, within: Duration) -> Option<Head> {
        let asked = self.replica.query(Cow::Borrowed(HEAD), Vec::new());
        let mut rows = tokio::time::timeout(within, asked).await.ok()?.ok()?;
        head_of(&mut rows).ok()
    }

    /// Whether local reads are answered by others because the replica here has not caught up.
    fn asks_others(&self) -> bool {
        self.replica.is_here() && !self.caught_up.load(Ordering::Acquire)
    }

    /// Tells whoever looks after the replica of an error.
    pub(crate) async fn tell(&self, error: &Error) {
        self.health.look_at(&self.replica, error).await;
    }

    pub(crate) async fn get(
        &self,
        row: RowId,
        how: Consistency,
        within: Duration,
    ) -> Result<Seen<Option<Row>>, ReadError> {
        let parameters = vec![Param::Integer(row.table.0.into()), Param::Blob(row.key)];
        let mut rows = self.rows(Cow::Borrowed(GET), parameters, how, within).await?;
        let head = head_of(&mut rows)?;
        let mut found = rows.iter_mut().filter_map(|row| read_row(row).transpose());
        let value = found.next().transpose().map_err(|error| damaged(&error))?;
        Ok(Seen { head, value })
    }

    pub(crate) async fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Result<Page, ReadError> {
        scan.check()?;
        let (sql, parameters) = scan_statement(&scan);
        let mut rows = self.rows(Cow::Owned(sql), parameters, how, within).await?;
        let head = head_of(&mut rows)?;
        let mut found = Vec::new();
        for row in &mut rows {
            let ordered: Option<Vec<u8>> = row.try_get("o").map_err(|error| damaged(&error))?;
            if let Some(row) = read_row(row).map_err(|error| damaged(&error))? {
                found.push((ordered.unwrap_or_default(), row));
            }
        }
        let all = found.len();
        found.truncate(page_rows(found.iter().map(|(_, row)| row.value.len()), scan.max_rows));
        let last = found.last().filter(|_| all > found.len());
        Ok(Page {
            head,
            next: last.map(|(ordered, row)| Continuation {
                ordered: ordered.clone(),
                key: row.key.clone(),
            }),
            rows: found.into_iter().map(|(_, row)| row).collect(),
        })
    }

    pub(crate) async fn changes(&self, since: Since, within: Duration) -> Result<Changes, ReadError> {
        let (sql, parameters) = changes_statement(&since);
        let mut rows = self
            .rows(Cow::Owned(sql), parameters, Consistency::Local, within)
            .await?;
        let head = head_of(&mut rows)?;
        let forgotten: i64 = match rows.first_mut() {
            Some(row) => row.try_get("forgotten").map_err(|error| damaged(&error))?,
            None => 0,
        };
        let forgotten = Revision(unsigned(forgotten));
        if since.misses(forgotten) {
            return Err(ReadError::Gap { forgotten });
        }
        let mut changes = Vec::new();
        for row in &mut rows {
            changes.extend(read_change(row).map_err(|error| damaged(&error))?);
        }
        Ok(whole_commits(changes, head))
    }

    /// Where the local replica, or the store, stands.
    pub(crate) async fn head(&self, how: Consistency, within: Duration) -> Result<Head, ReadError> {
        let mut rows = self.rows(Cow::Borrowed(HEAD), Vec::new(), how, within).await?;
        head_of(&mut rows)
    }

    /// What a batch left behind: the revision after it, and the places of its conflicts. None if that is not known.
    pub(crate) async fn left_behind(&self, id: &BatchId, until: Instant) -> Option<(Revision, Vec<(usize, usize)>)> {
        let parameters = vec![Param::Blob(id.session.clone()), integer(id.number)];
        let within = until.saturating_duration_since(Instant::now());
        let sql = Cow::Borrowed(LEFT_BEHIND);
        let mut rows = self.rows(sql, parameters, Consistency::Consistent, within).await.ok()?;
        let mut revision = None;
        let mut conflicts = Vec::new();
        for row in &mut rows {
            revision = Some(Revision(unsigned(row.try_get("rev").ok()?)));
            let place: (Option<i64>, Option<i64>) = (row.try_get("n").ok()?, row.try_get("place").ok()?);
            if let (Some(commit), Some(precondition)) = place {
                conflicts.push((usize::try_from(commit).ok()?, usize::try_from(precondition).ok()?));
            }
        }
        Some((revision?, conflicts))
    }

    /// Asks until there is an answer, or the time is over.
    async fn rows(
        &self,
        sql: Cow<'static, str>,
        parameters: Vec<Param>,
        how: Consistency,
        within: Duration,
    ) -> Result<Rows, ReadError> {
        let until = Instant::now() + within;
        loop {
            let patience = Instant::now() + self.heartbeat * PATIENCE_HEARTBEATS;
            let ask = self.ask(sql.clone(), parameters.clone(), how);
            let error = match timeout_at(until.min(patience), ask).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => Error::Timeout("a read".to_owned()),
            };
            tracing::debug!(%error, "a read was not answered");
            self.tell(&error).await;
            let pause = (Instant::now() + self.heartbeat).min(until);
            sleep_until(pause).await;
            if Instant::now() >= until {
                return Err(ReadError::Unavailable);
            }
        }
    }

    async fn ask(&self, sql: Cow<'static, str>, parameters: Vec<Param>, how: Consistency) -> Result<Rows, Error> {
        match how {
            Consistency::Local if !self.asks_others() => self.replica.query(sql, parameters).await,
            Consistency::Local | Consistency::Consistent => {
                let leader = self.replica.leader().await;
                tokio::select! {
                    rows = self.replica.query_leader(sql, parameters) => rows,
                    () = start::another_leads(&self.replica, leader, self.heartbeat) => {
                        Err(Error::LeaderChange(Cow::Borrowed("another leads")))
                    }
                }
            }
        }
    }
}

fn scan_statement(scan: &Scan) -> (String, Vec<Param>) {
    // The order's column; with a key behind it in an index.
    let (ordered, order) = match scan.by {
        By::Key => ("k".to_owned(), "k".to_owned()),
        By::Index(index) => (format!("i{index}"), format!("i{index},k")),
    };
    let mut parameters = vec![Param::Integer(scan.table.0.into()), Param::Integer(more(scan.max_rows))];
    let mut conditions = format!("t=?1 AND v IS NOT NULL AND {ordered} IS NOT NULL");
    let mut also = |condition: String, values: Vec<Vec<u8>>| {
        conditions += &condition;
        parameters.extend(values.into_iter().map(Param::Blob));
        parameters.len()
    };
    let next = match (&scan.after, scan.by) {
        (None, _) => also(format!(" AND {ordered}>=?3"), vec![scan.from.clone()]),
        (Some(place), By::Key) => also(" AND k>?3".to_owned(), vec![place.key.clone()]),
        (Some(place), By::Index(_)) => also(
            format!(" AND ({order})>(?3,?4)"),
            vec![place.ordered.clone(), place.key.clone()],
        ),
    } + 1;
    if let Some(to) = &scan.to {
        also(format!(" AND {ordered}<?{next}"), vec![to.clone()]);
    }
    let inner = format!("SELECT {ordered} AS o,k,v,rev FROM rows WHERE {conditions} ORDER BY {order} LIMIT ?2");
    // The sum stops a page of large values before they are read; one row more says that there is more.
    let sql = format!(
        "SELECT h.rev AS head,h.time AS time,r.o AS o,r.k AS k,r.v AS v,r.rev AS rev FROM head h LEFT JOIN \
         (SELECT o,k,v,rev,sum(length(v)) OVER (ORDER BY o,k ROWS UNBOUNDED PRECEDING)-length(v) AS bytes FROM ({inner})) r \
         ON r.bytes<{} ORDER BY r.o,r.k",
        2 * MAX_PAGE_BYTES
    );
    (sql, parameters)
}

fn changes_statement(since: &Since) -> (String, Vec<Param>) {
    let mut parameters = vec![integer(since.after.0), Param::Integer(more(MAX_PAGE_ROWS))];
    let mut conditions = "rev>?1".to_owned();
    let mut also = |condition: &str, value: Param| {
        parameters.push(value);
        conditions += &format!(" AND {condition}?{}", parameters.len());
    };
    if let Some(table) = since.table {
        also("t=", Param::Integer(table.0.into()));
    }
    if !since.prefix.is_empty() {
        also("k>=", Param::Blob(since.prefix.clone()));
        if let Some(end) = after_prefix(&since.prefix) {
            also("k<", Param::Blob(end));
        }
    }
    let inner = format!("SELECT * FROM rows WHERE {conditions} ORDER BY rev,t,k LIMIT ?2");
    let sql = format!(
        "SELECT h.rev AS head,h.time AS time,h.forgotten AS forgotten,r.t AS t,r.k AS k,r.v AS v,r.rev AS rev,\
         r.i0 AS i0,r.i1 AS i1,r.i2 AS i2,r.i3 AS i3 FROM head h LEFT JOIN \
         (SELECT *,sum(coalesce(length(v),0)) OVER (ORDER BY rev,t,k ROWS UNBOUNDED PRECEDING)-coalesce(length(v),0) \
         AS bytes FROM ({inner})) r ON r.bytes<{} ORDER BY r.rev,r.t,r.k",
        2 * MAX_PAGE_BYTES
    );
    (sql, parameters)
}

/// One more than asked for, to know whether there is more.
fn more(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(1)
}

fn head_of(rows: &mut [rungs_store_replica::Row<'_>]) -> Result<Head, ReadError> {
    let mut read = || {
        let Some(row) = rows.first_mut() else {
            return Err(Error::QueryReturnedNoRows(Cow::Borrowed("head")));
        };
        Ok(Head {
            revision: Revision(unsigned(row.try_get("head")?)),
            time: StoreTime::from_ms(unsigned(row.try_get("time")?)),
        })
    };
    read().map_err(|error| damaged(&error))
}

fn read_row(row: &mut rungs_store_replica::Row<'_>) -> Result<Option<Row>, Error> {
    let key: Option<Vec<u8>> = row.try_get("k")?;
    let value: Option<Vec<u8>> = row.try_get("v")?;
    let (Some(key), Some(value)) = (key, value) else {
        return Ok(None);
    };
    let revision = Revision(unsigned(row.try_get("rev")?));
    Ok(Some(Row { key, value, revision }))
}

fn read_change(row: &mut rungs_store_replica::Row<'_>) -> Result<Option<Change>, Error> {
    let Some(key) = row.try_get("k")? else {
        return Ok(None);
    };
    let table: i64 = row.try_get("t")?;
    let mut indexes = Vec::new();
    for index in ["i0", "i1", "i2", "i3"] {
        indexes.push(row.try_get(index)?);
    }
    let last = indexes.iter().rposition(Option::is_some);
    indexes.truncate(last.map_or(0, |last| last + 1));
    Ok(Some(Change {
        table: TableId(u16::try_from(table).map_err(|_| Error::Sqlite(Cow::Borrowed("a table's number")))?),
        key,
        value: row.try_get("v")?,
        indexes,
        revision: Revision(unsigned(row.try_get("rev")?)),
    }))
}

/// Numbers below zero are never written.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What was read is not what is ever written.
fn damaged(error: &Error) -> ReadError {
    tracing::error!(%error, "the replica holds what was never written");
    ReadError::Unavailable
}
