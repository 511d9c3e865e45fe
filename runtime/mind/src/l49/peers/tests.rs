use super::*;
use proptest::prelude::*;
use rungs_types::{AgentId, AgentName};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

fn restore<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    read.ok().map(|(value, _)| value)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

fn agent(name: &str) -> AgentId {
    AgentId::of_default_tenant(AgentName::new(name).unwrap())
}

fn trust(value: f64) -> Trust {
    Trust::try_from(value).unwrap()
}

#[test]
fn trust_is_earned_at_0_03_and_lost_at_0_08() {
    close(Trust::default().get(), 0.5);
    close(Trust::default().after(1.0).get(), 0.515);
    close(Trust::default().after(0.0).get(), 0.46);
    close(Trust::default().after(0.5).get(), 0.5);
    close(trust(0.2).after(0.7).get(), 0.215);
}

#[test]
fn trust_stays_between_0_05_and_0_95() {
    let after = |reliability| {
        (0..500)
            .fold(Trust::default(), |trust, _| trust.after(reliability))
            .get()
    };
    assert_eq!(after(1.0), MAX_TRUST);
    assert_eq!(after(f64::INFINITY), MAX_TRUST);
    assert_eq!(after(0.0), MIN_TRUST);
    assert_eq!(after(f64::NEG_INFINITY), MIN_TRUST);
    assert_eq!(after(f64::NAN), 0.5);
    assert!(Trust::try_from(0.049).is_err() && Trust::try_from(0.951).is_err() && Trust::try_from(f64::NAN).is_err());
}

#[test]
fn trust_levels_begin_at_0_20_at_0_40_and_at_0_75() {
    use TrustLevel::{High, Low, Minimal, Moderate};
    let levels = [0.05, 0.199, 0.20, 0.399, 0.40, 0.749, 0.75, 0.95].map(|value| trust(value).level());
    assert_eq!(levels, [Minimal, Minimal, Low, Low, Moderate, Moderate, High, High]);
    let all = [Minimal, Low, Moderate, High];
    assert_eq!(all.map(TrustLevel::shares_information), [false, false, false, true]);
    assert_eq!(
        all.map(TrustLevel::accepts_recommendations),
        [false, false, false, true]
    );
    assert_eq!(all.map(TrustLevel::verifies_claims), [true, true, true, false]);
    assert_eq!(all.map(TrustLevel::weight_of_claims), [0.0, 0.0, 0.5, 1.0]);
}

#[test]
fn classes_need_both_the_rate_and_the_alignment() {
    use StrategyClass::{Competitive, Cooperative, Neutral, Unknown};
    for (rate, alignment, expect) in [
        (0.71, 0.31, Cooperative),
        (0.70, 0.31, Unknown),
        (0.71, 0.30, Neutral),
        (0.51, 0.30, Neutral),
        (0.51, -0.30, Neutral),
        (0.50, 0.0, Unknown),
        (0.51, -0.31, Unknown),
        (0.29, -0.31, Competitive),
        (0.30, -0.31, Unknown),
        (0.29, -0.30, Unknown),
        (f64::NAN, 0.0, Unknown),
    ] {
        assert_eq!(StrategyClass::of(rate, alignment), expect, "{rate} {alignment}");
    }
}

#[test]
fn little_trust_lowers_the_class_that_an_agent_is_treated_as() {
    use StrategyClass::{Competitive, Cooperative, Neutral, Unknown};
    let all = [Cooperative, Neutral, Competitive, Unknown];
    assert_eq!(all.map(|class| class.as_trusted(TrustLevel::Minimal)), [Competitive; 4]);
    assert_eq!(
        all.map(|class| class.as_trusted(TrustLevel::Low)),
        [Neutral, Neutral, Competitive, Unknown]
    );
    assert_eq!(all.map(|class| class.as_trusted(TrustLevel::Moderate)), all);
    assert_eq!(all.map(|class| class.as_trusted(TrustLevel::High)), all);
}

