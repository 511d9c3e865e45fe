//! How a data stream comes to its connection: offered by the acceptor, opened by the dialer.

use super::{DataLink, DataStream};
use crate::cluster::connection::Connection;
use crate::cluster::tls::{Proven, any_node, proven_as_client};
use crate::cluster::{DATA_DEADLINE, Shared};
use crate::identity::{IdentityError, random_bytes};
use crate::transport::Uplink;
use dashmap::DashMap;
use rungs_host::tasks;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const TOKEN_BYTES: usize = 32;
/// What the acceptor says to a token that it takes.
const WELCOME: u8 = 1;

/// Shows that who opens a data stream is who holds the session it belongs to; good for once.
pub(crate) type Token = [u8; TOKEN_BYTES];

/// Why a connection gets no data stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("its token is not one that was offered, or has been used")]
    Token,
    #[error("its certificate is not that of its session")]
    Certificate,
    #[error("the session it belongs to is not up")]
    Session,
}

/// The connections that wait for their data stream, by the token that was offered to the peer.
#[derive(Clone, Default)]
pub(crate) struct Offers(Arc<DashMap<Token, Arc<Connection>>>);

impl Offers {
    /// Makes the one token of a connection.
    pub(crate) fn make(&self, connection: &Arc<Connection>) -> Result<Token, OpenError> {
        let token = random_bytes()?;
        if !connection.set_token(token) {
            return Err(OpenError::Token);
        }
        self.0.insert(token, Arc::clone(connection));
        if connection.is_closed() {
            self.withdraw(connection);
        }
        Ok(token)
    }

    /// The connection is closed: its token is good for nothing.
    pub(crate) fn withdraw(&self, connection: &Connection) {
        if let Some(token) = connection.token() {
            self.0.remove(token);
        }
    }

    fn redeem(&self, token: &Token) -> Option<Arc<Connection>> {
        self.0.remove(token).map(|(_, connection)| connection)
    }
}

/// Takes in a data stream that a peer has opened.
pub(crate) async fn accept(
    shared: &Shared,
    mut stream: tokio_rustls::server::TlsStream<TcpStream>,
    proven: &Proven,
) -> Result<(), OpenError> {
    let mut token = [0; TOKEN_BYTES];
    stream.read_exact(&mut token).await?;
    let connection = shared.offers.redeem(&token).ok_or(OpenError::Token)?;
    if connection.proven.certificate != proven.certificate {
        connection.close("another certificate came with its token");
        return Err(OpenError::Certificate);
    }
    stream.write_all(&[WELCOME]).await?;
    stream.flush().await?;
    let (socket, session) = stream.into_inner();
    link(&connection, socket, session.into(), &*shared.uplink)
}

/// Opens the data stream of a connection that this node has dialed, as soon as the peer has sent the token.
pub(crate) async fn dial(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    address: SocketAddr,
    offered: oneshot::Receiver<Token>,
) {
    // The connection is closed when the token does not come in time, which drops the sender.
    let Ok(token) = offered.await else { return };
    let opened = tokio::time::timeout(DATA_DEADLINE, open(&shared, &connection, address, &token)).await;
    match opened {
        Ok(Ok(())) => {}
        Ok(Err(error)) => connection.close(&format!("no data stream: {error}")),
        Err(_) => connection.close("no data stream within 5 s"),
    }
}

pub(super) async fn open(
    shared: &Shared,
    connection: &Arc<Connection>,
    address: SocketAddr,
    token: &Token,
) -> Result<(), OpenError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = shared
        .tls
        .load_full()
        .data_connector
        .connect(any_node(), stream)
        .await?;
    let proven = proven_as_client(stream.get_ref().1)?;
    // Before the token is shown: behind one address there may be several nodes.
    if connection.proven.certificate != proven.certificate {
        return Err(OpenError::Certificate);
    }
    stream.write_all(token).await?;
    stream.flush().await?;
    let mut welcome = [0];
    stream.read_exact(&mut welcome).await?;
    if welcome != [WELCOME] {
        return Err(OpenError::Token);
    }
    let (socket, session) = stream.into_inner();
    link(connection, socket, session.into(), &*shared.uplink)
}

/// From now on the stream carries the frames of the connection.
fn link(
    connection: &Arc<Connection>,
    socket: TcpStream,
    tls: rustls::Connection,
    uplink: &dyn Uplink,
) -> Result<(), OpenError> {
    let peer = connection.identity().cloned().ok_or(OpenError::Session)?;
    let (reader, writer) = socket.into_split();
    let writer = Arc::new(writer);
    let data = Arc::new(DataStream::new(Arc::clone(connection), peer, tls, &writer));
    if !connection.set_data(Arc::clone(&data)) {
        return Err(OpenError::Session);
    }
    let events = uplink.link_up(Arc::new(DataLink(Arc::clone(&data))));
    connection.set_events(Arc::clone(&events));
    tasks::spawn("mesh data writer", Arc::clone(&data).write(writer, Arc::clone(&events)));
    tasks::spawn("mesh data reader", data.read(reader, events));
    Ok(())
}
