//! What the agent may still do in each state of its resources (MSCP Level 4.9, sections 5.2 and 5.3).

use super::survival::SurvivalState;
use crate::numeric::condense::Refused;
use rungs_types::Authority;
use serde::{Deserialize, Serialize};

/// Cycles between two looks at the mode.
pub const MODE_CYCLES: u64 = 10;
/// For so many cycles the state must have been better before the mode eases by one step: as long as rates are taken
/// over, so that no reading from before the state improved is left in them.
pub const EASING_CYCLES: u64 = 50;

/// How a level runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// As always.
    Full,
    /// Half authority and half the candidates.
    Reduced,
    /// Advises.
    Advisory,
    /// Structural change frozen, and the 50-cycle horizon only.
    Degraded,
    /// Frozen.
    Frozen,
}

impl Operation {
    /// The most authority of a level that runs like this. A degraded level keeps its own: it is the floor.
    pub fn ceiling(self) -> Authority {
        match self {
            Operation::Full | Operation::Degraded => Authority::Full,
            Operation::Reduced => Authority::Half,
            Operation::Advisory => Authority::Advisory,
            Operation::Frozen => Authority::Frozen,
        }
    }

    /// The factor of the candidates that the level considers.
    pub fn candidates(self) -> f64 {
        match self {
            Operation::Full => 1.0,
            Operation::Reduced | Operation::Advisory | Operation::Degraded => 0.5,
            Operation::Frozen => 0.0,
        }
    }
}

/// What holds in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Regime {
    /// Level 4.9.
    pub l49: Operation,
    /// Level 4.8.
    pub l48: Operation,
    /// Level 4.5.
    pub l45: Operation,
    /// The factor of exploration.
    pub exploration: f64,
    /// Share of the allocator's budget that goes to guard, kernel and survival goals before anything else.
    pub survival_share: f64,
}

impl Regime {
    /// What holds in a state. Adequate is Abundant, and watched.
    pub fn of(state: SurvivalState) -> Self {
        let (l49, l48, l45, exploration, survival_share) = match state {
            SurvivalState::Abundant | SurvivalState::Adequate => {
                (Operation::Full, Operation::Full, Operation::Full, 1.0, 0.0)
            }
            SurvivalState::Constrained => (Operation::Reduced, Operation::Full, Operation::Full, 0.7, 0.0),
            SurvivalState::Warning => (Operation::Advisory, Operation::Reduced, Operation::Full, 0.5, 0.0),
            SurvivalState::Critical => (Operation::Frozen, Operation::Advisory, Operation::Degraded, 0.5, 0.8),
        };
        Self {
            l49,
            l48,
            l45,
            exploration,
            survival_share,
        }
    }
}

/// The mode, with hysteresis: worse at once, better by one step after [`EASING_CYCLES`] of a better state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawModes")]
pub struct Modes {
    mode: SurvivalState,
    /// Since when the state has been better than the mode.
    better_since: Option<u64>,
    /// The last look.
    looked: Option<u64>,
    /// Times that the mode got worse than Adequate (criterion RA-3).
    adaptations: u64,
}

/// What [`Modes`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawModes {
    mode: SurvivalState,
    better_since: Option<u64>,
    looked: Option<u64>,
    adaptations: u64,
}

impl TryFrom<RawModes> for Modes {
    type Error = Refused;

    fn try_from(raw: RawModes) -> Result<Self, Refused> {
        let RawModes {
            mode,
            better_since,
            looked,
            adaptations,
        } = raw;
        let never_better = mode != SurvivalState::Abundant || better_since.is_none();
        if never_better && better_since <= looked {
            Ok(Self {
                mode,
                better_since,
                looked,
                adaptations,
            })
        } else {
            Err(Refused("the mode of the resources"))
        }
    }
}

/// What a look changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeTurn {
    /// When.
    pub cycle: u64,
    /// The mode from now on.
    pub mode: SurvivalState,
    better_since: Option<u64>,
}

impl Modes {
    /// The mode.
    pub fn mode(&self) -> SurvivalState {
        self.mode
    }

    /// What holds in it.
    pub fn regime(&self) -> Regime {
        Regime::of(self.mode)
    }

    /// How often the agent restricted itself.
    pub fn adaptations(&self) -> u64 {
        self.adaptations
    }

    /// 10 cycles have gone by since the last look, or there was none.
    pub fn due(&self, cycle: u64) -> bool {
        self.looked.is_none_or(|last| cycle >= last.saturating_add(MODE_CYCLES))
    }

    /// What the state at `cycle` asks for.
    pub fn decide(&self, state: SurvivalState, cycle: u64) -> ModeTurn {
        let stays = |better_since| ModeTurn {
            cycle,
            mode: self.mode,
            better_since,
        };
        if state > self.mode {
            return ModeTurn {
                cycle,
                mode: state,
                better_since: None,
            };
        }
        if state == self.mode {
            return stays(None);
        }
        let since = self.better_since.unwrap_or(cycle);
        if cycle.saturating_sub(since) < EASING_CYCLES {
            return stays(Some(since));
        }
        let mode = self.mode.eased();
        ModeTurn {
            cycle,
            mode,
            better_since: (state < mode).then_some(cycle),
        }
    }

    /// Carries it out.
    pub fn apply(&mut self, turn: &ModeTurn) {
        let restricts = turn.mode > self.mode && turn.mode > SurvivalState::Adequate;
        self.adaptations = self.adaptations.saturating_add(u64::from(restricts));
        (self.mode, self.better_since, self.looked) = (turn.mode, turn.better_since, Some(turn.cycle));
    }
}