#[test]
fn an_agent_is_classed_from_five_interactions_on() {
    let mut peers = Peers::default();
    let peer = peers.meet(&agent("a"), 0);
    for (at, class) in [
        StrategyClass::Unknown,
        StrategyClass::Unknown,
        StrategyClass::Unknown,
        StrategyClass::Unknown,
        StrategyClass::Cooperative,
    ]
    .into_iter()
    .enumerate()
    {
        let outcome = 0.1 * (at + 1) as f64;
        peer.interacted(outcome, outcome, at as u64);
        assert_eq!(peer.class(), class, "{at}");
    }
    close(peer.alignment(), 1.0);
    close(peer.confidence(), 5.0 / 20.0 * 0.5);
}

#[test]
fn outcomes_that_run_against_each_other_make_a_competitor() {
    let mut peers = Peers::default();
    let peer = peers.meet(&agent("a"), 0);
    for (own, other) in [(0.4, -0.4), (-0.2, 0.2), (-0.4, 0.4), (-0.6, 0.6), (-0.1, 0.1)] {
        peer.interacted(own, other, 1);
    }
    close(peer.positive_rate().unwrap(), 0.2);
    close(peer.alignment(), -1.0);
    assert_eq!(peer.class(), StrategyClass::Competitive);
}

#[test]
fn a_belief_moves_by_bayes() {
    // First: 1 is certain. Then 2 comes in with half of the mass: prior 0.95 * 0.5 + 0.05 / 2 = 0.5 each; likelihoods 0.2
    // and 0.8. Then 2 again: priors 0.95 * 0.2 + 0.025 = 0.215 and 0.785; 0.215 * 0.2 = 0.043, 0.785 * 0.8 = 0.628.
    let mut belief = GoalBelief::default();
    assert_eq!((belief.most_likely(), belief.accuracy()), (None, None));
    belief.observe(GoalKind(1));
    close(belief.probability(GoalKind(1)), 1.0);
    belief.observe(GoalKind(2));
    close(belief.probability(GoalKind(2)), 0.8);
    belief.observe(GoalKind(2));
    close(belief.probability(GoalKind(2)), 0.628 / 0.671);
    assert_eq!(belief.most_likely(), Some(GoalKind(2)));
    assert_eq!(belief.accuracy(), Some(0.5), "1 was expected, then 2");
    assert_eq!(belief.probability(GoalKind(3)), 0.0);
}

#[test]
fn the_ninth_kind_takes_the_place_of_the_least_likely() {
    let mut belief = GoalBelief::default();
    for kind in 1..=8 {
        for _ in 0..3 {
            belief.observe(GoalKind(kind));
        }
    }
    belief.observe(GoalKind(9));
    assert_eq!(belief.kinds().len(), MAX_GOAL_KINDS);
    assert!(belief.probability(GoalKind(9)) > 0.0 && belief.probability(GoalKind(8)) > 0.0);
    assert_eq!(belief.probability(GoalKind(1)), 0.0);
}

fn promise(id: u64, due: u64) -> Pledge {
    let kind = PledgeKind::Promise;
    Pledge { kind, id, due }
}

fn claim(id: u64, due: u64) -> Pledge {
    let kind = PledgeKind::Claim;
    Pledge { kind, id, due }
}

#[test]
fn reliability_counts_what_the_agent_checked_itself() {
    let mut peers = Peers::default();
    let peer = peers.meet(&agent("a"), 0);
    for id in 0..4 {
        peer.pledge(promise(id, 100), 1);
        peer.pledge(claim(id, 100), 1);
    }
    assert_eq!(peer.reliability(), None);
    assert!(peer.checked(PledgeKind::Promise, 0, true, 100), "in its last cycle");
    assert!(!peer.checked(PledgeKind::Promise, 0, true, 100), "once");
    assert!(!peer.checked(PledgeKind::Promise, 1, true, 101), "too late");
    assert!(!peer.checked(PledgeKind::Claim, 9, true, 50), "never said");
    assert!(peer.checked(PledgeKind::Claim, 0, false, 60));
    assert_eq!(peer.reliability(), Some(0.5));
    close(peer.capability(), 2.0 / 3.0);
}

