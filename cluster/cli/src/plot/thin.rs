//! A series of any length as at most so many buckets, in constant memory: each keeps least, greatest and mean of its rows,
//! so that a spike of one row stays in sight. When they are full, two neighbours become one.

/// Most buckets of a series.
pub const MAX_BUCKETS: usize = 1_024;

/// Least, greatest and mean of some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The least value.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    sum: f64,
    count: u64,
}

impl Bucket {
    const EMPTY: Bucket = Bucket {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        sum: 0.0,
        count: 0,
    };

    /// The mean.
    pub fn mean(&self) -> f64 {
        (self.sum / self.count as f64).clamp(self.low, self.high)
    }

    fn and(self, other: Bucket) -> Bucket {
        Bucket {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Thin {
    rows_per_bucket: u64,
    buckets: Vec<Bucket>,
}

impl Default for Thin {
    fn default() -> Self {
        Self {
            rows_per_bucket: 1,
            buckets: Vec::new(),
        }
    }
}

impl Thin {
    /// Takes in the value of a row, counted from 0; one that is not finite is none.
    pub fn push(&mut self, row: u64, value: f64) {
        if !value.is_finite() {
            return;
        }
        while row / self.rows_per_bucket >= MAX_BUCKETS as u64 {
            self.halve();
        }
        let index = (row / self.rows_per_bucket) as usize;
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, Bucket::EMPTY);
        }
        let one = Bucket {
            low: value,
            high: value,
            sum: value,
            count: 1,
        };
        self.buckets[index] = self.buckets[index].and(one);
    }

    fn halve(&mut self) {
        let pairs = self.buckets.chunks(2);
        self.buckets = pairs
            .map(|pair| pair.iter().fold(Bucket::EMPTY, |sum, bucket| sum.and(*bucket)))
            .collect();
        self.rows_per_bucket *= 2;
    }

    /// Buckets that have a value, with the row in their middle; `None` between two that are apart by more than one
    /// without.
    pub fn runs(&self) -> impl Iterator<Item = Vec<(f64, Bucket)>> {
        let middle =
            |index: usize| index as f64 * self.rows_per_bucket as f64 + 0.5 * (self.rows_per_bucket - 1) as f64;
        let known = self.buckets.iter().enumerate().filter(|(_, bucket)| bucket.count > 0);
        let mut runs: Vec<Vec<(f64, Bucket)>> = Vec::new();
        let mut last = None;
        for (index, bucket) in known {
            // Values that come in every other row or so are one line all the same.
            let apart = last.is_none_or(|last| index - last > MAX_GAP);
            if apart {
                runs.push(Vec::new());
            }
            runs.last_mut()
                .expect("invariant: pushed above")
                .push((middle(index), *bucket));
            last = Some(index);
        }
        runs.into_iter()
    }

    /// The least and the greatest value; infinite the wrong way round without any.
    pub fn range(&self) -> (f64, f64) {
        let all = self.buckets.iter().fold(Bucket::EMPTY, |sum, bucket| sum.and(*bucket));
        (all.low, all.high)
    }
}

/// Most empty buckets between two that are joined by a line.
const MAX_GAP: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_of_one_row_in_a_million_stays_in_sight() {
        let mut thin = Thin::default();
        for row in 0..1_000_000 {
            thin.push(row, if row == 654_321 { 9.0 } else { (row % 2) as f64 });
        }
        let runs: Vec<_> = thin.runs().collect();
        assert_eq!(
            (runs.len(), runs[0].len() <= MAX_BUCKETS, thin.range()),
            (1, true, (0.0, 9.0))
        );
        let spikes: Vec<f64> = runs[0]
            .iter()
            .filter(|(_, b)| b.high == 9.0)
            .map(|(row, _)| *row)
            .collect();
        assert!(
            spikes.len() == 1 && (spikes[0] - 654_321.0).abs() < 1_024.0,
            "{spikes:?}"
        );
        assert!((runs[0][0].1.mean() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_gap_ends_a_line_and_what_is_missing_is_not_drawn() {
        let mut thin = Thin::default();
        thin.push(0, 1.0);
        thin.push(2, f64::NAN);
        thin.push(10, 2.0);
        thin.push(100, 3.0);
        let runs: Vec<Vec<f64>> = thin
            .runs()
            .map(|run| run.into_iter().map(|(row, _)| row).collect())
            .collect();
        assert_eq!(runs, [vec![0.0, 10.0], vec![100.0]]);
        assert_eq!(Thin::default().runs().count(), 0);
    }
}
