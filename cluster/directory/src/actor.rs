//! The actor `@node/directory`: answers other directories whether a user's actor is on this node and which of its agents
//! are in a group, and people where an address is. Supervised by whoever starts it, as a permanent child; it keeps no state.

use crate::directory::Directory;
use crate::groups::MAX_MEMBERS;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Refusal, Request, Wire, tasks};
use rungs_types::{Address, AgentId, NodeName, RolePath, UserName};
use serde::{Deserialize, Serialize};

/// The role of the directory on each node.
pub const ROLE: &str = "directory";

/// Whether a user's actor is on the node that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locate {
    /// The actor's name.
    pub name: UserName,
}

impl Wire for Locate {
    const KIND: &'static str = "directory.locate";
    type Reply = bool;

    fn example() -> Self {
        let name = UserName::new("greeter").expect("a constant name");
        Self { name }
    }
}

/// Which node an address leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The address.
    pub address: Address,
}

impl Wire for Owner {
    const KIND: &'static str = "directory.owner";
    type Reply = NodeName;

    fn example() -> Self {
        let address = "ops-1".parse().expect("a constant address");
        Self { address }
    }
}

/// Which agents of the node that is asked are in a group: the first by name, at most [`MAX_MEMBERS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The group, `[tenant/]name`.
    pub group: AgentId,
}

impl Wire for Members {
    const KIND: &'static str = "directory.members";
    type Reply = Vec<AgentId>;

    fn example() -> Self {
        let group = "web".parse().expect("a constant name");
        Self { group }
    }
}

/// What the actor receives.
#[derive(Debug)]
pub enum DirectoryMessage {
    /// See [`Locate`].
    Locate(Request<Locate>),
    /// See [`Owner`].
    Owner(Request<Owner>),
    /// See [`Members`].
    Members(Request<Members>),
}

impl From<Request<Members>> for DirectoryMessage {
    fn from(request: Request<Members>) -> Self {
        Self::Members(request)
    }
}

impl From<Request<Locate>> for DirectoryMessage {
    fn from(request: Request<Locate>) -> Self {
        Self::Locate(request)
    }
}

impl From<Request<Owner>> for DirectoryMessage {
    fn from(request: Request<Owner>) -> Self {
        Self::Owner(request)
    }
}

/// The address of a node's directory.
pub fn address(node: &NodeName) -> Address {
    Address::Node {
        node: node.clone(),
        role: RolePath::new(ROLE).expect("a constant role"),
    }
}

/// See the module.
pub struct DirectoryActor {
    directory: Directory,
}

impl DirectoryActor {
    /// Starts the actor and makes it reachable.
    pub async fn start(directory: Directory, supervisor: ActorCell) -> Result<Handle<DirectoryMessage>, SpawnErr> {
        let at = address(directory.node());
        let endpoints = std::sync::Arc::clone(directory.mesh().endpoints());
        let (actor, _) = Actor::spawn_linked(None, Self { directory }, (), supervisor).await?;
        let handle = Handle::new(actor, Mailbox::default());
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<Locate>()
            .receives::<Owner>()
            .receives::<Members>();
        endpoints.register(at, endpoint.build());
        Ok(handle)
    }
}

impl Actor for DirectoryActor {
    type Msg = Delivered<DirectoryMessage>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let Delivered { message, credit, .. } = delivered;
        match message {
            DirectoryMessage::Locate(Request { message, reply }) => {
                let endpoints = self.directory.mesh().endpoints();
                reply.send(Ok(endpoints.get(&Address::User(message.name)).is_some()));
            }
            DirectoryMessage::Members(Request { message, reply }) => {
                let groups = self.directory.mesh().endpoints().groups();
                let members = groups.members(&message.group, MAX_MEMBERS);
                reply.send(Ok(members.into_iter().collect()));
            }
            DirectoryMessage::Owner(Request { message, reply }) => {
                // It may ask other nodes, and must not keep theirs waiting meanwhile. The credit bounds the tasks.
                let directory = self.directory.clone();
                tasks::spawn("directory owner", async move {
                    // Whoever asks looks again: a person waits no longer for an answer than for the owner.
                    let owner: Result<NodeName, Refusal> = directory.inner.owner_now(&message.address).await;
                    reply.send(owner);
                    drop(credit);
                });
            }
        }
        Ok(())
    }
}
