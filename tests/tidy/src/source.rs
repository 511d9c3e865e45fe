//! A Rust source file and what it is compiled into.

use crate::Finding;
use crate::tokens::{self, Attribute, Path, Shipped};
use proc_macro2::TokenStream;
use std::collections::BTreeMap;
use std::path::{Component, Path as FilePath, PathBuf};

/// What a source file is part of; where a file is part of several, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A library or program of `runtime/`, `actors/` or `cluster/`.
    Shipping,
    /// An example for users, in `examples/`.
    Example,
    /// A benchmark, or a program of a crate that measures (cargo's examples of that crate).
    Bench,
    /// Tests and what helps them; everything under `tests/`.
    Test,
}

/// A source file that is known to be Rust. It keeps its text and tokenises it when asked: tokens belong to one thread.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path from the root of the workspace, with `/`.
    pub path: String,
    /// The folder of its crate, such as `runtime/mind`.
    pub folder: String,
    /// What it is part of.
    pub role: Role,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Takes `text` if it is Rust.
    ///
    /// # Errors
    /// If the text is not Rust.
    pub fn new(path: &str, folder: &str, role: Role, text: &str) -> Result<Self, Finding> {
        let not_rust = |error: syn::Error| Finding::new(path, format!("is not Rust: {error}"));
        let whole = syn::parse_file(text).map_err(not_rust)?;
        let shipped = tokens::shipped(&quote::ToTokens::to_token_stream(&whole));
        syn::parse2::<syn::File>(shipped.tokens).map_err(not_rust)?;
        Ok(Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
            role,
            text: text.to_owned(),
        })
    }

    /// Its tokens, test code included.
    pub fn tokens(&self) -> TokenStream {
        self.text.parse().expect("the text was Rust when this was made")
    }

    /// Its tokens without test code.
    pub fn shipped(&self) -> Shipped {
        tokens::shipped(&self.tokens())
    }

    /// Its syntax without test code.
    pub fn shipped_syntax(&self) -> syn::File {
        syn::parse2(self.shipped().tokens).expect("the text was Rust when this was made")
    }

    /// The paths it names outside test code.
    pub fn shipped_paths(&self) -> Vec<Path> {
        tokens::paths(&self.shipped().tokens)
    }

    /// All paths it names.
    pub fn paths(&self) -> Vec<Path> {
        tokens::paths(&self.tokens())
    }

    /// All its attributes.
    pub fn attributes(&self) -> Vec<Attribute> {
        tokens::attributes(&self.tokens())
    }

    /// A finding in this file.
    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding::at(&self.path, line, what)
    }
}

/// A file that a module tree leads to, before it is read as a [`Source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// What the tree says it is part of.
    pub role: Role,
    /// The file's text.
    pub text: String,
}

/// Follows `mod name;` from the root file of a target. Files below `#[cfg(test)]` are [`Role::Test`]. `read` gives a
/// file's text, `None` if there is no such file.
///
/// # Errors
/// A module without a file, or a file that is not Rust.
pub fn module_tree(
    root: &FilePath,
    role: Role,
    read: &dyn Fn(&FilePath) -> Option<String>,
) -> Result<BTreeMap<PathBuf, Reached>, Finding> {
    let mut found = BTreeMap::new();
    let mut open = vec![(root.to_path_buf(), folder_of(root), role)];
    while let Some((file, children, role)) = open.pop() {
        let place = file.to_string_lossy().into_owned();
        let text = read(&file).ok_or_else(|| Finding::new(&place, "is named by a module but does not exist"))?;
        let parsed = syn::parse_file(&text).map_err(|error| Finding::new(&place, format!("is not Rust: {error}")))?;
        for module in modules(&parsed.items, &children, &folder_of(&file), role) {
            let path = module
                .candidates
                .iter()
                .find(|candidate| read(candidate).is_some())
                .ok_or_else(|| {
                    Finding::new(
                        &place,
                        format!("declares `mod {};` but has no file for it", module.name),
                    )
                })?;
            let is_mod_rs = path.file_name().is_some_and(|name| name == "mod.rs");
            let children = if is_mod_rs {
                folder_of(path)
            } else {
                path.with_extension("")
            };
            open.push((path.clone(), children, module.role));
        }
        let reached = Reached { role, text };
        found
            .entry(file)
            .and_modify(|known: &mut Reached| known.role = known.role.min(reached.role))
            .or_insert(reached);
    }
    Ok(found)
}

struct Module {
    name: String,
    candidates: Vec<PathBuf>,
    role: Role,
}

fn modules(items: &[syn::Item], children: &FilePath, beside: &FilePath, role: Role) -> Vec<Module> {
    let mut found = Vec::new();
    for item in items {
        let syn::Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        let is_test = module
            .attrs
            .iter()
            .any(|attribute| tokens::is_cfg_test(&quote::ToTokens::to_token_stream(&attribute.meta)));
        let role = if is_test { Role::Test } else { role };
        let folder = children.join(&name);
        match (&module.content, explicit_path(module)) {
            (Some((_, inner)), _) => found.extend(modules(inner, &folder, &folder, role)),
            (None, Some(path)) => found.push(Module {
                name,
                candidates: vec![plain(&beside.join(path))],
                role,
            }),
            (None, None) => found.push(Module {
                candidates: vec![folder.with_extension("rs"), folder.join("mod.rs")],
                name,
                role,
            }),
        }
    }
    found
}

fn explicit_path(module: &syn::ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(path),
                ..
            }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

/// The path without `..`.
fn plain(path: &FilePath) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn folder_of(file: &FilePath) -> PathBuf {
    file.parent().map_or_else(PathBuf::new, FilePath::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Result<Vec<(String, Role)>, Finding> {
        let read = |path: &FilePath| {
            let wanted = path.to_string_lossy();
            files
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, text)| (*text).to_owned())
        };
        let reached = module_tree(FilePath::new(files[0].0), Role::Shipping, &read)?;
        Ok(reached
            .into_iter()
            .map(|(path, reached)| (path.to_string_lossy().into_owned(), reached.role))
            .collect())
    }

    #[test]
    fn modules_are_followed_and_those_for_tests_are_told_apart() {
        let found = tree(&[
            (
                "src/lib.rs",
                "mod a; mod b; mod inline { mod c; } #[path = \"../odd/d.rs\"] mod d;",
            ),
            ("src/a.rs", "mod deep; #[cfg(test)] mod tests;"),
            ("src/a/deep.rs", ""),
            ("src/a/tests.rs", "mod helper;"),
            ("src/a/tests/helper.rs", ""),
            ("src/b/mod.rs", "mod e;"),
            ("src/b/e.rs", ""),
            ("src/inline/c.rs", ""),
            ("odd/d.rs", ""),
        ])
        .unwrap();
        let of = |role| -> Vec<&str> {
            let same = found.iter().filter(|(_, have)| *have == role);
            same.map(|(path, _)| path.as_str()).collect()
        };
        assert_eq!(of(Role::Test), ["src/a/tests/helper.rs", "src/a/tests.rs"]);
        assert_eq!(
            of(Role::Shipping),
            [
                "odd/d.rs",
                "src/a/deep.rs",
                "src/a.rs",
                "src/b/e.rs",
                "src/b/mod.rs",
                "src/inline/c.rs",
                "src/lib.rs"
            ]
        );
    }

    #[test]
    fn a_module_without_a_file_is_found() {
        let finding = tree(&[("src/lib.rs", "mod gone;")]).unwrap_err();
        assert_eq!(
            finding.to_string(),
            "src/lib.rs: declares `mod gone;` but has no file for it"
        );
    }
}
