//! Who is reachable by name, with which messages, and for how long.

use crate::support::{Node, cycle, id, spec};
use bytes::Bytes;
use rungs_agent::messages::{AgentDescription, GetRoleState, RoleState};
use rungs_host::{Caller, Context, Format, Payload, Refusal, Wire};
use rungs_types::{Address, ErrorCode};
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::oneshot;

/// Sends JSON to an address as the shell does, and decodes what comes back.
pub(crate) async fn call(node: &Node, to: &str, kind: &'static str, json: &str) -> Result<String, Refusal> {
    let to: Address = to.parse().expect("an address");
    let endpoint = node.runtime.endpoints.get(&to);
    let endpoint = endpoint.ok_or_else(|| Refusal::new(ErrorCode::NotFound, "nobody"))?;
    let payload = Payload {
        kind: Cow::Borrowed(kind),
        version: 1,
        format: Format::Json,
        bytes: Bytes::copy_from_slice(json.as_bytes()),
    };
    let (reply, answer) = oneshot::channel();
    endpoint.deliver(payload, Context::default(), Some(reply))?;
    let answer = tokio::time::timeout(Duration::from_secs(5), answer)
        .await
        .expect("in time");
    let payload = answer.expect("answered")?;
    Ok(String::from_utf8(payload.bytes.to_vec()).expect("text"))
}

const ROLES: [&str; 11] = [
    "",
    "#guard",
    "#kernel",
    "#l45",
    "#l48",
    "#l48/emit",
    "#l48/introspect",
    "#l48/observe",
    "#l48/plan",
    "#l48/verify",
    "#l49",
];

#[tokio::test(start_paused = true)]
async fn every_actor_of_the_tree_is_reachable_by_name_while_it_runs() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 50).await;
    let addresses: Vec<_> = node
        .runtime
        .endpoints
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut expected: Vec<_> = ROLES.iter().map(|role| format!("ops-1{role}")).collect();
    expected.push("@n1/agents".to_owned());
    assert_eq!(addresses, expected);
    for role in &ROLES[1..] {
        let text = call(&node, &format!("ops-1{role}"), GetRoleState::KIND, "{}")
            .await
            .expect("answers");
        let state: RoleState = serde_json::from_str(&text).expect("a role's state");
        assert_eq!(format!("#{}", state.role), *role);
        assert!(state.cycle >= 40, "{state:?}");
    }
    let text = call(&node, "ops-1", "agent.describe", "{}").await.expect("answers");
    let description: AgentDescription = serde_json::from_str(&text).expect("a description");
    assert_eq!(description.dimensions, ["d0", "d1", "d2", "d3"]);
    node.hosts.stop(&id("ops-1")).await.expect("stops");
    let left = node.runtime.endpoints.addresses();
    assert_eq!(left, ["@n1/agents".parse().expect("an address")]);
}

#[tokio::test(start_paused = true)]
async fn orders_by_name_do_what_the_handle_does() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 50).await;
    let frozen = call(&node, "ops-1", "agent.freeze", r#"{"level":"L4.8","who":"ada"}"#)
        .await
        .expect("accepted");
    assert!(frozen.contains(r#""authority":"frozen""#), "{frozen}");
    let refused = call(&node, "ops-1", "agent.freeze", r#"{"level":"L3"}"#)
        .await
        .expect_err("L3");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (ErrorCode::Refused, "L3 is always on; expected L4.5 or above")
    );
    let malformed = call(&node, "ops-1", "agent.freeze", r#"{"lvl":"L4.8"}"#)
        .await
        .expect_err("no such field");
    assert_eq!(malformed.code, ErrorCode::Malformed);
    assert!(malformed.message.contains("lvl"), "{malformed}");
    let unknown = call(&node, "ops-1", "agent.reboot", "{}")
        .await
        .expect_err("no such message");
    assert_eq!(unknown.code, ErrorCode::Malformed);
    let taken = call(&node, "ops-1", "agent.snapshot", "{}").await.expect("written");
    assert!(taken.contains(r#""sequence""#), "{taken}");
    let spawned = call(&node, "@n1/agents", "agents.spawn", r#"{"spec":{"agent":"ops-2"}}"#).await;
    assert_eq!(spawned.expect_err("nobody registered it").code, ErrorCode::Malformed);
    node.hosts.spawn(spec("ops-2")).await.expect("starts");
    let listed = call(&node, "@n1/agents", "agents.list", r#"{"after":"ops-1"}"#)
        .await
        .expect("answers");
    assert!(listed.contains("ops-2") && !listed.contains("ops-1"), "{listed}");
    let gone = call(&node, "@n1/agents", "agents.unpark", r#"{"agent":"ops-9"}"#)
        .await
        .expect_err("no such agent");
    assert_eq!(gone.code, ErrorCode::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_to_the_hosts_is_for_operators_and_what_is_sent_to_agents_for_every_node() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 1).await;
    for address in node.runtime.endpoints.addresses() {
        let endpoint = node.runtime.endpoints.get(&address).expect("just listed");
        let for_operators = address.to_string() == "@n1/agents";
        for kind in endpoint.describe() {
            let message = Payload {
                kind: kind.kind.into(),
                version: kind.version,
                format: Format::Json,
                bytes: kind.example.into(),
            };
            let deliver = |caller| {
                let context = Context {
                    caller,
                    ..Context::default()
                };
                endpoint
                    .deliver(message.clone(), context, None)
                    .err()
                    .map(|refusal| refusal.code)
            };
            let of_a_node = deliver(Caller::Node);
            assert_eq!(of_a_node, for_operators.then_some(ErrorCode::Forbidden), "{message:?}");
            assert_eq!(deliver(Caller::Operator), None, "{message:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_message_has_an_example_that_decodes() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 50).await;
    let mut kinds = 0;
    for address in node.runtime.endpoints.addresses() {
        let endpoint = node.runtime.endpoints.get(&address).expect("just listed");
        for kind in endpoint.describe() {
            assert!(
                !kind.example.is_empty() && !kind.schema.is_empty(),
                "{address} {}",
                kind.kind
            );
            serde_json::from_str::<serde_json::Value>(&kind.reply_schema).expect("a schema");
            kinds += 1;
        }
    }
    // The root, each role's state, the agents of the node, and the goals of the kernel and the questions to it.
    assert_eq!(kinds, 14 + 10 + 2 + 5 + 1);
}
