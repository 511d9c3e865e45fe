use super::*;
use proptest::prelude::*;
use rungs_types::Authority;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

fn restore<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    read.ok().map(|(value, _)| value)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-4 * b.abs().max(1e-9), "{a} is not {b}");
}

fn gauge(level: f64, consumption: f64, replenishment: f64) -> Gauge {
    Gauge {
        level,
        consumption,
        replenishment,
    }
}

fn only(kind: ResourceKind, of: Gauge) -> Gauges {
    let mut gauges = [None; RESOURCES];
    gauges[kind as usize] = Some(of);
    gauges
}

#[test]
fn scenarios_scale_consumption_only() {
    // Margin 0.5 - 0.1; net 0.004 - 0.002, 0.0052 - 0.002, 0.0032 - 0.002, 0.008 - 0.002.
    let found = horizons(ResourceKind::Compute, &gauge(0.5, 0.004, 0.002));
    close(found.baseline, 200.0);
    close(found.adverse, 125.0);
    close(found.optimistic, 0.4 / 0.0012);
    close(found.crisis, 0.4 / 0.006);
}

#[test]
fn what_is_not_used_up_lasts_10_000_cycles_and_no_horizon_is_longer() {
    let of = |level, consumption, replenishment| {
        horizons(ResourceKind::Memory, &gauge(level, consumption, replenishment)).baseline
    };
    assert_eq!(of(0.5, 0.001, 0.001), 10_000.0, "net 0");
    assert_eq!(of(0.5, 0.001, 0.002), MAX_HORIZON_CYCLES, "it grows");
    assert_eq!(of(0.5, 1e-6, 0.0), 10_000.0, "400,000 cycles");
}

#[test]
fn a_resource_at_or_below_its_critical_level_lasts_0_cycles_even_if_it_grows() {
    let at = |level| horizons(ResourceKind::Stability, &gauge(level, 0.0, 0.01)).baseline;
    assert_eq!(at(0.29), 0.0);
    assert_eq!(at(0.30), 0.0);
    assert_eq!(at(0.31), 10_000.0);
}

#[test]
fn states_begin_above_500_at_200_at_100_and_at_50_cycles() {
    use SurvivalState::{Abundant, Adequate, Constrained, Critical, Warning};
    let states = [
        10_000.0,
        500.1,
        500.0,
        200.0,
        199.9,
        100.0,
        99.9,
        50.0,
        49.9,
        0.0,
        f64::NAN,
    ];
    assert_eq!(
        states.map(SurvivalState::of),
        [
            Abundant,
            Abundant,
            Adequate,
            Adequate,
            Constrained,
            Constrained,
            Warning,
            Warning,
            Critical,
            Critical,
            Critical
        ]
    );
}

#[test]
fn the_first_to_run_out_is_the_bottleneck() {
    let mut gauges = only(ResourceKind::Compute, gauge(0.5, 0.004, 0.0));
    gauges[ResourceKind::Memory as usize] = Some(gauge(0.9, 0.01, 0.0));
    gauges[ResourceKind::Observation as usize] = Some(gauge(0.9, 0.0, 0.0));
    let survival = project(&gauges);
    close(survival.min_survival, 80.0);
    close(survival.worst_case, 40.0);
    assert_eq!(survival.bottleneck, Some(ResourceKind::Memory));
    assert_eq!(survival.state, SurvivalState::Warning);
}

#[test]
fn the_mutation_budget_never_shortens_survival() {
    let survival = project(&only(ResourceKind::Mutation, gauge(0.05, 0.1, 0.0)));
    assert_eq!(
        survival.horizons[ResourceKind::Mutation as usize].unwrap().baseline,
        0.0
    );
    assert_eq!(survival.min_survival, MAX_HORIZON_CYCLES);
    assert_eq!((survival.bottleneck, survival.state), (None, SurvivalState::Abundant));
}

