use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    name: String,
}

impl Wire for Greet {
    const KIND: &'static str = "greet";
    const VERSION: u16 = 3;
    type Reply = u32;

    fn example() -> Self {
        Self { name: "Ada".into() }
    }
}

#[test]
fn a_message_is_the_same_in_both_formats() {
    for format in [Format::Binary, Format::Json] {
        let payload = Payload::of(&Greet::example(), format).expect("encodes");
        assert_eq!(
            (payload.kind.as_ref(), payload.version, payload.format),
            ("greet", 3, format)
        );
        assert_eq!(payload.decode::<Greet>(), Ok(Greet::example()));
    }
    let text = Payload::of(&Greet::example(), Format::Json).expect("encodes").bytes;
    assert_eq!(text, r#"{"name":"Ada"}"#);
}

#[test]
fn what_does_not_decode_says_what_was_wrong() {
    let refused = |format, bytes: &[u8]| decode::<Greet>(bytes, format).expect_err("refused");
    let unknown = refused(Format::Json, br#"{"nam":"Ada"}"#);
    assert_eq!(unknown.code, ErrorCode::Malformed);
    assert!(
        unknown.message.starts_with("unknown field `nam`, expected `name`"),
        "{unknown}"
    );
    assert_eq!(refused(Format::Json, b"").code, ErrorCode::Malformed);
    assert_eq!(
        refused(Format::Json, "[".repeat(100_000).as_bytes()).code,
        ErrorCode::Malformed
    );
    assert_eq!(refused(Format::Binary, b"").code, ErrorCode::Malformed);
    assert_eq!(refused(Format::Binary, &[2, 0]).code, ErrorCode::Incompatible);
    let too_large = vec![b' '; MAX_ENCODED_BYTES + 1];
    for format in [Format::Binary, Format::Json] {
        assert_eq!(refused(format, &too_large).code, ErrorCode::TooLarge);
    }
}

#[test]
fn what_is_too_large_is_not_sent_either() {
    let name = "x".repeat(MAX_ENCODED_BYTES);
    for format in [Format::Binary, Format::Json] {
        let refused = Payload::of(&Greet { name: name.clone() }, format).expect_err("refused");
        assert_eq!(refused.code, ErrorCode::TooLarge, "{format:?}");
    }
}

#[test]
fn a_refusal_is_cut_between_characters() {
    let refusal = Refusal::new(ErrorCode::Refused, &"é".repeat(MAX_REFUSAL_BYTES));
    assert_eq!(refusal.message, "é".repeat(MAX_REFUSAL_BYTES / 2));
    let odd = Refusal::new(ErrorCode::Refused, &format!("a{}", "é".repeat(MAX_REFUSAL_BYTES)));
    assert_eq!(odd.message.len(), MAX_REFUSAL_BYTES - 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_comes_in_the_format_of_its_request() {
    for format in [Format::Binary, Format::Json] {
        let (sender, answer) = oneshot::channel();
        Reply::bytes::<Greet>(format, sender).send(Ok(7));
        let payload = answer.await.expect("answered").expect("a reply");
        assert_eq!(
            (payload.kind.as_ref(), payload.version, payload.format),
            ("greet", 3, format)
        );
        assert_eq!(payload.decode::<u32>(), Ok(7));
    }
    let (sender, answer) = oneshot::channel();
    let refusal = Refusal::new(ErrorCode::Refused, "no");
    Reply::bytes::<Greet>(Format::Json, sender).send(Err(refusal.clone()));
    assert_eq!(answer.await.expect("answered"), Err(refusal));
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_nobody_and_a_dropped_reply_are_no_errors() {
    Reply::<u32>::nowhere().send(Ok(1));
    let (reply, answer) = Reply::<u32>::local();
    drop(answer);
    reply.send(Ok(1));
    let (reply, answer) = Reply::<u32>::local();
    drop(reply);
    answer.await.expect_err("none will come");
}

#[test]
fn a_reply_that_cannot_be_encoded_is_a_refusal_and_not_silence() {
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Big;
    impl Wire for Big {
        const KIND: &'static str = "big";
        type Reply = String;
        fn example() -> Self {
            Self
        }
    }
    let (sender, mut answer) = oneshot::channel();
    Reply::bytes::<Big>(Format::Binary, sender).send(Ok("x".repeat(MAX_ENCODED_BYTES)));
    let refusal = answer.try_recv().expect("answered").expect_err("too large");
    assert_eq!(refusal.code, ErrorCode::TooLarge);
}

#[test]
fn a_wrong_value_in_json_is_told_with_its_field() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(rename = "level")]
        _level: rungs_types::Level,
        #[serde(default, rename = "note")]
        _note: String,
    }
    for (text, expected) in [
        ("{\"level\":5}", "field `level`: expected value"),
        (
            "{\"note\":\"a \\\" b:\",\"level\":\n\"L9\"}",
            "field `level`: unknown variant `L9`",
        ),
        (
            "{\"level\":\"L3\",\"note\":[1]}",
            "field `note`: invalid type: sequence, expected a string",
        ),
        (
            "{\"level\":\"L3\",\"noet\":1}",
            "unknown field `noet`, expected `level` or `note`",
        ),
        ("{}", "missing field `level`"),
        ("5", "invalid type: integer `5`, expected struct Order"),
        ("{\"level\":", "EOF while parsing a value"),
    ] {
        let refusal = decode::<Order>(text.as_bytes(), Format::Json).expect_err("refused");
        assert_eq!(refusal.code, ErrorCode::Malformed, "{text}");
        assert!(refusal.message.starts_with(expected), "{text}: {}", refusal.message);
    }
}
