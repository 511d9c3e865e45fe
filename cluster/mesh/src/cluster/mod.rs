//! The real network: ractor_cluster over our own mutual-TLS connections.
//!
//! ractor_cluster is used as an authenticated session and nothing else: connections are accepted and dialed here
//! ([`accept`](self), [`dial`](self)), guarded by a stream that bounds what it does not, and injected into its node
//! server. Its own listener cannot be left out; it is bound to loopback, to a free port, and trusts nobody. The frames
//! of the mesh travel on a second stream that belongs to the session ([`data`]).
//!
//! Supervision: one supervisor, rest for one: gateways, then the node server. When a gateway fails, all links end and
//! come again.

mod accept;
mod connection;
mod data;
mod dial;
mod gateway;
mod renewal;
mod scanner;
mod sessions;
mod stream;
pub mod tls;

pub use accept::{ACCEPT_RATE, HANDSHAKE_DEADLINE, MAX_HALF_OPEN};
pub use connection::MAX_FRAMES_IN;
pub use data::{DATA_DEADLINE, MAX_PENDING_BYTES};
pub use dial::{DIAL_DEADLINE, FIRST_PAUSE, LONGEST_PAUSE, Seed};
pub use gateway::{GATEWAYS, gateways, remotable_actors};
pub use renewal::{LOOK_PERIOD, RENEW_AT, Renewal, WARN_AT, WARN_PERIOD, WARNINGS_PER_LIFETIME};
pub use scanner::{CONTROL_WINDOW, MAX_ANNOUNCED_ACTORS, MAX_CONTROL_FRAMES, MAX_SESSION_FRAME_BYTES};
pub use stream::{AUTH_DEADLINE, PRE_AUTH_BYTES, READ_IDLE, WRITE_STALL};

use crate::ca::now_unix;
use crate::identity::{Identity, IdentityError, Secret};
use crate::transport::{Transport, TransportError, Uplink};
use arc_swap::ArcSwap;
use connection::{Connection, Side};
use futures::future::BoxFuture;
use gateway::Gateway;
use ractor::{Actor, ActorCell, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage};
use rungs_host::supervisor::{ChildSpec, Policy, Restart, SupervisorHandle, SupervisorSpec};
use rungs_host::tasks;
use rungs_host::timer::Timers;
use rungs_types::{Incarnation, NodeId, RolePath};
use sessions::{Connections, Sessions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use stream::GuardedStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// How long the actors of the transport may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// ractor's registries are those of the process.
static STARTED: AtomicBool = AtomicBool::new(false);

/// How a node is connected.
#[derive(Debug)]
pub struct ClusterConfig {
    /// Who it is and whom it trusts.
    pub identity: Identity,
    /// Which start of it this is.
    pub incarnation: Incarnation,
    /// Where it accepts connections; `None` for a shell, which only dials.
    pub listen: Option<Listen>,
    /// The peers to connect to.
    pub seeds: Vec<Seed>,
}

/// Where connections come in.
#[derive(Debug)]
pub enum Listen {
    /// A socket of its own at this address; port 0 takes a free one.
    At(SocketAddr),
    /// A socket that listens already: whoever made it keeps the port from others, also while no node runs.
    On(std::net::TcpListener),
}

impl Listen {
    fn socket(self) -> Result<TcpListener, TransportError> {
        let (address, socket) = match self {
            Self::At(address) => (address, std::net::TcpListener::bind(address)),
            Self::On(socket) => {
                let address = socket
                    .local_addr()
                    .unwrap_or_else(|_| (Ipv4Addr::UNSPECIFIED, 0).into());
                (address, Ok(socket))
            }
        };
        let socket = socket.and_then(|socket| {
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        });
        socket.map_err(|error| TransportError::Listen { address, error })
    }
}

/// What the parts of the transport share.
struct Shared {
    node: NodeId,
    tls: ArcSwap<tls::Tls>,
    uplink: Arc<dyn Uplink>,
    connections: Connections,
    offers: data::Offers,
    next_id: AtomicU64,
    node_server: Mutex<Option<ActorRef<NodeServerMessage>>>,
}

impl Shared {
    fn node_server(&self) -> std::sync::MutexGuard<'_, Option<ActorRef<NodeServerMessage>>> {
        self.node_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection to the node server; `None` if that is not there.
    fn inject<S>(&self, stream: S, proven: tls::Proven, side: Side) -> Option<Arc<Connection>>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let node_server = self.node_server().clone()?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(id, proven, side));
        let is_server = connection.accepted;
        self.connections.insert(&connection);
        let watched = Arc::clone(&connection);
        let (connections, offers) = (self.connections.clone(), self.offers.clone());
        tasks::spawn("mesh connection", async move {
            watched.until_linked_or_closed().await;
            watched.until_expired_or_closed().await;
            connections.remove(&watched);
            offers.withdraw(&watched);
        });
        let (reader, writer) = tokio::io::split(stream);
        let stream = Box::new(GuardedStream {
            connection: Arc::clone(&connection),
            reader,
            writer,
        });
        if node_server
            .cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server })
            .is_err()
        {
            connection.close("the node server has stopped");
        }
        Some(connection)
    }
}

