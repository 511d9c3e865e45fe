//! The gateway: the only kind of actor that other nodes can send to. It has no name and is found through its process
//! group; its message is bytes.
//!
//! It carries what the two ends of a connection have to tell each other beside the frames of the mesh, which travel on a
//! stream of their own (see [`super::data`]): the token of that stream. ractor_cluster does not say from which session a
//! message comes, so every message ends with the key of its connection, which only the two ends of its TLS session know
//! (see [`super::tls`]). One without a known key is dropped.
//!
//! Supervised by the transport's supervisor; a gateway that fails takes all links with it, because what it was handling
//! is unknown.

use super::connection::Connection;
use super::tls::KEY_BYTES;
use dashmap::DashMap;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef};
use std::sync::Arc;

/// Gateways of a node. The messages of one peer all go to the same one, which keeps their order.
pub const GATEWAYS: usize = 2;
/// Gateways of a peer that are considered.
const MAX_GATEWAYS: usize = 16;
/// The process group of all gateways.
const GROUP: &str = "rungs-gateway";

/// A message with the key of its connection behind it.
pub(crate) struct Frame(pub(crate) Vec<u8>);

impl ractor::Message for Frame {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Cast {
            variant: String::new(),
            args: self.0,
            metadata: None,
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } => Ok(Self(args)),
            SerializedMessage::Call { .. } | SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// The open connections, by the key that marks the messages of their peer.
pub(crate) type ByKey = Arc<DashMap<[u8; KEY_BYTES], Arc<Connection>>>;

/// See the module.
pub(crate) struct Gateway {
    pub(crate) connections: ByKey,
}

impl Gateway {
    /// Starts a gateway and lets it be found.
    pub(crate) async fn start(connections: ByKey, supervisor: ActorCell) -> Result<ActorCell, ractor::SpawnErr> {
        let (gateway, _) = Actor::spawn_linked(None, Gateway { connections }, (), supervisor).await?;
        let gateway = gateway.get_cell();
        ractor::pg::join(GROUP.to_owned(), vec![gateway.clone()]);
        Ok(gateway)
    }

    /// The gateway of a peer, by ractor_cluster's number of the session with it, for what `sender` sends.
    pub(crate) fn of_session(node_id: u64, sender: &str) -> Option<ActorRef<Frame>> {
        let mut gateways: Vec<_> = ractor::pg::get_members(&GROUP.to_owned())
            .into_iter()
            .filter_map(|cell| match cell.get_id() {
                ActorId::Remote { node_id: of, pid } if of == node_id => Some((pid, cell)),
                ActorId::Remote { .. } | ActorId::Local(_) => None,
            })
            .take(MAX_GATEWAYS)
            .collect();
        gateways.sort_by_key(|(pid, _)| *pid);
        let spread = sender.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let index = spread.checked_rem(gateways.len())?;
        Some(ActorRef::from(gateways.swap_remove(index).1))
    }
}

impl Actor for Gateway {
    type Msg = Frame;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Frame>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Frame>, Frame(bytes): Frame, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Some((message, key)) = bytes.split_last_chunk::<KEY_BYTES>() else {
            return Ok(());
        };
        // The guard of the table is not held while the message is handled.
        let connection = self.connections.get(key).map(|connection| Arc::clone(&connection));
        if let Some(connection) = connection {
            connection.frame(message);
        }
        Ok(())
    }
}

/// The process ids of the live actors of this node that other nodes can send to. They are all gateways.
pub fn remotable_actors() -> Vec<u64> {
    let cells = ractor::registry::get_all_pids();
    cells
        .iter()
        .filter(|cell| cell.get_id().is_local() && cell.supports_remoting())
        .map(|cell| cell.get_id().pid())
        .collect()
}

/// The process ids of the live gateways of this node.
pub fn gateways() -> Vec<u64> {
    let cells = ractor::pg::get_local_members(&GROUP.to_owned());
    cells.iter().map(|cell| cell.get_id().pid()).collect()
}
