use super::pathology::find;
use super::*;
use crate::goals::{GoalState, TaskState};
use crate::l45::fixtures::{goal, of};
use proptest::prelude::*;
use rungs_types::GoalId;
use rungs_types::goal::{GoalSpec, Knob, KnobSetting, Origin, Quantity, TaskAction, ValueDimension};
use std::sync::Arc;

fn faster(groups: std::ops::Range<u16>) -> Vec<TaskAction> {
    groups.map(|group| TaskAction::SampleFaster { group }).collect()
}

fn changed(mut record: GoalRecord, change: impl FnOnce(&mut GoalSpec)) -> GoalRecord {
    change(Arc::make_mut(&mut record.spec));
    record
}

fn serves(record: GoalRecord, weights: &[(ValueDimension, f64)]) -> GoalRecord {
    changed(record, |spec| spec.weights = weights.iter().copied().collect())
}

fn purpose_of(goals: &[GoalRecord]) -> Purpose {
    let mut purpose = Purpose::default();
    purpose.take_goals(goals.iter());
    purpose
}

fn aim(goals: &[GoalRecord]) -> Aim {
    Aim::of(&goals[0], goals.iter())
}

#[test]
fn overlap_is_the_jaccard_index_of_what_the_tasks_do() {
    let of = |range| aim(&[goal(1, Origin::User, faster(range))]);
    assert_eq!(of(0..10).overlap(&of(0..10)), 1.0);
    assert!((of(0..10).overlap(&of(3..13)) - 7.0 / 13.0).abs() < 1e-12);
    assert_eq!(of(0..2).overlap(&of(5..9)), 0.0);
    // The same step twice is one; steps of another kind are others.
    let twice = aim(&[goal(1, Origin::User, [faster(0..2), faster(0..2)].concat())]);
    assert_eq!(twice.overlap(&of(0..2)), 1.0);
    let turn = |to| {
        let knob = Knob::ReserveShare;
        aim(&[goal(1, Origin::L49, vec![TaskAction::Turn(KnobSetting { knob, to })])])
    };
    assert_eq!(
        (turn(0.1).overlap(&turn(0.1)), turn(0.1).overlap(&turn(0.2))),
        (1.0, 0.0)
    );
}

#[test]
fn goals_that_overlap_by_more_than_07_are_merged_into_the_earlier() {
    let pathology = |shared: u16, origin| {
        let goals = [goal(1, Origin::L49, faster(0..31)), goal(2, origin, faster(0..shared))];
        let purpose = purpose_of(&goals);
        find(1, &purpose.tracks)[0]
    };
    // Of 31 steps 21 are 0.677 and 22 are 0.710.
    assert_eq!(pathology(21, Origin::L49), None);
    let found = pathology(22, Origin::L49).expect("redundant");
    assert_eq!(
        (found.goal, found.pathology, found.remedy),
        (2, Pathology::Redundant { with: 1 }, Remedy::Merge)
    );
    assert!((found.measure - 22.0 / 31.0).abs() < 1e-12);
    // At exactly 0.7 they are two: 7 of 10.
    let ten = purpose_of(&[goal(1, Origin::L49, faster(0..10)), goal(2, Origin::L49, faster(0..7))]);
    assert_eq!(find(1, &ten.tracks)[0], None);
    assert_eq!(find(0, &ten.tracks)[0], None);
}

#[test]
fn of_a_users_goal_and_the_agents_own_the_own_one_gives_way_and_of_two_users_none_is_merged() {
    let found = |first, second| {
        let purpose = purpose_of(&[goal(1, first, faster(0..5)), goal(2, second, faster(0..5))]);
        [0, 1].map(|index| find(index, &purpose.tracks)[0].map(|f| (f.goal, f.remedy)))
    };
    assert_eq!(found(Origin::L49, Origin::User), [Some((1, Remedy::Merge)), None]);
    assert_eq!(found(Origin::User, Origin::L48), [None, Some((2, Remedy::Merge))]);
    assert_eq!(found(Origin::User, Origin::User), [None, Some((2, Remedy::Constrain))]);
}

