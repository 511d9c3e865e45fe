use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_types::Cause;

/// Cycles by which the healthy agent of these tests is at full authority: 1,000 of low complexity, 200 and 300 more.
const RISEN_BY: u64 = 3_000;

fn spec(seed: u64) -> AgentSpec {
    AgentSpec {
        seed,
        particles: 50,
        // What is said of Level 4.9 is in its own tests.
        highest: Level::L48,
        ..AgentSpec::new("ops-1".parse().expect("a name"))
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        groups: vec!["first".into(), "second".into()],
        group_of: vec![0, 0, 1, 1],
        capacities: vec![None, None, None, Some(100.0)],
        adjustable: true,
    }
}

/// Four quantities that waver around 40 with persistence 0.8, the third seen in every third cycle only.
struct World {
    state: [f64; 4],
    rng: Pcg64Mcg,
}

impl World {
    fn new(seed: u64) -> Self {
        let rng = Pcg64Mcg::seed_from_u64(seed);
        Self { state: [0.0; 4], rng }
    }

    fn row(&mut self, cycle: u64) -> [f64; 4] {
        for x in &mut self.state {
            *x = 0.8 * *x + self.rng.random_range(-1.0..1.0);
        }
        let mut row = self.state.map(|x| 40.0 + 5.0 * x);
        if !cycle.is_multiple_of(3) {
            row[2] = f64::NAN;
        }
        row
    }
}

/// A stack in its world.
struct Life {
    stack: Stack,
    world: World,
    told: Vec<Told>,
}

impl Life {
    fn new(spec: &AgentSpec) -> Self {
        Self {
            stack: Stack::new(spec, &surroundings()).expect("valid"),
            world: World::new(9),
            told: Vec::new(),
        }
    }

    fn step(&mut self) -> Cycle {
        let row = self.world.row(self.stack.cycle() + 1);
        let cycle = self.stack.step(&row);
        if let Some(action @ Action::SampleFaster { .. }) = cycle.action {
            self.stack.sampled(action, false);
        }
        self.told.extend(cycle.told.iter().cloned());
        cycle
    }

    fn until(&mut self, cycle: u64) {
        while self.stack.cycle() < cycle {
            self.step();
        }
    }

    /// L4.8 at full authority by an operator's order.
    fn at_full(spec: &AgentSpec) -> Self {
        let mut life = Self::new(spec);
        life.until(50);
        let (level, to, who) = (Level::L48, Authority::Full, "ada".to_owned());
        life.stack
            .order(&Order::Authority { level, to, who })
            .expect("accepted");
        life.until(65);
        life.told.clear();
        life
    }

    fn authority(&self) -> Authority {
        self.stack.authorities()[Level::L48.index()]
    }

    /// What was told, in few words, with the cycle.
    fn words(&self) -> Vec<(u64, String)> {
        let word = |kind: &EventKind| match kind {
            EventKind::Frozen { level, .. } => format!("frozen {level}"),
            EventKind::Reverted { level, .. } => format!("reverted {level}"),
            EventKind::Withdrawn { level, count, .. } => format!("withdrawn {level} {count}"),
            EventKind::Authority { level, to, reason, .. } => format!("{level} {to} {reason}"),
            EventKind::Restarted { role, generation, .. } => format!("restarted {role} {generation}"),
            EventKind::Suspended { level, .. } => format!("suspended {level}"),
            other => format!("{other:?}"),
        };
        let incident = |told: &&Told| !matches!(told.kind, EventKind::Incident { .. });
        self.told
            .iter()
            .filter(incident)
            .map(|told| (told.cycle, word(&told.kind)))
            .collect()
    }
}

