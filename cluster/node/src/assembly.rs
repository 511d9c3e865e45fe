//! Who is supervised by whom on a node, and in which order it starts and stops.
//!
//! ```text
//! node       no actor: it watches the four tops, and fails when one ends
//! ├─ system    directory · copies · activator · goals · membership · admin  permanent, one for one
//! ├─ mesh      gateways · node server         the transport's own supervisor
//! ├─ agents    hosts → agents                 see rungs_agent
//! └─ users     actors of the program          as they were registered
//! ```
//!
//! Start: clock, timers, stores → mesh → directory → hosts of agents, users → copies → activator → membership (with whose
//! lease agents start) → admin (so that whoever reaches it finds the rest).
//! Stop: membership (shards go to others, if there are any) → users → agents (state saved) → what they saved is copied →
//! system → links → timers.

use crate::builder::NodeBuilder;
use crate::guests::AgentGuests;
use crate::lateness::Lateness;
use crate::membership;
use crate::node::Node;
use crate::peers::Post;
use crate::stop::{Failure, Stop};
use crate::store::OpenStore;
use crate::system;
use crate::task_logs;
use anyhow::Context as _;
use rungs_agent::{AgentRuntime, Hosts};
use rungs_directory::Directory;
use rungs_directory::activation::{Activation, ActivationParts, Counts, Limits};
use rungs_directory::copies::{Copies, CopiesParts, Outgoing, Shelf, ShelfLimits};
use rungs_directory::member::MemberHandle;
use rungs_directory::membership::Notice;
use rungs_directory::records::Records;
use rungs_directory::routing::Routes;
use rungs_environments::{Environments, HostSensors, RuntimeProbe, RuntimeReading};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::Faults;
use rungs_host::supervisor::{Policy, SupervisorHandle};
use rungs_host::telemetry::Telemetry;
use rungs_host::{Endpoints, EventHub, Latencies, LeaseGate, SteadyClock, Timers};
use rungs_mesh::cluster::{ClusterConfig, ClusterTransport, Seed};
use rungs_mesh::{Identity, Mesh, MeshConfig};
use rungs_store::cluster::Store;
use rungs_store::{FileSnapshots, Snapshots, TaskLogs};
use rungs_store_raft::RaftStore;
use rungs_types::{NodeId, NodeName};
use std::fs::File;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

/// How long agents may take to stop and save their state.
const AGENTS_DEADLINE: Duration = Duration::from_secs(10);
/// How long users' actors and the node's own may take.
const ACTORS_DEADLINE: Duration = Duration::from_secs(3);
/// How long a node that is told to stop waits for others to take its shards.
const LEAVE_DEADLINE: Duration = Duration::from_secs(20);
/// How long a node that starts waits until it is a member and every shard has an owner.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);
/// How long the last snapshots may take to be copied to other nodes. What is not copied then is on this node's disk.
const COPIES_DEADLINE: Duration = Duration::from_secs(3);
/// Most agents that run on a node at a time.
const MAX_AGENTS: usize = 10_000;

/// The parts of a running node.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) compute: ComputePool,
    /// How late decisions of agents are.
    pub(crate) decisions: Arc<Latencies>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) faults_allowed: bool,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) mesh: Mesh,
    pub(crate) transport: Arc<ClusterTransport>,
    pub(crate) directory: Directory,
    pub(crate) hosts: Hosts,
    pub(crate) records: Records,
    pub(crate) activation: Activation,
    pub(crate) copies: Copies,
    pub(crate) system: SupervisorHandle,
    pub(crate) users: SupervisorHandle,
    pub(crate) member: MemberHandle,
    pub(crate) roles: Vec<String>,
    pub(crate) store: OpenStore,
    pub(crate) stop: Stop,
    /// The timer wheel stops with its last owner.
    pub(crate) timers: Timers,
    /// Kept: the lock on the data folder.
    _lock: File,
}

