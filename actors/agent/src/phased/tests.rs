//! Revert, byte by byte: the level's actors under a root that only listens, with the reports of a real kernel and floor.

use super::*;
use crate::governor::Governor;
use crate::level48::{Level48, Level48Message};
use crate::log::EventLog;
use crate::ports::LocalPeers;
use crate::runtime::AgentRuntime;
use crate::shared::Shared;
use rungs_host::clock::Clock;
use rungs_host::codec;
use rungs_host::compute::ComputePool;
use rungs_host::faults::{self, Faults};
use rungs_host::{Endpoints, EventHub, Timers};
use rungs_mind::budget::Unlimited;
use rungs_mind::l3::{self, Available, Floor, IdentityId, Input, KernelConfig, Outcomes};
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::l48::observe::ObserveConfig;
use rungs_mind::l48::{Bundle, Emit, Introspect, Observe, Orchestrator, Plan, Turn, Verify};
use rungs_mind::ladder::Ladder;
use rungs_mind::report::{CycleReport, FloorReport};
use rungs_store::{MemorySnapshots, MemoryTaskLogs, Snapshots, TaskLogs};
use rungs_types::{AgentSpec, Authority, CheckpointId, Level, NodeName};

const DIMENSIONS: usize = 2;

/// Supervises and does nothing about it.
struct Listener;

impl Actor for Listener {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A kernel and a floor in a world of two sines.
struct Below {
    kernel: l3::Kernel,
    floor: Level45,
    cycle: u64,
}

impl Below {
    fn new() -> Self {
        let groups: Arc<[u16]> = Arc::from([0, 1]);
        let config = KernelConfig {
            identity: IdentityId::of("default/ops-1"),
            groups: Arc::clone(&groups),
            seed: 1,
            exploration_rate: 0.0,
        };
        Self {
            kernel: l3::Kernel::new(config).expect("valid"),
            floor: Level45::new(Level45Config { groups, seed: 1 }).expect("valid"),
            cycle: 0,
        }
    }

    fn report(&mut self) -> (Arc<CycleReport>, Arc<FloorReport>) {
        for _ in 0..10 {
            self.cycle += 1;
            let t = self.cycle as f64;
            let row = [(t / 7.0).sin(), (t / 11.0).cos()];
            let input = Input {
                cycle: self.cycle,
                observation: &row,
                outcomes: Outcomes::default(),
                advice: None,
                floor: Floor::Silent,
                pace: rungs_mind::l3::Pace::default(),
                resources: &[],
                available: Available::default(),
            };
            self.kernel.step(&input, &mut |_: &l3::Action| Ok(()));
        }
        let report = self.kernel.take_report();
        let floor = self.floor.step(&report);
        (Arc::new(report), Arc::new(floor))
    }
}

struct Bench {
    tree: Arc<Tree>,
    part: Arc<PartCell<Level48>>,
    level: Handle<Level48Message>,
    below: Below,
    obeyed: u64,
}

impl Bench {
    async fn start() -> Self {
        let faults = Faults::allowed();
        let endpoints = Arc::new(Endpoints::new());
        let runtime = Arc::new(AgentRuntime {
            node: NodeName::new("n1").expect("a name"),
            clock: Clock::anchored(0),
            timers: Timers::start(),
            compute: ComputePool::on_current_runtime(2, Arc::clone(&faults), |_| {}),
            faults,
            snapshots: Snapshots::new(MemorySnapshots::new()),
            tasks: TaskLogs::inline(MemoryTaskLogs::new()),
            events: EventHub::default(),
            peers: Arc::new(LocalPeers::new(&endpoints)),
            endpoints,
            environments: Arc::new(|_, _| unreachable!("nothing is opened here")),
            decisions: Arc::default(),
            gate: rungs_host::LeaseGate::always_open(),
            max_agents: 1,
        });
        let spec = AgentSpec::new("ops-1".parse().expect("a name"));
        let log = EventLog::new(runtime.node.clone(), spec.agent.clone(), runtime.events.clone());
        let shared = Arc::new(Shared::new(
            spec,
            Epoch::default(),
            Governor::new(Ladder::new(Level::L48)),
            log,
        ));
        let tree = Arc::new(Tree::new(runtime, shared));
        let config = ObserveConfig {
            dimensions: DIMENSIONS,
            particles: 50,
            seed: 1,
        };
        let first = Bundle {
            checkpoint: CheckpointId::default(),
            cycle: 0,
            observe: Observe::new(config).expect("valid").state(),
            introspect: Introspect::new([0, 1].into()).state(),
            plan: Plan::new(1).state(),
            verify: Verify::new().state(),
            emit: Emit::new().state(),
        };
        let part = Part {
            obeyed: 0,
            epoch: Epoch::default(),
            orchestrator: Orchestrator::new(first),
            audit: Arc::new(rungs_mind::qualify::Audit48::new(1)),
        };
        let part = Arc::new(Mutex::new(Arc::new(part)));
        let (root, _) = Actor::spawn(None, Listener, ()).await.expect("starts");
        let spawned = PhasedLevel::<Level48>::spawn(Arc::clone(&tree), Arc::clone(&part), root.get_cell()).await;
        let (level, _) = spawned.expect("starts");
        Self {
            tree,
            part,
            level,
            below: Below::new(),
            obeyed: 0,
        }
    }

