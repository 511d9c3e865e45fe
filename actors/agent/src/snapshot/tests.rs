use super::*;
use rungs_mind::budget::Unlimited;
use rungs_mind::l48::introspect::Introspected;
use rungs_mind::l48::observe::BeliefTrajectories;
use rungs_mind::l48::plan::{PURPOSE, Planning};
use rungs_mind::l48::{Emit, Observe, Verify};
use rungs_mind::ladder::Action;
use rungs_mind::report::{CycleFacts, CycleReport, FloorReport, RhoState};
use rungs_types::{Authority, Cause, EventKind, Level, RolePath, SkillName};

/// What Level 4.8 may weigh in a record, for 8 dimensions: 10,000 agents are stored every 5 s.
const MOST_BYTES: usize = 8 * 1024;

const CONFIG: ObserveConfig = ObserveConfig {
    dimensions: 8,
    particles: 100,
    seed: 3,
};

/// Four groups of two.
const GROUPS: [u16; 8] = [0, 0, 1, 1, 2, 2, 3, 3];

/// Ten rows up to `last`, in which every dimension has the longest season that is looked for.
fn report(last: u64) -> CycleReport {
    let noise = |cycle: u64, dim: u64| (cycle * 7_919 + dim * 104_729) % 1_009;
    let value = |cycle: u64, dim: u64| {
        let level = if cycle % 359 < 100 { 1e6 } else { -1e6 };
        level + 10.0 * noise(cycle, dim) as f64
    };
    let cycles = last - 9..=last;
    CycleReport {
        dimensions: 8,
        groups: GROUPS.into(),
        facts: cycles
            .clone()
            .map(|cycle| CycleFacts {
                cycle: cycle + (1 << 40),
                ..CycleFacts::default()
            })
            .collect(),
        observations: cycles
            .flat_map(|cycle| (0..8).map(move |dim| value(cycle, dim)))
            .collect(),
        ..CycleReport::default()
    }
}

fn frozen(message: &str) -> Action {
    let role = RolePath::new("l48/observe").expect("valid");
    Action::Emit(EventKind::Frozen {
        level: Level::L48,
        cause: Cause::Panic {
            role,
            message: message.into(),
        },
        checkpoint: CheckpointId(u64::MAX - 1),
    })
}

/// A level at its largest: all windows full, frozen for a reason of many words, in a late cycle.
fn largest() -> (Orchestrator, Bundle) {
    let (mut observe, mut verify) = (Observe::new(CONFIG).expect("valid"), Verify::new());
    let mut introspect = Introspect::new(GROUPS.into());
    let floor = FloorReport {
        cycle: 1 << 40,
        rho_state: RhoState::Stable,
        contained: true,
        lyapunov: (0..10).map(|i| 0.1 + 0.013 * f64::from(i)).collect(),
        ..FloorReport::default()
    };
    for last in (10..=4_000).step_by(10) {
        let observed = observe.step(&report(last), true, &Unlimited).expect("a good report");
        introspect.step(&Introspected {
            report: &report(last),
            floor: &floor,
            world: &observed,
            epoch: Epoch(u64::MAX - 1),
            outcomes: &[],
            demands: &[],
        });
        verify.step(&floor, &observed, Authority::Full, Epoch(u64::MAX - 1));
    }
    let plan = planned(&observe);
    let bundle = Bundle {
        checkpoint: CheckpointId(u64::MAX - 1),
        cycle: 1 << 40,
        observe: observe.state(),
        introspect: introspect.state(),
        plan,
        verify: verify.state(),
        emit: Emit::new().state(),
    };
    let mut orchestrator = Orchestrator::new(bundle.clone());
    let freeze = Action::FreezeFrom {
        level: Level::L48,
        hold: true,
    };
    orchestrator.obey(&freeze, 1 << 40);
    orchestrator.obey(&frozen(&"🜁".repeat(200)), 1 << 40);
    for _ in 0..25 {
        orchestrator.on_report(Arc::new(report(10)), Arc::new(floor.clone()));
    }
    (orchestrator, bundle)
}

/// A plan that knows the law of its own state, after 40 passes.
fn planned(observe: &Observe) -> Arc<PlanState> {
    let (mut plan, observed) = (Plan::new(3), observe.state());
    let mut world = observe.clone();
    for last in (10..=400).step_by(10) {
        let report = report(last);
        let state = |cycle: u64| [0.9, 1.0, 0.95, 0.1, 1.0].map(|x| x + 0.01 * ((cycle * 37 % 11) as f64 / 10.0 - 0.5));
        let floor = FloorReport {
            cycle: last,
            x: state(last),
            states: (last - 9..=last).map(state).collect(),
            rho_state: RhoState::Stable,
            performance: Some(0.7),
            ..FloorReport::default()
        };
        let output = world.step(&report, true, &Unlimited).expect("a good report");
        let input = Planning {
            report: &report,
            floor: &floor,
            world: &output,
            source: BeliefTrajectories::new(&observed, &report.groups),
            goals: &[],
            skills: &|_: &SkillName| None,
            purpose: &PURPOSE,
            structural_permitted: true,
            reduced: false,
        };
        plan.step(&input, &Unlimited).expect("in time");
    }
    plan.state()
}