#[test]
fn a_goal_that_changes_the_agent_and_is_judged_by_it_is_constrained_above_06() {
    let inward = |tasks: usize, own: &[Quantity]| {
        let knob = KnobSetting {
            knob: Knob::RiskCap,
            to: 0.5,
        };
        let mut does = faster(0..10);
        does[..tasks].fill(TaskAction::Turn(knob));
        changed(goal(1, Origin::L49, does), |spec| spec.success = of(own))
    };
    let measure = |record: &GoalRecord| aim(std::slice::from_ref(record)).self_reinforcement;
    // Half tasks, half conditions.
    assert!((measure(&inward(2, &[Quantity::Seof])) - 0.6).abs() < 1e-12);
    assert!((measure(&inward(3, &[Quantity::Iis])) - 0.65).abs() < 1e-12);
    assert!((measure(&inward(3, &[Quantity::CL4, Quantity::Eu])) - 0.40).abs() < 1e-12);
    let found = |record| find(0, &purpose_of(&[record]).tracks)[1];
    assert_eq!(found(inward(2, &[Quantity::Seof])), None);
    let ill = found(inward(3, &[Quantity::Uncertainty])).expect("self-reinforcing");
    assert_eq!(
        (ill.pathology, ill.remedy),
        (Pathology::SelfReinforcing, Remedy::Constrain)
    );
    // 0.611 is above, 0.599 is not.
    let conditions: Vec<Quantity> = (0..9)
        .map(|i| if i < 2 { Quantity::Seof } else { Quantity::Eu })
        .collect();
    assert!(measure(&inward(10, &conditions)) > 0.61 && found(inward(10, &conditions)).is_some());
}

/// Progress over 40 checks at which C_L4 moves along with it by `along`, and by as much again at random.
fn correlated(origin: Origin, along: f64, checks: usize) -> Purpose {
    let mut record = goal(1, origin, faster(0..32));
    let mut purpose = Purpose::default();
    let mut c_l4 = 0.1;
    for check in 0..checks {
        let moved = check % 2 == 1;
        if moved {
            record.tasks[check / 2].state = TaskState::Done;
        }
        // Period 2 and period 4 are uncorrelated over whole periods.
        let noise = if check % 4 < 2 { 1.0 } else { -1.0 };
        c_l4 += 0.01 * (along * if moved { 1.0 } else { -1.0 } + noise);
        purpose.take_goals(std::iter::once(&record));
        purpose.check(10 * check as u64, c_l4, 0.4);
    }
    purpose
}

#[test]
fn a_goal_whose_progress_goes_along_with_complexity_is_paused_above_a_correlation_of_05() {
    // Corr = along / sqrt(along^2 + 1): 0.5 at 0.577.
    let found = |along| find(0, &correlated(Origin::L49, along, 61).tracks)[2];
    assert_eq!(found(0.571), None);
    let ill = found(0.584).expect("destabilising");
    assert_eq!((ill.pathology, ill.remedy), (Pathology::Destabilising, Remedy::Pause));
    assert!((0.50..0.51).contains(&ill.measure), "{}", ill.measure);
    assert_eq!(
        find(0, &correlated(Origin::User, 0.584, 61).tracks)[2].map(|f| f.remedy),
        Some(Remedy::Constrain)
    );
    // 20 changes are needed; the first check has none.
    assert!(find(0, &correlated(Origin::L49, 9.0, 20).tracks)[2].is_none());
    assert!(find(0, &correlated(Origin::L49, 9.0, 21).tracks)[2].is_some());
}

#[test]
fn alignment_is_the_cosine_with_the_purpose() {
    let silent = aim(&[goal(1, Origin::User, faster(0..1))]);
    let purpose = [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05];
    assert_eq!((silent.alignment, silent.weights), (1.0, purpose));
    let safe = aim(&[serves(
        goal(1, Origin::User, faster(0..1)),
        &[(ValueDimension::Safety, 1.0)],
    )]);
    let length: f64 = PURPOSE.iter().map(|w| w * w).sum::<f64>().sqrt();
    assert!((safe.alignment - 0.10 / length).abs() < 1e-12);
}

