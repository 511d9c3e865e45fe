use super::*;
use crate::cluster::connection::{MAX_FRAMES_IN, Side};
use crate::cluster::data::Token;
use crate::cluster::tls::Proven;
use crate::role::Roles;
use rungs_types::NodeName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

struct Ends {
    connection: Arc<Connection>,
    token: oneshot::Receiver<Token>,
    reader: BoxRead,
    writer: BoxWrite,
    /// What the network and the peer see.
    peer: DuplexStream,
}

fn connection() -> (Arc<Connection>, oneshot::Receiver<Token>) {
    let proven = Proven {
        name: NodeName::new("n2").expect("a name"),
        roles: Roles::default(),
        certificate: vec![7].into(),
        expiry: crate::ca::now_unix() + SECOND * 3600,
        our_key: [1; 16],
        their_key: [2; 16],
    };
    let (sender, token) = oneshot::channel();
    (Arc::new(Connection::new(0, proven, Side::Dialed(sender))), token)
}

fn guarded() -> Ends {
    let (ours, peer) = tokio::io::duplex(256 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let (connection, token) = connection();
    let stream = Box::new(GuardedStream {
        connection: Arc::clone(&connection),
        reader,
        writer,
    });
    let (reader, writer) = stream.split();
    Ends {
        connection,
        token,
        reader,
        writer,
        peer,
    }
}

fn authenticated() -> Ends {
    let ends = guarded();
    ends.connection.set_authenticated("n2~1".parse().expect("a node id"));
    ends
}

/// A frame of so many bytes behind its length, with one field: 0x0a is authentication, 0x12 a message.
fn frame(field: u8, length: usize) -> Vec<u8> {
    let mut frame = (length as u64).to_be_bytes().to_vec();
    match length.checked_sub(2).expect("a field and its length") {
        content @ 0..128 => frame.extend([field, content as u8]),
        _ => frame.extend([field, (length - 3) as u8 & 0x7f | 0x80, ((length - 3) >> 7) as u8]),
    }
    frame.resize(8 + length, 7);
    frame
}

/// A frame that announces so many actors, at most 31.
fn announcement(actors: u8) -> Vec<u8> {
    let content = [0x0a, 2, 8, 7].repeat(usize::from(actors));
    let spawn = [&[0x0a, 4 * actors][..], &content].concat();
    let control = [&[0x1a, 4 * actors + 2][..], &spawn].concat();
    [&(control.len() as u64).to_be_bytes()[..], &control].concat()
}

fn ping() -> Vec<u8> {
    [&6_u64.to_be_bytes()[..], &[0x1a, 4, 0x1a, 2, 0x0a, 0][..]].concat()
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_noticed_after_15_s_and_pings_keep_a_link() {
    let mut ends = authenticated();
    let mut buffer = [0; 64];
    for _ in 0..10 {
        tokio::time::sleep(SECOND * 14).await;
        ends.peer.write_all(&ping()).await.expect("open");
        assert_eq!(ends.reader.read(&mut buffer).await.expect("open"), 14);
    }
    let began = Instant::now();
    let error = ends.reader.read(&mut buffer).await.expect_err("silent");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(ends.connection.reason(), "silent for 15 s");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_noticed_after_15_s() {
    let mut ends = authenticated();
    let began = Instant::now();
    let error = ends.writer.write_all(&vec![0; 1 << 20]).await.expect_err("stalled");
    assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 15));
    assert!(ends.connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_authenticate_has_5_s() {
    let mut ends = guarded();
    ends.peer.write_all(&frame(0x0a, 100)).await.expect("open");
    let mut buffer = [0; 64];
    let began = Instant::now();
    let mut read = 0;
    let error = loop {
        match ends.reader.read(&mut buffer).await {
            Ok(count) => read += count,
            Err(error) => break error,
        }
    };
    assert_eq!((read, began.elapsed().as_secs()), (108, 5));
    assert_eq!(error.to_string(), "not authenticated within 5 s");
}

#[tokio::test(start_paused = true)]
async fn before_authentication_only_a_little_authentication_passes() {
    let mut ends = guarded();
    let mut buffer = vec![0; 4096];
    ends.peer.write_all(&frame(0x0a, 700)).await.expect("open");
    assert_eq!(ends.reader.read(&mut buffer).await.expect("a name"), 708);
    ends.peer.write_all(&frame(0x0a, 700)).await.expect("open");
    let error = ends.reader.read(&mut buffer).await.expect_err("too much");
    assert_eq!(
        error.to_string(),
        "708 bytes before authentication; expected at most 316"
    );

    let mut ends = guarded();
    let claim = [&(16_u64 << 20).to_be_bytes()[..], &[0x0a]].concat();
    ends.peer.write_all(&claim).await.expect("open");
    let error = ends.reader.read(&mut buffer).await.expect_err("too much");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test(start_paused = true)]
async fn what_comes_right_behind_the_authentication_waits_for_its_end() {
    let mut ends = guarded();
    let [auth, announcement] = [frame(0x0a, 10), announcement(4)];
    ends.peer
        .write_all(&[&auth[..], &announcement].concat())
        .await
        .expect("open");
    let mut buffer = vec![0; 4096];
    assert_eq!(ends.reader.read(&mut buffer).await.expect("authentication"), 18);
    let waiting = tokio::time::timeout(SECOND, ends.reader.read(&mut buffer)).await;
    assert!(waiting.is_err(), "announcements wait");
    ends.connection.set_authenticated("n2~1".parse().expect("a node id"));
    let mut rest = vec![0; announcement.len()];
    ends.reader.read_exact(&mut rest).await.expect("the announcement");
    assert_eq!(rest, announcement);
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_not_read_while_frames_wait_to_be_handled() {
    let mut ends = authenticated();
    let (connection, reader) = (Arc::clone(&ends.connection), &mut ends.reader);
    let message = frame(0x12, 92);
    for _ in 0..100 {
        ends.peer.write_all(&message).await.expect("open");
    }
    let mut buffer = [0; 100];
    for _ in 0..MAX_FRAMES_IN {
        assert_eq!(reader.read_exact(&mut buffer).await.expect("open"), 100);
    }
    let waiting = tokio::time::timeout(SECOND, reader.read(&mut buffer)).await;
    assert!(waiting.is_err(), "nothing has come out yet");
    connection.frame(&[5; 32]);
    assert_eq!(reader.read(&mut buffer).await.expect("reads on"), 100);
    assert_eq!(ends.token.try_recv(), Ok([5; 32]));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_announces_too_many_actors_is_thrown_out_before_they_are_read() {
    let mut ends = authenticated();
    let mut buffer = [0; 256];
    for _ in 0..4 {
        ends.peer.write_all(&announcement(16)).await.expect("open");
        let count = ends.reader.read(&mut buffer).await.expect("as many as may be");
        assert_eq!(count, announcement(16).len());
    }
    ends.peer.write_all(&announcement(1)).await.expect("open");
    let error = ends.reader.read(&mut buffer).await.expect_err("one more");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(
        ends.connection.reason(),
        "it has announced 65 actors; expected at most 64"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_token_or_anything_else_ends_the_connection() {
    for second in [&[5; 32][..], &[5; 31]] {
        let ends = authenticated();
        ends.connection.frame(&[5; 32]);
        assert!(!ends.connection.is_closed());
        ends.connection.frame(second);
        assert_eq!(ends.connection.reason(), "a message that nobody waits for");
    }
}

#[derive(Default)]
struct Sink {
    closed: std::sync::atomic::AtomicU64,
}

impl crate::transport::LinkEvents for Sink {
    fn frame(&self, _: bytes::Bytes) {}

    fn writable(&self) {}

    fn closed(&self, _: &str) {
        self.closed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_lives_until_the_certificate_of_its_peer_ends() {
    let ends = authenticated();
    let began = Instant::now();
    ends.connection.until_expired_or_closed().await;
    assert_eq!(ends.connection.reason(), "the peer's certificate has expired");
    let took = began.elapsed();
    assert!(took > SECOND * 3590 && took <= SECOND * 3601, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_to_no_link_is_closed() {
    let ends = authenticated();
    let began = Instant::now();
    ends.connection.until_linked_or_closed().await;
    assert_eq!(
        (ends.connection.reason(), began.elapsed()),
        ("no data stream within 10 s", SECOND * 10)
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_once_and_both_halves_fail() {
    let mut ends = authenticated();
    let sink: Arc<Sink> = Arc::default();
    ends.connection
        .set_events(Arc::clone(&sink) as Arc<dyn crate::transport::LinkEvents>);
    let mut reader = ends.reader;
    let reading = rungs_host::tasks::spawn(
        "reader",
        async move { assert!(reader.read(&mut [0; 8]).await.is_err()) },
    );
    tokio::task::yield_now().await;
    ends.connection.close("over");
    ends.connection.close("over again");
    reading.await.expect("no panic");
    assert!(ends.writer.write(&[0]).await.is_err());
    assert_eq!(sink.closed.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(ends.connection.reason(), "over");
    ends.connection.until_closed().await;
}
