use super::*;
use crate::placement::{Member, Placement, StaticPlacement, Zone};
use proptest::prelude::*;

fn node(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn candidate(name: &str, weight: u32, standing: Standing) -> Candidate {
    Candidate {
        node: node(name),
        weight,
        zone: Zone::default(),
        standing,
    }
}

fn live(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| candidate(name, 1, Standing::Live)).collect()
}

/// Applies plans, and finishes what they begin, until there is nothing to do: the map, and all moves.
fn settle(mut map: ShardMap, candidates: &[Candidate], pins: &Pins) -> (ShardMap, Vec<Move>) {
    let mut moves = Vec::new();
    for _ in 0..200 {
        let plan = plan(&map, candidates, pins);
        if plan.is_empty() {
            return (map, moves);
        }
        map = map.apply(&plan.steps()).unwrap();
        assert!(map.moving() <= MAX_IN_FLIGHT);
        map = finish(&map);
        moves.extend(plan.moves);
    }
    panic!("no end of plans");
}

fn finish(map: &ShardMap) -> ShardMap {
    let moving = map.holdings().filter(|(_, holding)| holding.next.is_some());
    let steps: Vec<_> = moving
        .map(|(shard, _)| super::super::MapStep::Finish { shard })
        .collect();
    map.apply(&steps).unwrap()
}

fn settled(candidates: &[Candidate]) -> ShardMap {
    settle(ShardMap::default(), candidates, &Pins::default()).0
}

fn standing(candidates: &mut [Candidate], name: &str, standing: Standing) {
    let found = candidates.iter_mut().find(|it| it.node == node(name)).unwrap();
    found.standing = standing;
}

#[test]
fn a_cluster_that_grew_has_the_map_that_follows_from_its_members() {
    let mut candidates = Vec::new();
    let mut map = ShardMap::default();
    for name in ["n1", "n2", "n3"] {
        candidates.push(candidate(name, 1, Standing::Joining));
        map = settle(map, &candidates, &Pins::default()).0;
        assert_eq!(plan(&map, &candidates, &Pins::default()).settled, [node(name)]);
        standing(&mut candidates, name, Standing::Live);
    }
    let members = ["n1", "n2", "n3"].map(|name| Member {
        node: node(name),
        weight: 1,
    });
    let fixed = StaticPlacement::new(members.to_vec()).unwrap();
    assert!(Shard::all().all(|shard| map.holding(shard).owner == fixed.owner(shard)));
    assert_eq!(map, {
        let again = settle(map.clone(), &candidates, &Pins::default()).0;
        assert!(rebalance(&again, &candidates, &Pins::default()).is_empty());
        again
    });
}

#[test]
fn what_a_dead_node_had_gets_owners_at_once_and_nothing_else_moves() {
    let candidates = live(&["n1", "n2", "n3"]);
    let map = settled(&candidates);
    let had: Vec<_> = map.owned_by(&node("n2")).collect();
    let first = plan(&map, &live(&["n1", "n3"]), &Pins::default());
    assert_eq!((first.moves.len(), first.waiting), (MAX_GIVEN, had.len() - MAX_GIVEN));
    let (after, moves) = settle(map.clone(), &live(&["n1", "n3"]), &Pins::default());
    assert!(moves.iter().all(|it| it.reason == Reason::OwnerGone));
    assert_eq!(moves.iter().map(|it| it.shard).collect::<Vec<_>>(), had);
    assert_eq!((after.moving(), after.names(&node("n2"))), (0, false));
    let raised = |shard: Shard| after.holding(shard).epoch == map.holding(shard).epoch.next();
    assert!(Shard::all().all(|shard| raised(shard) == had.contains(&shard)));
}

#[test]
fn a_drained_node_loses_all_it_has_a_few_at_a_time() {
    let mut candidates = live(&["n1", "n2", "n3"]);
    let map = settled(&candidates);
    standing(&mut candidates, "n3", Standing::Draining);
    let first = plan(&map, &candidates, &Pins::default());
    assert_eq!(first.moves.len(), MAX_IN_FLIGHT);
    let had = map.owned_by(&node("n3")).count();
    assert_eq!(first.waiting, had - MAX_IN_FLIGHT);
    assert!(first.to_string().contains("n3 -> n1"), "{first}");
    assert!(first.to_string().contains("its owner is drained"), "{first}");
    // While so many are moving, no more begin.
    let moving = map.apply(&first.steps()).unwrap();
    let second = plan(&moving, &candidates, &Pins::default());
    assert!(second.is_empty(), "{second}");
    let (after, moves) = settle(map, &candidates, &Pins::default());
    assert_eq!((moves.len(), after.names(&node("n3"))), (had, false));
    // The last node keeps what nobody else can have.
    let alone = [candidate("n1", 1, Standing::Draining)];
    let (kept, _) = settle(settled(&live(&["n1"])), &alone, &Pins::default());
    assert_eq!(kept.owned_by(&node("n1")).count(), usize::from(SHARDS));
}

