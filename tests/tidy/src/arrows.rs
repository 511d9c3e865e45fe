//! Which crate may depend on which.
//!
//! 1. Layers: `runtime ← actors ← cluster`; inside a layer a crate depends only on crates of a lower rank ([`HOUSE`]).
//! 2. [`NEVER`] takes further arrows out, [`OWNED`] names outside crates that only some crates may use.
//! 3. Dev-dependencies follow the same arrows, and may name `tests/support` besides; outside crates are free there.
//! 4. Examples see the project as its users do: the package `rungs` only. `tests/support` knows `runtime/types` only, so
//!    that any crate may use it. `tests/tidy` depends on no crate of the workspace. No crate depends on the other tests.

use crate::Finding;
use crate::workspace::{Dependency, Kind, Package};

/// Every place in the house, with its layer and its rank there. A place that ends in `/*` stands for all crates below.
const HOUSE: &[(&str, u8, u8)] = &[
    ("runtime/types", 0, 0),
    ("runtime/mind", 0, 1),
    ("runtime/learning", 0, 1),
    ("runtime/policy", 0, 1),
    ("runtime/store", 0, 1),
    ("runtime/store/raft/replica", 0, 2),
    ("runtime/store/raft", 0, 3),
    ("runtime/store/postgres", 0, 3),
    ("runtime/host", 0, 4),
    ("actors/agent", 1, 0),
    ("actors/environments", 1, 1),
    ("actors/tools", 1, 1),
    ("actors/memory", 1, 1),
    ("actors/learner", 1, 1),
    ("actors/control", 1, 2),
    ("actors/security", 1, 3),
    ("actors/packs/*", 1, 4),
    ("cluster/mesh", 2, 0),
    ("cluster/directory", 2, 1),
    ("cluster/api", 2, 2),
    ("cluster/shell", 2, 2),
    ("cluster/cli", 2, 3),
    ("cluster/node", 2, 4),
];

/// Arrows that the ranks would allow: from, to (a prefix), why not.
const NEVER: &[(&str, &str, &str)] = &[
    ("runtime/host", "runtime/store/", "only the assembly chooses a store"),
    ("actors/", "runtime/store/", "only the assembly chooses a store"),
    ("cluster/mesh", "runtime/store/", "only the assembly chooses a store"),
    (
        "cluster/directory",
        "runtime/store/",
        "only the assembly chooses a store",
    ),
    ("cluster/api", "runtime/store/", "only the assembly chooses a store"),
    ("cluster/shell", "runtime/store/", "only the assembly chooses a store"),
    ("cluster/cli", "runtime/store/", "only the assembly chooses a store"),
    (
        "cluster/mesh",
        "actors/",
        "the mesh carries envelopes and knows no actor",
    ),
    (
        "cluster/directory",
        "actors/",
        "the directory knows kinds only through a trait",
    ),
];

/// Crates from outside that belong to some places only: their names, those places, why.
const OWNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["ractor_cluster"],
        &["cluster/mesh"],
        "the mesh alone knows what links the nodes",
    ),
    (
        &[
            "axum",
            "hyper",
            "hyper-util",
            "actix-web",
            "warp",
            "tiny_http",
            "poem",
            "rocket",
            "salvo",
            "tonic",
        ],
        &["cluster/api"],
        "the HTTP server is in cluster/api",
    ),
    (
        &["clap", "clap_complete", "argh", "lexopt", "pico-args", "dotenvy"],
        &["cluster/node", "cluster/cli", "cluster/shell"],
        "argv and environment are read in cluster/{node,cli,shell}",
    ),
    (
        &["anyhow"],
        // The commands of `cluster/cli` end in a message for a person, as the program and the shell do.
        &["cluster/node", "cluster/shell", "cluster/cli"],
        "elsewhere errors are typed",
    ),
    (
        &["hiqlite", "openraft", "rusqlite"],
        &["runtime/store/raft/replica"],
        "one crate calls what takes long to compile where it is called",
    ),
    (
        &["bincode"],
        &["runtime/host"],
        "the codec is one module of runtime/host",
    ),
    (
        &["openssl", "native-tls"],
        &[],
        "rustls is the one implementation of TLS",
    ),
];

/// Every dependency that points the wrong way.
pub fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .flat_map(|package| {
            let unknown = (!is_beside(&package.folder) && rank(&package.folder).is_none()).then(|| {
                Finding::new(
                    &package.folder,
                    "has no place in the house; give it a layer and a rank in HOUSE",
                )
            });
            unknown
                .into_iter()
                .chain(package.dependencies.iter().filter_map(|on| wrong(&package.folder, on)))
        })
        .collect()
}

/// Why `from` may not depend on `on`, if so.
fn wrong(from: &str, on: &Dependency) -> Option<Finding> {
    let why = match &on.folder {
        Some(to) => inside(from, to, on.kind),
        None if on.kind == Kind::Normal && !is_beside(from) => outside(from, &on.name),
        None => None,
    }?;
    let to = on.folder.as_ref().unwrap_or(&on.name);
    let kind = if on.kind == Kind::Dev { " (dev)" } else { "" };
    Some(Finding::new(from, format!("{from} → {to}{kind}: {why}")))
}

fn outside(from: &str, name: &str) -> Option<String> {
    let (_, _, why) = OWNED
        .iter()
        .find(|(names, owners, _)| names.contains(&name) && !owners.contains(&from))?;
    Some((*why).to_owned())
}

