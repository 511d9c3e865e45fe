//! The text of a source in which constants are switched.

use super::{Constant, names};
use crate::source::Source;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use syn::visit::{self, Visit};

/// Types whose constants are not ours.
const PRIMITIVES: [&str; 14] = [
    "f64", "f32", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
];

/// One number changed, under the number that chooses it.
#[derive(Debug, Clone)]
pub struct Change {
    /// Index of the constant.
    pub constant: usize,
    /// Index of the number in it.
    pub number: usize,
}

/// What is to be switched, and how.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// All constants.
    pub constants: &'a [Constant],
    /// The changes; a change is chosen by its index.
    pub changes: &'a [Change],
    /// Names that the compiler has to know, and so are left as they are.
    pub fixed: BTreeSet<String>,
    /// Names that are switched.
    pub switched: BTreeSet<String>,
    /// For each of these names, the changes that reach a constant of this name.
    reach: BTreeMap<String, BTreeSet<usize>>,
}

impl<'a> Plan<'a> {
    /// Switches every name that a change reaches, except the `fixed` ones and those they are computed from.
    pub fn new(constants: &'a [Constant], changes: &'a [Change], mut fixed: BTreeSet<String>) -> Self {
        loop {
            let needed = constants.iter().filter(|constant| fixed.contains(&constant.name));
            let needed: BTreeSet<String> = needed.flat_map(|constant| constant.uses.iter().cloned()).collect();
            let before = fixed.len();
            fixed.extend(
                needed
                    .into_iter()
                    .filter(|name| constants.iter().any(|c| c.name == *name)),
            );
            if fixed.len() == before {
                break;
            }
        }
        let mut reach: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            let name = &constants[change.constant].name;
            if !fixed.contains(name) {
                reach.entry(name.clone()).or_default().insert(index);
            }
        }
        loop {
            let before: usize = reach.values().map(BTreeSet::len).sum();
            for constant in constants.iter().filter(|constant| !fixed.contains(&constant.name)) {
                let through: BTreeSet<usize> = constant
                    .uses
                    .iter()
                    .filter_map(|name| reach.get(name))
                    .flatten()
                    .copied()
                    .collect();
                if !through.is_empty() {
                    reach.entry(constant.name.clone()).or_default().extend(through);
                }
            }
            if reach.values().map(BTreeSet::len).sum::<usize>() == before {
                break;
            }
        }
        Self {
            constants,
            changes,
            fixed,
            switched: reach.keys().cloned().collect(),
            reach,
        }
    }

    /// Whether the program is built with this change in it.
    pub fn is_switched(&self, change: &Change) -> bool {
        self.switched.contains(&self.constants[change.constant].name)
    }

    /// The source with its constants switched, and if `only` is given, with that one number written instead.
    pub fn rewrite(&self, source: &Source, only: Option<(&Change, &str)>) -> String {
        let mut edits = Vec::new();
        let here = |constant: &&Constant| constant.path == source.path && self.switched.contains(&constant.name);
        let defined: Vec<&Constant> = self.constants.iter().filter(here).collect();
        let switch = if source.path.starts_with(&format!("{}/src/", source.folder)) {
            "crate::mutant::Switched".to_owned()
        } else {
            format!("{}::mutant::Switched", crate_name(&source.folder))
        };
        for constant in &defined {
            let kind = &source.text[constant.kind.clone()];
            edits.push((constant.kind.clone(), format!("{switch}<{kind}>")));
            edits.push((constant.value.clone(), self.value(source, constant, &switch)));
        }
        if let Some((change, to)) = only {
            let constant = &self.constants[change.constant];
            if constant.path == source.path {
                edits.push((constant.numbers[change.number].at.clone(), to.to_owned()));
            }
        }
        let skipped: Vec<Range<usize>> = defined.iter().flat_map(|c| [c.kind.clone(), c.value.clone()]).collect();
        let mut uses = Vec::new();
        self.uses(&source.tokens(), &mut uses);
        let inside = |at: usize| skipped.iter().any(|skip| skip.start < at && at <= skip.end);
        let uses = uses.into_iter().filter(|at| !inside(*at));
        edits.extend(uses.map(|at| (at..at, ".get()".to_owned())));
        apply(&source.text, 0, edits)
    }

    /// The value of a switched constant: what it is, and what it is under each change that reaches it.
    fn value(&self, source: &Source, constant: &Constant, switch: &str) -> String {
        let tokens: TokenStream = source.text[constant.value.clone()].parse().expect("a value is Rust");
        let mut uses = Vec::new();
        self.uses(&tokens, &mut uses);
        let text = &source.text[constant.value.clone()];
        let named = |suffix: &str| -> Vec<(Range<usize>, String)> {
            uses.iter().map(|at| (*at..*at, suffix.to_owned())).collect()
        };
        let plain = apply(text, 0, named(".plain"));
        let own = |index: &usize| {
            let change = &self.changes[*index];
            let same = std::ptr::eq(&self.constants[change.constant], constant);
            same.then(|| &constant.numbers[change.number])
        };
        let table = self
            .reach
            .get(&constant.name)
            .into_iter()
            .flatten()
            .filter_map(|index| {
                let from_others = constant
                    .uses
                    .iter()
                    .any(|name| self.reach.get(name).is_some_and(|r| r.contains(index)));
                let mut edits = named(&format!(".at({index})"));
                match own(index) {
                    Some(number) => {
                        let at = number.at.start - constant.value.start..number.at.end - constant.value.start;
                        edits.push((at, number.up.clone()));
                    }
                    None if !from_others => return None,
                    None => {}
                }
                Some(format!("({index}, {})", apply(text, 0, edits)))
            });
        let table: Vec<String> = table.collect();
        format!("{switch} {{ plain: {plain}, table: &[{}] }}", table.join(", "))
    }

    /// The places behind every use of a switched name, imports and attributes left out.
    fn uses(&self, tokens: &TokenStream, found: &mut Vec<usize>) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if word == "use" => {
                    while at < tokens.len() && !punct(at, ';') {
                        at += 1;
                    }
                }
                TokenTree::Punct(hash) if hash.as_char() == '#' => {
                    at += 1 + usize::from(punct(at + 1, '!'));
                    // The group behind it is the attribute's content.
                }
                TokenTree::Group(group) => self.uses(&group.stream(), found),
                TokenTree::Ident(name) if self.switched.contains(&name.to_string()) => {
                    let defined = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "const");
                    let foreign = at > 2 && punct(at - 1, ':') && is_primitive(&tokens[at - 3]);
                    if !defined && !foreign && !punct(at + 1, '!') {
                        found.push(name.span().byte_range().end);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_primitive(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if PRIMITIVES.iter().any(|primitive| word == primitive))
}

