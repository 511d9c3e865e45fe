//! What the actors of one agent's tree share: the node's runtime, what outlives the tree, and the ways to each other.

use crate::desk::Desk;
use crate::guard::{Beat, GuardMessage, GuardState};
use crate::inbox::Inbox;
use crate::kernel::KernelPart;
use crate::level45::Level45Message;
use crate::level48::Level48Message;
use crate::level49::{Level49Message, PASSES_IN_FLIGHT};
use crate::quota;
use crate::runtime::AgentRuntime;
use crate::shared::Shared;
use crate::track::Track;
use rungs_host::compute::{ComputeError, Job, MAX_WAITING_JOBS};
use rungs_host::hosting::Hosting;
use rungs_host::{Endpoint, Handle, Mailbox, Membership};
use rungs_mind::l45::Level45State;
use rungs_mind::l49::Quotas;
use rungs_mind::ladder::At;
use rungs_types::{Address, Level, RolePath};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that passes of Level 4.8 weigh in that room: they are shared, so none are counted.
const MAX_ABOVE_BYTES: u64 = 1024;
/// Jobs waiting for a thread at which further ones are held back.
const NEARLY_FULL_JOBS: usize = MAX_WAITING_JOBS / 2;
/// How long they are held back before the next look.
const FULL_POOL_PAUSE: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) runtime: Arc<AgentRuntime>,
    pub(crate) shared: Arc<Shared>,
    /// What lies before the kernel.
    pub(crate) desk: Desk,
    /// Where the kernel's cycle is.
    pub(crate) kernel_track: Track,
    /// Where L4.5's report is.
    pub(crate) floor_track: Track,
    pub(crate) guard_beat: Beat,
    pub(crate) guard: Link<GuardMessage>,
    pub(crate) level45: Link<Level45Message>,
    pub(crate) level48: Link<Level48Message>,
    /// Level 4.9.
    pub(crate) level49: Link<Level49Message>,
    /// Room for passes of Level 4.8 at Level 4.9.
    pub(crate) above_48: Arc<Mailbox>,
    /// What other agents said, until Level 4.9 reads it.
    inbox: Mutex<Inbox>,
    /// Bits of the share of the processor quota that is in use; of NaN before it is known.
    quota_share: AtomicU64,
    cut_requested: AtomicBool,
    parts: Mutex<LastParts>,
}

/// What actors leave behind when they stop in order.
#[derive(Debug, Default)]
pub(crate) struct LastParts {
    pub(crate) kernel: Option<Box<KernelPart>>,
    pub(crate) floor: Option<Box<Level45State>>,
    pub(crate) guard: Option<Box<GuardState>>,
}

/// A role that is a constant of this crate.
pub(crate) fn role(name: &str) -> RolePath {
    RolePath::new(name).expect("invariant: a constant that is a valid role")
}

impl Tree {
    /// A tree without actors.
    pub(crate) fn new(runtime: Arc<AgentRuntime>, shared: Arc<Shared>) -> Self {
        Self {
            runtime,
            shared,
            desk: Desk::default(),
            kernel_track: Track::default(),
            floor_track: Track::default(),
            guard_beat: Beat::default(),
            guard: Link::default(),
            level45: Link::default(),
            level48: Link::default(),
            level49: Link::default(),
            above_48: Arc::new(Mailbox::bounded(PASSES_IN_FLIGHT, MAX_ABOVE_BYTES)),
            inbox: Mutex::default(),
            quota_share: AtomicU64::new(f64::NAN.to_bits()),
            cut_requested: AtomicBool::new(false),
            parts: Mutex::default(),
        }
    }

    /// Somebody outside has spoken to the agent.
    pub(crate) fn hear(&self) {
        self.shared.hear(self.runtime.clock.elapsed());
    }

    /// What other agents said. Held only to take in or out.
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The share of the processor quota that is in use.
    pub(crate) fn set_quota_share(&self, share: f64) {
        self.quota_share.store(share.to_bits(), Ordering::Relaxed);
    }

    /// What is metered of the agent; nothing of one without a quota, so that it does the same wherever it is run.
    pub(crate) fn quotas(&self) -> Quotas {
        let own_resources = self.shared.spec.environment.is_simulated();
        let metered = self.shared.spec.cpu_quota.map(|_| {
            let share = f64::from_bits(self.quota_share.load(Ordering::Relaxed));
            let known = Some(share).filter(|share| share.is_finite());
            quota::left(known, self.shared.meter.read().state_bytes)
        });
        Quotas {
            own_resources,
            ..metered.unwrap_or_default()
        }
    }