#[test]
fn pcs_is_as_written_and_absent_without_goals() {
    let mut purpose = Purpose::default();
    purpose.check(10, 0.1, 0.4);
    assert_eq!((purpose.pcs(), purpose.own_share()), (None, None));
    // Alignment 1, no change, no pathology: 1.4 / 1.8.
    let mut purpose = purpose_of(&[goal(1, Origin::User, faster(0..1))]);
    purpose.check(10, 0.1, 0.4);
    assert!((purpose.pcs().expect("a goal") - 1.4 / 1.8).abs() < 1e-12);
    // SEOF rises by 0.5 over 100 cycles: 0.2 more.
    for check in 2..=11 {
        purpose.check(10 * check, 0.1, 0.4 + 0.05 * (check - 1) as f64);
    }
    assert!((purpose.pcs().expect("a goal") - 1.6 / 1.8).abs() < 1e-12);
    // Of two goals one does what the other does: a third of the pathologies, in one of two.
    let mut ill = purpose_of(&[goal(1, Origin::L49, faster(0..3)), goal(2, Origin::L49, faster(0..3))]);
    ill.check(10, 0.1, 0.4);
    assert!((ill.pcs().expect("goals") - (1.4 - 0.2 / 3.0 / 2.0) / 1.8).abs() < 1e-12);
}

/// A goal aligned by so much: safety, and the rest of the weight along the purpose.
fn aligned_by(alignment: f64) -> GoalRecord {
    let mut record = goal(1, Origin::User, faster(0..1));
    let mut step = 1.0;
    // Bisection over how much cooperation outweighs the purpose.
    let mut extra = 0.0;
    for _ in 0..60 {
        let mut weights = PURPOSE.map(|w| w / (1.0 + extra));
        weights[6] += extra / (1.0 + extra);
        let pairs: Vec<_> = ValueDimension::ALL.into_iter().zip(weights).collect();
        record = serves(record, &pairs);
        let now = aim(std::slice::from_ref(&record)).alignment;
        extra += if now > alignment { step } else { -step };
        extra = f64::max(extra, 0.0);
        step *= if now > alignment { 1.0 } else { 0.5 };
    }
    record
}

#[test]
fn a_reflection_takes_place_fifty_cycles_after_pcs_fell_below_06() {
    // PCS = (0.4 a + 0.4 dSEOF + 1) / 1.8 with a = 1 and SEOF falling: 0.6 at dSEOF = -0.8.
    let reflected = |fall: f64| {
        let mut purpose = purpose_of(&[goal(1, Origin::User, faster(0..1))]);
        let mut at = Vec::new();
        for check in 1..=40_u64 {
            let seof = if check <= 11 { 0.9 } else { 0.9 - fall };
            purpose.check(10 * check, 0.1, seof);
            at.extend(purpose.report().reflected_at_cycle);
        }
        at.first().copied()
    };
    assert_eq!(reflected(0.79), None);
    assert_eq!(reflected(0.81), Some(170), "it fell at 120");
}

#[test]
fn frames_that_cannot_agree_make_a_reflection_due_and_it_names_the_worst_first() {
    let mut purpose = purpose_of(&[
        goal(1, Origin::L49, faster(0..10)),
        goal(2, Origin::L49, faster(0..8)),
        goal(3, Origin::L49, faster(0..10)),
    ]);
    purpose.check(10, 0.1, 0.4);
    purpose.escalate(10);
    purpose.escalate(30);
    assert_eq!(purpose.report().due_at_cycle, Some(60), "the earlier one counts");
    (2..6).for_each(|check| purpose.check(10 * check, 0.1, 0.4));
    assert_eq!(purpose.report().reflected_at_cycle, None);
    purpose.check(60, 0.1, 0.4);
    let report = purpose.report();
    assert_eq!((report.due_at_cycle, report.reflected_at_cycle), (None, Some(60)));
    let found: Vec<_> = report.findings.iter().flatten().map(|f| (f.goal, f.measure)).collect();
    assert_eq!(found, [(3, 1.0), (2, 0.8)]);
}

