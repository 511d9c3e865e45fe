//! Agents that talk to each other: what is heard, by whom, what is refused, and whom they come to model.

use crate::reach::call;
use crate::support::{Node, cycle, id, spec};
use rungs_agent::messages::{Acquaintance, GetPeers, Say};
use rungs_agent::{AgentHandle, Letter, Recipients};
use rungs_host::{Format, Payload, Wire};
use rungs_types::peer::{MAX_RECIPIENTS, PeerMessage};
use rungs_types::{AgentSpec, Authority, ErrorCode, Level};

pub(crate) fn in_group(name: &str) -> AgentSpec {
    AgentSpec {
        group: Some(id("web").name),
        ..spec(name)
    }
}

/// Puts Level 4.9 of an agent at this authority; from half on it acts and speaks.
pub(crate) async fn place(agent: &AgentHandle, autonomy: Authority) {
    for (level, to) in [(Level::L48, Authority::Full), (Level::L49, autonomy)] {
        let standing = agent.authority(level, to, "ada").await.expect("accepted");
        assert_eq!(standing.authority, to);
    }
}

/// An agent of the group that speaks.
async fn speaker(node: &Node, name: &str) -> AgentHandle {
    let agent = node.hosts.spawn(in_group(name)).await.expect("starts");
    cycle(&agent, 50).await;
    place(&agent, Authority::Half).await;
    agent
}

async fn after(agent: &AgentHandle, cycles: u64) -> Acquaintance {
    cycle(agent, agent.cycle() + cycles).await;
    agent.peers().await.expect("answers")
}

#[tokio::test(start_paused = true)]
async fn two_agents_of_a_group_report_to_each_other_and_model_each_other() {
    let node = Node::paused().await;
    let (one, two) = (speaker(&node, "ops-1").await, speaker(&node, "ops-2").await);
    // In no group, and no Level 4.9: nobody speaks to these.
    let stranger = node.hosts.spawn(spec("alone")).await.expect("starts");
    let low = AgentSpec {
        highest: Level::L48,
        ..in_group("low")
    };
    let low = node.hosts.spawn(low).await.expect("starts");
    for (agent, other) in [(&one, "ops-2"), (&two, "ops-1")] {
        let known = after(agent, 1_000).await;
        let modelled: Vec<_> = known.modelled.iter().map(|peer| peer.agent.clone()).collect();
        assert_eq!(modelled, [id(other)]);
        assert!(known.heard >= 10 && known.refused == 0, "{known:?}");
    }
    for agent in [&stranger, &low] {
        assert_eq!(after(agent, 10).await, Acquaintance::default());
    }
}

#[tokio::test(start_paused = true)]
async fn no_agent_speaks_to_more_than_five_of_its_group() {
    let node = Node::paused().await;
    let mut agents = Vec::new();
    for index in 0..8 {
        let spec = in_group(&format!("ops-{index}"));
        agents.push(node.hosts.spawn(spec).await.expect("starts"));
    }
    let talker = &agents[6];
    cycle(talker, 50).await;
    place(talker, Authority::Full).await;
    cycle(talker, 600).await;
    let mut hearers = Vec::new();
    for agent in &agents {
        if agent.peers().await.expect("answers").heard > 0 {
            hearers.push(agent.id().to_string());
        }
    }
    assert_eq!(hearers, ["ops-0", "ops-1", "ops-2", "ops-3", "ops-7"]);
    assert_eq!(hearers.len(), MAX_RECIPIENTS);
}

fn letter(from: &str, to: Recipients) -> Letter {
    let message = PeerMessage::Report {
        goals: Vec::new(),
        load: 0.5,
    };
    let from = id(from);
    Letter { from, to, message }
}

