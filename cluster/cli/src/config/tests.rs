use super::*;
use std::path::Path;

const MINIMAL: &str = "name = \"n1\"\ndata = \"d\"\ncertificates = \"c\"\n";

fn parse(text: &str, settings: &[&str]) -> Result<NodeConfig, ConfigError> {
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    NodeConfig::parse("node.toml", text, [], &settings)
}

fn refused(text: &str, settings: &[&str]) -> String {
    parse(text, settings).expect_err("refused").to_string()
}

#[test]
fn the_example_for_people_is_a_good_file() {
    let text = include_str!("../../../../deploy/node.toml");
    let config = parse(text, &[]).expect("valid");
    assert_eq!((config.members.len(), config.agents.len()), (2, 2));
}

#[test]
fn what_is_written_reads_back() {
    let text = format!(
        "{MINIMAL}[[members]]\nname = \"n2\"\naddress = \"127.0.0.1:7102\"\nzone = \"b\"\n\
         [store]\nsecrets = \"s\"\ntls = {{ certificate = \"c\", key = \"k\" }}\n\
         voters = [{{ node = \"n2\", replica = \"10.0.0.2:1\", client = \"10.0.0.2:2\" }}]\n\
         [[agents]]\nagent = \"ops-1\"\n"
    );
    let config = parse(&text, &[]).expect("valid");
    assert_eq!(config.members[0].zone, "b");
    assert_eq!(parse(&config.to_toml(), &[]).expect("valid"), config);
}

#[test]
fn settings_win_over_variables_and_variables_over_the_file() {
    let variables = [
        ("RUNGS_LOG".to_owned(), "warn".to_owned()),
        ("RUNGS_ZONE".to_owned(), "z2".to_owned()),
    ];
    let settings = ["log=rungs_mesh=debug".to_owned(), "allow_faults=true".to_owned()];
    let text = format!("{MINIMAL}log = \"info\"\n");
    let config = NodeConfig::parse("node.toml", &text, variables, &settings).expect("valid");
    assert_eq!(
        (config.log.as_str(), config.zone.as_str(), config.allow_faults),
        ("rungs_mesh=debug", "z2", true)
    );
}

#[test]
fn a_setting_can_give_what_the_file_lacks() {
    let config = parse("name = \"n1\"\ndata = \"d\"\n", &["certificates=c"]).expect("valid");
    assert_eq!(config.certificates, Path::new("c"));
}

