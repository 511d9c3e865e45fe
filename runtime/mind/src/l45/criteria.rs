//! The six activation criteria of L4.8: for how long each has held (MSCP Level 4.8, section 9.1).

use serde::{Deserialize, Serialize};

/// Criterion 1: most C_L4.
pub const MAX_C_L4: f64 = 0.15;
/// Criterion 2: least SEOF maturity.
pub const MIN_MATURITY: f64 = 0.70;
/// Criterion 3: least identity integrity.
pub const MIN_IIS: f64 = 0.90;
/// Criterion 5: divergence must be below.
pub const MAX_DIVERGENCE: f64 = 0.30;

/// What the criteria look at in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// C_L4.
    pub c_l4: f64,
    /// SEOF maturity.
    pub maturity: f64,
    /// Identity integrity; `None` holds the criterion back.
    pub iis: Option<f64>,
    /// Divergence; `None` holds the criterion back.
    pub divergence: Option<f64>,
    /// The cycle was late, skipped or in stabilization mode.
    pub degraded: bool,
}

/// Consecutive cycles that each criterion has held; criterion 4 counts consecutive passed checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sustained([u32; 6]);

impl Sustained {
    /// Takes in one cycle.
    pub fn cycle(&mut self, standing: &Standing) {
        self.count(0, standing.c_l4 <= MAX_C_L4);
        self.count(1, standing.maturity >= MIN_MATURITY);
        self.count(2, standing.iis.is_some_and(|iis| iis >= MIN_IIS));
        self.count(
            4,
            standing
                .divergence
                .is_some_and(|divergence| divergence < MAX_DIVERGENCE),
        );
        self.count(5, !standing.degraded);
    }

    /// Takes in one check of the five invariants.
    pub fn check(&mut self, passed: bool) {
        self.count(3, passed);
    }

    /// Cycles were lost: what was not seen has not been sustained.
    pub fn lost(&mut self) {
        self.0 = [0; 6];
    }

    /// The counts, in the order of the criteria.
    pub fn counts(&self) -> [u32; 6] {
        self.0
    }

    fn count(&mut self, criterion: usize, holds: bool) {
        self.0[criterion] = if holds { self.0[criterion].saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Standing = Standing {
        c_l4: 0.15,
        maturity: 0.70,
        iis: Some(0.90),
        divergence: Some(0.299),
        degraded: false,
    };

    #[test]
    fn each_criterion_alone_is_held_back_by_its_own_failure() {
        let cases: [(usize, Standing); 7] = [
            (
                0,
                Standing {
                    c_l4: 0.150_001,
                    ..GOOD
                },
            ),
            (
                1,
                Standing {
                    maturity: 0.699_999,
                    ..GOOD
                },
            ),
            (
                2,
                Standing {
                    iis: Some(0.899_999),
                    ..GOOD
                },
            ),
            (2, Standing { iis: None, ..GOOD }),
            (
                4,
                Standing {
                    divergence: Some(0.30),
                    ..GOOD
                },
            ),
            (
                4,
                Standing {
                    divergence: None,
                    ..GOOD
                },
            ),
            (5, Standing { degraded: true, ..GOOD }),
        ];
        for (criterion, bad) in cases {
            let mut sustained = Sustained::default();
            (0..10).for_each(|_| {
                sustained.cycle(&GOOD);
                sustained.check(true);
            });
            assert_eq!(sustained.counts(), [10; 6]);
            sustained.cycle(&bad);
            let mut expected = [11; 6];
            expected[3] = 10;
            expected[criterion] = 0;
            assert_eq!(sustained.counts(), expected, "{bad:?}");
        }
    }

    #[test]
    fn a_failed_check_starts_its_count_anew_and_lost_cycles_all() {
        let mut sustained = Sustained::default();
        sustained.cycle(&GOOD);
        sustained.check(true);
        sustained.check(false);
        assert_eq!(sustained.counts(), [1, 1, 1, 0, 1, 1]);
        sustained.lost();
        assert_eq!(sustained.counts(), [0; 6]);
    }

    #[test]
    fn what_is_not_a_number_holds_nothing() {
        let mut sustained = Sustained::default();
        let nan = f64::NAN;
        sustained.cycle(&Standing {
            c_l4: nan,
            maturity: nan,
            iis: Some(nan),
            divergence: Some(nan),
            degraded: false,
        });
        assert_eq!(sustained.counts(), [0, 0, 0, 0, 0, 1]);
    }
}
