use super::weights::within_range;
use super::*;
use crate::lookahead::Broken;
use proptest::prelude::*;

fn quo() -> LookaheadReport {
    LookaheadReport {
        cycles: 200,
        seof_first: 0.45,
        seof_last: 0.45,
        max_c_l4: 0.10,
        min_iis: 0.95,
        max_uncertainty: 0.20,
        max_rho: 0.90,
        final_cdi: 0.50,
        goal_completion: None,
        spent: [0.0; 8],
        broken: Broken::default(),
        cascade_depth: 0,
    }
}

fn vote_on(on: Decision, proposal: LookaheadReport) -> Ballot {
    Frames::default().vote(on, &proposal, &quo(), DivergenceBand::Normal)
}

fn structural(proposal: LookaheadReport) -> Ballot {
    vote_on(Decision::Structural, proposal)
}

#[test]
fn each_frame_weighs_the_report_as_written() {
    // One aspect changed at a time by 0.01; a vote is 20 times the difference of scores.
    type Aspect = (fn(&mut LookaheadReport), [f64; 5]);
    let aspects: [Aspect; 6] = [
        (|r| r.seof_last += 0.01, [0.45, 0.10, 0.10, 0.25, 0.10]),
        (|r| r.max_c_l4 -= 0.01, [0.05, 0.35, 0.15, 0.00, 0.20]),
        (|r| r.min_iis += 0.01, [0.05, 0.20, 0.55, 0.15, 0.20]),
        (|r| r.final_cdi += 0.01, [0.30, 0.00, 0.00, 0.15, 0.00]),
        (|r| r.goal_completion = Some(0.01), [0.15, 0.00, 0.10, 0.30, 0.00]),
        (|r| r.max_uncertainty -= 0.01, [0.00, 0.25, 0.00, 0.00, 0.25]),
    ];
    for (change, weights) in aspects {
        let mut report = quo();
        change(&mut report);
        for (vote, weight) in structural(report).votes.iter().zip(weights) {
            assert!((vote - weight * 0.01 / 0.05).abs() < 1e-9, "{vote} of {weight}");
        }
    }
    // One link of a cascade is a ninth of containment.
    let cascade = LookaheadReport {
        cascade_depth: 1,
        ..quo()
    };
    for (vote, weight) in structural(cascade).votes.iter().zip([0.0, 0.10, 0.10, 0.15, 0.25]) {
        assert!((vote + weight / 9.0 / 0.05).abs() < 1e-9, "{vote} of {weight}");
    }
}

#[test]
fn a_tie_is_a_no() {
    let ballot = structural(quo());
    assert_eq!((ballot.votes, ballot.yes, ballot.passed), ([0.0; 5], 0, false));
}

#[test]
fn what_helps_and_harms_nothing_is_passed_by_all_five() {
    let ballot = structural(LookaheadReport {
        seof_last: 0.46,
        ..quo()
    });
    assert_eq!((ballot.yes, ballot.passed), (5, true));
    assert!(ballot.variance < 0.1);
}

#[test]
fn a_structural_decision_takes_four_of_five_and_an_archetype_three() {
    // Diversity up, a little growth, and a little less certain: the conservative and the adversarial frame are against.
    let three = LookaheadReport {
        seof_last: 0.451,
        final_cdi: 0.505,
        max_uncertainty: 0.201,
        ..quo()
    };
    let ballot = structural(three);
    assert_eq!(
        (ballot.yes, ballot.resolution, ballot.passed),
        (3, Resolution::Proceed, false)
    );
    assert!(vote_on(Decision::Archetype, three).passed);
    // The same without doubt, but with a longer cascade that only the adversarial frame minds enough.
    let four = LookaheadReport {
        seof_last: 0.464,
        cascade_depth: 1,
        goal_completion: Some(0.1),
        max_c_l4: 0.07,
        ..quo()
    };
    let ballot = structural(four);
    assert_eq!((ballot.yes, ballot.votes[4] < 0.0), (4, true), "{ballot:?}");
    assert_eq!([Decision::Structural.needed(), Decision::Archetype.needed()], [4, 3]);
    let two = LookaheadReport {
        final_cdi: 0.51,
        ..quo()
    };
    assert!(!vote_on(Decision::Archetype, two).passed);
}

#[test]
fn the_ethical_veto_is_absolute_and_lies_at_an_identity_of_085() {
    let splendid = |min_iis| LookaheadReport {
        seof_last: 1.0,
        final_cdi: 1.0,
        max_c_l4: 0.0,
        max_uncertainty: 0.0,
        min_iis,
        ..quo()
    };
    let low = LookaheadReport {
        min_iis: 0.851,
        ..quo()
    };
    let vote = |proposal, quo| Frames::default().vote(Decision::Archetype, &proposal, &quo, DivergenceBand::Normal);
    assert!(!vote(splendid(0.85), low).vetoed);
    let vetoed = vote(splendid(0.849), low);
    assert!(vetoed.vetoed && !vetoed.passed && vetoed.votes[2] == -1.0);
    // What makes a bad thing better is not forbidden.
    let worse = LookaheadReport { min_iis: 0.80, ..quo() };
    assert!(!vote(splendid(0.82), worse).vetoed && vote(splendid(0.79), worse).vetoed);
    let frozen = Frames::default().vote(Decision::Archetype, &splendid(0.5), &quo(), DivergenceBand::Frozen);
    assert!(frozen.vetoed && !frozen.passed);
}

