//! The last events of a kind, each with the block of cycles in which it fell, so that it leaves with it.

use crate::numeric::history::History;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Event<T> {
    /// The number of its block.
    pub(super) block: u32,
    pub(super) what: T,
}

/// The values of the events that are not older than the block `oldest`.
pub(super) fn within<T: Copy>(events: &History<Event<T>>, oldest: u32) -> impl Iterator<Item = T> + '_ {
    events
        .iter()
        .filter(move |event| event.block >= oldest)
        .map(|event| event.what)
}

/// The median of at most `N` values, between the middle two where their number is even; `None` of none.
pub(super) fn median<const N: usize>(values: impl Iterator<Item = u32>) -> Option<f64> {
    let mut sorted = [0_u32; N];
    let mut count = 0;
    for (slot, value) in sorted.iter_mut().zip(values) {
        *slot = value;
        count += 1;
    }
    let sorted = &mut sorted[..count];
    sorted.sort_unstable();
    let middle = count.checked_sub(1)?;
    Some(0.5 * (f64::from(sorted[middle / 2]) + f64::from(sorted[middle.div_ceil(2)])))
}

/// The area under the ROC curve of predictions against outcomes: how probable it is that a goal that succeeded was given a
/// greater feasibility than one that did not, equal ones counting half (J. Hanley and B. McNeil, "The meaning and use of
/// the area under a ROC curve", Radiology 1982). `None` unless there are both.
pub(super) fn auc<F: Iterator<Item = f32>>(
    succeeded: impl Iterator<Item = f32>,
    failed: impl Fn() -> F,
) -> Option<f64> {
    let (mut won, mut pairs) = (0.0, 0.0);
    for of_success in succeeded {
        for of_failure in failed() {
            pairs += 1.0;
            won += match of_success.total_cmp(&of_failure) {
                Ordering::Greater => 1.0,
                Ordering::Equal => 0.5,
                Ordering::Less => 0.0,
            };
        }
    }
    super::ratio(won, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_one_or_between_the_middle_two() {
        let of = |values: &[u32]| median::<8>(values.iter().copied());
        assert_eq!((of(&[]), of(&[7])), (None, Some(7.0)));
        assert_eq!((of(&[9, 1, 5]), of(&[30, 10, 20, 40])), (Some(5.0), Some(25.0)));
    }

    #[test]
    fn the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order() {
        let of = |succeeded: &[f32], failed: &[f32]| auc(succeeded.iter().copied(), || failed.iter().copied());
        assert_eq!((of(&[], &[]), of(&[0.5], &[]), of(&[], &[0.5])), (None, None, None));
        // 0.9 and 0.4 against 0.4 and 0.2: 1, 1, 0.5, 1 of four.
        assert_eq!(of(&[0.9, 0.4], &[0.4, 0.2]), Some(0.875));
        assert_eq!(of(&[0.4, 0.2], &[0.9, 0.4]), Some(0.125));
    }

    #[test]
    fn events_leave_with_their_block() {
        let mut events = History::new(4);
        (0..4_u32).for_each(|block| {
            events.push(Event {
                block,
                what: 10 * block,
            })
        });
        assert_eq!(within(&events, 2).collect::<Vec<_>>(), [20, 30]);
    }
}
