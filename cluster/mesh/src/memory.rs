//! A network in memory for simulations and tests: seeded, with delay, loss, repetition, reordering and partitions.
//!
//! One task carries all frames in the order of their times, so that with a paused clock one seed gives one run. Nodes
//! that have joined are connected with each other; a link that was closed comes again after [`RECONNECT`].

use crate::role::Roles;
use crate::transport::{Link, LinkClosed, LinkEvents, PeerIdentity, Traffic, Transport, TransportError, Uplink};
use bytes::Bytes;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rungs_host::tasks;
use rungs_types::{NodeId, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long after its end a link comes again.
pub const RECONNECT: Duration = Duration::from_millis(100);
/// Frames that may be under way in one direction of a link.
pub const MAX_IN_FLIGHT: usize = 8;

/// What the network does to frames. Probabilities are in [0, 1].
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Shortest way.
    pub min_delay: Duration,
    /// Longest way.
    pub max_delay: Duration,
    /// Probability that a frame is lost.
    pub loss: f64,
    /// Probability that a frame arrives twice.
    pub repetition: f64,
    /// Probability that a frame may overtake those before it.
    pub reordering: f64,
    /// Bytes that one direction of a link carries in a second; `None` for any number.
    pub bytes_per_s: Option<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_micros(50),
            max_delay: Duration::from_micros(150),
            loss: 0.0,
            repetition: 0.0,
            reordering: 0.0,
            bytes_per_s: None,
        }
    }
}

struct Member {
    identity: PeerIdentity,
    uplink: Arc<dyn Uplink>,
}

enum Arrival {
    Frame(Bytes),
    Closed,
}

struct Net {
    rng: StdRng,
    faults: Faults,
    members: BTreeMap<NodeName, Member>,
    /// Directions that are cut.
    cut: BTreeSet<(NodeName, NodeName)>,
    /// The pairs that are linked, each with its two ends.
    linked: BTreeMap<(NodeName, NodeName), [Arc<End>; 2]>,
    under_way: BTreeMap<(Instant, u64), (Arc<End>, Arrival)>,
    next: u64,
}

/// A network in memory; cheap to clone.
#[derive(Clone)]
pub struct MemoryNetwork {
    net: Arc<Mutex<Net>>,
    changed: Arc<Notify>,
}

/// One end of a link: `owner` sends here to `peer`.
struct End {
    owner: NodeName,
    peer: PeerIdentity,
    network: MemoryNetwork,
    other: Mutex<Weak<End>>,
    events: Mutex<Option<Arc<dyn LinkEvents>>>,
    open: AtomicBool,
    in_flight: AtomicUsize,
    last_arrival: Mutex<Option<Instant>>,
    /// When all frames sent so far have left.
    all_left: Mutex<Option<Instant>>,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl MemoryNetwork {
    /// A network without members. Must be called within a runtime; ends when all handles are gone.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let network = Self {
            net: Arc::new(Mutex::new(Net {
                rng: StdRng::seed_from_u64(seed),
                faults,
                members: BTreeMap::new(),
                cut: BTreeSet::new(),
                linked: BTreeMap::new(),
                under_way: BTreeMap::new(),
                next: 0,
            })),
            changed: Arc::new(Notify::new()),
        };
        tasks::spawn(
            "memory network",
            carry(Arc::downgrade(&network.net), Arc::clone(&network.changed)),
        );
        network
    }

    fn lock(&self) -> MutexGuard<'_, Net> {
        self.net.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transport of one node.
    pub fn transport(&self, node: NodeId, roles: Roles) -> Arc<dyn Transport> {
        Arc::new(MemoryTransport {
            network: self.clone(),
            identity: PeerIdentity { node, roles },
        })
    }

    /// Changes what happens to frames from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Cuts one direction: what `from` sends no longer reaches `to`, and neither learns of it.
    pub fn cut(&self, from: &NodeName, to: &NodeName) {
        self.lock().cut.insert((from.clone(), to.clone()));
    }

    /// Cuts both directions.
    pub fn partition(&self, a: &NodeName, b: &NodeName) {
        self.cut(a, b);
        self.cut(b, a);
    }

    /// Breaks the link of two nodes: what is under way on it is lost, both learn of it at once, and it comes again.
    pub fn sever(&self, a: &NodeName, b: &NodeName) {
        let pair = if a < b {
            (a.clone(), b.clone())
        } else {
            (b.clone(), a.clone())
        };
        let ends = {
            let mut net = self.lock();
            let Some(ends) = net.linked.remove(&pair) else { return };
            net.under_way
                .retain(|_, (end, _)| !ends.iter().any(|of| Arc::ptr_eq(of, end)));
            ends
        };
        for end in ends {
            end.open.store(false, Ordering::Release);
            if let Some(events) = end.events() {
                events.closed("the link was severed");
            }
        }
    }

    /// Heals everything that was cut.
    pub fn heal(&self) {
        self.lock().cut.clear();
        self.changed.notify_one();
    }
}

