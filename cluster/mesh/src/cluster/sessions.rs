//! ractor_cluster's sessions and our connections: who is whom, and when a data stream is offered.
//!
//! The callbacks run inside ractor_cluster's node server; they only look things up and send. A session that is not over
//! one of our connections, or whose name is not the certificate's, is stopped.

use super::connection::Connection;
use super::data::Offers;
use super::gateway::{ByKey, Frame, Gateway};
use super::stream::LABEL;
use dashmap::DashMap;
use ractor_cluster::NodeEventSubscription;
use ractor_cluster::node::NodeServerSessionInformation;
use rungs_types::{NodeId, NodeName};
use std::sync::Arc;

/// The connections of this node.
#[derive(Clone, Default)]
pub(crate) struct Connections {
    by_id: Arc<DashMap<u64, Arc<Connection>>>,
    pub(crate) by_key: ByKey,
}

impl Connections {
    pub(crate) fn insert(&self, connection: &Arc<Connection>) {
        self.by_key.insert(connection.proven.their_key, Arc::clone(connection));
        self.by_id.insert(connection.id, Arc::clone(connection));
    }

    pub(crate) fn remove(&self, connection: &Connection) {
        self.by_key.remove(&connection.proven.their_key);
        self.by_id.remove(&connection.id);
    }

    /// Closes all.
    pub(crate) fn close(&self, reason: &str) {
        let all: Vec<_> = self.by_id.iter().map(|entry| Arc::clone(&entry)).collect();
        for connection in all {
            connection.close(reason);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn of(&self, session: &NodeServerSessionInformation) -> Option<Arc<Connection>> {
        let id = session.peer_addr.strip_prefix(LABEL)?.parse().ok()?;
        self.by_id.get(&id).map(|entry| Arc::clone(&entry))
    }
}

/// Follows the sessions of the node server.
pub(crate) struct Sessions {
    pub(crate) node: NodeName,
    pub(crate) connections: Connections,
    pub(crate) offers: Offers,
}

/// The node id in a session's name, `id@id`.
fn named(session: &NodeServerSessionInformation) -> Option<NodeId> {
    let name = &session.peer_name.as_ref()?.name;
    name.split_once('@')?.0.parse().ok()
}

impl NodeEventSubscription for Sessions {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        match self.connections.of(&session) {
            Some(connection) => connection.set_session(session.actor),
            None => session.actor.stop(Some("not over a connection of the mesh".to_owned())),
        }
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        let Some(connection) = self.connections.of(&session) else {
            return;
        };
        match named(&session) {
            Some(node) if node.name == connection.proven.name => connection.set_authenticated(node),
            found => {
                let found = found.map_or("no node".to_owned(), |node| node.to_string());
                let text = format!(
                    "its session is that of {found}, its certificate that of {}",
                    connection.proven.name
                );
                tracing::warn!(reason = text, "peer refused");
                connection.close(&text);
            }
        }
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let Some(connection) = self.connections.of(&session).filter(|connection| connection.accepted) else {
            return;
        };
        let Some(gateway) = Gateway::of_session(session.node_id, self.node.as_str()) else {
            return connection.close("the peer has no gateway");
        };
        let offered = match self.offers.make(&connection) {
            Ok(token) => gateway.cast(Frame([&token[..], &connection.proven.our_key].concat())),
            Err(error) => return connection.close(&error.to_string()),
        };
        if offered.is_err() {
            connection.close("the peer's gateway has ended");
        }
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        if let Some(connection) = self.connections.of(&session) {
            connection.close("the session has ended");
        }
    }
}