#[test]
fn a_move_to_a_node_that_dies_is_cancelled_and_one_from_it_is_completed() {
    let mut candidates = live(&["n1", "n2", "n3"]);
    let map = settled(&candidates);
    standing(&mut candidates, "n3", Standing::Draining);
    let begun = plan(&map, &candidates, &Pins::default());
    let moving = map.apply(&begun.steps()).unwrap();
    let to_n1: Vec<_> = begun.moves.iter().filter(|it| it.to == node("n1")).collect();
    // The target dies.
    let left: Vec<_> = candidates.iter().filter(|it| it.node != node("n1")).cloned().collect();
    let plan_1 = plan(&moving, &left, &Pins::default());
    assert_eq!(plan_1.cancelled, to_n1.iter().map(|it| it.shard).collect::<Vec<_>>());
    let after = moving.apply(&plan_1.steps()).unwrap();
    assert!(
        to_n1
            .iter()
            .all(|it| after.holding(it.shard).owner == Some(&node("n3")))
    );
    assert!(
        to_n1
            .iter()
            .all(|it| after.holding(it.shard).epoch == map.holding(it.shard).epoch)
    );
    assert!(after.holdings().all(|(_, holding)| holding.next != Some(&node("n1"))));
    // The owner dies: the target gets it, though another node may want it more.
    let left: Vec<_> = candidates.iter().filter(|it| it.node != node("n3")).cloned().collect();
    let plan_2 = plan(&moving, &left, &Pins::default());
    assert!(plan_2.cancelled.is_empty());
    for it in begun.moves.iter().take(10) {
        let given = plan_2.moves.iter().find(|given| given.shard == it.shard).unwrap();
        assert_eq!((&given.to, given.reason), (&it.to, Reason::OwnerGone));
    }
}

#[test]
fn a_pinned_shard_goes_to_its_node_and_stays_there() {
    let candidates = live(&["n1", "n2"]);
    let map = settled(&candidates);
    let shard = map.owned_by(&node("n1")).next().unwrap();
    let mut pins = Pins::default();
    pins.pin(shard, node("n2")).unwrap();
    let (map, moves) = settle(map, &candidates, &pins);
    assert_eq!(moves.len(), 1);
    assert_eq!((moves[0].shard, moves[0].reason), (shard, Reason::Pinned));
    assert!(rebalance(&map, &candidates, &pins).is_empty());
    // A node that joins does not take it, and a pin to a node that is not there waits.
    let mut more = candidates.clone();
    more.push(candidate("n3", 1 << 16, Standing::Joining));
    let (map, _) = settle(map, &more, &pins);
    assert_eq!(map.holding(shard).owner, Some(&node("n2")));
    let (map, _) = settle(map, &live(&["n1", "n3"]), &pins);
    assert_ne!(map.holding(shard).owner, Some(&node("n2")));
    let (map, _) = settle(map, &candidates, &pins);
    assert_eq!(map.holding(shard).owner, Some(&node("n2")));
}

#[test]
fn rebalance_says_what_it_would_do_and_ends() {
    let three = live(&["n1", "n2", "n3"]);
    let mut map = settled(&live(&["n1", "n2"]));
    let plan = rebalance(&map, &three, &Pins::default());
    assert_eq!(plan.moves.len(), MAX_IN_FLIGHT);
    let all = plan.moves.len() + plan.waiting;
    assert!(
        plan.moves
            .iter()
            .all(|it| it.reason == Reason::Rebalance && it.to == node("n3"))
    );
    for _ in 0..all.div_ceil(MAX_IN_FLIGHT) {
        let plan = rebalance(&map, &three, &Pins::default());
        map = finish(&map.apply(&plan.steps()).unwrap());
    }
    assert!(rebalance(&map, &three, &Pins::default()).is_empty());
    assert_eq!(map.owned_by(&node("n3")).count(), all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn at_most_1_2_of_a_share_moves_when_a_node_joins(members in 1_usize..120, salt in any::<u32>()) {
        let names: Vec<String> = (0..=members).map(|index| format!("n{index}-{salt}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let map = settled(&live(&names[..members]));
        let mut after = live(&names);
        standing(&mut after, names[members], Standing::Joining);
        let (map, moves) = settle(map, &after, &Pins::default());
        let limit = 1.2 * f64::from(SHARDS) / members as f64;
        prop_assert!((moves.len() as f64) <= limit, "{} moves", moves.len());
        prop_assert!(moves.iter().all(|it| it.to == node(names[members]) && it.reason == Reason::Joined));
        prop_assert!(!moves.is_empty());
        // When it is settled, nothing follows.
        standing(&mut after, names[members], Standing::Live);
        prop_assert!(plan(&map, &after, &Pins::default()).is_empty());
    }

    #[test]
    fn whoever_comes_and_goes_every_shard_gets_a_living_owner(
        rounds in prop::collection::vec(prop::collection::vec((0_u8..4, 1_u32..4), 6), 1..5)
    ) {
        let mut map = ShardMap::default();
        for round in rounds {
            let candidates: Vec<_> = round.iter().enumerate().filter_map(|(index, (standing, weight))| {
                let standing = [Standing::Joining, Standing::Live, Standing::Draining].get(usize::from(*standing))?;
                Some(candidate(&format!("n{index}"), *weight, *standing))
            }).collect();
            let before = map.clone();
            map = settle(map, &candidates, &Pins::default()).0;
            for (shard, holding) in map.holdings() {
                let owner = candidates.iter().find(|it| Some(&it.node) == holding.owner);
                if candidates.iter().any(Candidate::receives) {
                    prop_assert!(owner.is_some_and(Candidate::receives));
                }
                prop_assert!(holding.epoch >= before.holding(shard).epoch);
                let moved = holding.owner != before.holding(shard).owner;
                prop_assert!(!moved || holding.epoch > before.holding(shard).epoch);
            }
        }
    }
}
