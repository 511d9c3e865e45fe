//! What no file of the tree may say: paths of one machine, hosts of one network, work left undone.

use crate::Finding;
use crate::source::{Role, Source};
use crate::workspace::Text;

// Written in two halves, so that this list does not find itself.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
const OUTSIDE: &[&str] = &[
    concat!("../sha", "red"),
    concat!("sha", "red/spec"),
    concat!("sha", "red/seeds"),
    concat!("sha", "red/reference"),
];
const REGISTRIES: &[&str] = &[
    concat!("docker", ".io"),
    concat!("ghcr", ".io"),
    concat!("quay", ".io"),
    concat!("gcr", ".io"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("replace-", "with"),
    concat!("CARGO_", "REGISTRIES"),
];
const UNDONE: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

/// The one place that cargo takes packages from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every machine path, foreign host and outside reference in any file.
pub fn check(texts: &[Text]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts {
        for (number, line) in text.text.lines().enumerate() {
            let mut found = |word: &str, what: &str| {
                findings.push(Finding::at(&text.path, number + 1, format!("`{word}`: {what}")));
            };
            for path in MACHINE_PATHS.iter().filter(|path| has_absolute(line, path)) {
                found(path, "a path of one machine");
            }
            for outside in OUTSIDE.iter().filter(|outside| line.contains(**outside)) {
                found(outside, "the project refers to nothing outside itself");
            }
            for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
                found(host, "a registry is chosen by whoever builds");
            }
        }
    }
    findings
}

/// Whether `path` stands in `line` as the beginning of a path, not as the inside of one.
fn has_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}/*".contains(c))
    })
}

/// Every note of undone work in shipping code, comments included.
pub fn check_undone(sources: &[Source]) -> Vec<Finding> {
    let shipping = sources.iter().filter(|source| source.role != Role::Test);
    shipping
        .flat_map(|source| {
            source.text.lines().enumerate().flat_map(move |(number, line)| {
                let words = UNDONE.iter().filter(move |word| has_word(line, word));
                words.map(move |word| source.finding(number + 1, format!("`{word}` in code that ships")))
            })
        })
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !inside(line[..at].chars().next_back()) && !inside(line[at + word.len()..].chars().next()))
}

/// Every package of the lock file that comes from elsewhere than crates.io.
pub fn check_lock(lock: &str) -> Vec<Finding> {
    let sources = lock
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number, line.strip_prefix("source = ")?)));
    let foreign = sources.filter(|(_, source)| source.trim_matches('"') != SOURCE);
    foreign
        .map(|(number, source)| Finding::at("Cargo.lock", number + 1, format!("{source} is not crates.io")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let text = Text {
            path: "a.md".to_owned(),
            text: format!("first\n{line}\n"),
        };
        check(&[text]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_planted_word_is_found() {
        for words in [MACHINE_PATHS, OUTSIDE, REGISTRIES] {
            for word in words {
                let found = found(&format!("see {word}x"));
                assert!(
                    found.iter().any(|f| f.starts_with(&format!("a.md:2: `{word}`: "))),
                    "{word}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_inside_of_another_path_is_not_a_machine_path() {
        let inside = MACHINE_PATHS[0];
        assert!(found(&format!("actors{inside}queue and ${{DIR}}{inside}queue")).is_empty());
        assert_eq!(found(&format!("WorkingDirectory={inside}queue")).len(), 1);
    }

    #[test]
    fn undone_work_is_found_in_comments_of_shipping_code() {
        for word in UNDONE {
            let code = format!("// {word}: later\nfn f() {{}}");
            let source = |role| [Source::new("a.rs", "a", role, &code).unwrap()];
            assert_eq!(check_undone(&source(Role::Shipping)).len(), 1, "{word}");
            assert!(check_undone(&source(Role::Test)).is_empty());
        }
        let inside = Source::new("a.rs", "a", Role::Shipping, "const TODOS: u8 = 1; // HACKERS").unwrap();
        assert!(check_undone(&[inside]).is_empty());
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let lock = format!("name = \"a\"\nsource = \"{SOURCE}\"\nsource = \"git+https://example.org/b#1\"\n");
        assert_eq!(
            check_lock(&lock),
            [Finding::at(
                "Cargo.lock",
                3,
                "\"git+https://example.org/b#1\" is not crates.io"
            )]
        );
    }
}
