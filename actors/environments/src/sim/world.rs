//! The simulated world itself: what is true in each cycle, whether or not anybody samples it.
//!
//! Dimension d holds `z`, its departure from the mean in sigma: `z' = phi z + sqrt(1 - phi^2) sqrt(factor) e` with `e`
//! standard normal, so that without events the long-run variance of `z` is 1. Shocks are added to `z` and decay with
//! it; everything else is added on top of `z` and leaves it as it is.
//!
//! Invariants:
//! 1. Each dimension draws exactly one normal number per cycle from its own generator: the noise of a dimension
//!    depends on seed, index and cycle only, never on the other dimensions, on events or on who is watching.
//! 2. Every value is finite, and within `[0, capacity]` where there is one.

use rand::SeedableRng as _;
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_types::SimDimension;
use rungs_types::spec::{MAX_SIM_MAGNITUDE, SimEvent, SimSpec};
use std::f64::consts::TAU;

/// The world, before its first cycle or after some.
#[derive(Debug)]
pub(super) struct World {
    dimensions: Vec<State>,
    /// Cycles that have passed; the next one has this number.
    cycle: u64,
}

#[derive(Debug)]
struct State {
    spec: SimDimension,
    /// Those that concern this dimension.
    events: Vec<SimEvent>,
    /// Departure from the mean, in sigma.
    z: f64,
    noise: Pcg64Mcg,
}

/// What a dimension is worth in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Truth {
    pub(super) value: f64,
    /// Whether a planted gap hides it.
    pub(super) hidden: bool,
}

/// What the events do to one dimension in one cycle.
struct Effect {
    /// Added to `z` once.
    shock: f64,
    /// Added on top, in sigma.
    offset: f64,
    /// Multiple of the variance of the noise.
    variance: f64,
    /// How far from the mean to the capacity, 0 to 1.
    exhaustion: f64,
    hidden: bool,
}

/// A generator of its own for each (seed, stream): SplitMix64 between the two keeps neighbours apart.
pub(super) fn generator(seed: u64, stream: u64) -> Pcg64Mcg {
    let mut mixed = seed.wrapping_add(stream.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Pcg64Mcg::seed_from_u64(mixed ^ (mixed >> 31))
}

impl World {
    /// The world of a valid specification.
    pub(super) fn new(spec: &SimSpec) -> Self {
        let dimensions = (0..).zip(&spec.dimensions).map(|(index, dimension)| State {
            spec: *dimension,
            events: spec
                .events
                .iter()
                .filter(|event| concerns(event, index))
                .copied()
                .collect(),
            z: 0.0,
            noise: generator(spec.seed, u64::from(index)),
        });
        Self {
            dimensions: dimensions.collect(),
            cycle: 0,
        }
    }

    /// The number of the next cycle.
    pub(super) fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Lets one cycle pass and tells what is true in it, dimension by dimension.
    pub(super) fn step(&mut self) -> impl Iterator<Item = Truth> {
        let cycle = self.cycle;
        self.cycle += 1;
        self.dimensions.iter_mut().map(move |state| state.step(cycle))
    }
}

impl State {
    fn step(&mut self, cycle: u64) -> Truth {
        let effect = effect(&self.events, cycle);
        let normal: f64 = StandardNormal.sample(&mut self.noise);
        let noise = normal * effect.variance.sqrt();
        let phi = self.spec.phi;
        // The first cycle is drawn from the long-run distribution, so that the world has no warm-up.
        self.z = if cycle == 0 {
            noise
        } else {
            phi * self.z + (1.0 - phi * phi).sqrt() * noise
        };
        self.z += effect.shock;
        let calm = self.spec.mean + self.spec.sigma * (self.z + effect.offset);
        let value = match self.spec.capacity {
            Some(capacity) => (calm + effect.exhaustion * (capacity - calm)).clamp(0.0, capacity),
            None => calm,
        };
        Truth {
            value,
            hidden: effect.hidden,
        }
    }
}

fn concerns(event: &SimEvent, index: u32) -> bool {
    match *event {
        SimEvent::Variance { dimension, .. } | SimEvent::Gap { dimension, .. } => dimension.is_none_or(|d| d == index),
        SimEvent::Shock { dimension, .. }
        | SimEvent::Ramp { dimension, .. }
        | SimEvent::LevelShift { dimension, .. }
        | SimEvent::Oscillation { dimension, .. } => dimension == index,
    }
}

fn effect(events: &[SimEvent], cycle: u64) -> Effect {
    let mut effect = Effect {
        shock: 0.0,
        offset: 0.0,
        variance: 1.0,
        exhaustion: 0.0,
        hidden: false,
    };
    for event in events {
        match *event {
            SimEvent::Shock { at, sigmas, .. } if cycle == at => effect.shock += sigmas,
            SimEvent::Variance { from, to, factor, .. } if (from..to).contains(&cycle) => {
                effect.variance = (effect.variance * factor).min(MAX_SIM_MAGNITUDE);
            }
            SimEvent::Gap { from, to, .. } if (from..to).contains(&cycle) => effect.hidden = true,
            SimEvent::Ramp { from, to, until, .. } if cycle >= from && until.is_none_or(|until| cycle < until) => {
                let progress = ((cycle - from) as f64 / (to - from) as f64).min(1.0);
                effect.exhaustion = effect.exhaustion.max(progress);
            }
            SimEvent::LevelShift { at, sigmas, .. } if cycle >= at => effect.offset += sigmas,
            SimEvent::Oscillation {
                from,
                to,
                sigmas,
                period_cycles,
                ..
            } if (from..to).contains(&cycle) => {
                let turned = (cycle - from) % u64::from(period_cycles);
                effect.offset += sigmas * (TAU * turned as f64 / f64::from(period_cycles)).sin();
            }
            _ => {}
        }
    }
    effect
}
