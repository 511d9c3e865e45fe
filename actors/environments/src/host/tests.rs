//! Scripted sensors under a clock of the test's own; only the last tests start a thread.

use super::sampler::Schedule;
use super::*;
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

/// No test waits this long; it only keeps a broken one from hanging.
const DEADLINE: Duration = Duration::from_secs(60);

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What the scripted sensors will say.
struct Script {
    gauge: f64,
    counter: f64,
    fails: bool,
    panics: bool,
    /// Readings of each group so far.
    reads: [usize; 2],
}

struct Scripted {
    plan: SensorPlan,
    script: Arc<Mutex<Script>>,
}

impl SensorSource for Scripted {
    fn plan(&self) -> &SensorPlan {
        &self.plan
    }

    fn read(&mut self, group: u16, readings: &mut [f64]) -> Result<(), SensorError> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.reads[usize::from(group)] += 1;
        assert!(!script.panics, "as scripted");
        if script.fails {
            return Err(SensorError::Unreadable {
                what: "it".to_owned(),
                reason: "as scripted".to_owned(),
            });
        }
        readings[0] = if group == 0 { script.gauge } else { script.counter };
        Ok(())
    }
}

/// Group 0, `level`: a gauge each 100 ms, at most each 25 ms. Group 1, `flow`: a counter each second, no faster.
fn plan() -> SensorPlan {
    let group = |name: &str, period, fastest| SensorGroup {
        name: name.to_owned(),
        period,
        fastest,
    };
    let sensor = |name: &str, group, kind, capacity| Sensor {
        name: name.to_owned(),
        unit: String::new(),
        group,
        kind,
        capacity,
    };
    SensorPlan {
        name: "rig".to_owned(),
        groups: vec![
            group("level", millis(100), millis(25)),
            group("flow", millis(1000), millis(1000)),
        ],
        sensors: vec![
            sensor("flow", 1, SensorKind::Counter, None),
            sensor("level", 0, SensorKind::Gauge, Some(10.0)),
        ],
    }
}

/// Sensors, schedule and clock, without a thread.
struct Rig {
    script: Arc<Mutex<Script>>,
    sampler: Arc<Sampler>,
    schedule: Schedule,
    clock: Cell<Duration>,
}

const FASTER: Command = Command::SampleFaster { group: 0 };
const SLOWER: Command = Command::SampleSlower { group: 0 };

impl Rig {
    fn new() -> Self {
        let script = Arc::new(Mutex::new(Script {
            gauge: 1.0,
            counter: 0.0,
            fails: false,
            panics: false,
            reads: [0; 2],
        }));
        let source = Scripted {
            plan: plan(),
            script: Arc::clone(&script),
        };
        let (sampler, schedule) = Sampler::undriven(Box::new(source)).expect("a valid plan");
        Self {
            script,
            sampler: Arc::new(sampler),
            schedule,
            clock: Cell::new(Duration::ZERO),
        }
    }

    fn agent(&self) -> Host {
        Host::new(Arc::clone(&self.sampler))
    }

    fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets time pass, waking the schedule exactly when it asks to be.
    fn pass(&mut self, time: Duration) {
        let end = self.clock.get() + time;
        loop {
            let next = self.schedule.tick(&|| self.clock.get());
            match next.filter(|next| *next <= end) {
                Some(next) => self.clock.set(next),
                None => break,
            }
        }
        self.clock.set(end);
    }

    /// Readings of group 0 in this time.
    fn reads_in(&mut self, time: Duration) -> usize {
        let before = self.script(|script| script.reads[0]);
        self.pass(time);
        self.script(|script| script.reads[0]) - before
    }

    /// What an agent sees now: `[flow, level]`.
    fn see(&self, agent: &mut Host) -> [Option<f64>; 2] {
        let mut row = [-1.0; 2];
        agent.observe(self.clock.get(), &mut row).expect("readable");
        row.map(|value| (!value.is_nan()).then_some(value))
    }

    /// How many samples of group 0 each agent sees in a second of 5 ms cycles.
    fn seen_in_a_second(&mut self, agents: &mut [&mut Host]) -> Vec<usize> {
        let mut seen = vec![0; agents.len()];
        for _ in 0..200 {
            self.pass(millis(5));
            for (seen, agent) in seen.iter_mut().zip(agents.iter_mut()) {
                *seen += usize::from(self.see(agent)[1].is_some());
            }
        }
        seen
    }
}

