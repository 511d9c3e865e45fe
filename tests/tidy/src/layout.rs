//! What stands at the top of the tree, and that every source is part of something.

use crate::Finding;
use crate::source::Source;
use crate::workspace::Text;
use std::collections::BTreeSet;

/// Everything that may stand at the top, beside dot-files.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "actors",
    "cluster",
    "deploy",
    "examples",
    "runtime",
    "tests",
];

/// What stands at the top and should not, and what should and does not.
pub fn check_top(entries: &[String]) -> Vec<Finding> {
    let extra = entries
        .iter()
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()));
    let extra = extra.map(|name| Finding::new(name, "has no place at the top of the tree"));
    let missing = TOP.iter().filter(|name| !entries.iter().any(|entry| entry == *name));
    let missing = missing.map(|name| Finding::new(*name, "is missing at the top of the tree"));
    extra.chain(missing).collect()
}

/// Every Rust file that no target compiles: dead, or forgotten.
pub fn check_orphans(texts: &[Text], sources: &[Source]) -> Vec<Finding> {
    let compiled: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let rust = texts.iter().filter(|text| text.path.ends_with(".rs"));
    let orphans = rust.filter(|text| !compiled.contains(text.path.as_str()));
    orphans
        .map(|text| Finding::new(&text.path, "is compiled by no target"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Role;

    #[test]
    fn a_stray_folder_and_a_missing_file_at_the_top_are_found() {
        let mut entries: Vec<String> = TOP.iter().map(|name| (*name).to_owned()).collect();
        entries.push(".gitignore".to_owned());
        assert_eq!(check_top(&entries), []);
        entries.retain(|name| name != "README.md");
        entries.push("scripts".to_owned());
        let places: Vec<String> = check_top(&entries).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["scripts", "README.md"]);
    }

    #[test]
    fn a_source_that_nothing_compiles_is_found() {
        let text = |path: &str| Text {
            path: path.to_owned(),
            text: String::new(),
        };
        let compiled = Source::new("a/src/lib.rs", "a", Role::Shipping, "").unwrap();
        let found = check_orphans(
            &[text("a/src/lib.rs"), text("a/src/old.rs"), text("a/notes.md")],
            &[compiled],
        );
        assert_eq!(found, [Finding::new("a/src/old.rs", "is compiled by no target")]);
    }
}
