//! Who is supervised by whom on a node, and in which order it starts and stops.
//!
//! ```text
//! node
//! ├─ system    directory · activator · admin  permanent, one for one
//! ├─ mesh      gateways · node server         the transport's own supervisor
//! ├─ agents    hosts → agents                 see rungs_agent
//! └─ users     actors of the program          as they were registered
//! ```
//!
//! Start: clock, timers → store and mesh, neither of which waits for the other → directory → hosts of agents, users →
//! activator (which starts agents) → admin (so that whoever reaches it finds the rest).
//! Stop: users → agents (state saved) → system → links → timers.

use crate::builder::NodeBuilder;
use crate::control::Control;
use crate::guests::AgentGuests;
use crate::lateness::Lateness;
use crate::node::Node;
use crate::peers::Post;
use crate::store::OpenStore;
use anyhow::Context as _;
use rungs_agent::{AgentRuntime, Hosts};
use rungs_directory::activation::{self, Activation, ActivationParts, Counts, Limits};
use rungs_directory::records::Records;
use rungs_directory::{Directory, Member, StaticPlacement, actor::DirectoryActor};
use rungs_environments::{Environments, HostSensors, RuntimeProbe, RuntimeReading};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::Faults;
use rungs_host::supervisor::{ChildSpec, Policy, Restart, StartContext, Started, SupervisorHandle, SupervisorSpec};
use rungs_host::telemetry::Telemetry;
use rungs_host::{Endpoints, EventHub, Handle, Latencies, Mailbox, Timers};
use rungs_mesh::cluster::{ClusterConfig, ClusterTransport, Seed};
use rungs_mesh::{Identity, Mesh, MeshConfig};
use rungs_shell::protocol::ADMIN_ROLE;
use rungs_shell::session::admin_of;
use rungs_shell::{Admin, NodeControl, admin};
use rungs_store::cluster::Store;
use rungs_store::{FileSnapshots, FileTaskLogs, Snapshots, TaskLogs};
use rungs_store_raft::{Ended, RaftStore};
use rungs_types::{Epoch, NodeId, NodeName, RolePath};
use std::fs::File;
use std::num::NonZero;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// How long agents may take to stop and save their state.
const AGENTS_DEADLINE: Duration = Duration::from_secs(10);
/// How long users' actors and the node's own may take.
const ACTORS_DEADLINE: Duration = Duration::from_secs(3);
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
    pub(crate) system: SupervisorHandle,
    pub(crate) users: SupervisorHandle,
    pub(crate) members: Vec<NodeName>,
    pub(crate) roles: Vec<String>,
    store: OpenStore,
    /// Why the node stops by itself.
    failed: Arc<OnceLock<Ended>>,
    stop: watch::Sender<bool>,
    /// Kept: the timer wheel stops with its last owner.
    _timers: Timers,
    /// Kept: the lock on the data folder.
    _lock: File,
}

impl Parts {
    pub(crate) fn request_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    pub(crate) async fn stop_requested(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is a field of `self`: it cannot be gone.
        drop(stop.wait_for(|stop| *stop).await);
    }

    pub(crate) async fn shut_down(&self) -> crate::Result<()> {
        self.request_stop();
        let users = self.users.shutdown(ACTORS_DEADLINE).await;
        let agents = self.hosts.shutdown(AGENTS_DEADLINE).await;
        let system = self.system.shutdown(ACTORS_DEADLINE).await;
        self.mesh.stop().await;
        self.store.close().await;
        anyhow::ensure!(
            users && agents && system,
            "not everything stopped in time; what did not was ended by force"
        );
        // Not in order: whoever keeps the node running starts it again.
        match self.failed.get() {
            Some(ended) => anyhow::bail!("{ended}"),
            None => Ok(()),
        }
    }
}