#[test]
fn a_sample_is_handed_out_once_and_missing_until_the_next() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    assert_eq!(rig.see(&mut agent), [None, None]);
    rig.pass(millis(50));
    assert_eq!(rig.see(&mut agent), [None, Some(1.0)]);
    assert_eq!(rig.see(&mut agent), [None, None]);
    rig.script(|script| script.gauge = 2.0);
    rig.pass(millis(49));
    assert_eq!(rig.see(&mut agent), [None, None]);
    rig.pass(millis(1));
    assert_eq!(rig.see(&mut agent), [None, Some(2.0)]);
}

#[test]
fn a_slow_agent_sees_the_newest_sample() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    for gauge in [1.0, 2.0, 3.0] {
        rig.script(|script| script.gauge = gauge);
        rig.pass(millis(100));
    }
    assert_eq!(rig.see(&mut agent)[1], Some(3.0));
    assert_eq!(rig.see(&mut agent)[1], None);
}

#[test]
fn each_group_is_read_at_its_own_period() {
    let mut rig = Rig::new();
    let agent = rig.agent();
    rig.pass(millis(9_999));
    assert_eq!(rig.script(|script| script.reads), [100, 10]);
    drop(agent);
}

#[test]
fn nobody_watching_means_nothing_is_read() {
    let mut rig = Rig::new();
    assert_eq!(rig.schedule.tick(&|| Duration::ZERO), None);
    drop(rig.agent());
    rig.pass(millis(10_000));
    assert_eq!(rig.script(|script| script.reads), [0, 0]);
}

#[test]
fn a_command_changes_how_often_the_sensors_are_really_read() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    rig.pass(millis(1));
    assert_eq!(rig.reads_in(millis(1000)), 10);
    agent.act(FASTER).expect("100 to 50 ms");
    // A faster demand counts from the last reading: 50 ms ago at most.
    assert!((20..=21).contains(&rig.reads_in(millis(1000))));
    agent.act(FASTER).expect("50 to 25 ms");
    assert!((40..=41).contains(&rig.reads_in(millis(1000))));
    for _ in 0..3 {
        agent.act(SLOWER).expect("25 to 200 ms");
    }
    rig.pass(millis(1000));
    assert_eq!(rig.reads_in(millis(1000)), 5);
}

#[test]
fn the_fastest_agent_sets_the_pace_and_others_see_what_they_asked_for() {
    let mut rig = Rig::new();
    let (mut fast, mut plain, mut slow) = (rig.agent(), rig.agent(), rig.agent());
    fast.act(FASTER).expect("100 to 50 ms");
    slow.act(SLOWER).expect("100 to 200 ms");
    rig.seen_in_a_second(&mut [&mut fast, &mut plain, &mut slow]);
    let before = rig.script(|script| script.reads[0]);
    assert_eq!(
        rig.seen_in_a_second(&mut [&mut fast, &mut plain, &mut slow]),
        [20, 10, 5]
    );
    assert_eq!(rig.script(|script| script.reads[0]) - before, 20);
    drop(fast);
    rig.seen_in_a_second(&mut [&mut plain, &mut slow]);
    let before = rig.script(|script| script.reads[0]);
    assert_eq!(rig.seen_in_a_second(&mut [&mut plain, &mut slow]), [10, 5]);
    assert_eq!(rig.script(|script| script.reads[0]) - before, 10);
}

#[test]
fn a_command_at_its_limit_or_to_no_group_is_refused() {
    let rig = Rig::new();
    let mut agent = rig.agent();
    let mut refusal = |command| agent.act(command).expect_err("refused").to_string();
    assert_eq!(
        refusal(Command::SampleFaster { group: 1 }),
        "rig does not do that: flow is sampled each 1s, the limit"
    );
    assert_eq!(
        refusal(Command::SampleSlower { group: 2 }),
        "rig does not do that: there is no group 2; expected 0 to 1"
    );
    for _ in 0..2 {
        agent.act(FASTER).expect("100, 50, 25 ms");
    }
    let error = agent.act(FASTER).expect_err("25 ms is the limit").to_string();
    assert_eq!(error, "rig does not do that: level is sampled each 25ms, the limit");
    for _ in 0..6 {
        agent.act(SLOWER).expect("25 ms to 1.6 s");
    }
    let error = agent.act(SLOWER).expect_err("16 periods are the limit").to_string();
    assert_eq!(error, "rig does not do that: level is sampled each 1.6s, the limit");
}

