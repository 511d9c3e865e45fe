//! The existential guard: raw metrics against constants of the build.
//!
//! It reads nothing that a level could have smoothed, and no level can change a threshold. Whoever misses three of its
//! heartbeats treats the agent as critical.

use crate::report::GuardReadings;
use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Nothing.
    #[default]
    Normal,
    /// Watched more closely.
    Elevated,
    /// Structural change is frozen, mutation halved.
    Warning,
    /// Self-modification, goal creation and skill acquisition are frozen.
    Critical,
}

impl Stage {
    const ALL: [Stage; 4] = [Stage::Normal, Stage::Elevated, Stage::Warning, Stage::Critical];

    /// The stage as a number, 0 to 3.
    pub fn as_byte(self) -> u8 {
        self as u8
    }

    /// The stage of a number; what is none is critical.
    pub fn from_byte(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Stage::Critical)
    }

    /// Structural change is open.
    pub fn permits_structure(self) -> bool {
        self < Stage::Warning
    }

    /// Share of the usual mutation of values and strategies that is open: all, half from the warning on, none at the
    /// critical stage.
    pub fn mutation_share(self) -> f64 {
        match self {
            Stage::Normal | Stage::Elevated => 1.0,
            Stage::Warning => WARNING_MUTATION,
            Stage::Critical => 0.0,
        }
    }

    /// The agent may change itself, give itself goals, and acquire skills.
    pub fn permits_growth(self) -> bool {
        self < Stage::Critical
    }

    /// Clean cycles after which the stage goes down by one: 100, 200, 300; from Normal there is no way down.
    fn clean_cycles(self) -> u32 {
        let above_normal = usize::from(self.as_byte()).checked_sub(1);
        above_normal.map_or(0, |stage| CLEAN_CYCLES[stage])
    }
}

/// Clean cycles after which Elevated, Warning and Critical go down by one (L4.5).
const CLEAN_CYCLES: [u32; 3] = [100, 200, 300];
/// Share of mutation that a warning leaves (L4.5).
pub const WARNING_MUTATION: f64 = 0.5;
/// Depths of self-reference from which ROD is elevated, a warning, critical (L4.5).
pub const ROD_LIMITS: [u8; 3] = [2, 3, 4];
/// Slopes of confidence per cycle that CAS is elevated, a warning, critical from (L4.5; the first is above 0).
pub const CAS_LIMITS: [f64; 3] = [CAS_RESOLUTION, 0.01, 0.05];
/// The same of IFI (L4.5).
pub const IFI_LIMITS: [f64; 3] = [0.1, 0.3, 0.5];
/// The same of GSRS (L4.5).
pub const GSRS_LIMITS: [f64; 3] = [0.2, 0.4, 0.6];

/// A slope of confidence up to this is what chance makes of a steady one, and counts as 0: over the 200 cycles that it
/// is taken from, its standard error is about a third of it.
pub const CAS_RESOLUTION: f64 = 0.001;

/// The stage that the readings call for: the worst of
/// ROD (2 elevated, 3 warning, 4 critical), CAS (above 0, 0.01, 0.05), IFI (0.1, 0.3, 0.5) and GSRS (0.2, 0.4, 0.6).
/// A metric that is absent calls for nothing; one that is not a number calls for the most.
pub fn stage_of(readings: &GuardReadings) -> Stage {
    let reached = |value: Option<f64>, limits: [f64; 3]| match value {
        Some(value) if value.is_nan() => 3,
        Some(value) => limits.iter().filter(|limit| value >= **limit).count(),
        None => 0,
    };
    let depth = ROD_LIMITS.iter().filter(|limit| readings.rod >= **limit).count();
    let growth = reached(readings.cas, CAS_LIMITS);
    let fragmentation = reached(readings.ifi, IFI_LIMITS);
    let recursion = reached(readings.gsrs, GSRS_LIMITS);
    Stage::ALL[depth.max(growth).max(fragmentation).max(recursion)]
}

/// The guard's stage: up at once, down by one after 100, 200 or 300 clean cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExistentialGuard {
    stage: Stage,
    clean_cycles: u32,
}

impl ExistentialGuard {
    /// Takes in the readings of one cycle and gives the stage in force.
    pub fn update(&mut self, readings: &GuardReadings) -> Stage {
        let called_for = stage_of(readings);
        if called_for >= self.stage {
            *self = Self {
                stage: called_for,
                clean_cycles: 0,
            };
        } else {
            self.clean_cycles = self.clean_cycles.saturating_add(1);
            if self.clean_cycles >= self.stage.clean_cycles() {
                *self = Self {
                    stage: Stage::ALL[usize::from(self.stage.as_byte() - 1)],
                    clean_cycles: 0,
                };
            }
        }
        self.stage
    }

    /// The stage in force.
    pub fn stage(self) -> Stage {
        self.stage
    }

    pub(super) fn is_valid(self) -> bool {
        self.clean_cycles <= self.stage.clean_cycles()
    }
}

/// Heartbeats missed before the guard counts as lost.
pub const MAX_MISSED_BEATS: u64 = crate::ladder::MAX_MISSED_HEARTBEATS as u64;

/// The guard's heartbeat, as one who depends on it sees it. Cycles are those of the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    period_cycles: u64,
    last_cycle: u64,
}

