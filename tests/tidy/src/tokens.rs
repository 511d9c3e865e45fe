//! What the rules ask of a stream of tokens: the paths it names, and what is left of it without test code.
//!
//! Rules look at tokens rather than at text, so that comments and strings do not count, and rather than at syntax
//! trees, so that the inside of macros does.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path as it stands in the source, `use` groups written out: `use std::{fs, io::Read}` gives `std::fs` and
/// `std::io::Read`. A single identifier (a method's name, a type) is a path of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its segments, in order.
    pub segments: Vec<String>,
    /// The line it begins on, from 1.
    pub line: usize,
    /// Whether it is the name of a macro that is called.
    pub is_macro: bool,
}

impl Path {
    /// Whether the path begins with these segments.
    pub fn starts_with(&self, head: &[&str]) -> bool {
        self.segments.len() >= head.len() && self.segments.iter().zip(head).all(|(have, want)| have == want)
    }

    /// Whether the path ends with these segments.
    pub fn ends_with(&self, tail: &[&str]) -> bool {
        let from = self.segments.len().checked_sub(tail.len());
        from.is_some_and(|from| self.segments[from..].iter().zip(tail).all(|(have, want)| have == want))
    }

    /// Whether any segment is this one.
    pub fn has(&self, segment: &str) -> bool {
        self.segments.iter().any(|have| have == segment)
    }

    /// The path as it is written in a `use`.
    pub fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// All paths named in `tokens`, groups and macro bodies included.
pub fn paths(tokens: &TokenStream) -> Vec<Path> {
    let mut found = Vec::new();
    collect(&[], tokens, &mut found);
    found
}

fn collect(prefix: &[String], tokens: &TokenStream, found: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if ident == "as" && !prefix.is_empty() => at += 2,
            TokenTree::Ident(_) => at = path(prefix, &tokens, at, found),
            TokenTree::Group(group) => {
                collect(&[], &group.stream(), found);
                at += 1;
            }
            TokenTree::Punct(star) if star.as_char() == '*' && !prefix.is_empty() => {
                let segments = prefix.iter().cloned().chain(["*".to_owned()]).collect();
                found.push(Path {
                    segments,
                    line: line_of(&tokens[at]),
                    is_macro: false,
                });
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads the path that begins at `start` and returns the index behind it.
fn path(prefix: &[String], tokens: &[TokenTree], start: usize, found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    segments.push(tokens[start].to_string());
    let mut at = start + 1;
    while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(ident)) => segments.push(ident.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                collect(&segments, &group.stream(), found);
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let called = is_punct(tokens.get(at), '!') && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
    found.push(Path {
        segments,
        line: line_of(&tokens[start]),
        is_macro: called,
    });
    at
}

/// An attribute: its line and its content, `allow(dead_code)` for `#[allow(dead_code)]`.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// The line it begins on, from 1.
    pub line: usize,
    /// What stands between the brackets.
    pub content: TokenStream,
    /// The function it stands on, if the next item is one.
    pub function: Option<String>,
}

impl Attribute {
    /// The attribute's path, `tokio::test` for `#[tokio::test(start_paused = true)]`.
    pub fn name(&self) -> String {
        paths(&self.content)
            .first()
            .map_or_else(String::new, |path| path.text())
    }

    /// Whether it makes a function a test, whoever runs it.
    pub fn is_test(&self) -> bool {
        let name = self.name();
        name == "test" || name.ends_with("::test")
    }
}

/// All attributes in `tokens`, those inside macros and groups included.
pub fn attributes(tokens: &TokenStream) -> Vec<Attribute> {
    let mut found = Vec::new();
    collect_attributes(tokens, &mut found);
    found
}

fn collect_attributes(tokens: &TokenStream, found: &mut Vec<Attribute>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for at in 0..tokens.len() {
        if let Some((group, behind)) = attribute(&tokens, at) {
            found.push(Attribute {
                line: line_of(&tokens[at]),
                content: group.stream(),
                function: function_name(&tokens, behind),
            });
        } else if let TokenTree::Group(group) = &tokens[at] {
            collect_attributes(&group.stream(), found);
        }
    }
}

/// The attribute that begins at `at` (`#[…]` or `#![…]`), and the index behind it.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(&Group, usize)> {
    let bracket = match (is_punct(tokens.get(at), '#'), is_punct(tokens.get(at + 1), '!')) {
        (false, _) => return None,
        (true, false) => at + 1,
        (true, true) => at + 2,
    };
    match tokens.get(bracket) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some((group, bracket + 1)),
        _ => None,
    }
}