#[test]
fn a_counter_is_seen_as_its_change_each_second() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    let mut after = |rig: &mut Rig, counter, time| {
        rig.script(|script| script.counter = counter);
        rig.pass(time);
        rig.see(&mut agent)[0]
    };
    assert_eq!(
        after(&mut rig, 500.0, millis(999)),
        None,
        "the first reading is no change"
    );
    assert_eq!(after(&mut rig, 800.0, millis(1000)), Some(300.0));
    assert_eq!(after(&mut rig, 800.0, millis(1000)), Some(0.0));
    assert_eq!(after(&mut rig, 20.0, millis(1000)), None, "it was reset");
    assert_eq!(after(&mut rig, 25.0, millis(1000)), Some(5.0));
    assert_eq!(after(&mut rig, f64::NAN, millis(1000)), None);
    assert_eq!(
        after(&mut rig, 40.0, millis(1000)),
        None,
        "what it was before is unknown"
    );
    assert_eq!(after(&mut rig, 41.0, millis(1000)), Some(1.0));
}

#[test]
fn a_rate_is_over_the_time_that_really_passed() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    rig.schedule.tick(&|| Duration::ZERO);
    rig.script(|script| script.counter = 300.0);
    // The sampler was held up for two more seconds.
    rig.clock.set(millis(3000));
    rig.schedule.tick(&|| millis(3000));
    assert_eq!(rig.see(&mut agent)[0], Some(100.0));
}

#[test]
fn a_missed_time_is_not_made_up_for() {
    let mut rig = Rig::new();
    let _agent = rig.agent();
    rig.schedule.tick(&|| Duration::ZERO);
    rig.schedule.tick(&|| millis(950));
    let next = rig.schedule.tick(&|| millis(951));
    assert_eq!((next, rig.script(|script| script.reads[0])), (Some(millis(1000)), 2));
}

#[test]
fn a_source_that_fails_or_panics_is_asked_ever_more_slowly_and_comes_back() {
    for panics in [false, true] {
        let mut rig = Rig::new();
        let mut agent = rig.agent();
        rig.pass(millis(1));
        rig.script(|script| (script.fails, script.panics) = (!panics, panics));
        // After failures at 100, 300, 700, 1500, 3100 and 6300 ms the wait stays at 64 periods.
        let failures = rig.reads_in(millis(6_400));
        assert_eq!(failures, 6);
        assert_eq!(rig.reads_in(millis(12_800)), 2);
        rig.script(|script| (script.fails, script.panics) = (false, false));
        rig.see(&mut agent);
        rig.pass(millis(6_400));
        let before = rig.script(|script| script.reads[0]);
        rig.pass(millis(1000));
        assert_eq!(rig.script(|script| script.reads[0]) - before, 10);
        assert_eq!(rig.see(&mut agent)[1], Some(1.0));
    }
}

#[test]
fn sensors_that_stay_silent_are_reported_until_they_speak() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    rig.pass(millis(1));
    rig.see(&mut agent);
    let mut row = [0.0; 2];
    rig.clock.set(millis(10_000));
    assert_eq!(agent.observe(rig.clock.get(), &mut row), Ok(Observed::Row));
    rig.clock.set(millis(12_500));
    let error = agent
        .observe(rig.clock.get(), &mut row)
        .expect_err("silent")
        .to_string();
    assert_eq!(error, "rig cannot be read: no sensor has given anything for 12 s");
    assert!(row.iter().all(|value| value.is_nan()));
    rig.pass(millis(1));
    assert_eq!(rig.see(&mut agent)[1], Some(1.0));
}

#[test]
fn a_reading_that_is_not_finite_is_missing() {
    let mut rig = Rig::new();
    let mut agent = rig.agent();
    for gauge in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        rig.script(|script| script.gauge = gauge);
        rig.pass(millis(100));
        assert_eq!(rig.see(&mut agent)[1], None);
    }
}

#[test]
fn a_row_of_the_wrong_length_is_refused() {
    let rig = Rig::new();
    let error = rig
        .agent()
        .observe(Duration::ZERO, &mut [0.0])
        .expect_err("too short")
        .to_string();
    assert_eq!(error, "rig: a row of 1 values; expected 2");
}

