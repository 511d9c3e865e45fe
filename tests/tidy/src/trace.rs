//! The table that leads from each definition to its code and its tests points somewhere, and leaves nothing out.
//!
//! Three columns: the source ("Level 4.8, definition 2: …", what stands before the colon names the row), the public paths
//! of the code in backquotes, and the tests in backquotes, with their modules (`l48::risk::tests::…`) or the file they
//! stand in (`tests/goals::…`).

use crate::Finding;
use crate::source::Source;
use crate::tokens;
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// The crate that the table is about.
pub const FOLDER: &str = "runtime/mind";
/// The table.
pub const TABLE: &str = "runtime/mind/src/traceability.md";

/// Rows that each level needs: level, kind, from 1 to this number.
const NUMBERED: [(&str, &str, usize); 6] = [
    ("4.8", "module", 13),
    ("4.8", "definition", 13),
    ("4.8", "proposition", 1),
    ("4.9", "module", 15),
    ("4.9", "definition", 11),
    ("4.9", "proposition", 1),
];

/// Sections with thresholds, protocols or pseudocode of their own: each needs a row.
const SECTIONS: [(&str, &[&str]); 2] = [
    (
        "4.8",
        &[
            "1.4", "2.2", "2.3", "3.1", "3.3", "3.4", "4.1", "4.2", "4.4", "5.1", "5.2", "5.4", "6.1", "6.4", "8.1",
            "8.2", "8.3", "8.4", "8.5", "9.1", "9.2", "10.1", "11.1",
        ],
    ),
    (
        "4.9",
        &[
            "2.2", "3.1", "3.2", "3.3", "3.5", "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3", "5.4", "6.1", "6.2",
            "6.3", "6.5", "7.1", "7.2", "7.3", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6", "10.1", "10.2", "11.1",
            "12.1",
        ],
    ),
];

/// Rows whose code is not there yet; one that has come is a finding here.
pub const NOT_YET: &[&str] = &[];

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line it stands on.
    pub line: usize,
    /// What stands before the colon in its first column.
    pub name: String,
    /// Paths of code.
    pub code: Vec<String>,
    /// Paths of tests.
    pub tests: Vec<String>,
}

/// The rows of the tables in `text`, headings left out.
pub fn rows(text: &str) -> Vec<Row> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let row = |(line, text): (usize, &str)| {
        let cells: Vec<&str> = text.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [name, code, tests] = cells[..] else { return None };
        let is_row = !name.starts_with("---") && code != "Code";
        is_row.then(|| Row {
            line: line + 1,
            name: name.split(':').next().unwrap_or(name).to_owned(),
            code: quoted(code),
            tests: quoted(tests),
        })
    };
    text.lines().enumerate().filter_map(row).collect()
}

/// The names of the rows that have to be there.
pub fn required() -> Vec<String> {
    let numbered = NUMBERED
        .iter()
        .flat_map(|(level, kind, count)| (1..=*count).map(move |number| format!("Level {level}, {kind} {number}")));
    let sections = SECTIONS.iter().flat_map(|(level, sections)| {
        sections
            .iter()
            .map(move |section| format!("Level {level}, section {section}"))
    });
    numbered.chain(sections).collect()
}

/// Every row that points nowhere, every required one that is missing or there twice.
pub fn check(text: &str, sources: &[Source], not_yet: &[&str]) -> Vec<Finding> {
    let rows = rows(text);
    let library = Library::new(sources);
    let mut findings = Vec::new();
    for row in &rows {
        let mut found = |what: String| findings.push(Finding::at(TABLE, row.line, what));
        if row.code.is_empty() || row.tests.is_empty() {
            found(format!("`{}` has no code or no test", row.name));
        }
        for path in row.code.iter().filter(|path| !library.has_public(path)) {
            found(format!("`{path}` is no public path"));
        }
        for path in row.tests.iter().filter(|path| !library.tests.contains(*path)) {
            found(format!("`{path}` is no test"));
        }
    }
    for name in required() {
        let count = rows.iter().filter(|row| row.name == name).count();
        let expected = usize::from(!not_yet.contains(&name.as_str()));
        if count != expected {
            findings.push(Finding::new(
                TABLE,
                format!("`{name}` is there {count} times, not {expected}"),
            ));
        }
    }
    findings
}

