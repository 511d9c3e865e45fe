//! What the program says to wrong arguments, files and variables, and with which exit code it ends: 0 for ok, 1 for
//! failed, 2 for bad usage.

use rungs_test_support::{program, temp_dir};
use std::path::Path;
use tokio::process::Command;

const CONFIG: &str = "name = \"n1\"\ndata = \"data\"\ncertificates = \"certificates\"\n";

async fn run(dir: &Path, arguments: &[&str], variable: Option<(&str, &str)>) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(dir).envs(variable);
    let output = command.output().await.expect("the program runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn wrong_arguments_are_bad_usage_and_say_what_was_expected() {
    let dir = temp_dir("usage").expect("a folder can be made");
    std::fs::write(dir.path().join("node.toml"), CONFIG).expect("written");
    for (arguments, expected) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["nod"], "similar subcommand exists: 'node'"),
        (&["up", "--nodes", "0"], "0 is not in 1..=16"),
        (&["up", "--nodes", "17"], "17 is not in 1..=16"),
        (&["up", "--nodes", "three"], "invalid digit found in string"),
        (&["up", "--agents", "1001"], "1001 is not in 0..=1000"),
        (
            &["up", "--rate", "0"],
            "\"0\" is not a rate; expected a number from 0.1 to 1000",
        ),
        (
            &["up", "--rate", "NaN"],
            "\"NaN\" is not a rate; expected a number from 0.1 to 1000",
        ),
        (
            &["up", "--for", "5"],
            "\"5\" is not a duration; expected a number with ms, s or m",
        ),
        (&["up", "--for", "-5s"], "unexpected argument '-5'"),
        (&["up", "--color"], "unexpected argument '--color'"),
        (&["node"], "--config <CONFIG>"),
        (
            &["node", "--config", "node.toml", "--set", "colour"],
            "--set colour: expected KEY=VALUE",
        ),
        (
            &["node", "--config", "node.toml", "--set", "zon=z1"],
            "did you mean `zone`?",
        ),
        (
            &["node", "--config", "node.toml", "--set", "listen=here"],
            "expected IP:PORT",
        ),
        (&["shell", "--connect", "here"], "invalid socket address syntax"),
        (&["exec"], "<COMMAND>"),
        (
            &["bench", "moon"],
            "possible values: local, mesh, cycle, filter, agents, activation, freeze",
        ),
        (&["bench", "--runs", "0"], "0 is not in 1..=99"),
        (&["bench", "local", "--mind"], "cannot be used with"),
        (&["bench", "--labels", "labels.json"], "--dir <DIR>"),
        (
            &[
                "cert",
                "issue",
                "--dir",
                "certificates",
                "--name",
                "N1",
                "--role",
                "voter",
            ],
            "first a letter or digit",
        ),
        (
            &[
                "cert",
                "issue",
                "--dir",
                "certificates",
                "--name",
                "n1",
                "--role",
                "king",
            ],
            "expected voter, member or admin",
        ),
        (
            &["cert", "issue", "--dir", "certificates", "--name", "n1"],
            "--role <ROLES>",
        ),
        (&["completions", "tcsh"], "possible values: bash"),
    ] {
        let (code, error) = run(dir.path(), arguments, None).await;
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn what_fails_without_being_bad_usage_ends_with_1_and_names_file_or_variable() {
    let dir = temp_dir("failed").expect("a folder can be made");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("written");
    write("node.toml", CONFIG.as_bytes());
    write("key.toml", format!("{CONFIG}lisetn = \"127.0.0.1:1\"\n").as_bytes());
    write("bytes.toml", b"name = \"\xff\"\n");
    write("large.toml", "#".repeat((1 << 20) + 1).as_bytes());
    write("file", b"");
    for (arguments, variable, expected) in [
        (
            &["node", "--config", "none.toml"][..],
            None,
            "error: none.toml: cannot read: ",
        ),
        (
            &["node", "--config", "key.toml", "--check"],
            None,
            "error: key.toml: TOML parse error at line 4",
        ),
        (
            &["node", "--config", "key.toml", "--check"],
            None,
            "did you mean `listen`?",
        ),
        (
            &["node", "--config", "bytes.toml"],
            None,
            "error: bytes.toml, line 1: not UTF-8; expected a text in TOML",
        ),
        (
            &["node", "--config", "large.toml"],
            None,
            "error: large.toml: more than 1048576 bytes; expected at most that",
        ),
        (
            &["node", "--config", "node.toml", "--check"],
            Some(("RUNGS_ALLOW_FAULTS", "maybe")),
            "error: RUNGS_ALLOW_FAULTS=maybe: invalid type: string \"maybe\", expected a boolean in `allow_faults`",
        ),
        (
            &["node", "--config", "node.toml", "--check"],
            Some(("RUNGS_ZOEN", "z1")),
            "error: RUNGS_ZOEN=z1: unknown field `zoen`",
        ),
        (&["node", "--config", "node.toml"], None, "certificates"),
        (
            &["shell", "--data", "nowhere"],
            None,
            "start a cluster with `rungs up --data nowhere`",
        ),
        (
            &["exec", "nodes", "--data", "nowhere"],
            None,
            "start a cluster with `rungs up --data nowhere`",
        ),
        (&["up", "--data", "file"], None, "error: cannot make file"),
        (
            &["node", "--config", "node.toml", "--check"],
            None,
            "rungs cert issue --dir certificates --name n1 --role voter",
        ),
        (
            &["cert", "issue", "--dir", "nowhere", "--name", "n1", "--role", "voter"],
            None,
            "nowhere",
        ),
    ] {
        let (code, error) = run(dir.path(), arguments, variable).await;
        assert_eq!(code, Some(1), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn what_was_asked_for_and_done_ends_with_0() {
    let dir = temp_dir("fine").expect("a folder can be made");
    std::fs::write(dir.path().join("node.toml"), CONFIG).expect("written");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "up"],
        &["cert", "init", "--dir", "certificates"],
        &[
            "cert",
            "issue",
            "--dir",
            "certificates",
            "--name",
            "n1",
            "--role",
            "voter",
        ],
        &["node", "--config", "node.toml", "--set", "zone=z1", "--check"],
        &["completions", "bash"],
    ] {
        let (code, error) = run(dir.path(), arguments, None).await;
        assert_eq!((code, error.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
