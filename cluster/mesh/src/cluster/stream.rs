//! The stream that ractor_cluster reads and writes, with everything that it does not do by itself:
//!
//! - before authentication at most [`PRE_AUTH_BYTES`] pass, all of them steps of the authentication, and the whole takes
//!   at most [`AUTH_DEADLINE`];
//! - a peer that sends nothing for [`READ_IDLE`] (its session pings every 1 to 5 s) or takes nothing for
//!   [`WRITE_STALL`] is gone;
//! - a peer that sends what no node sends, or announces more actors than a node has, is thrown out before ractor_cluster
//!   has read it (see [`super::scanner`]);
//! - the socket is not read while [`MAX_FRAMES_IN`](super::connection::MAX_FRAMES_IN) messages wait to be handled, so
//!   that no queue behind it can grow.

use super::connection::Connection;
use super::scanner::{Carries, Scanner, head};
use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Most bytes that a peer can send before it is authenticated. Its name, its answer to the challenge and their framing
/// have at most about 700.
pub const PRE_AUTH_BYTES: usize = 1024;
/// Time from the TLS handshake to the end of the authentication.
pub const AUTH_DEADLINE: Duration = Duration::from_secs(5);
/// Longest silence of an authenticated peer.
pub const READ_IDLE: Duration = Duration::from_secs(15);
/// Longest time that a peer may take nothing.
pub const WRITE_STALL: Duration = Duration::from_secs(15);

/// Beginning of the label by which a session is found again.
pub(crate) const LABEL: &str = "rungs:";

/// A stream to be given to ractor_cluster.
pub(crate) struct GuardedStream<R, W> {
    pub(crate) connection: Arc<Connection>,
    pub(crate) reader: R,
    pub(crate) writer: W,
}

impl<R, W> ClusterBidiStream for GuardedStream<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let reader = GuardedRead {
            timer: Box::pin(tokio::time::sleep(AUTH_DEADLINE)),
            heard: Instant::now(),
            early: Some(Early::default()),
            scanner: Scanner::new(Instant::now()),
            connection: Arc::clone(&self.connection),
            inner: self.reader,
        };
        let writer = GuardedWrite {
            stalled: None,
            connection: self.connection,
            inner: self.writer,
        };
        (Box::new(reader), Box::new(writer))
    }

    fn peer_label(&self) -> Option<String> {
        Some(format!("{LABEL}{}", self.connection.id))
    }
}

/// What has been read before authentication.
#[derive(Default)]
struct Early {
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that ractor_cluster may have.
    cleared: usize,
    /// Bytes that it has had.
    passed: usize,
}

struct GuardedRead<R> {
    connection: Arc<Connection>,
    inner: R,
    scanner: Scanner,
    /// Bytes read too early; `None` once the connection is authenticated and they are gone.
    early: Option<Early>,
    heard: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Counts what ractor_cluster is about to read; an error if it must not.
fn scan(scanner: &mut Scanner, connection: &Connection, bytes: &[u8]) -> io::Result<()> {
    let messages = scanner.feed(bytes, Instant::now());
    let messages = messages.map_err(|violation| io::Error::new(io::ErrorKind::InvalidData, violation.to_string()))?;
    connection.count_read(bytes.len(), messages);
    Ok(())
}

fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what.to_owned())
}

impl<R: AsyncRead + Unpin> GuardedRead<R> {
    /// Waits; an error when it has been too long. To be called after every `Pending`.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.early.is_some() && !self.connection.is_authenticated() {
                return Poll::Ready(timed_out("not authenticated within 5 s"));
            }
            let deadline = self.heard + READ_IDLE;
            if Instant::now() >= deadline {
                let ours = !self.connection.may_read();
                let what = if ours {
                    "its frames were not handled for 15 s"
                } else {
                    "silent for 15 s"
                };
                return Poll::Ready(timed_out(what));
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    /// Before authentication: reads into our own buffer, and passes on authentication only.
    fn poll_early(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(early) = &mut self.early else {
                return Poll::Ready(Ok(()));
            };
            if self.connection.is_authenticated() {
                early.cleared = early.buffer.len();
            }
            if early.cleared > 0 {
                let count = early.cleared.min(buf.remaining());
                if let Err(error) = scan(&mut self.scanner, &self.connection, &early.buffer[..count]) {
                    return Poll::Ready(Err(error));
                }
                buf.put_slice(&early.buffer[..count]);
                early.buffer.drain(..count);
                early.cleared -= count;
                early.passed += count;
                return Poll::Ready(Ok(()));
            }
            if self.connection.is_authenticated() {
                self.early = None;
                return Poll::Ready(Ok(()));
            }
            match head(&early.buffer) {
                Some(head) if head.carries == Carries::Authentication => {
                    let limit = (PRE_AUTH_BYTES - early.passed) as u64;
                    if head.bytes > limit {
                        let text = format!("{} bytes before authentication; expected at most {limit}", head.bytes);
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                    }
                    let whole = usize::try_from(head.bytes).unwrap_or(usize::MAX);
                    if early.buffer.len() >= whole {
                        early.cleared = whole;
                        continue;
                    }
                }
                // What is not authentication waits until that has ended.
                Some(_) => return Poll::Pending,
                None => {}
            }
            let mut chunk = [0; PRE_AUTH_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk[..PRE_AUTH_BYTES - early.buffer.len()]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            early.buffer.extend_from_slice(chunk.filled());
        }
    }

    fn poll_some(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_some() {
            let before = buf.filled().len();
            ready!(self.poll_early(cx, buf))?;
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
        if !self.connection.may_read() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if let Err(error) = scan(&mut self.scanner, &self.connection, &buf.filled()[before..]) {
            return Poll::Ready(Err(error));
        }
        self.heard = Instant::now();
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for GuardedRead<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before looking: whoever changes what is looked at wakes afterwards.
        this.connection.read_waker.register(cx.waker());
        if this.connection.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Poll::Ready(result) = this.poll_some(cx, buf) {
            return Poll::Ready(result.inspect_err(|error| this.connection.close(&error.to_string())));
        }
        let error = ready!(this.poll_patience(cx));
        this.connection.close(&error.to_string());
        Poll::Ready(Err(error))
    }
}

impl<R> Drop for GuardedRead<R> {
    fn drop(&mut self) {
        self.connection.close("the session has ended");
    }
}

struct GuardedWrite<W> {
    connection: Arc<Connection>,
    inner: W,
    /// Set while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<W: AsyncWrite + Unpin> GuardedWrite<W> {
    fn poll_guarded<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut W>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.connection.write_waker.register(cx.waker());
        if self.connection.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Poll::Ready(result) = poll(Pin::new(&mut self.inner), cx) {
            self.stalled = None;
            return Poll::Ready(result);
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL)));
        ready!(stalled.as_mut().poll(cx));
        let error = timed_out("the peer took nothing for 15 s");
        self.connection.close(&error.to_string());
        Poll::Ready(Err(error))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for GuardedWrite<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(this.poll_guarded(cx, |inner, cx| inner.poll_write(cx, buf)))?;
        this.connection.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_guarded(cx, |inner, cx| inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_guarded(cx, |inner, cx| inner.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests;