/// What a crate offers, and its tests.
struct Library {
    /// The items of each module, by its path; that of the root is empty.
    modules: BTreeMap<String, Vec<syn::Item>>,
    /// Public methods, constants, variants and fields, as `Type::name`.
    members: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl Library {
    fn new(sources: &[Source]) -> Self {
        let mut library = Self {
            modules: BTreeMap::new(),
            members: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        for source in sources.iter().filter(|source| source.folder == FOLDER) {
            let file = syn::parse_file(&source.text).expect("the text was Rust when this was made");
            let place = source.path[FOLDER.len() + 1..].trim_end_matches(".rs");
            match place.strip_prefix("src/") {
                Some(module) => {
                    let module = module.trim_end_matches("/mod").replace('/', "::");
                    let module = if module == "lib" { String::new() } else { module };
                    library.find_tests(&module, &file.items);
                    library.modules.insert(module, file.items);
                }
                None => library.find_tests(place, &file.items),
            }
        }
        let mut members = Members { found: BTreeSet::new() };
        library
            .modules
            .values()
            .flatten()
            .for_each(|item| members.visit_item(item));
        library.members = members.found;
        library
    }

    fn find_tests(&mut self, module: &str, items: &[syn::Item]) {
        for item in items {
            match item {
                syn::Item::Mod(inner) => {
                    if let Some((_, items)) = &inner.content {
                        self.find_tests(&join(module, &inner.ident.to_string()), items);
                    }
                }
                // Attributes of functions, and those inside `proptest!`.
                other => {
                    let attributes = tokens::attributes(&quote::ToTokens::to_token_stream(other));
                    let tests = attributes.iter().filter(|attribute| attribute.is_test());
                    let names = tests.filter_map(|attribute| attribute.function.as_deref());
                    self.tests.extend(names.map(|name| join(module, name)));
                }
            }
        }
    }

    /// Whether whoever uses the crate can name this.
    fn has_public(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split("::").collect();
        self.leads("", &segments, false)
    }

    /// Whether `path` leads somewhere from `module`; behind a re-export, private modules do not matter.
    fn leads(&self, module: &str, path: &[&str], exported: bool) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return true;
        };
        let items = self.modules.get(module).map_or(&[][..], Vec::as_slice);
        items.iter().any(|item| match item {
            syn::Item::Mod(inner) if inner.ident == first && (exported || is_public(&inner.vis)) => {
                self.leads(&join(module, first), rest, exported)
            }
            syn::Item::Use(import) if is_public(&import.vis) => {
                let targets = imported(&import.tree, first);
                targets.iter().any(|target| {
                    let (from, mut target) = absolute(module, target);
                    target.extend(rest);
                    self.leads(&from, &target, true)
                })
            }
            other => match named(other) {
                Some((name, vis)) if name == first && is_public(vis) => match rest {
                    [] => true,
                    [member] => self.members.contains(&join(first, member)),
                    _ => false,
                },
                _ => false,
            },
        })
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}::{name}")
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn named(item: &syn::Item) -> Option<(&syn::Ident, &syn::Visibility)> {
    match item {
        syn::Item::Const(item) => Some((&item.ident, &item.vis)),
        syn::Item::Enum(item) => Some((&item.ident, &item.vis)),
        syn::Item::Fn(item) => Some((&item.sig.ident, &item.vis)),
        syn::Item::Struct(item) => Some((&item.ident, &item.vis)),
        syn::Item::Trait(item) => Some((&item.ident, &item.vis)),
        syn::Item::Type(item) => Some((&item.ident, &item.vis)),
        _ => None,
    }
}

/// The paths in a `use` that give `name`.
fn imported(tree: &syn::UseTree, name: &str) -> Vec<Vec<String>> {
    match tree {
        syn::UseTree::Path(path) => {
            let mut inner = imported(&path.tree, name);
            inner
                .iter_mut()
                .for_each(|inner| inner.insert(0, path.ident.to_string()));
            inner
        }
        syn::UseTree::Name(this) if this.ident == name => vec![vec![name.to_owned()]],
        syn::UseTree::Rename(this) if this.rename == name => vec![vec![this.ident.to_string()]],
        syn::UseTree::Group(group) => group.items.iter().flat_map(|tree| imported(tree, name)).collect(),
        _ => Vec::new(),
    }
}

/// The module that `path` counts from when it stands in `module`, and what is left of it.
fn absolute<'a>(module: &str, path: &'a [String]) -> (String, Vec<&'a str>) {
    let mut from = module.to_owned();
    let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
    while let Some(first) = path.first() {
        match *first {
            "crate" => from.clear(),
            "self" => {}
            "super" => {
                from = from
                    .rsplit_once("::")
                    .map_or_else(String::new, |(above, _)| above.to_owned())
            }
            _ => break,
        }
        path.remove(0);
    }
    (from, path)
}

struct Members {
    found: BTreeSet<String>,
}

