//! The program under test, built as cargo builds it for this very test run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of the program `rungs`.
///
/// Tests of another package get no path from cargo, and find no program or an old one. So the first call in a test
/// process has cargo build it, into the folder and with the profile of the running test: a moment if it is fresh.
///
/// # Panics
/// If it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = env::current_exe().expect("a running test knows its program");
        build(&test).unwrap_or_else(|error| panic!("{error}"))
    })
}

fn build(test: &Path) -> Result<PathBuf, String> {
    let built = profile_folder(test).ok_or_else(|| format!("{} does not stand in a target folder", test.display()))?;
    let target = built
        .parent()
        .ok_or_else(|| format!("{} has no parent", built.display()))?;
    let profile = match built.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => return Err(format!("{} names no profile", built.display())),
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_this_test) {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .args([
            "build",
            "--locked",
            "--package",
            "rungs",
            "--bin",
            "rungs",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo build: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(built.join("rungs").with_extension(env::consts::EXE_EXTENSION))
}

/// Variables that cargo sets for the package whose test runs. Some build scripts (that of ring) ask to run again when one of
/// them changes: with them, the program would be built anew for each package that tests it, and for the next command again.
fn is_of_this_test(variable: &str) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
        || ["OUT_DIR", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR"].contains(&variable)
}

/// `target/debug` for `target/debug/deps/name-hash`, the place of tests, and for `target/debug/examples/name`.
fn profile_folder(test: &Path) -> Option<PathBuf> {
    let folder = test.parent()?;
    let is_inner = folder.ends_with("deps") || folder.ends_with("examples");
    if is_inner { folder.parent() } else { Some(folder) }.map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_of_the_tested_package_is_not_said_of_the_program() {
        for variable in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "OUT_DIR"] {
            assert!(is_of_this_test(variable), "{variable}");
        }
        for variable in ["CARGO", "CARGO_HOME", "CARGO_INCREMENTAL", "CARGO_TARGET_DIR", "PATH"] {
            assert!(!is_of_this_test(variable), "{variable}");
        }
    }

    #[test]
    fn the_profile_folder_is_found_from_each_kind_of_program() {
        for test in [
            "target/debug/deps/cluster-1f",
            "target/debug/examples/hello",
            "target/debug/rungs",
        ] {
            assert_eq!(profile_folder(Path::new(test)), Some(PathBuf::from("target/debug")));
        }
    }
}
