use super::*;

fn node(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn shard() -> Shard {
    Shard::new(7).unwrap()
}

fn give(to: &str) -> MapStep {
    let (shard, to) = (shard(), node(to));
    MapStep::Give { shard, to }
}

fn begin(to: &str) -> MapStep {
    let (shard, to) = (shard(), node(to));
    MapStep::Begin { shard, to }
}

/// Two nodes that follow one map.
struct Pair {
    map: Arc<ShardMap>,
    a: Ownership,
    b: Ownership,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            map: Arc::default(),
            a: Ownership::new(node("a")),
            b: Ownership::new(node("b")),
        };
        // Both got their leases when nobody owned anything.
        assert_eq!(pair.seen(), [vec![], vec![]]);
        pair
    }

    fn change(&mut self, step: MapStep) {
        self.map = Arc::new(self.map.apply(&[step]).unwrap());
    }

    /// What the two have to do when they see the map.
    fn seen(&mut self) -> [Vec<ShardAction>; 2] {
        [self.a.follow(&self.map), self.b.follow(&self.map)]
    }

    /// Where a message goes that begins here, or was sent here by that version.
    fn route(&self, sent_by: Option<u64>) -> [Route; 2] {
        let arrival = Arrival {
            shard: shard(),
            sent_by: sent_by.map(MapVersion),
        };
        [self.a.route(arrival, true), self.b.route(arrival, true)]
    }
}

fn start(epoch: u64) -> ShardAction {
    let (shard, epoch) = (shard(), Epoch(epoch));
    ShardAction::Start { shard, epoch }
}

fn forward(to: &str, version: u64) -> Route {
    let (to, version) = (node(to), MapVersion(version));
    Route::Forward { to, version }
}

#[test]
fn in_a_handover_every_message_has_a_way_at_each_step() {
    let mut pair = Pair::new();
    let pass = ShardAction::Pass { shard: shard() };
    assert_eq!(pair.route(None)[0], Route::Refuse(RouteError::Nobody(shard())));
    pair.change(give("a"));
    assert_eq!(pair.seen(), [vec![start(1)], vec![]]);
    assert_eq!(pair.route(None), [Route::Here(Epoch(1)), forward("a", 1)]);
    pair.change(begin("b"));
    let (shard, to) = (shard(), node("b"));
    assert_eq!(pair.seen(), [vec![ShardAction::Hold { shard, to }], vec![]]);
    assert_eq!(pair.route(None), [Route::Hold, forward("a", 2)]);
    assert_eq!(pair.a.changes(), []);
    pair.a.released(shard);
    pair.b.released(shard);
    assert_eq!(
        (pair.a.changes(), pair.b.changes()),
        (vec![MapStep::Finish { shard }], vec![])
    );
    assert_eq!(pair.route(None)[0], Route::Hold);
    // Committed, but seen by nobody yet; then by the old owner only.
    pair.change(MapStep::Finish { shard });
    assert_eq!(pair.route(None), [Route::Hold, forward("a", 2)]);
    assert_eq!(pair.a.follow(&pair.map), [pass]);
    let sent_on = pair.route(Some(3));
    assert_eq!(sent_on[1], Route::ReadFirst(MapVersion(3)));
    assert_eq!(pair.b.follow(&pair.map), [start(2)]);
    assert_eq!(
        pair.route(Some(3)),
        [
            Route::Refuse(RouteError::Astray(shard, MapVersion(3))),
            Route::Here(Epoch(2))
        ]
    );
    assert_eq!(
        (pair.route(None)[0].clone(), pair.route(Some(2))[0].clone()),
        (forward("b", 3), forward("b", 3))
    );
}

#[test]
fn a_move_that_is_called_off_is_resumed_at_the_same_epoch() {
    for stopped in [false, true] {
        let mut pair = Pair::new();
        pair.change(give("a"));
        pair.change(begin("b"));
        let hold = ShardAction::Hold {
            shard: shard(),
            to: node("b"),
        };
        assert_eq!(pair.seen()[0], [start(1), hold]);
        if stopped {
            pair.a.released(shard());
        }
        // The target died.
        pair.change(MapStep::Cancel { shard: shard() });
        let resume = ShardAction::Resume {
            shard: shard(),
            epoch: Epoch(1),
        };
        assert_eq!(pair.seen(), [vec![resume], vec![]]);
        assert_eq!(pair.route(None)[0], Route::Here(Epoch(1)));
        assert_eq!(pair.a.changes(), []);
    }
}

#[test]
fn a_shard_that_another_has_or_that_began_again_stops_at_once() {
    let mut pair = Pair::new();
    pair.change(give("a"));
    pair.seen();
    pair.change(MapStep::Raise { shard: shard() });
    let pass = ShardAction::Pass { shard: shard() };
    assert_eq!(pair.seen()[0], [pass.clone(), start(2)]);
    pair.change(begin("b"));
    pair.seen();
    // The owner's lease ended while it released; it notices late.
    pair.change(give("b"));
    assert_eq!(pair.seen(), [vec![pass], vec![start(3)]]);
}

#[test]
fn without_a_lease_nothing_is_taken_and_nothing_runs() {
    let mut pair = Pair::new();
    pair.change(give("a"));
    pair.seen();
    let arrival = Arrival {
        shard: shard(),
        sent_by: None,
    };
    let refused = Route::Refuse(RouteError::NotServing(shard()));
    assert_eq!(pair.a.route(arrival, false), refused);
    pair.a.clear();
    assert_eq!((pair.a.phase(shard()), pair.a.route(arrival, false)), (None, refused));
    pair.a.learn(&pair.map);
    assert_eq!((pair.a.phase(shard()), pair.a.changes()), (None, vec![]));
}

#[test]
fn what_a_node_had_before_its_lease_begins_again_first() {
    let shard = shard();
    for is_moving in [false, true] {
        let mut pair = Pair::new();
        pair.change(give("a"));
        pair.seen();
        if is_moving {
            pair.change(begin("b"));
        }
        pair.a.clear();
        assert_eq!(pair.seen()[0], []);
        let arrival = Arrival { shard, sent_by: None };
        let refused = Route::Refuse(RouteError::NotServing(shard));
        assert_eq!(pair.a.route(arrival, true), refused);
        // Nothing of it runs, so if it is moving it is handed over as it is.
        let change = match is_moving {
            true => MapStep::Finish { shard },
            false => MapStep::Raise { shard },
        };
        assert_eq!(pair.a.changes(), std::slice::from_ref(&change));
        pair.change(change);
        let seen = pair.seen();
        assert_eq!(seen[usize::from(is_moving)], [start(2)]);
        assert_eq!((pair.a.changes(), pair.b.changes()), (vec![], vec![]));
    }
}
