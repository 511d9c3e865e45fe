use super::*;

fn node(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn shard(number: u16) -> Shard {
    Shard::new(number).unwrap()
}

fn holding(map: &ShardMap, number: u16) -> (Option<&str>, u64, Option<&str>) {
    let Holding { owner, epoch, next } = map.holding(shard(number));
    (owner.map(NodeName::as_str), epoch.0, next.map(NodeName::as_str))
}

#[test]
fn a_shard_goes_through_a_move_with_one_owner_at_each_version() {
    let s = shard(7);
    let map = ShardMap::default();
    assert_eq!(holding(&map, 7), (None, 0, None));
    let map = map
        .apply(&[MapStep::Give {
            shard: s,
            to: node("b"),
        }])
        .unwrap();
    assert_eq!(holding(&map, 7), (Some("b"), 1, None));
    let map = map
        .apply(&[MapStep::Begin {
            shard: s,
            to: node("a"),
        }])
        .unwrap();
    assert_eq!(holding(&map, 7), (Some("b"), 1, Some("a")));
    let cancelled = map.apply(&[MapStep::Cancel { shard: s }]).unwrap();
    assert_eq!(holding(&cancelled, 7), (Some("b"), 1, None));
    assert_eq!(cancelled.nodes(), [node("b")]);
    let map = map.apply(&[MapStep::Finish { shard: s }]).unwrap();
    assert_eq!(holding(&map, 7), (Some("a"), 2, None));
    let map = map.apply(&[MapStep::Raise { shard: s }]).unwrap();
    assert_eq!(holding(&map, 7), (Some("a"), 3, None));
    let raised: Vec<_> = map.raised_since(&cancelled).collect();
    assert_eq!(raised, [(s, Epoch(1), Epoch(3))]);
    assert_eq!((map.version(), map.nodes()), (MapVersion(4), [node("a")].as_slice()));
    assert_eq!(map.owned_by(&node("a")).collect::<Vec<_>>(), [s]);
}

#[test]
fn a_step_that_does_not_fit_is_refused_with_all_others() {
    let s = shard(0);
    let to = |name: &str| MapStep::Begin {
        shard: s,
        to: node(name),
    };
    let empty = ShardMap::default();
    assert_eq!(empty.apply(&[to("a")]), Err(MapError::Unowned { shard: s }));
    assert_eq!(
        empty.apply(&[MapStep::Raise { shard: s }]),
        Err(MapError::Unowned { shard: s })
    );
    assert_eq!(
        empty.apply(&[MapStep::Finish { shard: s }]),
        Err(MapError::NotMoving { shard: s })
    );
    let give = MapStep::Give {
        shard: s,
        to: node("a"),
    };
    assert_eq!(
        empty.apply(&[give.clone(), give.clone()]),
        Err(MapError::There { shard: s })
    );
    let owned = empty.apply(&[give]).unwrap();
    assert_eq!(owned.apply(&[to("a")]), Err(MapError::There { shard: s }));
    assert_eq!(owned.apply(&[to("b"), to("c")]), Err(MapError::Moving { shard: s }));
    let cancel = MapStep::Cancel { shard: s };
    assert_eq!(owned.apply(&[cancel]), Err(MapError::NotMoving { shard: s }));
}

#[test]
fn a_map_names_a_bounded_number_of_nodes() {
    let give = |index: u16| MapStep::Give {
        shard: shard(index),
        to: node(&format!("n{index}")),
    };
    let full: Vec<_> = (0..MAX_MEMBERS as u16).map(give).collect();
    let mut map = ShardMap::default();
    for part in full.chunks(MAX_STEPS) {
        map = map.apply(part).unwrap();
    }
    assert_eq!(map.nodes().len(), MAX_MEMBERS);
    let found = MAX_MEMBERS;
    assert_eq!(ShardMap::default().apply(&full), Err(MapError::TooManySteps { found }));
    let one_more = map.apply(&[give(MAX_MEMBERS as u16)]);
    assert_eq!(one_more, Err(MapError::TooManyNodes { found: MAX_MEMBERS + 1 }));
    let instead = MapStep::Give {
        shard: shard(0),
        to: node("other"),
    };
    assert!(map.apply(&[instead]).is_ok());
}