/// How many messages each agent has heard, and how many it has refused.
async fn counts(agents: &[AgentHandle]) -> Vec<(u64, u64)> {
    let mut counts = Vec::new();
    for agent in agents {
        let known = agent.peers().await.expect("answers");
        counts.push((known.heard, known.refused));
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn what_is_said_to_a_group_is_heard_by_five_others_and_not_by_the_sender_or_whoever_is_not_in_it() {
    let node = Node::paused().await;
    let mut agents = Vec::new();
    for index in 0..8 {
        let spec = in_group(&format!("ops-{index}"));
        agents.push(node.hosts.spawn(spec).await.expect("starts"));
    }
    // In no group, and without Level 4.9: nobody speaks to these.
    agents.push(node.hosts.spawn(spec("alone")).await.expect("starts"));
    let low = AgentSpec {
        highest: Level::L48,
        ..in_group("low")
    };
    agents.push(node.hosts.spawn(low).await.expect("starts"));
    let members = || node.runtime.endpoints.groups().members(&id("web"), 100).len();
    assert_eq!(members(), 8);
    let group = || Recipients::Group(id("web").name);
    assert!(node.runtime.peers.send(letter("ops-6", group())));
    let heard: Vec<u64> = counts(&agents).await.into_iter().map(|(heard, _)| heard).collect();
    assert_eq!(heard, [1, 1, 1, 1, 0, 0, 0, 1, 0, 0]);
    assert_eq!(heard.iter().sum::<u64>(), MAX_RECIPIENTS as u64);
    // At once again: whoever has heard it refuses, and others are heard all the same.
    assert!(node.runtime.peers.send(letter("ops-6", group())));
    let named = Recipients::Agents(vec![id("ops-0"), id("ops-5")]);
    assert!(node.runtime.peers.send(letter("ops-7", named)));
    let found = counts(&agents[..8]).await;
    assert_eq!(found, [(2, 1), (1, 1), (1, 1), (1, 1), (0, 0), (1, 0), (0, 0), (1, 1)]);
    node.hosts.stop(&id("ops-0")).await.expect("stops");
    assert_eq!(members(), 7);
}

/// The code with which the agent refuses.
async fn code(node: &Node, to: &str, from: &str, message: &str) -> Option<ErrorCode> {
    let json = format!("{{\"from\":\"{from}\",\"message\":{message}}}");
    call(node, to, Say::KIND, &json).await.err().map(|refusal| refusal.code)
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_too_frequent_or_from_a_stranger_is_refused_with_its_reason() {
    const KEPT: &str = "{\"kept\":{\"id\":1}}";
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    let low = AgentSpec {
        highest: Level::L48,
        ..spec("low")
    };
    node.hosts.spawn(low).await.expect("starts");
    cycle(&agent, 50).await;
    let malformed = [
        "{\"bid\":{\"offer\":1,\"confidence\":2.0}}",
        "{\"report\":{\"goals\":[\"growth\",\"growth\"],\"load\":0.5}}",
        "{\"kept\":{\"id\":-1}}",
        "{\"shout\":{}}",
    ];
    for message in malformed {
        let found = code(&node, "ops-1", "ops-2", message).await;
        assert_eq!(found, Some(ErrorCode::Malformed), "{message}");
    }
    assert_eq!(code(&node, "low", "ops-2", KEPT).await, Some(ErrorCode::Refused));
    assert_eq!(code(&node, "ops-1", "ops-1", KEPT).await, Some(ErrorCode::Forbidden));
    assert_eq!(
        code(&node, "ops-1", "acme/ops-2", KEPT).await,
        Some(ErrorCode::Forbidden)
    );
    assert_eq!(code(&node, "ops-1", "ops-2", KEPT).await, None);
    assert_eq!(code(&node, "ops-1", "ops-2", KEPT).await, Some(ErrorCode::Overloaded));
    assert_eq!(code(&node, "ops-1", "ops-3", KEPT).await, None, "each sender by itself");
    cycle(&agent, 120).await;
    assert_eq!(code(&node, "ops-1", "ops-2", KEPT).await, None);
    let known = call(&node, "ops-1", GetPeers::KIND, "{}").await.expect("answers");
    let known: Acquaintance = serde_json::from_str(&known).expect("an answer");
    // What does not decode never gets to the agent: two of the malformed ones.
    assert_eq!((known.heard, known.refused), (3, 5));
}

#[test]
fn every_kind_of_message_comes_through_both_formats_as_it_was() {
    let condition = "{\"of\":\"eu\",\"is\":\"at_most\",\"value\":0.5}";
    let messages = [
        "{\"report\":{\"goals\":[\"growth\"],\"load\":0.5}}".to_owned(),
        format!("{{\"claim\":{{\"id\":1,\"fact\":{condition},\"within_cycles\":9}}}}"),
        format!("{{\"promise\":{{\"id\":1,\"fact\":{condition},\"within_cycles\":9}}}}"),
        "{\"kept\":{\"id\":1}}".to_owned(),
        "{\"offer\":{\"id\":1,\"task\":{\"sample_faster\":{\"group\":1}},\"share\":0.1}}".to_owned(),
        "{\"bid\":{\"offer\":1,\"confidence\":0.5}}".to_owned(),
        "{\"award\":{\"offer\":1}}".to_owned(),
        "{\"lesson\":{\"settings\":[{\"knob\":\"risk_cap\",\"to\":0.5}],\"gain\":0.1}}".to_owned(),
    ];
    for text in messages {
        let message: PeerMessage = serde_json::from_str(&text).expect(&text);
        let from = id("acme/ops-1");
        let say = Say { from, message };
        for format in [Format::Binary, Format::Json] {
            let back: Say = Payload::of(&say, format).expect("encodes").decode().expect("decodes");
            assert_eq!(back, say);
        }
    }
}
