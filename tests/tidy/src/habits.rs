//! What the code itself may not say, in shipping code and in tests.

use crate::Finding;
use crate::source::{Role, Source};
use crate::tokens::{self, Attribute};
use proc_macro2::{TokenStream, TokenTree};

/// Folders of the crates that may read arguments and environment.
const READS_ENVIRONMENT: &[&str] = &["cluster/node", "cluster/cli", "cluster/shell"];

/// Shipping code panics only where an invariant is lost, and has no loose ends.
pub fn check_shipping(sources: &[Source]) -> Vec<Finding> {
    const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
    let shipping = sources
        .iter()
        .filter(|source| matches!(source.role, Role::Shipping | Role::Example));
    shipping
        .flat_map(|source| {
            source.shipped_paths().into_iter().filter_map(|path| {
                let last = path.segments.last()?.as_str();
                let bad = (path.is_macro && MACROS.contains(&last)) || (!path.is_macro && last == "unwrap");
                bad.then(|| source.finding(path.line, format!("`{last}` in code that ships")))
            })
        })
        .collect()
}

/// Arguments and environment are read at the edge.
pub fn check_environment(sources: &[Source]) -> Vec<Finding> {
    let inner =
        |source: &&Source| source.role == Role::Shipping && !READS_ENVIRONMENT.contains(&source.folder.as_str());
    sources
        .iter()
        .filter(inner)
        .flat_map(|source| {
            let paths = source.shipped_paths().into_iter();
            let reads = paths.filter(|path| path.starts_with(&["std", "env"]) || path.starts_with(&["env", "var"]));
            reads.map(|path| {
                let what = format!("`{}` outside {}", path.text(), READS_ENVIRONMENT.join(", "));
                source.finding(path.line, what)
            })
        })
        .collect()
}

/// An allowed or expected lint says why.
pub fn check_reasons(sources: &[Source]) -> Vec<Finding> {
    let attributes = sources
        .iter()
        .flat_map(|source| source.attributes().into_iter().map(move |a| (source, a)));
    attributes
        .filter_map(|(source, attribute)| {
            let paths = tokens::paths(&attribute.content);
            let has = |word: &str| paths.iter().any(|path| path.segments == [word]);
            let silences = has("allow") || has("expect");
            (silences && !has("reason")).then(|| source.finding(attribute.line, "silences a lint without a reason"))
        })
        .collect()
}

/// No test is ignored, and a test's name is a fact.
pub fn check_tests(sources: &[Source]) -> Vec<Finding> {
    let attributes = sources
        .iter()
        .flat_map(|source| source.attributes().into_iter().map(move |a| (source, a)));
    attributes
        .filter_map(|(source, attribute)| {
            if attribute.name() == "ignore" {
                return Some(source.finding(attribute.line, "an ignored test"));
            }
            let name = attribute.is_test().then_some(attribute.function).flatten()?;
            let prefixed = name.starts_with("test_");
            prefixed.then(|| {
                source.finding(
                    attribute.line,
                    format!("`{name}`: a test's name is a fact, without `test_`"),
                )
            })
        })
        .collect()
}

/// No test waits for a fixed time: it waits for what it needs, with a deadline, or in paused time.
///
/// `std::thread::sleep` is never right. A `sleep` of tokio with a literal duration is, if the test it stands in starts
/// paused, or if it stands in a helper and every tokio test of the file starts paused.
pub fn check_sleeps(sources: &[Source]) -> Vec<Finding> {
    sources.iter().flat_map(sleeps).collect()
}

