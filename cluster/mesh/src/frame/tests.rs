use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn batch(number: u64, envelopes: &[&[u8]]) -> Vec<u8> {
    let mut frame = Vec::new();
    begin_batch(&mut frame, number);
    for envelope in envelopes {
        append(&mut frame, |out| out.extend_from_slice(envelope));
    }
    frame
}

fn read(assembler: &mut Assembler, frame: Vec<u8>) -> Result<Vec<Vec<u8>>, FrameError> {
    assembler
        .accept(frame.into())?
        .map(|envelope| envelope.map(|bytes| bytes.to_vec()))
        .collect()
}

#[test]
fn a_batch_gives_its_envelopes_back_in_order() {
    let frame = batch(0, &[b"one", b"", b"three"]);
    let expected: Vec<Vec<u8>> = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
    assert_eq!(read(&mut Assembler::default(), frame), Ok(expected));
}

#[test]
fn a_large_envelope_travels_in_parts_and_nothing_comes_in_between() {
    let envelope: Vec<u8> = (0..MAX_ENVELOPE_BYTES).map(|i| i as u8).collect();
    let frames: Vec<_> = split(&envelope, 0).collect();
    assert_eq!(frames.len(), 17);
    assert!(frames.iter().all(|frame| frame.len() <= MAX_FRAME_BYTES));
    let (last, first) = frames.split_last().expect("17 frames");
    let mut assembler = Assembler::default();
    for frame in first {
        assert_eq!(read(&mut assembler, frame.clone()), Ok(Vec::new()));
    }
    assert_eq!(read(&mut assembler, last.clone()), Ok(vec![envelope]));

    let mut assembler = Assembler::default();
    assert_eq!(read(&mut assembler, frames[0].clone()), Ok(Vec::new()));
    let between = read(&mut assembler, batch(1, &[b"x"]));
    assert!(matches!(between, Err(FrameError::OutOfOrder { found: 0, .. })));
}

#[test]
fn a_repeated_frame_is_dropped_and_a_missing_one_is_named() {
    let mut assembler = Assembler::default();
    assert_eq!(read(&mut assembler, batch(0, &[b"a"])), Ok(vec![b"a".to_vec()]));
    assert_eq!(read(&mut assembler, batch(0, &[b"a"])), Ok(Vec::new()));
    let gap = read(&mut assembler, batch(2, &[b"c"]));
    assert_eq!(gap, Err(FrameError::Gap { found: 2, expected: 1 }));
}

#[test]
fn a_part_of_another_envelope_or_a_too_large_one_is_refused() {
    let mut assembler = Assembler::default();
    let first = split(&vec![7; 3 * MAX_FRAME_BYTES], 0).next().expect("a part");
    let other = split(&vec![7; 2 * MAX_FRAME_BYTES], 1).next().expect("a part");
    assert_eq!(read(&mut assembler, first), Ok(Vec::new()));
    assert!(matches!(
        read(&mut assembler, other),
        Err(FrameError::OutOfOrder { .. })
    ));
    let mut claim = Vec::new();
    begin(&mut claim, PART, 0);
    claim.extend_from_slice(&u32::MAX.to_le_bytes());
    claim.push(1);
    let refused = read(&mut Assembler::default(), claim);
    assert!(matches!(refused, Err(FrameError::TooLarge { .. })));
}

#[test]
fn wrong_headers_are_named() {
    let refused = |layout: u8, shape: u8, rest: &[u8]| {
        let frame = [&[layout, shape, 0, 0, 0, 0, 0, 0, 0, 0][..], rest].concat();
        read(&mut Assembler::default(), frame).expect_err("refused")
    };
    assert_eq!(refused(2, 1, &[]), FrameError::Layout { found: 2 });
    assert_eq!(refused(1, 9, &[]), FrameError::Shape { found: 9 });
    assert_eq!(refused(1, 1, &[0]), FrameError::Short { field: "length" });
    assert_eq!(refused(1, 1, &[5, 0, 0, 0, 1]), FrameError::Short { field: "envelope" });
    assert_eq!(refused(1, 2, &[0, 0, 0, 0]), FrameError::Short { field: "part" });
    let short = read(&mut Assembler::default(), vec![1; 9]);
    assert_eq!(short, Err(FrameError::Short { field: "header" }));
    let huge = read(&mut Assembler::default(), vec![1; MAX_FRAME_BYTES + 1]);
    assert!(matches!(huge, Err(FrameError::TooLarge { .. })));
}

#[test]
fn a_hundred_thousand_damaged_frames_are_taken_in_without_a_panic() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut assembler = Assembler::default();
    let envelope = vec![3; 2 * MAX_FRAME_BYTES];
    for _ in 0..100_000 {
        let number = assembler.next + u64::from(rng.random_ratio(1, 50));
        let mut frame = match rng.random_range(0..3) {
            0 => batch(number, &[b"one", b"two"]),
            1 => split(&envelope, number).next().expect("a part")[..rng.random_range(0..700)].to_vec(),
            _ => (0..rng.random_range(0..40)).map(|_| rng.random()).collect(),
        };
        if let Some(last) = frame.len().checked_sub(1) {
            let index = rng.random_range(0..=last);
            frame[index] = rng.random();
        }
        frame.truncate(rng.random_range(0..=frame.len()));
        drop(read(&mut assembler, frame));
        assert!(assembler.parts.len() <= MAX_ENVELOPE_BYTES);
    }
}
