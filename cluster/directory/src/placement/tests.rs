use super::*;
use std::collections::BTreeMap;

fn node(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

fn placement(weights: &[(&str, u32)]) -> StaticPlacement {
    let members = weights.iter().map(|(name, weight)| Member {
        node: node(name),
        weight: *weight,
    });
    StaticPlacement::new(members.collect()).expect("a placement")
}

fn owners(placement: &StaticPlacement) -> Vec<NodeName> {
    Shard::all()
        .map(|shard| placement.owner(shard).expect("an owner").clone())
        .collect()
}

fn counts(placement: &StaticPlacement) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for owner in owners(placement) {
        *counts.entry(owner.to_string()).or_default() += 1;
    }
    counts
}

#[test]
fn the_hash_is_fnv_1a_with_the_finalizer_of_splitmix64() {
    // Published vectors of FNV-1a.
    assert_eq!(Hash::default().with(b"").0, 0xcbf2_9ce4_8422_2325);
    assert_eq!(Hash::default().with(b"a").0, 0xaf63_dc4c_8601_ec8c);
    assert_eq!(Hash::default().with(b"foobar").0, 0x8594_4171_f739_67e8);
    // The first output of SplitMix64 from state 0 finalizes its increment.
    assert_eq!(Hash(0x9e37_79b9_7f4a_7c15).finish(), 0xe220_a839_7b1d_cdaf);
}

#[test]
fn the_shard_of_a_name_never_changes() {
    // Computed independently, in Python, from the definition.
    let cases = [("ops-1", 3808), ("acme/ops-1", 1098), ("a", 3595)];
    for (agent, shard) in cases {
        let agent: AgentId = agent.parse().expect("an agent");
        assert_eq!(Shard::of(&agent).number(), shard, "{agent}");
    }
}

#[test]
fn the_map_of_given_members_never_changes() {
    let owners = owners(&placement(&[("n1", 1), ("n2", 1), ("n3", 1)]));
    let first: Vec<_> = owners.iter().take(12).map(|owner| owner.as_str()).collect();
    assert_eq!(
        first,
        ["n2", "n3", "n2", "n3", "n2", "n3", "n3", "n1", "n3", "n3", "n2", "n3"]
    );
    let counts = counts(&placement(&[("n1", 1), ("n2", 1), ("n3", 1)]));
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [1348, 1351, 1397]);
}

#[test]
fn the_order_of_the_members_does_not_matter() {
    assert_eq!(placement(&[("n1", 1), ("n2", 3)]), placement(&[("n2", 3), ("n1", 1)]));
}

#[test]
fn shares_follow_the_weights() {
    let counts = counts(&placement(&[("n1", 1), ("n2", 2), ("n3", 5)]));
    // Expected 512, 1024, 2560; five standard deviations of a binomial share are at most 158.
    for (name, expected) in [("n1", 512), ("n2", 1024), ("n3", 2560_usize)] {
        assert!(counts[name].abs_diff(expected) < 158, "{counts:?}");
    }
}

#[test]
fn a_new_member_takes_its_share_and_nothing_else_moves() {
    for members in 1..8_usize {
        let names: Vec<_> = (0..=members).map(|i| format!("n{i}")).collect();
        let of = |count: usize| {
            let weights: Vec<_> = names[..count].iter().map(|name| (name.as_str(), 1)).collect();
            owners(&placement(&weights))
        };
        let (before, after) = (of(members), of(members + 1));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b);
        assert!(moved.clone().all(|(_, owner)| owner.as_str() == names[members]));
        let limit = 1.2 * f64::from(SHARDS) / (members + 1) as f64;
        assert!((moved.count() as f64) < limit, "{members} members");
    }
}

#[test]
fn the_logarithm_is_exact_to_its_last_bits() {
    assert_eq!(minus_log2(u64::MAX), 0);
    assert_eq!(minus_log2(0), 64 << 32);
    assert_eq!(minus_log2((1 << 63) - 1), 1 << 32);
    for hash in [1, 2, 12_345, 1 << 40, 0x0123_4567_89ab_cdef, u64::MAX / 3] {
        let exact = 64.0 - ((hash as f64) + 1.0).log2();
        let found = minus_log2(hash) as f64 / 2_f64.powi(32);
        assert!((found - exact).abs() < 1e-8, "{hash}: {found} {exact}");
    }
}

#[test]
fn wrong_members_are_named() {
    let member = |name: &str, weight| Member {
        node: node(name),
        weight,
    };
    assert_eq!(
        StaticPlacement::new(Vec::new()),
        Err(PlacementError::Count { found: 0 })
    );
    let twice = StaticPlacement::new(vec![member("a", 1), member("b", 1), member("a", 2)]);
    assert_eq!(twice, Err(PlacementError::Twice { node: node("a") }));
    let weight = StaticPlacement::new(vec![member("a", 0)]);
    let expected = PlacementError::Weight {
        node: node("a"),
        found: 0,
    };
    assert_eq!(weight, Err(expected));
}
