use super::*;
use proptest::prelude::*;

const CALM: Parts = Parts {
    performance: Some(0.6),
    c_l4: 0.1,
    cdi: 0.0,
    domains: 1,
    iis: Some(1.0),
    flips: 0,
    action: ActionKind::Hold,
};

fn last(cycles: impl Iterator<Item = Parts>) -> Reading {
    let mut seof = Seof::new(1);
    cycles.map(|parts| seof.update(&parts, &[])).last().expect("cycles")
}

#[test]
fn at_rest_it_is_the_highest_there_is() {
    let one = last(std::iter::repeat_n(CALM, 300));
    assert!((one.seof - 0.45).abs() < 1e-12 && (one.maturity - 1.0).abs() < 1e-12);
    let two = last(std::iter::repeat_n(
        Parts {
            cdi: 1.0,
            domains: 2,
            ..CALM
        },
        300,
    ));
    assert!((two.seof - 0.65).abs() < 1e-12 && (two.maturity - 1.0).abs() < 1e-12);
}

#[test]
fn nothing_is_counted_for_an_identity_that_is_warming_up() {
    let warming = last(std::iter::repeat_n(Parts { iis: None, ..CALM }, 10));
    assert!((warming.seof - 0.25).abs() < 1e-12 && (warming.maturity - 0.25 / 0.45).abs() < 1e-12);
}

#[test]
fn derivatives_are_those_of_a_hundred_cycles() {
    // P rises by 0.2 and C by 0.1 within 100 cycles.
    let ramp = |cycles: u32| {
        last((0..cycles).map(|c| {
            let share = f64::from(c.min(100)) / 100.0;
            Parts {
                performance: Some(0.4 + 0.2 * share),
                c_l4: 0.1 + 0.1 * share,
                ..CALM
            }
        }))
    };
    assert!((ramp(100).seof - 0.45).abs() < 1e-12, "not yet known");
    assert!((ramp(101).seof - (0.45 + 0.25 * 0.2 - 0.25 * 0.1)).abs() < 1e-12);
    assert!((ramp(201).seof - 0.45).abs() < 1e-12);
}

#[test]
fn a_derivative_without_one_of_its_ends_is_zero() {
    let sudden = last((0..101).map(|c| Parts {
        performance: (c >= 50).then_some(0.9),
        ..CALM
    }));
    assert!((sudden.seof - 0.45).abs() < 1e-12);
}

#[test]
fn flips_cost_a_tenth_of_their_rate() {
    let flipping = last((0..200).map(|c| Parts {
        flips: u16::from(c % 4 == 0),
        ..CALM
    }));
    assert!((flipping.seof - (0.45 - 0.1 * 0.25)).abs() < 1e-12);
    let mad = last((0..200).map(|_| Parts {
        flips: u16::MAX,
        ..CALM
    }));
    assert!((mad.seof - 0.35).abs() < 1e-12);
}

#[test]
fn survival_is_the_shortest_runway_over_a_thousand_cycles() {
    let resource = |level, consumption_per_cycle| Resource {
        level,
        consumption_per_cycle,
        utilisation: 0.0,
    };
    assert_eq!(survival(&[]), 1.0);
    assert_eq!(survival(&[resource(10.0, 0.0), resource(5.0, 0.01)]), 0.5);
    assert_eq!(survival(&[resource(f64::NAN, 1.0)]), 0.0);
    assert_eq!(survival(&[resource(-3.0, 1.0)]), 0.0);
}

#[test]
fn a_runway_of_a_thousand_cycles_is_full_survival() {
    let runway = |level| {
        survival(&[Resource {
            level,
            consumption_per_cycle: 1.0,
            utilisation: 0.0,
        }])
    };
    assert_eq!((runway(990.0), runway(1_000.0), runway(5_000.0)), (0.99, 1.0, 1.0));
}

#[test]
fn exploration_looks_back_two_hundred_cycles() {
    let after = |holds: usize| {
        let varied = (0..200).map(|c| ActionKind::ALL[c % 8]);
        let actions = varied.chain(std::iter::repeat_n(ActionKind::Hold, holds));
        last(actions.map(|action| Parts { action, ..CALM })).ensemble
    };
    // The last of the 200 is not holding.
    let still = 0.25 * 1.45;
    assert!(after(199) > still + 1e-3 && (after(200) - still).abs() < 1e-12);
}