fn sleeps(source: &Source) -> Vec<Finding> {
    let attributes = source.attributes();
    let all_paused = attributes.iter().filter(|a| a.name() == "tokio::test").all(is_paused);
    let removed = source.shipped().removed;
    let mut findings = Vec::new();
    for (function, body) in functions(&source.tokens()) {
        let tests: Vec<&Attribute> = attributes
            .iter()
            .filter(|attribute| attribute.is_test() && attribute.function.as_ref() == Some(&function))
            .collect();
        let in_test_code = source.role == Role::Test || !tests.is_empty() || is_removed(&removed, &body);
        let paused = if tests.is_empty() {
            all_paused
        } else {
            tests.into_iter().all(is_paused)
        };
        if !in_test_code {
            continue;
        }
        for (line, sleep) in sleep_calls(&body) {
            if sleep == Sleep::Thread || !paused {
                findings.push(source.finding(line, "a test that sleeps for a fixed time"));
            }
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn is_paused(attribute: &Attribute) -> bool {
    let content = attribute.content.to_string().replace(' ', "");
    content.contains("start_paused=true")
}

fn is_removed(removed: &[(usize, usize)], body: &TokenStream) -> bool {
    let line = body
        .clone()
        .into_iter()
        .next()
        .map_or(0, |token| token.span().start().line);
    removed.iter().any(|(first, last)| (*first..=*last).contains(&line))
}

/// Every function in `tokens`, name and body, those in macros included.
fn functions(tokens: &TokenStream) -> Vec<(String, TokenStream)> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "fn" => open = tokens.get(at + 1).map(ToString::to_string),
            TokenTree::Punct(end) if end.as_char() == ';' => open = None,
            TokenTree::Group(group) => {
                if group.delimiter() == proc_macro2::Delimiter::Brace
                    && let Some(name) = open.take()
                {
                    found.push((name, group.stream()));
                }
                found.extend(functions(&group.stream()));
            }
            _ => {}
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// Blocks the thread.
    Thread,
    /// Tokio's, with a literal in its argument.
    Literal,
}

fn sleep_calls(body: &TokenStream) -> Vec<(usize, Sleep)> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1)) {
            (TokenTree::Ident(word), Some(TokenTree::Group(arguments))) if word == "sleep" => {
                let from_thread = at >= 3 && matches!(&tokens[at - 3], TokenTree::Ident(module) if module == "thread");
                let line = word.span().start().line;
                if from_thread {
                    found.push((line, Sleep::Thread));
                } else if has_literal(&arguments.stream()) {
                    found.push((line, Sleep::Literal));
                }
            }
            _ => {}
        }
        if let TokenTree::Group(group) = token {
            found.extend(sleep_calls(&group.stream()));
        }
    }
    found
}

fn has_literal(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Literal(_) => true,
        TokenTree::Group(group) => has_literal(&group.stream()),
        _ => false,
    })
}

