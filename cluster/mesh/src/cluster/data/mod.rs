//! The data stream of a connection: a second mutual-TLS stream between the same two nodes that carries the frames of the
//! mesh, and nothing in between.
//!
//! How a question travels:
//!
//! | | through ractor_cluster (before) | here |
//! | --- | --- | --- |
//! | queues | gateway shim, node session, session, writer; reader, session, node session, gateway: 4 mailboxes each way, none bounded | none: the frame is encrypted by whoever sends it |
//! | copies | frame → message → protobuf → write buffer → TLS; TLS → read buffer → protobuf → message | frame → TLS; TLS → read buffer, from which envelopes are borrowed |
//! | wake-ups | 4 tasks each way beside asker and actor | the reader's task |
//!
//! The sender writes to the socket at once; only what the socket does not take is left to the writer's task. The
//! reader's task owns two buffers that are used again and again: frames are cut out of one of them without a copy, and
//! it is reused as soon as no message of it is held.
//!
//! Who opens it: the side that dialed the connection, to the same address, once ractor_cluster has authenticated the
//! session and the acceptor has sent a token over it ([`Offers`]). The token is 256 random bits and good for once; the
//! certificate must be the one of the session, whose name and incarnation the stream thereby has.
//!
//! Lives and dies with its connection. Limits: [`MAX_PENDING_BYTES`] encrypted and not yet taken by the socket,
//! [`WRITE_STALL`] for a peer that takes nothing; a peer that says nothing is found out by the mesh's own pings.

mod open;

pub(crate) use open::{Offers, Token, accept, dial};

use super::connection::Connection;
use super::stream::WRITE_STALL;
use crate::frame::{self, MAX_FRAME_BYTES};
use crate::transport::{Link, LinkClosed, LinkEvents, PeerIdentity, Traffic};
use bytes::{Bytes, BytesMut};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

/// Time from the offer to a data stream that carries frames.
pub const DATA_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes that may be encrypted and not yet taken by the socket; beyond that, frames wait where the urgent ones pass.
pub const MAX_PENDING_BYTES: usize = 2 * MAX_FRAME_BYTES;
/// Bytes read from the socket at a time.
const READ_BYTES: usize = 64 * 1024;
/// Reads without a pause before other tasks have their turn.
const READS_IN_A_ROW: u32 = 16;

/// What is written and read under one lock, because TLS is one state.
struct Guarded {
    tls: rustls::Connection,
    /// `None` once the stream is stopped.
    socket: Option<Arc<OwnedWriteHalf>>,
    /// The writer's task has been left with something.
    blocked: bool,
}

/// See the module.
pub(crate) struct DataStream {
    connection: Arc<Connection>,
    peer: PeerIdentity,
    guarded: Mutex<Guarded>,
    pending: AtomicUsize,
    blocked: Notify,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
}

