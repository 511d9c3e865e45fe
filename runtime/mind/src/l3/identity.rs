//! The identity vector and how it moves.
//!
//! I = (persona consistency, value alignment, capability confidence, emotional stability, goal persistence), each in
//! [0, 1]. Invariants:
//! 1. A component moves by at most [`DELTA_MAX`] in a cycle, half of it in stabilization mode.
//! 2. The [`IdentityId`] never changes: no method takes `&mut` to it, and a restored state with another one is refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Components of I.
pub const COMPONENTS: usize = 5;
/// Most that a component of I moves in one cycle.
pub const DELTA_MAX: f64 = 0.05;
/// Share of a move that is made in stabilization mode.
pub const STABILIZING_SHARE: f64 = 0.5;
/// Acceleration, in units of [`DELTA_MAX`] per cycle per cycle, above which stabilization mode is entered.
pub const ACCELERATION_LIMIT: f64 = 2.0;
/// Drift fires when the hash changes and the unclamped step is longer than this.
pub const DRIFT_STEP: f64 = 0.1;
/// Resolution of the identity hash.
pub const HASH_QUANTUM: f64 = 1e-4;

/// Who the agent is, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdentityId(pub [u8; 16]);

impl IdentityId {
    /// The id of an agent's full name: the first half of its SHA-256.
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One move of I.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Motion {
    /// The change of each component, clamped.
    pub taken: [f64; COMPONENTS],
    /// What is left between I and its measurement after the move.
    pub left: [f64; COMPONENTS],
    /// Length of the unclamped step, in units of [`DELTA_MAX`].
    pub velocity: f64,
    /// Length of the change of the unclamped step, in units of [`DELTA_MAX`].
    pub acceleration: f64,
    /// The hash changed and the unclamped step is longer than [`DRIFT_STEP`].
    pub drift: bool,
    /// The move was made in stabilization mode.
    pub halved: bool,
}

/// The vector I and its last step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    id: IdentityId,
    /// I; `None` before the first measurement, which is taken as it is.
    current: Option<[f64; COMPONENTS]>,
    unclamped: [f64; COMPONENTS],
    hash: [u8; 32],
}

impl Identity {
    /// An identity that has not been measured yet.
    pub fn new(id: IdentityId) -> Self {
        Self {
            id,
            current: None,
            unclamped: [0.0; COMPONENTS],
            hash: [0; 32],
        }
    }

    /// Who this is.
    pub fn id(&self) -> IdentityId {
        self.id
    }

    /// SHA-256 of I quantised to [`HASH_QUANTUM`].
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// I; all zero before the first measurement.
    pub fn vector(&self) -> [f64; COMPONENTS] {
        self.current.unwrap_or_default()
    }

    /// Moves I towards what was measured. Measurements are clamped to [0, 1]; NaN leaves its component where it is.
    pub fn move_towards(&mut self, measured: [f64; COMPONENTS], stabilizing: bool) -> Motion {
        let from = self
            .current
            .unwrap_or(measured.map(|m| if m.is_nan() { 0.0 } else { m.clamp(0.0, 1.0) }));
        let target: [f64; COMPONENTS] = std::array::from_fn(|c| {
            if measured[c].is_nan() {
                from[c]
            } else {
                measured[c].clamp(0.0, 1.0)
            }
        });
        let unclamped: [f64; COMPONENTS] = std::array::from_fn(|c| target[c] - from[c]);
        let acceleration = distance(&unclamped, &self.unclamped) / DELTA_MAX;
        let halved = stabilizing || acceleration > ACCELERATION_LIMIT;
        let share = if halved { STABILIZING_SHARE } else { 1.0 };
        let taken = unclamped.map(|step| step.clamp(-DELTA_MAX, DELTA_MAX) * share);
        let to: [f64; COMPONENTS] = std::array::from_fn(|c| (from[c] + taken[c]).clamp(0.0, 1.0));
        let hash = hash_of(&to);
        let length = norm(&unclamped);
        let drift = self.current.is_some() && hash != self.hash && length > DRIFT_STEP;
        self.current = Some(to);
        self.unclamped = unclamped;
        self.hash = hash;
        let left = std::array::from_fn(|c| target[c] - to[c]);
        Motion {
            taken,
            left,
            velocity: length / DELTA_MAX,
            acceleration,
            drift,
            halved,
        }
    }

    /// Whether every number is one that the identity could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        self.vector().iter().all(|v| (0.0..=1.0).contains(v)) && self.unclamped.iter().all(|v| v.abs() <= 1.0)
    }
}

/// SHA-256 of the vector quantised to [`HASH_QUANTUM`], as 16-bit little-endian numbers.
pub fn hash_of(vector: &[f64; COMPONENTS]) -> [u8; 32] {
    let mut bytes = [0; 2 * COMPONENTS];
    for (pair, value) in bytes.chunks_exact_mut(2).zip(vector) {
        let quantum = (value.clamp(0.0, 1.0) / HASH_QUANTUM).round() as u16;
        pair.copy_from_slice(&quantum.to_le_bytes());
    }
    Sha256::digest(bytes).into()
}

