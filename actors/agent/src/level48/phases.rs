//! The phases of Level 4.8 as children: started from the last verified bundle, and ended without delay.

use super::line::Line;
use super::phase::{Phase, PhaseActor, PhaseMessage};
use super::{Leading, Level48, STOP_WITHIN};
use crate::tree::role;
use ractor::{ActorCell, ActorProcessingErr};
use rungs_host::Handle;
use rungs_host::supervisor::plan::Request;
use rungs_host::supervisor::{Change, ChildSpec, Restart, Started};
use rungs_mind::l48::{Bundle, Emit, Introspect, Observe, Plan, Verify};
use rungs_mind::ladder::Fault;
use rungs_types::{EventKind, Level};
use std::sync::{Arc, OnceLock};

impl Level48 {
    /// Starts the phases from the last verified bundle.
    pub(super) async fn start_phases(
        &self,
        cycle: u64,
        myself: &ActorCell,
        state: &mut Leading,
    ) -> Result<(), ActorProcessingErr> {
        let bundle = state
            .part
            .orchestrator
            .verified()
            .ok_or("invariant: a level has a first bundle")?;
        let (observe, first) = self.child::<Observe>(&bundle);
        let (introspect, second) = self.child::<Introspect>(&bundle);
        let (plan, third) = self.child::<Plan>(&bundle);
        let (verify, fourth) = self.child::<Verify>(&bundle);
        let (emit, fifth) = self.child::<Emit>(&bundle);
        // Last first: whoever hands on finds the next one there.
        for child in [fifth, fourth, third, second, first] {
            state.children.add(child)?;
        }
        for change in state.children.start_all(myself).await? {
            self.tell_start(change, cycle, state);
        }
        let started = (observe.get(), introspect.get(), plan.get(), verify.get(), emit.get());
        if let (Some(observe), Some(introspect), Some(plan), Some(verify), Some(emit)) = started {
            state.line = Some(Arc::new(Line {
                observe: observe.clone(),
                introspect: introspect.clone(),
                plan: plan.clone(),
                verify: verify.clone(),
                emit: emit.clone(),
                home: state.handle.clone(),
            }));
        }
        Ok(())
    }

    /// A phase has started, or could not.
    fn tell_start(&self, change: Change, cycle: u64, state: &mut Leading) {
        match change {
            Change::Started { role, .. } | Change::Restarted { role, .. } => {
                let generation = state.generations.entry(role.clone()).or_insert(0);
                *generation += 1;
                let generation = *generation;
                if let Some(cause) = state.failed.remove(&role) {
                    let restarted = EventKind::Restarted {
                        role,
                        generation,
                        cause,
                    };
                    self.tree.shared.log.emit(cycle, restarted);
                }
            }
            Change::Forgotten { role, exit } => {
                let message = exit.to_string();
                self.fault(
                    &Fault::Panic {
                        level: Level::L48,
                        role,
                        message,
                    },
                    state,
                );
            }
            Change::Stopped { .. } | Change::Parked { .. } | Change::Abandoned { .. } => {}
        }
    }

    /// A phase to be, and where its handle will be found.
    fn child<P: Phase>(&self, bundle: &Arc<Bundle>) -> (Arc<OnceLock<Handle<PhaseMessage>>>, ChildSpec) {
        let found = Arc::new(OnceLock::new());
        let (slot, tree, bundle) = (Arc::clone(&found), Arc::clone(&self.tree), Arc::clone(bundle));
        let child = ChildSpec::new(role(P::LEG.role()), Restart::Temporary, move |context| {
            let (slot, tree, bundle) = (Arc::clone(&slot), Arc::clone(&tree), Arc::clone(&bundle));
            async move {
                let handle = PhaseActor::<P>::spawn(tree, bundle, context.supervisor).await?;
                let started = Started::from(&handle);
                // A temporary child starts once.
                drop(slot.set(handle));
                Ok(started)
            }
        });
        (found, child.stop_within(STOP_WITHIN))
    }

    /// Ends the phases now, whatever they do; their states are in the last verified bundle.
    pub(super) async fn stop_phases(&self, myself: &ActorCell, state: &mut Leading) -> Result<(), ActorProcessingErr> {
        state.flight = None;
        state.line = None;
        let roles: Vec<_> = state
            .children
            .plan()
            .children()
            .iter()
            .map(|child| child.role.clone())
            .collect();
        for role in roles {
            let cell = state.children.cell(&role).cloned();
            state.children.request(&role, Request::Remove, myself).await??;
            if let Some(cell) = cell {
                cell.kill();
            }
        }
        Ok(())
    }
}