impl Members {
    fn take(&mut self, of: &impl ToString, name: &impl ToString) {
        self.found.insert(format!("{}::{}", of.to_string(), name.to_string()));
    }
}

impl<'ast> Visit<'ast> for Members {
    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let syn::Type::Path(path) = &*block.self_ty
            && let Some(last) = path.path.segments.last()
        {
            for item in &block.items {
                match item {
                    syn::ImplItem::Fn(item) if is_public(&item.vis) => self.take(&last.ident, &item.sig.ident),
                    syn::ImplItem::Const(item) if is_public(&item.vis) => self.take(&last.ident, &item.ident),
                    _ => {}
                }
            }
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        item.variants
            .iter()
            .for_each(|variant| self.take(&item.ident, &variant.ident));
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
            if let Some(name) = &field.ident {
                self.take(&item.ident, name);
            }
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        for method in &item.items {
            if let syn::TraitItem::Fn(method) = method {
                self.take(&item.ident, &method.sig.ident);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Role;

    fn sources() -> Vec<Source> {
        let file = |path: &str, role, text: &str| Source::new(path, FOLDER, role, text).unwrap();
        vec![
            file("runtime/mind/src/lib.rs", Role::Shipping, "pub mod a; mod hidden;"),
            file(
                "runtime/mind/src/a.rs",
                Role::Shipping,
                "mod inner; pub use inner::{Deep, LIMIT as BOUND}; pub use crate::hidden::shown;
                 pub struct Plain { pub open: u8, shut: u8 }
                 impl Plain { pub fn act(&self) {} fn think(&self) {} }
                 #[cfg(test)] mod tests { #[test] fn it_acts() {} fn helper() {}
                 proptest! { #[test] fn whatever_comes(x in 0..1) {} } }",
            ),
            file(
                "runtime/mind/src/a/inner.rs",
                Role::Shipping,
                "pub enum Deep { Down } pub const LIMIT: u8 = 1; pub fn unseen() {}",
            ),
            file("runtime/mind/src/hidden.rs", Role::Shipping, "pub fn shown() {}"),
            file("runtime/mind/tests/whole.rs", Role::Test, "#[test] fn it_is_whole() {}"),
        ]
    }

    fn found(code: &str, test: &str) -> Vec<String> {
        let text = format!("| Source | Code | Test |\n| --- | --- | --- |\n| Level 4.5, c: d | `{code}` | `{test}` |");
        let all = required();
        let not_yet: Vec<&str> = all.iter().map(String::as_str).collect();
        check(&text, &sources(), &not_yet)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn paths_that_users_can_name_and_tests_that_run_are_clean() {
        for code in [
            "a",
            "a::Plain",
            "a::Plain::act",
            "a::Plain::open",
            "a::Deep::Down",
            "a::BOUND",
            "a::shown",
        ] {
            for test in [
                "a::tests::it_acts",
                "a::tests::whatever_comes",
                "tests/whole::it_is_whole",
            ] {
                assert_eq!(found(code, test), [""; 0], "{code} {test}");
            }
        }
    }

    #[test]
    fn a_path_that_nobody_can_name_is_found() {
        for code in [
            "b",
            "a::Gone",
            "a::Plain::shut",
            "a::Plain::think",
            "a::inner::Deep",
            "a::unseen",
            "hidden::shown",
        ] {
            assert_eq!(
                found(code, "a::tests::it_acts"),
                [format!("`{code}` is no public path")]
            );
        }
    }

    #[test]
    fn a_test_that_is_none_is_found() {
        for test in ["a::tests::helper", "a::it_acts", "tests/whole::gone"] {
            assert_eq!(found("a", test), [format!("`{test}` is no test")]);
        }
    }

    #[test]
    fn every_module_definition_and_proposition_is_required_once() {
        let all = required();
        let of = |kind: &str| all.iter().filter(|name| name.contains(kind)).count();
        assert_eq!((of("module"), of("definition"), of("proposition")), (28, 24, 2));
        let row = "| Level 4.9, module 15: x | `a` | `a::tests::it_acts` |\n";
        let missing = check(row, &sources(), &[]);
        assert_eq!(missing.len(), all.len() - 1);
        let twice = check(&row.repeat(2), &sources(), &[]);
        assert!(
            twice
                .iter()
                .any(|finding| finding.what == "`Level 4.9, module 15` is there 2 times, not 1")
        );
        let come = check(row, &sources(), &["Level 4.9, module 15"]);
        assert!(
            come.iter()
                .any(|finding| finding.what == "`Level 4.9, module 15` is there 1 times, not 0")
        );
    }
}