impl Net {
    fn delay(&mut self) -> Duration {
        let Faults {
            min_delay, max_delay, ..
        } = self.faults;
        min_delay + (max_delay.saturating_sub(min_delay)).mul_f64(self.rng.random())
    }

    fn schedule(&mut self, at: Instant, end: Arc<End>, arrival: Arrival) {
        self.under_way.insert((at, self.next), (end, arrival));
        self.next += 1;
    }

    /// Takes everything that is due.
    fn due(&mut self, now: Instant) -> Vec<(Arc<End>, Arrival)> {
        let later = self.under_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.under_way, later).into_values().collect()
    }

    /// New links between members that have none.
    fn connect(&mut self, network: &MemoryNetwork) -> Vec<(Arc<dyn Uplink>, Arc<End>)> {
        self.linked
            .retain(|_, ends| ends.iter().all(|end| end.open.load(Ordering::Acquire)));
        let names: Vec<_> = self.members.keys().cloned().collect();
        let mut up = Vec::new();
        for (i, a) in names.iter().enumerate() {
            for b in &names[i + 1..] {
                let pair = (a.clone(), b.clone());
                let cut = self.cut.contains(&pair) || self.cut.contains(&(b.clone(), a.clone()));
                if cut || self.linked.contains_key(&pair) {
                    continue;
                }
                let (at_a, at_b) = (&self.members[a], &self.members[b]);
                let ends = End::pair(network, &at_a.identity, &at_b.identity);
                up.push((Arc::clone(&at_a.uplink), Arc::clone(&ends[0])));
                up.push((Arc::clone(&at_b.uplink), Arc::clone(&ends[1])));
                self.linked.insert(pair, ends);
            }
        }
        up
    }
}

/// Carries frames and connects members until the network is gone.
async fn carry(net: Weak<Mutex<Net>>, changed: Arc<Notify>) {
    let mut reconnect = tokio::time::interval(RECONNECT);
    loop {
        let Some(strong) = net.upgrade() else { return };
        let network = MemoryNetwork {
            net: strong,
            changed: Arc::clone(&changed),
        };
        let (arrivals, next) = {
            let mut net = network.lock();
            let arrivals = net.due(Instant::now());
            (arrivals, net.under_way.keys().next().map(|(at, _)| *at))
        };
        drop(network);
        for (end, arrival) in arrivals {
            end.arrive(arrival);
        }
        let idle = Instant::now() + RECONNECT;
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep_until(next.unwrap_or(idle)), if next.is_some() => {}
            _ = reconnect.tick() => {
                let Some(net) = net.upgrade() else { return };
                let network = MemoryNetwork { net, changed: Arc::clone(&changed) };
                let up = network.lock().connect(&network);
                for (uplink, end) in up {
                    let events = uplink.link_up(Arc::clone(&end) as Arc<dyn Link>);
                    *end.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(events);
                }
            }
        }
    }
}