fn said(cycle: u64, words: &[&str]) -> Vec<(u64, String)> {
    words.iter().map(|word| (cycle, (*word).to_owned())).collect()
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes_of_events_and_another_seed_another_mind() {
    let run = |seed| {
        let mut life = Life::new(&spec(seed));
        let (mut worlds, mut floors) = (Vec::new(), Vec::new());
        while life.stack.cycle() < 4_000 {
            if life.stack.cycle() % 1_300 == 1_200 {
                life.stack.plant(PhaseName::Verify, Failure::Panic("planted".into()));
            }
            let cycle = life.step();
            worlds.extend(cycle.world.map(|world| world.eu.to_bits()));
            floors.extend(cycle.floor.map(|floor| floor.seof.to_bits()));
        }
        let bytes = bincode::serde::encode_to_vec(&life.told, bincode::config::standard()).expect("encodes");
        assert!(life.told.len() > 20, "{}", life.told.len());
        assert!(life.told.iter().map(|told| told.seq).eq(1..=life.told.len() as u64));
        (bytes, worlds, floors)
    };
    assert!(run(1) == run(1));
    assert_ne!(run(1).1, run(2).1);
}

#[test]
fn a_healthy_agent_climbs_to_full_and_says_why_at_each_rung() {
    let mut life = Life::new(&spec(3));
    life.until(RISEN_BY);
    assert_eq!(
        life.authority(),
        Authority::Full,
        "waits for {}",
        life.stack.waiting_for()
    );
    let words = life.words();
    let activation: Vec<_> = words
        .iter()
        .map(|(_, word)| word.as_str())
        .filter(|word| word.ends_with("activation"))
        .collect();
    let rungs = [
        "L4.8 advisory activation",
        "L4.8 half activation",
        "L4.8 full activation",
    ];
    assert_eq!(activation[activation.len() - 3..], rungs, "{words:?}");
}

#[test]
fn a_phase_that_panics_freezes_its_level_which_reverts_and_climbs_back_by_recovery() {
    let mut life = Life::at_full(&spec(1));
    life.stack.plant(PhaseName::Observe, Failure::Panic("planted".into()));
    life.until(75);
    assert_eq!((life.authority(), life.stack.freezes()), (Authority::Frozen, 1));
    assert_eq!(
        life.words(),
        said(
            70,
            &["withdrawn L4.8 1", "frozen L4.8", "L4.8 frozen freeze", "reverted L4.8"]
        )
    );
    life.told.clear();
    life.until(400);
    // Five clean checks after the freeze, the phases at the report after that, then 100 and 100 cycles.
    let expected = [
        (120, "L4.8 advisory recovery"),
        (130, "restarted l48/observe 2"),
        (220, "L4.8 half recovery"),
        (320, "L4.8 full recovery"),
    ];
    assert_eq!(life.words(), expected.map(|(cycle, word)| (cycle, word.to_owned())));
}

#[test]
fn advice_of_a_report_counts_ten_cycles_later_and_a_withdrawal_takes_what_lies_there() {
    let mut life = Life::at_full(&spec(1));
    // On the desk at cycle 65: that of the report of cycle 60, which counts from 70 on.
    let laid = life.stack.desk.clone();
    let epoch = life.stack.ladder.epoch(Level::L48);
    let heard = |cycle| laid.clone().read(cycle, epoch).1.map(|advice| advice.from_cycle);
    assert_eq!((heard(69), heard(70)), (None, Some(60)));
    life.until(90);
    let (level, who) = (Level::L48, "ada".to_owned());
    life.stack.order(&Order::Freeze { level, who }).expect("accepted");
    life.step();
    assert_eq!(
        life.words()[0],
        (90, "withdrawn L4.8 2".to_owned()),
        "in force, and the next"
    );
    life.until(500);
    assert_eq!(life.authority(), Authority::Frozen, "until an operator thaws it");
}

#[test]
fn a_phase_that_is_late_freezes_its_level_at_its_deadline_and_the_reports_meanwhile_wait() {
    // 250 ms are 12 cycles at 50 a second: the report of cycle 80 comes while the phase is late.
    let mut life = Life::at_full(&AgentSpec {
        rate_hz: 50.0,
        ..spec(1)
    });
    life.stack.plant(PhaseName::Emit, Failure::Deadline);
    life.until(81);
    assert_eq!(life.authority(), Authority::Full);
    life.until(82);
    assert_eq!(life.authority(), Authority::Frozen);
    let causes = life.told.iter().filter_map(|told| match &told.kind {
        EventKind::Frozen { cause, .. } => Some((told.cycle, cause.to_string())),
        _ => None,
    });
    assert_eq!(
        causes.collect::<Vec<_>>(),
        [(82, "l48/emit missed its deadline of 250 ms".to_owned())]
    );
    life.until(150);
    assert_eq!(
        life.authority(),
        Authority::Advisory,
        "five clean checks, the first of two reports"
    );
}

#[test]
fn the_fourth_freeze_by_one_cause_suspends_until_an_operator_clears_it() {
    let mut life = Life::at_full(&spec(1));
    for freeze in 1..=4 {
        life.stack.plant(PhaseName::Verify, Failure::Panic("planted".into()));
        life.until(life.stack.cycle() + 70);
        assert_eq!(life.stack.freezes(), freeze);
    }
    life.until(900);
    assert_eq!(life.stack.waiting_for(), "an operator: suspended");
    let suspended = life.told.iter().filter(|told| match &told.kind {
        EventKind::Suspended { cause, .. } => matches!(cause, Cause::Panic { .. }),
        _ => false,
    });
    assert_eq!(suspended.count(), 1);
    let (level, who) = (Level::L48, "ada".to_owned());
    life.stack.order(&Order::Clear { level, who }).expect("accepted");
    life.until(960);
    assert_eq!(life.authority(), Authority::Advisory);
}

#[test]
fn every_row_but_the_first_is_scored_once_by_a_forecast_made_before_it_also_in_shadow() {
    let mut life = Life::new(&spec(1));
    let mut scores = Vec::new();
    for _ in 0..127 {
        scores.extend(life.step().world.map_or_else(Vec::new, |world| world.scores.clone()));
    }
    assert_eq!(life.authority(), Authority::Shadow);
    scores.extend(life.stack.tail_scores());
    let of = |dimension: u16| scores.iter().filter(move |score| score.dimension == dimension);
    assert!(of(0).map(|score| score.cycle).eq(2..=127));
    assert!(of(2).map(|score| score.cycle).eq((2..=42).map(|third| 3 * third)));
    let mut world = World::new(9);
    let rows: Vec<_> = (1..=127).map(|cycle| world.row(cycle)).collect();
    for score in of(0) {
        let cycle = score.cycle as usize;
        assert_eq!(
            (score.persistence, score.observed),
            (rows[cycle - 2][0], rows[cycle - 1][0])
        );
        assert!(score.forecast.is_finite());
    }
}

#[test]
fn an_agent_without_level_48_has_no_world_and_one_that_is_parked_does_nothing() {
    let highest = Level::L45;
    let mut life = Life::new(&AgentSpec { highest, ..spec(1) });
    life.until(100);
    assert_eq!(life.authority(), Authority::Frozen);
    assert!(life.stack.tail_scores().is_empty());
    life.stack.ethics = EthicalKernel::with_predicates(Vec::new());
    life.until(110);
    assert!(
        life.stack.has_ended()
            && life
                .told
                .iter()
                .any(|told| matches!(told.kind, EventKind::Parked { .. }))
    );
    assert_eq!(life.step().number, 0);
    assert_eq!(life.stack.cycle(), 110);
}