/// A package's library, by the folder of the package.
pub fn crate_name(folder: &str) -> String {
    format!("rungs_{}", folder.rsplit('/').next().unwrap_or(folder))
}

/// `text` with every range replaced; `offset` is what the ranges count from.
fn apply(text: &str, offset: usize, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(at, _)| (at.start, at.end));
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for (at, new) in edits {
        result.push_str(&text[from..at.start - offset]);
        result.push_str(&new);
        from = at.end - offset;
    }
    result.push_str(&text[from..]);
    result
}

/// Names that stand where the compiler needs a value: in types, patterns, statics and constant functions.
pub fn known_to_the_compiler(source: &Source) -> BTreeSet<String> {
    let file: syn::File = syn::parse2(source.tokens()).expect("the text was Rust when this was made");
    let mut finder = Static { found: BTreeSet::new() };
    finder.visit_file(&file);
    finder.found
}

struct Static {
    found: BTreeSet<String>,
}

impl Static {
    fn take(&mut self, tokens: &impl quote::ToTokens) {
        self.found.extend(names(&tokens.to_token_stream()));
    }
}

impl<'ast> Visit<'ast> for Static {
    fn visit_type(&mut self, kind: &'ast syn::Type) {
        self.take(kind);
    }

    fn visit_pat(&mut self, pattern: &'ast syn::Pat) {
        self.take(pattern);
    }

    fn visit_angle_bracketed_generic_arguments(&mut self, arguments: &'ast syn::AngleBracketedGenericArguments) {
        self.take(arguments);
    }

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.take(&repeat.len);
        visit::visit_expr(self, &repeat.expr);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.take(item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if item.ident == "_" {
            self.take(item);
        }
        visit::visit_item_const(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if item.sig.constness.is_some() {
            self.take(item);
        }
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.sig.constness.is_some() {
            self.take(item);
        }
        visit::visit_impl_item_fn(self, item);
    }
}