#[test]
fn a_promise_that_is_overdue_is_broken_and_a_claim_that_nobody_checked_says_nothing() {
    let mut peers = Peers::default();
    peers.meet(&agent("a"), 0).pledge(promise(1, 100), 1);
    peers.meet(&agent("a"), 0).pledge(claim(1, 100), 1);
    peers.pass(100);
    assert_eq!(peers.get(&agent("a")).unwrap().reliability(), None);
    peers.pass(101);
    let peer = peers.get(&agent("a")).unwrap();
    assert_eq!(peer.reliability(), Some(0.0));
    close(peer.trust().get(), 0.46);
    assert!(peer.ledger().open().is_empty());
}

#[test]
fn silence_neither_earns_nor_loses_trust() {
    let mut peers = Peers::default();
    let peer = peers.meet(&agent("a"), 0);
    peer.pledge(claim(1, 100), 1);
    peer.checked(PledgeKind::Claim, 1, true, 2);
    (0..50).for_each(|pass| peer.pass(50 * pass));
    close(peer.trust().get(), 0.515);
    close(peer.calibration_error().unwrap(), 0.485);
}

#[test]
fn nobody_moves_his_own_deadline_and_a_flood_of_promises_breaks_the_first() {
    let mut peers = Peers::default();
    let peer = peers.meet(&agent("a"), 0);
    peer.pledge(promise(0, 10), 1);
    peer.pledge(promise(0, 9_000), 2);
    assert_eq!(peer.ledger().open(), [promise(0, 10)]);
    for id in 1..MAX_OPEN as u64 {
        peer.pledge(promise(id, 100 + id), 2);
    }
    assert_eq!(peer.reliability(), None);
    peer.pledge(promise(99, 200), 3);
    assert_eq!(peer.reliability(), Some(0.0), "the one due first was pushed out");
    peer.pledge(claim(1, 50), 4);
    assert_eq!(peer.ledger().open().len(), MAX_OPEN);
    assert!(peer.ledger().open().iter().all(|open| open.kind == PledgeKind::Promise));
}

fn five(peers: &mut Peers) {
    for (at, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let peer = peers.meet(&agent(name), 10 + at as u64);
        (0..at + 1).for_each(|_| peer.interacted(0.5, 0.5, 10 + at as u64));
    }
}

#[test]
fn the_sixth_agent_takes_the_place_of_the_one_of_which_least_is_known() {
    let mut peers = Peers::default();
    five(&mut peers);
    assert_eq!(peers.least_useful(50).map(Peer::id), Some(&agent("a")));
    peers.meet(&agent("f"), 50);
    assert_eq!(peers.iter().len(), MAX_PEERS);
    assert!(peers.get(&agent("a")).is_none() && peers.get(&agent("f")).is_some());
    peers.meet(&agent("g"), 51);
    assert!(
        peers.get(&agent("f")).is_none(),
        "newcomers replace each other, not those that are known"
    );
}

#[test]
fn an_agent_that_was_silent_for_1000_cycles_is_of_no_use() {
    let mut peers = Peers::default();
    five(&mut peers);
    for name in ["a", "b", "c", "d"] {
        peers.meet(&agent(name), 1_000).interacted(0.5, 0.5, 1_000);
    }
    assert_eq!(
        peers.least_useful(1_013).map(Peer::id),
        Some(&agent("a")),
        "e: 999 cycles"
    );
    assert_eq!(peers.least_useful(1_014).map(Peer::id), Some(&agent("e")));
}

