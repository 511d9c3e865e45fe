use super::*;
use crate::envelope::Body;
use crate::frame::Assembler;
use rungs_host::Format;

const PLENTY: Grant = Grant {
    messages: 1000,
    bytes: 1 << 30,
};

fn outgoing(window: Grant) -> Outgoing {
    let outgoing = Outgoing::new(Arc::default());
    outgoing.open_window(window);
    outgoing
}

fn tell(bytes: &[u8]) -> Envelope<'_, &'static Address> {
    let mut envelope = Envelope::new(Class::Tell, 0);
    envelope.body = Some(Body {
        kind: "k",
        version: 1,
        format: Format::Binary,
        bytes,
    });
    envelope
}

/// The contents of everything that is sent, and the number of frames.
fn sent(outgoing: &Outgoing) -> (Vec<Vec<u8>>, usize) {
    let mut assembler = Assembler::default();
    let frames: Vec<_> = std::iter::from_fn(|| outgoing.take()).collect();
    let count = frames.len();
    let envelopes = frames.into_iter().flat_map(|frame| {
        assert!(frame.len() <= MAX_FRAME_BYTES);
        assembler.accept(frame.into()).expect("a frame in order")
    });
    let content = |bytes: bytes::Bytes| {
        let envelope = Envelope::decode(&bytes).expect("an envelope");
        envelope.body.map_or(Vec::new(), |body| body.bytes.to_vec())
    };
    (envelopes.map(|bytes| content(bytes.expect("whole"))).collect(), count)
}

#[test]
fn what_comes_together_leaves_in_one_frame_in_order() {
    let outgoing = outgoing(PLENTY);
    for i in 0..100 {
        let number = outgoing.push_numbered(tell(&[i]), Sender::Task, |_| ()).expect("room");
        assert_eq!(number, u64::from(i));
    }
    let expected: Vec<_> = (0..100).map(|i| vec![i]).collect();
    assert_eq!(sent(&outgoing), (expected, 1));
    assert_eq!(outgoing.backlog().queued_bytes, 0);
}

#[test]
fn full_frames_and_large_messages_keep_the_order() {
    let outgoing = outgoing(PLENTY);
    let sizes = [10, 200_000, 100_000, 1_000_000, 5, MAX_FRAME_BYTES, 262_100, 1];
    for (i, size) in sizes.into_iter().enumerate() {
        outgoing
            .push_numbered(tell(&vec![i as u8; size]), Sender::Task, |_| ())
            .expect("room");
    }
    let (contents, _) = sent(&outgoing);
    let found: Vec<_> = contents.iter().map(|content| (content[0], content.len())).collect();
    let expected: Vec<_> = sizes.into_iter().enumerate().map(|(i, size)| (i as u8, size)).collect();
    assert_eq!(found, expected);
    assert_eq!(outgoing.backlog().queued_bytes, 0);
}

#[test]
fn without_room_in_the_window_a_message_is_refused_but_an_answer_is_not() {
    let outgoing = outgoing(Grant {
        messages: 2,
        bytes: 1000,
    });
    outgoing
        .push_numbered(tell(&[1; 10]), Sender::Task, |_| ())
        .expect("room");
    outgoing
        .push_numbered(tell(&[2; 10]), Sender::Task, |_| ())
        .expect("room");
    assert_eq!(
        outgoing.push_numbered(tell(&[3]), Sender::Task, |_| ()),
        Err(PushError::Full)
    );
    let reply = Envelope::new(Class::Reply, 5).with(&[4], Format::Binary);
    assert_eq!(outgoing.push(&reply, Sender::Task), Ok(()));
    let bytes = outgoing.backlog().outstanding_bytes;
    assert!(outgoing.released(Grant {
        messages: 1,
        bytes: bytes / 2
    }));
    outgoing
        .push_numbered(tell(&[3; 800]), Sender::Task, |_| ())
        .expect("one was worked off");
    assert!(outgoing.released(Grant { messages: 2, bytes }));
    let too_many_bytes = outgoing.push_numbered(tell(&[5; 300]), Sender::Task, |_| ());
    assert_eq!(too_many_bytes, Err(PushError::Full));
    assert_eq!(sent(&outgoing).0.len(), 4);
}

#[test]
fn a_peer_cannot_work_off_more_than_it_got() {
    let outgoing = outgoing(PLENTY);
    outgoing.push_numbered(tell(&[1]), Sender::Task, |_| ()).expect("room");
    assert!(!outgoing.released(Grant { messages: 2, bytes: 0 }));
    assert_eq!(outgoing.backlog().outstanding_messages, 1);
}

#[test]
fn what_waits_is_bounded_and_what_keeps_the_link_alive_has_a_reserve() {
    let outgoing = outgoing(PLENTY);
    let mebibyte = vec![0; 1 << 20];
    let taken = (0..100)
        .take_while(|_| outgoing.push_numbered(tell(&mebibyte), Sender::Task, |_| ()).is_ok())
        .count();
    assert_eq!(taken, 15);
    let refused = outgoing.push_numbered(tell(&mebibyte), Sender::Task, |_| ());
    assert_eq!(refused, Err(PushError::Full));
    assert_eq!(outgoing.push(&Envelope::new(Class::Pong, 0), Sender::Task), Ok(()));
    assert!(outgoing.backlog().queued_bytes <= MAX_QUEUED_BYTES as u64);
}

#[test]
fn what_no_peer_could_read_is_refused() {
    let outgoing = outgoing(PLENTY);
    let bytes = MAX_ENCODED_BYTES + 1;
    let large = outgoing.push_numbered(tell(&vec![0; bytes]), Sender::Task, |_| ());
    assert_eq!(large, Err(PushError::TooLarge { bytes }));
    let kind = "k".repeat(MAX_KIND_BYTES + 1);
    let mut long = tell(&[]);
    if let Some(body) = &mut long.body {
        body.kind = &kind;
    }
    let refused = outgoing.push_numbered(long, Sender::Task, |_| ());
    assert_eq!(refused, Err(PushError::Kind { bytes: 128 }));
    outgoing.close();
    assert_eq!(
        outgoing.push_numbered(tell(&[]), Sender::Task, |_| ()),
        Err(PushError::Closed)
    );
}
