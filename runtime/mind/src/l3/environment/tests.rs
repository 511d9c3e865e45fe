use super::*;
use crate::l3::graph::{Operation, Voices};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

fn environment(groups: &[u16]) -> (Environment, Models) {
    (Environment::new(Arc::from(groups)), Models::new(groups.len()))
}

#[test]
fn what_is_not_a_number_infinite_or_absurd_is_missing() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e100, -1.1e100] {
        assert_eq!(measurement(value), None, "{value}");
    }
    assert_eq!((measurement(1e100), measurement(-0.0)), (Some(1e100), Some(-0.0)));
    let (mut environment, mut models) = environment(&[0, 0]);
    assert_eq!(
        environment.observe(1, &[f64::NAN, 1e300], &mut models),
        Sight::default()
    );
    assert_eq!(environment.expectation(0), None);
}

#[test]
fn a_short_row_lacks_its_rest_and_a_long_one_is_cut() {
    let (mut environment, mut models) = environment(&[0, 0]);
    assert_eq!(environment.observe(1, &[1.0], &mut models).observed, 1);
    assert_eq!(environment.observe(2, &[1.0, 2.0, 3.0], &mut models).observed, 2);
}

#[test]
fn the_first_observation_of_a_dimension_judges_nothing() {
    let (mut environment, mut models) = environment(&[0]);
    let sight = environment.observe(1, &[4.0], &mut models);
    assert_eq!(
        sight,
        Sight {
            observed: 1,
            error: None,
            hits: None
        }
    );
    let sight = environment.observe(2, &[4.0], &mut models);
    assert_eq!(
        sight,
        Sight {
            observed: 1,
            error: Some(0.0),
            hits: None
        },
        "a first forecast has no interval"
    );
    let sight = environment.observe(3, &[4.0], &mut models);
    assert_eq!(
        sight,
        Sight {
            observed: 1,
            error: Some(0.0),
            hits: Some(1.0)
        }
    );
}

#[test]
fn what_is_said_of_a_dimension_leaves_room_for_what_it_may_do_and_nothing_is_said_of_what_is_out_of_sight() {
    let bounds = |outlook: Outlook| (outlook.value, outlook.lowest, outlook.highest);
    assert_eq!(bounds(Outlook::new(10.0, 2.0)), (10.0, 2.0, 18.0));
    assert_eq!(bounds(Outlook::new(-1000.0, 0.0)), (-1000.0, -1001.0, -999.0));
    let (mut environment, mut models) = environment(&[0, 0]);
    assert_eq!(environment.outlook(0, 1), None);
    for cycle in 1..=3 {
        environment.observe(cycle, &[4.0, f64::NAN], &mut models);
        environment.act(Action::Hold, &models);
    }
    assert_eq!(environment.outlook(0, 6), Some(Outlook::new(4.0, 0.0)));
    // Seen every cycle until the third: those of cycles 4, 5 and 6 are missing.
    assert_eq!(environment.outlook(0, 7), None);
    assert_eq!((environment.outlook(1, 3), environment.outlook(2, 3)), (None, None));
}

#[test]
fn groups_have_members_and_speakers_of_their_own() {
    let (mut environment, models) = environment(&[0, 1, 0]);
    assert_eq!(environment.group_count(), 2);
    assert_eq!(environment.members(0).map(|(d, _)| d).collect::<Vec<_>>(), [0, 2]);
    environment.act(
        Action::SwitchForecaster {
            group: 1,
            to: Forecaster::Persistence,
        },
        &models,
    );
    assert_eq!(
        (environment.speaker(0), environment.speaker(1)),
        (Forecaster::Linear, Forecaster::Persistence)
    );
    environment.act(
        Action::SwitchForecaster {
            group: 9,
            to: Forecaster::Belief,
        },
        &models,
    );
    assert_eq!(
        environment.speaker(9),
        Forecaster::Linear,
        "a group that does not exist has the default"
    );
}

#[test]
fn an_action_is_expected_to_change_its_group_as_it_did_before() {
    let (mut environment, mut models) = environment(&[0, 1]);
    // Both rise and fall by 1 in turn, except that each question about group 0 is followed by a rise of 3 there.
    let (mut value, mut rises) = (0.0, Vec::new());
    for cycle in 1..=400 {
        let asked = cycle % 7 == 0;
        let regular = if cycle % 2 == 0 { 1.0 } else { 0.0 };
        environment.observe(cycle, &[value, regular], &mut models);
        let before = environment.expectation(0).expect("observed").forecast;
        let untouched = environment.expectation(1);
        if asked {
            environment.act(Action::AskPeer { group: 0 }, &models);
            rises.push(environment.expectation(0).expect("observed").forecast - before);
            assert_eq!(environment.expectation(1), untouched);
        }
        value = if asked { value + 3.0 } else { value * 0.5 };
    }
    let learnt = rises.last().expect("asked");
    assert!(*learnt > 1.0, "{learnt}");
    assert_eq!(
        rises[0], 0.0,
        "before it was tried, it was expected to change what holding changes"
    );
}

