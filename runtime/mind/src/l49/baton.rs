//! The baton of Level 4.9: what passes through its five phases and comes back to the orchestrator verified, or not at all.
//!
//! There is no side channel between phases: a phase reads the legs before its own and adds its own, with its output
//! and a shared copy of its state after the step.

use super::below::{Below, Look};
use super::extremes::Extremes;
use super::goals::{Generate, GenerateState, Generating, GoalsOutput};
use super::output::{
    Constraints, Deal, GoalsPart, Injection, L49Output, PeersPart, ResourcesPart, StabilityPart, Status, ValuesPart,
};
use super::peers::{PeerAct, PeersOutput, Relate, RelateState, Relating};
use super::resources::{ResourcesOutput, Survive, SurviveState, Surviving};
use super::ruling::{InForce, Ruling};
use super::stability::{Action, Assess, AssessState, Assessed, Assessing};
use super::values::{Evolve, EvolveState, Evolving, ValuesOutput};
use crate::budget::{Budget, BudgetExceeded};
use crate::l48::{Leg, Pass};
use rungs_types::{Authority, CheckpointId};
use std::sync::Arc;

/// The leg of phase 5.
#[derive(Debug, Clone)]
pub struct Verdicts {
    /// What leaves the level if the pass comes back.
    pub output: Arc<L49Output>,
    /// What the next pass carries out.
    pub ruling: Arc<Ruling>,
}

/// One pass on its way.
#[derive(Debug, Clone)]
pub struct Baton {
    /// Under what it runs.
    pub pass: Pass,
    /// What the levels below say.
    pub below: Arc<Below>,
    /// The resources since the last pass, oldest first.
    pub looks: Arc<[Look]>,
    /// What is in force.
    pub in_force: InForce,
    /// What phase 5 has said of the last verified pass.
    pub ruling: Option<Arc<Ruling>>,
    /// An operator has cleared what was barred.
    pub clear_vetoes: bool,
    /// The worst that the live state has been since the last verified pass.
    pub extremes: Extremes,
    /// Phase 1.
    pub generate: Option<Leg<GoalsOutput, GenerateState>>,
    /// Phase 2.
    pub evolve: Option<Leg<ValuesOutput, EvolveState>>,
    /// Phase 3.
    pub survive: Option<Leg<ResourcesOutput, SurviveState>>,
    /// Phase 4.
    pub relate: Option<Leg<PeersOutput, RelateState>>,
    /// Phase 5.
    pub assess: Option<Leg<Verdicts, AssessState>>,
}

/// The phases in the order of the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// Phase 1.
    Goals,
    /// Phase 2.
    Values,
    /// Phase 3.
    Resources,
    /// Phase 4.
    Peers,
    /// Phase 5.
    Stability,
}

impl PhaseName {
    /// In the order of the baton.
    pub const ALL: [PhaseName; 5] = [
        PhaseName::Goals,
        PhaseName::Values,
        PhaseName::Resources,
        PhaseName::Peers,
        PhaseName::Stability,
    ];

    /// Its place in [`PhaseName::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The role of the phase's actor in the agent's tree.
    pub fn role(self) -> &'static str {
        match self {
            PhaseName::Goals => "l49/goals",
            PhaseName::Values => "l49/values",
            PhaseName::Resources => "l49/resources",
            PhaseName::Peers => "l49/peers",
            PhaseName::Stability => "l49/stability",
        }
    }
}

/// Why a phase gives a baton back unfinished; the level freezes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhaseError {
    /// The time was over.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The baton has not been where this phase needs it to have been.
    #[error("the baton came to {phase} without having passed {missing}")]
    OutOfOrder {
        /// This phase.
        phase: &'static str,
        /// The phase before.
        missing: &'static str,
    },
    /// A Lookahead was not contained: what it was made from, or the values, are not what they were before it.
    #[error("a lookahead of the pass has changed the live state")]
    Breach,
}

fn passed<O, S>(leg: &Option<Leg<O, S>>, phase: PhaseName, missing: PhaseName) -> Result<&Leg<O, S>, PhaseError> {
    leg.as_ref().ok_or(PhaseError::OutOfOrder {
        phase: phase.role(),
        missing: missing.role(),
    })
}