/// Starts everything.
pub(crate) async fn start(
    mut builder: NodeBuilder,
    name: NodeName,
    identity: Identity,
    lock: File,
) -> crate::Result<Node> {
    let (clock, timers) = (Clock::system(), Timers::start());
    let (endpoints, events) = (Arc::new(Endpoints::new()), EventHub::default());
    let faults = faults(&builder);
    let stop = watch::Sender::new(false);
    let compute = compute_pool(&faults, &stop)?;
    let roles: Vec<String> = identity.roles().iter().map(|role| role.as_str().to_owned()).collect();
    let opening = crate::store::open(name.clone(), builder.data.clone(), builder.store.take());
    let connecting = connect(&mut builder, &name, identity, &clock, &timers, &endpoints, &events);
    let (store, (transport, mesh)) = tokio::try_join!(opening, connecting)?;
    let members = members(&builder, &name);
    let placement = StaticPlacement::new(members.clone())?;
    let directory = Directory::new(mesh.clone(), Arc::new(placement));
    let environments = environments(&builder, &endpoints)?;
    let decisions: Arc<Latencies> = Arc::default();
    let runtime = AgentRuntime {
        node: name.clone(),
        clock: clock.clone(),
        timers: timers.clone(),
        compute: compute.clone(),
        faults: Arc::clone(&faults),
        snapshots: Snapshots::new(FileSnapshots::open(&builder.data.join("snapshots"))?),
        tasks: TaskLogs::new(FileTaskLogs::open(&builder.data.join("tasks"))?),
        events: events.clone(),
        endpoints: Arc::clone(&endpoints),
        peers: Arc::new(Post::start(directory.clone())),
        environments: Arc::new(move |spec, agent| environments.build(spec, agent)),
        decisions: Arc::clone(&decisions),
        max_agents: MAX_AGENTS,
    };
    let hosts = Hosts::start(Arc::new(runtime), None).await?;
    let failed = watch_store(&store.store, &stop);
    let records = Records::new(Arc::clone(&store.store) as Arc<dyn Store>);
    let activation = activation_of(&name, &hosts, &records, &endpoints, &timers);
    directory.set_activation(activation.clone());
    let system = supervisor(&timers, Policy::ONE_FOR_ONE, 1).await?;
    let users = supervisor(&timers, Policy::HOST, 2).await?;
    let parts = Arc::new(Parts {
        clock,
        compute,
        decisions,
        endpoints,
        faults,
        faults_allowed: builder.allow_faults,
        telemetry: builder.telemetry,
        mesh,
        transport,
        directory,
        hosts,
        records,
        activation,
        system,
        users,
        members: members.into_iter().map(|member| member.node).collect(),
        roles,
        store,
        failed,
        stop,
        _timers: timers,
        _lock: lock,
    });
    parts.records.configure(&name, &builder.agents).await?;
    start_system(&parts).await?;
    Ok(Node::new(parts))
}

fn faults(builder: &NodeBuilder) -> Arc<Faults> {
    match builder.allow_faults {
        true => Faults::allowed(),
        false => Faults::off(),
    }
}

/// Who starts agents when they are wanted; it runs when the system does.
fn activation_of(
    node: &NodeName,
    hosts: &Hosts,
    records: &Records,
    endpoints: &Arc<Endpoints>,
    timers: &Timers,
) -> Activation {
    let (hosts, records) = (hosts.clone(), records.clone());
    Activation::new(ActivationParts {
        node: node.clone(),
        records: records.clone(),
        guests: Arc::new(AgentGuests { hosts, records }),
        endpoints: Arc::clone(endpoints),
        timers: timers.clone(),
        limits: Limits::default(),
        counts: Counts::default(),
    })
}

/// Level phases have threads of their own: synchronous code that spins cannot take a kernel's.
fn compute_pool(faults: &Arc<Faults>, stop: &watch::Sender<bool>) -> crate::Result<ComputePool> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let stop = stop.clone();
    let drain = move |abandoned| {
        tracing::error!(
            abandoned,
            "too many threads are lost to phases that do not end; the node stops"
        );
        stop.send_replace(true);
    };
    ComputePool::start(threads, Arc::clone(faults), drain).context("cannot start the threads of the levels")
}