#[test]
fn an_ensemble_weight_outside_015_to_040_is_none_that_can_have_been_reached() {
    let valid = |weight: f64| {
        let mut ensemble = Ensemble::new(1);
        ensemble.weights[2] = weight;
        ensemble.is_valid()
    };
    assert!(valid(0.15) && valid(0.40) && !valid(0.1499) && !valid(0.4001));
    // A perturbation moves a weight by a tenth at most, and some by as much.
    let mut most = 0.0_f64;
    for seed in 0..200 {
        let mut ensemble = Ensemble::new(seed);
        ensemble.perturb();
        most = ensemble.weights.iter().map(|w| (w - 0.25).abs()).fold(most, f64::max);
    }
    assert!((most - 0.10).abs() < 1e-12, "{most}");
}

#[test]
fn the_ensemble_weighs_its_four_views_alike() {
    // Growth 0.9 * 0.5, diversity 0, survival 1, exploration 0 (nothing but holding).
    let reading = last(std::iter::repeat_n(CALM, 10));
    assert!((reading.ensemble - 0.25 * 1.45).abs() < 1e-12);
    // Every kind alike: full exploration.
    let varied = last((0..200).map(|c| Parts {
        action: ActionKind::ALL[c % 8],
        ..CALM
    }));
    assert!((varied.ensemble - 0.25 * 2.45).abs() < 1e-12);
}

#[test]
fn three_hundred_cycles_of_one_direction_perturb_the_weights_until_it_turns() {
    let mut ensemble = Ensemble::new(3);
    let weights = |ensemble: &mut Ensemble, seof: f64| {
        ensemble.update(seof, &[0.0; 4]);
        ensemble.weights
    };
    for cycle in 0..300 {
        assert_eq!(weights(&mut ensemble, f64::from(cycle) * 1e-4), [0.25; 4]);
    }
    let perturbed = weights(&mut ensemble, 300.0 * 1e-4);
    assert_ne!(perturbed, [0.25; 4]);
    assert!((perturbed.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(weights(&mut ensemble, 301.0 * 1e-4), perturbed);
    assert_eq!(weights(&mut ensemble, 0.0), [0.25; 4]);
    for _ in 0..1000 {
        weights(&mut ensemble, 0.0);
    }
    assert_eq!(ensemble.run, -1, "a halt is neither a turn nor a move");
}

proptest! {
    #[test]
    fn perturbed_weights_keep_their_range_and_sum(seed in any::<u64>()) {
        let mut ensemble = Ensemble::new(seed);
        for _ in 0..20 {
            ensemble.perturb();
            prop_assert!((ensemble.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(ensemble.is_valid(), "{:?}", ensemble.weights);
        }
    }

    #[test]
    fn it_stays_in_range_for_any_shares(
        cycles in prop::collection::vec((prop::option::of(0.0..=1.0f64), prop::array::uniform3(0.0..=1.0f64), any::<u16>()), 1..250),
        level in any::<f64>(), consumption_per_cycle in any::<f64>(),
    ) {
        let mut seof = Seof::new(1);
        let resources = [Resource { level, consumption_per_cycle, utilisation: 0.0 }];
        for (performance, [c_l4, cdi, iis], flips) in cycles {
            let parts = Parts { performance, c_l4, cdi, domains: 2, iis: Some(iis), flips, action: ActionKind::Hold };
            let reading = seof.update(&parts, &resources);
            prop_assert!((-1.0..=1.0).contains(&reading.seof) && reading.maturity >= 0.0);
            prop_assert!((0.0..=1.0).contains(&reading.ensemble));
            prop_assert!(seof.is_valid());
        }
    }
}

#[test]
fn a_stored_weight_of_0_15_or_0_40_is_in_its_range_and_one_beyond_is_not() {
    let is_valid = |weight: f64| {
        let mut seof = Seof::new(1);
        seof.ensemble.weights = [weight, 0.2, 0.2, 0.2];
        seof.is_valid()
    };
    assert!(is_valid(0.15) && is_valid(0.40));
    assert!(!is_valid(0.149) && !is_valid(0.401));
}