impl Generate {
    /// Runs phase 1 on the baton.
    pub fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        let input = Generating {
            below: &baton.below,
            looks: &baton.looks,
            in_force: &baton.in_force,
            ruling: baton.ruling.as_deref(),
            pass: baton.pass.number,
        };
        let output = Arc::new(self.step(&input, budget)?);
        baton.generate = Some(Leg {
            output,
            state: self.state(),
        });
        Ok(())
    }
}

impl Evolve {
    /// Runs phase 2 on the baton.
    pub fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        let goals = passed(&baton.generate, PhaseName::Values, PhaseName::Goals)?;
        let input = Evolving {
            below: &baton.below,
            scene: goals.output.scene.as_deref(),
            ruling: baton.ruling.as_deref(),
            pass: baton.pass.number,
        };
        let output = Arc::new(self.step(&input, budget));
        baton.evolve = Some(Leg {
            output,
            state: self.state(),
        });
        Ok(())
    }
}

impl Survive {
    /// Runs phase 3 on the baton.
    pub fn carry(&mut self, baton: &mut Baton) -> Result<(), PhaseError> {
        passed(&baton.evolve, PhaseName::Resources, PhaseName::Values)?;
        let output = Arc::new(self.step(&Surviving {
            looks: &baton.looks,
            in_force: &baton.in_force,
            cycle: baton.pass.cycle,
        }));
        baton.survive = Some(Leg {
            output,
            state: self.state(),
        });
        Ok(())
    }
}

impl Relate {
    /// Runs phase 4 on the baton.
    pub fn carry(&mut self, baton: &mut Baton) -> Result<(), PhaseError> {
        let resources = passed(&baton.survive, PhaseName::Peers, PhaseName::Resources)?;
        let output = Arc::new(self.step(&Relating {
            below: &baton.below,
            survival: &resources.output.survival,
            mode: resources.output.modes.mode(),
            ruling: baton.ruling.as_deref(),
            pass: baton.pass.number,
        }));
        baton.relate = Some(Leg {
            output,
            state: self.state(),
        });
        Ok(())
    }
}

impl Assess {
    /// Runs phase 5 on the baton, and packs what leaves the level.
    pub fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        let phase = PhaseName::Stability;
        let legs = Legs {
            goals: &passed(&baton.generate, phase, PhaseName::Goals)?.output,
            values: &passed(&baton.evolve, phase, PhaseName::Values)?.output,
            resources: &passed(&baton.survive, phase, PhaseName::Resources)?.output,
            peers: &passed(&baton.relate, phase, PhaseName::Peers)?.output,
        };
        let assessed = self.step(
            &Assessing {
                below: &baton.below,
                goals: legs.goals,
                values: legs.values,
                resources: legs.resources,
                peers: legs.peers,
                in_force: &baton.in_force,
                authority: baton.pass.authority,
                pass: baton.pass.number,
                clear_vetoes: baton.clear_vetoes,
            },
            budget,
        )?;
        let scene = legs.goals.scene.as_ref();
        if !legs.values.contained || scene.is_some_and(|scene| !scene.is_contained(&baton.below)) {
            return Err(PhaseError::Breach);
        }
        let ruling = Arc::new(assessed.ruling.clone());
        let output = Arc::new(legs.pack(baton.pass, assessed));
        baton.assess = Some(Leg {
            output: Arc::new(Verdicts { output, ruling }),
            state: self.state(),
        });
        Ok(())
    }
}

/// What phases 1 to 4 found.
struct Legs<'a> {
    goals: &'a GoalsOutput,
    values: &'a ValuesOutput,
    resources: &'a ResourcesOutput,
    peers: &'a PeersOutput,
}

/// Those of `all` that passed.
fn kept<'a, T>(all: &'a [T], passed: &'a [bool]) -> impl Iterator<Item = &'a T> {
    all.iter()
        .zip(passed)
        .filter(|(_, passed)| **passed)
        .map(|(one, _)| one)
}

