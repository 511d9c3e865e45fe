use super::*;
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(5);

fn role(text: &str) -> RolePath {
    RolePath::new(text).expect("a role")
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failed() -> Exit {
    Exit::failed("boom")
}

/// A plan whose children `a`, `b`, … are running in their first generation.
fn running(policy: Policy, restarts: &[Restart]) -> Plan {
    let mut plan = Plan::new(policy, 7);
    for (name, restart) in ["a", "b", "c", "d"].iter().zip(restarts) {
        plan.add(role(name), *restart, DRAIN).expect("room");
        plan.request(&role(name), Request::Start, at(0)).expect("known");
    }
    carry_out(&mut plan, at(0));
    plan
}

/// Carries out all steps that are due, as a supervisor would, and returns them as text.
fn carry_out(plan: &mut Plan, now: Duration) -> Vec<String> {
    let mut log = Vec::new();
    loop {
        let steps = plan.steps(now);
        if steps.is_empty() {
            return log;
        }
        for step in steps {
            plan.done(&step, now);
            log.push(match step {
                Step::Drain(role) => format!("drain {role}"),
                Step::Kill(role) => format!("kill {role}"),
                Step::Abandon(role) => format!("abandon {role}"),
                Step::Start(role, generation) => format!("start {role} {generation}"),
            });
        }
    }
}

/// The child of this name ends; what is decided is applied.
fn exit(plan: &mut Plan, name: &str, exit: &Exit, now: Duration) -> Decision {
    let generation = plan.child(&role(name)).map_or(0, |child| child.generation);
    let decision = plan.on_exit(&role(name), generation, exit, now);
    plan.apply(&decision, now);
    decision
}

fn restart(name: &str, stop: &[&str], after: Duration) -> Decision {
    Decision::Restart {
        role: role(name),
        stop: stop.iter().map(|name| role(name)).collect(),
        after,
    }
}

#[test]
fn the_kind_of_child_and_of_exit_decide_between_restart_and_forget() {
    use Restart::{Permanent, Temporary, Transient};
    let table = [
        (Permanent, Exit::Clean, true),
        (Permanent, Exit::Killed, true),
        (Permanent, failed(), true),
        (Transient, Exit::Clean, false),
        (Transient, Exit::Killed, true),
        (Transient, failed(), true),
        (Temporary, Exit::Clean, false),
        (Temporary, Exit::Killed, false),
        (Temporary, failed(), false),
    ];
    for (kind, how, restarts) in table {
        let mut plan = running(Policy::ONE_FOR_ONE, &[kind, Permanent]);
        let decision = exit(&mut plan, "a", &how, at(1));
        if restarts {
            assert_eq!(decision, restart("a", &[], Duration::ZERO), "{kind:?} {how}");
            assert_eq!(carry_out(&mut plan, at(1)), ["start a 2"]);
        } else {
            assert_eq!(decision, Decision::Forget { role: role("a") }, "{kind:?} {how}");
            assert_eq!(carry_out(&mut plan, at(1)), [""; 0]);
            assert!(plan.child(&role("a")).is_none());
        }
    }
}

#[test]
fn an_exit_of_an_earlier_generation_or_of_a_stranger_is_stale() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
    assert_eq!(plan.on_exit(&role("a"), 0, &failed(), at(1)), Decision::Stale);
    assert_eq!(plan.on_exit(&role("a"), 2, &failed(), at(1)), Decision::Stale);
    assert_eq!(plan.on_exit(&role("x"), 1, &failed(), at(1)), Decision::Stale);
    exit(&mut plan, "a", &failed(), at(1));
    // The same exit told twice: the child is already waiting.
    assert_eq!(plan.on_exit(&role("a"), 1, &failed(), at(1)), Decision::Stale);
    carry_out(&mut plan, at(1));
    assert_eq!(plan.on_exit(&role("a"), 1, &failed(), at(1)), Decision::Stale);
}

#[test]
fn one_for_one_restarts_nobody_else() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent; 3]);
    exit(&mut plan, "b", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["start b 2"]);
}