#[test]
fn belief_entropy_is_the_mean_over_dimensions() {
    let (mut environment, mut models) = environment(&[0, 0]);
    assert_eq!(environment.belief_entropy(0), 1.0);
    for cycle in 1..=10 {
        environment.observe(cycle, &[3.0, f64::NAN], &mut models);
    }
    assert_eq!(
        environment.belief_entropy(10),
        0.5,
        "one never moved, one was never seen"
    );
    assert_eq!(Environment::new(Arc::from([])).belief_entropy(0), 1.0);
}

#[test]
fn a_persistence_that_was_never_wrong_is_no_evidence() {
    let (mut environment, mut models) = environment(&[0, 1]);
    for cycle in 1..=100 {
        environment.observe(cycle, &[3.0, f64::NAN], &mut models);
    }
    let skill = environment.skill();
    assert_eq!((skill.ratio, skill.coverage, skill.observations), (None, Some(1.0), 99));
    assert_eq!(environment.better_forecaster(0), None);
}

#[test]
fn forecasters_are_compared_after_fifty_forecasts_and_not_before() {
    let (mut environment, mut models) = environment(&[0]);
    let alternate = |cycle: u64| if cycle.is_multiple_of(2) { 1.0 } else { -1.0 };
    (1..=50).for_each(|cycle| {
        environment.observe(cycle, &[alternate(cycle)], &mut models);
    });
    assert_eq!(environment.better_forecaster(0), None);
    environment.act(
        Action::SwitchForecaster {
            group: 0,
            to: Forecaster::Persistence,
        },
        &models,
    );
    environment.observe(51, &[alternate(51)], &mut models);
    let (better, saved) = environment.better_forecaster(0).expect("evidence");
    assert_eq!(better, Forecaster::Linear, "it learns that what went up comes down");
    assert!(saved > 0.5, "{saved}");
}

fn order(number: u32, operation: Operation, stage: TrialStage) -> Option<TrialOrder> {
    Some(TrialOrder {
        number,
        group: 0,
        operation,
        stage,
    })
}

/// White noise: persistence is off by sqrt(2) times what the mean is off by.
fn noise(environment: &mut Environment, models: &mut Models, cycles: std::ops::Range<u64>) {
    let mut rng = Pcg64Mcg::seed_from_u64(cycles.start);
    for cycle in cycles {
        let row: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(&mut rng));
        environment.observe(cycle, &row, models);
    }
}

/// Two dimensions of white noise in one group that persistence speaks for.
fn persistent() -> (Environment, Models) {
    let (mut environment, mut models) = environment(&[0, 0]);
    let to = Forecaster::Persistence;
    environment.act(Action::SwitchForecaster { group: 0, to }, &models);
    noise(&mut environment, &mut models, 1..301);
    (environment, models)
}

#[test]
fn a_trial_computes_both_graphs_and_uses_the_new_one_in_its_share_of_the_cycles() {
    let (mut environment, mut models) = persistent();
    assert_eq!(environment.trial(), None);
    environment.follow(order(1, Operation::Reroute, TrialStage::Shadow));
    let before = environment.expectation(0);
    noise(&mut environment, &mut models, 301..350);
    let short = environment.trial().expect("begun");
    assert_eq!(
        (short.number, short.applicable, short.skill),
        (1, true, None),
        "49 observations"
    );
    noise(&mut environment, &mut models, 350..351);
    assert!(environment.trial().is_some_and(|trial| trial.skill.is_some()), "50");
    noise(&mut environment, &mut models, 351..501);
    let [old, new] = environment.trial().and_then(|trial| trial.skill).expect("evidence");
    assert!((old - 0.5).abs() < 1e-12 && (new - 0.79).abs() < 0.08, "{old} {new}");
    // Not used in the shadow, always at the end.
    let forecast = |environment: &Environment| environment.expectation(0).expect("seen").forecast;
    let shadow = forecast(&environment);
    assert!(before.is_some() && environment.speaker(0) == Forecaster::Persistence);
    environment.follow(order(1, Operation::Reroute, TrialStage::Whole));
    assert_ne!(forecast(&environment), shadow);
    assert_eq!(environment.route(0), Forecaster::Persistence.into(), "not settled");
    // Dropped: as if nothing had been.
    environment.follow(None);
    assert_eq!(forecast(&environment), shadow);
}