impl Legs<'_> {
    fn pack(&self, pass: Pass, assessed: Assessed) -> L49Output {
        let (ruling, in_force) = (&assessed.ruling, assessed.in_force);
        let status = match assessed.verdict.action {
            Action::Freeze => Status::Frozen,
            _ if ruling.acts => Status::Active,
            _ if pass.authority >= Authority::Advisory => Status::Advisory,
            _ => Status::Shadow,
        };
        L49Output {
            pass,
            status,
            goals: self.goals_part(pass, ruling),
            values: ValuesPart {
                vector: in_force.values,
                drift: self.values.drift,
                coherence: [in_force.values.coherence(), in_force.values.literal_coherence()],
                pending: self.values.pending.clone(),
                change: self
                    .values
                    .proposal
                    .filter(|_| ruling.values.first() == Some(&true))
                    .map(|p| p.act),
                record: self.values.record,
            },
            resources: ResourcesPart {
                survival: self.resources.survival,
                mode: in_force.modes.mode(),
                adaptations: in_force.modes.adaptations(),
                forecast_error: self.resources.forecast_error,
                surprises: self.resources.surprises,
                cascade_accuracy: self.resources.cascade_accuracy,
            },
            peers: self.peers_part(ruling),
            constraints: Constraints::of(in_force.modes.mode(), ruling.acts),
            in_force,
            stability: StabilityPart {
                verdict: assessed.verdict,
                ratios: assessed.ratios,
                vetoes: assessed.vetoes,
                veto_rate: assessed.veto_rate,
                persistent: assessed.persistent,
            },
        }
    }

    fn goals_part(&self, pass: Pass, ruling: &Ruling) -> GoalsPart {
        let passed: Vec<_> = kept(&self.goals.proposals, &ruling.goals)
            .map(|p| p.entry.clone())
            .collect();
        let injections = passed.iter().filter(|_| ruling.acts).map(|entry| Injection {
            spec: Arc::clone(&entry.spec),
            checkpoint: pass.checkpoint,
        });
        GoalsPart {
            signals: self.goals.signals.clone(),
            inject: injections.collect(),
            passed,
            others: self.goals.others.clone(),
            counters: self.goals.counters,
        }
    }

    fn peers_part(&self, ruling: &Ruling) -> PeersPart {
        let mut part = PeersPart {
            peers: self.peers.peers.clone(),
            lessons: self.peers.lessons.clone(),
            accuracy: self.peers.accuracy,
            calibration_error: self.peers.calibration_error,
            recommended: self.peers.recommended,
            ..PeersPart::default()
        };
        for proposal in kept(&self.peers.proposals, &ruling.peers) {
            match &proposal.act {
                PeerAct::Say(outgoing) => part.messages.push(outgoing.clone()),
                PeerAct::Deal {
                    with,
                    action,
                    recommendation,
                } => part.deals.push(Deal {
                    with: with.clone(),
                    action: *action,
                    recommendation: *recommendation,
                }),
            }
        }
        part
    }
}

/// The states of all phases after one verified pass: what the level goes back to.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// The last L3 cycle that it knows.
    pub cycle: u64,
    /// Phase 1.
    pub generate: Arc<GenerateState>,
    /// Phase 2.
    pub evolve: Arc<EvolveState>,
    /// Phase 3.
    pub survive: Arc<SurviveState>,
    /// Phase 4.
    pub relate: Arc<RelateState>,
    /// Phase 5.
    pub assess: Arc<AssessState>,
}

impl Bundle {
    /// What an agent begins with; `seed` is that of all the level's randomness.
    pub fn first(seed: u64) -> Self {
        Self {
            checkpoint: CheckpointId::default(),
            cycle: 0,
            generate: Generate::new(seed).state(),
            evolve: Evolve::new().state(),
            survive: Survive::new().state(),
            relate: Relate::new().state(),
            assess: Assess::new().state(),
        }
    }

    /// States that were read back can be used only if this holds.
    pub fn is_valid(&self) -> bool {
        self.generate.is_valid()
            && self.evolve.is_valid()
            && self.survive.is_valid()
            && self.relate.is_valid()
            && self.assess.is_valid()
    }
}
