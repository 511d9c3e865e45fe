//! The rules of `rungs-tidy`, applied to this workspace.

use rungs_tidy::exceptions::Exceptions;
use rungs_tidy::workspace::{Workspace, cargo};
use rungs_tidy::{
    Finding, arrows, deploy, features, habits, layout, length, manifests, purity, readme, remotable, texts, thresholds,
    trace,
};
use std::sync::LazyLock;

static EXCEPTIONS: LazyLock<Exceptions> = LazyLock::new(|| {
    let exceptions = Exceptions::parse(WORKSPACE.text("tests/tidy/exceptions.toml"));
    exceptions.expect("the list of exceptions can be read")
});

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| Workspace::read().expect("the workspace can be read"));

#[track_caller]
fn assert_none(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<String> = findings.into_iter().map(|finding| format!("\n  {finding}")).collect();
    assert!(lines.is_empty(), "{} found:{}", lines.len(), lines.concat());
}

#[test]
fn every_source_can_be_read() {
    assert_none(WORKSPACE.findings.clone());
    assert!(!WORKSPACE.sources.is_empty() && !WORKSPACE.texts.is_empty());
}

#[test]
fn dependencies_follow_the_arrows() {
    assert_none(arrows::check(&WORKSPACE.packages));
}

#[test]
fn pure_crates_name_nothing_impure() {
    assert_none(purity::check_sources(&WORKSPACE.sources));
}

#[test]
fn pure_crates_reach_no_runtime() {
    assert_none(purity::check_reach(&WORKSPACE.packages));
}

#[test]
fn the_top_of_the_tree_is_as_listed() {
    assert_none(layout::check_top(&WORKSPACE.top));
}

#[test]
fn every_rust_file_is_compiled() {
    assert_none(layout::check_orphans(&WORKSPACE.texts, &WORKSPACE.sources));
}

#[test]
fn files_and_functions_are_short() {
    assert_none(length::check(&WORKSPACE.sources, &EXCEPTIONS));
}

#[test]
fn one_message_type_meets_ractor_and_one_is_remotable() {
    assert_none(remotable::check(&WORKSPACE.sources, &EXCEPTIONS));
}

#[test]
fn shipping_code_has_no_loose_ends() {
    assert_none(habits::check_shipping(&WORKSPACE.sources));
    assert_none(texts::check_undone(&WORKSPACE.sources));
}

#[test]
fn arguments_and_environment_are_read_at_the_edge() {
    assert_none(habits::check_environment(&WORKSPACE.sources));
}

#[test]
fn every_silenced_lint_has_a_reason() {
    assert_none(habits::check_reasons(&WORKSPACE.sources));
}

#[test]
fn no_test_is_ignored_or_named_test() {
    assert_none(habits::check_tests(&WORKSPACE.sources));
}

#[test]
fn no_test_sleeps_for_a_fixed_time() {
    assert_none(habits::check_sleeps(&WORKSPACE.sources));
}

#[test]
fn no_file_names_a_machine_or_anything_outside() {
    assert_none(texts::check(&WORKSPACE.texts));
}

#[test]
fn every_package_comes_from_the_public_registry() {
    assert_none(texts::check_lock(WORKSPACE.text("Cargo.lock")));
}

#[test]
fn every_manifest_takes_lints_and_versions_from_the_workspace() {
    assert_none(manifests::check(&WORKSPACE.packages));
}

#[test]
fn the_readme_maps_the_code_and_names_the_commands() {
    let exists = |path: &str| WORKSPACE.root.join(path).exists();
    assert_none(readme::check(WORKSPACE.text("README.md"), &WORKSPACE.packages, &exists));
    assert_eq!(
        readme::test_command(WORKSPACE.text("README.md")),
        Some(readme::COMMANDS[1])
    );
}

#[test]
fn every_definition_leads_to_its_code_and_its_tests() {
    assert_none(trace::check(
        WORKSPACE.text(trace::TABLE),
        &WORKSPACE.sources,
        trace::NOT_YET,
    ));
}

#[test]
fn every_constant_that_need_not_be_tested_is_there_and_says_why() {
    let exceptions = thresholds::Exceptions::parse(WORKSPACE.text("tests/tidy/thresholds.toml"));
    let exceptions = exceptions.expect("the list of constants can be read");
    assert_none(thresholds::stale(&exceptions, &WORKSPACE.sources));
}

#[test]
fn the_service_is_hardened() {
    assert_none(deploy::check_unit(WORKSPACE.text("deploy/systemd/rungs-node.service")));
}

#[test]
fn the_image_holds_one_static_program_and_its_build_is_documented() {
    assert_none(deploy::check_image(
        WORKSPACE.text("deploy/docker/Containerfile"),
        WORKSPACE.text("deploy/README.md"),
    ));
}

#[test]
fn the_program_is_built_alike_by_run_and_test() {
    let tree = |arguments| cargo(&WORKSPACE.root, arguments).expect("cargo tree answers");
    let run = features::parse(&tree(features::RUN));
    let test = features::parse(&tree(features::TEST));
    assert!(run.contains_key("ractor v0.16.5") || run.len() > 50, "{run:?}");
    assert_none(features::check(&run, &test));
}
