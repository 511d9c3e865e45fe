use super::open::OpenError;
use super::*;
use crate::ca::Ca;
use crate::cluster::Shared;
use crate::cluster::connection::Side;
use crate::cluster::tls::{Proven, Tls, any_node, proven_as_client, proven_as_server};
use crate::identity::Identity;
use crate::mesh::Peers;
use crate::role::Role;
use crate::transport::Uplink;
use arc_swap::ArcSwap;
use rungs_host::tasks;
use rungs_types::{NodeId, NodeName};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Hands what comes over the links of one node to the test.
struct Inbox {
    links: Mutex<Vec<Arc<dyn Link>>>,
    frames: mpsc::UnboundedSender<Bytes>,
}

struct Arriving(mpsc::UnboundedSender<Bytes>);

impl LinkEvents for Arriving {
    fn frame(&self, frame: Bytes) {
        self.0.send(frame).ok();
    }

    fn writable(&self) {}

    fn closed(&self, _: &str) {}
}

impl Uplink for Inbox {
    fn link_up(&self, link: Arc<dyn Link>) -> Arc<dyn LinkEvents> {
        self.links.lock().expect("no panic").push(link);
        Arc::new(Arriving(self.frames.clone()))
    }

    fn peers(&self) -> watch::Receiver<Peers> {
        watch::channel(Peers::default()).1
    }
}

struct End {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    frames: mpsc::UnboundedReceiver<Bytes>,
}

fn id(text: &str) -> NodeId {
    text.parse().expect("a node id")
}

fn end(identity: &Identity) -> End {
    let (sender, frames) = mpsc::unbounded_channel();
    let inbox = Arc::new(Inbox {
        links: Mutex::default(),
        frames: sender,
    });
    let shared = Arc::new(Shared {
        node: id(&format!("{}~1", identity.name())),
        tls: ArcSwap::from_pointee(Tls::new(identity).expect("a configuration")),
        uplink: Arc::clone(&inbox) as Arc<dyn Uplink>,
        connections: Default::default(),
        offers: Offers::default(),
        next_id: AtomicU64::new(0),
        node_server: Mutex::new(None),
    });
    End { shared, inbox, frames }
}

/// n1, which accepts at the address, and n2 with a session between them; n3 has a certificate too.
struct Nodes {
    one: End,
    two: End,
    three: End,
    listener: TcpListener,
    at_one: Arc<Connection>,
    at_two: Arc<Connection>,
    _dir: tempfile::TempDir,
}