/// A node without its store can promise nothing: it stops, and whoever keeps it running starts it anew.
fn watch_store(store: &Arc<RaftStore>, stop: &watch::Sender<bool>) -> Arc<OnceLock<Ended>> {
    let failed: Arc<OnceLock<Ended>> = Arc::default();
    let (store, stop, told) = (Arc::clone(store), stop.clone(), Arc::clone(&failed));
    rungs_host::tasks::spawn("watch the store", async move {
        let mut stopped = stop.subscribe();
        let ended = tokio::select! {
            ended = store.ended() => ended,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        tracing::error!(%ended, "the node stops");
        // Nobody else tells.
        let _ = told.set(ended);
        stop.send_replace(true);
    });
    failed
}

async fn connect(
    builder: &mut NodeBuilder,
    name: &NodeName,
    identity: Identity,
    clock: &Clock,
    timers: &Timers,
    endpoints: &Arc<Endpoints>,
    events: &EventHub,
) -> crate::Result<(Arc<ClusterTransport>, Mesh)> {
    let incarnation = clock.incarnation(None);
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
    let transport = ClusterTransport::bind(cluster, timers.clone(), None).await?;
    let mesh = Mesh::start(
        config,
        Arc::clone(&transport) as _,
        Arc::clone(endpoints),
        events.clone(),
    )
    .await?;
    Ok((transport, mesh))
}

/// The configured members, or this node alone.
fn members(builder: &NodeBuilder, name: &NodeName) -> Vec<Member> {
    let listed = builder.members.iter();
    let members: Vec<_> = listed
        .map(|member| Member {
            node: member.name.clone(),
            weight: member.weight,
        })
        .collect();
    if members.is_empty() {
        vec![Member {
            node: name.clone(),
            weight: 1,
        }]
    } else {
        members
    }
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

async fn supervisor(timers: &Timers, policy: Policy, seed: u64) -> crate::Result<SupervisorHandle> {
    let spec = SupervisorSpec {
        policy,
        seed,
        timers: timers.clone(),
        children: Vec::new(),
        observer: None,
    };
    Ok(SupervisorHandle::spawn(spec, None).await?)
}

async fn start_system(parts: &Arc<Parts>) -> crate::Result<()> {
    let directory = parts.directory.clone();
    let directory = ChildSpec::new(
        RolePath::new("directory")?,
        Restart::Permanent,
        move |context: StartContext| {
            let directory = directory.clone();
            async move {
                Ok(Started::from(
                    &DirectoryActor::start(directory, context.supervisor).await?,
                ))
            }
        },
    );
    parts.system.add(directory, ACTORS_DEADLINE).await?;
    start_activator(parts).await?;
    let weak = Arc::downgrade(parts);
    let control = Control::new(Weak::clone(&weak));
    let admin = ChildSpec::new(
        RolePath::new(ADMIN_ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (control, weak) = (Arc::clone(&control) as Arc<dyn NodeControl>, Weak::clone(&weak));
            async move {
                let (actor, _) = ractor::Actor::spawn_linked(None, Admin, control, context.supervisor).await?;
                let handle = Handle::new(actor, Mailbox::default());
                let parts = weak.upgrade().context("the node is stopping")?;
                parts
                    .endpoints
                    .register(admin_of(parts.directory.node()), admin::endpoint(handle.clone()));
                Ok(Started::from(&handle))
            }
        },
    );
    parts.system.add(admin, ACTORS_DEADLINE).await?;
    Ok(())
}

/// The activator, with the shards that are placed here. Their placement does not change, so they stay in one epoch.
async fn start_activator(parts: &Arc<Parts>) -> crate::Result<()> {
    let (directory, activation) = (parts.directory.clone(), parts.activation.clone());
    let activator = ChildSpec::new(
        RolePath::new(activation::ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (directory, activation) = (directory.clone(), activation.clone());
            async move {
                let shards = directory.own_shards().into_iter().map(|shard| (shard, Epoch(1)));
                Ok(activation.start(shards.collect(), context.supervisor).await?)
            }
        },
    );
    parts.system.add(activator, ACTORS_DEADLINE).await?;
    Ok(())
}
