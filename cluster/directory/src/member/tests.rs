//! Whole nodes without processes: membership, activation and directory over a mesh in memory and one store.

use super::messages::{Change, ListMembers, ListShards, Order};
use super::{MemberHandle, MemberParts, Shards};
use crate::Directory;
use crate::activation::{Activation, ActivationParts, Counts, Guests, Limits, StartError};
use crate::actor::DirectoryActor;
use crate::handover::ShardAction;
use crate::membership::{Identity, MemberState, Predecessor, Timing};
use crate::placement::{Shard, Zone};
use crate::records::{AgentRecord, Origin, Records};
use crate::routing::Routes;
use futures::future::BoxFuture;
use rungs_host::supervisor::{Policy, SupervisorHandle, SupervisorSpec};
use rungs_host::{
    Clock, Endpoints, EventHub, Format, LeaseGate, Mailbox, Payload, Refusal, Router, SteadyClock, Timers, Wire,
};
use rungs_mesh::bench::target::{Count, Echo, Target, TargetHandle};
use rungs_mesh::hello::ClusterId;
use rungs_mesh::memory::{Faults, MemoryNetwork};
use rungs_mesh::{Mesh, MeshConfig, Role, Roles};
use rungs_store::cluster::{
    Answer, Changes, Commit, CommitError, Consistency, Head, MemoryStore, Outcome, Page, ReadError, Revision, Row,
    RowId, Scan, Seen, Since, Store,
};
use rungs_types::{Address, AgentId, AgentSpec, Epoch, ErrorCode, NodeId, NodeName};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
/// Agents that are registered.
const AGENTS: usize = 24;

/// The store as one node reaches it, or does not.
struct Reach {
    store: Arc<MemoryStore>,
    cut: Arc<AtomicBool>,
}

impl Reach {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }
}

impl Store for Reach {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        match self.is_cut() {
            true => Box::pin(async { Err(CommitError::Unavailable) }),
            false => self.store.commit(commit, within),
        }
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        match self.is_cut() {
            true => Box::pin(async { Err(ReadError::Unavailable) }),
            false => self.store.get(row, how, within),
        }
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        match self.is_cut() {
            true => Box::pin(async { Err(ReadError::Unavailable) }),
            false => self.store.scan(scan, how, within),
        }
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        match self.is_cut() {
            true => Box::pin(async { Err(ReadError::Unavailable) }),
            false => self.store.changes(since, within),
        }
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        match self.is_cut() {
            true => Box::pin(async {
                tokio::time::sleep(SECOND).await;
                Err(ReadError::Unavailable)
            }),
            false => self.store.moved(past, within),
        }
    }
}

/// Where agents run, as they themselves see it: an agent that acts while another of its name does at a higher epoch, or that
/// runs twice on a node, is a defect.
#[derive(Default)]
struct Witness {
    began: Mutex<Vec<(AgentId, NodeName, Epoch)>>,
}

/// Runs targets as agents of one node.
struct Targets {
    node: NodeName,
    endpoints: Arc<Endpoints>,
    running: Arc<Mutex<BTreeMap<AgentId, TargetHandle>>>,
    witness: Arc<Witness>,
}

impl Guests for Targets {
    fn start(&self, agent: AgentId, epoch: Epoch) -> BoxFuture<'static, Result<(), StartError>> {
        let (node, endpoints) = (self.node.clone(), Arc::clone(&self.endpoints));
        let (running, witness) = (Arc::clone(&self.running), Arc::clone(&self.witness));
        Box::pin(async move {
            let at = Address::from(agent.clone());
            let target = Target::start(&endpoints, at, Mailbox::bounded(1_024, 1 << 20)).await;
            let before = running
                .lock()
                .expect("not poisoned")
                .insert(agent.clone(), target.expect("starts"));
            assert!(before.is_none(), "{agent} runs twice on {node}");
            witness.began.lock().expect("not poisoned").push((agent, node, epoch));
            Ok(())
        })
    }

    fn rest(&self, agent: AgentId) -> BoxFuture<'static, ()> {
        let running = Arc::clone(&self.running);
        Box::pin(async move {
            let target = running.lock().expect("not poisoned").get(&agent).cloned();
            let Some(target) = target else { return };
            drop(target.handle.cell().drain());
            target.handle.cell().wait(None).await.expect("it ends");
            running.lock().expect("not poisoned").remove(&agent);
        })
    }

    fn running(&self) -> Vec<AgentId> {
        self.running.lock().expect("not poisoned").keys().cloned().collect()
    }

    fn idle(&self) -> Vec<AgentId> {
        Vec::new()
    }
}

struct NodeShards {
    directory: Directory,
    activation: Activation,
}