struct Running {
    supervisor: SupervisorHandle,
    shared: Arc<Shared>,
}

/// See the module.
pub struct ClusterTransport {
    node: NodeId,
    cookie: Secret,
    identity: Mutex<Arc<Identity>>,
    timers: Timers,
    parent: Option<ActorCell>,
    seeds: Mutex<Vec<Seed>>,
    listener: Mutex<Option<TcpListener>>,
    local_addr: Option<SocketAddr>,
    running: OnceLock<Running>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl ClusterTransport {
    /// Takes the socket; nothing is accepted before the mesh starts. `parent` supervises the transport's actors.
    pub async fn bind(
        config: ClusterConfig,
        timers: Timers,
        parent: Option<ActorCell>,
    ) -> Result<Arc<Self>, TransportError> {
        let listener = config.listen.map(Listen::socket).transpose()?;
        let local_addr = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        Ok(Arc::new(Self {
            node: NodeId {
                name: config.identity.name().clone(),
                incarnation: config.incarnation,
            },
            cookie: config.identity.cookie.clone(),
            identity: Mutex::new(Arc::new(config.identity)),
            timers,
            parent,
            seeds: Mutex::new(config.seeds),
            listener: Mutex::new(listener),
            local_addr,
            running: OnceLock::new(),
            tasks: Mutex::default(),
        }))
    }

    /// The node, as its peers know it.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Where it accepts connections.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Connects to one more peer from now on.
    pub fn add_seed(&self, seed: Seed) {
        match self.running.get() {
            Some(running) => self.keep(tasks::spawn(
                "mesh dialer",
                dial::run(Arc::clone(&running.shared), seed),
            )),
            None => self.seeds.lock().unwrap_or_else(PoisonError::into_inner).push(seed),
        }
    }

    fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on the node shows this certificate. Links that are up stay up until a certificate that was shown on them
    /// ends; what they carry then goes on over the next one.
    ///
    /// # Errors
    /// If it is no successor, see [`Identity::check_successor`].
    pub fn renew(&self, identity: Identity) -> Result<(), IdentityError> {
        self.identity().check_successor(&identity, now_unix())?;
        let tls = tls::Tls::new(&identity)?;
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
        if let Some(running) = self.running.get() {
            running.shared.tls.store(Arc::new(tls));
        }
        Ok(())
    }

    /// Returns when the actors of the transport have ended, which nothing starts again: because it was stopped, or because
    /// they have failed too often. Not before it has started.
    pub async fn ended(&self) {
        match self.running.get() {
            // Without a time it waits for ever.
            Some(running) => drop(running.supervisor.cell().wait(None).await),
            None => std::future::pending().await,
        }
    }

    /// Connections, authenticated or not.
    pub fn connections(&self) -> usize {
        self.running.get().map_or(0, |running| running.shared.connections.len())
    }

    fn keep(&self, task: tokio::task::JoinHandle<()>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
    }

    async fn supervisor(&self, shared: &Arc<Shared>) -> Result<SupervisorHandle, TransportError> {
        let failed = |reason: String| TransportError::Spawn {
            actor: "supervisor",
            reason,
        };
        let role = |text: &str| RolePath::new(text).expect("a constant role");
        let mut children = Vec::new();
        for number in 1..=GATEWAYS {
            let by_key = Arc::clone(&shared.connections.by_key);
            let gateway = ChildSpec::new(role(&format!("gateway-{number}")), Restart::Permanent, move |context| {
                let by_key = Arc::clone(&by_key);
                async move { Ok(Gateway::start(by_key, context.supervisor).await?.into()) }
            });
            children.push(gateway);
        }
        let server = Arc::clone(shared);
        let cookie = self.cookie.to_hex();
        children.push(ChildSpec::new(
            role("node-server"),
            Restart::Permanent,
            move |context| {
                let (shared, cookie) = (Arc::clone(&server), cookie.clone());
                async move { Ok(start_node_server(shared, cookie, context.supervisor).await?.into()) }
            },
        ));
        let spec = SupervisorSpec {
            policy: Policy::REST_FOR_ONE,
            seed: self.node.incarnation.0,
            timers: self.timers.clone(),
            children,
            observer: None,
        };
        SupervisorHandle::spawn(spec, self.parent.clone())
            .await
            .map_err(|error| failed(error.to_string()))
    }
}

/// Starts the node server anew: whatever was connected before is closed.
async fn start_node_server(
    shared: Arc<Shared>,
    cookie: String,
    supervisor: ActorCell,
) -> Result<ActorCell, Box<dyn std::error::Error + Send + Sync>> {
    shared.connections.close("the node server starts anew");
    let name = shared.node.to_string();
    let server = NodeServer::new(
        0,
        cookie,
        name.clone(),
        name,
        Some(IncomingEncryptionMode::Tls(tls::impassable()?)),
        Some(NodeConnectionMode::Isolated),
    )
    .with_listen_addr(Ipv4Addr::LOCALHOST.into())
    .with_max_inbound_frame_size(MAX_SESSION_FRAME_BYTES as u64);
    let (server, _) = Actor::spawn_linked(None, server, (), supervisor).await?;
    let sessions = Sessions {
        node: shared.node.name.clone(),
        connections: shared.connections.clone(),
        offers: shared.offers.clone(),
    };
    server.cast(NodeServerMessage::SubscribeToEvents {
        id: "rungs-mesh".to_owned(),
        subscription: Box::new(sessions),
    })?;
    *shared.node_server() = Some(server.clone());
    Ok(server.get_cell())
}

impl Transport for ClusterTransport {
    fn start(&self, uplink: Arc<dyn Uplink>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            if STARTED.swap(true, Ordering::AcqRel) {
                return Err(TransportError::AlreadyStarted);
            }
            let shared = Arc::new(Shared {
                node: self.node.clone(),
                tls: ArcSwap::from_pointee(tls::Tls::new(&self.identity())?),
                uplink,
                connections: Connections::default(),
                offers: data::Offers::default(),
                next_id: AtomicU64::new(0),
                node_server: Mutex::new(None),
            });
            let supervisor = self.supervisor(&shared).await?;
            let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(listener) = listener {
                self.keep(tasks::spawn(
                    "mesh acceptor",
                    accept::run(Arc::clone(&shared), listener),
                ));
            }
            let seeds = std::mem::take(&mut *self.seeds.lock().unwrap_or_else(PoisonError::into_inner));
            drop(self.running.set(Running { supervisor, shared }));
            for seed in seeds {
                self.add_seed(seed);
            }
            Ok(())
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                task.abort();
            }
            let Some(running) = self.running.get() else { return };
            *running.shared.node_server() = None;
            running.shared.connections.close("this node stops");
            if !running.supervisor.shutdown(STOP_WITHIN).await {
                tracing::warn!("the transport's actors did not stop within 5 s");
            }
            STARTED.store(false, Ordering::Release);
        })
    }
}
