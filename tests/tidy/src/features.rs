//! One set of features: whichever command builds a package, cargo resolves it alike, so that nothing is built twice.
//!
//! Dev-dependencies turn features on that the program alone would not. Where they do, the program's crate names the
//! same dependency with the same features (see `package.metadata.tidy.features-only` in its manifest).

use crate::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// Package and version to the sets of features it is built with.
pub type Builds = BTreeMap<String, BTreeSet<String>>;

/// Arguments of the `cargo tree` that shows how `cargo run` builds.
pub const RUN: &[&str] = &[
    "tree",
    "--locked",
    "-p",
    "rungs",
    "-e",
    "normal,build",
    "--prefix",
    "none",
    "--no-dedupe",
    "-f",
    "{p}|{f}",
];
/// Arguments of the `cargo tree` that shows how `cargo test --workspace` builds.
pub const TEST: &[&str] = &[
    "tree",
    "--locked",
    "--workspace",
    "-e",
    "normal,build,dev",
    "--prefix",
    "none",
    "--no-dedupe",
    "-f",
    "{p}|{f}",
];

/// Reads the output of `cargo tree` with the format of [`RUN`] and [`TEST`].
pub fn parse(tree: &str) -> Builds {
    let mut builds = Builds::new();
    for (package, features) in tree.lines().filter_map(|line| line.split_once('|')) {
        let features = features.trim_end_matches(" (*)").to_owned();
        builds.entry(package.trim().to_owned()).or_default().insert(features);
    }
    builds
}

/// Every package that `cargo run` builds in a way that `cargo test` does not: it is compiled twice, and so is everything
/// that depends on it.
pub fn check(run: &Builds, test: &Builds) -> Vec<Finding> {
    run.iter()
        .flat_map(|(package, features)| {
            let in_tests = test.get(package).cloned().unwrap_or_default();
            let only_run: Vec<String> = features.difference(&in_tests).cloned().collect();
            only_run.into_iter().map(move |features| {
                let what = format!("`cargo run` builds it with [{features}], the tests with {in_tests:?} only");
                Finding::new(package, what)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_built_in_two_ways_is_found() {
        let run = parse("rungs v0.1.0|default\nrustix v1.1.6|fs,std (*)\nserde v1.0.0|derive\n\n");
        let same = parse("serde v1.0.0|derive\nrustix v1.1.6|fs,std\nrungs v0.1.0|default\nrustix v1.1.6|std\n");
        assert!(check(&run, &same).is_empty());
        let more = parse("serde v1.0.0|derive\nrustix v1.1.6|fs,std,termios\nrungs v0.1.0|default\n");
        let found = check(&run, &more);
        assert_eq!(
            found[0].to_string(),
            "rustix v1.1.6: `cargo run` builds it with [fs,std], the tests with {\"fs,std,termios\"} only"
        );
        assert_eq!(found.len(), 1);
    }
}