impl Shards for NodeShards {
    fn change(&self, actions: Vec<ShardAction>) {
        self.activation.change(actions);
    }

    fn stop(&self) {
        self.activation.stop();
    }

    fn routes_changed(&self) {
        self.directory.routes_changed();
    }
}

struct Node {
    id: NodeId,
    directory: Directory,
    routes: Arc<Routes>,
    member: MemberHandle,
    running: Arc<Mutex<BTreeMap<AgentId, TargetHandle>>>,
    cut: Arc<AtomicBool>,
    supervisor: SupervisorHandle,
}

struct World {
    network: MemoryNetwork,
    store: Arc<MemoryStore>,
    witness: Arc<Witness>,
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        for index in 0..AGENTS {
            let spec = AgentSpec::new(agent(index));
            let origin = Origin::Order;
            records.replace(&AgentRecord { spec, origin }).await.expect("written");
        }
        Self {
            network: MemoryNetwork::new(7, Faults::default()),
            store,
            witness: Arc::default(),
        }
    }

    async fn start(&self, id: &str) -> Node {
        let id: NodeId = id.parse().expect("a node");
        let roles = Roles::of(&[Role::Member]);
        let endpoints = Arc::new(Endpoints::new());
        let config = MeshConfig {
            node: id.clone(),
            roles,
            cluster: ClusterId::from_bits(1),
        };
        let transport = self.network.transport(id.clone(), roles);
        let mesh = Mesh::start(config, transport, Arc::clone(&endpoints), EventHub::default());
        let mesh = mesh.await.expect("starts");
        let cut = Arc::new(AtomicBool::new(false));
        let store: Arc<dyn Store> = Arc::new(Reach {
            store: Arc::clone(&self.store),
            cut: Arc::clone(&cut),
        });
        let gate = LeaseGate::closed(SteadyClock::Tokio(Instant::now() - SECOND));
        let routes = Arc::new(Routes::new(id.name.clone(), [], gate));
        let directory = Directory::new(mesh.clone(), Arc::clone(&routes) as _);
        let member = MemberHandle::default();
        directory.set_member(member.clone());
        let running = Arc::new(Mutex::new(BTreeMap::new()));
        let (timers, told) = (Timers::start(), member.clone());
        let activation = Activation::new(ActivationParts {
            node: id.name.clone(),
            guests: Arc::new(Targets {
                node: id.name.clone(),
                endpoints: Arc::clone(&endpoints),
                running: Arc::clone(&running),
                witness: Arc::clone(&self.witness),
            }),
            records: Records::new(Arc::clone(&store)),
            endpoints,
            timers: timers.clone(),
            limits: Limits::default(),
            counts: Counts::default(),
            moved: directory.readmitter(),
            released: Box::new(move |shard| told.released(shard)),
        });
        directory.set_activation(activation.clone());
        let supervisor = SupervisorHandle::spawn(
            SupervisorSpec {
                policy: Policy::ONE_FOR_ONE,
                seed: 0,
                timers: timers.clone(),
                children: Vec::new(),
                observer: None,
            },
            None,
        );
        let supervisor = supervisor.await.expect("starts");
        let cell = supervisor.cell();
        DirectoryActor::start(directory.clone(), cell.clone())
            .await
            .expect("starts");
        activation.start(routes.owned(), cell.clone()).await.expect("starts");
        let parts = Arc::new(MemberParts {
            me: Identity {
                node: id.clone(),
                role: Role::Member,
                zone: Zone::default(),
                weight: 1,
                address: None,
            },
            predecessor: Predecessor::Ended,
            timing: Timing::DEFAULT,
            store,
            mesh,
            routes: Arc::clone(&routes),
            timers,
            clock: Clock::anchored(1_000_000),
            shards: Arc::new(NodeShards {
                directory: directory.clone(),
                activation,
            }),
            introduce: Box::new(|_, _| ()),
        });
        member.start(&parts, cell).await.expect("starts");
        Node {
            id,
            directory,
            routes,
            member,
            running,
            cut,
            supervisor,
        }
    }

    /// Nodes that are members and have handed each other their shares.
    async fn settled(&self, ids: &[&str]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for id in ids {
            nodes.push(self.start(id).await);
        }
        self.balanced(&nodes).await;
        nodes
    }

    /// Waits until every node has about its share, and nothing moves.
    async fn balanced(&self, nodes: &[Node]) {
        let least = 4096 / nodes.len() * 3 / 4;
        let is_balanced = || {
            nodes
                .iter()
                .all(|node| node.routes.owned().len() >= least && self.sum(nodes) == 4096)
        };
        until("shards are balanced", is_balanced).await;
    }

    fn sum(&self, nodes: &[Node]) -> usize {
        nodes.iter().map(|node| node.routes.owned().len()).sum()
    }

    /// Every agent that began did so at a higher epoch than before, on whatever node.
    fn epochs_rise(&self) {
        let mut last: BTreeMap<AgentId, Epoch> = BTreeMap::new();
        for (agent, node, epoch) in self.witness.began.lock().expect("not poisoned").iter() {
            let before = last.insert(agent.clone(), *epoch);
            assert!(
                before.is_none_or(|before| before < *epoch),
                "{agent} on {node}: {before:?}, then {epoch:?}"
            );
        }
    }
}

