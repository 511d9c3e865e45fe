//! Each crate's manifest takes its lints, versions and metadata from the workspace, and names only what it uses.

use crate::Finding;
use crate::source::Source;
use crate::workspace::Package;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

/// Every manifest that goes its own way.
pub fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .flat_map(|package| match package.manifest.parse::<Table>() {
            Ok(manifest) => manifest_findings(&package.folder, &manifest),
            Err(error) => vec![Finding::new(
                &package.folder,
                format!("has a manifest that is not TOML: {error}"),
            )],
        })
        .collect()
}

fn manifest_findings(folder: &str, manifest: &Table) -> Vec<Finding> {
    let from_workspace =
        |value: Option<&Value>| value.and_then(|value| value.get("workspace")) == Some(&Value::Boolean(true));
    let mut findings = Vec::new();
    if !from_workspace(manifest.get("lints")) {
        findings.push(Finding::new(
            folder,
            "does not take its lints from the workspace ([lints] workspace = true)",
        ));
    }
    let package = manifest.get("package");
    let own = INHERITED
        .iter()
        .filter(|key| !from_workspace(package.and_then(|package| package.get(**key))));
    findings.extend(own.map(|key| Finding::new(folder, format!("does not take `{key}` from the workspace"))));
    for (name, value) in SECTIONS
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flatten()
    {
        if !from_workspace(Some(value)) {
            findings.push(Finding::new(
                folder,
                format!("does not take `{name}` from [workspace.dependencies]"),
            ));
        }
    }
    findings
}

/// Every dependency that no source of the crate names, but for those that the manifest lists in
/// `package.metadata.tidy.features-only`: named for their features, on purpose.
pub fn check_unused(packages: &[Package], sources: &[Source]) -> Vec<Finding> {
    let mut named: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let paths = source.paths().into_iter().flat_map(|path| path.segments);
        named.entry(&source.folder).or_default().extend(paths);
    }
    packages
        .iter()
        .flat_map(|package| {
            let on_purpose = features_only(&package.manifest);
            let named = named.get(package.folder.as_str());
            let unused = package.dependencies.iter().filter(move |dependency| {
                let root = dependency.name.replace('-', "_");
                !on_purpose.contains(&dependency.name) && !named.is_some_and(|named| named.contains(&root))
            });
            unused.map(|dependency| {
                Finding::new(
                    &package.folder,
                    format!("names {} but does not use it", dependency.name),
                )
            })
        })
        .collect()
}

fn features_only(manifest: &str) -> Vec<String> {
    let manifest: Table = manifest.parse().unwrap_or_default();
    let package = manifest.get("package").and_then(|package| package.get("metadata"));
    let list = package.and_then(|metadata| metadata.get("tidy")?.get("features-only")?.as_array());
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Role;
    use crate::workspace::{Dependency, Kind};

    const GOOD: &str = "
        [package]
        name = 'a'
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [dependencies]
        serde.workspace = true
        tokio = { workspace = true, optional = true }
        [lints]
        workspace = true
    ";

    fn package(manifest: &str) -> Package {
        Package {
            name: "a".to_owned(),
            folder: "runtime/a".to_owned(),
            dependencies: vec![],
            reaches: [].into(),
            manifest: manifest.to_owned(),
            roots: vec![],
        }
    }

    fn found(manifest: &str) -> Vec<String> {
        check(&[package(manifest)])
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_clean() {
        assert!(found(GOOD).is_empty());
    }

    #[test]
    fn own_lints_metadata_and_versions_are_found() {
        assert_eq!(
            found(&GOOD.replace("[lints]\n        workspace = true", "")),
            ["does not take its lints from the workspace ([lints] workspace = true)"]
        );
        assert_eq!(
            found(&GOOD.replace("edition.workspace = true", "edition = '2021'")),
            ["does not take `edition` from the workspace"]
        );
        assert_eq!(
            found(&GOOD.replace("serde.workspace = true", "serde = '1'")),
            ["does not take `serde` from [workspace.dependencies]"]
        );
    }

    #[test]
    fn a_dependency_that_no_source_names_is_found() {
        let on_purpose = "[package.metadata.tidy]\nfeatures-only = ['regex']";
        let mut package = package(&format!("{GOOD}\n{on_purpose}"));
        package.dependencies = ["serde", "tokio-util", "rustix", "regex"]
            .map(|name| Dependency {
                name: name.to_owned(),
                folder: None,
                kind: Kind::Normal,
            })
            .to_vec();
        let source = Source::new(
            "a.rs",
            "runtime/a",
            Role::Shipping,
            "use tokio_util::time; #[derive(serde::Serialize)] struct A;",
        );
        let found = check_unused(&[package], &[source.unwrap()]);
        assert_eq!(found, [Finding::new("runtime/a", "names rustix but does not use it")]);
    }
}
