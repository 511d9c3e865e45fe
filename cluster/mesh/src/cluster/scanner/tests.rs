use super::*;

/// A field with these bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len() & 0x7f).expect("seven bits");
    let mut bytes = vec![number << 3 | 2];
    if content.len() < 128 {
        bytes.push(length);
    } else {
        bytes.extend([length | 0x80, u8::try_from(content.len() >> 7).expect("short")]);
    }
    bytes.extend_from_slice(content);
    bytes
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u64).to_be_bytes()[..], body].concat()
}

fn control(number: u8, content: &[u8]) -> Vec<u8> {
    framed(&field(3, &field(number, content)))
}

/// Announces so many actors.
fn spawn(count: usize) -> Vec<u8> {
    control(1, &field(1, &[8, 7]).repeat(count))
}

fn join(count: usize) -> Vec<u8> {
    let actors = field(2, &[8, 7]).repeat(count);
    control(5, &[field(1, b"rungs-gateway"), actors, field(3, b"scope")].concat())
}

fn feed(stream: &[u8]) -> Result<u64, Violation> {
    let now = Instant::now();
    Scanner::new(now).feed(stream, now)
}

#[test]
fn messages_are_counted_however_the_stream_is_cut() {
    let message = framed(&field(2, &[9; 300]));
    let ping = control(3, &field(1, &[8, 1]));
    let empty = framed(&field(2, &[]));
    let stream = [
        message.clone(),
        ping,
        spawn(2),
        join(2),
        empty,
        control(9, &[]),
        message,
    ]
    .concat();
    let now = Instant::now();
    for step in [1, 2, 7, 8, 9, 100, stream.len()] {
        let mut scanner = Scanner::new(now);
        let messages: u64 = stream
            .chunks(step)
            .map(|chunk| scanner.feed(chunk, now).expect("well formed"))
            .sum();
        assert_eq!((messages, scanner.announced), (3, 4), "{step} bytes at a time");
    }
    assert_eq!(feed(&stream[..stream.len() - 1]), Ok(2));
}

#[test]
fn no_more_actors_are_announced_than_the_limit_by_whatever_frames() {
    let announced = MAX_ANNOUNCED_ACTORS + 1;
    assert_eq!(feed(&spawn(MAX_ANNOUNCED_ACTORS)), Ok(0));
    assert_eq!(feed(&spawn(announced)), Err(Violation::Announced { announced }));
    let in_two = [spawn(MAX_ANNOUNCED_ACTORS), join(1)].concat();
    assert_eq!(feed(&in_two), Err(Violation::Announced { announced }));
}

#[test]
fn control_frames_are_counted_by_the_window() {
    let now = Instant::now();
    let pings = |count: u32| control(3, &field(1, &[8, 1])).repeat(count as usize);
    let mut scanner = Scanner::new(now);
    assert_eq!(scanner.feed(&pings(MAX_CONTROL_FRAMES), now), Ok(0));
    assert_eq!(scanner.feed(&pings(MAX_CONTROL_FRAMES), now + CONTROL_WINDOW), Ok(0));
    assert_eq!(scanner.feed(&pings(1), now + CONTROL_WINDOW), Err(Violation::Control));
}

#[test]
fn what_could_be_read_in_two_ways_or_is_no_nodes_is_not_let_through() {
    let (announces, message) = (field(3, &field(1, &field(1, &[8, 7]))), field(2, &[9]));
    let two_in_one = [message.clone(), announces.clone()].concat();
    let twice = field(3, &[field(3, &[]), field(1, &field(1, &[8, 7]))].concat());
    let behind_unknown = [vec![0x20, 1], announces].concat();
    let cut = field(3, &[0x0a, 5, 1]);
    let bodies = [
        Vec::new(),
        two_in_one,
        twice,
        behind_unknown,
        cut,
        vec![0x18, 1],
        field(4, &[]),
        field(3, &field(7, &[])),
        field(3, &field(8, &[])),
        field(3, &field(1, &[0x0b])),
        vec![0xff; 20],
    ];
    for body in bodies {
        assert_eq!(feed(&framed(&body)), Err(Violation::Form), "{body:x?}");
    }
}

#[test]
fn a_large_frame_is_refused_by_its_length_alone() {
    let bytes = MAX_SESSION_FRAME_BYTES as u64 + 1;
    assert_eq!(feed(&bytes.to_be_bytes()[..7]), Ok(0));
    assert_eq!(feed(&bytes.to_be_bytes()), Err(Violation::Large { bytes }));
}

#[test]
fn the_head_needs_the_length_and_the_first_byte() {
    let bytes = framed(&[0x0a, 1]);
    assert_eq!(head(&bytes[..8]), None);
    let expected = Head {
        bytes: 10,
        carries: Carries::Authentication,
    };
    assert_eq!(head(&bytes[..9]), Some(expected));
    let empty = Head {
        bytes: 8,
        carries: Carries::Other,
    };
    assert_eq!(head(&framed(&[])), Some(empty));
    let huge = [&u64::MAX.to_be_bytes()[..], &[0x12]].concat();
    assert_eq!(head(&huge).map(|head| head.bytes), Some(u64::MAX));
}