#[test]
fn each_frame_has_its_risk_limit() {
    let against = |change: fn(&mut LookaheadReport)| {
        let mut report = LookaheadReport {
            seof_last: 1.0,
            final_cdi: 1.0,
            goal_completion: Some(1.0),
            ..quo()
        };
        change(&mut report);
        structural(report).votes.map(|vote| vote == -1.0)
    };
    let [no, yes] = [false, true];
    assert_eq!(against(|r| r.max_c_l4 = 0.599)[0], no);
    assert_eq!(against(|r| r.max_c_l4 = 0.60)[1], yes);
    assert_eq!(against(|r| r.max_c_l4 = 0.799)[0], no);
    assert_eq!(against(|r| r.max_c_l4 = 0.80)[0], yes);
    assert_eq!(against(|r| r.cascade_depth = 2)[3], no);
    assert_eq!(against(|r| r.cascade_depth = 3)[3], yes);
    assert_eq!(against(|r| r.max_uncertainty = 0.70)[4], yes);
    // Below the limit an uncertain proposal is judged by its score.
    let doubtful = |max_uncertainty| {
        Reading::of(&LookaheadReport {
            max_uncertainty,
            ..quo()
        })
    };
    let now = Reading::of(&quo());
    assert!(!doubtful(0.699).breaks(Frame::Adversarial, &now) && doubtful(0.70).breaks(Frame::Adversarial, &now));
    let complex = |max_c_l4| Reading::of(&LookaheadReport { max_c_l4, ..quo() });
    assert!(!complex(0.599).breaks(Frame::Conservative, &now) && complex(0.60).breaks(Frame::Conservative, &now));
    assert!(complex(f64::NAN).breaks(Frame::Conservative, &complex(f64::NAN)));
}

#[test]
fn the_spread_of_the_votes_says_what_follows() {
    let of = Resolution::of;
    assert_eq!((of(0.0), of(0.0999)), (Resolution::Proceed, Resolution::Proceed));
    assert_eq!(
        (of(0.1), of(0.2999)),
        (Resolution::SimulateMore, Resolution::SimulateMore)
    );
    assert_eq!((of(0.3), of(0.4999)), (Resolution::Deliberate, Resolution::Deliberate));
    assert_eq!((of(0.5), of(f64::NAN)), (Resolution::Escalate, Resolution::Escalate));
    // One frame at -1, four at 1: mean 0.6, variance 0.64.
    let split = LookaheadReport {
        seof_last: 1.0,
        final_cdi: 1.0,
        goal_completion: Some(1.0),
        min_iis: 1.0,
        max_uncertainty: 0.7,
        max_c_l4: 0.0,
        ..quo()
    };
    let doubtful = LookaheadReport {
        max_uncertainty: 0.699,
        ..quo()
    };
    let ballot = Frames::default().vote(Decision::Structural, &split, &doubtful, DivergenceBand::Normal);
    assert_eq!(
        (ballot.votes, ballot.yes),
        ([1.0, 1.0, 1.0, 1.0, -1.0], 4),
        "{ballot:?}"
    );
    assert!((ballot.variance - 0.64).abs() < 1e-12);
    assert_eq!((ballot.resolution, ballot.passed), (Resolution::Escalate, false));
    assert!((ballot.support(&[0.2; 5]) - 0.6).abs() < 1e-12);
}

#[test]
fn while_the_divergence_is_frozen_the_conservative_frame_decides() {
    let vote = |proposal, band| Frames::default().vote(Decision::Structural, &proposal, &quo(), band);
    let calmer = LookaheadReport {
        seof_last: 0.30,
        max_c_l4: 0.05,
        ..quo()
    };
    let ballot = vote(calmer, DivergenceBand::Frozen);
    assert!(ballot.passed && ballot.yes < 4, "{ballot:?}");
    assert!(!vote(calmer, DivergenceBand::Recalibrate).passed);
    let livelier = LookaheadReport {
        seof_last: 0.55,
        max_c_l4: 0.15,
        ..quo()
    };
    assert!(!vote(livelier, DivergenceBand::Frozen).passed);
}

fn ballot(votes: [f64; 5]) -> Ballot {
    Ballot {
        votes,
        ..structural(quo())
    }
}