#[test]
fn an_agent_that_measures_nothing_is_abundant() {
    assert_eq!(project(&[None; RESOURCES]).min_survival, MAX_HORIZON_CYCLES);
}

#[test]
fn a_shortage_lowers_what_depends_on_it_after_the_delay() {
    // Compute 0.2 short of 0.30: observation loses 0.6 * 0.2, mutation 0.8 * 0.2; memory is upstream and stays.
    let before = [Some(0.8), Some(0.8), Some(0.8), Some(0.8), Some(0.8)];
    let after = [Some(0.1), Some(0.8), Some(0.8), Some(0.8), Some(0.8)];
    let found = cascade(&before, &after, &DEPENDENCIES);
    let expect = [0.1, 0.8, 0.68, 0.64, 0.8];
    for (projected, expect) in found.projected.iter().zip(expect) {
        close(projected.unwrap(), expect);
    }
    assert_eq!(found.delay_cycles, 5);
    assert_eq!(found.depth, 1, "only compute itself fell below its warning level");
}

#[test]
fn a_chain_of_falls_is_as_deep_as_it_is_long() {
    // Memory 0.3 short: compute 0.31 - 0.12 = 0.19; 0.11 short: observation 0.51 - 0.066 = 0.444; 0.056 short: stability
    // 0.51 - 0.0168 = 0.4932.
    let before = [Some(0.31), Some(0.8), Some(0.51), Some(0.9), Some(0.51)];
    let after = [Some(0.31), Some(0.0), Some(0.51), Some(0.9), Some(0.51)];
    let found = cascade(&before, &after, &DEPENDENCIES);
    close(found.projected[4].unwrap(), 0.4932);
    assert_eq!((found.depth, found.delay_cycles), (4, 15));
}

#[test]
fn what_ends_short_without_the_decision_did_not_fall_because_of_it() {
    // Compute is 0.2 short either way, so observation ends at 0.39 either way.
    let levels = [Some(0.1), Some(0.8), Some(0.51), Some(0.9), Some(0.9)];
    let found = cascade(&levels, &levels, &DEPENDENCIES);
    close(found.projected[2].unwrap(), 0.39);
    assert_eq!(found.depth, 0);
    // 0.61 - 0.12 = 0.49 at a shortage of 0.2; at 0.18 it would be 0.502: the decision takes what was left.
    let before = [Some(0.12), Some(0.8), Some(0.61), Some(0.9), Some(0.9)];
    let after = [Some(0.10), Some(0.8), Some(0.61), Some(0.9), Some(0.9)];
    assert_eq!(
        cascade(&before, &after, &DEPENDENCIES).depth,
        1,
        "compute was short before"
    );
    let well = [Some(0.3), Some(0.8), Some(0.8), Some(0.9), Some(0.9)];
    assert_eq!(
        cascade(&well, &well, &DEPENDENCIES).delay_cycles,
        0,
        "at the warning level nothing is short"
    );
}

#[test]
fn a_complete_substitution_hands_nothing_on() {
    let dependencies = DEPENDENCIES.map(|dependency| Dependency {
        substitution: 1.0,
        ..dependency
    });
    let after = [Some(0.0), Some(0.8), Some(0.8), Some(0.8), Some(0.8)];
    let found = cascade(&[Some(0.8); RESOURCES], &after, &dependencies);
    assert_eq!(found.projected, after);
    assert_eq!((found.depth, found.delay_cycles), (1, 0));
}

fn metered(levels: impl Fn(u64) -> f64, renewed: Option<f64>) -> Meter {
    let mut meter = Meter::default();
    for cycle in 100..=150 {
        let reading = Reading {
            level: levels(cycle),
            renewed,
        };
        meter.note(ResourceKind::Compute, &reading, cycle);
    }
    meter
}

