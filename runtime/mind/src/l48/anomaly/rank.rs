//! How rare a distance is among those before it.

/// Tail of distances beyond the furthest so far: ten times as far is ten times as rare.
const TAIL: f64 = 1.0;

/// The last distances, each with the precision of seven digits: they are only ranked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranks {
    kept: usize,
    needed: usize,
    distances: Vec<f32>,
    /// Where the next takes the place of the oldest, once all are kept.
    next: usize,
}

impl Ranks {
    /// Of so many distances, told once so many are known.
    pub(super) fn new(kept: usize, needed: usize) -> Self {
        Self {
            kept: kept.max(1),
            needed,
            distances: Vec::new(),
            next: 0,
        }
    }

    /// Minus the decimal logarithm of the share of distances that are at least as great, itself counted among them; of one
    /// beyond all others also how many times it is the furthest of them, by [`TAIL`]. 0 of a distance of 0, and while too
    /// few are known. A distance that is not a number counts as 0.
    pub(super) fn tell(&mut self, distance: f64) -> f64 {
        let distance = distance.clamp(0.0, f64::from(f32::MAX)) as f32;
        let distance = if distance.is_nan() { 0.0 } else { distance };
        let told = if distance > 0.0 && self.distances.len() >= self.needed {
            self.rarity(distance)
        } else {
            0.0
        };
        self.keep(distance);
        told
    }

    fn rarity(&self, distance: f32) -> f64 {
        let at_least = self.distances.iter().filter(|other| **other >= distance).count();
        let rank = ((self.distances.len() + 1) as f64 / (at_least + 1) as f64).log10();
        let furthest = self.distances.iter().copied().fold(0.0, f32::max);
        if distance > furthest && furthest > 0.0 {
            return rank + TAIL * (f64::from(distance) / f64::from(furthest)).log10();
        }
        rank
    }

    fn keep(&mut self, distance: f32) {
        if self.distances.len() < self.kept {
            self.distances.push(distance);
        } else {
            self.distances[self.next] = distance;
            self.next = (self.next + 1) % self.kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn a_distance_is_as_rare_as_those_that_reach_it_are_few() {
        let mut ranks = Ranks::new(100, 4);
        assert_eq!(
            [1.0, 2.0, 3.0, 4.0].map(|d| ranks.tell(d)),
            [0.0; 4],
            "too few are known"
        );
        // Of 1, 2, 3, 4 two are at least 2.5: with itself 3 of 5.
        near(ranks.tell(2.5), (5.0_f64 / 3.0).log10());
        // Of 1, 2, 3, 4, 2.5 one is at least 4: with itself 2 of 6.
        near(ranks.tell(4.0), 3.0_f64.log10());
        // None of six is beyond 4, ten times as far: 1 of 7, and ten times as rare.
        near(ranks.tell(40.0), 7.0_f64.log10() + 1.0);
        // The furthest is 40 now, and reached: 2 of 8.
        near(ranks.tell(40.0), 4.0_f64.log10());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut ranks = Ranks::new(3, 1);
        [9.0, 1.0, 1.0, 1.0].into_iter().for_each(|d| {
            ranks.tell(d);
        });
        assert_eq!(ranks.distances, [1.0, 1.0, 1.0]);
        // Twice the furthest of three: 1 of 4, twice as rare.
        near(ranks.tell(2.0), 8.0_f64.log10());
        // Of 2, 1, 1 one is at least 2.
        near(ranks.tell(2.0), 2.0_f64.log10());
    }

    #[test]
    fn what_is_no_distance_is_not_rare_and_the_greatest_is_finite() {
        let mut ranks = Ranks::new(10, 0);
        assert_eq!(
            (ranks.tell(0.0), ranks.tell(f64::NAN), ranks.tell(-1.0)),
            (0.0, 0.0, 0.0)
        );
        // All are 0: there is nothing to be a multiple of. 1 of 4.
        near(ranks.tell(1.0), 4.0_f64.log10());
        assert!(ranks.tell(f64::INFINITY).is_finite());
        // As great as the greatest: 2 of 6.
        near(ranks.tell(f64::INFINITY), 3.0_f64.log10());
    }
}