    /// Now, as the ladder counts it.
    pub(crate) fn at(&self) -> At {
        self.at_cycle(self.shared.cycle())
    }

    /// A moment of an earlier cycle, as the ladder counts it.
    pub(crate) fn at_cycle(&self, cycle: u64) -> At {
        self.runtime.at(cycle)
    }

    /// How long one computation of a level may take.
    pub(crate) fn phase_deadline(&self) -> Duration {
        Duration::from_millis(self.shared.spec.phase_deadline_ms)
    }

    /// Computes on the level threads for an actor of the tree. What is moved into the work is lost with it, so a pool
    /// that is nearly full is not tried: the work waits here, and the level has fewer passes.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        address: &Address,
        work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let pool = &self.runtime.compute;
        while pool.stats().waiting >= NEARLY_FULL_JOBS {
            tokio::time::sleep(FULL_POOL_PAUSE).await;
        }
        let job = Job {
            address: address.clone(),
            deadline: self.phase_deadline(),
            meter: Arc::clone(&self.shared.meter),
        };
        pool.run(job, work).await
    }

    /// The next report is to carry the kernel's state with it.
    pub(crate) fn request_cut(&self) {
        self.cut_requested.store(true, Ordering::Release);
    }

    /// Whether this report is to; asked once for each request.
    pub(crate) fn take_cut_request(&self) -> bool {
        self.cut_requested.swap(false, Ordering::AcqRel)
    }

    /// What actors have left behind.
    pub(crate) fn parts(&self) -> MutexGuard<'_, LastParts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an actor of the tree is reached; the root without a role.
    pub(crate) fn address(&self, role: Option<&RolePath>) -> Address {
        Address::Agent {
            agent: self.shared.agent().clone(),
            role: role.cloned(),
        }
    }

    /// What surrounds an actor of the tree.
    pub(crate) fn hosting(&self, role: Option<&RolePath>, mailbox: &Arc<Mailbox>) -> Hosting {
        Hosting {
            address: self.address(role),
            mailbox: Arc::clone(mailbox),
            faults: Arc::clone(&self.runtime.faults),
            meter: Arc::clone(&self.shared.meter),
        }
    }

    /// Lets the agent be reached by the name of its group, if it is in one and hears other agents at all, for as long as the
    /// result lives; it belongs into the root's state.
    pub(crate) fn join_group(&self) -> Option<Membership> {
        let spec = &self.shared.spec;
        let group = spec.group_address().filter(|_| spec.highest >= Level::L49)?;
        Some(self.runtime.endpoints.groups().join(group, spec.agent.clone()))
    }

    /// Makes an actor reachable for as long as the result lives; it belongs into the actor's state.
    pub(crate) fn register(
        self: &Arc<Self>,
        role: Option<&RolePath>,
        mailbox: &Arc<Mailbox>,
        endpoint: Endpoint,
    ) -> Registered {
        let address = self.address(role);
        self.runtime.endpoints.register(address.clone(), endpoint);
        Registered {
            tree: Arc::clone(self),
            address,
            mailbox: Arc::clone(mailbox),
        }
    }
}

/// The way to an actor of the tree while it runs.
#[derive(Debug)]
pub(crate) struct Link<M: Send + 'static>(Mutex<Option<Handle<M>>>);

impl<M: Send + 'static> Default for Link<M> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<M: Send + 'static> Link<M> {
    /// The actor, if it runs.
    pub(crate) fn get(&self) -> Option<Handle<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The actor has started.
    pub(crate) fn set(&self, handle: Handle<M>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// The actor has ended; a reference to it would keep most of its memory.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// An entry of the endpoints table; taken away when the actor's state is dropped, however it ended.
#[derive(Debug)]
pub(crate) struct Registered {
    tree: Arc<Tree>,
    address: Address,
    /// Tells the actor's entry from that of the one that replaced it.
    mailbox: Arc<Mailbox>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let endpoints = &self.tree.runtime.endpoints;
        let own = |endpoint: &Endpoint| std::ptr::eq(endpoint.mailbox(), &*self.mailbox);
        if endpoints.get(&self.address).is_some_and(|endpoint| own(&endpoint)) {
            endpoints.remove(&self.address);
        }
    }
}
