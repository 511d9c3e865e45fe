//! [`Hosting`]: how an actor of ours starts: with a bounded mailbox, a meter and the gate for injected faults around it,
//! and none of it in the actor's own file.

use crate::delivered::{Delivered, Handle};
use crate::faults::{Faults, Gate};
use crate::mailbox::Mailbox;
use crate::metering::Meter;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use rungs_types::Address;
use std::sync::Arc;

/// What surrounds an actor. An agent's actors share its meter.
#[derive(Debug, Clone)]
pub struct Hosting {
    /// Where the actor is reached, and where faults are aimed at.
    pub address: Address,
    /// Its bounded mailbox; a restarted actor gets a new one.
    pub mailbox: Arc<Mailbox>,
    /// The node's injected faults.
    pub faults: Arc<Faults>,
    /// Who pays.
    pub meter: Arc<Meter>,
}

impl Hosting {
    /// Starts the actor, without a name, below its supervisor.
    pub async fn spawn<A, M>(
        self,
        actor: A,
        arguments: A::Arguments,
        supervisor: ActorCell,
    ) -> Result<Handle<M>, SpawnErr>
    where
        A: Actor<Msg = Delivered<M>>,
        M: Send + 'static,
    {
        let mailbox = Arc::clone(&self.mailbox);
        let hosted = Hosted { actor, hosting: self };
        let (actor, _) = Actor::spawn_linked(None, hosted, arguments, supervisor).await?;
        Ok(Handle::sharing(actor, mailbox))
    }
}

/// An actor with its surroundings: each message passes the gate, is counted, and its handling is charged.
#[derive(Debug)]
pub struct Hosted<A> {
    actor: A,
    hosting: Hosting,
}

impl<A: Actor> Actor for Hosted<A> {
    type Msg = A::Msg;
    type State = A::State;
    type Arguments = A::Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: A::Arguments,
    ) -> Result<A::State, ActorProcessingErr> {
        let start = self.actor.pre_start(myself, arguments);
        self.hosting.meter.metered(start).await
    }

    async fn post_start(&self, myself: ActorRef<Self::Msg>, state: &mut A::State) -> Result<(), ActorProcessingErr> {
        let start = self.actor.post_start(myself, state);
        self.hosting.meter.metered(start).await
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut A::State,
    ) -> Result<(), ActorProcessingErr> {
        let Hosting {
            address, faults, meter, ..
        } = &self.hosting;
        if faults.on_message(address).await == Gate::Drop {
            return Ok(());
        }
        meter.count_message();
        meter.metered(self.actor.handle(myself, message, state)).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut A::State,
    ) -> Result<(), ActorProcessingErr> {
        let handled = self.actor.handle_supervisor_evt(myself, event, state);
        self.hosting.meter.metered(handled).await
    }

    async fn post_stop(&self, myself: ActorRef<Self::Msg>, state: &mut A::State) -> Result<(), ActorProcessingErr> {
        let stop = self.actor.post_stop(myself, state);
        self.hosting.meter.metered(stop).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivered::AskError;
    use crate::faults::Fault;
    use crate::wire::Reply;
    use std::time::Duration;

    const ASK: Duration = Duration::from_secs(5);

    struct Counter;

    impl Actor for Counter {
        type Msg = Delivered<Reply<u32>>;
        type State = u32;
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<u32, ActorProcessingErr> {
            Ok(0)
        }

        async fn handle(
            &self,
            _: ActorRef<Self::Msg>,
            delivered: Self::Msg,
            count: &mut u32,
        ) -> Result<(), ActorProcessingErr> {
            *count += 1;
            delivered.message.send(Ok(*count));
            Ok(())
        }
    }

    /// Its children may fail without consequences.
    struct Parent;

    impl Actor for Parent {
        type Msg = Delivered<()>;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle_supervisor_evt(
            &self,
            _: ActorRef<Self::Msg>,
            _: SupervisionEvent,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    async fn counter() -> (Handle<Reply<u32>>, Hosting) {
        let hosting = Hosting {
            address: "a#counter".parse().expect("an address"),
            mailbox: Arc::default(),
            faults: Faults::allowed(),
            meter: Arc::default(),
        };
        let (parent, _) = Actor::spawn(None, Parent, ()).await.expect("starts");
        let spawned = hosting.clone().spawn(Counter, (), parent.get_cell()).await;
        (spawned.expect("starts"), hosting)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hosted_actor_is_metered_and_its_credits_come_back() {
        let (handle, hosting) = counter().await;
        assert_eq!(handle.ask(ASK, |reply| reply).await, Ok(1));
        assert_eq!(handle.ask(ASK, |reply| reply).await, Ok(2));
        let reading = hosting.meter.read();
        assert_eq!(reading.messages, 2);
        assert!(reading.busy_nanos > 0);
        assert_eq!(hosting.mailbox.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_message_gives_its_credit_back_and_is_not_answered() {
        let (handle, hosting) = counter().await;
        hosting
            .faults
            .inject(hosting.address.clone(), Fault::Drop(1))
            .expect("allowed");
        assert_eq!(handle.ask(ASK, |reply| reply).await, Err(AskError::NoReply));
        assert_eq!(handle.ask(ASK, |reply| reply).await, Ok(1));
        assert_eq!((hosting.meter.read().messages, hosting.mailbox.depth()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_injected_panic_ends_the_actor_as_its_own_would() {
        let (handle, hosting) = counter().await;
        hosting
            .faults
            .inject(hosting.address.clone(), Fault::Panic)
            .expect("allowed");
        assert_eq!(handle.ask(ASK, |reply| reply).await, Err(AskError::NoReply));
        handle.cell().wait(Some(ASK)).await.expect("ends");
        assert_eq!(hosting.mailbox.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_actor_can_be_killed() {
        let (handle, hosting) = counter().await;
        hosting
            .faults
            .inject(hosting.address.clone(), Fault::StallAwait)
            .expect("allowed");
        assert_eq!(
            handle.ask(ASK, |reply| reply).await,
            Err(AskError::DeadlineExceeded(ASK))
        );
        handle.cell().kill();
        handle.cell().wait(Some(ASK)).await.expect("ends");
        assert_eq!(hosting.mailbox.depth(), 0);
    }
}
