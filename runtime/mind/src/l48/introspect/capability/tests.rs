use super::*;
use crate::l3::ActionKind;

const LOGIC: Skill = Skill::General(General::LogicalReasoning);
const FORECAST: Skill = Skill::Forecast { group: 0 };

fn outcome(skill: Skill, succeeded: bool, cycle: u64) -> Outcome {
    Outcome {
        skill,
        succeeded,
        cycle,
        scenario: scenario::Kind::Baseline,
    }
}

fn noted(matrix: &mut Matrix, skill: Skill, successes: usize, failures: usize) {
    (0..successes).for_each(|_| matrix.note(&outcome(skill, true, 1)));
    (0..failures).for_each(|_| matrix.note(&outcome(skill, false, 1)));
}

fn of(matrix: &Matrix, skill: Skill) -> Capability {
    let all = matrix.capabilities();
    *all.iter()
        .find(|capability| capability.skill == skill)
        .expect("a skill of it")
}

#[test]
fn a_watcher_of_two_groups_has_thirteen_skills_in_four_domains() {
    let matrix = Matrix::new(2);
    let skills: Vec<Skill> = matrix.capabilities().iter().map(|c| c.skill).collect();
    assert_eq!(
        skills.len(),
        4 + 2 + 7,
        "general, forecasts, and the kinds of action but holding"
    );
    assert!(!skills.contains(&Skill::Act(ActionKind::Hold)));
    let domains: Vec<_> = [
        LOGIC,
        FORECAST,
        Skill::Act(ActionKind::AskPeer),
        Skill::Tool { number: 1 },
    ]
    .map(Skill::domain)
    .into();
    assert_eq!(domains, Domain::ALL);
    assert!(
        matrix
            .capabilities()
            .iter()
            .all(|c| c.confidence == 0.5 && c.success_rate.is_none())
    );
}

#[test]
fn nothing_is_said_of_a_skill_with_nine_outcomes() {
    let mut matrix = Matrix::new(1);
    noted(&mut matrix, LOGIC, 9, 0);
    matrix.calibrate(10);
    assert_eq!(
        (of(&matrix, LOGIC).success_rate, of(&matrix, LOGIC).confidence),
        (None, 0.5)
    );
    assert_eq!(
        (matrix.mean_calibration_error(), matrix.mean_confidence()),
        (None, None)
    );
    noted(&mut matrix, LOGIC, 0, 1);
    matrix.calibrate(20);
    // Nine of ten: underconfident by 0.40.
    let logic = of(&matrix, LOGIC);
    assert_eq!((logic.success_rate, logic.confidence), (Some(0.9), 0.53));
    assert!((matrix.mean_calibration_error().expect("known") - 0.4).abs() < 1e-12);
}

#[test]
fn fifty_outcomes_are_kept_and_the_trend_is_the_newer_half_less_the_older() {
    let mut record = Record::default();
    (0..10).for_each(|_| record.push(true));
    (0..50).for_each(|nth| record.push(nth >= 30));
    assert_eq!(
        (record.len(), record.success_rate()),
        (50, Some(0.4)),
        "the first ten have left"
    );
    // Of the newer 25 the last 20 succeeded, of the older 25 none.
    assert_eq!(record.trend(), Some(0.8));
    let mut short = Record::default();
    (0..11).for_each(|nth| short.push(nth < 5));
    // Of eleven the middle one counts in neither half: older 5 of 5, newer 0 of 5.
    assert_eq!(short.trend(), Some(-1.0));
}

#[test]
fn the_mean_calibration_error_is_that_of_definition_5() {
    let mut matrix = Matrix::new(1);
    // 0.5 against 0.8 and against 0.3: errors 0.3 and 0.2.
    noted(&mut matrix, LOGIC, 8, 2);
    noted(&mut matrix, FORECAST, 3, 7);
    let corrected = matrix.calibrate(10);
    assert!((matrix.mean_calibration_error().expect("known") - 0.25).abs() < 1e-12);
    assert!((matrix.mean_confidence().expect("known") - (0.53 + 0.45) / 2.0).abs() < 1e-12);
    assert!(corrected.is_empty());
    assert_eq!(matrix.low_domains(), [(Domain::Forecasting, 0.45)]);
}

