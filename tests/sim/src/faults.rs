//! What goes wrong, when, and until when: drawn from the seed before anything runs.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// Something that goes wrong, or is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Links between two groups stop or start: those whose bit is set, and the others.
    Split(u128, bool),
    /// The link from one to the other stops or starts.
    OneWay(usize, usize, bool),
    /// A node's links become slow, or not.
    Slow(usize, bool),
    /// So many of a hundred packets are lost, doubled, or late on their way to the store.
    Noise(u32, u32, u32),
    /// A process is killed.
    Crash(usize),
    /// A process begins; `true` if it knows that the one before has ended.
    Start(usize, bool),
    /// A process does nothing for so many ms.
    Pause(usize, u64),
    /// A node is asked to leave.
    Leave(usize),
    /// An operator drains a node, or gives it its share again.
    Drain(usize, bool),
}

/// When faults begin and end, in ms.
pub const CHAOS_MS: (u64, u64) = (15_000, 45_000);

/// Requests to the store that are late all that time, of a hundred.
const LATE_PERCENT: u32 = 3;

/// Faults with when they happen, in order.
pub fn plan(nodes: usize, has_faults: bool, rng: &mut Pcg64Mcg) -> Vec<(u64, Fault)> {
    let mut faults = vec![(0, Fault::Start(0, true))];
    for node in 1..nodes {
        faults.push((rng.random_range(100..3_000), Fault::Start(node, true)));
    }
    if has_faults {
        faults.push((CHAOS_MS.0, Fault::Noise(0, 0, LATE_PERCENT)));
    }
    // More nodes have more faults.
    let count = rng.random_range(3..=8) * nodes.div_ceil(10);
    for _ in 0..count {
        let begin = rng.random_range(CHAOS_MS.0..CHAOS_MS.1 - 2_000);
        let end = (begin + rng.random_range(200..12_000)).min(CHAOS_MS.1);
        match has_faults {
            true => one(nodes, begin, end, rng, &mut faults),
            false => calm(nodes, begin, end, rng, &mut faults),
        }
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn calm(nodes: usize, begin: u64, end: u64, rng: &mut Pcg64Mcg, faults: &mut Vec<(u64, Fault)>) {
    let node = rng.random_range(0..nodes);
    if rng.random_range(0..2) == 0 {
        faults.extend([(begin, Fault::Drain(node, true)), (end, Fault::Drain(node, false))]);
    } else {
        faults.push((begin, Fault::Leave(node)));
    }
}

/// Some of the nodes, but not all.
fn group(nodes: usize, rng: &mut Pcg64Mcg) -> u128 {
    let all = u128::MAX >> (128 - nodes);
    rng.random_range(1..all)
}

fn one(nodes: usize, begin: u64, end: u64, rng: &mut Pcg64Mcg, faults: &mut Vec<(u64, Fault)>) {
    let node = rng.random_range(0..nodes);
    match rng.random_range(0..11) {
        0 | 1 => {
            // Any two groups; a node alone is one of them.
            let group = group(nodes, rng);
            faults.extend([(begin, Fault::Split(group, true)), (end, Fault::Split(group, false))]);
        }
        2 => {
            let group = 1_u128 << node;
            faults.extend([(begin, Fault::Split(group, true)), (end, Fault::Split(group, false))]);
        }
        3 => {
            // Flapping.
            let group = group(nodes, rng);
            let period = rng.random_range(200..2_000);
            for (turn, at) in (begin..end).step_by(period).enumerate() {
                faults.push((at, Fault::Split(group, turn % 2 == 0)));
            }
            faults.push((end, Fault::Split(group, false)));
        }
        4 => {
            let to = (node + rng.random_range(1..nodes)) % nodes;
            faults.extend([
                (begin, Fault::OneWay(node, to, true)),
                (end, Fault::OneWay(node, to, false)),
            ]);
        }
        5 => faults.extend([(begin, Fault::Slow(node, true)), (end, Fault::Slow(node, false))]),
        6 => {
            let [loss, double, late] = [20, 20, 20].map(|most| rng.random_range(0..=most));
            faults.extend([
                (begin, Fault::Noise(loss, double, late)),
                (end, Fault::Noise(0, 0, LATE_PERCENT)),
            ]);
        }
        7 => faults.push((begin, Fault::Pause(node, rng.random_range(500..9_000)))),
        8 => faults.extend([(begin, Fault::Drain(node, true)), (end, Fault::Drain(node, false))]),
        9 => faults.extend([(begin, Fault::Leave(node)), (end, Fault::Start(node, true))]),
        _ => {
            let knows = rng.random_range(0..3) > 0;
            faults.extend([(begin, Fault::Crash(node)), (end, Fault::Start(node, knows))]);
        }
    }
}