/// Keys of a file, each with a value that is wrong: what follows the place in the error.
const WRONG: &[(&str, &str)] = &[
    // Not TOML.
    ("region = [", "unclosed array, expected `]`"),
    ("region eu", "key with no value, expected `=`"),
    ("name = \"n2\"", "duplicate key"),
    // Unknown keys.
    (
        "lisetn = \"127.0.0.1:1\"",
        "unknown field `lisetn`, expected one of `name`, `listen`, `data`, `certificates`, `region`, `zone`, `allow_faults`, `log`, `log_format`, `store`, `members`, `agents`; did you mean `listen`?",
    ),
    (
        "colour = \"red\"",
        "unknown field `colour`, expected one of `name`, `listen`, `data`, `certificates`, `region`, `zone`, `allow_faults`, `log`, `log_format`, `store`, `members`, `agents`",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", wieght = 2 }]",
        "unknown field `wieght`, expected one of `name`, `address`, `weight`, `zone`; did you mean `weight`?",
    ),
    (
        "agents = [{ agent = \"a\", rate = 2.0 }]",
        "unknown field `rate`, expected one of `agent`, `environment`, `rate_hz`, `seed`, `particles`, `phase_deadline_ms`, `highest`, `cpu_quota`, `group`, `rests_after_s`",
    ),
    // Wrong types.
    ("listen = 7101", "invalid type: integer `7101`, expected a string"),
    ("region = 1", "invalid type: integer `1`, expected a string"),
    ("zone = true", "invalid type: boolean `true`, expected a string"),
    (
        "allow_faults = \"yes\"",
        "invalid type: string \"yes\", expected a boolean",
    ),
    ("log = 3", "invalid type: integer `3`, expected a string"),
    (
        "log_format = \"xml\"",
        "unknown variant `xml`, expected `text` or `json`",
    ),
    ("members = \"n2\"", "invalid type: string \"n2\", expected a sequence"),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", weight = \"big\" }]",
        "invalid type: string \"big\", expected a whole number from 0",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", weight = -1 }]",
        "invalid value: integer `-1`, expected a whole number from 0",
    ),
    ("members = [{ name = \"x\" }]", "missing field `address`"),
    ("agents = [{ seed = 1 }]", "missing field `agent`"),
    (
        "agents = [{ agent = \"a\", rate_hz = \"fast\" }]",
        "invalid type: string \"fast\", expected a number",
    ),
    (
        "agents = [{ agent = \"a\", seed = -1 }]",
        "invalid value: integer `-1`, expected a whole number from 0",
    ),
    (
        "agents = [{ agent = \"a\", environment = \"moon\" }]",
        "unknown variant `moon`, expected one of `host`, `trace`, `playback`, `sim`, `scenario`, `custom`",
    ),
    (
        "agents = [{ agent = \"a\", group = 1 }]",
        "invalid type: integer `1`, expected a string",
    ),
    (
        "agents = [{ agent = \"a\", group = \"Web\" }]",
        "an agent name has 'W' at position 1; expected a-z, 0-9, '-' or '_', first a letter or digit",
    ),
    (
        "agents = [{ agent = \"a\", highest = \"L7\" }]",
        "unknown variant `L7`, expected one of `L3`, `L4.5`, `L4.8`, `L4.9`, `L6`",
    ),
    // Addresses and names.
    (
        "listen = \"here\"",
        "\"here\" is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101",
    ),
    (
        "listen = \"127.0.0.1:65536\"",
        "\"127.0.0.1:65536\" is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1\" }]",
        "\"127.0.0.1\" is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:0\" }]",
        "node.toml: members, x, address: 127.0.0.1:0; expected a port from 1 to 65535",
    ),
    // Ranges.
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", weight = 0 }]",
        "node.toml: members, x, weight: 0; expected 1 to 1000",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", weight = 1001 }]",
        "node.toml: members, x, weight: 1001; expected 1 to 1000",
    ),
    (
        "agents = [{ agent = \"a\", rate_hz = 0.0 }]",
        "node.toml: agents, a: rate_hz is 0; expected 0.1 to 1000",
    ),
    (
        "agents = [{ agent = \"a\", rate_hz = nan }]",
        "node.toml: agents, a: rate_hz is NaN; expected 0.1 to 1000",
    ),
    (
        "agents = [{ agent = \"a\", particles = 9 }]",
        "node.toml: agents, a: particles is 9; expected 10 to 10000",
    ),
    (
        "agents = [{ agent = \"a\", phase_deadline_ms = 60001 }]",
        "node.toml: agents, a: phase_deadline_ms is 60001; expected 1 to 60000",
    ),
    (
        "agents = [{ agent = \"a\", highest = \"L6\" }]",
        "node.toml: agents, a: highest is L6; expected L4.5, L4.8 or L4.9",
    ),
    (
        "log = \"a=b=c\"",
        "node.toml: log: \"a=b=c\"; expected levels such as info or rungs_mesh=debug, separated by commas",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\", zone = \"a b\" }]",
        "node.toml: members, x, zone: \"a b\"; expected 1 to 63 visible ASCII characters",
    ),
    // The store of a cluster.
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\" }]",
        "node.toml: store: absent; expected [store] with secrets and 1, 3 or 5 voters, the same on all members: a cluster has one store",
    ),
    ("store = 1", "invalid type: integer `1`, expected struct StoreConfig"),
    ("store = { voters = [] }", "missing field `secrets`"),
    ("store = { secrets = \"s\" }", "missing field `voters`"),
    (
        "store = { secrets = \"s\", voters = [], voter = 1 }",
        "unknown field `voter`, expected one of `secrets`, `tls`, `voters`; did you mean `voters`?",
    ),
    (
        "store = { secrets = \"s\", voters = [{ node = \"n1\", replica = \"here\", client = \"127.0.0.1:2\" }] }",
        "\"here\" is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101",
    ),
    (
        "store = { secrets = \"s\", tls = { key = \"k\" }, voters = [] }",
        "missing field `certificate`",
    ),
    (
        "store = { secrets = \"s\", voters = [] }",
        "node.toml: store, voters: 0; expected 1, 3 or 5",
    ),
    (
        "store = { secrets = \"s\", voters = [{ node = \"n7\", replica = \"127.0.0.1:1\", client = \"127.0.0.1:2\" }] }",
        "node.toml: store, voters: n7; expected a member: n1",
    ),
    (
        "store = { secrets = \"s\", voters = [{ node = \"n1\", replica = \"127.0.0.1:1\", client = \"127.0.0.1:1\" }] }",
        "node.toml: store, n1, client: 127.0.0.1:1 twice; expected an address that nothing else has",
    ),
    (
        "store = { secrets = \"s\", voters = [{ node = \"n1\", replica = \"127.0.0.1:0\", client = \"127.0.0.1:1\" }] }",
        "node.toml: store, n1, replica: 127.0.0.1:0; expected a port from 1 to 65535",
    ),
    (
        "store = { secrets = \"s\", voters = [{ node = \"n1\", replica = \"127.0.0.1:1\", client = \"10.0.0.1:1\" }] }",
        "node.toml: store, n1, client: 10.0.0.1:1; expected a loopback address, or store.tls with certificate and key: this node is a voter",
    ),
    // Twice.
    (
        "store = { secrets = \"s\", voters = [{ node = \"n1\", replica = \"127.0.0.1:1\", client = \"127.0.0.1:2\" }, { node = \"n1\", replica = \"127.0.0.1:3\", client = \"127.0.0.1:4\" }, { node = \"n1\", replica = \"127.0.0.1:5\", client = \"127.0.0.1:6\" }] }",
        "node.toml: store, voters: n1 twice; expected each member once",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\" }, { name = \"x\", address = \"127.0.0.1:2\" }]",
        "node.toml: members: x twice; expected each name once",
    ),
    (
        "members = [{ name = \"x\", address = \"127.0.0.1:1\" }, { name = \"y\", address = \"127.0.0.1:1\" }]",
        "node.toml: members: 127.0.0.1:1 twice; expected each address once",
    ),
    (
        "agents = [{ agent = \"a\" }, { agent = \"default/a\" }]",
        "node.toml: agents: a twice; expected each name once",
    ),
];

