//! ractor_cluster as it is, over the same TLS: the baseline. One actor that other nodes can send to, no gateway, no
//! guard, no flow control. Only for a process of its own: a process with a mesh has its gateways as the only actors that
//! peers can reach.

use super::{Latency, MAX_ROUNDS, Rate};
use crate::cluster::tls::{Tls, any_node, impassable};
use crate::identity::{Identity, IdentityError};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{
    BoxRead, BoxWrite, ClusterBidiStream, IncomingEncryptionMode, NodeServer, NodeServerMessage, RactorClusterMessage,
};
use rungs_host::tasks;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Known to both sides; who may connect is decided by TLS.
const COOKIE: &str = "raw";
/// Longest time that one question may take.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time until all messages that are under way are handled.
const COUNT_DEADLINE: Duration = Duration::from_secs(120);
/// The process group of the measured actor.
const GROUP: &str = "rungs-bench-raw";
/// How long the client looks for it.
const FIND_DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The network failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The identity does not make a TLS configuration.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An actor does not start.
    #[error(transparent)]
    Spawn(#[from] SpawnErr),
    /// The measured actor is not announced by the other side.
    #[error("the other side has no actor to measure with within 10 s")]
    NotFound,
    /// The other side is gone or does not answer in time.
    #[error("the other side does not answer")]
    NoAnswer,
}

#[derive(RactorClusterMessage)]
enum RawMessage {
    Tell(Vec<u8>),
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    #[rpc]
    Count(RpcReplyPort<u64>),
}

struct RawActor;

impl Actor for RawActor {
    type Msg = RawMessage;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<RawMessage>, (): ()) -> Result<u64, ActorProcessingErr> {
        ractor::pg::join(GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<RawMessage>,
        message: RawMessage,
        told: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RawMessage::Tell(_) => *told += 1,
            RawMessage::Echo(bytes, reply) => drop(reply.send(bytes)),
            RawMessage::Count(reply) => drop(reply.send(*told)),
        }
        Ok(())
    }
}

struct Plain<S>(S);

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> ClusterBidiStream for Plain<S> {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (reader, writer) = tokio::io::split(self.0);
        (Box::new(reader), Box::new(writer))
    }
}

async fn node_server(identity: &Identity) -> Result<ActorRef<NodeServerMessage>, RawError> {
    let name = identity.name().to_string();
    let server = NodeServer::new(
        0,
        COOKIE.to_owned(),
        name.clone(),
        name,
        Some(IncomingEncryptionMode::Tls(impassable()?)),
        Some(NodeConnectionMode::Isolated),
    );
    let server = server.with_listen_addr(Ipv4Addr::LOCALHOST.into());
    Ok(Actor::spawn(None, server, ()).await?.0)
}

/// Serves on a free port of loopback until the process ends.
pub async fn serve(identity: &Identity) -> Result<SocketAddr, RawError> {
    Actor::spawn(None, RawActor, ()).await?;
    let server = node_server(identity).await?;
    let tls = Tls::new(identity)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tasks::spawn("raw acceptor", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let accepted = async {
                stream.set_nodelay(true)?;
                tls.acceptor.accept(stream).await
            };
            if let Ok(stream) = accepted.await {
                let stream = Box::new(Plain(stream));
                drop(server.cast(NodeServerMessage::ConnectionOpenedExternal {
                    stream,
                    is_server: true,
                }));
            }
        }
    });
    Ok(address)
}

/// The measuring side.
pub struct RawPeer {
    actor: ActorRef<RawMessage>,
}

impl RawPeer {
    /// Connects and finds the actor.
    pub async fn connect(identity: &Identity, address: SocketAddr) -> Result<Self, RawError> {
        let server = node_server(identity).await?;
        let tls = Tls::new(identity)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = Box::new(Plain(tls.connector.connect(any_node(), stream).await?));
        let opened = server.cast(NodeServerMessage::ConnectionOpenedExternal {
            stream,
            is_server: false,
        });
        opened.map_err(|_| RawError::NoAnswer)?;
        let find = async {
            loop {
                let members = ractor::pg::get_members(&GROUP.to_owned());
                let remote = |cell: &ractor::ActorCell| matches!(cell.get_id(), ActorId::Remote { .. });
                if let Some(cell) = members.into_iter().find(remote) {
                    return ActorRef::from(cell);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let actor = tokio::time::timeout(FIND_DEADLINE, find).await;
        let actor = actor.map_err(|_| RawError::NotFound)?;
        Ok(Self { actor })
    }

    /// Asks one question after another; the first tenth is not counted.
    pub async fn ask_latency(&self, bytes: usize, rounds: usize) -> Result<Latency, RawError> {
        let rounds = rounds.clamp(1, MAX_ROUNDS);
        let mut times = Vec::with_capacity(rounds);
        for round in 0..rounds + rounds / 10 {
            let question = vec![7; bytes];
            let began = Instant::now();
            let answer = self
                .actor
                .call(|reply| RawMessage::Echo(question, reply), Some(ASK_DEADLINE))
                .await;
            answer
                .ok()
                .and_then(|answer| answer.success_or(()).ok())
                .ok_or(RawError::NoAnswer)?;
            if round >= rounds / 10 {
                times.push(began.elapsed());
            }
        }
        Ok(Latency::of(times).expect("at least one round was timed"))
    }

    /// Tells as fast as it goes, with nothing that holds the sender back, and waits until all are handled.
    pub async fn tell_rate(&self, bytes: usize, messages: u64) -> Result<Rate, RawError> {
        let before = self.count().await?;
        let began = Instant::now();
        for sent in 0..messages {
            let told = self.actor.cast(RawMessage::Tell(vec![7; bytes]));
            told.map_err(|_| RawError::NoAnswer)?;
            if sent % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let handled = loop {
            let handled = self.count().await? - before;
            if handled == messages {
                break handled;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        Ok(Rate {
            messages: handled,
            took: began.elapsed(),
            held_back: 0,
        })
    }

    async fn count(&self) -> Result<u64, RawError> {
        let answer = self.actor.call(RawMessage::Count, Some(COUNT_DEADLINE)).await;
        answer
            .ok()
            .and_then(|answer| answer.success_or(()).ok())
            .ok_or(RawError::NoAnswer)
    }
}