#[test]
fn rest_for_one_stops_the_later_ones_in_reverse_and_starts_all_in_order() {
    let mut plan = running(Policy::REST_FOR_ONE, &[Restart::Permanent; 4]);
    let decision = exit(&mut plan, "b", &failed(), at(1));
    assert_eq!(decision, restart("b", &["d", "c"], Duration::ZERO));
    // One after another, and b does not start while one of them is still alive.
    assert_eq!(carry_out(&mut plan, at(1)), ["drain d"]);
    assert_eq!(carry_out(&mut plan, at(2)), [""; 0]);
    exit(&mut plan, "d", &Exit::Clean, at(2));
    assert_eq!(carry_out(&mut plan, at(2)), ["drain c"]);
    exit(&mut plan, "c", &Exit::Clean, at(2));
    assert_eq!(carry_out(&mut plan, at(2)), ["start b 2", "start c 2", "start d 2"]);
}

#[test]
fn children_that_stop_together_are_told_at_once() {
    let policy = Policy {
        stop_order: StopOrder::Together,
        ..Policy::REST_FOR_ONE
    };
    let mut plan = running(policy, &[Restart::Permanent; 3]);
    exit(&mut plan, "a", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain c", "drain b"]);
}

#[test]
fn a_temporary_child_stopped_with_the_rest_does_not_come_back() {
    let kinds = [Restart::Permanent, Restart::Temporary, Restart::Transient];
    let mut plan = running(Policy::REST_FOR_ONE, &kinds);
    exit(&mut plan, "a", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain c"]);
    exit(&mut plan, "c", &Exit::Clean, at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain b"]);
    exit(&mut plan, "b", &Exit::Clean, at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["start a 2", "start c 2"]);
    assert!(plan.child(&role("b")).is_none());
}

#[test]
fn a_second_fault_below_during_a_group_restart_restarts_from_there() {
    let mut plan = running(Policy::REST_FOR_ONE, &[Restart::Permanent; 3]);
    exit(&mut plan, "b", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain c"]);
    // a fails while c drains and b waits: nobody is told twice, and all three come back in order.
    assert_eq!(
        exit(&mut plan, "a", &failed(), at(1)),
        restart("a", &[], Duration::ZERO)
    );
    assert_eq!(carry_out(&mut plan, at(1)), [""; 0]);
    // c fails while it drains; that is no fault to count.
    exit(&mut plan, "c", &failed(), at(2));
    assert_eq!(carry_out(&mut plan, at(2)), ["start a 2", "start b 2", "start c 2"]);
    assert_eq!(plan.child(&role("c")).map(|child| child.restarts), Some(0));
}

#[test]
fn a_child_above_waits_for_the_back_off_of_the_one_below() {
    let mut plan = running(Policy::REST_FOR_ONE, &[Restart::Permanent; 2]);
    exit(&mut plan, "a", &failed(), at(1));
    carry_out(&mut plan, at(1));
    exit(&mut plan, "b", &Exit::Clean, at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["start a 2", "start b 2"]);
    // The second restart of a has a pause; b, although ready, waits for a.
    let Decision::Restart { after, .. } = exit(&mut plan, "a", &failed(), at(2)) else {
        panic!("a is restarted");
    };
    assert!(after > Duration::ZERO);
    assert_eq!(carry_out(&mut plan, at(2)), ["drain b"]);
    exit(&mut plan, "b", &Exit::Clean, at(2));
    assert_eq!(carry_out(&mut plan, at(2)), [""; 0]);
    assert_eq!(plan.next_wake(at(2)), Some(at(2) + after));
    assert_eq!(carry_out(&mut plan, at(2) + after), ["start a 3", "start b 3"]);
}

#[test]
fn one_restart_too_many_in_the_window_escalates() {
    let policy = Policy {
        max_restarts: 3,
        window_ms: 10_000,
        ..Policy::ONE_FOR_ONE
    };
    let mut plan = running(policy, &[Restart::Permanent; 2]);
    // Faults of different children count together.
    for (seconds, name) in [(1, "a"), (2, "b"), (3, "a")] {
        assert!(matches!(
            exit(&mut plan, name, &failed(), at(seconds)),
            Decision::Restart { .. }
        ));
        carry_out(&mut plan, at(seconds) + S);
    }
    let one_too_many = Decision::Escalate {
        role: role("b"),
        restarts: 3,
    };
    assert_eq!(plan.on_exit(&role("b"), 2, &failed(), at(10)), one_too_many);
    // The restart at 1 s leaves the window exactly 10 s later.
    assert_eq!(
        plan.on_exit(&role("b"), 2, &failed(), at(11) - Duration::from_nanos(1)),
        one_too_many
    );
    assert!(matches!(
        plan.on_exit(&role("b"), 2, &failed(), at(11)),
        Decision::Restart { .. }
    ));
}

#[test]
fn no_restart_allowed_escalates_at_once() {
    let policy = Policy {
        max_restarts: 0,
        ..Policy::ONE_FOR_ONE
    };
    let mut plan = running(policy, &[Restart::Permanent]);
    let decision = exit(&mut plan, "a", &failed(), at(1));
    assert!(matches!(decision, Decision::Escalate { restarts: 0, .. }));
}

#[test]
fn a_parked_child_rests_counts_alone_and_starts_anew_by_hand() {
    let policy = Policy {
        max_restarts: 2,
        ..Policy::HOST
    };
    let mut plan = running(policy, &[Restart::Permanent; 2]);
    for seconds in 1..=2 {
        exit(&mut plan, "a", &failed(), at(seconds));
        carry_out(&mut plan, at(seconds) + S);
    }
    let parked = Decision::Park {
        role: role("a"),
        stop: Vec::new(),
    };
    assert_eq!(exit(&mut plan, "a", &failed(), at(4)), parked);
    assert_eq!(carry_out(&mut plan, at(1000)), [""; 0]);
    assert_eq!(plan.next_wake(at(1000)), None);
    // b is not touched by a's count.
    assert_eq!(
        exit(&mut plan, "b", &failed(), at(4)),
        restart("b", &[], Duration::ZERO)
    );
    assert_eq!(carry_out(&mut plan, at(4)), ["start b 2"]);
    plan.request(&role("a"), Request::Start, at(5)).expect("known");
    assert_eq!(carry_out(&mut plan, at(5)), ["start a 4"]);
    assert_eq!(
        exit(&mut plan, "a", &failed(), at(5)),
        restart("a", &[], Duration::ZERO)
    );
}

#[test]
fn those_above_a_parked_child_stop_and_wait_for_it() {
    let policy = Policy {
        max_restarts: 0,
        exhausted: Exhausted::Park,
        ..Policy::REST_FOR_ONE
    };
    let mut plan = running(policy, &[Restart::Permanent; 3]);
    exit(&mut plan, "b", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain c"]);
    exit(&mut plan, "c", &Exit::Clean, at(1));
    assert_eq!(carry_out(&mut plan, at(100)), [""; 0]);
    plan.request(&role("b"), Request::Start, at(100)).expect("known");
    assert_eq!(carry_out(&mut plan, at(100)), ["start b 2", "start c 2"]);
}

#[test]
fn a_child_that_does_not_drain_is_killed_and_then_abandoned() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
    plan.request(&role("a"), Request::Stop, at(10)).expect("known");
    assert_eq!(carry_out(&mut plan, at(10)), ["drain a"]);
    assert_eq!(plan.next_wake(at(10)), Some(at(15)));
    assert_eq!(carry_out(&mut plan, at(14)), [""; 0]);
    assert_eq!(carry_out(&mut plan, at(15)), ["kill a"]);
    assert_eq!(plan.next_wake(at(15)), Some(at(15) + KILL_GRACE));
    assert_eq!(carry_out(&mut plan, at(16)), ["abandon a"]);
    assert_eq!(plan.child(&role("a")).map(|child| child.state), Some(ChildState::Idle));
    assert_eq!(plan.next_wake(at(16)), None);
    // Should it end after all, nothing happens.
    assert_eq!(exit(&mut plan, "a", &Exit::Killed, at(20)), Decision::Stale);
}

#[test]
fn an_abandoned_child_of_a_group_comes_back_as_a_new_generation() {
    let mut plan = running(Policy::REST_FOR_ONE, &[Restart::Permanent; 2]);
    exit(&mut plan, "a", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain b"]);
    assert_eq!(carry_out(&mut plan, at(6)), ["kill b"]);
    assert_eq!(carry_out(&mut plan, at(7)), ["abandon b", "start a 2", "start b 2"]);
    assert_eq!(plan.on_exit(&role("b"), 1, &Exit::Killed, at(8)), Decision::Stale);
}

#[test]
fn a_request_while_stopping_decides_what_comes_after() {
    let stopping = |request| {
        let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
        plan.request(&role("a"), Request::Stop, at(1)).expect("known");
        carry_out(&mut plan, at(1));
        plan.request(&role("a"), request, at(2)).expect("known");
        exit(&mut plan, "a", &Exit::Clean, at(3));
        plan
    };
    let mut again = stopping(Request::Start);
    assert_eq!(carry_out(&mut again, at(3)), ["start a 2"]);
    assert!(stopping(Request::Remove).children().is_empty());
    assert_eq!(stopping(Request::Stop).children()[0].state, ChildState::Idle);
}

#[test]
fn a_request_for_what_is_already_so_changes_nothing() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
    plan.request(&role("a"), Request::Start, at(1)).expect("known");
    assert_eq!(carry_out(&mut plan, at(1)), [""; 0]);
    assert_eq!(plan.child(&role("a")).map(|child| child.generation), Some(1));
    exit(&mut plan, "a", &failed(), at(1));
    plan.request(&role("a"), Request::Stop, at(1)).expect("known");
    assert_eq!(carry_out(&mut plan, at(100)), [""; 0]);
    plan.request(&role("a"), Request::Remove, at(1)).expect("known");
    assert!(plan.children().is_empty());
}

#[test]
fn a_wrong_request_is_refused() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
    let a = || role("a");
    assert_eq!(
        plan.add(a(), Restart::Permanent, S),
        Err(PlanError::Duplicate { role: a() })
    );
    let unknown = PlanError::Unknown { role: role("x") };
    assert_eq!(plan.request(&role("x"), Request::Start, at(1)), Err(unknown));
    for number in 1..MAX_CHILDREN {
        plan.add(role(&format!("n{number}")), Restart::Permanent, S)
            .expect("room");
    }
    assert_eq!(plan.add(role("full"), Restart::Permanent, S), Err(PlanError::Full));
    plan.close();
    assert_eq!(plan.request(&a(), Request::Start, at(1)), Err(PlanError::Closing));
    assert_eq!(plan.add(role("late"), Restart::Permanent, S), Err(PlanError::Closing));
}

#[test]
fn a_closing_table_drains_in_reverse_and_starts_nothing() {
    let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent; 3]);
    exit(&mut plan, "b", &failed(), at(1));
    plan.close();
    assert_eq!(carry_out(&mut plan, at(1)), ["drain c"]);
    exit(&mut plan, "c", &Exit::Clean, at(1));
    assert_eq!(carry_out(&mut plan, at(1)), ["drain a"]);
    exit(&mut plan, "a", &failed(), at(1));
    assert_eq!(carry_out(&mut plan, at(100)), [""; 0]);
    assert_eq!(plan.next_wake(at(100)), None);
}

#[test]
fn equal_supervisors_pause_differently_and_the_same_one_always_the_same() {
    let pauses = |seed| {
        let mut plan = running(Policy::ONE_FOR_ONE, &[Restart::Permanent]);
        plan.seed = seed;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let Decision::Restart { after, .. } = exit(&mut plan, "a", &failed(), at(1)) else {
                panic!("restarts");
            };
            pauses.push(after);
            carry_out(&mut plan, at(20));
        }
        pauses
    };
    assert_eq!(pauses(1), pauses(1));
    assert_ne!(pauses(1), pauses(2));
    for (pause, full_ms) in pauses(3).iter().zip([0, 50, 100, 200]) {
        let full = Duration::from_millis(full_ms);
        assert!((full / 2..=full).contains(pause), "{pause:?} of {full:?}");
    }
}

