//! Both sides of limits that the tests of the modules themselves pass over by more than 2 %.

use super::performance::Performance;
use super::seof::{Parts, Seof};
use super::stability::{Checked, Decay};
use crate::l3::ActionKind;
use crate::report::RhoState;
use std::sync::Arc;

/// The share of counted rises after `cycles` at 0.5 that follow ten at `before`; ten of them count.
fn share_after(before: f64, now: f64, cycles: usize) -> f64 {
    let mut decay = Decay::default();
    (0..10).for_each(|_| decay.update(before));
    (0..cycles).for_each(|_| decay.update(now));
    decay.share()
}

#[test]
fn a_rise_of_0_0101_counts_and_one_of_0_0099_does_not() {
    assert_eq!(share_after(0.20, 0.2101, 10), 1.0 / 20.0);
    assert_eq!(share_after(0.20, 0.2099, 10), 0.0);
}

#[test]
fn a_rise_to_0_101_counts_and_one_to_0_099_does_not() {
    assert_eq!(share_after(0.05, 0.101, 10), 1.0 / 20.0);
    assert_eq!(share_after(0.05, 0.099, 10), 0.0);
}

#[test]
fn ten_rises_are_five_percent_while_all_are_among_the_last_200_cycles() {
    // From 0.1 to 0.5 the mean of the last ten exceeds that before in the cycles 20 to 29.
    assert_eq!(share_after(0.1, 0.5, 200), 10.0 / 200.0);
    assert_eq!(share_after(0.1, 0.5, 209), 10.0 / 200.0);
    assert_eq!(share_after(0.1, 0.5, 210), 9.0 / 200.0);
}

#[test]
fn ten_rises_of_200_cycles_hold_and_a_share_of_0_0505_does_not() {
    let at = |rising_share: f64| {
        let checked = Checked {
            rising_share,
            rho: 0.9,
            rho_state: RhoState::Stable,
            iis: Some(0.95),
            contained: true,
            uncertainty: 0.1,
        };
        checked.all_hold()
    };
    assert!(at(10.0 / 200.0));
    assert!(!at(0.0505));
}

#[test]
fn twenty_four_failures_in_96_tasks_are_no_fall_and_25_in_99_are_one() {
    let fall = |good: u16, bad: u16| {
        let groups: Arc<[u16]> = Arc::from([0_u16]);
        let mut performance = Performance::new(1);
        assert!(!performance.cycle([good, 0], &groups).success_fall);
        performance.cycle([0, bad], &groups).success_fall
    };
    assert!(!fall(72, 24), "from 1 to 0.75");
    assert!(fall(74, 25), "from 1 to 0.7475");
}

#[test]
fn a_fall_is_told_for_200_cycles_from_its_height() {
    let groups: Arc<[u16]> = Arc::from([0_u16]);
    let mut performance = Performance::new(1);
    let told: Vec<bool> = (1..=201)
        .map(|cycle| {
            let tasks = match cycle {
                1 => [10, 0],
                2 => [0, 5],
                _ => [0, 0],
            };
            performance.cycle(tasks, &groups).success_fall
        })
        .collect();
    assert!(!told[0], "the height itself");
    assert!(told[1..200].iter().all(|told| *told));
    assert!(!told[200], "cycle 201 no longer sees cycle 1");
}

#[test]
fn one_action_of_another_kind_is_exploration_for_200_cycles() {
    let mut seof = Seof::new(1);
    let mut ensemble = |action: ActionKind| {
        let parts = Parts {
            performance: Some(0.6),
            c_l4: 0.1,
            cdi: 0.0,
            domains: 1,
            iis: Some(1.0),
            flips: 0,
            action,
        };
        seof.update(&parts, &[]).ensemble
    };
    ensemble(ActionKind::ALL[3]);
    let last = (0..199).map(|_| ensemble(ActionKind::Hold)).last().expect("cycles");
    // Growth 0.9 * 0.5 and survival 1, a quarter each, and what exploration adds.
    assert!(last > 0.3625 + 1e-6, "{last}");
    assert!((ensemble(ActionKind::Hold) - 0.3625).abs() < 1e-12);
}
