use super::*;
use crate::envelope::Body;
use crate::frame::{Assembler, Frame, MAX_FRAME_BYTES};
use rungs_host::Format;

const PLENTY: Grant = Grant {
    messages: 1000,
    bytes: 1 << 30,
};

fn outgoing(window: Grant) -> Outgoing {
    Outgoing::new(Arc::default(), window)
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

fn tell_to<'a>(to: &'a Address, bytes: &'a [u8]) -> Envelope<'a, &'a Address> {
    let mut envelope = Envelope::new(Class::Tell, 0);
    envelope.to = Some(to);
    envelope.body = tell(bytes).body;
    envelope
}

fn push(outgoing: &Outgoing, envelope: Envelope<'_, &Address>) -> Result<u64, PushError> {
    outgoing.push_numbered(envelope, Sender::Task, |_| ())
}

/// The contents of the frames that a peer takes in.
fn contents(assembler: &mut Assembler, frames: Vec<Bytes>) -> Vec<Vec<u8>> {
    let envelopes = frames.into_iter().flat_map(|frame| {
        assert!(frame.len() <= MAX_FRAME_BYTES);
        match Frame::read(frame).expect("a frame") {
            Frame::Numbered(frame) => assembler.accept(frame).expect("a frame in order"),
            Frame::Link(_) => panic!("a frame of a lane"),
        }
    });
    let content = |bytes: Bytes| {
        let envelope = Envelope::decode(&bytes).expect("an envelope");
        envelope.body.map_or(Vec::new(), |body| body.bytes.to_vec())
    };
    envelopes.map(|bytes| content(bytes.expect("whole"))).collect()
}

fn frames(outgoing: &Outgoing) -> Vec<Bytes> {
    std::iter::from_fn(|| outgoing.take()).collect()
}

/// The contents of everything that is sent, and the number of frames.
fn sent(outgoing: &Outgoing) -> (Vec<Vec<u8>>, usize) {
    let frames = frames(outgoing);
    let count = frames.len();
    (contents(&mut Assembler::default(), frames), count)
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
    assert_eq!(outgoing.backlog().queued_bytes(), 0);
}

#[test]
fn full_frames_and_large_messages_to_one_target_keep_the_order() {
    let outgoing = outgoing(PLENTY);
    let to = "ops-1".parse().expect("an address");
    let sizes = [10, 20_000, 31_000, 31_000, 1_000_000, 5, MAX_FRAME_BYTES, 31_000, 1];
    for (i, size) in sizes.into_iter().enumerate() {
        push(&outgoing, tell_to(&to, &vec![i as u8; size])).expect("room");
    }
    let (contents, _) = sent(&outgoing);
    let found: Vec<_> = contents.iter().map(|content| (content[0], content.len())).collect();
    let expected: Vec<_> = sizes.into_iter().enumerate().map(|(i, size)| (i as u8, size)).collect();
    assert_eq!(found, expected);
    assert_eq!(outgoing.backlog().queued, [Load::default(); 3]);
}

#[test]
fn answers_pass_messages_and_messages_to_others_pass_the_pieces_of_a_large_one() {
    let outgoing = outgoing(PLENTY);
    let [large, small] = ["ops-1", "ops-2"].map(|text| text.parse().expect("an address"));
    push(&outgoing, tell_to(&large, &vec![1; 4 << 20])).expect("room");
    push(&outgoing, tell_to(&large, &[2])).expect("room");
    let mut assembler = Assembler::default();
    let pieces: Vec<_> = (0..3).filter_map(|_| outgoing.take()).collect();
    assert_eq!(contents(&mut assembler, pieces), Vec::<Vec<u8>>::new());
    push(&outgoing, tell_to(&small, &[3])).expect("room");
    let reply = Envelope::new(Class::Reply, 5).with(&[4], Format::Binary);
    outgoing.push(&reply, Sender::Task).expect("room");
    let next: Vec<_> = (0..2).filter_map(|_| outgoing.take()).collect();
    assert_eq!(contents(&mut assembler, next), [vec![4], vec![3]]);
    let rest = contents(&mut assembler, frames(&outgoing));
    assert_eq!((rest.len(), rest[0].len(), &rest[1][..]), (2, 4 << 20, &[2][..]));
}

#[test]
fn pieces_of_a_large_message_are_not_held_up_by_messages_for_ever() {
    let outgoing = outgoing(PLENTY);
    let [large, small] = ["ops-1", "ops-2"].map(|text| text.parse().expect("an address"));
    push(&outgoing, tell_to(&large, &vec![1; BULK_FROM_BYTES])).expect("room");
    for _ in 0..40 {
        push(&outgoing, tell_to(&small, &vec![2; BULK_FROM_BYTES - 1])).expect("room");
    }
    let contents = sent(&outgoing).0;
    assert_eq!(contents.iter().position(|content| content[0] == 1), Some(8));
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order() {
    let outgoing = outgoing(PLENTY);
    let to = "ops-1".parse().expect("an address");
    let mut assembler = Assembler::default();
    for round in 0..4 {
        push(&outgoing, tell_to(&to, &[round])).expect("room");
        push(&outgoing, tell_to(&to, &vec![round; 100_000])).expect("room");
        let mut frames = frames(&outgoing);
        // The link breaks behind the first frame; what the peer says of it comes with the next link.
        frames.truncate(1);
        contents(&mut assembler, frames);
        assert!(outgoing.resume(assembler.received()));
    }
    let found = contents(&mut assembler, frames(&outgoing));
    let found: Vec<_> = found.iter().map(|content| (content[0], content.len())).collect();
    assert_eq!(found.last(), Some(&(3, 100_000)));
    assert!(found.is_sorted(), "{found:?}");
    let backlog = outgoing.backlog();
    assert!(backlog.resent_frames > 0 && backlog.unacknowledged.messages > 0);
    assert!(outgoing.acknowledged(assembler.received()));
    assert_eq!(outgoing.backlog().unacknowledged, Load::default());
}

#[test]
fn a_peer_cannot_acknowledge_more_than_it_got() {
    let outgoing = outgoing(PLENTY);
    push(&outgoing, tell(&[1])).expect("room");
    assert!(!outgoing.acknowledged(Counts([0, 1, 0])));
    assert!(!outgoing.resume(Counts([0, 0, 1])));
}

#[test]
fn a_full_resend_buffer_is_overloaded_and_says_so() {
    let window = Grant {
        messages: u64::MAX,
        bytes: u64::MAX,
    };
    let outgoing = outgoing(window);
    let mut kept = 0;
    let error = loop {
        match push(&outgoing, tell(&[1])) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        frames(&outgoing);
    };
    assert_eq!(
        (kept, error),
        (MAX_QUEUED_MESSAGES, PushError::Unacknowledged { messages: kept })
    );
    let refusal = error.refusal(&"n2~1".parse().expect("a node id"));
    assert_eq!(
        (refusal.code, refusal.retry_after_ms),
        (ErrorCode::Overloaded, Some(10))
    );
    assert!(refusal.message.contains("resend buffer"), "{refusal}");
    assert!(outgoing.acknowledged(outgoing.sent()));
    assert!(push(&outgoing, tell(&[1])).is_ok());
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
    assert_eq!(taken, 7);
    let refused = outgoing.push_numbered(tell(&mebibyte), Sender::Task, |_| ());
    assert_eq!(refused, Err(PushError::Full));
    assert_eq!(outgoing.push(&Envelope::new(Class::Grant, 0), Sender::Task), Ok(()));
    assert!(outgoing.backlog().queued_bytes() <= MAX_QUEUED_BYTES as u64);
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
