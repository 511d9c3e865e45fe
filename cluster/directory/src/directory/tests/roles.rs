//! Who may order the activator.

use super::activation::activating;
use super::*;
use rungs_host::Caller;

#[tokio::test(start_paused = true)]
async fn every_order_to_the_activator_is_refused_of_another_node_and_taken_from_an_operator() {
    let network = MemoryNetwork::new(3, Faults::default());
    let one = node(&network, "n1~1", &["n1"]).await;
    let (_agent, _targets) = activating(&one).await;
    let activator = crate::activation::address(&name("n1"));
    let endpoint = one.endpoints.get(&activator).expect("registered");
    let kinds = endpoint.describe();
    assert!(kinds.len() >= 4, "{endpoint:?}");
    for kind in kinds {
        for (caller, may) in [(Caller::Here, true), (Caller::Operator, true), (Caller::Node, false)] {
            let order = Payload {
                kind: kind.kind.clone().into(),
                version: kind.version,
                format: Format::Json,
                bytes: kind.example.clone().into(),
            };
            let context = Context {
                caller,
                ..Context::default()
            };
            let refused = endpoint.deliver(order, context, None).err();
            let code = refused.map(|refusal| refusal.code);
            assert_eq!(
                code,
                (!may).then_some(ErrorCode::Forbidden),
                "{} from {caller:?}",
                kind.kind
            );
        }
    }
}