#[test]
fn a_plan_out_of_range_is_refused_by_field() {
    let refusal = |change: fn(&mut SensorPlan)| {
        let mut plan = plan();
        change(&mut plan);
        plan.validate().expect_err("refused").to_string()
    };
    assert_eq!(plan().validate(), Ok(()));
    assert_eq!(
        refusal(|p| p.sensors.clear()),
        "the sensor plan of rig: sensors is 0; expected 1 to 64"
    );
    assert!(refusal(|p| p.sensors = vec![p.sensors[0].clone(); 65]).contains("sensors is 65"));
    assert!(refusal(|p| p.groups.clear()).contains("groups is 0"));
    assert!(refusal(|p| p.sensors[0].group = 2).contains("group is 2"));
    assert!(refusal(|p| p.groups[0].period = Duration::ZERO).contains("period is 0ns"));
    assert!(refusal(|p| p.groups[0].fastest = millis(101)).contains("fastest is 101ms"));
    for capacity in [0.0, f64::NAN, f64::INFINITY] {
        let mut plan = plan();
        plan.sensors[1].capacity = Some(capacity);
        assert!(
            plan.validate()
                .expect_err("refused")
                .to_string()
                .contains("capacity is Some")
        );
    }
}

proptest! {
    #[test]
    fn whatever_the_sensors_say_agents_see_finite_values_or_nothing(
        readings in prop::collection::vec((any::<f64>(), any::<f64>(), 0_u64..3000), 1..40),
    ) {
        let mut rig = Rig::new();
        let mut agent = rig.agent();
        for (gauge, counter, ms) in readings {
            rig.script(|script| (script.gauge, script.counter) = (gauge, counter));
            rig.pass(millis(ms));
            let [flow, level] = rig.see(&mut agent);
            prop_assert!(flow.is_none_or(|flow| flow.is_finite() && flow >= 0.0));
            prop_assert!(level.is_none_or(f64::is_finite));
        }
    }
}

/// Tells of every reading; the other end sees when the source is gone.
struct Reporting {
    plan: SensorPlan,
    reads: Sender<u16>,
}

impl SensorSource for Reporting {
    fn plan(&self) -> &SensorPlan {
        &self.plan
    }

    fn read(&mut self, group: u16, readings: &mut [f64]) -> Result<(), SensorError> {
        readings.fill(1.0);
        // The test may have seen enough.
        let _ = self.reads.send(group);
        Ok(())
    }
}

#[test]
fn one_thread_serves_all_agents_and_ends_with_the_last() {
    let (opened, sources) = channel();
    let opened = Mutex::new(opened);
    let sensors = HostSensors::from_source(move || {
        let (reads, seen) = channel();
        opened
            .lock()
            .expect("not poisoned")
            .send(seen)
            .expect("the test is there");
        Ok(Box::new(Reporting { plan: plan(), reads }))
    });
    for _ in 0..2 {
        let first = sensors.environment().expect("opened");
        let mut second = sensors.clone().environment().expect("shared");
        let reads = sources.try_recv().expect("one source");
        assert!(sources.try_recv().is_err(), "and only one");
        drop(first);
        let mut row = [f64::NAN; 2];
        while row[1].is_nan() {
            reads.recv_timeout(DEADLINE).expect("the thread reads");
            second.observe(Duration::ZERO, &mut row).expect("readable");
        }
        assert_eq!(row[1], 1.0);
        drop(second);
        let end = loop {
            if let Err(end) = reads.recv_timeout(DEADLINE) {
                break end;
            }
        };
        assert_eq!(
            end,
            RecvTimeoutError::Disconnected,
            "the thread has ended and dropped its source"
        );
    }
}

#[test]
fn a_source_that_cannot_be_opened_or_used_is_refused() {
    let broken = HostSensors::from_source(|| {
        Err(SensorError::Unreadable {
            what: "it".to_owned(),
            reason: "as scripted".to_owned(),
        })
    });
    let error = broken.environment().expect_err("cannot be opened").to_string();
    assert_eq!(error, "host cannot be read: it cannot be read: as scripted");
    let invalid = HostSensors::from_source(|| {
        let mut plan = plan();
        plan.sensors.clear();
        Ok(Box::new(Reporting {
            plan,
            reads: channel().0,
        }))
    });
    let error = invalid.environment().expect_err("no sensors").to_string();
    assert!(error.contains("sensors is 0; expected 1 to 64"), "{error}");
}
