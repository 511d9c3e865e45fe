//! Reads the workspace once: what cargo says about its crates, their sources, and every text file in the tree.

use crate::Finding;
use crate::source::{Role, Source, module_tree};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// Whether a dependency is there for the crate, its tests or its build script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]` and `[build-dependencies]`.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
}

/// A dependency as a manifest states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// The folder of the package, if it is one of the workspace.
    pub folder: Option<String>,
    /// What it is for.
    pub kind: Kind,
}

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name, such as `rungs-mind`.
    pub name: String,
    /// Its folder from the root of the workspace, such as `runtime/mind`.
    pub folder: String,
    /// What its manifest depends on.
    pub dependencies: Vec<Dependency>,
    /// Names of all packages it reaches, itself and dev-dependencies not among them.
    pub reaches: BTreeSet<String>,
    /// Text of its `Cargo.toml`.
    pub manifest: String,
    /// Root files of its libraries and programs, from the root of the workspace.
    pub roots: Vec<String>,
}

/// A text file of the tree.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its path from the root of the workspace, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Everything the rules look at.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The root folder.
    pub root: PathBuf,
    /// The crates.
    pub packages: Vec<Package>,
    /// The sources that some target of some crate compiles.
    pub sources: Vec<Source>,
    /// Every text file in the tree, sources included.
    pub texts: Vec<Text>,
    /// Names of files and folders at the top, those that git ignores left out.
    pub top: Vec<String>,
    /// What was wrong while reading: a module without a file, a source that is not Rust.
    pub findings: Vec<Finding>,
}

impl Workspace {
    /// Reads the workspace this crate belongs to.
    ///
    /// # Errors
    /// If cargo does not answer, or a file cannot be read.
    pub fn read() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root
            .canonicalize()
            .map_err(|error| format!("{}: {error}", root.display()))?;
        let metadata = metadata(&root)?;
        let packages = metadata.members(&root)?;
        let (sources, findings) = metadata.sources(&root)?;
        let ignored = ignored(&root)?;
        let mut texts = Vec::new();
        read_texts(&root, &root, &ignored, &mut texts).map_err(|error| format!("{}: {error}", root.display()))?;
        texts.sort_by(|a, b| a.path.cmp(&b.path));
        let top = entries(&root)
            .map_err(|error| format!("{}: {error}", root.display()))?
            .into_iter()
            .filter(|name| !ignored.contains(name))
            .collect();
        Ok(Self {
            root,
            packages,
            sources,
            texts,
            top,
            findings,
        })
    }

    /// The text of a file, empty if there is none.
    pub fn text(&self, path: &str) -> &str {
        let found = self.texts.iter().find(|text| text.path == path);
        found.map_or("", |text| text.text.as_str())
    }
}

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct MetadataPackage {
    id: String,
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<MetadataDependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct MetadataDependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// Asks cargo; `--locked` and one platform, so that everything a build of this workspace fetched is enough.
fn metadata(root: &Path) -> Result<Metadata, String> {
    let output = cargo(
        root,
        &[
            "metadata",
            "--locked",
            "--filter-platform",
            "host-tuple",
            "--format-version",
            "1",
        ],
    )?;
    serde_json::from_str(&output).map_err(|error| format!("cargo metadata: {error}"))
}

/// Runs cargo in `root` and returns what it prints.
///
/// # Errors
/// If it cannot be started or fails, with what it said.
pub fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo {}: {error}", arguments[0]))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo {}: {said}", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo {}: {error}", arguments[0]))
}

impl Metadata {
    fn member_packages(&self) -> impl Iterator<Item = &MetadataPackage> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    fn members(&self, root: &Path) -> Result<Vec<Package>, String> {
        self.member_packages()
            .map(|package| self.member(package, root))
            .collect()
    }

