use super::*;
use crate::protocol::FaultSpec;

fn command(line: &str) -> Command {
    parse(line).expect("a command").expect("not empty")
}

#[test]
fn json_in_a_line_needs_no_quotes() {
    for line in [
        r#"call user:greeter greet {"name": "Ada Lovelace", "tags": ["a b"]}"#,
        r#"call user:greeter 'greet {"name": "Ada Lovelace", "tags": ["a b"]}'"#,
    ] {
        let Command::Call { message, timeout } = command(line) else {
            panic!("a call")
        };
        let (kind, json) = message.kind_and_json();
        assert_eq!(kind, "greet");
        assert_eq!(json, r#"{"name": "Ada Lovelace", "tags": ["a b"]}"#);
        assert_eq!(timeout, Duration::from_secs(2));
    }
}

#[test]
fn a_message_without_fields_is_an_empty_object() {
    let Command::Call { message, .. } = command("call ops-1 agent.status --timeout 500ms") else {
        panic!("a call")
    };
    assert_eq!(message.kind_and_json(), ("agent.status".to_owned(), "{}".to_owned()));
}

#[test]
fn an_identity_is_reset_by_name_and_without_a_question_on_demand() {
    for (line, sure) in [("reset-identity ops-1", false), ("reset-identity ops-1 --yes", true)] {
        let Command::ResetIdentity { agent, yes } = command(line) else {
            panic!("a reset")
        };
        assert_eq!((agent.to_string().as_str(), yes), ("ops-1", sure));
    }
}

#[test]
fn stall_spin_is_two_words_or_one() {
    for line in ["inject stall spin a#l48/observe", "inject stall-spin a#l48/observe"] {
        let Command::Inject(inject) = command(line) else {
            panic!("an injection")
        };
        let target: Address = "a#l48/observe".parse().expect("an address");
        assert_eq!(inject.fault(), Some((&target, FaultSpec::StallSpin)));
    }
}

#[test]
fn a_wrong_line_says_what_was_expected() {
    for (line, expected) in [
        ("frieze ops-1 L4.8", "freeze"),
        ("freeze ops-1 L5", "expected L3, L4.5, L4.8, L4.9 or L6"),
        ("freeze Ops L4.8", "first a letter or digit"),
        (
            "authority ops-1 L4.8 big",
            "expected frozen, shadow, advisory, half or full",
        ),
        ("describe @n1", "expected @node/role"),
        ("call a b --timeout 5", "expected a number with ms, s or m"),
        (
            "spawn x --env moon",
            "expected host, sim:DIMENSIONS:SEED, trace:FILE or custom:NAME",
        ),
        ("spawn x --env sim:65:1", "expected 1 to 64"),
        ("inject delay a --ms 0", "1..=60000"),
        ("inject panic a --count 3", "unexpected argument '--count'"),
        ("call 'a", "closing"),
    ] {
        let error = parse(line).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert!(matches!(
        parse(&"x".repeat(MAX_LINE_BYTES + 1)),
        Err(LineError::TooLong(_))
    ));
}

#[test]
fn empty_lines_and_comments_are_nothing() {
    for line in ["", "   ", "# nodes"] {
        assert!(parse(line).expect("no error").is_none());
    }
}

#[test]
fn help_lists_every_command_and_an_example_of_each() {
    let help = parse("help").expect_err("help comes as an error");
    assert!(help.is_help());
    for name in names() {
        assert!(help.to_string().contains(&name), "{name}");
        if !matches!(name.as_str(), "help" | "exit") {
            let one = parse(&format!("help {name}"))
                .expect_err("help comes as an error")
                .to_string();
            assert!(one.contains("Example"), "{name}: {one}");
        }
    }
}
