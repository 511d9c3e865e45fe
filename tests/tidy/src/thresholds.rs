//! Constants with numbers in them, and what the sources look like when each of those numbers can be changed.
//!
//! A number that no test notices when it is 2 % off is not tested. The program `thresholds` changes each in turn: not by
//! a build for each, but by one build in which every constant is a [`Switched`](switch::Switched) that holds its value and all
//! its changed values, and an environment variable chooses. A constant that has to be known to the compiler (the length
//! of an array, a pattern) cannot be switched; for those there is a build each.
//!
//! 1. Only what ships is changed; constants of tests are switched without changes where they share a name.
//! 2. A constant that is computed from others changes with them: its changed values are computed by the compiler.

pub mod rewrite;
pub mod switch;

use crate::Finding;
use crate::exceptions::REASON_CHARS;
use crate::source::{Role, Source};
use proc_macro2::{Literal, TokenStream, TokenTree};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The module that the copy of each crate is given, as `mutant`.
pub const SWITCH: &str = include_str!("thresholds/switch.rs");

/// A number in a constant's value, and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Where it stands in the file, in bytes.
    pub at: Range<usize>,
    /// As it is written.
    pub from: String,
    /// As it is changed: 2 % up, at least 1 for whole numbers.
    pub up: String,
    /// The other way.
    pub down: String,
}

/// A constant as a file defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// The file, from the root of the workspace.
    pub path: String,
    /// The line it begins on.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Where its type stands, in bytes.
    pub kind: Range<usize>,
    /// Where its value stands, in bytes.
    pub value: Range<usize>,
    /// The numbers in its value; none for constants of tests.
    pub numbers: Vec<Number>,
    /// Every name in its value.
    pub uses: BTreeSet<String>,
    /// Every name in its type.
    pub kind_uses: BTreeSet<String>,
}

/// The list of constants that need not be noticed, `thresholds.toml` beside this crate's manifest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// The constants.
    #[serde(default)]
    pub constant: Vec<Exception>,
}

/// A constant that need not be noticed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The path of its file from the root of the workspace.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Why no test has to notice 2 %.
    pub reason: String,
}

impl Exceptions {
    /// Reads the list.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("thresholds.toml: {error}"))
    }

    /// Whether this constant is on the list.
    pub fn has(&self, constant: &Constant) -> bool {
        let mut all = self.constant.iter();
        all.any(|exception| exception.path == constant.path && exception.name == constant.name)
    }
}

/// Every exception that names no constant, names one twice, or does not say why.
pub fn stale(exceptions: &Exceptions, sources: &[Source]) -> Vec<Finding> {
    let place = "tests/tidy/thresholds.toml";
    let known: BTreeSet<(String, String)> = sources
        .iter()
        .filter(|source| {
            exceptions
                .constant
                .iter()
                .any(|exception| exception.path == source.path)
        })
        .flat_map(constants)
        .filter(|constant| !(constant.numbers.is_empty() && constant.uses.is_empty()))
        .map(|constant| (constant.path, constant.name))
        .collect();
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for Exception { path, name, reason } in &exceptions.constant {
        if !known.contains(&(path.clone(), name.clone())) {
            findings.push(Finding::new(place, format!("`{name}` is no constant of {path}")));
        }
        if !seen.insert((path, name)) {
            findings.push(Finding::new(place, format!("`{name}` of {path} is there twice")));
        }
        if reason.chars().count() < REASON_CHARS {
            findings.push(Finding::new(place, format!("`{name}` of {path} has no reason")));
        }
    }
    findings
}

/// Every constant of a file, those of tests included.
pub fn constants(source: &Source) -> Vec<Constant> {
    let file: syn::File = syn::parse2(source.tokens()).expect("the text was Rust when this was made");
    let mut finder = Finder {
        source,
        tests: source.shipped().removed,
        found: Vec::new(),
    };
    finder.visit_file(&file);
    finder.found
}

struct Finder<'a> {
    source: &'a Source,
    tests: Vec<(usize, usize)>,
    found: Vec<Constant>,
}

impl Finder<'_> {
    fn take(&mut self, name: &syn::Ident, kind: &syn::Type, value: &syn::Expr) {
        let line = name.span().start().line;
        let in_tests = self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line));
        let shipped = self.source.role == Role::Shipping && !in_tests;
        let tokens = quote::ToTokens::to_token_stream(value);
        self.found.push(Constant {
            path: self.source.path.clone(),
            line,
            name: name.to_string(),
            kind: kind.span().byte_range(),
            value: value.span().byte_range(),
            numbers: if shipped { numbers(&tokens) } else { Vec::new() },
            uses: names(&tokens),
            kind_uses: names(&quote::ToTokens::to_token_stream(kind)),
        });
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if item.ident != "_" {
            self.take(&item.ident, &item.ty, &item.expr);
        }
        visit::visit_item_const(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.take(&item.ident, &item.ty, &item.expr);
        visit::visit_impl_item_const(self, item);
    }
}

/// Every identifier in `tokens`.
pub fn names(tokens: &TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                found.insert(ident.to_string());
            }
            TokenTree::Group(group) => found.extend(names(&group.stream())),
            _ => {}
        }
    }
    found
}

/// Every number in `tokens` that can be changed: not the index of a tuple's field, nor one written in hexadecimal.
fn numbers(tokens: &TokenStream) -> Vec<Number> {
    let mut found = Vec::new();
    let mut after_dot = false;
    for token in tokens.clone() {
        match &token {
            TokenTree::Literal(literal) if !after_dot => found.extend(number(literal)),
            TokenTree::Group(group) => found.extend(numbers(&group.stream())),
            _ => {}
        }
        after_dot = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
    }
    found
}

fn number(literal: &Literal) -> Option<Number> {
    let from = literal.to_string();
    let at = literal.span().byte_range();
    let (up, down) = match syn::parse_str::<syn::Lit>(&from).ok()? {
        syn::Lit::Float(number) => changed_float(number.base10_digits().parse().ok()?, number.suffix()),
        syn::Lit::Int(number) if number.suffix().starts_with('f') => {
            changed_float(number.base10_digits().parse().ok()?, number.suffix())
        }
        syn::Lit::Int(number) if !from.starts_with("0x") => {
            let value: u128 = number.base10_digits().parse().ok()?;
            let step = (value / 50).max(1);
            let suffix = number.suffix();
            (
                format!("{}{suffix}", value + step),
                format!("{}{suffix}", value.saturating_sub(step)),
            )
        }
        _ => return None,
    };
    Some(Number { at, from, up, down })
}

fn changed_float(value: f64, suffix: &str) -> (String, String) {
    let step = if value == 0.0 { 0.02 } else { value * 0.02 };
    // As short as it can be said: 0.35 becomes 0.357, not 0.35700000000000004.
    let say = |value: f64| {
        let short: f64 = format!("{value:.12e}").parse().expect("a number that was just written");
        format!("{short:?}{suffix}")
    };
    (say(value + step), say(value - step))
}

#[cfg(test)]
mod tests;