    fn member(&self, package: &MetadataPackage, root: &Path) -> Result<Package, String> {
        let manifest = fs::read_to_string(&package.manifest_path)
            .map_err(|error| format!("{}: {error}", package.manifest_path.display()))?;
        let dependencies = package.dependencies.iter().map(|dependency| Dependency {
            name: dependency.name.clone(),
            folder: dependency.path.as_deref().map(|path| relative(root, path)),
            kind: match dependency.kind.as_deref() {
                Some("dev") => Kind::Dev,
                _ => Kind::Normal,
            },
        });
        let ships = |target: &&Target| target.kind.iter().any(|kind| kind == "lib" || kind == "bin");
        Ok(Package {
            name: package.name.clone(),
            folder: package.folder(root),
            dependencies: dependencies.collect(),
            reaches: self.reached_from(&package.id),
            manifest,
            roots: package
                .targets
                .iter()
                .filter(ships)
                .map(|target| relative(root, &target.src_path))
                .collect(),
        })
    }

    fn reached_from(&self, id: &str) -> BTreeSet<String> {
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(at) = open.pop() {
            let edges = nodes.get(at).map_or(&[][..], |node| node.deps.as_slice());
            let normal = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
            for edge in edges.iter().filter(normal) {
                if seen.insert(edge.pkg.as_str()) {
                    open.push(&edge.pkg);
                }
            }
        }
        let named = self
            .packages
            .iter()
            .filter(|package| seen.contains(package.id.as_str()));
        named.map(|package| package.name.clone()).collect()
    }

    fn sources(&self, root: &Path) -> Result<(Vec<Source>, Vec<Finding>), String> {
        let mut sources = Vec::new();
        let mut findings = Vec::new();
        for package in self.member_packages() {
            let folder = package.folder(root);
            let mut files = BTreeMap::new();
            for target in &package.targets {
                let role = role(&folder, &target.kind);
                match module_tree(&target.src_path, role, &|path| fs::read_to_string(path).ok()) {
                    Ok(tree) => merge(&mut files, tree),
                    Err(finding) => findings.push(finding),
                }
            }
            for (path, reached) in files {
                match Source::new(&relative(root, &path), &folder, reached.role, &reached.text) {
                    Ok(source) => sources.push(source),
                    Err(finding) => findings.push(finding),
                }
            }
        }
        Ok((sources, findings))
    }
}

impl MetadataPackage {
    fn folder(&self, root: &Path) -> String {
        let folder = self.manifest_path.parent().unwrap_or(&self.manifest_path);
        relative(root, folder)
    }
}

type Tree = BTreeMap<PathBuf, crate::source::Reached>;

fn merge(files: &mut Tree, tree: Tree) {
    for (path, reached) in tree {
        files
            .entry(path)
            .and_modify(|known| known.role = known.role.min(reached.role))
            .or_insert(reached);
    }
}

fn role(folder: &str, kinds: &[String]) -> Role {
    let is = |wanted: &str| kinds.iter().any(|kind| kind == wanted);
    match folder {
        _ if folder.starts_with("tests/") || is("test") => Role::Test,
        "examples" => Role::Example,
        _ if is("bench") || is("example") => Role::Bench,
        _ => Role::Shipping,
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// What stands in `.gitignore` as `/name`, and git's own folder.
fn ignored(root: &Path) -> Result<BTreeSet<String>, String> {
    let path = root.join(".gitignore");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix('/'));
    let names = names.map(|name| name.trim_end_matches('/').to_owned());
    Ok(names.chain([".git".to_owned()]).collect())
}

fn read_texts(root: &Path, folder: &Path, ignored: &BTreeSet<String>, texts: &mut Vec<Text>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let inside = relative(root, &path);
        if ignored.contains(&inside) {
            continue;
        }
        if path.is_dir() {
            read_texts(root, &path, ignored, texts)?;
        } else if let Ok(text) = String::from_utf8(fs::read(&path)?) {
            texts.push(Text { path: inside, text });
        }
    }
    Ok(())
}