fn record() -> Record {
    let (orchestrator, bundle) = largest();
    let mut record = Record::default();
    record
        .set_level48(Epoch(u64::MAX - 1), &orchestrator, &bundle)
        .expect("encodes");
    record
}

#[test]
fn at_its_largest_level_48_of_8_dimensions_is_within_8_kib() {
    let size = record().level48.expect("set").len();
    let (_, bundle) = largest();
    let of = |bytes: Result<Vec<u8>, CodecError>| bytes.expect("encodes").len();
    let (world, own, plan) = (
        of(codec::encode(&bundle.observe.summary())),
        of(codec::encode(&bundle.introspect.summary())),
        of(codec::encode(&bundle.plan.summary())),
    );
    println!("{size} bytes, of them {world} for the world model, {own} for the self-model and {plan} for the plan");
    // This plan has learned nothing. One that has holds five more settings of six knobs, three worths and counts.
    let learned = 5 * (6 * 4 + 1) + 3 * (4 + 5);
    assert!(size + learned <= MOST_BYTES, "{size}");
}

#[test]
fn level_48_goes_on_from_a_record_and_its_particles_are_those_of_the_configuration() {
    let record = record();
    let mut warnings = Vec::new();
    let kept = record.level48(CONFIG, &GROUPS.into(), &mut warnings);
    let (epoch, orchestrator) = kept.expect("undamaged").expect("set");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(epoch, Epoch(u64::MAX - 1));
    assert_eq!(orchestrator.waiting_for(), "an operator: frozen");
    let bundle = orchestrator.verified().expect("restored");
    assert_eq!((bundle.observe.cycle(), bundle.cycle), ((1 << 40) + 4_000, 1 << 40));
    let more = ObserveConfig {
        particles: 1_000,
        ..CONFIG
    };
    assert!(record.level48(more, &GROUPS.into(), &mut warnings).is_ok());
}

#[test]
fn the_audit_goes_on_from_a_record_and_a_damaged_one_is_refused() {
    let mut record = Record::default();
    assert!(record.audit().expect("nothing is not damaged").is_none());
    let audit = Audit48::new(9);
    record.set_audit(&audit).expect("encodes");
    let record = Record::decode(&record.encode().expect("encodes")).expect("decodes");
    assert_eq!(record.audit().expect("undamaged"), Some(audit));
    let damaged = Record {
        audit: record.audit.as_ref().map(|bytes| bytes[..bytes.len() / 2].to_vec()),
        ..record
    };
    assert!(damaged.audit().is_err());
}

#[test]
fn level_48_of_another_environment_or_damaged_is_refused_by_name() {
    let mut record = record();
    let other = ObserveConfig {
        dimensions: 7,
        ..CONFIG
    };
    let refused = |record: &Record, config| {
        let kept = record.level48(config, &GROUPS.into(), &mut Vec::new());
        kept.expect_err("refused").to_string()
    };
    assert_eq!(refused(&record, other), "the world model: 8 dimensions; expected 7");
    let bytes = record.level48.as_mut().expect("set");
    bytes.truncate(bytes.len() / 2);
    assert!(record.level48(CONFIG, &GROUPS.into(), &mut Vec::new()).is_err());
}

#[test]
fn a_self_model_that_is_missing_or_cannot_be_used_is_begun_anew_and_the_rest_kept() {
    let groups: Arc<[u16]> = GROUPS.into();
    let fresh = Introspect::new(Arc::clone(&groups)).state();
    let mut warnings = Vec::new();
    assert_eq!(self_model(None, &groups, &mut warnings), fresh);
    assert!(warnings.is_empty(), "a record of before the self-model");
    assert_eq!(self_model(Some(&[1, 2, 3]), &groups, &mut warnings), fresh);
    let (_, bundle) = largest();
    let bytes = codec::encode(&bundle.introspect.summary()).expect("encodes");
    assert_ne!(self_model(Some(&bytes), &groups, &mut warnings), fresh);
    assert_eq!(warnings.len(), 1, "that which does not decode");
    let other: Arc<[u16]> = [0, 0, 1, 1, 2, 2, 2, 3].into();
    assert_eq!(
        self_model(Some(&bytes), &other, &mut warnings),
        Introspect::new(Arc::clone(&other)).state()
    );
    assert_eq!(
        warnings[1],
        "the self-model in the snapshot is begun anew: a group's number of sensors is out of range"
    );
}
