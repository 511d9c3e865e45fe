mod responses;

use super::*;
use crate::budget::Unlimited;
use crate::l48::fixtures::{CONFIG, healthy_floor, report};
use crate::l48::{Emit, Introspect, Observe, ObserveOutput, Plan, Verify};
use crate::ladder::{At, Ladder};
use rungs_types::Invariant;

/// The level with its phases and the ladder above it, as a supervisor would wire them.
struct Level48 {
    orchestrator: Orchestrator,
    observe: Observe,
    introspect: Introspect,
    plan: Plan,
    verify: Verify,
    emit: Emit,
    ladder: Ladder,
    log: Vec<(u64, EventKind)>,
    advice: Vec<Arc<crate::report::Advice>>,
}

impl Level48 {
    fn new() -> Self {
        let (observe, verify, emit) = (Observe::new(CONFIG).expect("valid"), Verify::new(), Emit::new());
        let introspect = Introspect::new([0; CONFIG.dimensions].into());
        let plan = Plan::new(CONFIG.seed);
        let first = Bundle {
            checkpoint: CheckpointId(0),
            cycle: 0,
            observe: observe.state(),
            introspect: introspect.state(),
            plan: plan.state(),
            verify: verify.state(),
            emit: emit.state(),
        };
        Self {
            orchestrator: Orchestrator::new(first),
            observe,
            introspect,
            plan,
            verify,
            emit,
            ladder: Ladder::new(Level::L48),
            log: Vec::new(),
            advice: Vec::new(),
        }
    }

    fn do_all(&mut self, actions: Vec<Action>, cycle: u64) {
        for action in actions {
            if let Some(bundle) = self.orchestrator.obey(&action, cycle) {
                self.observe.revert(Arc::clone(&bundle.observe));
                self.introspect.revert(Arc::clone(&bundle.introspect));
                self.plan.revert(Arc::clone(&bundle.plan));
                self.verify.revert(Arc::clone(&bundle.verify));
                self.emit.revert(Arc::clone(&bundle.emit));
            }
            match action {
                Action::Emit(event) => self.log.push((cycle, event)),
                Action::Advise(advice) => self.advice.push(advice),
                _ => {}
            }
        }
    }

    fn carry(&mut self, baton: &mut Baton) {
        self.carry_through(baton, &|_| {});
    }

    /// With `change` made to what phase 1 found.
    fn carry_through(&mut self, baton: &mut Baton, change: &dyn Fn(&mut ObserveOutput)) {
        self.observe.carry(baton, &Unlimited).expect("a good report");
        if let Some(leg) = &mut baton.observe {
            change(Arc::make_mut(&mut leg.output));
        }
        self.introspect.carry(baton).expect("in order");
        self.plan.carry(baton, &Unlimited).expect("in order");
        self.verify.carry(baton).expect("in order");
        self.emit.carry(baton).expect("in order");
    }

    /// One report at `floor.cycle` with calm observations.
    fn turn(&mut self, floor: FloorReport) {
        self.turn_in(floor, &|_| {});
    }

    fn turn_in(&mut self, floor: FloorReport, change: &dyn Fn(&mut ObserveOutput)) {
        let cycle = floor.cycle;
        let values = report(cycle, 2, |cycle, dim| (cycle as f64 / 7.0).sin() + dim as f64);
        let requests = match self.orchestrator.on_report(Arc::new(values), Arc::new(floor)) {
            Turn::Begin(mut baton) => {
                self.carry_through(&mut baton, change);
                self.orchestrator.on_baton(&baton)
            }
            Turn::Idle(requests) => requests,
            Turn::Busy => panic!("no pass is under way"),
        };
        for request in requests {
            let at = At { cycle, now_ms: 0 };
            let actions = self.ladder.on_request(Level::L48, request, at);
            self.do_all(actions, cycle);
        }
        assert_eq!(self.orchestrator.epoch, self.ladder.epoch(Level::L48));
        assert_eq!(self.orchestrator.authority, self.ladder.authority(Level::L48));
    }

