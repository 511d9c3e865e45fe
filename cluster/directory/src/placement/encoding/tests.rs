use super::*;
use crate::placement::{Candidate, Pins, Standing, Zone};
use crate::placement::{MAX_STEPS, MapStep, planner};
use proptest::prelude::*;
use std::sync::LazyLock;

fn map_of(nodes: usize) -> ShardMap {
    let candidates: Vec<_> = (0..nodes)
        .map(|index| Candidate {
            node: NodeName::new(&format!("node-{index:04}")).unwrap(),
            weight: 1,
            zone: Zone::default(),
            standing: Standing::Live,
        })
        .collect();
    let mut map = ShardMap::default();
    loop {
        let plan = planner::plan(&map, &candidates, &Pins::default());
        if plan.is_empty() {
            return map;
        }
        map = map.apply(&plan.steps()).unwrap();
    }
}

/// Raises the epoch of every shard by its number below `spread`, and begins some moves.
fn aged(map: ShardMap, spread: u16) -> ShardMap {
    let raises = Shard::all().flat_map(|shard| (0..shard.number() % spread).map(move |_| MapStep::Raise { shard }));
    let mut steps: Vec<_> = raises.collect();
    for shard in Shard::all().step_by(100) {
        let to = map.nodes()[usize::from(shard.number()) % map.nodes().len()].clone();
        if map.holding(shard).owner != Some(&to) {
            steps.push(MapStep::Begin { shard, to });
        }
    }
    let parts = steps.chunks(MAX_STEPS);
    parts.fold(map, |map, steps| map.apply(steps).unwrap())
}

#[test]
fn a_map_takes_two_bits_a_shard_for_three_nodes_and_ten_for_a_thousand() {
    let maps = [map_of(3), map_of(1_000)];
    let fresh = [&maps[0], &maps[1]].map(|map| encode(map).len());
    // Lines of 2 and of 10 bits; names of 9 bytes, each with its length.
    let expected = [4_096 * 2 / 8 + 3 * 10 + 6, 4_096 * 10 / 8 + 1_000 * 10 + 7];
    assert_eq!(fresh, expected);
    // Epochs that differ by up to 199 take a byte each, a move in flight at most four.
    for (map, fresh) in maps.into_iter().zip(fresh) {
        let map = aged(map, 200);
        let moves = 4 * map.moving();
        let bytes = encode(&map).len();
        assert!((fresh + 4_096..=fresh + 4_096 + moves).contains(&bytes), "{bytes}");
    }
}

#[test]
fn what_was_encoded_comes_back() {
    for map in [ShardMap::default(), map_of(1), map_of(3), aged(map_of(7), 50)] {
        assert_eq!(decode(&encode(&map)), Ok(map));
    }
}

#[test]
fn what_is_no_map_is_refused() {
    let bytes = encode(&aged(map_of(3), 3));
    assert_eq!(decode(&[]), Err(DecodeError::Malformed));
    assert_eq!(decode(&[9]), Err(DecodeError::Format { found: 9 }));
    for length in 1..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err(DecodeError::Malformed), "{length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decode(&longer), Err(DecodeError::Malformed));
}

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| encode(&aged(map_of(3), 2)));

proptest! {
    #[test]
    fn a_damaged_map_is_refused_or_is_a_map(at in 0_usize..1_200, with in any::<u8>()) {
        let mut bytes = BYTES.clone();
        let at = at % bytes.len();
        bytes[at] ^= with;
        if let Ok(map) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&map)), Ok(map));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_map(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        bytes.insert(0, FORMAT);
        prop_assert_eq!(decode(&bytes), Err(DecodeError::Malformed));
    }
}