impl End {
    fn pair(network: &MemoryNetwork, a: &PeerIdentity, b: &PeerIdentity) -> [Arc<Self>; 2] {
        let end = |owner: &PeerIdentity, peer: &PeerIdentity| {
            Arc::new(Self {
                owner: owner.node.name.clone(),
                peer: peer.clone(),
                network: network.clone(),
                other: Mutex::default(),
                events: Mutex::default(),
                open: AtomicBool::new(true),
                in_flight: AtomicUsize::new(0),
                last_arrival: Mutex::default(),
                all_left: Mutex::default(),
                frames_in: AtomicU64::new(0),
                frames_out: AtomicU64::new(0),
                bytes_in: AtomicU64::new(0),
                bytes_out: AtomicU64::new(0),
            })
        };
        let ends = [end(a, b), end(b, a)];
        for (end, other) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            *end.other.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(other);
        }
        ends
    }

    fn other(&self) -> Option<Arc<End>> {
        self.other.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn events(&self) -> Option<Arc<dyn LinkEvents>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something from the other end has arrived here.
    fn arrive(&self, arrival: Arrival) {
        let cut = {
            let net = self.network.lock();
            net.cut.contains(&(self.peer.node.name.clone(), self.owner.clone()))
        };
        match arrival {
            Arrival::Frame(frame) => {
                if let Some(sender) = self.other() {
                    sender.in_flight.fetch_sub(1, Ordering::AcqRel);
                    if let Some(events) = sender.events() {
                        events.writable();
                    }
                }
                if cut || !self.open.load(Ordering::Acquire) {
                    return;
                }
                self.frames_in.fetch_add(1, Ordering::Relaxed);
                self.bytes_in.fetch_add(frame.len() as u64, Ordering::Relaxed);
                if let Some(events) = self.events() {
                    events.frame(frame);
                }
            }
            Arrival::Closed if cut => {}
            Arrival::Closed => {
                self.open.store(false, Ordering::Release);
                if let Some(events) = self.events() {
                    events.closed("the peer has closed the link");
                }
            }
        }
    }

    /// When a frame sent now has left, behind those before it.
    fn leaving_time(&self, net: &Net, bytes: usize) -> Instant {
        let takes = net.faults.bytes_per_s.map_or(Duration::ZERO, |bytes_per_s| {
            Duration::from_secs_f64(bytes as f64 / bytes_per_s.max(1) as f64)
        });
        let mut all_left = self.all_left.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = all_left.map_or_else(Instant::now, |before| before.max(Instant::now()));
        *all_left.insert(begins + takes)
    }

    /// When a frame sent now arrives: not before the one before it, unless it may overtake.
    fn arrival_time(&self, net: &mut Net, bytes: usize) -> Instant {
        let at = self.leaving_time(net, bytes) + net.delay();
        let overtakes = net.rng.random_bool(net.faults.reordering.clamp(0.0, 1.0));
        let mut last = self.last_arrival.lock().unwrap_or_else(PoisonError::into_inner);
        let at = if overtakes {
            at
        } else {
            last.map_or(at, |last| at.max(last))
        };
        *last = Some(last.map_or(at, |last| last.max(at)));
        at
    }
}

impl Link for End {
    fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    fn send(&self, frame: Bytes) -> Result<(), LinkClosed> {
        let other = self
            .other()
            .filter(|_| self.open.load(Ordering::Acquire))
            .ok_or(LinkClosed)?;
        self.frames_out.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(frame.len() as u64, Ordering::Relaxed);
        let mut net = self.network.lock();
        let Faults { loss, repetition, .. } = net.faults;
        let copies = if net.rng.random_bool(loss.clamp(0.0, 1.0)) {
            0
        } else {
            1 + usize::from(net.rng.random_bool(repetition.clamp(0.0, 1.0)))
        };
        for _ in 0..copies {
            let at = self.arrival_time(&mut net, frame.len());
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            net.schedule(at, Arc::clone(&other), Arrival::Frame(frame.clone()));
        }
        drop(net);
        self.network.changed.notify_one();
        Ok(())
    }

    fn is_writable(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) < MAX_IN_FLIGHT
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0
    }

    fn close(&self, _reason: &str) {
        if !self.open.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(other) = self.other() {
            let mut net = self.network.lock();
            let at = self.arrival_time(&mut net, 0);
            net.schedule(at, other, Arrival::Closed);
        }
        self.network.changed.notify_one();
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            frames_in: self.frames_in.load(Ordering::Relaxed),
            frames_out: self.frames_out.load(Ordering::Relaxed),
        }
    }
}

struct MemoryTransport {
    network: MemoryNetwork,
    identity: PeerIdentity,
}

impl Transport for MemoryTransport {
    fn start(&self, uplink: Arc<dyn Uplink>) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let member = Member {
                identity: self.identity.clone(),
                uplink,
            };
            let name = self.identity.node.name.clone();
            let mut net = self.network.lock();
            net.linked.retain(|pair, _| pair.0 != name && pair.1 != name);
            net.members.insert(name, member);
            Ok(())
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let name = &self.identity.node.name;
            let ends: Vec<_> = {
                let mut net = self.network.lock();
                let listed = net
                    .members
                    .get(name)
                    .is_some_and(|member| member.identity == self.identity);
                if !listed {
                    return;
                }
                net.members.remove(name);
                net.linked
                    .values()
                    .flatten()
                    .filter(|end| end.owner == *name)
                    .cloned()
                    .collect()
            };
            for end in ends {
                end.close("the node stops");
            }
        })
    }
}
