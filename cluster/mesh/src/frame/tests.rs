use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn batch(lane: Lane, number: u64, envelopes: &[&[u8]]) -> Vec<u8> {
    let mut frame = Vec::new();
    begin_batch(&mut frame, lane, number);
    for envelope in envelopes {
        append(&mut frame, |out| out.extend_from_slice(envelope));
    }
    seal(frame).to_vec()
}

fn accept(assembler: &mut Assembler, frame: Vec<u8>) -> Result<Content, FrameError> {
    match Frame::read(frame.into())? {
        Frame::Numbered(frame) => assembler.accept(frame),
        Frame::Link(envelope) => Ok(Content::Whole(envelope)),
    }
}

fn read(assembler: &mut Assembler, frame: Vec<u8>) -> Result<Vec<Vec<u8>>, FrameError> {
    accept(assembler, frame)?
        .map(|envelope| envelope.map(|bytes| bytes.to_vec()))
        .collect()
}

#[test]
fn a_batch_gives_its_envelopes_back_in_order() {
    let frame = batch(Lane::Data, 0, &[b"one", b"", b"three"]);
    let expected: Vec<Vec<u8>> = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
    assert_eq!(read(&mut Assembler::default(), frame), Ok(expected));
}

#[test]
fn a_large_envelope_travels_in_parts_between_which_the_other_lanes_pass() {
    let envelope: Vec<u8> = (0..MAX_ENVELOPE_BYTES).map(|i| i as u8).collect();
    let frames: Vec<_> = split(&envelope, 0, 0).collect();
    assert_eq!(frames.len(), 65);
    assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME_BYTES));
    let (last, first) = frames.split_last().expect("65 frames");
    let mut assembler = Assembler::default();
    for (number, frame) in (0..).zip(first) {
        assert_eq!(read(&mut assembler, frame.to_vec()), Ok(Vec::new()));
        let between = read(&mut assembler, batch(Lane::Control, number, &[b"x"]));
        assert_eq!(between, Ok(vec![b"x".to_vec()]));
    }
    assert_eq!(read(&mut assembler, last.to_vec()), Ok(vec![envelope]));
    assert_eq!(assembler.received(), Counts([64, 0, 65]));
}

#[test]
fn a_repeated_frame_is_dropped_and_a_missing_one_is_named() {
    let mut assembler = Assembler::default();
    let first = batch(Lane::Data, 0, &[b"a"]);
    assert_eq!(read(&mut assembler, first.clone()), Ok(vec![b"a".to_vec()]));
    assert!(matches!(accept(&mut assembler, first), Ok(Content::Repeated)));
    let gap = read(&mut assembler, batch(Lane::Data, 2, &[b"c"]));
    assert_eq!(gap, Err(FrameError::Gap { found: 2, expected: 1 }));
    let other_lane = read(&mut assembler, batch(Lane::Control, 0, &[b"d"]));
    assert_eq!(other_lane, Ok(vec![b"d".to_vec()]));
}

#[test]
fn a_large_envelope_does_not_pass_the_messages_that_belong_before_it() {
    let part = split(&[1; 10], 0, 2).next().expect("a part");
    let mut assembler = Assembler::default();
    let early = read(&mut assembler, part.to_vec());
    assert_eq!(early, Err(FrameError::Gap { found: 2, expected: 0 }));
    for number in 0..2 {
        assert!(read(&mut assembler, batch(Lane::Data, number, &[b"a"])).is_ok());
    }
    assert_eq!(read(&mut assembler, part.to_vec()), Ok(vec![vec![1; 10]]));
}

#[test]
fn a_part_of_another_envelope_or_a_too_large_one_is_refused() {
    let mut assembler = Assembler::default();
    let first = split(&vec![7; 3 * MAX_FRAME_BYTES], 0, 0).next().expect("a part");
    let other = split(&vec![7; 2 * MAX_FRAME_BYTES], 1, 0).next().expect("a part");
    assert_eq!(read(&mut assembler, first.to_vec()), Ok(Vec::new()));
    assert!(matches!(
        read(&mut assembler, other.to_vec()),
        Err(FrameError::OutOfOrder { .. })
    ));
    let mut claim = Vec::new();
    begin(&mut claim, Lane::Bulk as u8, 0);
    claim.extend_from_slice(&u32::MAX.to_le_bytes());
    claim.extend_from_slice(&[0; 9]);
    let refused = read(&mut Assembler::default(), seal(claim).to_vec());
    assert!(matches!(refused, Err(FrameError::TooLarge { .. })));
}

#[test]
fn wrong_headers_are_named() {
    let refused = |layout: u8, kind: u8, rest: &[u8]| {
        let length = u8::try_from(10 + rest.len()).expect("short");
        let frame = [&[length, 0, 0, 0, layout, kind, 0, 0, 0, 0, 0, 0, 0, 0][..], rest].concat();
        read(&mut Assembler::default(), frame).expect_err("refused")
    };
    assert_eq!(refused(1, 1, &[]), FrameError::Layout { found: 1 });
    assert_eq!(refused(2, 9, &[]), FrameError::Kind { found: 9 });
    assert_eq!(refused(2, 2, &[0]), FrameError::Short { field: "length" });
    assert_eq!(refused(2, 2, &[5, 0, 0, 0, 1]), FrameError::Short { field: "envelope" });
    assert_eq!(refused(2, 3, &[0, 0, 0, 0]), FrameError::Short { field: "part" });
    let short = read(&mut Assembler::default(), vec![5, 0, 0, 0, 2, 1, 0, 0, 0]);
    assert_eq!(short, Err(FrameError::Short { field: "header" }));
    let longer = read(&mut Assembler::default(), vec![9, 0, 0, 0, 2, 1, 0, 0, 0]);
    assert_eq!(longer, Err(FrameError::Length { found: 5, claimed: 9 }));
    let huge = read(&mut Assembler::default(), vec![1; MAX_FRAME_BYTES + 1]);
    assert!(matches!(huge, Err(FrameError::TooLarge { .. })));
}

#[test]
fn a_hundred_thousand_damaged_frames_are_taken_in_without_a_panic() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut assembler = Assembler::default();
    let envelope = vec![3; 2 * MAX_FRAME_BYTES];
    for _ in 0..100_000 {
        let skip = u64::from(rng.random_ratio(1, 50));
        let mut frame = match rng.random_range(0..3) {
            0 => batch(Lane::Data, assembler.next.of(Lane::Data) + skip, &[b"one", b"two"]),
            1 => {
                let first = assembler.next.of(Lane::Bulk) + skip;
                split(&envelope, first, 0).next().expect("a part")[..rng.random_range(0..700)].to_vec()
            }
            _ => (0..rng.random_range(0..40)).map(|_| rng.random()).collect(),
        };
        if rng.random_ratio(1, 2) {
            frame.truncate(rng.random_range(0..=frame.len()));
        }
        if frame.len() > LENGTH_BYTES && rng.random_ratio(9, 10) {
            frame = seal(frame).to_vec();
        }
        if let Some(last) = frame.len().checked_sub(1) {
            let index = rng.random_range(0..=last);
            frame[index] = rng.random();
        }
        drop(read(&mut assembler, frame));
        assert!(assembler.parts.len() <= MAX_ENVELOPE_BYTES);
    }
}