    /// Sends the next report, lets the pass end, and carries out what was decided. Gives the report.
    async fn pass(&mut self) -> (Arc<CycleReport>, Arc<FloorReport>) {
        let (report, floor) = self.below.report();
        self.tree.shared.set_cycle(floor.cycle);
        let credit = Credit::unmetered();
        self.level
            .signal(Level48Message::Input((Arc::clone(&report), Arc::clone(&floor)), credit));
        self.settle().await;
        (report, floor)
    }

    async fn settle(&mut self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Some(decision) = self.tree.shared.governor.next() {
            for action in decision.actions {
                self.obeyed += 1;
                let epoch = decision.epochs[Level::L48.index()];
                let order = Obedience {
                    number: self.obeyed,
                    at: decision.at,
                    epoch,
                    action,
                };
                self.level.signal(Level48Message::Obey(order));
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    fn part(&self) -> Part<Level48> {
        Part::clone(&self.part.lock().expect("no panic under it"))
    }

    fn verified(&self) -> Arc<Bundle> {
        self.part().orchestrator.verified().expect("a bundle")
    }

    fn inject(&self, role: &str, fault: faults::Fault) {
        let address = format!("ops-1#{role}").parse().expect("an address");
        self.tree.runtime.faults.inject(address, fault).expect("allowed");
    }
}

fn bytes(bundle: &Bundle) -> [Vec<u8>; 5] {
    [
        codec::encode(&bundle.observe).expect("encodes"),
        codec::encode(&bundle.introspect).expect("encodes"),
        codec::encode(&bundle.plan).expect("encodes"),
        codec::encode(&bundle.verify).expect("encodes"),
        codec::encode(&bundle.emit).expect("encodes"),
    ]
}

/// The bundle after one pass of the phases from their verified states, without any actor.
fn pure_pass(part: Part<Level48>, report: Arc<CycleReport>, floor: Arc<FloorReport>) -> [Vec<u8>; 5] {
    let bundle = part.orchestrator.verified().expect("a bundle");
    let mut orchestrator = part.orchestrator;
    let Turn::Begin(mut baton) = orchestrator.on_report(report, floor) else {
        panic!("a pass begins");
    };
    let (mut observe, mut introspect, mut plan, mut verify, mut emit) = (
        Observe::from_state(Arc::clone(&bundle.observe)),
        Introspect::from_state(Arc::clone(&bundle.introspect)),
        Plan::from_state(Arc::clone(&bundle.plan)),
        Verify::from_state(Arc::clone(&bundle.verify)),
        Emit::from_state(Arc::clone(&bundle.emit)),
    );
    observe.carry(&mut baton, &Unlimited).expect("computes");
    Introspect::carry(&mut introspect, &mut baton).expect("computes");
    Plan::carry(&mut plan, &mut baton, &Unlimited).expect("computes");
    Verify::carry(&mut verify, &mut baton).expect("computes");
    Emit::carry(&mut emit, &mut baton).expect("computes");
    orchestrator.on_baton(&baton);
    bytes(&orchestrator.verified().expect("verified"))
}

#[tokio::test(start_paused = true)]
async fn a_revert_gives_every_phase_its_own_state_back_byte_for_byte() {
    for (role, fault) in [
        ("l48/observe", faults::Fault::Panic),
        ("l48/introspect", faults::Fault::Panic),
        ("l48/plan", faults::Fault::Panic),
        ("l48/verify", faults::Fault::Panic),
        ("l48/emit", faults::Fault::Panic),
        ("l48/verify", faults::Fault::StallAwait),
        ("l48/emit", faults::Fault::Drop(1)),
    ] {
        let mut bench = Bench::start().await;
        for _ in 0..6 {
            bench.pass().await;
        }
        let before = bench.verified();
        assert_eq!(before.checkpoint, CheckpointId(6), "six passes were verified");
        bench.inject(role, fault);
        // The phases before the faulty one have gone on from the checkpoint when it fails.
        bench.pass().await;
        assert_eq!(
            bench.tree.shared.governor.reader().read(Level::L48).authority,
            Authority::Frozen
        );
        let after = bench.verified();
        assert_eq!(after.checkpoint, before.checkpoint);
        assert_eq!(bytes(&after), bytes(&before), "{role} {fault:?}");
        while bench.tree.shared.governor.ladder().authority(Level::L48) == Authority::Frozen {
            bench.pass().await;
        }
        // The first pass after the freeze starts from those states and no others.
        let part = bench.part();
        assert_eq!(bytes(&bench.verified()), bytes(&before));
        let (report, floor) = bench.pass().await;
        assert_eq!(
            bytes(&bench.verified()),
            pure_pass(part, report, floor),
            "{role} {fault:?}"
        );
        assert!(bench.verified().checkpoint > before.checkpoint);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_comes_during_a_pass_changes_nothing() {
    let mut bench = Bench::start().await;
    bench.pass().await;
    bench.inject("l48/observe", faults::Fault::DelayMs(100));
    let (report, floor) = bench.below.report();
    for _ in 0..2 {
        let message = Level48Message::Input((Arc::clone(&report), Arc::clone(&floor)), Credit::unmetered());
        bench.level.signal(message);
    }
    bench.settle().await;
    assert_eq!(bench.verified().checkpoint, CheckpointId(2));
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_repeated_is_obeyed_once() {
    let mut bench = Bench::start().await;
    bench.pass().await;
    let freeze = Obedience {
        number: 1,
        at: bench.tree.at(),
        epoch: Epoch(1),
        action: Action::FreezeFrom {
            level: Level::L48,
            hold: true,
        },
    };
    for _ in 0..3 {
        bench.level.signal(Level48Message::Obey(freeze.clone()));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let part = bench.part();
    assert_eq!((part.obeyed, part.epoch), (1, Epoch(1)));
    // Had it been obeyed thrice, the orchestrator's epoch would be ahead and its batons stale.
    let mut orchestrator = part.orchestrator;
    orchestrator.obey(&Action::Reenable { level: Level::L48 }, 20);
    orchestrator.obey(
        &Action::Place {
            level: Level::L48,
            authority: Authority::Shadow,
        },
        20,
    );
    let (report, floor) = bench.below.report();
    let Turn::Begin(baton) = orchestrator.on_report(report, floor) else {
        panic!("a pass begins");
    };
    assert_eq!(baton.pass.epoch, Epoch(1));
}
