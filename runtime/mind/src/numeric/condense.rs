//! Series in about a byte per value: what a snapshot keeps of a window that is too long to be kept whole.
//!
//! A value is coded in 255 steps of a logarithmic scale (companding as in ITU-T G.711): the error is at most 2.3 % of the
//! value, and 0.01 % of the largest magnitude of its series. So a spike does not cost the small values beside it.
//!
//! Invariant: what is read back is finite and within the magnitude that was written; a summary that no series could have
//! left is refused.

use super::window::MAX_VALUE;
use serde::{Deserialize, Serialize};

/// How much finer small values are coded than large ones.
const COMPANDING: f64 = 255.0;
/// The code of the largest magnitude.
const TOP: f64 = 127.0;

/// A summary is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of range")]
pub struct Refused(pub &'static str);

fn encode(value: f64, reach: f64) -> i8 {
    if reach <= 0.0 {
        return 0;
    }
    let share = (value / reach).clamp(-1.0, 1.0);
    let code = (COMPANDING * share.abs()).ln_1p() / COMPANDING.ln_1p() * TOP;
    code.round().copysign(share) as i8
}

fn decode(code: i8, reach: f64) -> f64 {
    let share = f64::from(code).abs() / TOP;
    let size = if share >= 1.0 {
        1.0
    } else {
        (share * COMPANDING.ln_1p()).exp_m1() / COMPANDING
    };
    (reach * size).copysign(f64::from(code))
}

/// `value` as an `f32` that is finite; NaN becomes 0.
pub fn narrow(value: f64) -> f32 {
    const LARGEST: f64 = 1e30;
    if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST, LARGEST) as f32
    }
}

/// Values around a centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    centre: f64,
    reach: f64,
    codes: Vec<i8>,
}

impl Levels {
    /// Codes these values by their distance from `centre`.
    pub fn around(centre: f64, values: impl Iterator<Item = f64> + Clone) -> Self {
        let reach = values.clone().map(|value| (value - centre).abs()).fold(0.0, f64::max);
        let codes = values.map(|value| encode(value - centre, reach)).collect();
        Self { centre, reach, codes }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// There are no values.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The values, in their order.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.codes.iter().map(|&code| self.centre + decode(code, self.reach))
    }

    /// Refuses more than `most` values, and numbers that no window could have held.
    pub fn check(&self, most: usize) -> Result<(), Refused> {
        let numbers = self.centre.abs() <= MAX_VALUE && (0.0..=2.0 * MAX_VALUE).contains(&self.reach);
        if numbers && self.codes.len() <= most {
            Ok(())
        } else {
            Err(Refused("a series of values"))
        }
    }
}

/// The newest value of a series and the steps that led to it: the values near the newest, and the sizes of steps, are
/// kept best, however far the series has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    newest: Option<f64>,
    reach: f64,
    /// Newest first.
    codes: Vec<i8>,
}

impl Steps {
    /// Of these values, oldest first. An error of one step is made good by the next.
    pub fn of(values: &[f64]) -> Self {
        let Some(&newest) = values.last() else {
            return Self::default();
        };
        let reach = values
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f64::max);
        let mut at = newest;
        let before = values.iter().rev().skip(1);
        let codes = before.map(|value| {
            let code = encode(value - at, reach);
            at += decode(code, reach);
            code
        });
        Self {
            newest: Some(newest),
            reach,
            codes: codes.collect(),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.newest.map_or(0, |_| self.codes.len() + 1)
    }

    /// There are no values.
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// The values, oldest first.
    pub fn values(&self) -> Vec<f64> {
        let Some(newest) = self.newest else {
            return Vec::new();
        };
        let mut at = newest;
        let before = self.codes.iter().map(|&code| {
            at = (at + decode(code, self.reach)).clamp(-MAX_VALUE, MAX_VALUE);
            at
        });
        let mut values: Vec<f64> = std::iter::once(newest).chain(before).collect();
        values.reverse();
        values
    }

    /// Refuses more than `most` values, and numbers that no window could have held.
    pub fn check(&self, most: usize) -> Result<(), Refused> {
        let numbers = self.newest.is_none_or(|value| value.abs() <= MAX_VALUE)
            && (0.0..=2.0 * MAX_VALUE).contains(&self.reach)
            && (self.newest.is_some() || self.codes.is_empty());
        if numbers && self.len() <= most {
            Ok(())
        } else {
            Err(Refused("a series of steps"))
        }
    }
}

/// The distribution of a window's values: groups of them in sorted order, each by its mean, so that the mean of all and
/// the quantiles stay. Their order in time is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    len: u16,
    means: Levels,
}

impl Spread {
    /// Of these values, in at most `groups` groups.
    ///
    /// # Panics
    /// On 0 groups: it is a constant of the caller.
    pub fn of(values: impl Iterator<Item = f64>, groups: usize) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let groups = groups.min(sorted.len()).max(1);
        let mean = |group| {
            let part = &sorted[bound(group, groups, sorted.len())..bound(group + 1, groups, sorted.len())];
            part.iter().sum::<f64>() / part.len().max(1) as f64
        };
        let means: Vec<f64> = (0..groups).map(mean).collect();
        Self {
            len: sorted.len() as u16,
            means: Levels::around(0.0, means.into_iter()),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// There are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// As many values as there were: each group's mean for all of its values. Small and large ones take turns, so that
    /// the distribution stays while the first of them leave a window.
    pub fn values(&self) -> Vec<f64> {
        let means: Vec<f64> = self.means.values().collect();
        let group = |place: usize| means.len() * place / self.len();
        (0..self.len())
            .map(|turn| means[group(turn * stride(self.len()) % self.len())])
            .collect()
    }

    /// Refuses more than `most` values, and groups that do not fit them.
    pub fn check(&self, most: usize) -> Result<(), Refused> {
        self.means.check(most)?;
        if self.len() <= most && (self.is_empty() || (1..=self.len()).contains(&self.means.len())) {
            Ok(())
        } else {
            Err(Refused("a distribution of values"))
        }
    }
}

/// Where the part `index` of `parts` equal ones of `len` values begins.
fn bound(index: usize, parts: usize, len: usize) -> usize {
    (index * len).div_ceil(parts)
}

/// A step of about 0.62 of the length that has no factor in common with it: going round by it meets each place once,
/// far from those met just before.
fn stride(len: usize) -> usize {
    let divides_both = |a: usize| (2..=a.min(len)).any(|d| a.is_multiple_of(d) && len.is_multiple_of(d));
    let start = (len * 618 / 1000).max(1);
    (start..len).find(|&step| !divides_both(step)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