#[test]
fn a_finding_stands_as_long_as_its_goal_is_at_fault() {
    let goals = [1, 2, 3].map(|number| goal(number, Origin::L49, faster(0..if number == 3 { 8 } else { 10 })));
    let mut purpose = purpose_of(&goals);
    purpose.escalate(0);
    purpose.check(50, 0.1, 0.4);
    let found = |purpose: &Purpose| -> Vec<(u64, Pathology)> {
        let findings = purpose.report().findings.iter().flatten();
        findings.map(|f| (f.goal, f.pathology)).collect()
    };
    let twin = |with| Pathology::Redundant { with };
    assert_eq!(found(&purpose), [(2, twin(1)), (3, twin(1))]);
    // Without the first, the third is like the second, which is like no earlier one.
    purpose.take_goals(goals[1..].iter());
    purpose.check(60, 0.1, 0.4);
    assert_eq!(found(&purpose), [(3, twin(2))]);
    purpose.take_goals(goals[2..].iter());
    purpose.check(70, 0.1, 0.4);
    assert_eq!(found(&purpose), []);
    assert_eq!(
        purpose.report().reflected_at_cycle,
        Some(50),
        "no reflection was needed for it"
    );
}

#[test]
fn a_dimension_whose_goals_are_aligned_below_07_for_two_hundred_cycles_is_misaligned() {
    let misaligned = |alignment, checks: u64| {
        let mut purpose = purpose_of(&[aligned_by(alignment)]);
        (1..=checks).for_each(|check| purpose.check(10 * check, 0.1, 0.4));
        (
            purpose.report().alignments[6].expect("served"),
            purpose.report().misaligned,
        )
    };
    let (low, after) = misaligned(0.69, 20);
    assert!((low - 0.69).abs() < 1e-6 && after == [true; 7]);
    assert_eq!(misaligned(0.69, 19).1, [false; 7]);
    let (high, after) = misaligned(0.71, 40);
    assert!((high - 0.71).abs() < 1e-6 && after == [false; 7]);
}

#[test]
fn alignment_of_a_dimension_is_weighed_by_how_much_it_is_served() {
    let safe = serves(goal(1, Origin::User, faster(0..1)), &[(ValueDimension::Safety, 1.0)]);
    let general = goal(2, Origin::User, faster(1..2));
    let mut purpose = purpose_of(&[safe, general]);
    purpose.check(10, 0.1, 0.4);
    let length: f64 = PURPOSE.iter().map(|w| w * w).sum::<f64>().sqrt();
    let own = 0.10 / length;
    let safety = purpose.report().alignments[ValueDimension::Safety.index()].expect("served");
    assert!((safety - (own + 0.1) / 1.1).abs() < 1e-12);
    assert_eq!(purpose.report().alignments[0], Some(1.0));
    assert!((purpose.report().alignment_score.expect("goals") - (own + 1.0) / 2.0).abs() < 1e-12);
    assert_eq!(purpose.report().goals, 2);
}

#[test]
fn a_goal_depends_on_itself_if_neither_the_world_nor_a_user_has_a_say() {
    let own =
        |quantities: &[Quantity]| changed(goal(1, Origin::L49, faster(0..1)), |spec| spec.success = of(quantities));
    let share = |goals: &[GoalRecord]| own_share(goals.iter());
    assert_eq!(share(&[own(&[Quantity::Seof])]), Some(1.0));
    assert_eq!(share(&[own(&[Quantity::Seof, Quantity::Dimension(0)])]), Some(0.0));
    let users = changed(own(&[Quantity::Seof]), |spec| spec.origin = Origin::User);
    assert_eq!(share(&[users]), Some(0.0));
    let after = changed(own(&[Quantity::Iis]), |spec| {
        spec.after = vec![GoalId::new("g2").expect("valid")]
    });
    let before = |origin| goal(2, origin, faster(2..3));
    assert_eq!(share(&[after.clone(), before(Origin::User)]), Some(0.0));
    assert_eq!(share(&[after.clone(), before(Origin::L49)]), Some(0.5));
    let mut closed = before(Origin::User);
    closed.state = GoalState::Succeeded;
    assert_eq!(
        share(&[after.clone(), closed]),
        Some(0.0),
        "a closed one is not counted, and has its say"
    );
    assert_eq!(share(&[]), None);
    assert_eq!(purpose_of(&[after, before(Origin::L49)]).own_share(), Some(0.5));
}

