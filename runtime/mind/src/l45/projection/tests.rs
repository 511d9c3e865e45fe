use super::*;
use crate::l45::world::Watch;
use crate::lookahead::{Domain, Goal};
use rand::SeedableRng;
use std::sync::Arc;

fn state(c_l4: f64, iis: f64) -> DecisionState {
    let mut state = DecisionState {
        x: [1.0 - c_l4, 1.0, iis, 0.0, 1.0],
        ..DecisionState::default()
    };
    state.domains[0] = Some(Domain::watching(0.7));
    state
}

/// X stays where it is.
fn still(state: &DecisionState) -> Dynamics {
    Dynamics {
        rest: state.x,
        ..Dynamics::default()
    }
}

/// Projects with nothing to see, so that nothing is left to chance.
fn project(projection: &mut SelfProjection, state: &DecisionState, far: bool, halved: bool) -> Prospects {
    let (watch, groups) = (Watch::new(1), Arc::from([0]));
    let scene = Scene {
        state,
        dynamics: &still(state),
        world: &watch.ahead(&groups),
        trajectories: TRAJECTORIES,
        halved,
    };
    projection.project(1_000, &scene, if far { 3 } else { 2 }, &mut Pcg64Mcg::seed_from_u64(1))
}

fn projected(c_l4: f64, iis: f64, far: bool) -> SelfProjection {
    let mut projection = SelfProjection::default();
    project(&mut projection, &state(c_l4, iis), far, false);
    projection
}

fn outlooks(projection: &SelfProjection, posture: Posture) -> [Option<Outlook>; 3] {
    projection.paths[posture.index()].horizons
}

#[test]
fn confidence_falls_with_the_horizon_and_the_score_is_as_written() {
    let projection = projected(0.10, 0.95, true);
    let expected = [(50, 0.025_f64), (200, 0.1), (1_000, 0.5)];
    for (outlook, (cycles, exponent)) in outlooks(&projection, Posture::Current).into_iter().zip(expected) {
        let outlook = outlook.expect("projected");
        assert_eq!((outlook.cycles, outlook.at_cycle), (cycles, 1_000));
        assert!((outlook.confidence - f64::exp(-exponent)).abs() < 1e-12);
        let score = 0.35 * outlook.seof_trend + 0.30 * 0.90 + 0.20 * 0.95;
        assert!((outlook.score - score).abs() < 1e-12, "{outlook:?}");
    }
}

#[test]
fn diversity_weighs_fifteen_hundredths_of_the_score() {
    let mut two = state(0.10, 0.95);
    two.domains[1] = Some(Domain::watching(0.7));
    let mut projection = SelfProjection::default();
    project(&mut projection, &two, false, false);
    let outlook = outlooks(&projection, Posture::Current)[0].expect("projected");
    assert!((outlook.final_cdi - 1.0).abs() < 1e-12);
    let score = 0.35 * outlook.seof_trend + 0.30 * 0.90 + 0.20 * 0.95 + 0.15;
    assert!((outlook.score - score).abs() < 1e-12);
}

#[test]
fn the_strategic_horizon_stands_until_it_is_projected_anew() {
    let mut projection = projected(0.10, 0.95, false);
    assert_eq!(outlooks(&projection, Posture::Current)[2], None);
    project(&mut projection, &state(0.10, 0.95), true, false);
    let far = outlooks(&projection, Posture::Current)[2].expect("projected");
    project(&mut projection, &state(0.20, 0.95), false, false);
    let [near, _, kept] = outlooks(&projection, Posture::Current);
    assert_eq!(kept, Some(far));
    assert!((near.expect("projected").max_c_l4 - 0.20).abs() < 1e-12);
}

#[test]
fn halved_horizons_are_25_100_and_500_cycles() {
    let mut projection = SelfProjection::default();
    project(&mut projection, &state(0.10, 0.95), true, true);
    let cycles = outlooks(&projection, Posture::Current).map(|o| o.expect("projected").cycles);
    assert_eq!(cycles, [25, 100, 500]);
}