#[test]
fn rates_are_slopes_over_50_cycles() {
    let falling = |cycle: u64| 0.9 - 0.002 * (cycle - 100) as f64;
    let found = metered(falling, None).gauge(ResourceKind::Compute, 150).unwrap();
    close(found.level, 0.8);
    close(found.consumption, 0.002);
    assert_eq!(found.replenishment, 0.0);
    let found = metered(falling, Some(0.003)).gauge(ResourceKind::Compute, 150).unwrap();
    close(found.consumption, 0.005);
    close(found.replenishment, 0.003);
    let found = metered(|cycle| 1.0 - falling(cycle), None)
        .gauge(ResourceKind::Compute, 150)
        .unwrap();
    assert_eq!(found.consumption, 0.0);
    close(found.replenishment, 0.002);
}

#[test]
fn a_level_that_only_fluctuates_is_hardly_used_up() {
    let saw = |cycle: u64| if cycle.is_multiple_of(2) { 0.6 } else { 0.4 };
    let found = metered(saw, None).gauge(ResourceKind::Compute, 150).unwrap();
    assert!(found.consumption < 1e-9, "{}", found.consumption);
}

#[test]
fn readings_older_than_50_cycles_are_forgotten() {
    let meter = metered(|_| 0.5, None);
    assert!(meter.gauge(ResourceKind::Compute, 200).is_some());
    assert_eq!(meter.gauge(ResourceKind::Compute, 201), None);
    assert_eq!(meter.gauges(150)[ResourceKind::Memory as usize], None, "never measured");
}

#[test]
fn a_reading_that_is_no_number_or_late_is_none() {
    let mut meter = metered(|_| 0.5, None);
    let before = meter.clone();
    let reading = |level, renewed| Reading { level, renewed };
    meter.note(ResourceKind::Compute, &reading(f64::NAN, None), 151);
    meter.note(ResourceKind::Compute, &reading(0.4, Some(f64::INFINITY)), 151);
    meter.note(ResourceKind::Compute, &reading(0.4, None), 150);
    assert_eq!(meter, before);
}

#[test]
fn each_mode_restricts_the_levels_as_the_table_says() {
    use Operation::{Advisory, Degraded, Frozen, Full, Reduced};
    let expect = [
        (Full, Full, Full, 1.0, 0.0),
        (Full, Full, Full, 1.0, 0.0),
        (Reduced, Full, Full, 0.7, 0.0),
        (Advisory, Reduced, Full, 0.5, 0.0),
        (Frozen, Advisory, Degraded, 0.5, 0.8),
    ];
    for (state, expect) in SurvivalState::ALL.into_iter().zip(expect) {
        let found = Regime::of(state);
        let found = (found.l49, found.l48, found.l45, found.exploration, found.survival_share);
        assert_eq!(found, expect, "{state}");
    }
    assert_eq!(
        [Full, Reduced, Advisory, Degraded, Frozen].map(Operation::ceiling),
        [
            Authority::Full,
            Authority::Half,
            Authority::Advisory,
            Authority::Full,
            Authority::Frozen
        ]
    );
    assert_eq!(
        (Full.candidates(), Reduced.candidates(), Frozen.candidates()),
        (1.0, 0.5, 0.0)
    );
}

fn look(modes: &mut Modes, state: SurvivalState, cycle: u64) -> SurvivalState {
    modes.apply(&modes.decide(state, cycle));
    modes.mode()
}

#[test]
fn a_mode_gets_worse_at_once_by_any_number_of_steps() {
    let mut modes = Modes::default();
    assert_eq!(look(&mut modes, SurvivalState::Critical, 10), SurvivalState::Critical);
    assert_eq!(modes.regime().l49, Operation::Frozen);
    assert_eq!(modes.adaptations(), 1);
    let mut watching = Modes::default();
    look(&mut watching, SurvivalState::Adequate, 10);
    assert_eq!(watching.adaptations(), 0, "adequate restricts nothing");
}