impl Parts {
    pub(crate) async fn shut_down(&self) -> crate::Result<()> {
        self.stop.ask();
        // Whatever has not left by then is taken by others when its lease ends. Where the store is lost, as when all nodes stop
        // at the same time, nobody can take anything.
        if self.stop.can_leave() {
            let leave = tokio::time::timeout(LEAVE_DEADLINE, self.member.leave());
            tokio::select! {
                left = leave => drop(left),
                () = self.store.lost() => {}
            }
        }
        let users = self.users.shutdown(ACTORS_DEADLINE).await;
        let agents = self.hosts.shutdown(AGENTS_DEADLINE).await;
        if !self.copies.settle(COPIES_DEADLINE).await {
            tracing::warn!("not every last snapshot was copied to another node; all are on this one's disk");
        }
        let system = self.system.shutdown(ACTORS_DEADLINE).await;
        self.mesh.stop().await;
        self.directory.end();
        self.store.close().await;
        let late = "not everything stopped in time; what did not was ended by force";
        let in_time = users && agents && system;
        if let Some(failure) = self.stop.failure() {
            if !in_time {
                tracing::warn!(late);
            }
            // Whoever keeps the node running starts it again.
            return Err(failure.into());
        }
        anyhow::ensure!(in_time, late);
        Ok(())
    }
}

/// What everything else on the node uses.
struct Base {
    clock: Clock,
    timers: Timers,
    endpoints: Arc<Endpoints>,
    events: EventHub,
    faults: Arc<Faults>,
    stop: Stop,
    compute: ComputePool,
    decisions: Arc<Latencies>,
}

impl Base {
    fn new(builder: &NodeBuilder) -> crate::Result<Self> {
        let (faults, stop) = (faults(builder), Stop::default());
        Ok(Self {
            clock: Clock::system(),
            timers: Timers::start(),
            endpoints: Arc::new(Endpoints::new()),
            events: EventHub::default(),
            compute: compute_pool(&faults, &stop)?,
            faults,
            stop,
            decisions: Arc::default(),
        })
    }
}

/// What runs the agents of the node.
struct Agents {
    hosts: Hosts,
    records: Records,
    copies: Copies,
    activation: Activation,
    member: MemberHandle,
}

/// Starts everything.
pub(crate) async fn start(
    mut builder: NodeBuilder,
    name: NodeName,
    identity: Identity,
    lock: File,
) -> crate::Result<Node> {
    let base = Base::new(&builder)?;
    let certified = identity.roles();
    // It waits for other voters, which do not wait for this node.
    let open_store = crate::store::open(&name, &builder.data, builder.store.as_ref()).await?;
    let store = Arc::clone(&open_store.store);
    watch_store(&store, &base.stop);
    let tasks = task_logs::open(&builder.data, Arc::clone(&store) as _).await?;
    let (transport, mesh) = connect(&mut builder, &name, identity, &base).await?;
    let gate = LeaseGate::closed(SteadyClock::Machine);
    let expected = builder.members.iter().map(|member| member.name.clone());
    let routes = Arc::new(Routes::new(name.clone(), expected, gate));
    let directory = Directory::new(mesh.clone(), Arc::clone(&routes) as _);
    let agents = agents(&builder, &base, &directory, &routes, &store, tasks).await?;
    let around = membership::Around {
        mesh: mesh.clone(),
        transport: Arc::clone(&transport),
        store: Arc::clone(&store) as Arc<dyn Store>,
        routes: Arc::clone(&routes),
        timers: base.timers.clone(),
        clock: base.clock.clone(),
        directory: directory.clone(),
        activation: agents.activation.clone(),
    };
    let membership = Arc::new(membership::parts(&builder, certified, around));
    watch_member(&agents.member, &base.stop);
    let parts = Arc::new(Parts {
        system: system::supervisor(&base.timers, Policy::ONE_FOR_ONE, 1).await?,
        users: system::supervisor(&base.timers, Policy::HOST, 2).await?,
        clock: base.clock,
        compute: base.compute,
        decisions: base.decisions,
        endpoints: base.endpoints,
        faults: base.faults,
        faults_allowed: builder.allow_faults,
        telemetry: builder.telemetry,
        mesh,
        transport,
        directory,
        hosts: agents.hosts,
        records: agents.records,
        activation: agents.activation,
        copies: agents.copies,
        member: agents.member,
        roles: certified.iter().map(|role| role.as_str().to_owned()).collect(),
        store: open_store,
        stop: base.stop,
        timers: base.timers,
        _lock: lock,
    });
    watch_trees(&parts);
    parts.records.configure(&name, &builder.agents).await?;
    system::start(&parts, &routes, &membership).await?;
    let settled = tokio::time::timeout(SETTLE_DEADLINE, routes.settled()).await;
    if settled.is_err() {
        // It goes on trying, and says so when it serves.
        tracing::warn!("the node is no member of its cluster yet: the store or the other members do not answer");
    }
    Ok(Node::new(parts))
}