#[test]
fn a_commit_settles_the_new_route_once_and_it_is_no_worse_than_it_was() {
    let (mut environment, mut models) = persistent();
    environment.follow(order(1, Operation::Parallelize, TrialStage::Shadow));
    noise(&mut environment, &mut models, 301..401);
    assert!(environment.follow(order(1, Operation::Parallelize, TrialStage::Commit)));
    let Voices::Both(Forecaster::Persistence, second) = environment.route(0).voices else {
        panic!("{:?}", environment.route(0))
    };
    assert_ne!(second, Forecaster::Persistence);
    assert!(environment.trial().is_some_and(|trial| trial.committed));
    assert!(
        !environment.follow(order(1, Operation::Parallelize, TrialStage::Commit)),
        "once"
    );
    let ratio = |environment: &Environment| environment.skill().ratio;
    assert_eq!(ratio(&environment), None, "what it is worth is to be seen");
    noise(&mut environment, &mut models, 401..600);
    // The mean of the last value and of the mean: sqrt(1.25 / 2) of persistence.
    assert!(
        ratio(&environment).is_some_and(|ratio| (ratio - 0.79).abs() < 0.06),
        "{:?}",
        ratio(&environment)
    );
    // The better of the two, again.
    environment.follow(order(2, Operation::Merge, TrialStage::Commit));
    assert_eq!(environment.route(0), second.into());
}

#[test]
fn a_switch_by_the_kernel_ends_the_trial_of_its_group_and_its_number_is_spent() {
    let (mut environment, mut models) = persistent();
    environment.follow(order(1, Operation::Split, TrialStage::Most));
    let to = Forecaster::Belief;
    environment.act(Action::SwitchForecaster { group: 0, to }, &models);
    assert!(
        environment
            .trial()
            .is_some_and(|trial| !trial.applicable && !trial.committed)
    );
    environment.follow(order(1, Operation::Split, TrialStage::Most));
    noise(&mut environment, &mut models, 301..310);
    assert_eq!(environment.route(0), to.into());
    assert!(environment.trial().is_some_and(|trial| !trial.applicable));
    environment.follow(order(2, Operation::Bypass, TrialStage::Shadow));
    assert!(
        environment
            .trial()
            .is_some_and(|trial| trial.applicable && trial.number == 2)
    );
}

#[test]
fn an_operation_that_cannot_act_and_a_group_that_does_not_exist_change_nothing() {
    let (mut environment, _) = persistent();
    assert!(!environment.follow(order(1, Operation::Bypass, TrialStage::Commit)));
    assert!(environment.trial().is_some_and(|trial| !trial.applicable));
    let elsewhere = order(2, Operation::Reroute, TrialStage::Commit).map(|order| TrialOrder { group: 9, ..order });
    assert!(!environment.follow(elsewhere));
    assert_eq!(environment.route(0), Forecaster::Persistence.into());
}

#[test]
fn a_corrector_takes_out_the_mean_error_and_a_bypass_the_filter() {
    // A ramp: smoothing lags behind by 0.7 / 0.3 steps.
    let (mut environment, mut models) = environment(&[0]);
    let to = Forecaster::Smoothing;
    environment.act(Action::SwitchForecaster { group: 0, to }, &models);
    let mut ramp = |environment: &mut Environment, cycles: std::ops::Range<u64>| {
        for cycle in cycles {
            environment.observe(cycle, &[cycle as f64], &mut models);
        }
        environment.expectation(0).expect("seen").forecast
    };
    let lagging = ramp(&mut environment, 1..301);
    assert!((lagging - (300.0 - 0.7 / 0.3)).abs() < 1e-9, "{lagging}");
    environment.follow(order(1, Operation::Introduce, TrialStage::Shadow));
    ramp(&mut environment, 301..401);
    environment.follow(order(1, Operation::Introduce, TrialStage::Commit));
    let corrected = ramp(&mut environment, 401..402);
    assert!((corrected - 402.0).abs() < 1e-6, "{corrected}");
    // Without its filter smoothing says the last value; the corrector learns that error next.
    environment.follow(order(2, Operation::Bypass, TrialStage::Commit));
    let raw = ramp(&mut environment, 402..900);
    assert!((raw - 900.0).abs() < 0.01, "{raw}");
}