#[test]
fn a_mode_eases_one_step_after_each_50_cycles_of_a_better_state() {
    let mut modes = Modes::default();
    look(&mut modes, SurvivalState::Warning, 0);
    for cycle in [10, 20, 30, 40, 50] {
        assert_eq!(look(&mut modes, SurvivalState::Abundant, cycle), SurvivalState::Warning);
    }
    assert_eq!(
        look(&mut modes, SurvivalState::Abundant, 60),
        SurvivalState::Constrained
    );
    assert_eq!(
        look(&mut modes, SurvivalState::Abundant, 100),
        SurvivalState::Constrained
    );
    assert_eq!(look(&mut modes, SurvivalState::Abundant, 110), SurvivalState::Adequate);
    assert_eq!(look(&mut modes, SurvivalState::Adequate, 120), SurvivalState::Adequate);
    assert_eq!(look(&mut modes, SurvivalState::Adequate, 900), SurvivalState::Adequate);
}

#[test]
fn a_state_that_is_as_bad_again_starts_the_50_cycles_anew() {
    let mut modes = Modes::default();
    look(&mut modes, SurvivalState::Warning, 0);
    look(&mut modes, SurvivalState::Constrained, 10);
    look(&mut modes, SurvivalState::Warning, 50);
    look(&mut modes, SurvivalState::Constrained, 60);
    assert_eq!(
        look(&mut modes, SurvivalState::Constrained, 100),
        SurvivalState::Warning
    );
    assert_eq!(
        look(&mut modes, SurvivalState::Constrained, 110),
        SurvivalState::Constrained
    );
}

#[test]
fn modes_are_looked_at_every_10_cycles() {
    let mut modes = Modes::default();
    assert!(modes.due(0));
    look(&mut modes, SurvivalState::Abundant, 5);
    assert!(!modes.due(14));
    assert!(modes.due(15));
}

fn pass(record: &mut ForecastRecord, level: f64, horizon: f64, cycle: u64) -> Option<Exhaustion> {
    let gauge = gauge(level, 0.0, 0.0);
    let found = record.exhaustion(ResourceKind::Compute, &gauge, cycle);
    record.apply(ResourceKind::Compute, &gauge, found.as_ref());
    record.foresee(ResourceKind::Compute, horizon, cycle);
    found
}

#[test]
fn the_error_of_a_forecast_is_told_when_the_resource_runs_out() {
    let mut record = ForecastRecord::default();
    assert_eq!(record.error(), None);
    // Foreseen: 120 cycles. Real: 100.
    pass(&mut record, 0.5, 120.0, 1_000);
    pass(&mut record, 0.3, 49.0, 1_050);
    let found = pass(&mut record, 0.10, 0.0, 1_100).unwrap();
    close(found.error.unwrap(), 0.2);
    assert!(found.foreseen);
    close(record.error().unwrap(), 0.2);
    assert_eq!(record.surprises(), 0);
    assert_eq!(
        pass(&mut record, 0.05, 0.0, 1_150),
        None,
        "it is still the same exhaustion"
    );
    pass(&mut record, 0.30, 900.0, 1_200);
    assert!(pass(&mut record, 0.05, 0.0, 1_250).is_some(), "it had recovered");
    assert_eq!(record.surprises(), 1, "900 cycles were foreseen 50 before");
    close(record.error().unwrap(), (0.2 + 1.0) / 2.0);
}

#[test]
fn an_exhaustion_foreseen_too_late_is_a_surprise() {
    for (before, foreseen) in [(9, false), (10, true)] {
        let mut record = ForecastRecord::default();
        pass(&mut record, 0.3, 49.9, 1_000);
        let found = pass(&mut record, 0.1, 0.0, 1_000 + before).unwrap();
        assert_eq!(found.foreseen, foreseen, "{before}");
    }
}

#[test]
fn an_exhaustion_that_a_forecast_of_less_than_200_cycles_was_right_about_is_no_surprise() {
    // 199 for 166 is a fifth too many, for 165 more; 201 was no reason to worry.
    for (horizon, real, foreseen) in [(199.0, 166, true), (199.0, 165, false), (201.0, 201, false)] {
        let mut record = ForecastRecord::default();
        pass(&mut record, 0.3, horizon, 1_000);
        let found = pass(&mut record, 0.1, 0.0, 1_000 + real).unwrap();
        assert_eq!(found.foreseen, foreseen, "{horizon} for {real}");
    }
}