    fn fault(&mut self, fault: &Fault, cycle: u64) {
        let actions = self.ladder.on_fault(fault, At { cycle, now_ms: 0 });
        self.do_all(actions, cycle);
    }

    /// Changes of authority in the log.
    fn authorities(&self) -> Vec<(u64, Authority)> {
        let change = |(cycle, event): &(u64, EventKind)| match event {
            EventKind::Authority { to, .. } => Some((*cycle, *to)),
            _ => None,
        };
        self.log.iter().filter_map(change).collect()
    }
}

fn bytes(observe: &Observe) -> Vec<u8> {
    bincode::serde::encode_to_vec(&*observe.state(), bincode::config::standard()).expect("encodes")
}

fn role(text: &str) -> RolePath {
    RolePath::new(text).expect("valid")
}

fn panic_of_verify() -> Fault {
    Fault::Panic {
        level: Level::L48,
        role: role("l48/verify"),
        message: "x".into(),
    }
}

/// Turns at each tenth cycle of the range, on a healthy floor.
fn healthy(level: &mut Level48, cycles: std::ops::RangeInclusive<u64>) {
    cycles.step_by(10).for_each(|cycle| level.turn(healthy_floor(cycle)));
}

#[test]
fn from_shadow_to_full_a_freeze_and_back_on_the_documented_cycles() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=600);
    // The criteria hold at the first check: 10, 10 + 200, 10 + 500.
    let expected = [
        (10, Authority::Advisory),
        (210, Authority::Half),
        (510, Authority::Full),
    ];
    assert_eq!(level.authorities(), expected);
    assert_eq!(level.ladder.checkpoint(Level::L48), CheckpointId(60));

    let mut floor = healthy_floor(610);
    (floor.rho, floor.iis, floor.contained) = (1.1, Some(0.8), true);
    floor.lyapunov = vec![f64::NAN; 10];
    level.log.clear();
    level.turn(floor);
    assert_eq!(level.authorities(), [(610, Authority::Frozen)]);
    assert!(
        matches!(
            level.log[0].1,
            EventKind::Frozen {
                checkpoint: CheckpointId(60),
                ..
            }
        ),
        "{:?}",
        level.log
    );
    let told = |event: &EventKind| matches!(event, EventKind::Verdict { response, .. } if response == "freeze");
    assert!(level.log.iter().any(|(_, event)| told(event)), "the veto is told too");

    level.log.clear();
    healthy(&mut level, 620..=900);
    let expected = [
        (660, Authority::Advisory),
        (760, Authority::Half),
        (860, Authority::Full),
    ];
    assert_eq!(level.authorities(), expected);
}

#[test]
fn a_freeze_in_the_middle_of_a_pass_gives_each_phase_its_verified_state_back_byte_for_byte() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=300);
    let before = (bytes(&level.observe), level.verify.state(), level.emit.state());
    let (self_model, planned) = (level.introspect.state(), level.plan.state());
    let values = Arc::new(report(310, 2, |cycle, _| cycle as f64));
    let Turn::Begin(mut baton) = level.orchestrator.on_report(values, Arc::new(healthy_floor(310))) else {
        panic!("nothing is under way");
    };
    level.observe.carry(&mut baton, &Unlimited).expect("a good report");
    level.introspect.carry(&mut baton).expect("in order");
    assert_ne!(bytes(&level.observe), before.0);
    level.plan.carry(&mut baton, &Unlimited).expect("in order");
    assert_ne!(level.introspect.state(), self_model);
    assert_ne!(level.plan.state(), planned);
    level.fault(&panic_of_verify(), 311);
    assert_eq!(bytes(&level.observe), before.0);
    assert_eq!((level.verify.state(), level.emit.state()), (before.1, before.2));
    assert_eq!((level.introspect.state(), level.plan.state()), (self_model, planned));

    // The baton that was under way comes back late: nothing of it counts.
    level.verify.carry(&mut baton).expect("in order");
    level.emit.carry(&mut baton).expect("in order");
    assert_eq!(level.orchestrator.on_baton(&baton), vec![]);
    assert_eq!(
        level.orchestrator.verified().expect("kept").checkpoint,
        CheckpointId(30)
    );
}

