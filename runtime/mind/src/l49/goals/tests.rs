use super::novelty::is_new;
use super::*;
use crate::l3::ActionKind;
use crate::l48::introspect::capability::Skill;
use crate::l49::below::Below;
use crate::l49::fixtures::{PURPOSE as BASELINE, World, user_goal};
use crate::l49::resources::{Gauge, ResourceKind, Survival, SurvivalState, project};
use crate::l49::values::{ValueDimension, ValueVector};
use crate::lookahead::Trajectories;
use rungs_types::{CheckpointId, SkillName, Tier};
use std::sync::Arc;

const NOWHERE: CheckpointId = CheckpointId(0);

fn profile(skills: &[&str], tier: Tier, origin: Option<GoalOrigin>) -> Profile {
    Profile {
        skills: skills.iter().map(|skill| SkillName::new(skill).unwrap()).collect(),
        tier,
        origin,
    }
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn similarity_is_half_skills_a_quarter_horizon_and_a_quarter_origin() {
    let gap = Some(GoalOrigin::GapFilling);
    let value = Some(GoalOrigin::ValueAligned);
    let base = profile(&["a", "b"], Tier::Strategic, gap);
    close(similarity(&base, &profile(&["a", "b"], Tier::Tactical, value)), 0.50);
    close(similarity(&base, &profile(&["c"], Tier::Strategic, value)), 0.25);
    close(similarity(&base, &profile(&["c"], Tier::Operational, value)), 0.125);
    close(similarity(&base, &profile(&["c"], Tier::Tactical, gap)), 0.25);
    close(
        similarity(&base, &profile(&["b", "c"], Tier::Operational, gap)),
        0.5 / 3.0 + 0.125 + 0.25,
    );
    close(similarity(&base, &base), 1.0);
    let users = profile(&[], Tier::Tactical, None);
    close(similarity(&users, &users), 0.75);
}

#[test]
fn novelty_is_the_distance_to_the_most_alike_and_0_30_is_enough() {
    let a = profile(&["a"], Tier::Strategic, None);
    let far = profile(&["b"], Tier::Tactical, None);
    close(novelty(&a, []), 1.0);
    close(novelty(&a, [&far, &a]), 0.25);
    assert!(is_new(0.30) && is_new(1.0 - 0.70));
    assert!(!is_new(0.2999));
}

#[test]
fn five_goals_within_a_hundred_cycles_are_the_most_and_the_sixth_waits() {
    let mut rate = Rate::default();
    assert_eq!(rate.left(0), 5);
    for cycle in [100, 100, 110, 120, 130] {
        rate.set(cycle);
    }
    assert_eq!((rate.left(130), rate.left(199), rate.left(200)), (0, 0, 2));
    assert_eq!((rate.left(229), rate.left(230)), (4, 5));
}

#[test]
fn a_rejection_keeps_its_origin_and_no_other_away_for_twenty_cycles() {
    let mut rate = Rate::default();
    rate.rejected(GoalOrigin::GapFilling, 100);
    assert!(rate.cools_down(GoalOrigin::GapFilling, 119));
    assert!(!rate.cools_down(GoalOrigin::GapFilling, 120));
    assert!(!rate.cools_down(GoalOrigin::Exploratory, 100));
}

/// All five pass.
const GOOD: Criteria = Criteria {
    purpose: 0.9,
    value: 0.9,
    feasibility: 0.9,
    resource: 9.0,
    rho: 0.5,
    violated: false,
};

#[test]
fn each_criterion_has_its_two_boundaries() {
    use Grade::{Fail, Marginal, Pass};
    let purpose = |purpose| Criteria { purpose, ..GOOD }.grade(Criterion::Purpose);
    assert_eq!(
        [0.499_9, 0.50, 0.599_9, 0.60].map(purpose),
        [Fail, Marginal, Marginal, Pass]
    );
    let value = |value| Criteria { value, ..GOOD }.grade(Criterion::Value);
    assert_eq!(
        [0.599_9, 0.60, 0.699_9, 0.70].map(value),
        [Fail, Marginal, Marginal, Pass]
    );
    let feasibility = |feasibility| Criteria { feasibility, ..GOOD }.grade(Criterion::Feasibility);
    assert_eq!(
        [0.049_9, 0.05, 0.149_9, 0.15].map(feasibility),
        [Fail, Marginal, Marginal, Pass]
    );
    let resource = |resource| Criteria { resource, ..GOOD }.grade(Criterion::Resource);
    assert_eq!(
        [0.999_9, 1.0, 1.499_9, 1.5].map(resource),
        [Fail, Marginal, Marginal, Pass]
    );
    let rho = |rho| Criteria { rho, ..GOOD }.grade(Criterion::Stability);
    assert_eq!([0.949_9, 0.95, 0.999_9].map(rho), [Pass, Marginal, Marginal]);
    let violated = Criteria { violated: true, ..GOOD };
    assert_eq!(
        violated.grade(Criterion::Stability),
        Fail,
        "from 1.0 on an invariant is violated"
    );
    let unknown = f64::NAN;
    assert_eq!(
        [
            purpose(unknown),
            value(unknown),
            feasibility(unknown),
            resource(unknown),
            rho(unknown)
        ],
        [Fail; 5]
    );
}

#[test]
fn all_pass_is_approved_any_marginal_sandboxed_any_fail_rejected() {
    assert_eq!(GOOD.verdict(), Verdict::Approved);
    let aspirational = Criteria {
        feasibility: 0.1,
        ..GOOD
    };
    assert_eq!(aspirational.verdict(), Verdict::Aspirational);
    let both = Criteria {
        purpose: 0.55,
        ..aspirational
    };
    assert_eq!(both.verdict(), Verdict::Sandboxed { marginal: 2 });
    let one = Criteria { rho: 0.96, ..GOOD };
    assert_eq!(one.verdict(), Verdict::Sandboxed { marginal: 1 });
    let failed = Criteria {
        value: 0.1,
        resource: 0.1,
        ..both
    };
    assert_eq!(
        failed.verdict(),
        Verdict::Rejected(Criterion::Value),
        "the first that fails is named"
    );
}

#[test]
fn only_a_marginal_resource_wants_less_and_nothing_that_fails_does() {
    let scarce = Criteria { resource: 1.2, ..GOOD };
    assert!(scarce.wants_less());
    assert!(!GOOD.wants_less());
    assert!(!Criteria { value: 0.1, ..scarce }.wants_less());
}

#[test]
fn the_numbers_of_the_seed_are_as_the_seed_has_them() {
    assert_eq!((STABILITY_CYCLES, SANDBOX_CYCLES, OPPORTUNITY_CYCLES), (100, 200, 200));
    assert_eq!((MAX_SANDBOXED, DECILE_SAMPLES, MAX_ENTRIES), (3, 20, 64));
    assert_eq!((GAP_TIME_TO_NEED_CYCLES, NEGLECT_CYCLES), (200, 200));
    assert_eq!((SCOPE_FACTOR, IMPROVEMENT, EXPLORATORY_DECILE), (0.67, 0.10, 0.90));
    assert_eq!(RECOVERY, 0.5);
    assert_eq!((RATE_WINDOW_CYCLES, COOLDOWN_CYCLES, MAX_GOALS_IN_WINDOW), (100, 20, 5));
}

fn plenty() -> Survival {
    project(&[None; 5])
}

fn detect(detector: &Detector, below: &Below, survival: &Survival, gain: Option<f64>) -> Vec<Signal> {
    detector.detect(&Surroundings {
        below,
        values: &ValueVector::BASELINE,
        survival,
        gain,
    })
}

#[test]
fn an_opportunity_needs_a_probability_above_0_30_and_a_gain_above_0_05() {
    let found = |optimistic, gain| {
        let mut world = World::new();
        world.optimistic = optimistic;
        let below = world.next();
        !detect(&Detector::default(), &below, &plenty(), gain).is_empty()
    };
    assert!(found(0.301, Some(0.0501)));
    assert!(!found(0.30, Some(0.0501)));
    assert!(!found(0.301, Some(0.05)));
    assert!(!found(0.301, None) && !found(0.301, Some(f64::NAN)));
}

const SWITCH: Skill = Skill::Act(ActionKind::SwitchForecaster);

fn gaps_at(confidence: f64, skills: &[Skill], before: Option<Tier>) -> Vec<Signal> {
    let mut world = World::new();
    world.confidence = confidence;
    let mut goal = user_goal("needs", ValueDimension::Growth, skills);
    goal.weights.clear();
    if let Some(tier) = before {
        let mut first = user_goal("first", ValueDimension::Growth, &[]);
        first.weights.clear();
        first.tier = tier;
        goal.after = vec![first.goal.clone()];
        world.set(first, NOWHERE);
    }
    world.set(goal, NOWHERE);
    detect(&Detector::default(), &world.next(), &plenty(), None)
}

#[test]
fn a_gap_is_wider_than_a_quarter_of_what_as_likely_as_not_needs() {
    assert_eq!(gaps_at(0.2525, &[SWITCH], None), []);
    let found = gaps_at(0.248, &[SWITCH], None);
    let [
        Signal::CapabilityGap {
            skill,
            magnitude,
            time_to_need: 0,
        },
    ] = &found[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!(skill.as_str(), "switch-forecaster");
    close(*magnitude, 0.252);
    // Of two skills each needs the square root of one half.
    let other = Skill::Forecast { group: 0 };
    assert_eq!(gaps_at(0.46, &[SWITCH, other], None).len(), 0);
    assert_eq!(gaps_at(0.45, &[SWITCH, other], None).len(), 2);
}

#[test]
fn a_skill_that_nothing_is_known_of_is_taken_as_likely_as_not() {
    let mut goal = user_goal("needs", ValueDimension::Growth, &[]);
    goal.weights.clear();
    goal.skills = ["juggling", "knitting", "lying"]
        .map(|name| SkillName::new(name).unwrap())
        .to_vec();
    let mut world = World::new();
    world.set(goal, NOWHERE);
    let found = detect(&Detector::default(), &world.next(), &plenty(), None);
    assert_eq!(found.len(), 3, "{found:?}");
    for signal in &found {
        let Signal::CapabilityGap { magnitude, .. } = signal else {
            panic!("{signal:?}");
        };
        // Of three skills each needs the cube root of one half.
        close(*magnitude, 0.5_f64.cbrt() - 0.5);
    }
}

#[test]
fn a_gap_counts_only_if_it_is_needed_within_200_cycles() {
    assert_eq!(gaps_at(0.1, &[SWITCH], Some(Tier::Tactical)).len(), 1);
    assert_eq!(
        gaps_at(0.1, &[SWITCH], Some(Tier::Operational)).len(),
        0,
        "200 cycles ahead"
    );
    assert_eq!(gaps_at(0.1, &[SWITCH], Some(Tier::Strategic)).len(), 0);
}

/// A goal between the purpose and growth alone, at `share` of the purpose.
fn leaning(share: f64) -> (World, f64) {
    let mut world = World::new();
    let mut goal = user_goal("leans", ValueDimension::Growth, &[]);
    let mut weights = BASELINE.map(|weight| share * weight);
    weights[ValueDimension::Growth.index()] += 1.0 - share;
    goal.weights = ValueDimension::ALL.into_iter().zip(weights).collect();
    world.set(goal, NOWHERE);
    let norm = |v: &[f64; 7]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let dot: f64 = weights.iter().zip(BASELINE).map(|(a, b)| a * b).sum();
    (world, dot / norm(&weights) / norm(&BASELINE))
}

/// The share of the purpose with which a goal aligns so far: it rises with the share.
fn aligned(alignment: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if leaning(middle).1 < alignment {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[test]
fn goals_that_align_less_than_0_80_with_the_purpose_are_a_signal_for_each_dimension_that_they_leave_out() {
    for step in 0..=100 {
        let (mut world, alignment) = leaning(f64::from(step) / 100.0);
        let found = detect(&Detector::default(), &world.next(), &plenty(), None);
        assert_eq!(found.is_empty(), alignment >= 0.80, "{alignment} {found:?}");
        for signal in &found {
            let Signal::PurposeRealignment { dimension, alignment } = signal else {
                panic!("{signal:?}");
            };
            assert!(*dimension != ValueDimension::Growth && *alignment < 0.80);
        }
    }
    assert_eq!(
        detect(&Detector::default(), &World::new().next(), &plenty(), None),
        [],
        "no goals, no drift"
    );
}

#[test]
fn what_purpose_reflection_says_goes_before_the_levels_own_estimate() {
    let said = |score: Option<f64>, misaligned: &[(ValueDimension, f64)]| {
        let (mut world, own) = leaning(0.0);
        assert!(own < 0.80, "the estimate finds something");
        let mut below = world.next();
        let purpose = &mut Arc::make_mut(&mut below.floor).purpose;
        purpose.alignment_score = score;
        for (dimension, alignment) in misaligned {
            purpose.alignments[dimension.index()] = Some(*alignment);
            purpose.misaligned[dimension.index()] = true;
        }
        // Served and in line.
        purpose.alignments[ValueDimension::Growth.index()] = Some(0.9);
        detect(&Detector::default(), &below, &plenty(), None)
    };
    let signal = |dimension, alignment| Signal::PurposeRealignment { dimension, alignment };
    let two = [(ValueDimension::Safety, 0.6), (ValueDimension::Stability, 0.5)];
    assert_eq!(
        said(Some(0.79), &two),
        [
            signal(ValueDimension::Stability, 0.5),
            signal(ValueDimension::Safety, 0.6)
        ]
    );
    assert_eq!(said(Some(0.80), &two), []);
    assert_eq!(said(Some(0.79), &[]), [], "none for 200 cycles");
    assert!(!said(None, &[]).is_empty(), "the level's own estimate");
}

#[test]
fn a_value_is_neglected_once_its_goals_have_aligned_less_than_0_70_for_200_cycles() {
    for share in [0.0, 0.2, 0.3, 0.5, 0.8, aligned(0.695), aligned(0.705)] {
        let (mut world, alignment) = leaning(share);
        let mut detector = Detector::default();
        let mut first = None;
        for _ in 0..30 {
            let below = world.next();
            let found = detect(&detector, &below, &plenty(), None);
            let neglected = |signal: &Signal| matches!(signal, Signal::Neglected { .. });
            if found.iter().any(neglected) {
                first.get_or_insert(below.cycle());
            }
            let values = &ValueVector::BASELINE;
            detector.note(&Surroundings {
                below: &below,
                values,
                survival: &plenty(),
                gain: None,
            });
        }
        let expected = (alignment < 0.70).then_some(210);
        assert_eq!(first, expected, "noted first at cycle 10; alignment {alignment}");
    }
}

#[test]
fn a_group_beyond_its_top_decile_is_explored_while_resources_are_abundant() {
    let mut world = World::new();
    let mut detector = Detector::default();
    let note = |detector: &mut Detector, below: &Below| {
        let values = &ValueVector::BASELINE;
        detector.note(&Surroundings {
            below,
            values,
            survival: &plenty(),
            gain: None,
        });
    };
    for nth in 1..=19 {
        world.variance = [0.1, f64::from(nth) / 100.0];
        note(&mut detector, &world.next());
    }
    world.variance = [0.1, 0.5];
    assert_eq!(
        detect(&detector, &world.next(), &plenty(), None),
        [],
        "19 samples tell no decile"
    );
    world.variance = [0.1, 0.20];
    note(&mut detector, &world.next());
    world.variance = [0.1, 0.18];
    assert_eq!(
        detect(&detector, &world.next(), &plenty(), None),
        [],
        "0.18 is the ninth decile"
    );
    world.variance = [0.1, 0.181];
    let below = world.next();
    let found = detect(&detector, &below, &plenty(), None);
    assert!(matches!(found[..], [Signal::Curiosity { group: 1, .. }]), "{found:?}");
    let adequate = Survival {
        state: SurvivalState::Adequate,
        ..plenty()
    };
    assert_eq!(detect(&detector, &below, &adequate, None), []);
}

fn compute_for(cycles: f64) -> Survival {
    let mut gauges = [None; 5];
    gauges[ResourceKind::Compute as usize] = Some(Gauge {
        level: 0.6,
        consumption: 0.5 / cycles,
        replenishment: 0.0,
    });
    project(&gauges)
}

#[test]
fn resources_that_last_for_less_than_200_cycles_are_a_shortage() {
    let below = World::new().next();
    assert_eq!(detect(&Detector::default(), &below, &compute_for(201.0), None), []);
    let found = detect(&Detector::default(), &below, &compute_for(199.0), None);
    let [
        Signal::Shortage {
            state: SurvivalState::Constrained,
            bottleneck,
            ..
        },
    ] = &found[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!(*bottleneck, Some(ResourceKind::Compute));
}

fn every_signal() -> Vec<Signal> {
    let mut signals: Vec<Signal> = ValueDimension::ALL
        .into_iter()
        .flat_map(|dimension| {
            [
                Signal::PurposeRealignment {
                    dimension,
                    alignment: 0.1,
                },
                Signal::Neglected {
                    dimension,
                    alignment: 0.1,
                    cycles: 200,
                },
            ]
        })
        .collect();
    signals.extend(Skill::of_watcher(2).into_iter().map(|skill| Signal::CapabilityGap {
        skill: skill.name(),
        magnitude: 0.4,
        time_to_need: 0,
    }));
    signals.extend(
        [None, Some(ResourceKind::Compute), Some(ResourceKind::Observation)].map(|bottleneck| Signal::Shortage {
            state: SurvivalState::Warning,
            bottleneck,
            min_survival: 70.0,
        }),
    );
    signals.push(Signal::Environmental {
        probability: 0.4,
        gain: 0.1,
        window_cycles: 200,
    });
    signals.push(Signal::Curiosity {
        group: 1,
        variance: 0.4,
        decile: 0.2,
    });
    signals
}

#[test]
fn every_signal_becomes_a_goal_that_can_be_carried_out_and_does_not_hold_yet() {
    let mut world = World::new();
    world.rdf = 500.0;
    let below = world.next();
    let mut without = Vec::new();
    for (number, signal) in every_signal().iter().enumerate() {
        let Some(idea) = synthesize(signal, &below, number as u64) else {
            without.push(signal.to_string());
            continue;
        };
        let spec = &idea.spec;
        assert!(spec.validate().is_ok() && spec.validate_for(2, 2).is_ok(), "{signal}");
        let observed = below.observed();
        assert_eq!(spec.success.holds(|of| observed.measure(of)), Some(false), "{signal}");
        close(idea.intent.iter().sum(), 1.0);
        assert!(idea.intent[signal.serves().index()] >= 0.5);
        assert!(!spec.tasks.is_empty() && !spec.skills.is_empty(), "{signal}");
        assert_eq!(spec.goal.as_str(), format!("l49-{}-{number}", signal.origin()));
    }
    // Nobody practises by raising or clearing incidents, and both groups are seen in every cycle.
    let names = ["sample-faster", "raise-incident", "clear-incident"];
    assert_eq!(without.len(), names.len(), "{without:?}");
    assert!(
        names
            .iter()
            .all(|name| without.iter().any(|text| text.starts_with(name))),
        "{without:?}"
    );
    assert_eq!(below.source().law(0).interval_cycles, Some(1));
}

#[test]
fn a_reduced_scope_is_two_thirds_of_the_budget_and_of_the_time() {
    let below = World::new().next();
    let signal = Signal::Environmental {
        probability: 0.4,
        gain: 0.1,
        window_cycles: 200,
    };
    let idea = synthesize(&signal, &below, 1).unwrap();
    close(idea.duration_cycles(), 200.0);
    let reduced = idea.reduced(SCOPE_FACTOR);
    close(reduced.spec.budget.share, 0.067);
    close(reduced.duration_cycles(), 134.0);
    assert_eq!((idea.spec.budget.actions, reduced.spec.budget.actions), (6, 5));
}

#[test]
fn a_goal_has_twice_the_horizon_of_its_tier_and_two_hundred_cycles_for_what_it_did_to_show() {
    let below = World::new().next();
    let deadline = |signal: &Signal| synthesize(signal, &below, 1).expect("a goal").spec.deadline_cycles;
    let (group, variance, decile) = (1, 0.4, 0.2);
    let tactical = Signal::Curiosity {
        group,
        variance,
        decile,
    };
    assert_eq!(deadline(&tactical), Some(300));
    let (dimension, alignment) = (ValueDimension::Growth, 0.0);
    let operational = Signal::PurposeRealignment { dimension, alignment };
    assert_eq!(deadline(&operational), Some(600));
}

#[test]
fn a_goal_that_was_marginal_and_sound_in_the_sandbox_says_so() {
    assert_eq!(
        Verdict::Tried { marginal: 1 }.to_string(),
        "approved: marginal on 1 criterion, and sound in the sandbox"
    );
    let approved = [Verdict::Approved, Verdict::Aspirational, Verdict::Tried { marginal: 1 }];
    assert!(approved.into_iter().all(Verdict::is_approved));
    let others = [
        Verdict::Overtaken,
        Verdict::SandboxFull,
        Verdict::Sandboxed { marginal: 1 },
    ];
    assert!(!others.into_iter().any(Verdict::is_approved));
}