#[test]
fn what_was_used_up_while_the_level_made_no_pass_is_told_by_the_next() {
    let mut phase = Survive::new();
    let in_force = crate::l49::ruling::InForce::default();
    let mut step = |levels: &[(u64, f64)]| {
        let look = |(cycle, level): &(u64, f64)| crate::l49::below::Look {
            cycle: *cycle,
            gauges: only(ResourceKind::Compute, gauge(*level, 0.0, 0.0)),
        };
        let looks: Vec<_> = levels.iter().map(look).collect();
        let cycle = looks.last().map_or(0, |look| look.cycle);
        phase.step(&Surviving {
            looks: &looks,
            in_force: &in_force,
            cycle,
        })
    };
    assert_eq!(step(&[(50, 0.9)]).surprises, 0);
    // Used up at 70 and there again at 90: both between two passes.
    let output = step(&[(60, 0.9), (70, 0.05), (80, 0.05), (90, 0.9), (250, 0.9)]);
    let [found] = &output.exhausted[..] else {
        panic!("{:?}", output.exhausted)
    };
    // 10,000 cycles were foreseen 20 before: 499 times as many, of which 1 counts.
    assert_eq!((found.error, found.foreseen), (Some(1.0), false));
    assert_eq!((output.surprises, output.forecast_error), (1, Some(1.0)));
    assert_eq!(step(&[(260, 0.9), (300, 0.9)]).surprises, 1, "told once");
}

#[test]
fn a_cascade_forecast_is_right_if_the_fall_has_come_when_it_is_due() {
    // Compute 0.2 short: observation is expected at 0.59 - 0.12 = 0.47, mutation stays well. Stability would
    // feel it too, 10 cycles from now.
    let before = [Some(0.1), Some(0.8), Some(0.59), Some(0.9), Some(0.9)];
    let note = |record: &mut CascadeRecord, observation: Option<f64>, cycle| {
        let levels = [before[0], before[1], observation, before[3], before[4]];
        record.apply(&levels, &cascade(&levels, &levels, &DEPENDENCIES), cycle);
    };
    let mut record = CascadeRecord::default();
    note(&mut record, Some(0.59), 100);
    assert_eq!(record.accuracy(), None);
    note(&mut record, Some(0.49), 109);
    assert_eq!(record.accuracy(), None, "due in cycle 110");
    note(&mut record, Some(0.49), 110);
    assert_eq!(record.accuracy(), Some(1.0));
    note(&mut record, Some(0.59), 150);
    note(&mut record, Some(0.50), 160);
    assert_eq!(record.accuracy(), Some(0.5), "at the warning level nothing is short");
    note(&mut record, None, 170);
    assert_eq!(record.accuracy(), Some(0.5), "no longer measured");
    assert_eq!(restore(&bytes(&record)), Some(record));
}

#[test]
fn stored_states_that_cannot_have_been_are_refused() {
    let impossible = bytes(&(SurvivalState::Abundant, Some(3_u64), Some(3_u64), 0_u64));
    assert_eq!(restore::<Modes>(&impossible), None);
    let mut meter = metered(|_| 0.5, None);
    meter.note(ResourceKind::Memory, &Reading::default(), 9);
    let stored = bytes(&meter);
    assert_eq!(restore(&stored), Some(meter));
    assert_eq!(restore::<Meter>(&stored[..stored.len() - 3]), None);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..1.0_f64, 1 => any::<f64>()]
}

