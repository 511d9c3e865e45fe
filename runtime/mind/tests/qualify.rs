//! What a whole agent comes to in the audit of Level 4.8, and that the audit tells a world that it can foresee from one
//! that it cannot.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_mind::qualify::{Report, Verdict};
use rungs_types::{AgentSpec, Level};

/// Groups of the eight dimensions.
const GROUPS: [u16; 8] = [0, 0, 1, 1, 2, 3, 3, 4];

/// An agent in a world of eight autoregressive dimensions, after so many cycles; `upset` is added to each value.
fn after(cycles: u64, upset: impl Fn(u64) -> f64) -> Stack {
    let surroundings = Surroundings {
        groups: (0..5).map(|group| format!("g{group}")).collect(),
        capacities: vec![None; GROUPS.len()],
        group_of: GROUPS.to_vec(),
        adjustable: true,
    };
    let spec = AgentSpec {
        seed: 1,
        highest: Level::L48,
        ..AgentSpec::new("qualified".parse().expect("a name"))
    };
    let mut stack = Stack::new(&spec, &surroundings).expect("valid");
    let (mut rng, mut state) = (Pcg64Mcg::seed_from_u64(5), [0.0_f64; 8]);
    for cycle in 1..=cycles {
        let row: Vec<f64> = state
            .iter_mut()
            .map(|x| {
                let (shock, noise): (f64, f64) = (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng));
                *x = 0.9 * *x + 0.19_f64.sqrt() * shock;
                50.0 + 10.0 * *x + noise + upset(cycle)
            })
            .collect();
        stack.step(&row);
    }
    stack
}

fn report(stack: &Stack) -> Report {
    stack.qualification().expect("the agent has Level 4.8")
}

fn value(report: &Report, id: &str) -> Option<f64> {
    report.reading(id).expect("a criterion").value
}

#[test]
fn a_healthy_agent_forecasts_and_knows_itself_as_it_must() {
    let stack = after(4_000, |_| 0.0);
    let report = report(&stack);
    println!("{report}");
    for id in [
        "EA-1", "EA-2", "EA-3", "SM-5", "SM-6", "SA-10", "SP-11", "SP-12", "SP-13", "SP-14",
    ] {
        let verdict = report.reading(id).expect("a criterion").verdict;
        assert_eq!(verdict, Verdict::Passed, "{id}");
    }
    assert!(value(&report, "EA-1").is_some_and(|inside| (0.78..0.84).contains(&inside)));
}

#[test]
fn a_world_that_jumps_without_warning_is_told_from_one_that_can_be_foreseen() {
    let jumps = |cycle: u64| {
        if cycle > 1_000 && (cycle / 37).is_multiple_of(2) {
            400.0
        } else {
            0.0
        }
    };
    let report = report(&after(4_500, jumps));
    println!("{report}");
    // Persistence is right but for the jumps; a forecast that spreads its doubt over all cycles is worth nothing beside it.
    assert_eq!(
        report.reading("EA-1").map(|reading| reading.verdict),
        Some(Verdict::Failed)
    );
    assert!(value(&report, "SM-6").is_some_and(|recall| recall >= 0.9));
}
