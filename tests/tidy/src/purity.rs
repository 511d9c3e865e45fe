//! The pure crates: the same input gives the same output, on every machine, in every run.
//!
//! They reach no runtime, no input or output, no clock, no randomness but a seed's, and no order that hashing decides.
//! Test code and benchmarks of these crates are free.

use crate::Finding;
use crate::source::{Role, Source};
use crate::tokens::Path;
use crate::workspace::Package;

/// Folders of the crates this holds for.
const PURE: &[&str] = &["runtime/types", "runtime/mind", "runtime/learning", "runtime/policy"];

/// Packages they may not reach, however far.
const UNREACHED: &[&str] = &[
    "tokio",
    "tokio-util",
    "ractor",
    "ractor_cluster",
    "futures",
    "futures-executor",
    "async-std",
    "smol",
    "mio",
    "rungs-host",
];

/// Beginnings of paths they may not name.
const HEADS: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "env"],
    &["std", "thread"],
    &["std", "os"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["tokio"],
    &["ractor"],
    &["futures"],
    &["rand", "rng"],
    &["rand", "random"],
];

/// Segments they may not name anywhere.
const SEGMENTS: &[&str] = &[
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "RandomState",
    "thread_rng",
    "ThreadRng",
    "OsRng",
    "SysRng",
    "from_os_rng",
    "now_v7",
    "new_v4",
];

const MACROS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg", "thread_local"];

/// Everything impure that a pure crate's sources name.
pub fn check_sources(sources: &[Source]) -> Vec<Finding> {
    let pure = |source: &&Source| source.role == Role::Shipping && PURE.contains(&source.folder.as_str());
    sources
        .iter()
        .filter(pure)
        .flat_map(|source| {
            let paths = source.shipped_paths();
            let impure = paths.into_iter().filter(is_impure);
            impure.map(|path| source.finding(path.line, format!("`{}` in a pure crate", path.text())))
        })
        .collect()
}

fn is_impure(path: &Path) -> bool {
    let is_macro = path.is_macro && path.segments.last().is_some_and(|last| MACROS.contains(&last.as_str()));
    is_macro || HEADS.iter().any(|head| path.starts_with(head)) || SEGMENTS.iter().any(|segment| path.has(segment))
}

/// Every runtime that a pure crate reaches through its dependencies.
pub fn check_reach(packages: &[Package]) -> Vec<Finding> {
    let pure = packages
        .iter()
        .filter(|package| PURE.contains(&package.folder.as_str()));
    pure.flat_map(|package| {
        let reached = UNREACHED.iter().filter(|name| package.reaches.contains(**name));
        reached.map(|name| Finding::new(&package.folder, format!("is pure but reaches {name}")))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &str, role: Role, code: &str) -> Vec<String> {
        let source = Source::new("a.rs", folder, role, code).unwrap();
        check_sources(&[source]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_planted_impurity_is_found() {
        for code in [
            "use std::{collections::BTreeMap, fs};",
            "use std::net::TcpStream;",
            "fn f() { std::process::exit(1) }",
            "fn f() { std::env::var(\"A\"); }",
            "use std::thread;",
            "fn f() { let t = std::time::Instant::now(); }",
            "use std::time::SystemTime;",
            "fn f() -> HashMap<u8, u8> { loop {} }",
            "fn f() -> std::collections::HashSet<u8> { loop {} }",
            "use tokio::sync::mpsc;",
            "use ractor::Actor;",
            "use futures::Stream;",
            "fn f() { let r = rand::rng(); }",
            "fn f() { let r = rand::thread_rng(); }",
            "fn f() { select! { x => uuid::Uuid::now_v7() } }",
            "fn f() { println!(\"a\"); }",
        ] {
            assert_eq!(found("runtime/mind", Role::Shipping, code).len(), 1, "{code}");
        }
        assert_eq!(
            found("runtime/types", Role::Shipping, "\nuse std::fs;"),
            ["a.rs:2: `std::fs` in a pure crate"]
        );
    }

    #[test]
    fn pure_code_and_tests_and_other_crates_are_left_alone() {
        let code =
            "use std::{collections::BTreeMap, time::Duration}; // std::fs\n#[cfg(test)] mod tests { use std::fs; }";
        assert!(found("runtime/mind", Role::Shipping, code).is_empty());
        assert!(found("runtime/mind", Role::Bench, "use std::time::Instant;").is_empty());
        assert!(found("runtime/host", Role::Shipping, "use std::fs;").is_empty());
    }

    #[test]
    fn reaching_a_runtime_through_others_is_found() {
        let package = Package {
            name: "rungs-mind".to_owned(),
            folder: "runtime/mind".to_owned(),
            dependencies: vec![],
            reaches: ["serde".to_owned(), "tokio".to_owned()].into(),
            manifest: String::new(),
            roots: vec![],
        };
        assert_eq!(
            check_reach(&[package])[0].to_string(),
            "runtime/mind: is pure but reaches tokio"
        );
    }
}
