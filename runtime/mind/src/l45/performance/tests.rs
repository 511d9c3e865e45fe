use super::*;
use proptest::prelude::*;

fn groups(groups: &[u16]) -> Arc<[u16]> {
    Arc::from(groups)
}

/// A dimension that alternates between 0 and 1 (persistence is always 1 off) with a forecast that is `error` off.
fn watch(performance: &mut Performance, dimension: usize, error: f64, times: usize) {
    for i in 0..times {
        let value = (i % 2) as f64;
        performance.observe(dimension, value, value + error);
    }
}

#[test]
fn skill_is_one_and_a_half_less_the_ratio_to_persistence() {
    for (error, skill) in [(0.0, 1.0), (0.5, 1.0), (0.7, 0.8), (1.0, 0.5), (1.5, 0.0), (9.0, 0.0)] {
        let mut performance = Performance::new(1);
        watch(&mut performance, 0, error, 50);
        let read = performance.cycle([0, 0], &groups(&[0])).performance.expect("evidence");
        assert!((read - skill).abs() < 1e-12, "{error}: {read}");
    }
}

#[test]
fn ten_forecasts_are_evidence_and_nine_are_none() {
    let mut performance = Performance::new(1);
    watch(&mut performance, 0, 0.7, 10);
    assert_eq!(
        performance.cycle([0, 0], &groups(&[0])).performance,
        None,
        "the first had no value before it"
    );
    performance.observe(0, 0.0, 0.7);
    assert!(performance.cycle([0, 0], &groups(&[0])).performance.is_some());
    let mut still = Performance::new(1);
    (0..100).for_each(|_| still.observe(0, 5.0, 5.0));
    assert_eq!(
        still.cycle([0, 0], &groups(&[0])).performance,
        None,
        "persistence was never wrong"
    );
}

#[test]
fn tasks_come_before_forecasts_and_are_forgotten_after_a_thousand_cycles() {
    let mut performance = Performance::new(1);
    watch(&mut performance, 0, 0.5, 50);
    let one = groups(&[0]);
    assert_eq!(
        performance.cycle([4, 5], &one).performance,
        Some(1.0),
        "nine tasks are no evidence"
    );
    assert_eq!(performance.cycle([1, 0], &one).performance, Some(0.5));
    for _ in 0..1000 {
        assert_eq!(performance.cycle([0, 0], &one).performance, Some(0.5));
    }
    assert_eq!(performance.cycle([0, 0], &one).performance, Some(1.0));
}

#[test]
fn a_flood_of_tasks_counts_by_its_share() {
    let mut performance = Performance::new(0);
    let read = performance.cycle([30_000, 10_000], &groups(&[])).performance;
    assert_eq!(read, Some(0.75));
}

#[test]
fn a_fall_of_more_than_a_quarter_within_two_hundred_cycles_warns() {
    let mut performance = Performance::new(0);
    let none = groups(&[]);
    performance.cycle([100, 0], &none);
    for _ in 0..25 {
        assert!(!performance.cycle([0, 1], &none).success_fall);
    }
    assert!(performance.cycle([0, 1], &none).success_fall, "0.74 after 1");
    // Once 200 cycles at the lower rate have passed, it is the usual one.
    let mut falls = (0..200).map(|_| performance.cycle([0, 0], &none).success_fall);
    assert!(falls.by_ref().take(173).all(|fall| fall));
    assert!(!falls.last().expect("cycles"));
}

#[test]
fn diversity_is_the_entropy_of_skill_over_groups() {
    let cdi = |errors: &[f64], of: &[u16]| {
        let mut performance = Performance::new(errors.len());
        errors
            .iter()
            .enumerate()
            .for_each(|(d, error)| watch(&mut performance, d, *error, 50));
        let reading = performance.cycle([0, 0], &groups(of));
        (reading.cdi, reading.domains)
    };
    assert_eq!(cdi(&[0.7], &[0]), (0.0, 1));
    assert_eq!(cdi(&[0.7, 0.7], &[3, 3]), (0.0, 1));
    let (even, domains) = cdi(&[0.7, 0.7, 0.7], &[0, 1, 2]);
    assert!((even - 1.0).abs() < 1e-12 && domains == 3);
    // Masses 0.75 (of 1.0 and 0.5) and 0.25: shares 3/4 and 1/4, entropy 0.811278 bits.
    let (uneven, _) = cdi(&[0.5, 1.0, 1.25], &[0, 0, 1]);
    assert!((uneven - 0.811_278_124_459_132_9).abs() < 1e-9, "{uneven}");
    assert_eq!(cdi(&[0.7, 9.0], &[0, 1]), (0.0, 2));
    assert_eq!(cdi(&[9.0, 9.0], &[0, 1]), (0.0, 2));
}

#[test]
fn a_group_without_evidence_is_no_domain() {
    let mut performance = Performance::new(2);
    watch(&mut performance, 0, 0.7, 50);
    watch(&mut performance, 1, 0.7, 5);
    assert_eq!(performance.cycle([0, 0], &groups(&[0, 1])).domains, 1);
}

proptest! {
    #[test]
    fn readings_are_shares_whatever_comes(
        cycles in prop::collection::vec((prop::array::uniform4(any::<f64>()), any::<[u16; 2]>()), 1..60),
    ) {
        let mut performance = Performance::new(2);
        for ([a, b, c, d], tasks) in cycles {
            performance.observe(0, a, b);
            performance.observe(1, c, d);
            performance.observe(2, a, b);
            let reading = performance.cycle(tasks, &groups(&[0, 1]));
            prop_assert!(reading.performance.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert!((0.0..=1.0).contains(&reading.cdi));
            prop_assert!(performance.is_valid(2));
        }
    }
}
