//! What carries frames between nodes: frames out, frames in, link up, link down. The mesh knows nothing else of it, so
//! that the network can be ractor_cluster over TLS ([`crate::cluster`]) or a simulation ([`crate::memory`]).
//!
//! A transport keeps the frames of a link in order. It may lose or repeat some; the receiver notices (frames are
//! numbered), the link starts anew, and what was not acknowledged is sent again. A transport authenticates: what
//! [`Link::peer`] says is proven.

use crate::mesh::Peers;
use crate::role::Roles;
use bytes::Bytes;
use futures::future::BoxFuture;
use rungs_types::NodeId;
use std::sync::Arc;
use tokio::sync::watch;

/// The peer at the other end of a link, as proven by the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its name and incarnation.
    pub node: NodeId,
    /// What its certificate allows it to be.
    pub roles: Roles,
}

/// Bytes and frames that a link has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received, with everything below the frames.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
}

/// The link is closed; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed")]
pub struct LinkClosed;

/// One authenticated connection to a peer.
pub trait Link: Send + Sync + 'static {
    /// Who is at the other end.
    fn peer(&self) -> &PeerIdentity;

    /// Takes a frame to send. Does not block; what the network cannot take yet is held by the transport, which is why
    /// a sender asks [`Link::is_writable`] first. Does not call [`LinkEvents`].
    fn send(&self, frame: Bytes) -> Result<(), LinkClosed>;

    /// Whether there is room for another frame; when there is again, the transport calls [`LinkEvents::writable`].
    fn is_writable(&self) -> bool;

    /// Whether nothing that was sent is still here.
    fn is_idle(&self) -> bool;

    /// Closes the connection at once, for a reason that goes to the log.
    fn close(&self, reason: &str);

    /// What it has carried.
    fn traffic(&self) -> Traffic;
}

/// What a transport tells the owner of a link. Called from the transport's own tasks: must not block.
pub trait LinkEvents: Send + Sync + 'static {
    /// A frame has arrived.
    fn frame(&self, frame: Bytes);

    /// There is room to send again.
    fn writable(&self);

    /// The connection is gone; nothing more will come.
    fn closed(&self, reason: &str);
}

/// What a transport tells the mesh.
pub trait Uplink: Send + Sync + 'static {
    /// A peer has connected and is authenticated.
    fn link_up(&self, link: Arc<dyn Link>) -> Arc<dyn LinkEvents>;

    /// The peers whose links are up, whenever they change: a dialer need not dial them.
    fn peers(&self) -> watch::Receiver<Peers>;
}

/// Why a transport does not start.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No socket at the address.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The identity does not make a TLS configuration.
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    /// An actor of the transport does not start.
    #[error("the transport's {actor} does not start: {reason}")]
    Spawn {
        /// Which.
        actor: &'static str,
        /// Why.
        reason: String,
    },
    /// ractor's registries are those of the process, so it can be a node of one cluster only.
    #[error("this process already has a cluster transport; expected one per process")]
    AlreadyStarted,
}

/// A network.
pub trait Transport: Send + Sync + 'static {
    /// Begins to connect and to accept. Called once.
    fn start(&self, uplink: Arc<dyn Uplink>) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Closes all links and stops.
    fn stop(&self) -> BoxFuture<'_, ()>;
}
