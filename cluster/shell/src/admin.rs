//! `@node/admin`: the actor of each node that answers the shell. Permanent child of the node's root.
//!
//! It owns nothing: what a node is and does is behind [`NodeControl`], which the assembly of the node implements.

use crate::protocol::{
    AgentRow, ClearFault, Describe, FaultRow, FaultSpec, InjectFault, LinkRow, ListActors, ListAgents, ListFaults,
    ListLinks, NodeInfo, NodeReport, SetLog, Shutdown, Tree,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::{Delivered, EndpointBuilder, Handle, KindDescription, Refusal, Request, TreeNode};
use rungs_types::{Address, AgentId, ErrorCode};
use std::sync::Arc;

/// Longest wait that `inject delay` takes, in milliseconds.
const MAX_FAULT_DELAY_MS: u64 = 60_000;
/// Most messages that `inject drop` loses.
const MAX_FAULT_DROPS: u32 = 10_000;

/// What a node lets its operator see and do. No method waits.
pub trait NodeControl: Send + Sync + 'static {
    /// What the node is and how it is.
    fn report(&self) -> NodeReport;
    /// The supervision tree of the node or of one agent.
    fn tree(&self, agent: Option<&AgentId>) -> Result<TreeNode, Refusal>;
    /// The agents that run or are parked here.
    fn agents(&self) -> Vec<AgentRow>;
    /// The actors that are reachable by name.
    fn actors(&self) -> Vec<Address>;
    /// What an actor receives.
    fn describe(&self, target: &Address) -> Result<Vec<KindDescription>, Refusal>;
    /// Breaks an actor on purpose; refused unless the node was started with fault injection allowed.
    fn inject(&self, target: &Address, fault: FaultSpec) -> Result<(), Refusal>;
    /// Takes an injected fault away; `false` if there was none.
    fn clear_fault(&self, target: &Address) -> Result<bool, Refusal>;
    /// The injected faults that are armed or being stalled in.
    fn faults(&self) -> Result<Vec<FaultRow>, Refusal>;
    /// The links to other nodes.
    fn links(&self) -> Result<Vec<LinkRow>, Refusal>;
    /// Changes what is logged.
    fn log(&self, order: &SetLog) -> Result<(), Refusal>;
    /// Begins to stop the node in order.
    fn shut_down(&self);
}

/// What the actor receives.
#[derive(Debug)]
pub enum AdminMessage {
    /// See [`NodeInfo`].
    Info(Request<NodeInfo>),
    /// See [`Tree`].
    Tree(Request<Tree>),
    /// See [`ListAgents`].
    Agents(Request<ListAgents>),
    /// See [`ListActors`].
    Actors(Request<ListActors>),
    /// See [`Describe`].
    Describe(Request<Describe>),
    /// See [`InjectFault`].
    Inject(Request<InjectFault>),
    /// See [`ClearFault`].
    ClearFault(Request<ClearFault>),
    /// See [`ListFaults`].
    Faults(Request<ListFaults>),
    /// See [`ListLinks`].
    Links(Request<ListLinks>),
    /// See [`SetLog`].
    Log(Request<SetLog>),
    /// See [`Shutdown`].
    Shutdown(Request<Shutdown>),
}

macro_rules! receives {
    ($($variant:ident($message:ty)),*) => {
        $(impl From<Request<$message>> for AdminMessage {
            fn from(request: Request<$message>) -> Self {
                Self::$variant(request)
            }
        })*

        /// Everything the actor receives by name.
        pub fn endpoint(handle: Handle<AdminMessage>) -> rungs_host::Endpoint {
            EndpointBuilder::new(handle)$(.receives::<$message>())*.operators_only().build()
        }
    };
}

receives! {
    Info(NodeInfo), Tree(Tree), Agents(ListAgents), Actors(ListActors), Describe(Describe), Inject(InjectFault),
    ClearFault(ClearFault), Faults(ListFaults), Links(ListLinks), Log(SetLog), Shutdown(Shutdown)
}

/// The actor.
#[derive(Debug, Default)]
pub struct Admin;

impl Actor for Admin {
    type Msg = Delivered<AdminMessage>;
    type State = Arc<dyn NodeControl>;
    type Arguments = Arc<dyn NodeControl>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        control: Arc<dyn NodeControl>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(control)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        control: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            AdminMessage::Info(request) => request.reply.send(Ok(control.report())),
            AdminMessage::Tree(request) => request.reply.send(control.tree(request.message.agent.as_ref())),
            AdminMessage::Agents(request) => request.reply.send(Ok(control.agents())),
            AdminMessage::Actors(request) => request.reply.send(Ok(control.actors())),
            AdminMessage::Describe(request) => request.reply.send(control.describe(&request.message.target)),
            AdminMessage::Inject(request) => {
                let InjectFault { target, fault } = request.message;
                request
                    .reply
                    .send(check(fault).and_then(|()| control.inject(&target, fault)));
            }
            AdminMessage::ClearFault(request) => request.reply.send(control.clear_fault(&request.message.target)),
            AdminMessage::Faults(request) => request.reply.send(control.faults()),
            AdminMessage::Links(request) => request.reply.send(control.links()),
            AdminMessage::Log(request) => request.reply.send(control.log(&request.message)),
            AdminMessage::Shutdown(request) => {
                request.reply.send(Ok(()));
                control.shut_down();
            }
        }
        Ok(())
    }
}

/// The ranges of a fault: what the shell's grammar checks, for those who send the message by other means.
fn check(fault: FaultSpec) -> Result<(), Refusal> {
    let out_of_range = |text: String| Err(Refusal::new(ErrorCode::Refused, &text));
    match fault {
        FaultSpec::Delay { ms } if !(1..=MAX_FAULT_DELAY_MS).contains(&ms) => {
            out_of_range(format!("delay of {ms} ms; expected 1 to {MAX_FAULT_DELAY_MS}"))
        }
        FaultSpec::Drop { count } if !(1..=MAX_FAULT_DROPS).contains(&count) => {
            out_of_range(format!("drop of {count} messages; expected 1 to {MAX_FAULT_DROPS}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_host::{Caller, Context, Format, Mailbox, Payload};

    /// Takes everything and does nothing.
    struct Sink;

    impl Actor for Sink {
        type Msg = Delivered<AdminMessage>;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn every_order_to_a_node_is_refused_of_another_node_and_taken_from_an_operator() {
        let (sink, _) = Actor::spawn(None, Sink, ()).await.expect("starts");
        let endpoint = endpoint(Handle::new(sink, Mailbox::default()));
        let kinds = endpoint.describe();
        assert!(kinds.len() >= 11, "{endpoint:?}");
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
                let refused = endpoint.deliver(order, context, None).err().map(|refusal| refusal.code);
                assert_eq!(
                    refused,
                    (!may).then_some(ErrorCode::Forbidden),
                    "{} from {caller:?}",
                    kind.kind
                );
            }
        }
    }

    #[test]
    fn a_fault_out_of_range_is_refused() {
        assert!(check(FaultSpec::Delay { ms: 60_000 }).is_ok());
        assert!(check(FaultSpec::Delay { ms: 60_001 }).is_err());
        assert!(check(FaultSpec::Delay { ms: 0 }).is_err());
        assert!(check(FaultSpec::Drop { count: 10_001 }).is_err());
        assert!(check(FaultSpec::Panic).is_ok());
    }
}