/// The name of the function whose attributes or qualifiers begin at `at`.
fn function_name(tokens: &[TokenTree], mut at: usize) -> Option<String> {
    at = attributes_end(tokens, at);
    loop {
        match tokens.get(at)? {
            TokenTree::Ident(ident) if ident == "fn" => return tokens.get(at + 1).map(ToString::to_string),
            TokenTree::Ident(word) if ["pub", "async", "unsafe", "const", "extern"].iter().any(|q| word == q) => {
                at += 1
            }
            TokenTree::Group(visibility) if visibility.delimiter() == Delimiter::Parenthesis => at += 1,
            _ => return None,
        }
    }
}

/// `tokens` without what is compiled for tests only, and the lines that went with it.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// What is left.
    pub tokens: TokenStream,
    /// First and last line of each removed item, its `#[cfg(test)]` included.
    pub removed: Vec<(usize, usize)>,
}

/// Takes every item, field, variant and statement under `#[cfg(test)]` out of `tokens`.
pub fn shipped(tokens: &TokenStream) -> Shipped {
    let mut removed = Vec::new();
    let tokens = strip(tokens, &mut removed);
    Shipped { tokens, removed }
}

fn strip(tokens: &TokenStream, removed: &mut Vec<(usize, usize)>) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let is_inner = is_punct(tokens.get(at + 1), '!');
        let behind = if is_inner { at } else { attributes_end(&tokens, at) };
        let for_tests = (at..behind).any(|at| {
            let attribute = attribute(&tokens, at);
            attribute.is_some_and(|(group, _)| is_cfg_test(&group.stream()))
        });
        if for_tests {
            let end = item_end(&tokens, behind);
            let last = &tokens[end.min(tokens.len()) - 1];
            removed.push((line_of(&tokens[at]), last.span().end().line));
            at = end;
        } else if behind > at {
            kept.extend_from_slice(&tokens[at..behind]);
            at = behind;
        } else {
            kept.push(match &tokens[at] {
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), strip(&group.stream(), removed));
                    inner.set_span(group.span());
                    TokenTree::Group(inner)
                }
                other => other.clone(),
            });
            at += 1;
        }
    }
    kept.into_iter().collect()
}

/// Whether an attribute's content is `cfg(test)` or `cfg(all(test, …))`.
pub fn is_cfg_test(content: &TokenStream) -> bool {
    let mut tokens = content.clone().into_iter();
    let named = matches!(tokens.next(), Some(TokenTree::Ident(ident)) if ident == "cfg");
    match tokens.next() {
        Some(TokenTree::Group(group)) if named => requires_test(&group.stream()),
        _ => false,
    }
}

fn requires_test(predicate: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = predicate.clone().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(ident)] => ident == "test",
        [TokenTree::Ident(all), TokenTree::Group(group)] if all == "all" => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            inner
                .split(|token| is_punct(Some(token), ','))
                .any(|part| requires_test(&part.iter().cloned().collect()))
        }
        _ => false,
    }
}

const ITEM_WORDS: [&str; 14] = [
    "pub",
    "mod",
    "fn",
    "use",
    "impl",
    "struct",
    "enum",
    "const",
    "static",
    "type",
    "trait",
    "async",
    "unsafe",
    "macro_rules",
];

/// The index behind the attributes, doc comments among them, that begin at `at`.
fn attributes_end(tokens: &[TokenTree], mut at: usize) -> usize {
    while let Some((_, behind)) = attribute(tokens, at) {
        at = behind;
    }
    at
}