#[test]
fn trust_cannot_be_washed_by_being_forgotten() {
    let mut peers = Peers::default();
    for (name, held) in [("bad", false), ("good", true)] {
        for id in 0..40 {
            let peer = peers.meet(&agent(name), id);
            peer.pledge(claim(id, 100), id);
            peer.checked(PledgeKind::Claim, id, held, id);
            peer.pass(id);
        }
    }
    let trust = |peers: &Peers, name| peers.get(&agent(name)).unwrap().trust().get();
    let (bad, good) = (trust(&peers, "bad"), trust(&peers, "good"));
    assert!(bad == MIN_TRUST && good > 0.8, "{bad} {good}");
    for name in ["bad", "good"] {
        peers.forget(&agent(name));
        peers.meet(&agent(name), 200);
    }
    assert_eq!(trust(&peers, "bad"), bad);
    assert_eq!(trust(&peers, "good"), 0.5, "it begins as an unknown one does");
    peers.forget(&agent("bad"));
    for stranger in 0..100 {
        let id = agent(&format!("s{stranger}"));
        peers.meet(&id, 300);
        peers.forget(&id);
    }
    peers.meet(&agent("bad"), 400);
    assert_eq!(
        trust(&peers, "bad"),
        bad,
        "a crowd of strangers does not push it out of memory"
    );
}

fn matrix(rows: &[&[(f64, f64)]]) -> Matrix {
    let outcomes = rows.iter().flat_map(|row| {
        row.iter().map(|(own, other)| Outcome {
            own: *own,
            other: *other,
        })
    });
    Matrix::new(rows.len(), rows[0].len(), outcomes.collect()).unwrap()
}

fn chosen(matrix: &Matrix, class: StrategyClass) -> Option<usize> {
    matrix
        .recommend(class, &[], 1.0)
        .map(|recommendation| recommendation.action)
}

#[test]
fn each_class_has_its_own_aim() {
    let matrix = matrix(&[
        // Joint 0.3: the best together.
        &[(0.1, 0.4), (0.0, 0.1)],
        // The best for itself of those that cost the other nothing: 0.25, 0.05.
        &[(0.6, 0.0), (-0.1, 0.1)],
        // The best worst case: 0.15; the other may lose.
        &[(0.15, -0.1), (0.2, 0.1)],
        // The best for itself, at the other's cost.
        &[(0.9, -0.9), (0.0, -0.2)],
    ]);
    assert_eq!(chosen(&matrix, StrategyClass::Cooperative), Some(0));
    assert_eq!(chosen(&matrix, StrategyClass::Neutral), Some(1));
    assert_eq!(chosen(&matrix, StrategyClass::Competitive), Some(2));
    assert_eq!(
        chosen(&matrix, StrategyClass::Unknown),
        Some(0),
        "the other cannot lose by it"
    );
}

#[test]
fn a_recommendation_says_what_to_expect() {
    let matrix = matrix(&[&[(0.4, 0.2), (-0.2, 0.6)]]);
    let found = matrix
        .recommend(StrategyClass::Cooperative, &[0.75, 0.25], 0.9)
        .unwrap();
    close(found.own, 0.25);
    close(found.other, 0.3);
    close(found.worst, -0.2);
    close(found.risk, 0.25);
    close(found.confidence, 0.9);
    for strange in [&[0.5][..], &[0.7, 0.7], &[f64::NAN, 0.5], &[-0.5, 1.5]] {
        close(
            matrix
                .recommend(StrategyClass::Cooperative, strange, f64::NAN)
                .unwrap()
                .own,
            0.1,
        );
    }
}

#[test]
fn neutral_planning_stops_where_the_other_would_lose() {
    let at = |other| chosen(&matrix(&[&[(0.5, other)], &[(0.1, 0.0)]]), StrategyClass::Neutral);
    assert_eq!(at(0.0), Some(0));
    assert_eq!(at(-0.001), Some(1));
    assert_eq!(
        chosen(&matrix(&[&[(0.5, -0.1)]]), StrategyClass::Neutral),
        None,
        "then nothing"
    );
}

