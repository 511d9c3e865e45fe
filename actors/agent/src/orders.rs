//! What the root answers: questions about the agent, and the orders of operators.
//!
//! An order is decided by the ladder; a refused one changes nothing. A freeze is in force before it is answered, a
//! promotion before it is answered and after it is persisted.

use crate::agent::{Root, Rooted};
use crate::level45::{Cut, Level45Message};
use crate::messages::*;
use crate::mind::{AutonomyScore, Mind, OwnGoal, OwnGoals, RollbackRow, VetoRow, Vetoes};
use crate::qualification::Qualification;
use crate::self_model::SelfModel;
use rungs_host::supervisor::TreeNode;
use rungs_host::{Refusal, Reply, Request};
use rungs_mind::ladder::Order;
use rungs_types::{Authority, ErrorCode, GoalId, Level};

/// Callers that may wait for one snapshot.
const MAX_WAITING: usize = 64;

impl Root {
    pub(crate) fn freeze(&self, request: Request<Freeze>) -> Ordered {
        let Freeze { level, who } = request.message;
        self.order(
            Order::Freeze {
                level,
                who: operator(&who),
            },
            request.reply,
        )
    }

    pub(crate) fn thaw(&self, request: Request<Thaw>) -> Ordered {
        let Thaw { level, who } = request.message;
        self.order(
            Order::Thaw {
                level,
                who: operator(&who),
            },
            request.reply,
        )
    }

    pub(crate) fn authority(&self, request: Request<SetAuthority>) -> Ordered {
        let SetAuthority { level, value, who } = request.message;
        self.order(
            Order::Authority {
                level,
                to: value,
                who: operator(&who),
            },
            request.reply,
        )
    }

    pub(crate) fn clear(&self, request: Request<Clear>) -> Ordered {
        let Clear { level, who } = request.message;
        self.order(
            Order::Clear {
                level,
                who: operator(&who),
            },
            request.reply,
        )
    }

    /// Level 4.5 has the reference: it takes it anew, tells it, and answers.
    pub(crate) fn reset_identity(&self, request: Request<ResetIdentity>) {
        match self.tree.level45.get() {
            Some(level45) => level45.signal(Level45Message::ResetIdentity(request)),
            None => {
                let refusal = Refusal::new(ErrorCode::Refused, "L4.5 is being started again; try again");
                request.reply.send(Err(refusal));
            }
        }
    }

    fn order(&self, order: Order, reply: Reply<LevelStanding>) -> Ordered {
        match self.tree.shared.governor.order(&order, self.tree.at()) {
            Ok(()) => Some((order.level(), reply)),
            Err(error) => {
                reply.send(Err(Refusal::new(ErrorCode::Refused, &error.to_string())));
                None
            }
        }
    }

    /// Answers an order that has been carried out.
    pub(crate) fn answer(&self, ordered: Ordered) {
        if let Some((level, reply)) = ordered {
            reply.send(Ok(self.tree.shared.governor.standing(level)));
        }
    }

    /// The next report carries the states for it.
    pub(crate) fn snapshot_wanted(&self, request: Request<TakeSnapshot>, state: &mut Rooted) {
        if state.snapshots.len() == MAX_WAITING {
            let refusal = Refusal::new(ErrorCode::Overloaded, "too many callers wait for a snapshot");
            request.reply.send(Err(refusal));
            return;
        }
        state.snapshots.push(request.reply);
        self.tree.request_cut();
    }

    /// The states of one report are here.
    pub(crate) async fn save(&self, cut: &Cut, state: &mut Rooted) {
        let granted = self.tree.shared.governor.ladder();
        let saved = state.keeper.save_cut(cut, false).await;
        match &saved {
            Ok(_) if state.unpersisted => self.promote(&granted, state),
            Ok(_) => {}
            Err(error) => self.warn(&error.to_string()),
        }
        for reply in state.snapshots.drain(..) {
            reply.send(saved.clone().map_err(Refusal::from));
        }
    }

    pub(crate) fn describe(&self, state: &Rooted) -> AgentDescription {
        let shared = &self.tree.shared;
        let mut actors = Vec::new();
        list(&state.children.view().snapshot(), &mut actors);
        let names = state.description.iter().flat_map(|description| &description.dimensions);
        AgentDescription {
            spec: shared.spec.clone(),
            node: self.tree.runtime.node.clone(),
            status: shared.status(),
            levels: Level::ALL
                .into_iter()
                .filter(|level| *level <= shared.spec.highest)
                .map(|level| LevelDescription {
                    standing: shared.governor.standing(level),
                    state: self.state_of(level, state),
                })
                .collect(),
            actors,
            dimensions: names.map(|dimension| dimension.name.clone()).collect(),
            snapshot: state.keeper.last().cloned(),
            self_model: self.self_model(state),
            autonomy: self.standing_of_autonomy(state),
            cost: shared.meter.read(),
        }
    }

    fn self_model(&self, state: &Rooted) -> Option<SelfModel> {
        let output = self.tree.shared.self_model()?;
        let groups = state
            .description
            .as_ref()
            .map_or(&[][..], |description| &description.groups);
        Some(SelfModel::named(&output, groups))
    }

