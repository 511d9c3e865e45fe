//! An agent that may not tune itself is stuck with a bad forecaster; L4.5 recomposes its graph, by steps, on evidence and
//! a vote, and takes it back where a limit is broken.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::l3::graph::{Operation, TrialStage};
use rungs_mind::l3::{
    Action, Available, Duty, Floor, Forecaster, IdentityId, Input, Kernel, KernelConfig, Outcomes, Pace, Refusal,
};
use rungs_mind::l45::projection::Posture;
use rungs_mind::l45::recomposition::RolledBack;
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::report::{CycleReport, FloorReport};
use std::sync::Arc;

struct Agent {
    kernel: Kernel,
    level: Level45,
    spent: CycleReport,
    floor: FloorReport,
    rng: Pcg64Mcg,
    cycle: u64,
    /// The task is out: persistence speaks for the group.
    stuck: bool,
    /// Nothing is observed.
    blind: bool,
}

impl Agent {
    /// Two dimensions of white noise in one group.
    fn new(seed: u64) -> Self {
        let groups: Arc<[u16]> = Arc::from([0, 0]);
        let config = KernelConfig {
            identity: IdentityId::of("default/stuck"),
            groups: Arc::clone(&groups),
            seed,
            exploration_rate: 0.0,
        };
        Self {
            kernel: Kernel::new(config).expect("valid"),
            level: Level45::new(Level45Config { groups, seed }).expect("valid"),
            spent: CycleReport::default(),
            floor: FloorReport::default(),
            rng: Pcg64Mcg::seed_from_u64(seed),
            cycle: 0,
            stuck: false,
            blind: false,
        }
    }

    fn turn(&mut self) {
        self.cycle += 1;
        let mut row: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(&mut self.rng));
        if self.blind {
            row = [f64::NAN; 2];
        }
        let input = Input {
            cycle: self.cycle,
            observation: &row,
            outcomes: Outcomes::default(),
            advice: None,
            floor: if self.cycle > 10 {
                Floor::from(&self.floor)
            } else {
                Floor::Silent
            },
            pace: Pace::default(),
            resources: &[],
            available: Available::default(),
        };
        let to = Forecaster::Persistence;
        let task = (!self.stuck).then_some(Action::SwitchForecaster { group: 0, to });
        let duty = Duty {
            task,
            ..Duty::default()
        };
        let mut gate = |action: &Action| match task {
            Some(task) if task == *action => Ok(()),
            _ => Err(Refusal::Policy),
        };
        let step = self.kernel.step_on_duty(&input, duty, &mut gate);
        self.stuck |= matches!(step.action, Action::SwitchForecaster { .. });
        if self.cycle.is_multiple_of(10) {
            self.kernel.swap_report(&mut self.spent);
            self.level.step_into(&self.spent, &mut self.floor);
        }
    }

    fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| self.turn());
    }

    fn stage(&self) -> Option<TrialStage> {
        self.floor.trial.map(|order| order.stage)
    }

    /// Runs until the trial is at the stage; false if it is not within `cycles`.
    fn reaches(&mut self, stage: TrialStage, cycles: u64) -> bool {
        (0..cycles).any(|_| {
            self.turn();
            self.stage() == Some(stage)
        })
    }
}

#[test]
fn a_stuck_agent_recomposes_its_graph_and_forecasts_better() {
    let mut agent = Agent::new(3);
    agent.run(1_000);
    assert!(agent.stuck);
    let before = agent.floor.performance.expect("evidence");
    assert!((before - 0.5).abs() < 1e-3, "persistence against itself: {before}");
    // There is no filter to bypass; two forecasters side by side pay.
    let mut stages = vec![];
    for stage in [
        TrialStage::Fifth,
        TrialStage::Most,
        TrialStage::Whole,
        TrialStage::Commit,
    ] {
        assert!(agent.reaches(stage, 500), "{stage:?}: {:?}", agent.floor.recompositions);
        stages.push(agent.cycle);
    }
    assert!(stages.windows(2).all(|pair| pair[1] - pair[0] == 200), "{stages:?}");
    assert_eq!(
        agent.floor.trial.map(|order| order.operation),
        Some(Operation::Parallelize)
    );
    let ballot = agent.floor.votes.structural.expect("voted");
    assert!(ballot.passed && ballot.yes >= 4, "{ballot:?}");
    agent.run(20);
    let ended = agent.floor.recompositions;
    assert_eq!((ended.committed, agent.floor.trial), (1, None), "{ended:?}");
    agent.run(280);
    let after = agent.floor.performance.expect("evidence");
    assert!((after - 0.71).abs() < 0.05, "{before} → {after}");
    // The frames were right, and no weight leaves its range.
    assert!((agent.floor.votes.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn an_agent_that_goes_blind_takes_its_trial_back_and_the_old_graph_speaks_again() {
    let mut agent = Agent::new(3);
    agent.run(1_000);
    assert!(
        agent.reaches(TrialStage::Most, 1_000),
        "{:?}",
        agent.floor.recompositions
    );
    agent.blind = true;
    agent.run(70);
    assert!(!agent.floor.structural_permitted && agent.floor.projection.frozen);
    assert_eq!(
        agent.floor.posture,
        Posture::Conservative,
        "the conservative frame decides"
    );
    let ended = agent.floor.recompositions;
    assert_eq!(
        (agent.stage(), ended.committed, ended.rolled_back),
        (None, 0, 2),
        "{ended:?}"
    );
    assert_eq!(ended.last.and_then(|(_, cause)| cause), Some(RolledBack::OutOfBounds));
    agent.blind = false;
    agent.run(200);
    let persistence = agent.floor.performance.expect("evidence");
    assert!((persistence - 0.5).abs() < 0.05, "{persistence}");
}

#[test]
fn a_snapshot_in_the_middle_of_a_trial_goes_on_as_if_nothing_had_happened() {
    let mut agent = Agent::new(5);
    agent.run(1_000);
    assert!(
        agent.reaches(TrialStage::Fifth, 1_000),
        "{:?}",
        agent.floor.recompositions
    );
    agent.run(50 - agent.cycle % 10);
    let groups: Arc<[u16]> = Arc::from([0, 0]);
    let kernel = KernelConfig {
        identity: IdentityId::of("default/stuck"),
        groups: Arc::clone(&groups),
        seed: 5,
        exploration_rate: 0.0,
    };
    let mut restored = Agent {
        kernel: Kernel::restore(kernel, agent.kernel.snapshot()).expect("valid"),
        level: Level45::restore(Level45Config { groups, seed: 5 }, agent.level.snapshot()).expect("valid"),
        spent: CycleReport::default(),
        floor: agent.floor.clone(),
        rng: agent.rng.clone(),
        cycle: agent.cycle,
        stuck: true,
        blind: false,
    };
    for _ in 0..100 {
        agent.run(10);
        restored.run(10);
        assert_eq!(agent.floor, restored.floor);
    }
}