/// The hosts of agents, and what starts, stops and follows them.
async fn agents(
    builder: &NodeBuilder,
    base: &Base,
    directory: &Directory,
    routes: &Arc<Routes>,
    store: &Arc<RaftStore>,
    tasks: TaskLogs,
) -> crate::Result<Agents> {
    let node = directory.node().clone();
    let outgoing = Outgoing::new(Arc::clone(routes) as _);
    let snapshots = Snapshots::new(FileSnapshots::open(&builder.data.join("snapshots"))?);
    let snapshots = snapshots.followed(Arc::clone(&outgoing) as _);
    let environments = environments(builder, &base.endpoints)?;
    let runtime = AgentRuntime {
        node: node.clone(),
        clock: base.clock.clone(),
        timers: base.timers.clone(),
        compute: base.compute.clone(),
        faults: Arc::clone(&base.faults),
        snapshots: snapshots.clone(),
        tasks,
        events: base.events.clone(),
        endpoints: Arc::clone(&base.endpoints),
        peers: Arc::new(Post::start(directory.clone())),
        environments: Arc::new(move |spec, agent| environments.build(spec, agent)),
        decisions: Arc::clone(&base.decisions),
        gate: routes.gate().clone(),
        max_agents: MAX_AGENTS,
    };
    let hosts = Hosts::start(Arc::new(runtime), None).await?;
    let records = Records::new(Arc::clone(store) as Arc<dyn Store>);
    let member = MemberHandle::default();
    directory.set_member(member.clone());
    let copies = Copies::new(CopiesParts {
        node: node.clone(),
        mesh: directory.mesh().clone(),
        store: Arc::clone(store) as Arc<dyn Store>,
        snapshots,
        outgoing,
        shelf: Shelf::open(&builder.data.join("copies"), ShelfLimits::default())?,
    });
    let guests = AgentGuests {
        node,
        hosts: hosts.clone(),
        records: records.clone(),
        copies: copies.clone(),
    };
    let activation = activation_of(directory, &member, guests, &base.endpoints, &base.timers);
    directory.set_activation(activation.clone());
    Ok(Agents {
        hosts,
        records,
        copies,
        activation,
        member,
    })
}

fn faults(builder: &NodeBuilder) -> Arc<Faults> {
    match builder.allow_faults {
        true => Faults::allowed(),
        false => Faults::off(),
    }
}

/// Who starts agents when they are wanted; it runs when the system does.
fn activation_of(
    directory: &Directory,
    member: &MemberHandle,
    guests: AgentGuests,
    endpoints: &Arc<Endpoints>,
    timers: &Timers,
) -> Activation {
    let member = member.clone();
    Activation::new(ActivationParts {
        node: directory.node().clone(),
        records: guests.records.clone(),
        guests: Arc::new(guests),
        endpoints: Arc::clone(endpoints),
        timers: timers.clone(),
        limits: Limits::default(),
        counts: Counts::default(),
        moved: directory.readmitter(),
        released: Box::new(move |shard| member.released(shard)),
    })
}

