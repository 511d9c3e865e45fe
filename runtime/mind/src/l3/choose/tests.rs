use super::*;
use crate::l3::action::GroupSet;
use crate::l3::models::Models;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

/// One group per dimension, each an AR(1) of this persistence, after `cycles` cycles.
fn watched(phis: &[f64], cycles: u64) -> Environment {
    let groups: Arc<[u16]> = (0..phis.len() as u16).collect();
    let (mut environment, mut models) = (Environment::new(groups), Models::new(phis.len()));
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let mut state = vec![0.0; phis.len()];
    for cycle in 1..=cycles {
        for (x, phi) in state.iter_mut().zip(phis) {
            let shock: f64 = StandardNormal.sample(&mut rng);
            *x = phi * *x + (1.0 - phi * phi).sqrt() * shock;
        }
        environment.observe(cycle, &state, &mut models);
    }
    environment
}

static EVERYTHING: Available = Available {
    faster: GroupSet::first(8),
    slower: GroupSet::first(8),
    incidents: true,
    peers: true,
    longer_period: true,
    shorter_period: true,
};

fn with_habits<'a>(
    habits: &'a Habits,
    environment: &'a Environment,
    cycle: u64,
    change: impl FnOnce(&mut Situation<'a>),
) -> Vec<Candidate> {
    let mut situation = Situation {
        cycle,
        environment,
        habits,
        available: &EVERYTHING,
        heeded: Heeded::NOTHING,
        quota_share: 0.0,
        structural: true,
        calls_for_help: false,
    };
    change(&mut situation);
    let mut candidates = Vec::new();
    situation.candidates(&mut candidates);
    candidates
}

