//! Actors of the embedding program: under the node's supervision, reachable by name from every node.

use crate::assembly::Parts;
use anyhow::Context as _;
use rungs_host::supervisor::{ChildSpec, Restart, StartContext, Started};
use rungs_host::{Delivered, Endpoint, EndpointBuilder, Handle, Mailbox, Request, Wire};
use rungs_types::{Address, RolePath, UserName};
use std::sync::Arc;
use std::time::Duration;

/// How long the first start of a user's actor may take.
const START_DEADLINE: Duration = Duration::from_secs(10);

type Describe<M> = Arc<dyn Fn(EndpointBuilder<M>) -> EndpointBuilder<M> + Send + Sync>;

/// An actor that is about to be registered: say what it receives by name, then [`UserActor::start`] it.
pub struct UserActor<A, M: Send + 'static> {
    parts: Arc<Parts>,
    name: UserName,
    make: Arc<dyn Fn() -> A + Send + Sync>,
    receives: Describe<M>,
    restart: Restart,
}

impl<A, M> UserActor<A, M>
where
    A: ractor::Actor<Msg = Delivered<M>, Arguments = ()>,
    M: Send + 'static,
{
    pub(crate) fn new(parts: Arc<Parts>, name: UserName, make: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self {
            parts,
            name,
            make: Arc::new(make),
            receives: Arc::new(|builder| builder),
            restart: Restart::Permanent,
        }
    }

    /// Receives this message from anywhere.
    #[must_use]
    pub fn receives<W: Wire>(mut self) -> Self
    where
        M: From<Request<W>>,
    {
        let before = self.receives;
        self.receives = Arc::new(move |builder| before(builder).receives::<W>());
        self
    }

    /// When it is started again; always, unless said otherwise.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Starts it and makes it reachable as `user:name`.
    pub async fn start(self) -> crate::Result<()> {
        let address = Address::User(self.name.clone());
        anyhow::ensure!(
            self.parts.endpoints.get(&address).is_none(),
            "{address} is registered already"
        );
        let role = RolePath::new(self.name.as_str())?;
        let (make, receives, parts) = (self.make, self.receives, Arc::clone(&self.parts));
        let child = ChildSpec::new(role, self.restart, move |context: StartContext| {
            let (actor, receives, parts, address) =
                (make(), Arc::clone(&receives), Arc::clone(&parts), address.clone());
            async move {
                let (actor, _) = ractor::Actor::spawn_linked(None, actor, (), context.supervisor).await?;
                let handle = Handle::new(actor, Mailbox::default());
                let endpoint: Endpoint = receives(EndpointBuilder::new(handle.clone())).build();
                parts.endpoints.register(address, endpoint);
                Ok(Started::from(&handle))
            }
        });
        self.parts
            .users
            .add(child, START_DEADLINE)
            .await
            .context("the actor does not start")
    }
}
