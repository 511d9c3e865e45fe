//! What the map, the leases and the planner cost as a cluster grows: the figures of `src/scale.md`.
//!
//! `cargo run --release -p rungs-directory --example scale`

use rungs_directory::membership::{
    Identity, Input, LeaseRow, MemberRow, MemberState, Membership, Predecessor, Revision, Role, Time, Timing, View,
};
use rungs_directory::placement::{Candidate, Pins, Plan, Standing, Zone, encoding, planner};
use rungs_directory::{SHARDS, Shard, ShardMap};
use rungs_types::{AgentId, AgentName, Incarnation, NodeId, NodeName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SIZES: [usize; 4] = [3, 10, 100, 1_000];
/// Agents whose names are hashed; what a hundred times as many come to is less uneven.
const SAMPLED_AGENTS: usize = 1_000_000;
const AGENTS: usize = 100_000_000;

fn node(index: usize) -> NodeName {
    NodeName::new(&format!("node-{index:04}")).expect("letters and digits")
}

fn candidates(nodes: usize, joining: usize) -> Vec<Candidate> {
    let of = |index: usize| Candidate {
        node: node(index),
        weight: 1,
        zone: Zone::default(),
        standing: if index < nodes {
            Standing::Live
        } else {
            Standing::Joining
        },
    };
    (0..nodes + joining).map(of).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures how long things take on this machine"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = std::time::Instant::now();
    let result = work();
    (result, begin.elapsed())
}

fn plan(map: &ShardMap, candidates: &[Candidate]) -> (Plan, Duration) {
    timed(|| planner::plan(map, candidates, &Pins::default()))
}

fn settled(nodes: usize) -> ShardMap {
    let candidates = candidates(nodes, 0);
    let mut map = ShardMap::default();
    loop {
        let (plan, _) = plan(&map, &candidates);
        if plan.is_empty() {
            return map;
        }
        map = map.apply(&plan.steps()).expect("a plan fits its map");
    }
}

/// How long a member takes to look at the whole state of the store once more.
fn look(map: &ShardMap, nodes: usize) -> Duration {
    let identity = |index: usize| Identity {
        node: NodeId {
            name: node(index),
            incarnation: Incarnation(1),
        },
        role: Role::Member,
        zone: Zone::default(),
        weight: 1,
        address: None,
    };
    let row = |index: usize| {
        let state = MemberState::Live;
        let identity = identity(index);
        (node(index), MemberRow { identity, state })
    };
    let lease = |index: usize| {
        let holder = identity(index).node;
        (node(index), LeaseRow { holder, renewal: 1 })
    };
    let view = |revision| View {
        revision: Revision(revision),
        map: Arc::new(map.clone()),
        members: (0..nodes).map(row).collect(),
        leases: (0..nodes).map(lease).collect(),
        pins: Arc::default(),
    };
    let machine = Membership::new(identity(0), Timing::DEFAULT, Predecessor::Ended);
    let mut machine = machine.expect("the times of a cluster are right");
    machine.step(Time(0), Input::Seen(Arc::new(view(1))));
    let again = Arc::new(view(2));
    timed(|| machine.step(Time(1), Input::Seen(again))).1
}

fn loads(map: &ShardMap) -> (f64, f64) {
    let mut shards = vec![0_usize; usize::from(SHARDS)];
    for index in 0..SAMPLED_AGENTS {
        let name = AgentName::new(&format!("agent-{index}")).expect("letters and digits");
        shards[Shard::of(&AgentId::of_default_tenant(name)).index()] += 1;
    }
    let mut loads: BTreeMap<&NodeName, usize> = BTreeMap::new();
    for (shard, holding) in map.holdings() {
        *loads
            .entry(holding.owner.expect("every shard has an owner"))
            .or_default() += shards[shard.index()];
    }
    let mean = SAMPLED_AGENTS as f64 / loads.len() as f64;
    let of = |load: Option<&usize>| load.map_or(0.0, |load| *load as f64 / mean);
    (of(loads.values().min()), of(loads.values().max()))
}

fn main() {
    println!(
        "nodes  map bytes  join moves  of 1.2/N  plan join  plan death  death moves  a look  leases/s  load min-max"
    );
    for nodes in SIZES {
        let map = settled(nodes);
        let bytes = encoding::encode(&map).len();
        let (join, join_time) = plan(&map, &candidates(nodes, 1));
        let moves = join.moves.len() + join.waiting;
        let limit = 1.2 * f64::from(SHARDS) / nodes as f64;
        let (death, death_time) = plan(&map, &candidates(nodes, 0)[1..]);
        let look = look(&map, nodes);
        let renewals = nodes as f64 / Timing::DEFAULT.renew.as_secs_f64();
        let (least, most) = loads(&map);
        println!(
            "{nodes:>5}  {bytes:>9}  {moves:>10}  {limit:>8.0}  {join_time:>9.1?}  {death_time:>10.1?}  {:>11}  {look:>6.0?}  {renewals:>8}  {least:.2}-{most:.2}",
            death.moves.len() + death.waiting,
        );
    }
    println!("{} agents of {AGENTS} in a shard", AGENTS / usize::from(SHARDS));
}
