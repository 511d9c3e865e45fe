//! What a frame sees of a Lookahead report: its weights and its risk limit.

use super::{FRAMES, Frame};
use crate::lookahead::{LookaheadReport, MAX_GOALS};

/// What a report is reduced to, each higher for the better.
pub(super) const ASPECTS: usize = 7;
/// Growth, calm, integrity, diversity, goals, certainty, containment; each row sums to 1, in the order of [`Frame::ALL`].
/// A little of growth is in all of them: a proposal that harms nothing and helps is worth something to every frame, and
/// four of five can be had for it.
const WEIGHTS: [[f64; ASPECTS]; FRAMES] = [
    [0.45, 0.05, 0.05, 0.30, 0.15, 0.00, 0.00],
    [0.10, 0.35, 0.20, 0.00, 0.00, 0.25, 0.10],
    [0.10, 0.15, 0.55, 0.00, 0.10, 0.00, 0.10],
    [0.25, 0.00, 0.15, 0.15, 0.30, 0.00, 0.15],
    [0.10, 0.20, 0.20, 0.00, 0.00, 0.25, 0.25],
];
/// Links of the longest chain of falling resources and goals that the long-horizon frame accepts: one fewer than the
/// depth at which stability is lost (L4.9, cascade depth 3).
pub const MAX_CASCADE: u8 = 2;

/// A risk limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// C_L4 stays below.
    Complexity(f64),
    /// IIS stays at or above.
    Integrity(f64),
    /// Chains of falls are no longer than this.
    Cascade(u8),
    /// U stays below.
    Uncertainty(f64),
}

/// What the frames read off one report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    aspects: [f64; ASPECTS],
    max_c_l4: f64,
    min_iis: f64,
    cascade: u8,
    max_uncertainty: f64,
}

impl Reading {
    /// Reads a report.
    pub fn of(report: &LookaheadReport) -> Self {
        let falls = f64::from(report.cascade_depth) / (MAX_GOALS as f64 + 1.0);
        Self {
            aspects: [
                (report.seof_last - report.seof_first).clamp(-1.0, 1.0),
                1.0 - report.max_c_l4,
                report.min_iis,
                report.final_cdi,
                report.goal_completion.unwrap_or(0.0),
                1.0 - report.max_uncertainty,
                1.0 - falls.min(1.0),
            ],
            max_c_l4: report.max_c_l4,
            min_iis: report.min_iis,
            cascade: report.cascade_depth,
            max_uncertainty: report.max_uncertainty,
        }
    }

    /// What it is worth to a frame.
    pub fn score(&self, frame: Frame) -> f64 {
        let weights = WEIGHTS[frame.index()];
        weights.iter().zip(self.aspects).map(|(w, aspect)| w * aspect).sum()
    }

    /// By how much it breaks a limit; 0 within it, infinite where it is not a number.
    fn excess(&self, limit: Limit) -> f64 {
        let (value, most, strict) = match limit {
            Limit::Complexity(below) => (self.max_c_l4, below, true),
            Limit::Integrity(least) => (-self.min_iis, -least, false),
            Limit::Cascade(most) => (f64::from(self.cascade), f64::from(most), false),
            Limit::Uncertainty(below) => (self.max_uncertainty, below, true),
        };
        if value < most || (value == most && !strict) {
            0.0
        } else if value.is_nan() {
            f64::INFINITY
        } else {
            // On a strict limit there is no distance, and yet it is broken.
            (value - most).max(f64::MIN_POSITIVE)
        }
    }

    /// A frame's limit is broken, and by more than in `status_quo`.
    pub fn breaks(&self, frame: Frame, status_quo: &Reading) -> bool {
        let excess = self.excess(frame.limit());
        excess > 0.0 && (excess.is_infinite() || excess > status_quo.excess(frame.limit()))
    }
}

impl Frame {
    /// Its risk limit: those of self-projection, of growth, of the uncertainty index and of the cascade (L4.5, L4.9).
    pub fn limit(self) -> Limit {
        match self {
            Frame::Exploratory => Limit::Complexity(crate::l45::growth::GROWTH_FROZEN),
            Frame::Conservative => Limit::Complexity(crate::l45::projection::AGGRESSIVE_MAX_C_L4),
            Frame::Ethical => Limit::Integrity(crate::l45::projection::AGGRESSIVE_MIN_IIS),
            Frame::LongHorizon => Limit::Cascade(MAX_CASCADE),
            Frame::Adversarial => Limit::Uncertainty(crate::l45::uncertainty::HALVE_HORIZONS),
        }
    }
}
