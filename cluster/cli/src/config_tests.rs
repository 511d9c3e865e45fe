use super::*;

const MINIMAL: &str = "name = \"n1\"\ndata = \"d\"\ncertificates = \"c\"\n";

fn parse(text: &str, settings: &[&str]) -> Result<NodeConfig, ConfigError> {
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    NodeConfig::parse("node.toml", text, [], &settings)
}

fn refused(text: &str, settings: &[&str]) -> String {
    parse(text, settings).expect_err("refused").to_string()
}

#[test]
fn what_is_written_reads_back() {
    let text =
        format!("{MINIMAL}[[members]]\nname = \"n2\"\naddress = \"127.0.0.1:7102\"\n[[agents]]\nagent = \"ops-1\"\n");
    let config = parse(&text, &[]).expect("valid");
    assert_eq!(parse(&config.to_toml(), &[]).expect("valid"), config);
}

#[test]
fn a_wrong_key_or_value_names_file_line_and_key() {
    let error = refused(&format!("{MINIMAL}wieght = 2\n"), &[]);
    assert!(
        error.contains("node.toml") && error.contains("line 4") && error.contains("wieght"),
        "{error}"
    );
    let error = refused(&format!("{MINIMAL}listen = \"here\"\n"), &[]);
    assert!(error.contains("line 4") && error.contains("listen"), "{error}");
    let error = refused("name = \"N1\"\n", &[]);
    assert!(error.contains("first a letter or digit"), "{error}");
    let error = refused("name = \"n1\"\n", &[]);
    assert!(error.contains("missing field `data`"), "{error}");
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
fn a_setting_can_give_what_the_file_lacks_but_not_invent_keys() {
    let config = parse("name = \"n1\"\ndata = \"d\"\n", &["certificates=c"]).expect("valid");
    assert_eq!(config.certificates, Path::new("c"));
    assert!(refused(MINIMAL, &["colour=red"]).contains("colour"));
    assert!(refused(MINIMAL, &["colour"]).contains("expected key=value"));
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (line, expected) in [
        (
            "[[members]]\nname = \"x\"\naddress = \"127.0.0.1:1\"\nweight = 0",
            "members, weight: 0; expected 1 to 1000",
        ),
        ("[[agents]]\nagent = \"a\"\nrate_hz = 0.0", "agents, a: rate_hz is 0"),
        (
            "[[members]]\nname = \"x\"\naddress = \"127.0.0.1:1\"\n[[members]]\nname = \"x\"\naddress = \"127.0.0.1:2\"",
            "members: x twice",
        ),
    ] {
        let error = refused(&format!("{MINIMAL}{line}\n"), &[]);
        assert!(error.contains(expected), "{line}: {error}");
    }
}