#[derive(Debug, Clone)]
enum Input {
    Exit(usize, u8),
    Request(usize, u8),
    Pass(u64),
    Close,
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        5 => (0..4_usize, 0..3_u8).prop_map(|(child, how)| Input::Exit(child, how)),
        3 => (0..4_usize, 0..3_u8).prop_map(|(child, request)| Input::Request(child, request)),
        4 => (0..7_000_u64).prop_map(Input::Pass),
        1 => Just(Input::Close),
    ];
    proptest::collection::vec(input, 1..60)
}

use proptest::strategy::Strategy;

proptest! {
    /// Whatever happens: nobody is started twice, under rest-for-one nobody starts on top of one that does not run, and
    /// left alone the table comes to rest.
    #[test]
    fn the_table_keeps_its_invariants(inputs in inputs(), rest_for_one: bool, together: bool, park: bool, kinds: [u8; 4]) {
        let policy = Policy {
            strategy: if rest_for_one { super::Strategy::RestForOne } else { super::Strategy::OneForOne },
            stop_order: if together { StopOrder::Together } else { StopOrder::Reverse },
            exhausted: if park { Exhausted::Park } else { Exhausted::Escalate },
            ..Policy::ONE_FOR_ONE
        };
        let kinds = kinds.map(|kind| [Restart::Permanent, Restart::Transient, Restart::Temporary][usize::from(kind % 3)]);
        let mut plan = running(policy, &kinds);
        let mut alive: std::collections::BTreeSet<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        let mut now = at(0);
        for input in inputs {
            match input {
                Input::Exit(child, how) => {
                    let name = ["a", "b", "c", "d"][child];
                    if alive.remove(name) {
                        let how = [Exit::Clean, Exit::Killed, failed()][usize::from(how)].clone();
                        if matches!(exit(&mut plan, name, &how, now), Decision::Escalate { .. }) {
                            return Ok(());
                        }
                    }
                }
                Input::Request(child, request) => {
                    let request = [Request::Start, Request::Stop, Request::Remove][usize::from(request)];
                    let _known_or_not = plan.request(&role(["a", "b", "c", "d"][child]), request, now);
                }
                Input::Pass(ms) => now += Duration::from_millis(ms),
                Input::Close => plan.close(),
            }
            check_steps(&mut plan, now, &mut alive, rest_for_one)?;
        }
        for _ in 0..100 {
            let Some(wake) = plan.next_wake(now) else { break };
            now = now.max(wake);
            check_steps(&mut plan, now, &mut alive, rest_for_one)?;
        }
        prop_assert_eq!(plan.next_wake(now), None);
        let stops = |child: &Child| matches!(child.state, ChildState::Stopping { .. });
        prop_assert!(!plan.children().iter().any(stops));
    }
}

fn check_steps(
    plan: &mut Plan,
    now: Duration,
    alive: &mut std::collections::BTreeSet<String>,
    rest_for_one: bool,
) -> Result<(), TestCaseError> {
    for _ in 0..100 {
        let steps = plan.steps(now);
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            match &step {
                Step::Start(started, _) => {
                    prop_assert!(alive.insert(started.to_string()), "{} started twice", started);
                    let position = plan.children().iter().position(|child| child.role == *started);
                    let below = &plan.children()[..position.expect("known")];
                    let firm = |child: &Child| matches!(child.state, ChildState::Running | ChildState::Idle);
                    prop_assert!(!rest_for_one || below.iter().all(firm), "{} stands on nothing", started);
                }
                Step::Abandon(gone) => drop(alive.remove(gone.as_str())),
                Step::Drain(_) | Step::Kill(_) => {}
            }
            plan.done(&step, now);
        }
    }
    Err(TestCaseError::fail("the steps do not end"))
}