fn inside(from: &str, to: &str, kind: Kind) -> Option<String> {
    let never = NEVER
        .iter()
        .find(|(no, target, _)| from.starts_with(no) && to.starts_with(target));
    match (from, to) {
        ("tests/tidy", _) => Some("the judge depends on none of the judged".to_owned()),
        ("tests/support", "runtime/types") => None,
        ("tests/support", _) => Some("test support knows runtime/types only".to_owned()),
        (_, "tests/support") if kind == Kind::Dev || from.starts_with("tests/") => None,
        (_, to) if is_beside(to) => Some("nothing that ships depends on tests or examples".to_owned()),
        ("examples", "cluster/node") => None,
        ("examples", _) => Some("examples use the package rungs only".to_owned()),
        (from, _) if from.starts_with("tests/") => None,
        _ if never.is_some() => never.map(|(_, _, why)| (*why).to_owned()),
        _ => match (rank(from), rank(to)) {
            (Some(from), Some(to)) if to < from => None,
            (Some(_), Some(_)) => {
                Some("arrows go down: runtime ← actors ← cluster, and inside a layer by rank".to_owned())
            }
            _ => Some("one of the two has no place in the house".to_owned()),
        },
    }
}

/// Beside the house: what looks at it from outside.
fn is_beside(folder: &str) -> bool {
    folder == "examples" || folder.starts_with("tests/")
}

fn rank(folder: &str) -> Option<(u8, u8)> {
    let here = |place: &str| match place.strip_suffix('*') {
        Some(above) => folder.starts_with(above),
        None => folder == place,
    };
    let found = HOUSE.iter().find(|(place, _, _)| here(place));
    found.map(|(_, layer, rank)| (*layer, *rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, dependencies: &[(&str, Kind)]) -> Package {
        Package {
            name: folder.replace('/', "-"),
            folder: folder.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    folder: (name.contains('/') || *name == "examples").then(|| (*name).to_owned()),
                    kind: *kind,
                })
                .collect(),
            reaches: [].into(),
            manifest: String::new(),
            roots: vec![],
        }
    }

    fn arrow(from: &str, to: &str, kind: Kind) -> Vec<String> {
        check(&[package(from, &[(to, kind)])])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[track_caller]
    fn refused(from: &str, to: &str) {
        let found = arrow(from, to, Kind::Normal);
        assert_eq!(found.len(), 1, "{from} → {to}: {found:?}");
        assert!(found[0].starts_with(&format!("{from}: {from} → {to}: ")), "{found:?}");
    }

    #[track_caller]
    fn allowed(from: &str, to: &str) {
        assert_eq!(arrow(from, to, Kind::Normal), [""; 0]);
    }

    #[test]
    fn arrows_go_from_the_cluster_to_the_runtime() {
        for (from, to) in [
            ("runtime/mind", "runtime/types"),
            ("runtime/host", "runtime/store"),
            ("actors/agent", "runtime/host"),
            ("actors/environments", "actors/agent"),
            ("actors/packs/dev", "actors/security"),
            ("cluster/mesh", "runtime/host"),
            ("cluster/shell", "actors/agent"),
            ("cluster/node", "runtime/store/raft"),
            ("runtime/store/raft", "runtime/store"),
            ("examples", "cluster/node"),
            ("tests/cluster", "tests/support"),
        ] {
            allowed(from, to);
        }
    }

    #[test]
    fn a_planted_wrong_arrow_is_found_and_named() {
        for (from, to) in [
            ("runtime/types", "runtime/mind"),
            ("runtime/mind", "runtime/learning"),
            ("runtime/store", "runtime/host"),
            ("runtime/store", "runtime/store/raft"),
            ("runtime/store/raft", "runtime/host"),
            ("cluster/directory", "runtime/store/raft"),
            ("runtime/host", "actors/agent"),
            ("runtime/host", "runtime/store/raft"),
            ("actors/agent", "actors/control"),
            ("actors/environments", "actors/tools"),
            ("actors/control", "cluster/mesh"),
            ("cluster/mesh", "cluster/directory"),
            ("cluster/mesh", "actors/agent"),
            ("cluster/directory", "actors/agent"),
            ("cluster/cli", "runtime/store/postgres"),
            ("cluster/shell", "cluster/api"),
            ("cluster/node", "tests/support"),
            ("cluster/node", "examples"),
            ("examples", "runtime/mind"),
            ("tests/support", "cluster/node"),
            ("tests/tidy", "runtime/types"),
        ] {
            refused(from, to);
        }
    }

    #[test]
    fn crates_from_outside_stay_with_their_owners() {
        allowed("cluster/mesh", "ractor_cluster");
        allowed("cluster/shell", "anyhow");
        allowed("tests/cluster", "anyhow");
        refused("cluster/cli", "ractor_cluster");
        refused("cluster/node", "axum");
        refused("runtime/host", "clap");
        allowed("cluster/cli", "anyhow");
        refused("cluster/directory", "anyhow");
        refused("runtime/store", "bincode");
        refused("cluster/mesh", "openssl");
        allowed("runtime/store/raft/replica", "hiqlite");
        refused("runtime/store/raft", "hiqlite");
        refused("runtime/store", "hiqlite");
        refused("cluster/node", "rusqlite");
    }

    #[test]
    fn dev_dependencies_follow_the_arrows_and_may_use_test_support() {
        assert!(arrow("runtime/mind", "tests/support", Kind::Dev).is_empty());
        assert!(arrow("runtime/mind", "bincode", Kind::Dev).is_empty());
        let found = arrow("runtime/mind", "runtime/host", Kind::Dev);
        assert!(
            found[0].starts_with("runtime/mind: runtime/mind → runtime/host (dev): "),
            "{found:?}"
        );
        assert_eq!(arrow("runtime/mind", "tests/cluster", Kind::Dev).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let found = check(&[package("runtime/extras", &[])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("HOUSE"));
    }
}
