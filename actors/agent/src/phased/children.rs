//! The phases of a level as children: started from the last verified bundle, and ended without delay.

use super::level::Phased;
use super::line::Line;
use super::phase::{PhaseActor, PhaseMessage};
use super::{Leading, PhasedLevel, STOP_WITHIN};
use crate::tree::role;
use ractor::{ActorCell, ActorProcessingErr};
use rungs_host::Handle;
use rungs_host::supervisor::plan::Request;
use rungs_host::supervisor::{Change, ChildSpec, Restart, Started};
use rungs_mind::ladder::Fault;
use rungs_types::EventKind;
use std::sync::{Arc, OnceLock};

/// Where the handle of a phase will be found.
type Slot<L> = Arc<OnceLock<Handle<PhaseMessage<L>>>>;

impl<L: Phased> PhasedLevel<L> {
    /// Starts the phases from the last verified bundle.
    pub(super) async fn start_phases(
        &self,
        cycle: u64,
        myself: &ActorCell,
        state: &mut Leading<L>,
    ) -> Result<(), ActorProcessingErr> {
        let bundle = L::verified(&state.part.orchestrator).ok_or("invariant: a level has a first bundle")?;
        let phases: Vec<(Slot<L>, ChildSpec)> = (0..L::PHASES.len())
            .map(|place| {
                let starts = state.generations.get(&role(L::PHASES[place])).copied();
                let (slot, child) = self.child(place, &bundle);
                (slot, child.started_before(starts.unwrap_or(0)))
            })
            .collect();
        let (slots, children): (Vec<Slot<L>>, Vec<ChildSpec>) = phases.into_iter().unzip();
        // Last first: whoever hands on finds the next one there.
        for child in children.into_iter().rev() {
            state.children.add(child)?;
        }
        for change in state.children.start_all(myself).await? {
            self.tell_start(change, cycle, state);
        }
        let started: Option<Vec<_>> = slots.iter().map(|slot| slot.get().cloned()).collect();
        state.line = started.map(|phases| {
            Arc::new(Line {
                phases,
                home: state.handle.clone(),
            })
        });
        Ok(())
    }

    /// A phase has started, or could not.
    fn tell_start(&self, change: Change, cycle: u64, state: &mut Leading<L>) {
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
                        level: L::LEVEL,
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
    fn child(&self, place: usize, bundle: &Arc<L::Bundle>) -> (Slot<L>, ChildSpec) {
        let found: Slot<L> = Arc::new(OnceLock::new());
        let (slot, tree, bundle) = (Arc::clone(&found), Arc::clone(&self.tree), Arc::clone(bundle));
        let child = ChildSpec::new(role(L::PHASES[place]), Restart::Temporary, move |context| {
            let (slot, tree, bundle) = (Arc::clone(&slot), Arc::clone(&tree), Arc::clone(&bundle));
            async move {
                let handle = PhaseActor::<L>::spawn(place, tree, bundle, context.supervisor).await?;
                let started = Started::from(&handle);
                // A temporary child starts once.
                drop(slot.set(handle));
                Ok(started)
            }
        });
        (found, child.stop_within(STOP_WITHIN))
    }

    /// Ends the phases now, whatever they do; their states are in the last verified bundle.
    pub(super) async fn stop_phases(
        &self,
        myself: &ActorCell,
        state: &mut Leading<L>,
    ) -> Result<(), ActorProcessingErr> {
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
