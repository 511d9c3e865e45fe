use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rungs_types::Address;

fn full<'a>(from: &'a Address, to: &'a Address) -> Envelope<'a, &'a Address> {
    Envelope {
        class: Class::Ask,
        sequence: 7,
        deadline: Some(Duration::from_millis(1500)),
        trace: Some((0xabcd, 0xef)),
        message_id: Some(MessageId(uuid::Uuid::from_u128(42))),
        from: Some(from),
        to: Some(to),
        map: Some(77),
        body: Some(Body {
            kind: "agent.freeze",
            version: 3,
            format: Format::Json,
            bytes: b"{}",
        }),
    }
}

#[test]
fn every_field_reads_back() {
    let from: Address = "acme/ops-1#l48/observe".parse().expect("an address");
    let to: Address = "@n2/directory".parse().expect("an address");
    let sent = full(&from, &to);
    let mut bytes = Vec::new();
    sent.encode(&mut bytes);
    let read = Envelope::decode(&bytes).expect("decodes");
    assert_eq!(read.from, Some("acme/ops-1#l48/observe"));
    assert_eq!(read.to, Some("@n2/directory"));
    assert_eq!(
        (read.class, read.sequence, read.deadline, read.trace, read.message_id),
        (sent.class, sent.sequence, sent.deadline, sent.trace, sent.message_id)
    );
    assert_eq!((read.map, read.body), (Some(77), sent.body));
}

#[test]
fn the_layout_is_the_documented_one() {
    let to: Address = "a".parse().expect("an address");
    let mut tell = Envelope::new(Class::Tell, 0x0102);
    tell.to = Some(&to);
    tell.body = Some(Body {
        kind: "k",
        version: 1,
        format: Format::Binary,
        bytes: &[9],
    });
    let mut bytes = Vec::new();
    tell.encode(&mut bytes);
    let expected = [
        2, // tell
        0x30, 0, // target and payload
        2, 1, 0, 0, 0, 0, 0, 0, // sequence
        1, 0, b'a', // target
        1, b'k', 1, 0, 9, // payload
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn an_envelope_cut_anywhere_in_its_header_is_refused() {
    let from: Address = "a".parse().expect("an address");
    let to: Address = "user:b".parse().expect("an address");
    let mut bytes = Vec::new();
    full(&from, &to).encode(&mut bytes);
    let header = bytes.len() - 2;
    for length in 0..header {
        assert!(Envelope::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn wrong_fields_are_named() {
    let base = [13, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(Envelope::decode(&base).map(|ping| ping.class), Ok(Class::Ping));
    let with = |index: usize, byte| {
        let mut bytes = base;
        bytes[index] = byte;
        Envelope::decode(&bytes).map(|_| ()).expect_err("refused")
    };
    assert_eq!(with(0, 0), EnvelopeError::Class { found: 0 });
    assert_eq!(with(0, 17), EnvelopeError::Class { found: 17 });
    assert_eq!(with(2, 1), EnvelopeError::Fields { found: 0x100 });
    assert_eq!(with(1, 0x10), EnvelopeError::Short { field: "target" });
    let trailing = [&base[..], &[0]].concat();
    assert_eq!(
        Envelope::decode(&trailing).map(|_| ()),
        Err(EnvelopeError::Trailing { left: 1 })
    );
    let not_text = [&[13, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], &[1, 0, 0xff]].concat();
    assert!(matches!(
        Envelope::decode(&not_text),
        Err(EnvelopeError::Text { field: "target", .. })
    ));
}

#[test]
fn a_hundred_thousand_damaged_envelopes_decode_without_a_panic() {
    let from: Address = "acme/ops-1#l48/observe".parse().expect("an address");
    let to: Address = "user:b".parse().expect("an address");
    let mut whole = Vec::new();
    full(&from, &to).encode(&mut whole);
    let mut rng = StdRng::seed_from_u64(1);
    for round in 0..100_000 {
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            (0..rng.random_range(0..80)).map(|_| rng.random()).collect()
        } else {
            whole.clone()
        };
        for _ in 0..rng.random_range(0..4) {
            if let Some(index) = bytes.len().checked_sub(1).map(|last| rng.random_range(0..=last)) {
                bytes[index] = rng.random();
            }
        }
        bytes.truncate(rng.random_range(0..=bytes.len()));
        if let Ok(envelope) = Envelope::decode(&bytes) {
            // What decodes encodes again to the same bytes: there is one form for each envelope.
            let mut again = Vec::new();
            envelope.encode(&mut again);
            let json_without_payload = envelope.body.is_none() && bytes[1] & 0x40 != 0;
            assert!(again == bytes || json_without_payload, "{bytes:?}");
        }
    }
}
