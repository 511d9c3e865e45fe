//! Dialing: one task for each configured peer connects to it whenever no link with it is up.
//!
//! Two nodes that dial each other at the same time make two connections, of which one survives. To spare that, the node
//! whose name comes first waits a little for the other one.

use super::connection::{Connection, Side};
use super::{Shared, data, tls};
use crate::identity::IdentityError;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rungs_host::tasks;
use rungs_types::NodeName;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A peer to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its name, if it is known; a node with another name is refused.
    pub node: Option<NodeName>,
    /// `host:port`.
    pub address: String,
}

/// Longest time to connect and shake hands.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(5);
/// First and longest pause between two attempts; each is cut by up to half at random.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// See [`FIRST_PAUSE`].
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the node whose name comes first lets the other one dial.
const COURTESY: Duration = Duration::from_millis(300);
/// A connection that lasted so long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no connection within 5 s")]
    TimedOut,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("it is {found}; expected {expected}")]
    Name { found: NodeName, expected: NodeName },
    #[error("it is this node")]
    Myself,
    #[error("the transport has stopped")]
    Stopped,
}

/// Keeps up a link with a peer until the transport stops.
pub(super) async fn run(shared: Arc<Shared>, seed: Seed) {
    let spread = seed.address.bytes().fold(shared.node.incarnation.0, |sum, byte| {
        sum.wrapping_mul(31) ^ u64::from(byte)
    });
    let mut rng = StdRng::seed_from_u64(spread);
    let mut peers = shared.uplink.peers();
    if seed.node.as_ref().is_some_and(|peer| shared.node.name < *peer) {
        tokio::time::sleep(COURTESY).await;
    }
    let mut pause = FIRST_PAUSE;
    // Why it did not work last time: said once, not at each attempt.
    let mut said = String::new();
    // Who was found at the address last; somebody else may be there next time, unless the seed names one.
    let mut known = seed.node.clone();
    loop {
        if let Some(name) = &known {
            let gone = peers.wait_for(|peers| !peers.contains_key(name)).await;
            if gone.is_err() {
                return;
            }
        }
        let began = Instant::now();
        match dial(&shared, &seed).await {
            Ok(connection) => {
                known = Some(connection.proven.name.clone());
                connection.until_closed().await;
                tracing::debug!(address = seed.address, reason = connection.reason(), "connection ended");
            }
            Err(DialError::Stopped | DialError::Myself) => return,
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    tracing::info!(address = seed.address, error, "cannot connect");
                }
                said = error;
            }
        }
        if began.elapsed() >= GOOD {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause.mul_f64(rng.random_range(0.5..=1.0))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn dial(shared: &Arc<Shared>, seed: &Seed) -> Result<Arc<Connection>, DialError> {
    let connect = async {
        let stream = TcpStream::connect(&seed.address).await?;
        stream.set_nodelay(true)?;
        shared.tls.load_full().connector.connect(tls::any_node(), stream).await
    };
    let stream = tokio::time::timeout(DIAL_DEADLINE, connect)
        .await
        .map_err(|_| DialError::TimedOut)??;
    let (socket, session) = stream.get_ref();
    let address = socket.peer_addr()?;
    let proven = tls::proven_as_client(session)?;
    if proven.name == shared.node.name {
        return Err(DialError::Myself);
    }
    if let Some(expected) = seed.node.clone().filter(|expected| *expected != proven.name) {
        return Err(DialError::Name {
            found: proven.name,
            expected,
        });
    }
    let (token, offered) = oneshot::channel();
    let connection = shared
        .inject(stream, proven, Side::Dialed(token))
        .ok_or(DialError::Stopped)?;
    let dialing = data::dial(Arc::clone(shared), Arc::clone(&connection), address, offered);
    tasks::spawn("mesh data dialer", dialing);
    Ok(connection)
}