impl Node {
    async fn ask<W: Wire>(&self, to: &Address, message: &W) -> Result<W::Reply, Refusal> {
        let payload = Payload::of(message, Format::Binary)?;
        self.directory.ask(to.clone(), payload, SECOND * 20).await?.decode()
    }

    async fn echo(&self, index: usize) -> Result<String, Refusal> {
        self.ask(&agent(index).into(), &Echo { text: "x".to_owned() }).await
    }

    async fn order(&self, change: Change) -> Result<super::messages::Ordered, Refusal> {
        self.ask(&super::address(&self.id.name), &Order { change }).await
    }

    fn runs(&self) -> usize {
        self.running.lock().expect("not poisoned").len()
    }

    /// As `kill -9` does: nothing is said, nothing is saved.
    async fn kill(&self, network: &MemoryNetwork, others: &[&Node]) {
        for other in others {
            network.partition(&self.id.name, &other.id.name);
        }
        self.cut.store(true, Ordering::Release);
        self.supervisor.cell().kill();
        self.running.lock().expect("not poisoned").clear();
    }
}

fn agent(index: usize) -> AgentId {
    format!("a-{index}").parse().expect("a name")
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + SECOND * 60;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_owns_everything_and_its_agents_answer() {
    let world = World::new().await;
    let node = world.start("n1~1").await;
    node.routes.settled().await;
    assert_eq!(node.routes.owned().len(), 4096);
    for index in 0..AGENTS {
        assert_eq!(node.echo(index).await, Ok("x".to_owned()));
    }
    until("residents run", || node.runs() == AGENTS).await;
    world.epochs_rise();
}

#[tokio::test(start_paused = true)]
async fn nodes_that_join_get_their_share_and_every_agent_is_reached_from_each() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1", "n3~1"]).await;
    for node in &nodes {
        for index in 0..AGENTS {
            assert_eq!(node.echo(index).await, Ok("x".to_owned()), "a-{index} from {}", node.id);
        }
    }
    until("each agent runs once", || {
        nodes.iter().map(Node::runs).sum::<usize>() == AGENTS
    })
    .await;
    assert!(nodes.iter().all(|node| node.runs() > 0));
    world.epochs_rise();
    let members = nodes[0]
        .ask(&super::address(&nodes[1].id.name), &ListMembers {})
        .await
        .expect("answers");
    let states: Vec<_> = members
        .iter()
        .map(|member| (member.node.as_str(), member.state))
        .collect();
    let live = MemberState::Live;
    assert_eq!(states, [("n1", live), ("n2", live), ("n3", live)]);
    let shards = nodes[2]
        .ask(&super::address(&nodes[0].id.name), &ListShards {})
        .await
        .expect("answers");
    assert_eq!((shards.unowned, shards.moving), (0, 0));
    assert_eq!(shards.owned.iter().map(|(_, count)| count).sum::<u32>(), 4096);
    let order = nodes[0]
        .ask(&super::address(&nodes[1].id.name), &Order::example())
        .await;
    let refused = order.expect_err("only operators order other nodes");
    assert_eq!(refused.code, ErrorCode::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn agents_of_a_node_that_dies_answer_elsewhere_when_its_lease_is_over() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1", "n3~1"]).await;
    let (dead, left) = nodes.split_first().expect("three");
    dead.kill(&world.network, &[&left[0], &left[1]]).await;
    let died = Instant::now();
    for index in 0..AGENTS {
        // What was on its way to the dead node may have been executed: it is for the asker to ask again.
        let answer = match left[index % 2].echo(index).await {
            Err(refusal) if refusal.code == ErrorCode::TargetEnded => left[index % 2].echo(index).await,
            answer => answer,
        };
        assert_eq!(answer, Ok("x".to_owned()), "a-{index}");
    }
    let took = died.elapsed();
    assert!(
        took >= Timing::DEFAULT.ttl - Timing::DEFAULT.renew && took <= SECOND * 10,
        "{took:?}"
    );
    assert_eq!(world.sum(left), 4096);
    world.epochs_rise();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_hands_over_without_refusing_or_reordering_a_message() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1", "n3~1"]).await;
    let asked: Vec<_> = nodes[1..]
        .iter()
        .map(|node| async {
            let mut answers = 0;
            while nodes[0].routes.owned().len() + world.sum(&nodes[1..]) > 0 && answers < 4_000 {
                let answer = node.echo(answers % AGENTS).await;
                assert_eq!(answer, Ok("x".to_owned()), "question {answers} from {}", node.id);
                answers += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .collect();
    let leave = async {
        tokio::time::sleep(SECOND).await;
        nodes[0].member.leave().await;
    };
    let left = tokio::time::timeout(SECOND * 30, async {
        tokio::join!(leave, futures::future::join_all(asked))
    });
    left.await.expect("it leaves while others ask");
    assert_eq!((nodes[0].routes.owned().len(), world.sum(&nodes[1..])), (0, 4096));
    until("its agents have ended", || nodes[0].runs() == 0).await;
    world.epochs_rise();
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_is_told_while_it_moves_comes_in_order_and_once() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1"]).await;
    let shard = Shard::of(&agent(0));
    let owner = nodes
        .iter()
        .position(|node| node.routes.owned().iter().any(|(owned, _)| *owned == shard));
    let (owner, other) = (owner.expect("one owns it"), 1 - owner.expect("one owns it"));
    let (shard, node) = (shard.number(), nodes[other].id.name.clone());
    assert!(nodes[owner].order(Change::Pin { shard, node }).await.is_ok());
    let payload = || Payload::of(&Count { text: String::new() }, Format::Binary).expect("encodes");
    let mut told = 0;
    while !nodes[other]
        .routes
        .owned()
        .iter()
        .any(|(owned, _)| owned.number() == shard)
    {
        nodes[owner]
            .directory
            .tell(agent(0).into(), payload())
            .await
            .expect("taken");
        told += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A question comes after what the same node told before it.
    let count = nodes[owner]
        .ask(&agent(0).into(), &Count { text: String::new() })
        .await
        .expect("answers");
    assert!(
        count >= 1 && count <= told + 1,
        "{count} of {told}: those before the move were counted by the other"
    );
    world.epochs_rise();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_reach_the_store_stops_before_others_take_over_and_comes_back() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1", "n3~1"]).await;
    nodes[0].cut.store(true, Ordering::Release);
    let own = nodes[0]
        .running
        .lock()
        .expect("not poisoned")
        .keys()
        .next()
        .cloned()
        .expect("it has some");
    until("its gate is closed", || !nodes[0].routes.gate().is_open()).await;
    let question = Payload::of(&Echo { text: "x".to_owned() }, Format::Binary).expect("encodes");
    let answer = nodes[0]
        .directory
        .ask(own.into(), question, Duration::from_millis(200))
        .await;
    assert_eq!(answer.expect_err("nobody serves it yet").code, ErrorCode::NodeDown);
    until("its agents have ended", || nodes[0].runs() == 0).await;
    assert!(world.witness.began.lock().expect("not poisoned").len() <= 3 * AGENTS);
    until("the others have all", || world.sum(&nodes[1..]) == 4096).await;
    for index in 0..AGENTS {
        assert_eq!(nodes[1].echo(index).await, Ok("x".to_owned()), "a-{index}");
    }
    nodes[0].cut.store(false, Ordering::Release);
    world.balanced(&nodes).await;
    world.epochs_rise();
}

#[tokio::test(start_paused = true)]
async fn operators_drain_pin_and_balance_and_learn_what_cannot_be() {
    let world = World::new().await;
    let nodes = world.settled(&["n1~1", "n2~1"]).await;
    let n1 = nodes[0].id.name.clone();
    assert!(nodes[1].order(Change::Drain { node: n1.clone() }).await.is_ok());
    until("it is empty", || {
        nodes[0].routes.owned().is_empty() && world.sum(&nodes) == 4096
    })
    .await;
    assert!(nodes[0].routes.gate().is_open(), "it stays a member");
    assert!(nodes[1].order(Change::Undrain { node: n1.clone() }).await.is_ok());
    world.balanced(&nodes).await;
    let nobody = NodeName::new("n9").expect("a name");
    let refusal = nodes[0]
        .order(Change::Drain { node: nobody.clone() })
        .await
        .expect_err("refused");
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (ErrorCode::NotFound, "n9 is no present member")
    );
    let refusal = nodes[0]
        .order(Change::Pin { shard: 9_999, node: n1 })
        .await
        .expect_err("refused");
    assert_eq!(refusal.message, "9999 is no shard; expected less than 4096");
    let plan = nodes[0]
        .order(Change::Rebalance { dry_run: true })
        .await
        .expect("planned");
    assert_eq!((plan.moving, plan.moves.len()), (0, 0), "each has what it wants");
    world.epochs_rise();
}
