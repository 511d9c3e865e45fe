//! A listening socket handed to another process, over a Unix socket (`SCM_RIGHTS`).
//!
//! A port that is looked for, given back and taken again by the process that needs it can be somebody else's in between.
//! So whoever looks for it keeps it, and the process gets the socket itself.

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// A descriptor travels with at least one byte.
const MARK: u8 = b'S';

/// Gives the socket to whoever reads the other end; it stays open here, too.
pub fn send(to: &UnixStream, socket: &TcpListener) -> io::Result<()> {
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(to, &[IoSlice::new(&[MARK])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Takes the socket that [`send`] gave; waits until it is there.
pub fn receive(from: impl AsFd) -> io::Result<TcpListener> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut mark = [0];
    recvmsg(
        from,
        &mut [IoSliceMut::new(&mut mark)],
        &mut control,
        RecvFlags::empty(),
    )?;
    let socket = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    let socket = socket.ok_or(io::ErrorKind::UnexpectedEof)?;
    // No program that this one may start later gets it.
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_arrives_as_it_was_sent_and_the_port_stays_taken() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        send(&ours, &socket).expect("sent");
        let arrived = receive(&theirs).expect("received");
        let address = socket.local_addr().expect("bound");
        assert_eq!(arrived.local_addr().expect("bound"), address);
        drop(arrived);
        TcpListener::bind(address).expect_err("taken as long as one of the two lives");
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(ours);
        let error = receive(&theirs).expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
