//! What a peer may send by its certificate.

use super::*;
use crate::role::Roles;
use rungs_host::EndpointBuilder;

/// A node whose certificate gives it this role.
async fn node_with(network: &MemoryNetwork, id: &str, role: Role) -> Node {
    let roles = Roles::of(&[role]);
    let hello = Hello { roles, ..hello(id) };
    let endpoints = Arc::new(Endpoints::new());
    let target = Target::start(&endpoints, address("ops-1"), Mailbox::default());
    let target = target.await.expect("starts");
    let guarded = EndpointBuilder::new(target.handle.clone()).receives::<Echo>();
    endpoints.register(address("@n1/guarded"), guarded.operators_only().build());
    let transport = network.transport(hello.node.clone(), roles);
    let mesh = Mesh::start_as(hello, transport, endpoints, EventHub::default());
    let mesh = mesh.await.expect("starts");
    Node { mesh, target }
}

#[tokio::test(start_paused = true)]
async fn what_is_for_operators_is_taken_from_those_whose_certificate_says_that_they_are() {
    let network = MemoryNetwork::new(7, Faults::default());
    let _one = node_with(&network, "n1~1", Role::Voter).await;
    for (id, role, may) in [
        ("n2~1", Role::Voter, false),
        ("n3~1", Role::Member, false),
        ("n4~1", Role::Admin, true),
    ] {
        let other = node_with(&network, id, role).await;
        linked(&other, "n1").await;
        let answer = ask_at(&other, "n1", "@n1/guarded", &echo(3), SECOND).await;
        match (may, answer) {
            (true, answer) => assert_eq!(answer.as_deref(), Ok("abc")),
            (false, answer) => {
                let refusal = answer.expect_err("refused");
                assert_eq!(refusal.code, ErrorCode::Forbidden);
                assert_eq!(
                    refusal.message,
                    "bench.echo is for operators; expected a certificate with the role admin"
                );
            }
        }
        let open = ask_at(&other, "n1", "ops-1", &echo(3), SECOND).await;
        assert_eq!(
            open.as_deref(),
            Ok("abc"),
            "what nodes send each other is taken from {role}"
        );
    }
}
