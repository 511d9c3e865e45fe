//! What operators want of agents: that one is known, or is no more, that it runs, or rests.

use super::action::{Action, Wanted};
use super::actor::{Activating, ActivatorActor, ActivatorMessage, Letter};
use super::messages::{Activate, Passivate, Register, Unregister};
use crate::placement::Shard;
use crate::records::{AgentRecord, Inserted, Origin};
use rungs_host::{Refusal, Reply, Request, tasks};
use rungs_mesh::mesh::not_found;
use rungs_store::cluster::Fence;
use rungs_types::{AgentId, ErrorCode};

impl ActivatorActor {
    /// What a commit for an agent of this node carries.
    fn fence(&self, agent: &AgentId, state: &Activating) -> Option<Fence> {
        let shard = Shard::of(agent);
        let epoch = state.machine.epoch(shard)?;
        let shard = shard.number();
        Some(Fence { shard, epoch })
    }

    fn elsewhere(&self, agent: &AgentId) -> Refusal {
        let text = format!(
            "{} does not own the shard of {agent} at present; try again",
            self.parts.node
        );
        Refusal::new(ErrorCode::NodeDown, &text)
    }

    /// Writes the record first: what was answered as registered is there after a crash.
    pub(super) fn register(&self, request: Request<Register>, state: &Activating) {
        let Request { message, reply } = request;
        let spec = message.spec;
        if let Err(error) = spec.validate() {
            return reply.send(Err(Refusal::new(ErrorCode::Malformed, &error.to_string())));
        }
        let Some(fence) = self.fence(&spec.agent, state) else {
            return reply.send(Err(self.elsewhere(&spec.agent)));
        };
        let elsewhere = self.elsewhere(&spec.agent);
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        let origin = Origin::Order;
        let record = Box::new(AgentRecord { spec, origin });
        tasks::spawn("register", async move {
            match records.insert(&record, fence).await {
                Ok(Inserted::New) => done.signal(ActivatorMessage::Registered(record, reply)),
                Ok(Inserted::Moved) => reply.send(Err(elsewhere)),
                Ok(Inserted::WasThere) => {
                    let text = format!("agent {} is registered already", record.spec.agent);
                    reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
                }
                Err(error) => reply.send(Err(error.into())),
            }
        });
    }

    pub(super) fn registered(
        &self,
        record: &AgentRecord,
        reply: Reply<()>,
        state: &mut Activating,
    ) -> Vec<Action<Letter>> {
        let (agent, now) = (&record.spec.agent, state.now());
        if state.machine.epoch(Shard::of(agent)).is_none() {
            // It is registered, and runs where its shard is now.
            reply.send(Ok(()));
            return Vec::new();
        }
        let (_, mut actions) = state.machine.register(agent, record.is_resident());
        actions.extend(state.machine.wanted(agent, Wanted::ToRun, now));
        if state.machine.is_active(agent) {
            // Who follows the records was faster.
            reply.send(Ok(()));
            return actions;
        }
        state.new.insert(agent.clone());
        state.starting.entry(agent.clone()).or_default().push(reply);
        actions
    }

    /// Ends the agent first: one whose record is gone must not run.
    pub(super) fn unregister(&self, request: Request<Unregister>, state: &mut Activating) {
        let Request { message, reply } = request;
        let agent = message.agent;
        if !state.machine.knows(&agent) {
            return reply.send(Err(not_found(&agent.into(), &self.parts.node)));
        }
        let active = state.machine.is_active(&agent);
        if !active && !state.machine.is_passive(&agent) {
            let text = format!("{agent} is just starting or coming to rest; try again");
            return reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
        }
        let Some(fence) = self.fence(&agent, state) else {
            return reply.send(Err(self.elsewhere(&agent)));
        };
        // What comes for it meanwhile must not start it from a record that is being deleted.
        if !state.leaving.insert(agent.clone()) {
            let text = format!("{agent} is being stopped already");
            return reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
        }
        let elsewhere = self.elsewhere(&agent);
        let rest = active.then(|| self.parts.guests.rest(agent.clone()));
        let forget = self.parts.guests.forget(agent.clone());
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        tasks::spawn("unregister", async move {
            if let Some(rest) = rest {
                rest.await;
            }
            let deleted = match records.delete(&agent, Some(fence)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(elsewhere),
                Err(error) => Err(error.into()),
            };
            if deleted.is_ok() {
                forget.await;
                done.signal(ActivatorMessage::Forget(agent));
            } else {
                // It is still registered, and rests.
                done.signal(ActivatorMessage::Rested(agent));
            }
            reply.send(deleted);
        });
    }

    pub(super) fn activate(&self, request: Request<Activate>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, now) = (request.message.agent, state.now());
        if state.leaving.contains(&agent) {
            let text = format!("{agent} is being stopped and forgotten");
            request.reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
            return Vec::new();
        }
        if state.machine.is_active(&agent) {
            request.reply.send(Ok(()));
            return Vec::new();
        }
        if !state.machine.knows(&agent) {
            request.reply.send(Err(not_found(&agent.into(), &self.parts.node)));
            return Vec::new();
        }
        let actions = state.machine.wanted(&agent, Wanted::ToRun, now);
        if state.machine.is_passive(&agent) {
            let text = format!("{agent} did not start a moment ago; it is left alone for a while");
            request.reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
        } else {
            state.starting.entry(agent).or_default().push(request.reply);
        }
        actions
    }

    pub(super) fn passivate(&self, request: Request<Passivate>, state: &mut Activating) -> Vec<Action<Letter>> {
        let agent = request.message.agent;
        if !state.machine.knows(&agent) {
            request.reply.send(Err(not_found(&agent.into(), &self.parts.node)));
            return Vec::new();
        }
        let actions = state.machine.idle(&agent);
        if !actions.is_empty() {
            state.resting.entry(agent).or_default().push(request.reply);
        } else if state.machine.is_passive(&agent) {
            request.reply.send(Ok(()));
        } else {
            let refusal = if state.machine.is_resident(&agent) {
                let text = format!("{agent} is to run always: its specification has no rests_after_s");
                Refusal::new(ErrorCode::Refused, &text)
            } else {
                let text = format!("{agent} is just starting or coming to rest; try again");
                Refusal::new(ErrorCode::Overloaded, &text)
            };
            request.reply.send(Err(refusal));
        }
        actions
    }

    /// An agent that was registered and has never run: it leaves no trace.
    pub(super) fn withdraw(&self, agent: AgentId, state: &mut Activating) {
        let actions = state.machine.forget(&agent);
        let records = self.parts.records.clone();
        tasks::spawn("withdraw a registration", async move {
            if let Err(error) = records.delete(&agent, None).await {
                tracing::warn!(%agent, %error, "the record of an agent that does not start is not deleted");
            }
        });
        self.carry_out(actions, None, state);
    }
}
