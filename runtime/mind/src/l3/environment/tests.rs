use super::*;

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