proptest! {
    #[test]
    fn whatever_is_metered_every_number_that_comes_out_is_finite_and_in_range(
        rows in prop::collection::vec((0_usize..RESOURCES, number(), prop::option::of(number()), 0_u64..30), 0..200)
    ) {
        let (mut meter, mut modes, mut record, mut cycle) =
            (Meter::default(), Modes::default(), ForecastRecord::default(), 0_u64);
        for (kind, level, renewed, cycles) in rows {
            cycle += cycles;
            meter.note(ResourceKind::ALL[kind], &Reading { level, renewed }, cycle);
            let gauges = meter.gauges(cycle);
            for gauge in gauges.iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&gauge.level));
                prop_assert!(gauge.consumption >= 0.0 && gauge.consumption.is_finite());
                prop_assert!(gauge.replenishment >= 0.0 && gauge.replenishment.is_finite());
            }
            let survival = project(&gauges);
            for h in survival.horizons.iter().flatten() {
                for cycles in [h.baseline, h.adverse, h.optimistic, h.crisis] {
                    prop_assert!((0.0..=MAX_HORIZON_CYCLES).contains(&cycles));
                }
                prop_assert!(h.crisis <= h.adverse && h.adverse <= h.baseline && h.baseline <= h.optimistic);
            }
            prop_assert!(survival.worst_case <= survival.min_survival);
            let before = modes.mode();
            modes.apply(&modes.decide(survival.state, cycle));
            prop_assert!(modes.mode() >= survival.state, "never freer than the state");
            prop_assert!(modes.mode() as usize + 1 >= before as usize, "one step at a time");
            for (kind, gauge) in ResourceKind::ALL.into_iter().zip(gauges) {
                let Some((gauge, horizons)) = gauge.zip(survival.horizons[kind as usize]) else { continue };
                let found = record.exhaustion(kind, &gauge, cycle);
                record.apply(kind, &gauge, found.as_ref());
                record.foresee(kind, horizons.baseline, cycle);
            }
            prop_assert!(record.error().is_none_or(|error| (0.0..=1.0).contains(&error)));
        }
        prop_assert_eq!(restore(&bytes(&meter)), Some(meter));
        prop_assert_eq!(restore(&bytes(&modes)), Some(modes));
        prop_assert_eq!(restore(&bytes(&record)), Some(record));
    }

    #[test]
    fn whatever_is_gauged_horizons_are_finite(level in any::<f64>(), consumption in any::<f64>(), replenishment in any::<f64>()) {
        for kind in ResourceKind::ALL {
            let h = horizons(kind, &gauge(level, consumption, replenishment));
            for cycles in [h.baseline, h.adverse, h.optimistic, h.crisis] {
                prop_assert!((0.0..=MAX_HORIZON_CYCLES).contains(&cycles));
            }
        }
    }

    #[test]
    fn a_cascade_never_raises_a_level_and_is_at_most_four_deep(
        before in prop::array::uniform5(prop::option::of(number())),
        after in prop::array::uniform5(prop::option::of(number())),
        strength in any::<f64>(),
        substitution in any::<f64>(),
    ) {
        let wild = DEPENDENCIES.map(|dependency| Dependency { strength, substitution, ..dependency });
        for dependencies in [DEPENDENCIES, wild] {
            let found = cascade(&before, &after, &dependencies);
            for (projected, after) in found.projected.iter().zip(&after) {
                prop_assert_eq!(projected.is_some(), after.is_some());
                let Some((projected, after)) = projected.zip(*after) else { continue };
                prop_assert!((0.0..=1.0).contains(&projected));
                prop_assert!(!after.is_finite() || projected <= after.max(0.0));
            }
            prop_assert!(found.depth <= 4);
        }
    }
}

#[test]
fn two_readings_are_a_rate_and_one_is_none() {
    let mut meter = Meter::default();
    let reading = |level| Reading { level, renewed: None };
    meter.note(ResourceKind::Compute, &reading(0.9), 100);
    assert_eq!(meter.gauge(ResourceKind::Compute, 100).unwrap().consumption, 0.0);
    meter.note(ResourceKind::Compute, &reading(0.8), 110);
    close(meter.gauge(ResourceKind::Compute, 110).unwrap().consumption, 0.01);
}