#[test]
fn votes_are_held_against_what_came_two_hundred_cycles_later() {
    let mut frames = Frames::default();
    assert_eq!(frames.accuracies(), [None; 5]);
    frames.adopted(&ballot([1.0, -1.0, 1.0, 0.0, 0.1]), 1_000, 0.40);
    assert!(!frames.settle(1_199, 0.5));
    assert!(frames.settle(1_200, 0.41));
    assert_eq!(
        frames.accuracies(),
        [Some(1.0), Some(0.0), Some(1.0), Some(0.0), Some(1.0)]
    );
    assert!(!frames.settle(1_400, 0.41), "once");
    // 1.05 for those who were right, 1 for the others, over 3 * 1.05 + 2.
    for (weight, factor) in frames.weights().iter().zip([1.05, 1.0, 1.05, 1.0, 1.05]) {
        assert!((weight - factor / 5.15).abs() < 1e-12);
    }
    // It fell: who was against it was right.
    frames.adopted(&ballot([1.0, -1.0, 1.0, 0.0, 0.1]), 2_000, 0.40);
    frames.settle(2_200, 0.40);
    assert_eq!(frames.accuracies(), [Some(0.5); 5]);
    frames.adopted(&ballot([1.0; 5]), 3_000, 0.40);
    frames.abandoned();
    assert!(!frames.settle(9_000, 0.9));
    frames.adopted(&ballot([1.0; 5]), 3_000, f64::NAN);
    assert!(!frames.settle(9_000, 0.9), "against nothing nothing can be held");
}

#[test]
fn accuracy_counts_the_last_twenty_votes() {
    let mut frames = Frames::default();
    let settle = |frames: &mut Frames, seof: f64| {
        frames.adopted(&ballot([1.0; 5]), 0, 0.5);
        assert!(frames.settle(200, seof));
    };
    settle(&mut frames, 0.4);
    (0..19).for_each(|_| settle(&mut frames, 0.6));
    assert_eq!(frames.accuracies(), [Some(0.95); 5]);
    settle(&mut frames, 0.6);
    assert_eq!(frames.accuracies(), [Some(1.0); 5]);
    assert!(frames.is_valid());
}

#[test]
fn a_frame_that_is_always_right_stops_at_035_and_one_that_never_is_at_010() {
    let mut frames = Frames::default();
    for _ in 0..200 {
        frames.adopted(&ballot([1.0, -1.0, -1.0, -1.0, -1.0]), 0, 0.1);
        frames.settle(200, 0.2);
    }
    let weights = frames.weights();
    assert!((weights[0] - 0.35).abs() < 1e-12);
    assert!(weights[1..].iter().all(|w| (w - 0.1625).abs() < 1e-12), "{weights:?}");
    for _ in 0..200 {
        frames.adopted(&ballot([-1.0, 1.0, 1.0, -1.0, 1.0]), 0, 0.1);
        frames.settle(200, 0.2);
    }
    let weights = frames.weights();
    assert!((weights[3] - 0.10).abs() < 1e-12, "{weights:?}");
}

proptest! {
    #[test]
    fn weights_stay_in_their_range_and_sum_to_one(weights in prop::array::uniform5(1e-6..1e3f64)) {
        let weights = within_range(weights);
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", weights);
        prop_assert!(weights.iter().all(|w| (0.10 - 1e-9..=0.35 + 1e-9).contains(w)), "{:?}", weights);
    }

    #[test]
    fn whatever_is_voted_and_comes_the_records_are_valid(
        turns in prop::collection::vec((prop::array::uniform5(-1.0..1.0f64), any::<f64>(), any::<f64>()), 1..60),
    ) {
        let mut frames = Frames::default();
        for (votes, before, after) in turns {
            frames.adopted(&ballot(votes), 0, before);
            frames.settle(200, after);
            prop_assert!(frames.is_valid());
        }
    }

    #[test]
    fn no_proposal_that_the_ethical_limit_forbids_is_passed(
        values in prop::array::uniform8(any::<f64>()), frozen in any::<bool>(), archetype in any::<bool>(),
    ) {
        let [seof_first, seof_last, max_c_l4, iis, max_uncertainty, final_cdi, rho, goals] = values;
        let min_iis = iis.rem_euclid(0.85).min(0.8499);
        let proposal = LookaheadReport {
            seof_first, seof_last, max_c_l4, min_iis, max_uncertainty, final_cdi, max_rho: rho,
            goal_completion: Some(goals), ..quo()
        };
        let on = if archetype { Decision::Archetype } else { Decision::Structural };
        let band = if frozen { DivergenceBand::Frozen } else { DivergenceBand::Normal };
        let ballot = Frames::default().vote(on, &proposal, &quo(), band);
        prop_assert!(ballot.vetoed && !ballot.passed);
        prop_assert!(ballot.votes.iter().all(|v| (-1.0..=1.0).contains(v)));
    }
}
