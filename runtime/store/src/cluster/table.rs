//! Typed tables: a [`Table`] says what its keys, values and indexes are, and rows are read and written as such.
//!
//! A value is stored behind the version of its schema, two bytes. A program reads its own version and older ones, and
//! refuses newer ones by name.
//!
//! What a cluster keeps here, so that nothing in it is larger than the limits, and what one commit is:
//!
//! | table | key → value | indexes | one commit |
//! | --- | --- | --- | --- |
//! | leases | name → holder, token, end: 60 bytes | end | renewal: 2 preconditions, 1 row, 100 bytes; each node every 2 s |
//! | members | node → addresses, roles, weight, versions: 300 bytes | | join, leave: 1 row and its revision |
//! | shard map | part of 64 shards → owner and epoch of each: 1 KiB | | a move: the part with its revision, and a fence raised |
//! | agents | tenant, name → specification: 1 KiB | shard | spawn, stop: 1 row, fenced by its shard |
//! | task log | shard, tenant, name, number → entries that came together: 50 bytes each | | fence, 1 row and the head of the log |
//! | goal base | shard, tenant, name, entry, part → goals as of that entry | | with the deletion of up to 500 rows |
//! | goal inbox | tenant, idempotency key → goal: 1 to 4 KiB | shard and agent | 1 row if absent, not fenced |
//! | snapshots | shard, agent → epoch, sequence, hash, who has it: 60 bytes | | up to 512 rows, a fence for each of up to 64 shards |
//! | timers | shard, due, agent, number → what: 200 bytes | | fired: fence, row deleted, its effect put |

use crate::cluster::commit::{Revision, RowId, TableId, Write};
use crate::cluster::read::{By, Consistency, Continuation, ReadError, Row, Scan, Seen};
use crate::cluster::{Head, Store};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a table is.
pub trait Table: Send + Sync + 'static {
    /// Its number, which stays the same for ever.
    const ID: TableId;
    /// Its name, for people.
    const NAME: &'static str;
    /// The version of values that this program writes, from 1.
    const SCHEMA: u16;
    /// Names of its indexes, at most [`MAX_INDEXES`](super::limits::MAX_INDEXES). [`indexes`](Self::indexes) gives the
    /// keys in this order. Scans say [`By::Index`] with the place in this list.
    const INDEXES: &'static [&'static str] = &[];
    /// What rows are found by.
    type Key;
    /// What rows hold.
    type Value;

    /// The key as bytes, in the order in which scans should find it. See [`Key`](super::key::Key).
    fn key(key: &Self::Key) -> Vec<u8>;
    /// Reads what [`key`](Self::key) wrote.
    fn read_key(bytes: &[u8]) -> Option<Self::Key>;
    /// The value as bytes, in the version [`SCHEMA`](Self::SCHEMA).
    fn encode(value: &Self::Value) -> Vec<u8>;
    /// Reads a value of this version or an older one.
    fn decode(schema: u16, bytes: &[u8]) -> Option<Self::Value>;
    /// The key of a row in each index, as bytes in the order of the index.
    fn indexes(_key: &Self::Key, _value: &Self::Value) -> Vec<Option<Vec<u8>>> {
        Vec::new()
    }
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<K, V> {
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// The commit that wrote it last.
    pub revision: Revision,
}

/// Why there is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A newer program wrote the value.
    #[error("a row of {table} has schema {found}, this program knows up to {newest}")]
    Newer {
        /// The table.
        table: &'static str,
        /// The version of the value.
        found: u16,
        /// The newest known.
        newest: u16,
    },
    /// The key or the value is not what the table says.
    #[error("a row of {table} cannot be read")]
    Damaged {
        /// The table.
        table: &'static str,
    },
}

/// Names a row of a table.
pub fn row_id<T: Table>(key: &T::Key) -> RowId {
    RowId::new(T::ID, T::key(key))
}

/// Puts a row into a table.
pub fn put<T: Table>(key: &T::Key, value: &T::Value) -> Write {
    let mut bytes = T::SCHEMA.to_be_bytes().to_vec();
    bytes.extend(T::encode(value));
    Write::Put {
        row: row_id::<T>(key),
        value: bytes,
        indexes: T::indexes(key, value),
    }
}

/// Takes a row out of a table.
pub fn delete<T: Table>(key: &T::Key) -> Write {
    Write::Delete(row_id::<T>(key))
}

/// Reads a row as one of this table.
///
/// # Errors
/// If it is not, or of a newer program.
pub fn entry<T: Table>(row: &Row) -> Result<Entry<T::Key, T::Value>, TableError> {
    let damaged = TableError::Damaged { table: T::NAME };
    let Some((schema, bytes)) = row.value.split_first_chunk() else {
        return Err(damaged);
    };
    let found = u16::from_be_bytes(*schema);
    if found > T::SCHEMA {
        let (table, newest) = (T::NAME, T::SCHEMA);
        return Err(TableError::Newer { table, found, newest });
    }
    let revision = row.revision;
    match (T::read_key(&row.key), T::decode(found, bytes)) {
        (Some(key), Some(value)) => Ok(Entry { key, value, revision }),
        _ => Err(damaged),
    }
}

/// Some entries, in order.
pub struct Entries<T: Table> {
    /// Where the store stood.
    pub head: Head,
    /// The entries.
    pub entries: Vec<Entry<T::Key, T::Value>>,
    /// Where to go on; none if there are no more.
    pub next: Option<Continuation>,
}

/// Reads a table.
pub struct Typed<T> {
    store: Arc<dyn Store>,
    table: std::marker::PhantomData<fn() -> T>,
}

impl<T: Table> Typed<T> {
    /// The table in this store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        let table = std::marker::PhantomData;
        Self { store, table }
    }

    /// The entry with this key, if there is one.
    ///
    /// # Errors
    /// If the store does not answer, or the row cannot be read.
    pub async fn get(
        &self,
        key: &T::Key,
        how: Consistency,
        within: Duration,
    ) -> Result<Seen<Option<Entry<T::Key, T::Value>>>, TableError> {
        let Seen { head, value } = self.store.get(row_id::<T>(key), how, within).await?;
        let value = value.as_ref().map(entry::<T>).transpose()?;
        Ok(Seen { head, value })
    }

    /// A page of entries whose key (in the index) begins with this.
    ///
    /// # Errors
    /// If the store does not answer, or a row cannot be read.
    pub async fn page(
        &self,
        by: By,
        prefix: &[u8],
        after: Option<Continuation>,
        how: Consistency,
        within: Duration,
    ) -> Result<Entries<T>, TableError> {
        let scan = Scan {
            after,
            ..Scan::prefix(T::ID, by, prefix, super::limits::MAX_PAGE_ROWS)
        };
        let page = self.store.scan(scan, how, within).await?;
        let entries = page.rows.iter().map(entry::<T>).collect::<Result<_, _>>()?;
        Ok(Entries {
            head: page.head,
            entries,
            next: page.next,
        })
    }
}

impl<T: Table> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&T::NAME).finish()
    }
}

#[cfg(test)]
mod tests;