#[test]
fn the_tactical_alarm_lies_above_08_and_freezes_the_longer_horizons() {
    let calm = projected(0.79, 0.95, true);
    assert!(!calm.paths[0].tactical_alarm && outlooks(&calm, Posture::Current)[2].is_some());
    let mut alarmed = projected(0.10, 0.95, true);
    project(&mut alarmed, &state(0.81, 0.95), false, false);
    assert!(alarmed.paths[0].tactical_alarm);
    let [near, middle, far] = outlooks(&alarmed, Posture::Current);
    assert!(near.is_some() && middle.is_none() && far.is_none());
    // Exactly at 0.8 there is none.
    assert!(!projected(0.8, 0.95, true).paths[0].tactical_alarm);
}

#[test]
fn the_aggressive_course_is_open_below_06_and_from_085_on() {
    // Exploring 0.03 more adds 0.15 * 0.03 to C_L4 as 200 cycles pass.
    let added = 0.15 * 0.03;
    assert!(projected(0.599 - added, 0.95, true).aggressive_open);
    assert!(!projected(0.600 - added + 1e-9, 0.95, true).aggressive_open);
    assert!(projected(0.10, 0.85, true).aggressive_open);
    assert!(!projected(0.10, 0.849, true).aggressive_open);
    assert!(!SelfProjection::default().aggressive_open);
}

#[test]
fn a_frozen_projection_has_nothing_that_stands() {
    let mut projection = projected(0.10, 0.95, true);
    projection.freeze();
    assert!(projection.frozen && !projection.aggressive_open);
    assert!(projection.paths.iter().all(|path| path.horizons == [None; 3]));
    project(&mut projection, &state(0.10, 0.95), false, false);
    assert!(!projection.frozen && projection.aggressive_open);
}

#[test]
fn the_courses_differ_and_are_projected_in_the_same_worlds() {
    let mut working = state(0.10, 0.95);
    working.domains[0] = Some(Domain::working(0.5, 0.5));
    working.goals[0] = Some(Goal {
        rate_per_cycle: 1.0 / 150.0,
        ..Goal::default()
    });
    for goal in &mut working.goals[1..4] {
        *goal = working_goal();
    }
    let prospects = project(&mut SelfProjection::default(), &working, false, false);
    let completed = prospects.map(|report| report.and_then(|r| r.goal_completion).expect("goals"));
    // Today all four move; twice tried instead of three times a step takes longer, and one after the other longer still.
    assert_eq!(completed, [1.0, 1.0, 0.25], "{completed:?}");
    let [current, aggressive, conservative] = prospects.map(|report| report.expect("projected").max_c_l4);
    assert!(aggressive > current && (current - conservative).abs() < 1e-12);
    let [aggressive, conservative] = [Posture::Aggressive, Posture::Conservative].map(Posture::course);
    assert_eq!((aggressive.exploration, conservative.exploration), (0.03, -0.015));
    assert_eq!((aggressive.risk_cap, conservative.risk_cap), (0.75, 0.40));
    assert_eq!((aggressive.reserve_share, conservative.reserve_share), (0.1, 0.4));
    assert_eq!(
        (aggressive.attempts, conservative.attempts, aggressive.attempts_today),
        (4, 2, 3)
    );
}

fn working_goal() -> Option<Goal> {
    Some(Goal {
        rate_per_cycle: 1.0 / 150.0,
        ..Goal::default()
    })
}

#[test]
fn what_is_not_a_number_has_no_outlook() {
    let mut projection = projected(0.10, 0.95, true);
    let prospects = project(&mut projection, &state(f64::NAN, 0.95), false, false);
    assert_eq!(prospects, [None; 3]);
    assert!(outlooks(&projection, Posture::Current).iter().all(Option::is_none));
    assert!(!projection.aggressive_open && projection.is_valid());
}
