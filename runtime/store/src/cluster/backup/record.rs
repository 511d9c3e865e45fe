//! The form of a backup: a head, records, and an end with the checksum of all before it.
//!
//! ```text
//! "RUNGSBAK" format:4
//! 1 table:2 revision:8 key indexes:1 (0 | 1 key)* (0 | 1 value)       a change; keys and values behind their length:4
//! 0 revision:8 time:8 tables:4 (table:2 records:8)* sha-256:32        the end
//! ```
//! Numbers have their greatest byte first.

use super::{Manifest, RestoreError};
use crate::cluster::change::Change;
use crate::cluster::commit::{Revision, StoreTime, TableId};
use crate::cluster::limits::{MAX_INDEXES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::cluster::read::Head;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MAGIC: [u8; 8] = *b"RUNGSBAK";
const FORMAT: u32 = 1;
const END: u8 = 0;
const CHANGE: u8 = 1;
/// There are no more tables than numbers for them.
const MAX_TABLES: u32 = 1 << u16::BITS;

pub(super) enum Record {
    Change(Change),
    End(Manifest),
}

pub(super) struct Writer<'a, W> {
    out: &'a mut W,
    sum: Sha256,
}

impl<'a, W: AsyncWrite + Unpin> Writer<'a, W> {
    pub(super) async fn begin(out: &'a mut W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            sum: Sha256::new(),
        };
        writer
            .write(&[MAGIC.as_slice(), &FORMAT.to_be_bytes()].concat())
            .await?;
        Ok(writer)
    }

    pub(super) async fn change(&mut self, change: &Change) -> io::Result<()> {
        let mut bytes = vec![CHANGE];
        bytes.extend(change.table.0.to_be_bytes());
        bytes.extend(change.revision.0.to_be_bytes());
        put_bytes(&mut bytes, &change.key);
        // At most four.
        bytes.push(change.indexes.len() as u8);
        for index in &change.indexes {
            put_option(&mut bytes, index.as_deref());
        }
        put_option(&mut bytes, change.value.as_deref());
        self.write(&bytes).await
    }

    pub(super) async fn end(mut self, manifest: &Manifest) -> io::Result<()> {
        let mut bytes = vec![END];
        bytes.extend(manifest.head.revision.0.to_be_bytes());
        bytes.extend(manifest.head.time.ms.to_be_bytes());
        // At most 65,536.
        bytes.extend((manifest.records.len() as u32).to_be_bytes());
        for (table, records) in &manifest.records {
            bytes.extend(table.0.to_be_bytes());
            bytes.extend(records.to_be_bytes());
        }
        self.write(&bytes).await?;
        let sum = self.sum.finalize();
        self.out.write_all(&sum).await?;
        self.out.flush().await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.out.write_all(bytes).await
    }
}

/// The length before it: at most a value's.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

fn put_option(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.push(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        put_bytes(out, bytes);
    }
}

pub(super) struct Reader<'a, R> {
    from: &'a mut R,
    sum: Sha256,
}

impl<'a, R: AsyncRead + Unpin> Reader<'a, R> {
    pub(super) async fn begin(from: &'a mut R) -> Result<Self, RestoreError> {
        let mut reader = Self {
            from,
            sum: Sha256::new(),
        };
        if reader.array().await? != MAGIC {
            return Err(RestoreError::Damaged("it is no backup"));
        }
        match u32::from_be_bytes(reader.array().await?) {
            FORMAT => Ok(reader),
            _ => Err(RestoreError::Damaged("it has a format that this program does not know")),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Record, RestoreError> {
        match self.array().await? {
            [CHANGE] => self.change().await.map(Record::Change),
            [END] => self.end().await.map(Record::End),
            _ => Err(RestoreError::Damaged("a record of no kind")),
        }
    }

    async fn change(&mut self) -> Result<Change, RestoreError> {
        let table = TableId(u16::from_be_bytes(self.array().await?));
        let revision = Revision(self.number().await?);
        let key = self.bytes(MAX_KEY_BYTES).await?;
        let [count] = self.array().await?;
        if usize::from(count) > MAX_INDEXES {
            return Err(RestoreError::Damaged("too many indexes"));
        }
        let mut indexes = Vec::new();
        for _ in 0..count {
            indexes.push(self.option(MAX_KEY_BYTES).await?);
        }
        let value = self.option(MAX_VALUE_BYTES).await?;
        Ok(Change {
            table,
            key,
            value,
            indexes,
            revision,
        })
    }

    async fn end(&mut self) -> Result<Manifest, RestoreError> {
        let revision = Revision(self.number().await?);
        let time = StoreTime::from_ms(self.number().await?);
        let tables = u32::from_be_bytes(self.array().await?);
        if tables > MAX_TABLES {
            return Err(RestoreError::Damaged("too many tables"));
        }
        let mut records = BTreeMap::new();
        for _ in 0..tables {
            let table = TableId(u16::from_be_bytes(self.array().await?));
            records.insert(table, self.number().await?);
        }
        let sum: [u8; 32] = self.sum.clone().finalize().into();
        if self.array().await? != sum {
            return Err(RestoreError::Damaged("its checksum is another"));
        }
        let head = Head { revision, time };
        Ok(Manifest { head, records })
    }

    async fn number(&mut self) -> Result<u64, RestoreError> {
        Ok(u64::from_be_bytes(self.array().await?))
    }

    async fn option(&mut self, most: usize) -> Result<Option<Vec<u8>>, RestoreError> {
        match self.array().await? {
            [0] => Ok(None),
            [1] => self.bytes(most).await.map(Some),
            _ => Err(RestoreError::Damaged("neither there nor not")),
        }
    }

    async fn bytes(&mut self, most: usize) -> Result<Vec<u8>, RestoreError> {
        let length = u32::from_be_bytes(self.array().await?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > most {
            return Err(RestoreError::Damaged("a length beyond its limit"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    async fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RestoreError> {
        let read = self.from.read_exact(bytes).await;
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => RestoreError::Damaged("it has no end"),
            _ => RestoreError::Io(error),
        })?;
        self.sum.update(bytes);
        Ok(())
    }
}