/// Every shipping file says at its top what it owns, and the root of a crate says more than its name.
pub fn check_headers(sources: &[Source], roots: &[&str]) -> Vec<Finding> {
    const ROOT_WORDS: usize = 5;
    let shipping = sources
        .iter()
        .filter(|source| source.role == Role::Shipping || roots.contains(&source.path.as_str()));
    shipping
        .filter_map(|source| {
            let header = source.text.lines().take_while(|line| line.starts_with("//!"));
            let words: usize = header.map(|line| line[3..].split_whitespace().count()).sum();
            let is_root = roots.contains(&source.path.as_str());
            match words {
                0 => Some(Finding::new(&source.path, "does not begin with `//!` and what it owns")),
                1..ROOT_WORDS if is_root => {
                    Some(Finding::new(&source.path, "says no more about the crate than its name"))
                }
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(folder: &str, role: Role, code: &str) -> [Source; 1] {
        [Source::new("a.rs", folder, role, code).unwrap()]
    }

    fn shown(findings: Vec<Finding>) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn planted_loose_ends_in_shipping_code_are_found() {
        for code in [
            "fn f() { a.unwrap(); }",
            "fn f() { a.map(Option::unwrap); }",
            "fn f() { join!(a.unwrap()); }",
            "fn f() { todo!() }",
            "fn f() { unimplemented!(\"later\") }",
            "fn f() { dbg!(1); }",
        ] {
            assert_eq!(check_shipping(&source("a", Role::Shipping, code)).len(), 1, "{code}");
        }
        let fine =
            "fn f() { a.unwrap_or(1); a.expect(\"it holds\"); } #[cfg(test)] mod tests { fn g() { a.unwrap(); } }";
        assert!(check_shipping(&source("a", Role::Shipping, fine)).is_empty());
        assert!(check_shipping(&source("a", Role::Test, "fn f() { a.unwrap(); }")).is_empty());
    }

    #[test]
    fn reading_the_environment_inside_the_house_is_found() {
        let code = "use std::env;\nfn f() { env::var(\"A\"); }";
        assert_eq!(
            check_environment(&source("runtime/host", Role::Shipping, code)).len(),
            2
        );
        assert!(check_environment(&source("cluster/cli", Role::Shipping, code)).is_empty());
        let fine = "const V: &str = env!(\"CARGO_PKG_VERSION\");";
        assert!(check_environment(&source("runtime/host", Role::Shipping, fine)).is_empty());
    }

    #[test]
    fn a_silenced_lint_without_a_reason_is_found() {
        for code in [
            "#[allow(dead_code)] fn f() {}",
            "#![allow(missing_docs)]",
            "#[cfg_attr(test, allow(dead_code))] fn f() {}",
            "#[expect(unused)] fn f() {}",
        ] {
            assert_eq!(check_reasons(&source("a", Role::Test, code)).len(), 1, "{code}");
        }
        let fine = "#[allow(dead_code, reason = \"read by the debugger\")] fn f() { a.expect(\"it holds\"); }";
        assert!(check_reasons(&source("a", Role::Shipping, fine)).is_empty());
    }

    #[test]
    fn an_ignored_test_and_a_prefixed_name_are_found() {
        let code =
            "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n#[tokio::test]\nasync fn test_b() {}\nfn test_helper() {}";
        assert_eq!(
            shown(check_tests(&source("a", Role::Test, code))),
            [
                "a.rs:2: an ignored test",
                "a.rs:4: `test_b`: a test's name is a fact, without `test_`"
            ]
        );
    }

    #[test]
    fn a_fixed_sleep_in_a_test_is_found() {
        for code in [
            "#[test] fn a() { std::thread::sleep(WAIT); }",
            "#[tokio::test] async fn a() { tokio::time::sleep(Duration::from_millis(50)).await; }",
            "#[tokio::test] async fn a() { select! { _ = sleep(Duration::from_secs(1)) => {} } }",
            "async fn helper() { sleep(Duration::from_secs(1)).await } #[tokio::test] async fn a() { helper().await }",
            "#[tokio::test(start_paused = true)] async fn a() {} #[tokio::test] async fn b() { sleep(Duration::from_secs(1)).await }",
        ] {
            assert_eq!(check_sleeps(&source("a", Role::Test, code)).len(), 1, "{code}");
        }
        let in_shipping = "#[cfg(test)] mod tests { #[test] fn a() { thread::sleep(Duration::from_secs(1)); } }";
        assert_eq!(check_sleeps(&source("a", Role::Shipping, in_shipping)).len(), 1);
    }

    #[test]
    fn paused_time_named_intervals_and_shipping_sleeps_are_fine() {
        for code in [
            "#[tokio::test(start_paused = true)] async fn a() { sleep(Duration::from_secs(9)).await; }",
            "#[tokio::test] async fn a() { sleep(POLL_INTERVAL).await; }",
            "async fn helper() { sleep(Duration::from_secs(1)).await } #[tokio::test(start_paused = true)] async fn a() {}",
        ] {
            assert!(check_sleeps(&source("a", Role::Test, code)).is_empty(), "{code}");
        }
        let shipping = "async fn f() { tokio::time::sleep(Duration::from_secs(1)).await }\n#[cfg(test)] mod tests { #[tokio::test] async fn a() {} }";
        assert!(check_sleeps(&source("a", Role::Shipping, shipping)).is_empty());
    }

    #[test]
    fn a_file_without_a_header_and_a_root_with_only_its_name_are_found() {
        assert_eq!(check_headers(&source("a", Role::Shipping, "fn f() {}"), &[]).len(), 1);
        assert_eq!(
            check_headers(&source("a", Role::Shipping, "//! rungs-mesh"), &["a.rs"]).len(),
            1
        );
        let fine = "//! The mesh: links between nodes.\nfn f() {}";
        assert!(check_headers(&source("a", Role::Shipping, fine), &["a.rs"]).is_empty());
        assert!(check_headers(&source("a", Role::Test, "fn f() {}"), &[]).is_empty());
    }
}