impl Heartbeat {
    /// A heartbeat that is due every `period_cycles` (at least 1), heard at `cycle`.
    pub fn new(period_cycles: u64, cycle: u64) -> Self {
        Self {
            period_cycles: period_cycles.max(1),
            last_cycle: cycle,
        }
    }

    /// A beat was heard.
    pub fn beat(&mut self, cycle: u64) {
        self.last_cycle = self.last_cycle.max(cycle);
    }

    /// Beats that were due by now and were not heard.
    pub fn missed(&self, cycle: u64) -> u64 {
        cycle.saturating_sub(self.last_cycle) / self.period_cycles
    }

    /// The stage to go by: that of the guard, or critical once three beats are missed.
    pub fn stage(&self, cycle: u64, heard: Stage) -> Stage {
        if self.missed(cycle) >= MAX_MISSED_BEATS {
            Stage::Critical
        } else {
            heard
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(rod: u8, cas: Option<f64>) -> GuardReadings {
        GuardReadings {
            rod,
            cas,
            ifi: None,
            gsrs: None,
        }
    }

    #[test]
    fn depth_elevates_at_two_warns_at_three_and_is_critical_at_four() {
        let stages = [0, 1, 2, 3, 4, 255].map(|rod| stage_of(&readings(rod, None)).as_byte());
        assert_eq!(stages, [0, 0, 1, 2, 3, 3]);
    }

    #[test]
    fn the_other_metrics_have_three_limits_each() {
        for (cas, stage) in [
            (-1.0, 0),
            (0.0, 0),
            (0.0009, 0),
            (0.001, 1),
            (0.0099, 1),
            (0.01, 2),
            (0.0499, 2),
            (0.05, 3),
        ] {
            assert_eq!(stage_of(&readings(0, Some(cas))).as_byte(), stage, "CAS {cas}");
        }
        for (ifi, stage) in [(0.0999, 0), (0.1, 1), (0.2999, 1), (0.3, 2), (0.4999, 2), (0.5, 3)] {
            assert_eq!(
                stage_of(&GuardReadings {
                    ifi: Some(ifi),
                    ..readings(0, None)
                })
                .as_byte(),
                stage,
                "IFI {ifi}"
            );
        }
        for (gsrs, stage) in [(0.1999, 0), (0.2, 1), (0.3999, 1), (0.4, 2), (0.5999, 2), (0.6, 3)] {
            assert_eq!(
                stage_of(&GuardReadings {
                    gsrs: Some(gsrs),
                    ..readings(0, None)
                })
                .as_byte(),
                stage,
                "GSRS {gsrs}"
            );
        }
        assert_eq!(stage_of(&readings(0, Some(f64::NAN))), Stage::Critical);
        assert_eq!(stage_of(&readings(2, Some(0.02))), Stage::Warning, "the worst wins");
    }

    #[test]
    fn the_stage_goes_up_at_once_and_down_after_clean_cycles() {
        let mut guard = ExistentialGuard::default();
        assert_eq!(guard.update(&readings(4, None)), Stage::Critical);
        let clean = readings(0, None);
        for (cycles, then) in [(300, Stage::Warning), (200, Stage::Elevated), (100, Stage::Normal)] {
            let before = guard.stage();
            assert!((1..cycles).all(|_| guard.update(&clean) == before));
            assert_eq!(guard.update(&clean), then);
        }
        guard.update(&readings(3, None));
        (0..199).for_each(|_| assert_eq!(guard.update(&clean), Stage::Warning));
        assert_eq!(
            guard.update(&readings(3, None)),
            Stage::Warning,
            "as bad as before: counted anew"
        );
        assert_eq!(guard.update(&clean), Stage::Warning);
    }

    #[test]
    fn a_warning_freezes_structure_and_halves_mutation_and_the_critical_stage_freezes_growth() {
        let [normal, elevated, warning, critical] = Stage::ALL;
        for (stage, structure, mutation, growth) in [
            (normal, true, 1.0, true),
            (elevated, true, 1.0, true),
            (warning, false, 0.5, true),
            (critical, false, 0.0, false),
        ] {
            assert_eq!(
                (
                    stage.permits_structure(),
                    stage.mutation_share(),
                    stage.permits_growth()
                ),
                (structure, mutation, growth),
                "{stage:?}"
            );
            assert_eq!(Stage::from_byte(stage.as_byte()), stage);
        }
        assert_eq!(Stage::from_byte(4), Stage::Critical);
    }

    #[test]
    fn three_missed_beats_are_critical_and_two_are_not() {
        let mut heartbeat = Heartbeat::new(10, 100);
        assert_eq!((heartbeat.missed(109), heartbeat.missed(110)), (0, 1));
        assert_eq!(heartbeat.stage(129, Stage::Normal), Stage::Normal);
        assert_eq!(heartbeat.stage(130, Stage::Normal), Stage::Critical);
        heartbeat.beat(130);
        assert_eq!(heartbeat.stage(159, Stage::Elevated), Stage::Elevated);
        heartbeat.beat(50);
        assert_eq!(heartbeat.missed(160), 3, "an old beat is no news");
        assert_eq!(Heartbeat::new(0, 0).missed(2), 2);
    }
}
