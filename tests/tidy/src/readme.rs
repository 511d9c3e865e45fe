//! The README's map of the code is true, and its commands are the ones CI runs.
//!
//! The map is written with whole paths in backquotes, such as `runtime/mind`.

use crate::Finding;
use crate::workspace::Package;

/// First segments of what counts as a path into the tree.
const HEADS: [&str; 9] = [
    "runtime/",
    "actors/",
    "cluster/",
    "examples/",
    "tests/",
    "deploy/",
    ".ci/",
    ".cargo/",
    ".github/",
];

/// The commands the README must show: the first run and the tests.
pub const COMMANDS: [&str; 2] = ["cargo run -- up --for 60s", "cargo test --workspace"];

/// Every path in the README that is not there, every crate it does not name, every command it lacks.
pub fn check(readme: &str, packages: &[Package], exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let named = paths(readme);
    let gone = named.iter().filter(|path| !exists(path));
    let gone = gone.map(|path| Finding::new("README.md", format!("names `{path}`, which does not exist")));
    let missing = packages.iter().filter(|package| !named.contains(&package.folder));
    let missing = missing.map(|package| Finding::new("README.md", format!("does not name `{}`", package.folder)));
    let commands = COMMANDS
        .iter()
        .filter(|command| !readme.lines().any(|line| line.trim() == **command));
    let commands = commands.map(|command| Finding::new("README.md", format!("has no line `{command}`")));
    gone.chain(missing).chain(commands).collect()
}

/// What stands in backquotes, or behind a link, and looks like a path into the tree.
fn paths(readme: &str) -> Vec<String> {
    let quoted = readme.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let linked = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let linked = linked.filter(|link| !link.contains("://") && !link.starts_with('#'));
    let linked = linked.map(|link| link.split('#').next().unwrap_or(link).to_owned());
    let in_tree = |text: &&str| {
        HEADS
            .iter()
            .any(|head| text.starts_with(head) || format!("{text}/") == *head)
    };
    let plain = |text: &&str| !text.contains([' ', '*', '{', '<', '…']);
    let quoted = quoted.filter(in_tree).filter(plain);
    let quoted = quoted.map(|path| path.trim_end_matches('/').to_owned());
    quoted.chain(linked).collect()
}

/// The test command as CI takes it from the README: the one line that begins with `cargo test`.
pub fn test_command(readme: &str) -> Option<&str> {
    let mut lines = readme
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("cargo test"));
    lines.next().filter(|_| lines.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str) -> Package {
        Package {
            name: String::new(),
            folder: folder.to_owned(),
            dependencies: vec![],
            reaches: [].into(),
            manifest: String::new(),
            roots: vec![],
        }
    }

    const GOOD: &str = "
        cargo run -- up --for 60s
        cargo test --workspace
        `runtime/mind/` decides, see [how](runtime/mind/README.md#how) and [crates](https://example.org/gone).
    ";

    fn found(readme: &str) -> Vec<String> {
        let exists = |path: &str| path == "runtime/mind" || path == "runtime/mind/README.md";
        let findings = check(readme, &[package("runtime/mind")], &exists);
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_true_map_is_clean() {
        assert!(found(GOOD).is_empty());
    }

    #[test]
    fn a_path_that_is_gone_and_a_crate_left_out_are_found() {
        assert_eq!(
            found(&format!("{GOOD} `runtime/gone`")),
            ["names `runtime/gone`, which does not exist"]
        );
        assert_eq!(
            found(&format!("{GOOD} [x](docs/gone.md)")),
            ["names `docs/gone.md`, which does not exist"]
        );
        assert_eq!(
            found(&GOOD.replace("`runtime/mind/`", "The mind")),
            ["does not name `runtime/mind`"]
        );
    }

    #[test]
    fn a_missing_readme_is_found() {
        assert_eq!(found("").len(), 3);
    }

    #[test]
    fn the_test_command_is_one_line() {
        assert_eq!(test_command(GOOD), Some("cargo test --workspace"));
        assert_eq!(test_command("cargo test -p a\ncargo test -p b"), None);
        assert_eq!(test_command(""), None);
    }
}
