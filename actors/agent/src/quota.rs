//! The agent's processor quota: what share of it is used, and when its patience is over. Pure: the kernel's actor looks
//! once a second and tells it the time and what the meter reads.
//!
//! What is left of it, and of the room that a stored state has, goes up to Level 4.9 as two of its resources.
//!
//! Decided elsewhere: a longer period by `rungs_mind::l3`, which is told the share; parking by `rungs_mind::ladder`.

use rungs_mind::body::MAX_STRETCH;
use rungs_mind::l49::Quotas;
use rungs_mind::l49::resources::Reading;
use rungs_store::MAX_SNAPSHOT_BYTES;
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
    /// `None` before the second look.
    share: Option<f64>,
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
            share: None,
            over: 0,
            over_at_longest: 0,
        }
    }

    /// Use between the last two looks, as a share of the quota; 0 without a quota.
    pub(crate) fn share(&self) -> f64 {
        self.share.unwrap_or(0.0)
    }

    /// The same; `None` while it is not known.
    pub(crate) fn measured(&self) -> Option<f64> {
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
        let share = busy_nanos.saturating_sub(before) as f64 / elapsed / limit;
        self.share = Some(share);
        let is_over = share > 1.0;
        let count = |so_far: u32, more: bool| if more { so_far.saturating_add(1) } else { 0 };
        self.over = count(self.over, is_over);
        self.over_at_longest = count(self.over_at_longest, is_over && stretch >= MAX_STRETCH);
        let parks = self.over_at_longest >= MAX_LOOKS_OVER || self.over >= MAX_LOOKS_OVER_SHORTER;
        parks.then_some(share)
    }
}

/// What is left of a processor quota of which `share` is in use, and of the room for a state of so many bytes when it was
/// stored last: one that does not fit into a snapshot any more cannot be kept. What was not measured yet is not there.
pub(crate) fn left(share: Option<f64>, state_bytes: u64) -> Quotas {
    let left = |used: f64| Reading {
        level: (1.0 - used).clamp(0.0, 1.0),
        renewed: None,
    };
    Quotas {
        compute: share.map(left),
        memory: (state_bytes > 0).then(|| left(state_bytes as f64 / MAX_SNAPSHOT_BYTES as f64)),
        own_resources: false,
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
    fn what_is_left_of_a_quota_is_what_is_not_used_and_nothing_is_known_before_the_second_look() {
        let levels = |share, bytes| {
            let quotas = left(share, bytes);
            (quotas.compute.map(|c| c.level), quotas.memory.map(|m| m.level))
        };
        assert_eq!(levels(watched(Some(0.5), &[], 1).0.measured(), 0), (None, None));
        assert_eq!(
            levels(watched(Some(0.5), &[125], 1).0.measured(), 0),
            (Some(0.75), None)
        );
        let quarter = MAX_SNAPSHOT_BYTES as u64 / 4;
        assert_eq!(levels(Some(1.8), quarter), (Some(0.0), Some(0.75)));
        assert_eq!(levels(None, 8 * quarter), (None, Some(0.0)));
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
