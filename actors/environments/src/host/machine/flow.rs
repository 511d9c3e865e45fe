//! Counters of devices that come and go, as counters that only grow.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Most disks or interfaces whose flow is followed; those beyond are not counted.
const MAX_DEVICES: usize = 256;

/// What flowed through all devices, in and out.
///
/// A device contributes what it counted since it was last seen; one that is new, or whose counter went backwards
/// (reset, wrapped, another device of that name), contributes from now on.
#[derive(Debug, Default)]
pub(super) struct Flow {
    known: BTreeMap<OsString, ([u64; 2], u64)>,
    pub(super) totals: [u64; 2],
    round: u64,
}

impl Flow {
    /// Takes in the counters of all devices there are; a name that comes twice counts once.
    pub(super) fn update<'a>(&mut self, devices: impl Iterator<Item = (&'a OsStr, [u64; 2])>) {
        self.round += 1;
        for (name, counters) in devices {
            if let Some((last, round)) = self.known.get_mut(name) {
                if *round == self.round {
                    continue;
                }
                for ((total, last), counter) in self.totals.iter_mut().zip(*last).zip(counters) {
                    *total = total.saturating_add(counter.saturating_sub(last));
                }
                (*last, *round) = (counters, self.round);
            } else if self.known.len() < MAX_DEVICES {
                self.known.insert(name.to_owned(), (counters, self.round));
            }
        }
        let round = self.round;
        self.known.retain(|_, (_, seen)| *seen == round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals_after(rounds: &[&[(&str, [u64; 2])]]) -> [u64; 2] {
        let mut flow = Flow::default();
        for round in rounds {
            flow.update(round.iter().map(|(name, counters)| (OsStr::new(*name), *counters)));
        }
        flow.totals
    }

    #[test]
    fn a_flow_is_the_sum_of_what_its_devices_counted_since_they_were_seen() {
        assert_eq!(totals_after(&[&[("a", [1000, 10]), ("b", [5, 5])]]), [0, 0]);
        assert_eq!(
            totals_after(&[&[("a", [1000, 10]), ("b", [5, 5])], &[("a", [1100, 10]), ("b", [6, 7])]]),
            [101, 2]
        );
    }

    #[test]
    fn a_device_that_is_new_or_back_or_reset_counts_from_then_on() {
        let new = totals_after(&[
            &[("a", [10, 0])],
            &[("a", [11, 0]), ("b", [1 << 40, 0])],
            &[("b", [(1 << 40) + 5, 0])],
        ]);
        assert_eq!(new, [6, 0]);
        let back = totals_after(&[
            &[("a", [10, 0])],
            &[],
            &[("a", [1 << 40, 0])],
            &[("a", [(1 << 40) + 1, 0])],
        ]);
        assert_eq!(back, [1, 0]);
        let reset = totals_after(&[&[("a", [u64::MAX, 7])], &[("a", [3, 9])], &[("a", [5, 9])]]);
        assert_eq!(reset, [2, 2]);
    }

    #[test]
    fn a_name_that_comes_twice_counts_once() {
        let twice = totals_after(&[&[("a", [10, 0]), ("a", [10, 0])], &[("a", [15, 0]), ("a", [99, 0])]]);
        assert_eq!(twice, [5, 0]);
    }
}
