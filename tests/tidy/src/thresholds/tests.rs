use super::rewrite::{Change, Plan, known_to_the_compiler};
use super::*;
use crate::source::{Role, Source};

fn source(text: &str) -> Source {
    Source::new("runtime/mind/src/a.rs", "runtime/mind", Role::Shipping, text).unwrap()
}

fn changes(constants: &[Constant]) -> Vec<Change> {
    let each = constants.iter().enumerate();
    each.flat_map(|(constant, found)| (0..found.numbers.len()).map(move |number| Change { constant, number }))
        .collect()
}

/// The source with every change that can be switched.
fn switched(text: &str) -> String {
    let source = source(text);
    let constants = constants(&source);
    let changes = changes(&constants);
    Plan::new(&constants, &changes, known_to_the_compiler(&source)).rewrite(&source, None)
}

#[test]
fn numbers_change_by_two_percent_and_whole_ones_by_at_least_one() {
    let found = constants(&source(
        "const A: f64 = 0.35; const B: u32 = 3; const C: u64 = 1_000; const D: f64 = 0.0; const E: [f64; 2] = [1.0, -2.0];
         const F: u8 = 0xff; const G: f64 = B.0 as f64; impl X { pub const H: X = X { a: 7u8, b: 1e-3 }; }
         #[cfg(test)] mod tests { const I: u32 = 1; }",
    ));
    let said: Vec<String> = found
        .iter()
        .flat_map(|constant| {
            constant
                .numbers
                .iter()
                .map(move |n| format!("{} {} {} {}", constant.name, n.from, n.up, n.down))
        })
        .collect();
    let expected = [
        "A 0.35 0.357 0.343",
        "B 3 4 2",
        "C 1_000 1020 980",
        "D 0.0 0.02 -0.02",
        "E 1.0 1.02 0.98",
        "E 2.0 2.04 1.96",
        "H 7u8 8u8 6u8",
        "H 1e-3 0.00102 0.00098",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_constant_is_switched_where_it_is_defined_and_wherever_it_is_used() {
    let text =
        switched("use b::{LIMIT}; const LIMIT: f64 = 0.5; fn f(x: f64) -> bool { assert!(x < LIMIT); x < f64::LIMIT }");
    let expected = "use b::{LIMIT}; const LIMIT: crate::mutant::Switched<f64> = crate::mutant::Switched { plain: 0.5, \
                    table: &[(0, 0.51)] }; fn f(x: f64) -> bool { assert!(x < LIMIT.get()); x < f64::LIMIT }";
    assert_eq!(text, expected);
}

#[test]
fn what_is_computed_from_a_constant_changes_with_it() {
    let text = switched("const A: u32 = 1; const B: u32 = A + 5;");
    assert!(text.contains("B: crate::mutant::Switched<u32>"), "{text}");
    assert!(
        text.contains("plain: A.plain + 5, table: &[(0, A.at(0) + 5), (1, A.at(1) + 6)]"),
        "{text}"
    );
}

#[test]
fn what_the_compiler_has_to_know_stays_as_it_is() {
    for used in [
        "fn f(x: [u8; A]) {}",
        "fn f(x: usize) { match x { A => {} _ => {} } }",
        "fn f() { let x = [0; A]; }",
        "static S: usize = A;",
        "const fn f() -> usize { A }",
        "fn f() -> Ring<A> { Ring::<A>::new() }",
        "const B: usize = A; fn f(x: [u8; B]) {}",
    ] {
        let text = format!("const A: usize = 3; {used}");
        assert_eq!(switched(&text), text);
    }
}

#[test]
fn a_number_that_cannot_be_switched_is_written_in_place() {
    let source = source("const A: usize = 3; fn f(x: [u8; A]) {}");
    let constants = constants(&source);
    let changes = changes(&constants);
    let plan = Plan::new(&constants, &changes, known_to_the_compiler(&source));
    assert!(!plan.is_switched(&changes[0]));
    let text = plan.rewrite(&source, Some((&changes[0], "4")));
    assert_eq!(text, "const A: usize = 4; fn f(x: [u8; A]) {}");
}

#[test]
fn a_switched_value_is_the_plain_one_under_every_change_but_its_own() {
    let value = switch::Switched {
        plain: 0.5,
        table: &[(3, 0.51), (4, 0.52)],
    };
    assert_eq!(
        [value.at(2), value.at(3), value.at(4), value.at(5)],
        [0.5, 0.51, 0.52, 0.5]
    );
    assert_eq!(value.get(), 0.5);
    assert_eq!(format!("{value} {value:?}"), "0.5 0.5");
}

#[test]
fn an_exception_without_a_reason_is_refused() {
    let error = Exceptions::parse("[[constant]]\npath = 'a'\nname = 'B'").unwrap_err();
    assert!(error.contains("missing field `reason`"), "{error}");
}

#[test]
fn an_exception_for_what_is_not_there_or_twice_or_without_a_reason_is_found() {
    let entry = |name: &str, reason: &str| {
        format!("[[constant]]\npath = 'runtime/mind/src/a.rs'\nname = '{name}'\nreason = '{reason}'\n")
    };
    let found = |list: String| -> Vec<String> {
        let findings = stale(&Exceptions::parse(&list).unwrap(), &[source("const A: u32 = 1;")]);
        findings.into_iter().map(|finding| finding.what).collect()
    };
    let reason = "bounds memory, not behaviour";
    assert_eq!(found(entry("A", reason)), [""; 0]);
    assert_eq!(
        found(entry("B", reason)),
        ["`B` is no constant of runtime/mind/src/a.rs"]
    );
    assert_eq!(
        found(entry("A", reason).repeat(2)),
        ["`A` of runtime/mind/src/a.rs is there twice"]
    );
    assert_eq!(
        found(entry("A", "none")),
        ["`A` of runtime/mind/src/a.rs has no reason"]
    );
}