/// L2 norm.
pub fn norm(vector: &[f64; COMPONENTS]) -> f64 {
    vector.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// L2 norm of the difference.
pub fn distance(a: &[f64; COMPONENTS], b: &[f64; COMPONENTS]) -> f64 {
    norm(&std::array::from_fn(|c| a[c] - b[c]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: [f64; COMPONENTS] = [1.0, 1.0, 0.5, 1.0, 1.0];

    fn started() -> Identity {
        let mut identity = Identity::new(IdentityId::of("default/ops-1"));
        identity.move_towards(START, false);
        identity
    }

    #[test]
    fn the_first_measurement_is_taken_as_it_is_without_drift() {
        let mut identity = Identity::new(IdentityId([7; 16]));
        let motion = identity.move_towards(START, false);
        assert_eq!((identity.vector(), motion.velocity, motion.drift), (START, 0.0, false));
        assert_eq!(identity.id(), IdentityId([7; 16]));
    }

    #[test]
    fn a_step_is_clamped_and_velocity_and_acceleration_are_of_the_unclamped_one() {
        let mut identity = started();
        // 0.08 in one component: velocity 1.6, acceleration 1.6 (from rest), taken 0.05, left 0.03.
        let motion = identity.move_towards([1.0, 1.0, 0.58, 1.0, 1.0], false);
        assert!((motion.velocity - 1.6).abs() < 1e-12 && (motion.acceleration - 1.6).abs() < 1e-12);
        assert!((motion.taken[2] - 0.05).abs() < 1e-15 && (motion.left[2] - 0.03).abs() < 1e-12);
        assert!(!motion.halved && !motion.drift);
        // The rest, 0.03: acceleration |0.03 - 0.08| / 0.05 = 1.
        let motion = identity.move_towards([1.0, 1.0, 0.58, 1.0, 1.0], false);
        assert!((motion.velocity - 0.6).abs() < 1e-12 && (motion.acceleration - 1.0).abs() < 1e-12);
        assert!((identity.vector()[2] - 0.58).abs() < 1e-12);
    }

    #[test]
    fn acceleration_above_two_halves_the_step_and_just_below_does_not() {
        // A jump of 0.0999 from rest is an acceleration of 1.998, one of 0.1001 of 2.002.
        let below = started().move_towards([1.0, 1.0, 0.5999, 1.0, 1.0], false);
        assert!(!below.halved && (below.taken[2] - 0.05).abs() < 1e-15);
        let above = started().move_towards([1.0, 1.0, 0.6001, 1.0, 1.0], false);
        assert!(above.halved && (above.taken[2] - 0.025).abs() < 1e-15);
        let told = started().move_towards([1.0, 1.0, 0.54, 1.0, 1.0], true);
        assert!((told.taken[2] - 0.02).abs() < 1e-15);
    }

    #[test]
    fn drift_needs_a_changed_hash_and_a_step_above_a_tenth() {
        assert!(!started().move_towards([1.0, 1.0, 0.5999, 1.0, 1.0], false).drift);
        assert!(started().move_towards([1.0, 1.0, 0.6001, 1.0, 1.0], false).drift);
        assert!(!started().move_towards(START, false).drift);
    }

    #[test]
    fn the_hash_sees_one_quantum_and_nothing_finer() {
        let near = [1.0, 1.0, 0.50004, 1.0, 1.0];
        let next = [1.0, 1.0, 0.50006, 1.0, 1.0];
        assert_eq!(hash_of(&START), hash_of(&near));
        assert_ne!(hash_of(&START), hash_of(&next));
        // SHA-256 of 10 bytes: 0x2710 (10000) little-endian, with 0x1388 (5000) in the third place.
        let bytes = [0x10, 0x27, 0x10, 0x27, 0x88, 0x13, 0x10, 0x27, 0x10, 0x27_u8];
        assert_eq!(hash_of(&START)[..], Sha256::digest(bytes)[..]);
    }

    #[test]
    fn the_id_of_a_name_is_half_its_digest_in_hex() {
        // SHA-256 of "abc" (FIPS 180-4).
        assert_eq!(IdentityId::of("abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
    }

    proptest! {
        #[test]
        fn no_measurement_moves_a_component_out_of_range_or_too_far(
            measured in prop::collection::vec(prop::array::uniform5(any::<f64>()), 1..20),
            stabilizing in any::<bool>(),
        ) {
            let mut identity = started();
            for m in measured {
                let before = identity.vector();
                let motion = identity.move_towards(m, stabilizing);
                prop_assert!(identity.is_valid());
                prop_assert!(motion.velocity.is_finite() && motion.acceleration.is_finite());
                for (b, a) in before.iter().zip(identity.vector()) {
                    prop_assert!((a - b).abs() <= DELTA_MAX + 1e-12);
                }
            }
        }
    }
}
