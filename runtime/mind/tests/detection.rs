//! What the invariants miss and what they wrongly see, counted. `cargo run -p rungs-mind --example detection` counts
//! more of it and prints the tables that the modules' documentation quotes.

#[path = "detection/agent.rs"]
mod agent;
#[path = "detection/runaway.rs"]
mod runaway;
#[path = "detection/signs.rs"]
mod signs;
#[path = "detection/spectral.rs"]
mod spectral;
#[path = "detection/state.rs"]
mod state;
#[path = "detection/strange.rs"]
mod strange;

use agent::Failure;
use rungs_types::Invariant;
use state::Mode;

#[test]
fn a_healthy_state_raises_less_than_one_spectral_alarm_in_ten_thousand_cycles() {
    let rows = spectral::false_alarms(4);
    let (cycles, alarms) = rows
        .iter()
        .fold((0, 0), |sum, row| (sum.0 + row.cycles, sum.1 + row.alarms));
    spectral::print(&rows, &[]);
    assert_eq!(cycles, 100_000);
    assert!(alarms < 10, "{alarms} alarms in {cycles} cycles");
}

#[test]
fn a_planted_runaway_mode_is_found() {
    let rows = spectral::detections(50);
    spectral::print(&[], &rows);
    for row in rows
        .iter()
        .filter(|row| row.with_room && !(row.rho == 1.05 && row.mode == Mode::Real))
    {
        assert!(
            row.found_share() >= 0.8,
            "rho {} {:?}: found {}",
            row.rho,
            row.mode,
            row.found_share()
        );
    }
}

#[test]
fn healthy_agents_raise_less_than_one_spectral_or_identity_alarm_in_ten_thousand_cycles_and_v_never_rises() {
    let healthy = agent::healthy(20);
    healthy.print();
    assert_eq!(
        (healthy.cycles, healthy.at_full),
        (100_000, 20),
        "all rise to full authority"
    );
    let alarms = healthy.of(Invariant::Spectral) + healthy.of(Invariant::Identity);
    assert!(alarms < 10, "{alarms} alarms");
    assert_eq!(
        (healthy.of(Invariant::Lyapunov), healthy.of(Invariant::Sandbox)),
        (0, 0)
    );
    assert_eq!(healthy.freezes, 0);
}

#[test]
fn each_planted_failure_of_an_agent_shows_by_its_own_sign_in_time() {
    let expected = [
        (Failure::VarianceTimesFive, "floor: divergence 0.25", 50),
        (Failure::VarianceTimesFive, "invariant: Lyapunov", 100),
        (Failure::IdentityAttack, "invariant: identity", 50),
        (Failure::SensorsLost, "floor: uncertainty 0.70", 70),
        (Failure::SensorsLost, "invariant: Lyapunov", 100),
        (Failure::SuccessFalls, "floor: success fell", 100),
        (Failure::ResourceRamp, "L4.8: runway below 200", 100),
    ];
    for (failure, what) in agent::FAILURES {
        let mut delays = agent::detect(failure, 20);
        delays.print(what);
        for (_, sign, within) in expected.into_iter().filter(|(planted, ..)| *planted == failure) {
            let (share, median) = delays.of(sign);
            assert!(share >= 0.9, "{what}: {sign} in {share}");
            assert!(
                median.is_some_and(|median| median <= within),
                "{what}: {sign} after {median:?}"
            );
        }
    }
}

#[test]
fn a_runaway_mode_of_an_agent_that_oscillates_is_a_spectral_violation_and_a_real_one_ends_as_one_of_identity() {
    for rho in [1.05, 1.2] {
        for mode in runaway::MODES {
            let mut delays = runaway::detect(rho, mode, 40);
            delays.print(&format!("rho {rho}, {mode:?}"));
            if mode != runaway::Mode::Real {
                let (share, median) = delays.of("invariant: spectral");
                assert!(
                    share >= 0.8 && median.is_some_and(|median| median <= 60),
                    "{rho} {mode:?}: {share}"
                );
                continue;
            }
            // One that runs to the safe side, where nothing is lost, stops at the edge: half of them.
            let (share, median) = delays.of("invariant: identity");
            assert!(
                share >= 0.4 && median.is_some_and(|median| median <= 100),
                "{rho} {mode:?}: {share}"
            );
        }
    }
}

#[test]
fn planted_incidents_are_strange_and_ordinary_rows_no_more_often_than_the_score_says() {
    const THRESHOLD: f64 = 2.5;
    let (mut missed, mut strangest, mut alarms, mut series) = (Vec::new(), 0, 0, 0);
    for seed in 0..8 {
        for planted in strange::planted(seed) {
            let scores = strange::scores(&planted.values);
            let greatest = |inside: bool| {
                let rows = scores.iter().enumerate();
                let rows = rows.filter(|(row, _)| planted.rows.contains(row) == inside);
                rows.map(|(_, score)| *score).fold(0.0, f64::max)
            };
            let over = scores.iter().enumerate().filter(|(_, score)| **score >= THRESHOLD);
            alarms += over.filter(|(row, _)| !planted.rows.contains(row)).count();
            series += 1;
            strangest += usize::from(greatest(true) > greatest(false));
            if greatest(true) < THRESHOLD {
                missed.push((seed, planted.what));
            }
        }
    }
    println!("{series} series: {strangest} incidents strangest of all, {alarms} false alarms");
    assert!(missed.is_empty(), "{missed:?}");
    assert!(strangest * 10 >= series * 9, "{strangest} of {series}");
    // One in 10^2.5 rows is as strange by the scale, and those that follow within 100 rows are not told.
    let most = 10.0_f64.powf(-THRESHOLD) * (series * strange::ROWS) as f64;
    assert!((alarms as f64) < most, "{alarms} of {most}");
}