#[test]
fn a_competitor_is_not_harmed_for_gain() {
    // Row 0 takes from the other what it gains; row 1 defends and gains nothing.
    let transfer = matrix(&[&[(0.5, -0.5)], &[(0.0, 0.0)]]);
    assert_eq!(chosen(&transfer, StrategyClass::Competitive), Some(1));
    let fair = matrix(&[&[(0.5, -0.4)], &[(0.0, 0.0)]]);
    assert_eq!(
        chosen(&fair, StrategyClass::Competitive),
        Some(0),
        "some of it is new value"
    );
    let spite = matrix(&[&[(0.0, -0.5), (0.1, 0.0)], &[(0.0, 0.0), (0.1, 0.0)]]);
    assert_eq!(
        chosen(&spite, StrategyClass::Competitive),
        Some(1),
        "as good for itself, better for the other"
    );
    let defence = matrix(&[&[(-0.3, -0.3)], &[(-0.9, 0.9)]]);
    assert_eq!(
        chosen(&defence, StrategyClass::Competitive),
        Some(0),
        "to lose less is not to gain from the other"
    );
    assert_eq!(chosen(&matrix(&[&[(0.5, -0.5)]]), StrategyClass::Competitive), None);
}

#[test]
fn a_matrix_that_is_not_whole_is_refused() {
    let outcome = Outcome::default();
    assert_eq!(
        Matrix::new(0, 1, vec![]),
        Err(MatrixError::Actions { own: 0, other: 1 })
    );
    assert_eq!(
        Matrix::new(1, 9, vec![outcome; 9]),
        Err(MatrixError::Actions { own: 1, other: 9 })
    );
    let short = MatrixError::Outcomes { found: 3, expected: 4 };
    assert_eq!(Matrix::new(2, 2, vec![outcome; 3]), Err(short));
    for wrong in [f64::NAN, 1.01, f64::NEG_INFINITY] {
        let wrong = Outcome { own: 0.0, other: wrong };
        assert_eq!(
            Matrix::new(1, 2, vec![outcome, wrong]),
            Err(MatrixError::Range { at: 1 })
        );
    }
    let matrix = matrix(&[&[(0.1, 0.2), (0.3, 0.4)]]);
    assert_eq!(matrix.outcome(0, 1), Some(Outcome { own: 0.3, other: 0.4 }));
    assert_eq!((matrix.outcome(0, 2), matrix.outcome(1, 0)), (None, None));
}

#[test]
fn a_distrusted_agent_is_met_as_a_competitor() {
    let mut peers = Peers::default();
    for id in 0..40 {
        let peer = peers.meet(&agent("a"), id);
        peer.interacted(0.01 * id as f64, 0.01 * id as f64, id);
        peer.pledge(claim(id, 100), id);
        peer.checked(PledgeKind::Claim, id, false, id);
        peer.pass(id);
    }
    let peer = peers.get(&agent("a")).unwrap();
    assert_eq!(
        (peer.class(), peer.trust().level()),
        (StrategyClass::Cooperative, TrustLevel::Minimal)
    );
    let found = matrix(&[&[(0.2, 0.2)]]).recommend_for(peer, &[]).unwrap();
    assert_eq!(found.class, StrategyClass::Competitive);
}

#[test]
fn the_agent_speaks_once_in_50_cycles_to_at_most_five() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.check(Audience::Agents(5), 0), Ok(()));
    assert_eq!(
        outbox.check(Audience::Agents(6), 0),
        Err(SendRefusal::Recipients { found: 6 })
    );
    assert_eq!(
        outbox.check(Audience::Agents(0), 0),
        Err(SendRefusal::Recipients { found: 0 })
    );
    outbox.sent(100);
    assert_eq!(
        outbox.check(Audience::Group, 149),
        Err(SendRefusal::TooSoon { from: 150 })
    );
    assert_eq!(outbox.check(Audience::Group, 150), Ok(()));
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -1.0..1.0_f64, 1 => any::<f64>()]
}