#[test]
fn each_wrong_value_in_a_file_is_told_with_its_place_and_what_was_expected() {
    for (line, expected) in WRONG {
        let error = refused(&format!("{MINIMAL}{line}\n"), &[]);
        let key = line.split([' ', '=']).next().expect("a key");
        if expected.starts_with("node.toml") {
            assert_eq!(error, *expected, "{line}");
        } else {
            // File and line first, then the line itself, then what is wrong with it.
            assert!(
                error.starts_with("node.toml: TOML parse error at line 4, column "),
                "{line}: {error}"
            );
            assert!(error.contains(key), "{line}: {error}");
            assert!(error.ends_with(&format!("\n{expected}")), "{line}: {error}");
        }
    }
}

#[test]
fn a_wrong_name_or_a_missing_key_is_told_with_its_place() {
    for (text, expected) in [
        ("name = \"N1\"\n", "first a letter or digit"),
        ("name = \"n1\"\n", "missing field `data`"),
        ("name = \"n1\"\ndata = \"d\"\n", "missing field `certificates`"),
        ("data = 1\n", "invalid type: integer `1`, expected path string"),
        ("", "missing field `name`"),
    ] {
        let error = refused(text, &[]);
        assert!(
            error.starts_with("node.toml: TOML parse error at line 1"),
            "{text}: {error}"
        );
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn each_wrong_setting_or_variable_is_told_by_its_name() {
    for (setting, expected) in [
        (
            "colour",
            "--set colour: expected KEY=VALUE, such as allow_faults=true or log=debug",
        ),
        (
            "allow_faults=7",
            "--set allow_faults=7: invalid type: integer `7`, expected a boolean in `allow_faults`",
        ),
        (
            "listen=here",
            "--set listen=here: \"here\" is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101 in `listen`",
        ),
        (
            "log=a=b=c",
            "--set log=a=b=c: log: \"a=b=c\"; expected levels such as info or rungs_mesh=debug, separated by commas",
        ),
        (
            "log_format=xml",
            "--set log_format=xml: unknown variant `xml`, expected `text` or `json` in `log_format`",
        ),
        (
            "name=N1",
            "--set name=N1: a node name has 'N' at position 1; expected a-z, 0-9, '-' or '_', first a letter or digit",
        ),
        ("nmae=n1", "did you mean `name`?"),
        (
            "agents=[{agent=\"a\",particles=1}]",
            "--set agents=[{agent=\"a\",particles=1}]: agents, a: particles is 1; expected 10 to 10000",
        ),
    ] {
        let error = parse(MINIMAL, &["region=eu", setting]).expect_err("refused");
        assert!(error.is_usage(), "{setting}");
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("--set {setting}:")) && error.contains(expected),
            "{setting}: {error}"
        );
        let Some((key, value)) = setting.split_once('=') else {
            continue;
        };
        let name = format!("RUNGS_{}", key.to_ascii_uppercase());
        let variable = [(name.clone(), value.to_owned())];
        let error = NodeConfig::parse("node.toml", MINIMAL, variable, &[]).expect_err("refused");
        assert!(!error.is_usage(), "{name}");
        assert!(
            error.to_string().starts_with(&format!("{name}={value}: ")),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_wrong_file_is_not_blamed_on_a_setting() {
    let error = refused(&format!("{MINIMAL}log = 3\n"), &["region=eu"]);
    assert!(error.starts_with("node.toml: TOML parse error at line 4"), "{error}");
}

#[test]
fn more_than_a_configuration_may_have_is_refused() {
    let members: String = (1..=1001)
        .map(|n| format!("[[members]]\nname = \"n{n}\"\naddress = \"127.0.0.1:{n}\"\n"))
        .collect();
    let error = refused(&format!("{MINIMAL}{members}"), &[]);
    assert_eq!(error, "node.toml: members: 1001; expected at most 1000");
    let agents: String = (1..=10_001)
        .map(|n| format!("[[agents]]\nagent = \"a{n}\"\n"))
        .collect();
    let error = refused(&format!("{MINIMAL}{agents}"), &[]);
    assert_eq!(error, "node.toml: agents: 10001; expected at most 10000");
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_told_by_its_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("node.toml");
    let load = || NodeConfig::load(&file, [], &[]).expect_err("refused").to_string();
    let name = file.display().to_string();
    assert!(
        load().starts_with(&format!("{name}: cannot read: No such file")),
        "{}",
        load()
    );
    std::fs::write(&file, b"name = \"n1\"\nregion = \"\xff\"\n").expect("written");
    assert_eq!(load(), format!("{name}, line 2: not UTF-8; expected a text in TOML"));
    std::fs::write(&file, "#".repeat(MAX_CONFIG_BYTES as usize + 1)).expect("written");
    assert_eq!(
        load(),
        format!("{name}: more than 1048576 bytes; expected at most that")
    );
    std::fs::remove_file(&file).expect("it is there");
    std::fs::create_dir(&file).expect("nothing is there");
    assert!(load().starts_with(&format!("{name}: cannot read: ")), "{}", load());
}

#[test]
fn voters_are_members_with_addresses_of_their_own() {
    let member = |n: u8| format!("[[members]]\nname = \"n{n}\"\naddress = \"127.0.0.1:{n}\"\n");
    let voter = |n: u8| {
        format!("[[store.voters]]\nnode = \"n{n}\"\nreplica = \"127.0.0.1:1{n}\"\nclient = \"127.0.0.1:2{n}\"\n")
    };
    let text = |members: &[u8], voters: &[u8]| {
        let (members, voters): (String, String) = (
            members.iter().copied().map(member).collect(),
            voters.iter().copied().map(voter).collect(),
        );
        format!("{MINIMAL}{members}[store]\nsecrets = \"s\"\n{voters}")
    };
    for voters in [[1].as_slice(), &[2], &[3, 1, 2], &[5, 4, 3, 2, 1]] {
        let config = parse(&text(&[1, 2, 3, 4, 5], voters), &[]).expect("valid");
        let place = voters.iter().position(|voter| *voter == 1);
        let store = config.store.expect("it is there");
        assert_eq!((store.place_of(&config.name), store.is_encrypted()), (place, false));
    }
    for voters in [[1, 2].as_slice(), &[1, 2, 3, 4]] {
        let error = refused(&text(&[1, 2, 3, 4], voters), &[]);
        assert!(error.ends_with("expected 1, 3 or 5"), "{error}");
    }
    let error = refused(&text(&[1, 2], &[1, 2, 3]), &[]);
    assert_eq!(error, "node.toml: store, voters: n3; expected a member: n1, n2");
    // A client needs no certificate to reach voters elsewhere.
    let elsewhere = text(&[1, 2], &[2]).replace("127.0.0.1:12", "10.0.0.2:12");
    let config = parse(&elsewhere, &[]).expect("valid");
    assert!(config.store.expect("it is there").is_encrypted());
}
