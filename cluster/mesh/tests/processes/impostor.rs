//! A program that has the certificate of n2 and ractor_cluster, but not our transport.

use ractor::Actor;
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{
    BoxRead, BoxWrite, ClusterBidiStream, IncomingEncryptionMode, NodeEventSubscription, NodeServer, NodeServerMessage,
};
use rungs_mesh::Identity;
use rungs_mesh::cluster::tls::{Tls, any_node, impassable};
use rungs_types::NodeName;
use std::path::Path;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

struct Plain(tokio_rustls::client::TlsStream<TcpStream>);

impl ClusterBidiStream for Plain {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (reader, writer) = tokio::io::split(self.0);
        (Box::new(reader), Box::new(writer))
    }
}

struct Ends(mpsc::UnboundedSender<()>);

impl NodeEventSubscription for Ends {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {
        self.0.send(()).ok();
    }
}

/// Connects as session `name` with the right or a wrong cookie, and says when it was thrown out.
pub(crate) async fn run(dir: &Path, name: &str, cookie: &str, address: &str) {
    let identity = Identity::load(dir, &NodeName::new("n2").expect("a name")).expect("an identity");
    let cookie = match cookie {
        "right" => std::fs::read_to_string(dir.join("ca/cookie")).expect("a cookie"),
        wrong => wrong.to_owned(),
    };
    let closed = Some(IncomingEncryptionMode::Tls(impassable().expect("a listener")));
    let mode = Some(NodeConnectionMode::Isolated);
    let server = NodeServer::new(0, cookie, name.to_owned(), name.to_owned(), closed, mode);
    let server = server.with_listen_addr(std::net::Ipv4Addr::LOCALHOST.into());
    let (server, _) = Actor::spawn(None, server, ()).await.expect("starts");
    let (ended, mut ends) = mpsc::unbounded_channel();
    let subscription = Box::new(Ends(ended));
    let id = "ends".to_owned();
    server
        .cast(NodeServerMessage::SubscribeToEvents { id, subscription })
        .expect("runs");
    let stream = TcpStream::connect(address).await.expect("connects");
    let tls = Tls::new(&identity).expect("a configuration");
    let stream = tls
        .connector
        .connect(any_node(), stream)
        .await
        .expect("a certificate of the cluster");
    let stream = Box::new(Plain(stream));
    let opened = NodeServerMessage::ConnectionOpenedExternal {
        stream,
        is_server: false,
    };
    server.cast(opened).expect("runs");
    ends.recv().await.expect("runs");
    println!("= thrown out");
}
