//! The network: which links work, how slow they are, and how much they lose and double.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;

/// Between any two nodes, in one direction.
#[derive(Debug, Clone)]
pub struct Network {
    /// Links that carry nothing, from and to.
    blocked: BTreeSet<(usize, usize)>,
    /// Nodes whose links are slow.
    slow: BTreeSet<usize>,
    /// Packets lost, of a hundred.
    pub loss_percent: u32,
    /// Packets doubled, of a hundred.
    pub double_percent: u32,
    /// Requests to the store that take seconds, of a hundred.
    pub late_percent: u32,
}

impl Network {
    /// That works.
    pub fn new() -> Self {
        Self {
            blocked: BTreeSet::new(),
            slow: BTreeSet::new(),
            loss_percent: 0,
            double_percent: 0,
            late_percent: 0,
        }
    }

    /// Everything works again.
    pub fn heal(&mut self) {
        *self = Self::new();
    }

    /// Stops or starts a link.
    pub fn block(&mut self, from: usize, to: usize, blocked: bool) {
        if blocked {
            self.blocked.insert((from, to));
        } else {
            self.blocked.remove(&(from, to));
        }
    }

    /// Makes a node's links slow, or not.
    pub fn slow(&mut self, node: usize, slow: bool) {
        if slow {
            self.slow.insert(node);
        } else {
            self.slow.remove(&node);
        }
    }

    /// Whether the link works.
    pub fn carries(&self, from: usize, to: usize) -> bool {
        from == to || !self.blocked.contains(&(from, to))
    }

    /// Whether the two hear each other.
    pub fn connects(&self, a: usize, b: usize) -> bool {
        self.carries(a, b) && self.carries(b, a)
    }

    /// When the copies of a packet arrive, in ms from now; none if it is lost.
    pub fn delays(&self, from: usize, to: usize, rng: &mut Pcg64Mcg) -> Vec<u64> {
        if !self.carries(from, to) || chance(rng, self.loss_percent) {
            return Vec::new();
        }
        let copies = 1 + usize::from(chance(rng, self.double_percent));
        (0..copies).map(|_| self.delay(from, to, rng)).collect()
    }

    /// How long something takes from one to the other.
    pub fn delay(&self, from: usize, to: usize, rng: &mut Pcg64Mcg) -> u64 {
        let factor = match self.slow.contains(&from) || self.slow.contains(&to) {
            true => 30,
            false => 1,
        };
        factor * rng.random_range(1..=15)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// True in so many cases of a hundred.
pub fn chance(rng: &mut Pcg64Mcg, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}