/// A node whose name has been taken by a later start of it will never act again. That is no failure: started anew, it would
/// only take the name back.
fn watch_member(member: &MemberHandle, stop: &Stop) {
    let (member, stop) = (member.clone(), stop.clone());
    rungs_host::tasks::spawn("watch the membership", async move {
        let notice = tokio::select! {
            notice = member.ended() => notice,
            _ = stop.requested() => return,
        };
        if notice != Notice::Left {
            tracing::error!(%notice, "the node stops");
        }
        stop.ask();
    });
}

/// Level phases have threads of their own: synchronous code that spins cannot take a kernel's.
fn compute_pool(faults: &Arc<Faults>, stop: &Stop) -> crate::Result<ComputePool> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let stop = stop.clone();
    let drain = move |abandoned| stop.fail(Failure::Threads { abandoned });
    ComputePool::start(threads, Arc::clone(faults), drain).context("cannot start the threads of the levels")
}

/// A node without its store can promise nothing: it stops, and whoever keeps it running starts it anew.
fn watch_store(store: &Arc<RaftStore>, stop: &Stop) {
    let store = Arc::clone(store);
    stop.when_lost("watch the store", async move { Failure::Store(store.ended().await) });
}

/// Nothing supervises the tops of the trees. Without one of them the node would live on and do only a part of what it is for:
/// it stops, and whoever keeps it running starts it anew.
fn watch_trees(parts: &Parts) {
    let trees = [
        ("system", parts.system.cell()),
        ("agents", parts.hosts.cell()),
        ("users", parts.users.cell()),
    ];
    for (tree, top) in trees {
        let ended = async move {
            // Without a time it waits for ever.
            drop(top.wait(None).await);
            Failure::Supervisor { tree }
        };
        parts.stop.when_lost("watch a supervision tree", ended);
    }
    let transport = Arc::clone(&parts.transport);
    parts.stop.when_lost("watch the transport", async move {
        transport.ended().await;
        Failure::Supervisor { tree: "mesh" }
    });
}

async fn connect(
    builder: &mut NodeBuilder,
    name: &NodeName,
    identity: Identity,
    base: &Base,
) -> crate::Result<(Arc<ClusterTransport>, Mesh)> {
    let incarnation = base.clock.incarnation(None);
    let node = NodeId {
        name: name.clone(),
        incarnation,
    };
    let config = MeshConfig {
        node,
        roles: identity.roles(),
        cluster: identity.cluster().clone(),
    };
    let others = builder.members.iter().filter(|member| member.name != *name);
    let seeds = others.map(|member| Seed {
        node: Some(member.name.clone()),
        address: member.address.to_string(),
    });
    let cluster = ClusterConfig {
        identity,
        incarnation,
        listen: builder.listen.take(),
        seeds: seeds.collect(),
    };
    let transport = ClusterTransport::bind(cluster, base.timers.clone(), None).await?;
    transport.keep_certified(builder.renewal.clone());
    let mesh = Mesh::start(
        config,
        Arc::clone(&transport) as _,
        Arc::clone(&base.endpoints),
        base.events.clone(),
    )
    .await?;
    Ok((transport, mesh))
}

fn environments(builder: &NodeBuilder, endpoints: &Arc<Endpoints>) -> crate::Result<Environments> {
    let (lateness, endpoints) = (Lateness::measure(), Arc::clone(endpoints));
    let probe: RuntimeProbe = Arc::new(move || {
        let depth = |address| endpoints.get(&address).map_or(0, |endpoint| endpoint.mailbox().depth());
        let waiting: u32 = endpoints.addresses().into_iter().map(depth).sum();
        RuntimeReading {
            cycle_latency_ms: Some(lateness.ms()),
            mailbox_messages: Some(f64::from(waiting)),
        }
    });
    let mut environments = Environments::new(HostSensors::machine(&builder.data, Some(probe)));
    for (name, factory) in &builder.environments {
        environments.register(name, Arc::clone(factory))?;
    }
    Ok(environments)
}