#[test]
fn closed_goals_go_and_no_more_than_thirty_two_are_looked_at() {
    let mut goals: Vec<_> = (1..=40)
        .map(|n| goal(n, Origin::User, faster(n as u16..n as u16 + 1)))
        .collect();
    let mut purpose = purpose_of(&goals);
    assert_eq!(
        (purpose.aims().count(), purpose.aims().next().map(|aim| aim.number)),
        (32, Some(1))
    );
    goals[0].state = GoalState::Succeeded;
    purpose.take_goals(goals.iter());
    assert_eq!(
        (purpose.aims().count(), purpose.aims().next().map(|aim| aim.number)),
        (32, Some(2))
    );
    assert!(purpose.is_valid());
    purpose.take_goals(goals[..1].iter());
    assert_eq!(purpose.aims().count(), 0);
}

#[test]
fn goals_that_come_and_go_do_not_move_g_as_the_detector_sees_it_and_a_fall_of_pcs_does() {
    let mut purpose = Purpose::default();
    purpose.check(10, 0.1, 0.9);
    assert_eq!(purpose.settled(), 1.0);
    let mut goals = [goal(1, Origin::User, faster(0..1)), aligned_by(0.5)];
    goals[1].number = 2;
    purpose.take_goals(goals[..1].iter());
    purpose.check(20, 0.1, 0.9);
    assert!(purpose.pcs().expect("a goal") < 0.8);
    assert_eq!(purpose.settled(), 1.0);
    purpose.take_goals(goals.iter());
    for check in 3..=11 {
        purpose.check(10 * check, 0.1, 0.9);
        assert_eq!(purpose.settled(), 1.0);
    }
    // SEOF is 0.5 lower than 100 cycles ago.
    purpose.check(120, 0.1, 0.4);
    assert!((purpose.settled() - (1.0 - 0.2 / 1.8)).abs() < 1e-12);
    purpose.take_goals(std::iter::empty());
    purpose.check(130, 0.1, 0.4);
    assert_eq!((purpose.settled(), purpose.pcs()), (1.0, None));
}

#[test]
fn a_goal_goes_on_as_fast_as_it_did() {
    let mut record = goal(1, Origin::User, faster(0..4));
    assert_eq!(
        aim(std::slice::from_ref(&record)).rate_per_cycle,
        1.0 / 50.0,
        "a tactical one before its first step"
    );
    record.tasks[0].state = TaskState::Done;
    (record.approved_at, record.progressed_at) = (Some(100), 150);
    assert_eq!(aim(&[record]).rate_per_cycle, 0.25 / 50.0);
}

proptest! {
    #[test]
    fn whatever_is_checked_the_state_is_valid(
        checks in prop::collection::vec((any::<f64>(), any::<f64>(), 0..5_usize, any::<[u16; 2]>()), 1..40),
    ) {
        let mut purpose = Purpose::default();
        for (index, (c_l4, seof, count, [a, b])) in checks.into_iter().enumerate() {
            let goals: Vec<_> = (0..count as u64)
                .map(|n| goal(n, if n % 2 == 0 { Origin::User } else { Origin::L49 }, faster(a % 64..a % 64 + 1 + b % 9)))
                .collect();
            purpose.take_goals(goals.iter());
            purpose.check(10 * index as u64, c_l4, seof);
            prop_assert!(purpose.is_valid(), "{:?}", purpose.report());
            prop_assert_eq!(purpose.pcs().is_some(), count > 0);
        }
    }

    #[test]
    fn no_users_goal_is_merged_or_paused(spans in prop::collection::vec((0..9_u16, 1..9_u16, any::<bool>()), 1..8)) {
        let goals: Vec<_> = spans
            .iter()
            .enumerate()
            .map(|(n, (from, long, user))| {
                goal(n as u64, if *user { Origin::User } else { Origin::L48 }, faster(*from..from + long))
            })
            .collect();
        let purpose = purpose_of(&goals);
        for index in 0..goals.len() {
            for finding in find(index, &purpose.tracks).into_iter().flatten() {
                let assigned = goals[finding.goal as usize].spec.origin == Origin::User;
                prop_assert!(!assigned || finding.remedy == Remedy::Constrain);
            }
        }
    }
}