#[test]
fn while_a_pass_is_under_way_the_next_report_waits() {
    let mut level = Level48::new();
    let values = Arc::new(report(10, 2, |_, _| 1.0));
    let floor = Arc::new(healthy_floor(10));
    let first = level.orchestrator.on_report(Arc::clone(&values), Arc::clone(&floor));
    assert!(matches!(first, Turn::Begin(_)));
    assert!(matches!(level.orchestrator.on_report(values, floor), Turn::Busy));
}

#[test]
fn a_baton_that_skipped_a_phase_is_a_fault_of_that_phase() {
    let mut level = Level48::new();
    let values = Arc::new(report(10, 2, |_, _| 1.0));
    let Turn::Begin(mut baton) = level.orchestrator.on_report(values, Arc::new(healthy_floor(10))) else {
        panic!("nothing is under way");
    };
    let skipped = level.verify.carry(&mut baton).expect_err("observe was left out");
    assert_eq!(
        skipped.to_string(),
        "the baton came to verify without having passed observe"
    );
    let skipped = level.introspect.carry(&mut baton).expect_err("observe was left out");
    assert_eq!(
        skipped.to_string(),
        "the baton came to introspect without having passed observe"
    );
    level.observe.carry(&mut baton, &Unlimited).expect("a good report");
    let skipped = level.verify.carry(&mut baton).expect_err("plan was left out");
    assert_eq!(
        skipped.to_string(),
        "the baton came to verify without having passed plan"
    );
    level.introspect.carry(&mut baton).expect("in order");
    let skipped = level.emit.carry(&mut baton).expect_err("plan was left out");
    assert_eq!(skipped.to_string(), "the baton came to emit without having passed plan");
    let requests = level.orchestrator.on_baton(&baton);
    let [Request::Fault(Fault::Panic { role, .. })] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(role.as_str(), "l48/plan");
}

#[test]
fn a_decision_state_that_a_lookahead_changed_is_a_breach_of_the_sandbox_and_freezes() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=300);
    let values = Arc::new(report(310, 2, |cycle, _| cycle as f64));
    let Turn::Begin(mut baton) = level.orchestrator.on_report(values, Arc::new(healthy_floor(310))) else {
        panic!("nothing is under way");
    };
    level.observe.carry(&mut baton, &Unlimited).expect("a good report");
    level.introspect.carry(&mut baton).expect("in order");
    level.plan.carry(&mut baton, &Unlimited).expect("in order");
    let planned = baton.plan.as_mut().expect("planned");
    assert!(planned.output.contained);
    Arc::make_mut(&mut planned.output).contained = false;
    level.verify.carry(&mut baton).expect("in order");
    let verdict = &baton.verify.as_ref().expect("verified").output;
    assert_eq!(verdict.violations.len(), 1);
    assert_eq!(verdict.violations[0].invariant, Invariant::Sandbox);
    assert_eq!(verdict.response, Response::Freeze, "a magnitude of 3");
}

#[test]
fn a_demotion_is_requested_before_anything_else_of_its_pass() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=510);
    let mut floor = healthy_floor(520);
    (floor.rho, floor.iis) = (0.985, Some(0.84));
    let values = Arc::new(report(520, 2, |_, _| 1.0));
    let Turn::Begin(mut baton) = level.orchestrator.on_report(values, Arc::new(floor)) else {
        panic!("nothing is under way");
    };
    level.carry(&mut baton);
    let requests = level.orchestrator.on_baton(&baton);
    let to = Authority::Advisory;
    assert_eq!(
        requests[0],
        Request::Authority {
            to,
            reason: "rebalance".into()
        }
    );
    assert!(matches!(
        requests.last(),
        Some(Request::Tell(EventKind::Verdict { .. }))
    ));
}

