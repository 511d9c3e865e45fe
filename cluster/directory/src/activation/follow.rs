//! What others write about agents of this node's shards: the configurations of other nodes, and nodes that bring along what
//! was registered elsewhere. The records are looked at every second; what has changed since goes to the activator.
//!
//! 1. Nothing is missed: it begins with where the store stood before the index was read, and after a gap the activator
//!    starts anew.
//! 2. Nothing is done twice, nor to an agent that is as its record says: what this node wrote itself comes back here, too.
//! 3. What is told may be old by now: before an agent ends, its record is read once more, from the leader.

use super::action::{Action, Wanted};
use super::actor::{Activating, ActivatorActor, ActivatorMessage, Letter};
use crate::placement::Shard;
use crate::records::{AgentRecord, RecordError, Records};
use rungs_host::{Handle, tasks};
use rungs_store::cluster::{ReadError, Since};
use rungs_types::AgentId;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often the records are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// An agent's record as it is now; none if there is none any more.
pub(crate) type Changed = (AgentId, Option<AgentRecord>);

/// What the activator hears of records.
#[derive(Debug)]
pub(crate) enum Followed {
    /// These have changed; answered when they were looked at.
    Changed(Vec<Changed>, oneshot::Sender<()>),
    /// This is certainly how it is.
    Certain(Changed),
    /// This could not be looked at.
    Later(Changed),
    /// An agent has come to rest and is to start as its record says now; whether it is to run always.
    Anew(AgentId, bool),
    /// Not all that has changed is known any more.
    Missed,
}

impl From<Followed> for ActivatorMessage {
    fn from(followed: Followed) -> Self {
        Self::Records(followed)
    }
}

/// Looks at the records until it is dropped.
pub(super) struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Follower {
    /// Tells an activator what has changed.
    pub(super) fn start(records: Records, since: Since, to: Handle<ActivatorMessage>) -> Self {
        Self(tasks::spawn("follow the records", follow(records, since, to)))
    }
}

async fn follow(records: Records, mut since: Since, to: Handle<ActivatorMessage>) {
    let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match records.changed(&mut since).await {
                Ok((changed, _)) if changed.is_empty() => break,
                Ok((changed, is_all)) => {
                    // One page at a time: the activator is not to have more of them waiting than it can look at.
                    let (done, looked_at) = oneshot::channel();
                    to.signal(Followed::Changed(changed, done).into());
                    if looked_at.await.is_err() {
                        return;
                    }
                    if is_all {
                        break;
                    }
                }
                Err(RecordError::Changes(ReadError::Gap { .. })) => {
                    to.signal(Followed::Missed.into());
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "it is not known what has changed");
                    break;
                }
            }
        }
    }
}

impl ActivatorActor {
    /// Takes in what was heard.
    pub(super) fn followed(&self, followed: Followed, state: &mut Activating) -> Result<Vec<Action<Letter>>, Missed> {
        Ok(match followed {
            Followed::Changed(changed, done) => {
                let actions = changed
                    .into_iter()
                    .flat_map(|changed| self.compare(changed, state))
                    .collect();
                // Who follows the records may have ended.
                let _ = done.send(());
                actions
            }
            Followed::Certain(changed) => self.make_so(changed, state),
            Followed::Later(changed) => state.put_off(changed),
            Followed::Anew(agent, resident) => state.anew(&agent, resident),
            Followed::Missed => return Err(Missed),
        })
    }

    /// Looks at a record that has changed, perhaps since before what this node did itself.
    pub(super) fn compare(&self, changed: Changed, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, record) = &changed;
        if state.machine.epoch(Shard::of(agent)).is_none() {
            // Of one that is just coming it may be known already what its agents were.
            return match state.arriving.expects(Shard::of(agent)) {
                true => state.put_off(changed),
                false => Vec::new(),
            };
        }
        if let (Some(record), false) = (record, state.machine.knows(agent)) {
            return state.machine.register(agent, record.is_resident()).1;
        }
        // One that is being stopped here is no news.
        let is_news = state.machine.knows(agent) && !state.leaving.contains(agent);
        if is_news && !self.is_so(&changed, state) {
            self.make_certain(changed, state);
        }
        Vec::new()
    }

    /// Whether an agent that is known is as its record says, as far as can be said.
    fn is_so(&self, (agent, record): &Changed, state: &Activating) -> bool {
        let machine = &state.machine;
        record.as_ref().is_some_and(|record| match machine.is_passive(agent) {
            true => machine.is_resident(agent) == record.is_resident(),
            // One that is coming to rest, or starting, is not known to be anything.
            false => machine.is_active(agent) && self.parts.guests.spec(agent).is_none_or(|spec| spec == record.spec),
        })
    }

    fn make_certain(&self, changed: Changed, state: &Activating) {
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        tasks::spawn("read a record again", async move {
            let read = records.get(&changed.0).await;
            let followed = match read {
                Ok(record) => Followed::Certain((changed.0, record)),
                Err(_) => Followed::Later(changed),
            };
            done.signal(followed.into());
        });
    }

    /// Makes an agent what its record says.
    fn make_so(&self, changed: Changed, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, record) = &changed;
        if !state.machine.knows(agent) || state.leaving.contains(agent) || self.is_so(&changed, state) {
            return Vec::new();
        }
        if state.machine.is_passive(agent) {
            let mut actions = state.machine.forget(agent);
            if let Some(record) = record {
                actions.extend(state.machine.register(agent, record.is_resident()).1);
            }
            return actions;
        }
        if !state.machine.is_active(agent) {
            return state.put_off(changed);
        }
        let (agent, rest, done) = (
            agent.clone(),
            self.parts.guests.rest(agent.clone()),
            state.handle.clone(),
        );
        let resident = record.as_ref().map(AgentRecord::is_resident);
        let forget = self.parts.guests.forget(agent.clone());
        tracing::info!(%agent, is_gone = resident.is_none(), "its record has changed; the agent ends");
        tasks::spawn("end an agent whose record has changed", async move {
            rest.await;
            match resident {
                None => {
                    forget.await;
                    done.signal(ActivatorMessage::Forget(agent));
                }
                Some(resident) => {
                    done.signal(ActivatorMessage::Rested(agent.clone()));
                    done.signal(Followed::Anew(agent, resident).into());
                }
            }
        });
        Vec::new()
    }
}

/// See [`Followed::Missed`].
#[derive(Debug, thiserror::Error)]
#[error("not all that has changed in the records is known any more; they are read anew")]
pub(super) struct Missed;

impl Activating {
    /// An agent that is just starting or coming to rest is looked at again later.
    fn put_off(&mut self, changed: Changed) -> Vec<Action<Letter>> {
        let (agent, record) = changed;
        self.put_off.insert(agent, record);
        Vec::new()
    }

    /// An agent that has come to rest, so that it starts with what its record says now.
    fn anew(&mut self, agent: &AgentId, resident: bool) -> Vec<Action<Letter>> {
        let mut actions = Vec::new();
        if self.machine.is_passive(agent) && self.machine.is_resident(agent) != resident {
            actions.extend(self.machine.forget(agent));
            actions.extend(self.machine.register(agent, resident).1);
        }
        actions.extend(self.machine.wanted(agent, Wanted::ToRun, self.now()));
        actions
    }
}