    /// How a level stands in its audit; none of an agent without it.
    pub(crate) fn qualification(&self, request: Request<Qualify>, state: &Rooted) {
        let level48 = || Some(state.level48.as_ref()?.part().audit.report());
        let level49 = || Some(state.level49.as_ref()?.part().audit.report());
        let report = match request.message.level {
            Level::L48 => level48(),
            Level::L49 => level49(),
            other => {
                let text = format!("{other} has no audit; expected L4.8 or L4.9");
                request.reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
                return;
            }
        };
        request.reply.send(Ok(report.as_ref().map(Qualification::from)));
    }

    /// The scores of the levels above L4.5 and the last veto; none of an agent that has only L4.5.
    fn standing_of_autonomy(&self, state: &Rooted) -> Option<AutonomySummary> {
        let level48 = state.level48.as_ref()?;
        let level49 = state.level49.as_ref().map(|relay| relay.part());
        let bundle = level49.as_ref().and_then(|part| part.orchestrator.verified());
        Some(AutonomySummary {
            sms: level48.part().audit.report().score,
            ams: level49.as_ref().map(|part| part.audit.report().score),
            ass: self.tree.shared.status().ass,
            last_veto: bundle.and_then(|bundle| bundle.assess.vetoes().last().map(VetoRow::from)),
        })
    }

    /// What the levels came to last.
    pub(crate) fn mind(&self, state: &Rooted) -> Mind {
        let shared = &self.tree.shared;
        let mut mind = Mind {
            cycle: shared.cycle(),
            ..Mind::default()
        };
        if let Some(foresight) = shared.foresight() {
            mind.votes = Some((&foresight).into());
            mind.projection = Some((&foresight).into());
        }
        if let Some(output) = shared.level48() {
            mind.order = Some((&*output.plan).into());
            mind.strategies = Some((&*output.plan).into());
            mind.allocation = Some((&*output.plan).into());
            mind.scenarios = Some((&*output).into());
            mind.capabilities = self.self_model(state);
        }
        let Some(part) = state.level49.as_ref().map(|relay| relay.part()) else {
            return mind;
        };
        let frozen = shared.governor.reader().read(Level::L49).authority == Authority::Frozen;
        mind.ass = Some(AutonomyScore::watched(part.orchestrator.live(), mind.cycle));
        let mut vetoes = Vetoes {
            vetoes: Vec::new(),
            rollbacks: part.orchestrator.rollbacks().map(RollbackRow::from).collect(),
        };
        let Some(output) = shared.autonomy() else {
            mind.vetoes = (!vetoes.rollbacks.is_empty()).then_some(vetoes);
            return mind;
        };
        mind.values = Some((&*output).into());
        mind.resources = Some((&*output).into());
        mind.trust = Some((&*output).into());
        if !frozen {
            mind.ass = Some((&*output).into());
        }
        if let Some(bundle) = part.orchestrator.verified() {
            mind.own_goals = Some(OwnGoals::from(bundle.generate.book()));
            vetoes.vetoes = bundle.assess.vetoes().map(VetoRow::from).collect();
            mind.vetoes = Some(vetoes);
        }
        mind
    }

    /// A goal that Level 4.9 thought of.
    pub(crate) fn own_goal(goal: &GoalId, state: &Rooted) -> Option<OwnGoal> {
        let bundle = state.level49.as_ref()?.part().orchestrator.verified()?;
        bundle.generate.book().get(goal).map(OwnGoal::from)
    }

    fn state_of(&self, level: Level, state: &Rooted) -> String {
        let frozen = self.tree.shared.governor.reader().read(level).authority == Authority::Frozen;
        let waiting_for = match level {
            Level::L48 => state
                .level48
                .as_ref()
                .map(|relay| relay.part().orchestrator.waiting_for()),
            Level::L49 => state
                .level49
                .as_ref()
                .map(|relay| relay.part().orchestrator.waiting_for()),
            _ => None,
        };
        match waiting_for {
            Some(waiting_for) if waiting_for.is_empty() => "at full authority".to_owned(),
            Some(waiting_for) => format!("waits for {waiting_for}"),
            None if frozen => "frozen".to_owned(),
            None => "always on".to_owned(),
        }
    }

    pub(crate) fn forecast(&self, state: &Rooted) -> Option<Forecast> {
        let advice = self.tree.shared.advice.borrow().clone()?;
        let finite = |values: &[f64], index: usize| values.get(index).copied().filter(|value| value.is_finite());
        let dimensions = state.description.iter().flat_map(|description| &description.dimensions);
        Some(Forecast {
            level: advice.level,
            from_cycle: advice.from_cycle,
            dimensions: dimensions
                .enumerate()
                .map(|(index, dimension)| DimensionForecast {
                    name: dimension.name.clone(),
                    value: finite(&advice.forecast, index),
                    variance: finite(&advice.variance, index),
                })
                .collect(),
            eu: advice.eu,
            res: advice.res,
            rdf: advice.rdf,
        })
    }
}

/// An order that was accepted, and who waits for it to be carried out.
pub(crate) type Ordered = Option<(Level, Reply<LevelStanding>)>;

/// The actors of a tree, parents before children.
fn list(nodes: &[TreeNode], into: &mut Vec<ActorDescription>) {
    for node in nodes {
        into.push(ActorDescription {
            role: node.role.clone(),
            generation: node.generation,
            mailbox_depth: node.mailbox_depth.unwrap_or(0),
        });
        list(&node.children, into);
    }
}