/// The index behind the item, field, arm or statement that begins at `at`.
fn item_end(tokens: &[TokenTree], mut at: usize) -> usize {
    let is_item = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if ITEM_WORDS.iter().any(|w| word == w))
        || is_punct(tokens.get(at + 1), '!');
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                return at + usize::from(is_punct(tokens.get(at), ';') || (!is_item && is_punct(tokens.get(at), ',')));
            }
            TokenTree::Punct(end) if end.as_char() == ';' || (end.as_char() == ',' && !is_item) => return at,
            _ => {}
        }
    }
    at
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(code: &str) -> TokenStream {
        code.parse().expect("the test's code has balanced brackets")
    }

    fn path_texts(code: &str) -> Vec<String> {
        paths(&stream(code)).iter().map(Path::text).collect()
    }

    #[test]
    fn a_use_group_is_written_out() {
        let found = path_texts("use std::{self, collections::{HashMap as Map, *}, fs};");
        assert_eq!(
            found,
            [
                "use",
                "std",
                "std::collections::HashMap",
                "std::collections::*",
                "std::fs"
            ]
        );
    }

    #[test]
    fn paths_in_macro_bodies_are_found_with_their_line() {
        let found = paths(&stream(
            "fn f() {\n    select! {\n        x = tokio::time::sleep(d) => {}\n    }\n}",
        ));
        let sleep = found.iter().find(|path| path.ends_with(&["time", "sleep"])).unwrap();
        assert_eq!((sleep.text().as_str(), sleep.line), ("tokio::time::sleep", 3));
    }

    #[test]
    fn a_macro_call_is_told_from_a_comparison() {
        let found = paths(&stream("dbg!(x); y != (z);"));
        let calls: Vec<_> = found.iter().filter(|path| path.is_macro).map(Path::text).collect();
        assert_eq!(calls, ["dbg"]);
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        assert_eq!(path_texts("// std::fs\nlet a = \"std::fs\";"), ["let", "a"]);
    }

    #[test]
    fn code_for_tests_is_taken_out_wherever_it_stands() {
        let code = "
            use a::b;
            #[cfg(test)]
            mod tests;
            #[cfg(test)]
            use std::{fs, net};
            struct S { #[cfg(test)] probe: fs::File, kept: u8 }
            impl S {
                /// Documented, and gone with its documentation.
                #[inline]
                #[cfg(test)]
                #[allow(dead_code)]
                pub(crate) fn probe(&self) -> [u8; 3] { gone() }
                /// Kept.
                fn stay(&self) { #[cfg(test)] count(self); stays() }
            }
            #[cfg(all(test, unix))]
            const C: S = S { gone: 1 };
            #[cfg(any(test, feature = \"x\"))]
            fn any() {}
            #[cfg(not(test))]
            fn not() {}
        ";
        let left = shipped(&stream(code)).tokens.to_string();
        for gone in ["tests", "net", "probe", "gone", "inline", "count", "unix"] {
            assert!(!left.contains(gone), "{gone} in {left}");
        }
        for kept in ["a :: b", "kept", "stays ()", "fn any", "fn not"] {
            assert!(left.contains(kept), "{kept} not in {left}");
        }
        assert!(syn::parse_str::<syn::File>(&left).is_ok(), "{left}");
    }

    #[test]
    fn removed_lines_are_counted_from_the_attribute_to_the_closing_brace() {
        let shipped = shipped(&stream("//! Header.\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"));
        assert_eq!(shipped.removed, [(2, 5)]);
    }

    #[test]
    fn an_attribute_knows_the_function_it_stands_on() {
        let found = attributes(&stream(
            "proptest! { #[test] #[inline] pub(crate) async fn one() {} } #[tokio::test(start_paused = true)] fn two() {} #[derive(A)] struct B;",
        ));
        let tests: Vec<_> = found
            .iter()
            .filter(|a| a.is_test())
            .filter_map(|a| a.function.clone())
            .collect();
        assert_eq!(tests, ["one", "two"]);
        assert_eq!(found.last().unwrap().function, None);
    }
}