/// The socket as TLS writes to it: never waits.
struct Out<'a>(&'a OwnedWriteHalf, usize);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.try_write(bytes)?;
        self.1 += written;
        Ok(written)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let written = self.0.try_write_vectored(slices)?;
        self.1 += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl DataStream {
    fn new(
        connection: Arc<Connection>,
        peer: PeerIdentity,
        mut tls: rustls::Connection,
        socket: &Arc<OwnedWriteHalf>,
    ) -> Self {
        // The bound is ours, and known to those who send.
        tls.set_buffer_limit(None);
        Self {
            connection,
            peer,
            guarded: Mutex::new(Guarded {
                tls,
                socket: Some(Arc::clone(socket)),
                blocked: false,
            }),
            pending: AtomicUsize::new(0),
            blocked: Notify::new(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            frames_in: AtomicU64::new(0),
            frames_out: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the socket.
    pub(crate) fn stop(&self) {
        drop(self.lock().socket.take());
        self.blocked.notify_one();
    }

    /// Writes what is encrypted, as far as the socket takes it.
    fn write_out(&self, guarded: &mut Guarded) -> io::Result<()> {
        let Guarded { tls, socket, blocked } = guarded;
        let socket = socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut out = Out(socket, 0);
        let written = loop {
            if !tls.wants_write() {
                break Ok(true);
            }
            match tls.write_tls(&mut out) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        self.bytes_out.fetch_add(out.1 as u64, Ordering::Relaxed);
        let all = written?;
        if all {
            self.pending.store(0, Ordering::Release);
        } else if !*blocked {
            self.blocked.notify_one();
        }
        *blocked = !all;
        Ok(())
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut guarded = self.lock();
        guarded.tls.writer().write_all(frame)?;
        self.pending.fetch_add(frame.len(), Ordering::AcqRel);
        self.frames_out.fetch_add(1, Ordering::Relaxed);
        if guarded.blocked {
            return Ok(());
        }
        self.write_out(&mut guarded)
    }

    /// Writes what the socket did not take at once, until the connection is closed.
    async fn write(self: Arc<Self>, socket: Arc<OwnedWriteHalf>, events: Arc<dyn LinkEvents>) {
        let mut closed = std::pin::pin!(self.connection.until_closed());
        loop {
            tokio::select! {
                biased;
                () = &mut closed => return,
                () = self.blocked.notified() => {}
            }
            while self.lock().blocked {
                let writable = tokio::select! {
                    biased;
                    () = &mut closed => return,
                    writable = tokio::time::timeout(WRITE_STALL, socket.writable()) => writable,
                };
                let written = match writable {
                    Ok(writable) => writable.and_then(|()| self.write_out(&mut self.lock())),
                    Err(_) => Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the peer took nothing for 15 s",
                    )),
                };
                if let Err(error) = written {
                    return self.connection.close(&error.to_string());
                }
            }
            events.writable();
        }
    }

    /// Reads frames until the connection is closed.
    async fn read(self: Arc<Self>, socket: OwnedReadHalf, events: Arc<dyn LinkEvents>) {
        let mut closed = std::pin::pin!(self.connection.until_closed());
        let error = tokio::select! {
            biased;
            error = self.read_on(socket, &events) => error,
            () = &mut closed => return,
        };
        self.connection.close(&error.to_string());
    }

    async fn read_on(&self, mut socket: OwnedReadHalf, events: &Arc<dyn LinkEvents>) -> io::Error {
        let mut encrypted = vec![0; READ_BYTES];
        let mut plain = BytesMut::with_capacity(READ_BYTES);
        let mut read = 0;
        let mut in_a_row = 0;
        loop {
            // At first, without having read: the peer's first frames may have come with its last word of the handshake.
            if let Err(error) = self.take_in(&encrypted[..read], &mut plain, events) {
                return error;
            }
            in_a_row += 1;
            if in_a_row % READS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
            read = match socket.read(&mut encrypted).await {
                Ok(0) => return io::Error::new(io::ErrorKind::UnexpectedEof, "the peer has closed the stream"),
                Ok(read) => read,
                Err(error) => return error,
            };
            self.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
        }
    }

    /// Takes in what was read and hands the complete frames on.
    fn take_in(&self, encrypted: &[u8], plain: &mut BytesMut, events: &Arc<dyn LinkEvents>) -> io::Result<()> {
        self.decrypt(encrypted, plain)?;
        while let Some(length) = frame::claimed(plain).transpose().map_err(invalid)? {
            if plain.len() < length {
                plain.reserve(length - plain.len());
                break;
            }
            self.frames_in.fetch_add(1, Ordering::Relaxed);
            events.frame(plain.split_to(length).freeze());
        }
        Ok(())
    }

    /// Decrypts what was read; TLS takes it piece by piece.
    fn decrypt(&self, mut encrypted: &[u8], plain: &mut BytesMut) -> io::Result<()> {
        let mut guarded = self.lock();
        loop {
            let state = match guarded.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // What TLS has to say about it goes out as far as it goes.
                    self.write_out(&mut guarded).ok();
                    return Err(invalid(error));
                }
            };
            let (before, more) = (plain.len(), state.plaintext_bytes_to_read());
            plain.resize(before + more, 0);
            guarded.tls.reader().read_exact(&mut plain[before..])?;
            if encrypted.is_empty() {
                break;
            }
            if guarded.tls.read_tls(&mut encrypted)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if guarded.tls.wants_write() && !guarded.blocked {
            self.write_out(&mut guarded)?;
        }
        Ok(())
    }
}

/// The link that a data stream is to the mesh.
struct DataLink(Arc<DataStream>);

impl Link for DataLink {
    fn peer(&self) -> &PeerIdentity {
        &self.0.peer
    }

    fn send(&self, frame: Bytes) -> Result<(), LinkClosed> {
        self.0.send(&frame).map_err(|_| LinkClosed)
    }

    fn is_writable(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) < MAX_PENDING_BYTES
    }

    fn is_idle(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) == 0
    }

    fn close(&self, reason: &str) {
        self.0.connection.close(reason);
    }

    fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [session_in, session_out] = self.0.connection.session_bytes();
        Traffic {
            bytes_in: count(&self.0.bytes_in) + session_in,
            bytes_out: count(&self.0.bytes_out) + session_out,
            frames_in: count(&self.0.frames_in),
            frames_out: count(&self.0.frames_out),
        }
    }
}

#[cfg(test)]
mod tests;