proptest! {
    #[test]
    fn whatever_agents_do_trust_stays_in_its_bounds_and_the_table_bounded(
        acts in prop::collection::vec((0_u8..9, 0_u8..6, any::<u32>(), number(), number(), 0_u64..400), 0..200)
    ) {
        let (mut peers, mut cycle) = (Peers::default(), 0_u64);
        for (name, act, number, own, other, cycles) in acts {
            cycle += cycles;
            let peer = peers.meet(&agent(&format!("p{name}")), cycle);
            let id = u64::from(number % 12);
            match act {
                0 => peer.observe_goal(GoalKind(number % 11), cycle),
                1 => peer.pledge(promise(id, cycle + 100), cycle),
                2 => peer.pledge(claim(id, cycle.saturating_add(u64::from(number))), cycle),
                3 => peer.interacted(own, other, cycle),
                4 => { peer.checked(PledgeKind::Claim, id, own > 0.0, cycle); }
                _ => { peer.checked(PledgeKind::Promise, id, own > 0.0, cycle); }
            }
            peers.pass(cycle);
            prop_assert!(peers.iter().len() <= MAX_PEERS);
            for peer in peers.iter() {
                prop_assert!((MIN_TRUST..=MAX_TRUST).contains(&peer.trust().get()));
                prop_assert!((-1.0..=1.0).contains(&peer.alignment()));
                let shares = [peer.confidence(), peer.capability(), peer.reliability().unwrap_or(0.0)];
                prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
                let sum: f64 = peer.goals().kinds().iter().map(|(_, p)| p).sum();
                prop_assert!(peer.goals().kinds().is_empty() || (sum - 1.0).abs() < 1e-9);
                prop_assert!(peer.goals().kinds().iter().all(|(_, p)| *p > 0.0));
            }
        }
        prop_assert!(peers.accuracy().is_none_or(|share| (0.0..=1.0).contains(&share)));
        prop_assert!(peers.calibration_error().is_none_or(|error| (0.0..=1.0).contains(&error)));
        prop_assert_eq!(restore(&bytes(&peers)), Some(peers));
    }

    #[test]
    fn whatever_trust_sees_it_stays_in_its_bounds(all in prop::collection::vec(number(), 0..200)) {
        let trust = all.into_iter().fold(Trust::default(), Trust::after);
        prop_assert!((MIN_TRUST..=MAX_TRUST).contains(&trust.get()));
    }

    #[test]
    fn whatever_the_matrix_a_recommendation_is_finite_and_keeps_its_class_promise(
        own in 1_usize..=4, other in 1_usize..=4,
        numbers in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 16),
        expected in prop::collection::vec(number(), 0..6), confidence in any::<f64>(),
    ) {
        let outcomes = numbers.into_iter().take(own * other).map(|(own, other)| Outcome { own, other }).collect();
        let matrix = Matrix::new(own, other, outcomes).unwrap();
        use StrategyClass::{Competitive, Cooperative, Neutral, Unknown};
        for class in [Cooperative, Neutral, Competitive, Unknown] {
            let Some(found) = matrix.recommend(class, &expected, confidence) else {
                prop_assert!(class != Cooperative, "working together is always possible");
                continue;
            };
            prop_assert!([found.own, found.other, found.worst].iter().all(|n| n.abs() <= 1.0 + 1e-9));
            prop_assert!((0.0..=1.0).contains(&found.risk) && (0.0..=1.0).contains(&found.confidence));
            prop_assert!(class != Neutral || found.other >= 0.0);
            let cells = || (0..other).filter_map(|b| matrix.outcome(found.action, b));
            prop_assert!(class != Unknown || cells().all(|cell| cell.other >= 0.0));
            let gains = cells().any(|cell| cell.own > 0.0);
            let fair = cells().any(|cell| cell.own > 0.0 && (cell.other >= 0.0 || cell.joint() > 0.0));
            prop_assert!(class != Competitive || !gains || fair);
        }
    }
}
