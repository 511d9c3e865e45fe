//! [`AgentHandle`]: the way to an agent of this node. Cheap to clone; it survives restarts of the agent, and its calls
//! have a deadline.

use crate::agent::AgentMessage;
use crate::error::AgentError;
use crate::messages::{
    Acquaintance, AgentDescription, AgentEntry, AgentState, Clear, Describe, GetPeers, LevelStanding, Qualify,
    ResetIdentity, SetAuthority, SnapshotTaken, TakeSnapshot, Thaw, operator,
};
use crate::mind::{GetMind, Mind};
use crate::qualification::Qualification;
use crate::runtime::AgentRuntime;
use crate::shared::Shared;
use rungs_host::{Handle, Request, Watched, Wire};
use rungs_mind::ladder::Order;
use rungs_mind::report::Advice;
use rungs_types::{AgentId, AgentSpec, AgentStatus, Authority, Epoch, Event, Level};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

/// How long a call waits for its answer.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    runtime: Arc<AgentRuntime>,
    shared: Arc<Shared>,
    deadline: Duration,
}

impl AgentHandle {
    pub(crate) fn new(runtime: Arc<AgentRuntime>, shared: Arc<Shared>) -> Self {
        Self {
            runtime,
            shared,
            deadline: CALL_DEADLINE,
        }
    }

    /// The same agent with another deadline for its calls (cut at [`rungs_types::MAX_DEADLINE`]).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The agent.
    pub fn id(&self) -> &AgentId {
        self.shared.agent()
    }

    /// What it was asked to be.
    pub fn spec(&self) -> &AgentSpec {
        &self.shared.spec
    }

    /// The epoch of its shard in which it was started.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// What its host does with it.
    pub fn entry(&self) -> AgentEntry {
        self.shared.entry()
    }

    /// Its state in one line. Read off its board: answered also while the agent is being started again.
    pub fn status(&self) -> AgentStatus {
        self.shared.status()
    }

    /// The last L3 cycle that is complete.
    pub fn cycle(&self) -> u64 {
        self.shared.cycle()
    }

    /// The authority in force, lowest level first.
    pub fn authorities(&self) -> [Authority; Level::ALL.len()] {
        self.shared.governor.reader().all()
    }

    /// All about it.
    pub async fn describe(&self) -> Result<AgentDescription, AgentError> {
        self.ask(Describe {}).await
    }

    /// How a level (L4.8 or L4.9) stands in its audit; none of an agent without it.
    pub async fn qualification(&self, level: Level) -> Result<Option<Qualification>, AgentError> {
        self.ask(Qualify { level }).await
    }

    /// What its levels came to in their last passes.
    pub async fn mind(&self) -> Result<Mind, AgentError> {
        self.ask(GetMind {}).await
    }

    /// What it has heard of other agents, and which of them it models.
    pub async fn peers(&self) -> Result<Acquaintance, AgentError> {
        self.ask(GetPeers {}).await
    }

    /// Freezes a level and every level above it until [`AgentHandle::thaw`]. It waits for no mailbox: when this returns,
    /// the freeze is in force, whatever the agent is doing.
    pub fn freeze(&self, level: Level, who: &str) -> Result<LevelStanding, AgentError> {
        let order = Order::Freeze {
            level,
            who: operator(who),
        };
        self.shared.governor.order(&order, self.runtime.at(self.cycle()))?;
        Ok(self.shared.governor.standing(level))
    }

    /// Lets a frozen level come back by its own protocol.
    pub async fn thaw(&self, level: Level, who: &str) -> Result<LevelStanding, AgentError> {
        self.ask(Thaw {
            level,
            who: who.to_owned(),
        })
        .await
    }

    /// Gives a level an authority. It never exceeds that of the level below: the answer says what it has.
    pub async fn authority(&self, level: Level, value: Authority, who: &str) -> Result<LevelStanding, AgentError> {
        self.ask(SetAuthority {
            level,
            value,
            who: who.to_owned(),
        })
        .await
    }

    /// Clears a level's suspension.
    pub async fn clear(&self, level: Level, who: &str) -> Result<LevelStanding, AgentError> {
        self.ask(Clear {
            level,
            who: who.to_owned(),
        })
        .await
    }

    /// Takes the identity that the agent's integrity is measured by anew.
    pub async fn reset_identity(&self, who: &str) -> Result<LevelStanding, AgentError> {
        self.ask(ResetIdentity { who: who.to_owned() }).await
    }

    /// Writes a snapshot now.
    pub async fn snapshot(&self) -> Result<SnapshotTaken, AgentError> {
        self.ask(TakeSnapshot {}).await
    }

    /// The latest advice that may be seen, as it changes; `None` before the first and while its level is frozen.
    pub fn forecasts(&self) -> watch::Receiver<Option<Arc<Advice>>> {
        self.shared.advice.subscribe()
    }

    /// The agent's events from now on.
    pub fn events(&self) -> AgentEvents {
        AgentEvents {
            agent: self.id().clone(),
            receiver: self.runtime.events.subscribe(),
        }
    }

    fn root(&self) -> Result<Handle<AgentMessage>, AgentError> {
        let agent = || self.id().clone();
        self.shared.root().map_err(|state| match state {
            AgentState::Running | AgentState::Starting | AgentState::Waiting => AgentError::Starting { agent: agent() },
            AgentState::Parked => AgentError::Parked { agent: agent() },
            AgentState::Stopped => AgentError::NotHere { agent: agent() },
        })
    }

    async fn ask<W>(&self, message: W) -> Result<W::Reply, AgentError>
    where
        W: Wire,
        AgentMessage: From<Request<W>>,
    {
        let root = self.root()?;
        let answer = root.ask(self.deadline, |reply| Request { message, reply }.into()).await;
        Ok(answer?)
    }
}

/// The events of one agent, in order.
#[derive(Debug)]
pub struct AgentEvents {
    agent: AgentId,
    receiver: broadcast::Receiver<Arc<Event>>,
}

impl AgentEvents {
    /// The next event, or how many were lost because the reader was slow; `None` when the node has ended.
    pub async fn next(&mut self) -> Option<Watched> {
        loop {
            match self.receiver.recv().await {
                Ok(event) if event.agent == self.agent => return Some(Watched::Event(event)),
                Ok(_) => {}
                Err(RecvError::Lagged(lost)) => return Some(Watched::Lagged(lost)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
