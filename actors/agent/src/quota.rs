//! The agent's processor quota: what share of it is used, and when its patience is over. Pure: the kernel's actor looks
//! once a second and tells it the time and what the meter reads.
//!
//! Decided elsewhere: a longer period by `rungs_mind::l3`, which is told the share; parking by `rungs_mind::ladder`.

use rungs_mind::body::MAX_STRETCH;
use std::time::Duration;

/// Looks in a row, a second each, at which an agent may be over its quota: when its period cannot get longer, and when it
/// could, but structural change is forbidden to it or does not help.
pub(crate) const MAX_LOOKS_OVER: u32 = 10;
pub(crate) const MAX_LOOKS_OVER_SHORTER: u32 = 60;

/// What the last looks have found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// Processors, such as 0.5; `None` = as much as there is.
    limit: Option<f64>,
    /// Time and processor time of the last look.
    last: Option<(Duration, u64)>,
    share: f64,
    /// Looks in a row over the quota, and those of them at the longest period.
    over: u32,
    over_at_longest: u32,
}

impl Quota {
    /// A quota of so many processors.
    pub(crate) fn new(limit: Option<f64>) -> Self {
        Self {
            limit,
            last: None,
            share: 0.0,
            over: 0,
            over_at_longest: 0,
        }
    }

    /// Use between the last two looks, as a share of the quota; 0 without a quota.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// Takes in the time, the processor time used up to now in nanoseconds, and the period in force as a multiple of the
    /// nominal one. Gives the share when the agent is to be parked: it was over its quota ten looks in a row at the longest
    /// period, or sixty at any.
    pub(crate) fn look(&mut self, now: Duration, busy_nanos: u64, stretch: u32) -> Option<f64> {
        let limit = self.limit?;
        let (then, before) = self.last.replace((now, busy_nanos))?;
        let elapsed = now.saturating_sub(then).as_nanos() as f64;
        if elapsed == 0.0 {
            return None;
        }
        self.share = busy_nanos.saturating_sub(before) as f64 / elapsed / limit;
        let is_over = self.share > 1.0;
        let count = |so_far: u32, more: bool| if more { so_far.saturating_add(1) } else { 0 };
        self.over = count(self.over, is_over);
        self.over_at_longest = count(self.over_at_longest, is_over && stretch >= MAX_STRETCH);
        let parks = self.over_at_longest >= MAX_LOOKS_OVER || self.over >= MAX_LOOKS_OVER_SHORTER;
        parks.then_some(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each second at an agent that uses so many milliseconds of a processor in it.
    fn watched(limit: Option<f64>, used_ms: &[u64], stretch: u32) -> (Quota, Option<usize>) {
        let mut quota = Quota::new(limit);
        let mut busy = 0;
        quota.look(Duration::ZERO, busy, stretch);
        let parked = used_ms.iter().enumerate().find_map(|(second, used)| {
            busy += used * 1_000_000;
            quota
                .look(Duration::from_secs(second as u64 + 1), busy, stretch)
                .map(|_| second + 1)
        });
        (quota, parked)
    }

    #[test]
    fn the_share_is_of_the_last_second_and_of_the_quota() {
        assert_eq!(watched(Some(0.5), &[900, 250], 1).0.share(), 0.5);
        assert_eq!(watched(Some(0.5), &[900], 1).0.share(), 1.8);
        assert_eq!(watched(None, &[900], 1).0.share(), 0.0);
    }

    #[test]
    fn the_tenth_look_in_a_row_over_quota_at_the_longest_period_parks_and_the_sixtieth_at_any() {
        assert_eq!(watched(Some(0.1), &[200; 12], MAX_STRETCH).1, Some(10));
        assert_eq!(watched(Some(0.1), &[200; 59], MAX_STRETCH / 2).1, None);
        assert_eq!(watched(Some(0.1), &[200; 70], MAX_STRETCH / 2).1, Some(60));
        let mut uneven = [200; 12];
        uneven[8] = 100;
        assert_eq!(watched(Some(0.1), &uneven, MAX_STRETCH).1, None);
        assert_eq!(watched(None, &[2000; 12], MAX_STRETCH).1, None);
    }
}
