//! The harness itself: a healthy agent with two peers lives, they hear each other, and the same seeds give the same life.

use rungs_scenarios_tests::{Life, Society, agent, calm_world};
use rungs_types::{AgentName, AgentSpec, Authority, EventKind, Level};

/// Cycles until the identity has a reference: then an operator lets the levels act.
const WARM_UP: u64 = 700;

/// An agent and two peers of one group, each in a calm world of its own.
fn three(seed: u64) -> Society {
    let life = |(name, seed): (&str, u64)| {
        Life::new(AgentSpec {
            group: Some(AgentName::new("web").expect("a name")),
            ..agent(name, calm_world(seed), seed)
        })
    };
    Society::new([("one", seed), ("two", seed + 1), ("three", seed + 2)].map(life).into())
}

fn lived(seed: u64) -> Society {
    let mut society = three(seed);
    society.run(WARM_UP);
    society.place(Authority::Full);
    society.run(300);
    society
}

#[test]
fn a_healthy_agent_and_two_peers_live_at_full_authority_and_model_each_other() {
    let society = lived(1);
    println!("{} messages", society.delivered());
    for life in society.lives() {
        let output = life.autonomy().expect("a pass");
        println!(
            "{}: L4.8 {}, L4.9 {}, ASS {:.3}, peers {:?}",
            life.id(),
            life.authority(Level::L48),
            life.authority(Level::L49),
            output.stability.verdict.scores.ass,
            output
                .peers
                .peers
                .iter()
                .map(|peer| peer.agent.to_string())
                .collect::<Vec<_>>(),
        );
        assert_eq!(life.authority(Level::L49), Authority::Full, "{}", life.id());
        assert_eq!(life.count(|kind| matches!(kind, EventKind::Frozen { .. })), 0);
        assert_eq!(output.peers.peers.len(), 2);
    }
    assert!(society.delivered() > 0);
}

#[test]
fn the_same_seeds_give_the_same_lives_and_others_give_others() {
    let told = |society: &Society| {
        society
            .lives()
            .iter()
            .map(|life| life.told().to_vec())
            .collect::<Vec<_>>()
    };
    let (one, again, other) = (lived(1), lived(1), lived(5));
    assert_eq!(told(&one), told(&again));
    assert_eq!(one.lives()[0].row(), again.lives()[0].row());
    assert_ne!(one.lives()[0].row(), other.lives()[0].row());
}