#[test]
fn a_frozen_level_that_stays_unclean_is_suspended_at_t0_plus_100_and_an_operator_clears_it() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=510);
    level.fault(&panic_of_verify(), 515);
    for cycle in (520..=700).step_by(10) {
        let mut floor = healthy_floor(cycle);
        floor.iis = Some(0.8);
        level.turn(floor);
    }
    let suspended = level
        .log
        .iter()
        .find(|(_, event)| matches!(event, EventKind::Suspended { .. }));
    let (cycle, EventKind::Suspended { cause, .. }) = suspended.expect("suspended") else {
        unreachable!()
    };
    assert_eq!(
        (*cycle, cause.clone()),
        (620, panic_of_verify().cause()),
        "the first check from 615 on"
    );
    assert_eq!(level.orchestrator.waiting_for(), "an operator: suspended");

    let who = "ann".to_owned();
    let clear = crate::ladder::Order::Clear { level: Level::L48, who };
    let actions = level.ladder.on_order(&clear).expect("suspended");
    level.do_all(actions, 700);
    level.log.clear();
    healthy(&mut level, 710..=1_000);
    let expected = [
        (750, Authority::Advisory),
        (850, Authority::Half),
        (950, Authority::Full),
    ];
    assert_eq!(level.authorities(), expected);
}

#[test]
fn advice_is_given_from_advisory_on_with_the_authority_of_its_pass() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=220);
    let given: Vec<_> = level
        .advice
        .iter()
        .map(|advice| (advice.from_cycle, advice.authority))
        .collect();
    assert_eq!(given[0], (20, Authority::Advisory), "the pass at 10 ran in Shadow");
    assert_eq!(given.last(), Some(&(220, Authority::Half)));
}

#[test]
fn its_serde_form_goes_on_where_it_was() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=300);
    let bytes = bincode::serde::encode_to_vec(&level.orchestrator, bincode::config::standard()).expect("encodes");
    assert!(bytes.len() < 512, "{} bytes", bytes.len());
    let (read, _): (Orchestrator, _) =
        bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("decodes");
    let bundle = Bundle::clone(&level.orchestrator.verified().expect("kept"));
    assert_eq!(read.with_bundle(bundle), level.orchestrator);
}

#[test]
fn after_a_restart_nobody_holds_the_level_to_a_mode_of_the_resources_that_is_not_said_again() {
    use crate::l49::Constraints;
    use crate::l49::resources::SurvivalState;
    let mut level = Level48::new();
    healthy(&mut level, 10..=600);
    let critical = Constraints::of(SurvivalState::Critical, true);
    level.do_all(vec![Action::Constrain(critical)], 600);
    healthy(&mut level, 610..=620);
    assert_eq!(level.ladder.authority(Level::L48), Authority::Advisory);
    assert_eq!(level.orchestrator.waiting_for(), "resources: at most advisory");
    // What is stored and read back knows no more than the ladder's word.
    level.orchestrator.align(&level.ladder, 620);
    healthy(&mut level, 630..=640);
    assert_eq!(level.ladder.authority(Level::L48), Authority::Full);
    assert_eq!(level.orchestrator.waiting_for(), "");
}

#[test]
fn a_critical_guard_puts_the_reenablement_off_until_its_stage_is_left() {
    let mut level = Level48::new();
    healthy(&mut level, 10..=600);
    let metric = "fragmentation of identity 0.6".to_owned();
    level.fault(&Fault::GuardCritical { metric }, 600);
    level.log.clear();
    // One step down after a hundred clean cycles at each, three steps in all.
    for cycle in (610..=900).step_by(10) {
        level.turn(FloorReport {
            guard_stage: GUARD_CRITICAL,
            ..healthy_floor(cycle)
        });
    }
    assert_eq!(level.authorities(), []);
    assert!(!level.ladder.is_suspended(Level::L48));
    healthy(&mut level, 910..=1_200);
    let expected = [
        (950, Authority::Advisory),
        (1_050, Authority::Half),
        (1_150, Authority::Full),
    ];
    assert_eq!(level.authorities(), expected);
}