async fn nodes() -> Nodes {
    let dir = tempfile::tempdir().expect("a folder");
    let ca = Ca::create_or_load(dir.path()).expect("made");
    let identity = |name| {
        let name = NodeName::new(name).expect("a name");
        ca.issue(&name, &[Role::Member]).expect("issued")
    };
    let [one, two, three] = ["n1", "n2", "n3"].map(|name| end(&identity(name)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (accepted, dialed) = tokio::join!(listener.accept(), TcpStream::connect(address));
    let (tls_one, tls_two) = (one.shared.tls.load_full(), two.shared.tls.load_full());
    let (server, client) = tokio::join!(
        tls_one.acceptor.accept(accepted.expect("accepted").0),
        tls_two.connector.connect(any_node(), dialed.expect("connected"))
    );
    let (server, client) = (server.expect("shakes hands"), client.expect("shakes hands"));
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("free");
    let connection = |proven: Proven, side, node| {
        let connection = Arc::new(Connection::new(0, proven, side));
        connection.set_authenticated(id(node));
        connection
    };
    let at_one = proven_as_server(server.get_ref().1).expect("proven");
    let at_two = proven_as_client(client.get_ref().1).expect("proven");
    Nodes {
        at_one: connection(at_one, Side::Accepted { _place: place }, "n2~1"),
        at_two: connection(at_two, Side::Dialed(oneshot::channel().0), "n1~1"),
        one,
        two,
        three,
        listener,
        _dir: dir,
    }
}

impl Nodes {
    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    /// n1 accepts one data stream.
    async fn accept(&self) -> Result<(), OpenError> {
        let (stream, _) = self.listener.accept().await?;
        let stream = self.one.shared.tls.load_full().acceptor.accept(stream).await?;
        let proven = proven_as_server(stream.get_ref().1)?;
        accept(&self.one.shared, stream, &proven).await
    }

    async fn open(&self, by: &End, token: Token) -> Result<(), OpenError> {
        open::open(&by.shared, &self.at_two, self.address(), &token).await
    }
}

fn frame(number: u64) -> Bytes {
    frame::split(&vec![number as u8; 60_000], number, 0)
        .next()
        .expect("a frame")
}

#[tokio::test]
async fn frames_of_any_number_arrive_in_order_both_ways() {
    let mut nodes = nodes().await;
    let token = nodes.one.shared.offers.make(&nodes.at_one).expect("a token");
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, token));
    assert!(accepted.is_ok() && opened.is_ok(), "{accepted:?} {opened:?}");
    let count = 300;
    for (from, to) in [
        (&nodes.one.inbox, &mut nodes.two.frames),
        (&nodes.two.inbox, &mut nodes.one.frames),
    ] {
        let link = Arc::clone(&from.links.lock().expect("no panic")[0]);
        // More than sockets hold: the rest is left to the writer's task.
        for number in 0..count {
            link.send(frame(number)).expect("open");
        }
        assert!(!link.is_writable(), "18 MB are under way");
        for number in 0..count {
            assert!(to.recv().await == Some(frame(number)), "frame {number}");
        }
        assert_eq!(link.traffic().frames_out, count);
    }
    nodes.at_one.close("over");
    let ended = tokio::time::timeout(DATA_DEADLINE, nodes.at_two.until_closed()).await;
    assert!(ended.is_ok(), "the other end learns of it");
    let link = Arc::clone(&nodes.one.inbox.links.lock().expect("no panic")[0]);
    assert!(link.send(frame(0)).is_err());
}

#[tokio::test]
async fn a_token_is_good_once_and_only_if_it_was_offered() {
    let nodes = nodes().await;
    let token = nodes.one.shared.offers.make(&nodes.at_one).expect("a token");
    assert!(
        nodes.one.shared.offers.make(&nodes.at_one).is_err(),
        "one for each connection"
    );
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, [7; 32]));
    assert!(matches!(accepted, Err(OpenError::Token)) && opened.is_err());
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, token));
    assert!(accepted.is_ok() && opened.is_ok());
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, token));
    assert!(matches!(accepted, Err(OpenError::Token)) && opened.is_err());
    assert!(!nodes.at_one.is_closed(), "it has its stream");
}

#[tokio::test]
async fn a_token_with_another_certificate_ends_its_session() {
    let nodes = nodes().await;
    let token = nodes.one.shared.offers.make(&nodes.at_one).expect("a token");
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.three, token));
    assert!(matches!(accepted, Err(OpenError::Certificate)) && opened.is_err());
    assert_eq!(nodes.at_one.reason(), "another certificate came with its token");
}

#[tokio::test]
async fn the_token_of_a_closed_connection_is_good_for_nothing() {
    let nodes = nodes().await;
    let token = nodes.one.shared.offers.make(&nodes.at_one).expect("a token");
    nodes.at_one.close("over");
    nodes.one.shared.offers.withdraw(&nodes.at_one);
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, token));
    assert!(matches!(accepted, Err(OpenError::Token)) && opened.is_err());
}

#[tokio::test]
async fn bytes_that_are_no_frames_end_the_connection() {
    let nodes = nodes().await;
    let token = nodes.one.shared.offers.make(&nodes.at_one).expect("a token");
    let (accepted, opened) = tokio::join!(nodes.accept(), nodes.open(&nodes.two, token));
    assert!(accepted.is_ok() && opened.is_ok());
    let link = Arc::clone(&nodes.two.inbox.links.lock().expect("no panic")[0]);
    let closed = tasks::spawn("closed", {
        let connection = Arc::clone(&nodes.at_one);
        async move { connection.until_closed().await }
    });
    link.send(Bytes::from_static(&[0xff; 64])).expect("open");
    closed.await.expect("no panic");
    assert!(
        nodes.at_one.reason().contains("expected at most"),
        "{}",
        nodes.at_one.reason()
    );
}