fn decide(environment: &Environment, cycle: u64, change: impl Fn(&mut Situation<'_>)) -> Vec<Candidate> {
    with_habits(&Habits::new(environment.group_count()), environment, cycle, |s| {
        change(s)
    })
}

fn value(candidates: &[Candidate], action: Action) -> Option<f64> {
    candidates.iter().find(|c| c.action == action).map(|c| c.value)
}

const FASTER: Action = Action::SampleFaster { group: 0 };
const LONGER: Action = Action::ChangePeriod {
    change: PeriodChange::Longer,
};

#[test]
fn the_most_improvable_group_is_worth_most() {
    let environment = watched(&[0.6, 0.97, 0.0], 500);
    let candidates = decide(&environment, 500, |_| {});
    let worth = |group| value(&candidates, Action::SampleFaster { group }).unwrap_or(-1.0);
    assert!(worth(0) > 0.05, "{candidates:?}");
    assert!(worth(1) < worth(0) && worth(2) < 0.0);
}

#[test]
fn the_advised_variance_replaces_the_own_by_its_weight() {
    let environment = watched(&[0.6], 500);
    let habits = Habits::new(1);
    let at = |weight: f64, variance: &[f64]| {
        let heeded = Heeded {
            weight,
            variance,
            ..Heeded::NOTHING
        };
        value(&with_habits(&habits, &environment, 500, |s| s.heeded = heeded), FASTER)
    };
    // 0.5 u gain - 0.10 is linear in u: half the weight is half the way from the own uncertainty to the advised one.
    let (own, none, full) = (at(0.0, &[1.0]), at(0.0, &[]), at(1.0, &[1.0]));
    let (own, none, full) = (own.expect("worth it"), none.expect("worth it"), full.expect("worth it"));
    assert_eq!(own, none);
    assert!((at(0.5, &[1.0]).expect("worth it") - (own + full) / 2.0).abs() < 1e-12);
    assert_eq!(at(1.0, &[0.0]), None, "all known: nothing to gain");
    assert_eq!(at(1.0, &[f64::NAN]), Some(full), "what is not known is uncertain");
}

#[test]
fn risk_makes_looking_closer_worth_more() {
    let environment = watched(&[0.6], 500);
    let habits = Habits::new(1);
    let at = |risk: f64| {
        let heeded = Heeded {
            weight: 1.0,
            variance: &[0.5],
            risk,
            ..Heeded::NOTHING
        };
        value(&with_habits(&habits, &environment, 500, |s| s.heeded = heeded), FASTER).expect("worth it")
    };
    // 0.5 u gain (1 + risk) - 0.10.
    assert!(((at(1.0) + 0.10) / (at(0.0) + 0.10) - 2.0).abs() < 1e-12);
}

#[test]
fn a_loaded_agent_samples_slower_what_it_knows() {
    let environment = watched(&[0.99], 2000);
    let slower = Action::SampleSlower { group: 0 };
    assert_eq!(
        value(&decide(&environment, 2000, |s| s.quota_share = 0.5), slower),
        None
    );
    assert!(value(&decide(&environment, 2000, |s| s.quota_share = 1.0), slower).is_some_and(|v| v > 0.1));
}

#[test]
fn an_agent_near_its_quota_lengthens_its_period_and_one_with_room_does_not() {
    let environment = watched(&[0.5], 100);
    let at = |share: f64| value(&decide(&environment, 100, |s| s.quota_share = share), LONGER);
    // 0.5 (u - 0.7) / 0.3 - 0.10 is 0 at 0.76.
    assert!(at(0.77).is_some_and(|v| v > 0.0));
    assert_eq!(at(0.75), None);
    assert!((at(1.0).expect("worth it") - 0.4).abs() < 1e-12);
}

#[test]
fn late_cycles_lengthen_the_period_and_a_stretched_one_goes_back() {
    let environment = watched(&[0.5], 100);
    let mut habits = Habits::new(1);
    (0..50).for_each(|i| habits.cycle(i % 2 == 0));
    let late = with_habits(&habits, &environment, 100, |_| {});
    assert!((value(&late, LONGER).expect("worth it") - 0.4).abs() < 1e-12);
    let mut habits = Habits::new(1);
    habits.acted(LONGER, 1, Forecaster::Linear);
    let shorter = Action::ChangePeriod {
        change: PeriodChange::Shorter,
    };
    assert_eq!(
        value(&with_habits(&habits, &environment, 100, |_| {}), shorter),
        None,
        "not rested"
    );
    assert_eq!(
        value(&with_habits(&habits, &environment, 101, |_| {}), shorter),
        Some(0.10)
    );
    let near = |s: &mut Situation<'_>| s.quota_share = 0.35;
    assert_eq!(value(&with_habits(&habits, &environment, 101, near), shorter), None);
    // What was lengthened for its share of the quota does not go back at once: at 0.77 it was worth it, 0.385 is left.
    let halved = |s: &mut Situation<'_>| s.quota_share = 0.385;
    assert_eq!(value(&with_habits(&habits, &environment, 101, halved), shorter), None);
}

#[test]
fn surprises_raise_an_incident_and_calm_clears_it() {
    let mut environment = watched(&[0.5], 100);
    let mut models = Models::new(1);
    for cycle in 101..=104 {
        environment.observe(cycle, &[if cycle % 2 == 0 { 100.0 } else { -100.0 }], &mut models);
    }
    let raise = Action::RaiseIncident { group: 0 };
    assert!(value(&decide(&environment, 104, |_| {}), raise).is_some_and(|v| v > 0.0));
    let mut habits = Habits::new(1);
    habits.acted(raise, 104, Forecaster::Linear);
    let clearing = |environment: &Environment, cycle| {
        value(&with_habits(&habits, environment, cycle, |_| {}), Action::ClearIncident)
    };
    assert_eq!(clearing(&environment, 300), None, "still surprised");
    let calm = watched(&[0.5], 300);
    assert_eq!(clearing(&calm, 203), None, "not rested");
    assert_eq!(clearing(&calm, 204), Some(0.2));
}

#[test]
fn a_call_for_help_is_an_incident() {
    let environment = watched(&[0.5], 100);
    let candidates = decide(&environment, 100, |s| s.calls_for_help = true);
    let value = value(&candidates, Action::RaiseIncident { group: 0 }).expect("worth it");
    assert!((value - 0.35).abs() < 1e-12);
}

#[test]
fn a_peer_is_asked_about_what_is_out_of_sight() {
    let environment = watched(&[0.5], 100);
    let ask = Action::AskPeer { group: 0 };
    assert_eq!(value(&decide(&environment, 100, |_| {}), ask), None);
    // 0.5 for nothing known, less 0.1, once three samples are overdue.
    assert!((value(&decide(&environment, 200, |_| {}), ask).expect("worth it") - 0.4).abs() < 1e-6);
}

#[test]
fn a_forecaster_that_would_have_saved_a_tenth_takes_over() {
    // Persistence is the best forecast of nothing but noise-free steps; here it speaks for white noise.
    let mut environment = watched(&[0.0], 500);
    environment.act(
        Action::SwitchForecaster {
            group: 0,
            to: Forecaster::Persistence,
        },
        &Models::new(1),
    );
    let candidates = decide(&environment, 500, |_| {});
    let switch = candidates
        .iter()
        .find(|c| matches!(c.action, Action::SwitchForecaster { .. }))
        .expect("worth it");
    let (_, saved) = environment.better_forecaster(0).expect("the mean is better");
    assert!(
        (switch.value - (saved - 0.10)).abs() < 1e-12,
        "a tenth is what it costs"
    );
    // Its error is sqrt 2 that of the mean: three tenths can be saved.
    assert!((switch.value - (0.29 - SWITCH_COST)).abs() < 0.08, "{switch:?}");
    assert!(
        decide(&watched(&[0.0], 500), 500, |_| {})
            .iter()
            .all(|c| c.value <= 0.0)
    );
}

#[test]
fn without_structural_permission_only_words_are_left() {
    let environment = watched(&[0.6], 500);
    let candidates = decide(&environment, 700, |s| {
        s.structural = false;
        s.quota_share = 1.0;
        s.calls_for_help = true;
    });
    assert!(candidates.len() >= 2);
    assert!(
        candidates.iter().all(|c| !c.action.kind().is_structural()),
        "{candidates:?}"
    );
}

#[test]
fn affect_orders_ties_and_never_turns_a_difference() {
    let candidates = |difference: f64| {
        vec![
            Candidate {
                action: FASTER,
                value: 0.3,
            },
            Candidate {
                action: Action::RaiseIncident { group: 0 },
                value: 0.3 - difference,
            },
        ]
    };
    let anxious = Affect {
        anxiety: 1.0,
        ..Affect::default()
    };
    let curious = Affect {
        curiosity: 1.0,
        ..Affect::default()
    };
    let raise = Some(Action::RaiseIncident { group: 0 });
    assert_eq!(take_best(&mut candidates(0.0099), &anxious), raise);
    assert_eq!(take_best(&mut candidates(0.009), &curious), Some(FASTER));
    assert_eq!(take_best(&mut candidates(0.0101), &anxious), Some(FASTER));
    assert_eq!(
        take_best(&mut candidates(0.0), &Affect::default()),
        Some(FASTER),
        "the actions' own order"
    );
    let mut list = candidates(0.2);
    assert_eq!(
        (take_best(&mut list, &anxious), take_best(&mut list, &anxious)),
        (Some(FASTER), raise)
    );
    assert_eq!(take_best(&mut list, &anxious), None);
}

#[test]
fn affect_never_prefers_an_action_that_is_worth_less_than_holding() {
    let environment = watched(&[0.0], 100);
    let excited = Affect {
        excitement: 1.0,
        ..Affect::default()
    };
    let at = |share: f64| {
        let mut candidates = decide(&environment, 100, |s| s.quota_share = share);
        (value(&candidates, LONGER), take_best(&mut candidates, &excited))
    };
    // 0.5 (u - 0.7) / 0.3 - 0.10: -0.008 is within a tie of holding's 0, and less; 0.008 is a tie that affect may turn.
    assert_eq!(at(0.755), (None, Some(Action::Hold)));
    let (worth, chosen) = at(0.765);
    assert!(worth.is_some_and(|worth| worth < TIE), "{worth:?}");
    assert_eq!(chosen, Some(LONGER));
}

#[test]
fn exploration_takes_only_what_is_better_than_holding_and_as_often_as_its_rate() {
    let candidates = || {
        vec![
            Candidate {
                action: Action::Hold,
                value: 0.0,
            },
            Candidate {
                action: FASTER,
                value: 0.3,
            },
            Candidate {
                action: LONGER,
                value: 0.2,
            },
            Candidate {
                action: Action::ClearIncident,
                value: TIE,
            },
        ]
    };
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let mut taken = [0_i32; 3];
    for _ in 0..10_000 {
        match take_exploring(&mut candidates(), 0.1, &mut rng) {
            None => taken[0] += 1,
            Some(FASTER) => taken[1] += 1,
            Some(LONGER) => taken[2] += 1,
            Some(other) => panic!("{other:?} is not better than holding"),
        }
    }
    assert!((8_900..9_100).contains(&taken[0]), "{taken:?}");
    assert!((taken[1] - taken[2]).abs() < 150, "{taken:?}");
    assert_eq!(
        take_exploring(
            &mut vec![Candidate {
                action: Action::Hold,
                value: 0.0
            }],
            0.2,
            &mut rng
        ),
        None
    );
}

#[test]
fn each_step_above_the_nominal_rate_costs_five_hundredths_more() {
    let environment = watched(&[0.6], 500);
    let at = |habits: &Habits| {
        let heeded = Heeded {
            weight: 1.0,
            variance: &[1.0],
            ..Heeded::NOTHING
        };
        value(&with_habits(habits, &environment, 500, |s| s.heeded = heeded), FASTER).expect("worth it")
    };
    let nominal = at(&Habits::new(1));
    let mut stepped = Habits::new(1);
    stepped.acted(FASTER, 300, Forecaster::Linear);
    assert!((nominal - at(&stepped) - 0.05).abs() < 1e-12);
}

#[test]
fn load_counts_from_half_the_quota_and_slower_sampling_costs_a_tenth() {
    let environment = watched(&[0.0], 500);
    let habits = Habits::new(1);
    let at = |share: f64| {
        let heeded = Heeded {
            weight: 1.0,
            variance: &[0.0],
            ..Heeded::NOTHING
        };
        let candidates = with_habits(&habits, &environment, 500, |s| {
            (s.heeded, s.quota_share) = (heeded, share);
        });
        value(&candidates, Action::SampleSlower { group: 0 }).expect("worth it")
    };
    // The whole load spares some s and costs 0.10; at 0.8 of the quota the load is 0.6, and 0.6 s - 0.10 is left.
    assert!((at(0.8) - (0.6 * (at(1.0) + 0.10) - 0.10)).abs() < 1e-12);
}

#[test]
fn what_was_missing_three_times_in_a_row_is_out_of_sight() {
    let environment = watched(&[0.5], 100);
    let ask = Action::AskPeer { group: 0 };
    let first = (101..120).find(|cycle| value(&decide(&environment, *cycle, |_| {}), ask).is_some());
    assert_eq!(first, Some(104), "those of 101, 102 and 103 are overdue");
}