#[test]
fn overconfidence_counts_from_its_detection_until_it_is_within_a_tenth() {
    let mut matrix = Matrix::new(1);
    noted(&mut matrix, FORECAST, 3, 7);
    // 0.50 against 0.30: found at cycle 10, 0.45 and still over at 20, 0.40 and within at 30.
    assert!(matrix.calibrate(10).is_empty());
    assert!(matrix.calibrate(20).is_empty());
    let corrected = matrix.calibrate(30);
    assert_eq!(
        corrected,
        [Corrected {
            skill: FORECAST,
            cycles: 20
        }]
    );
    assert!(matrix.calibrate(40).is_empty(), "told once");
}

#[test]
fn a_change_is_measured_from_where_the_confidence_was_lately() {
    let mut matrix = Matrix::new(1);
    noted(&mut matrix, FORECAST, 0, 10);
    matrix.calibrate(10);
    matrix.calibrate(20);
    // 0.5 → 0.45 → 0.40; the reference saw 0.5 and then moved a tenth of the way to 0.45.
    let changes = matrix.changes();
    assert_eq!(changes.len(), 1);
    assert!((changes[0].1 - (0.40 - 0.495)).abs() < 1e-12);
}

#[test]
fn where_there_is_no_room_the_tool_not_used_for_longest_goes() {
    let mut matrix = Matrix::new(1);
    let room = (MAX_SKILLS - matrix.rows.len()) as u16;
    for number in 0..room {
        matrix.note(&outcome(Skill::Tool { number }, true, 100 + u64::from(number)));
    }
    matrix.note(&outcome(Skill::Tool { number: 0 }, true, 900));
    matrix.note(&outcome(Skill::Task { number: 7 }, true, 901));
    assert_eq!(matrix.rows.len(), MAX_SKILLS);
    assert_eq!(matrix.confidence(Skill::Tool { number: 1 }), None);
    assert_eq!(matrix.confidence(Skill::Tool { number: 0 }), Some(0.5));
    assert_eq!(matrix.confidence(Skill::Task { number: 7 }), Some(0.5));
}

#[test]
fn an_outcome_of_a_skill_for_which_there_is_no_room_is_dropped() {
    let mut matrix = Matrix::new(u16::MAX);
    assert_eq!(matrix.rows.len(), 4 + 64 + 7, "at most 64 groups");
    for group in 64..200 {
        matrix.note(&outcome(Skill::Forecast { group }, true, 1));
    }
    assert_eq!(matrix.rows.len(), MAX_SKILLS);
    assert_eq!(matrix.confidence(Skill::Forecast { group: 199 }), None);
}

#[test]
fn a_stored_matrix_reads_back_and_a_broken_one_is_refused() {
    let mut matrix = Matrix::new(2);
    noted(&mut matrix, FORECAST, 20, 5);
    matrix.calibrate(10);
    let rows = Vec::<Row>::from(matrix.clone());
    assert_eq!(Matrix::try_from(rows.clone()), Ok(matrix));
    let mut swapped = rows.clone();
    swapped.swap(0, 1);
    assert_eq!(Matrix::try_from(swapped), Err(MatrixError::Order));
    for confidence in [f64::NAN, -0.1, 1.1] {
        let mut broken = rows.clone();
        broken[1].confidence = confidence;
        let skill = broken[1].skill;
        assert_eq!(Matrix::try_from(broken), Err(MatrixError::Range { skill }));
    }
    let many: Vec<Row> = (0..=MAX_SKILLS as u16)
        .map(|number| Row::new(Skill::Tool { number }))
        .collect();
    assert_eq!(Matrix::try_from(many), Err(MatrixError::Size { found: 129 }));
    assert!(Record::try_from((0, 51)).is_err() && Record::try_from((4, 2)).is_err());
    assert!(Record::try_from((3, 2)).is_ok());
}

#[test]
fn a_mean_confidence_of_0_495_is_low_and_one_of_0_505_is_not() {
    // Within the dead band a tenth of the gap is closed: 0.5 goes to 0.505 for 11 of 20 and to 0.495 for 9.
    let low = |good: usize| {
        let mut matrix = Matrix::new(1);
        noted(&mut matrix, FORECAST, good, 20 - good);
        matrix.calibrate(10);
        matrix.low_domains()
    };
    assert!(low(11).is_empty());
    assert_eq!(low(9).len(), 1);
}
