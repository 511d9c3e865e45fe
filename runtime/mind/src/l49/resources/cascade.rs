//! What a shortage does to the resources that depend on the short one (MSCP Level 4.9, section 5.1, "cascade formula").

use super::survival::{RESOURCES, ResourceKind};

/// Cycles after which a shortage is felt downstream.
const DELAY_CYCLES: u32 = 5;

/// One resource depends on another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dependency {
    /// What is short.
    pub upstream: ResourceKind,
    /// What suffers.
    pub downstream: ResourceKind,
    /// Share of the shortage that is handed on, in [0, 1].
    pub strength: f64,
    /// Share of it that something else makes good, in [0, 1].
    pub substitution: f64,
    /// Cycles until it is felt.
    pub delay_cycles: u32,
}

const fn depends(downstream: ResourceKind, upstream: ResourceKind, strength: f64) -> Dependency {
    Dependency {
        upstream,
        downstream,
        strength,
        substitution: 0.0,
        delay_cycles: DELAY_CYCLES,
    }
}

/// The dependencies of section 5.1. Whatever is downstream of one comes after it, so that one pass sees whole chains.
pub const DEPENDENCIES: [Dependency; 4] = [
    depends(ResourceKind::Compute, ResourceKind::Memory, 0.40),
    depends(ResourceKind::Observation, ResourceKind::Compute, 0.60),
    depends(ResourceKind::Mutation, ResourceKind::Compute, 0.80),
    depends(ResourceKind::Stability, ResourceKind::Observation, 0.30),
];

/// Where the levels go.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cascade {
    /// The levels once every shortage has been felt, each in [0, 1]; `None` where nothing is measured.
    pub projected: [Option<f64>; RESOURCES],
    /// Cycles until the last of it is felt.
    pub delay_cycles: u32,
    /// The longest chain of resources of which each falls below its warning level because of the one before; the first
    /// fell because of the decision. 0 if none fell.
    pub depth: u8,
}

/// What becomes of the levels `after` a decision, against those `before` it (or without it): each shortage of an
/// upstream resource below its warning level takes strength (1 - substitution) times the shortage from what depends on
/// it. (The pseudocode of section 9.4 subtracts a negative impact, which would raise the level; the formula of section
/// 5.1 lowers it.) A resource fell because of the decision if it ends below its warning level with it and not without.
///
/// `dependencies` are in the order of [`DEPENDENCIES`]: upstream first. Levels that are not finite are 0.
pub fn cascade(
    before: &[Option<f64>; RESOURCES],
    after: &[Option<f64>; RESOURCES],
    dependencies: &[Dependency],
) -> Cascade {
    let (without, _) = felt(before, dependencies);
    let (projected, delay_cycles) = felt(after, dependencies);
    let fell: [bool; RESOURCES] = std::array::from_fn(|kind| {
        let was_well = without[kind].is_some() && shortage(&without, kind).is_none();
        was_well && shortage(&projected, kind).is_some()
    });
    let mut depth = fell.map(u8::from);
    for dependency in dependencies {
        let (up, down) = (dependency.upstream as usize, dependency.downstream as usize);
        if fell[up] && fell[down] && handed_on(dependency) > 0.0 {
            depth[down] = depth[down].max(depth[up].saturating_add(1));
        }
    }
    Cascade {
        projected,
        delay_cycles,
        depth: depth.into_iter().max().unwrap_or(0),
    }
}

/// The levels once every shortage has been felt, and after how many cycles the last of it is.
fn felt(levels: &[Option<f64>; RESOURCES], dependencies: &[Dependency]) -> ([Option<f64>; RESOURCES], u32) {
    let mut levels = levels.map(|level| level.map(cut));
    let mut delay = [0_u32; RESOURCES];
    for dependency in dependencies {
        let (up, down) = (dependency.upstream as usize, dependency.downstream as usize);
        let (Some(shortage), Some(level)) = (shortage(&levels, up), levels[down]) else {
            continue;
        };
        let impact = handed_on(dependency) * shortage;
        levels[down] = Some(cut(level - impact));
        if impact > 0.0 {
            delay[down] = delay[down].max(delay[up].saturating_add(dependency.delay_cycles));
        }
    }
    (levels, delay.into_iter().max().unwrap_or(0))
}

fn cut(share: f64) -> f64 {
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// Share of a shortage that a dependency hands on.
fn handed_on(dependency: &Dependency) -> f64 {
    cut(dependency.strength) * (1.0 - cut(dependency.substitution))
}

/// How far a level is below its warning level; `None` if it is not.
fn shortage(levels: &[Option<f64>; RESOURCES], kind: usize) -> Option<f64> {
    let warning = ResourceKind::ALL[kind].thresholds().warning;
    levels[kind].map(|level| warning - level).filter(|short| *short > 0.0)
}
