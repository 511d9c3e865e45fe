//! Growing the tree: from what a boot has found to children that run, each with what it starts from and what it starts
//! again from.
//!
//! Part of the root. The kernel starts once: when it ends, the agent starts again. Guard and levels start again below
//! the root, from the last record, Level 4.8 from its part.

use crate::agent::{AgentMessage, CYCLE_DEADLINE, ROLE, Root, Rooted};
use crate::boot::{self, Boot, boot};
use crate::error::AgentError;
use crate::guard::{self, Guard};
use crate::keeper::Keeper;
use crate::kernel::{self, KernelActor};
use crate::level45::{self, Level45Actor, Level45Start};
use crate::phased::{PartCell, Phased, PhasedLevel};
use crate::relay::Relay;
use crate::shared::End;
use crate::snapshot::Record;
use crate::tree::role;
use ractor::{ActorCell, ActorProcessingErr};
use rungs_host::Timer;
use rungs_host::supervisor::{Change, ChildSpec, Restart, Started};
use rungs_mind::ladder::Fault;
use rungs_types::Level;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the root looks after its children.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// Looks between two snapshots: at most one every 5 s.
const WATCHES_PER_SNAPSHOT: u32 = 5;
/// How long one actor of the tree may drain.
const STOP_WITHIN: Duration = Duration::from_secs(3);

impl Root {
    /// Loads what there is and starts the children.
    pub(crate) async fn boot(&self, myself: &ActorCell, state: &mut Rooted) -> Result<(), ActorProcessingErr> {
        if let Err(error) = self.try_boot(myself, state).await {
            self.tree.shared.end_with(End::NotBooted(error.clone()));
            return Err(error.into());
        }
        if let Some(ready) = state.ready.take() {
            ready();
        }
        Ok(())
    }

    async fn try_boot(&self, myself: &ActorCell, state: &mut Rooted) -> Result<(), AgentError> {
        let Boot {
            kernel,
            floor,
            guard,
            level48,
            level49,
            description,
            record,
            warnings,
        } = boot(&self.tree).await?;
        let shared = &self.tree.shared;
        shared.log.resume_after(record.event_seq);
        shared.set_cycle(kernel.cycle);
        // Whoever asks before the first cycle learns where the agent was.
        shared.post(|status| {
            status.cycles = kernel.cycle;
            status.late_cycles = kernel.late_cycles;
        });
        let at = self.tree.at();
        shared
            .governor
            .resume_once(record.ladder.clone(), shared.spec.highest, at);
        for warning in &warnings {
            self.warn(warning);
        }
        state.keeper = Keeper::new(Arc::clone(&self.tree), level48.clone(), level49.clone(), &record);
        state.description = Some(description);
        state.level48 = level48.clone().map(Relay::new);
        state.level49 = level49.clone().map(Relay::new);
        self.demote(&record, state);
        if record.orderly {
            // From here on the agent runs, and an end that is not in order must be seen as one.
            state.keeper.save_authority().await?;
        }
        shared.governor.floor_started(at);
        let mut specs = vec![self.kernel(kernel), self.guard(guard), self.level45(floor)];
        specs.extend(level48.map(|part| self.phased(part)));
        specs.extend(level49.map(|part| self.phased(part)));
        self.start_children(specs, myself, state).await?;
        let doorbell = state.handle.clone();
        shared.governor.attach(move || doorbell.signal(AgentMessage::Decided));
        state.watch = Some(self.watch(state)?);
        shared.run(state.handle.clone());
        Ok(())
    }

    /// Brings the levels in line with the ladder. Authority is not what an agent goes on with that did not end in order, or
    /// that a level finds which begins anew: it was granted to the one before.
    fn demote(&self, record: &Record, state: &Rooted) {
        let freeze = |level, message: &str| {
            let (role, message) = (role(ROLE), message.to_owned());
            let fault = Fault::Panic { level, role, message };
            self.tree.shared.governor.fault(&fault, self.tree.at());
        };
        let stands = [
            (
                Level::L48,
                state.level48.as_ref().is_none_or(|level| level.align(&self.tree)),
            ),
            (
                Level::L49,
                state.level49.as_ref().is_none_or(|level| level.align(&self.tree)),
            ),
        ];
        if record.agent.is_some() && !record.orderly {
            freeze(Level::L48, "the agent did not end in order");
        }
        for (level, _) in stands.into_iter().filter(|(_, stands)| !stands) {
            freeze(
                level,
                "the level begins anew, and its authority was granted to the one before",
            );
        }
    }

    async fn start_children(
        &self,
        specs: Vec<ChildSpec>,
        myself: &ActorCell,
        state: &mut Rooted,
    ) -> Result<(), AgentError> {
        let not_started = |reason: String| AgentError::NotStarted {
            agent: self.tree.shared.agent().clone(),
            reason,
        };
        for spec in specs {
            state
                .children
                .add(spec)
                .map_err(|error| not_started(error.to_string()))?;
        }
        let changes = state
            .children
            .start_all(myself)
            .await
            .map_err(|error| not_started(error.to_string()))?;
        for change in changes {
            if let Change::Forgotten { role, exit } = change {
                return Err(not_started(format!("{role} {exit}")));
            }
        }
        Ok(())
    }

    fn kernel(&self, start: kernel::KernelStart) -> ChildSpec {
        let (tree, first) = (Arc::clone(&self.tree), once(start));
        // Temporary: when it ends, the agent starts again.
        let child = ChildSpec::new(role(kernel::ROLE), Restart::Temporary, move |context| {
            let (tree, first) = (Arc::clone(&tree), first());
            async move {
                let start = first.ok_or("invariant: a temporary child starts once")?;
                let handle = KernelActor::spawn(tree, start, context.supervisor).await?;
                Ok(Started::from(&handle))
            }
        });
        child.stop_within(STOP_WITHIN)
    }

    fn guard(&self, state: guard::GuardState) -> ChildSpec {
        let (tree, first) = (Arc::clone(&self.tree), once(state));
        let child = ChildSpec::new(role(guard::ROLE), Restart::Permanent, move |context| {
            let (tree, first) = (Arc::clone(&tree), first());
            async move {
                let state = match first {
                    Some(state) => state,
                    None => boot::last_guard(&tree).await,
                };
                let handle = Guard::spawn(Arc::clone(&tree), Box::new(state), context.supervisor).await?;
                tree.guard.set(handle.clone());
                Ok(Started::from(&handle))
            }
        });
        child.stop_within(STOP_WITHIN)
    }

    fn level45(&self, start: Level45Start) -> ChildSpec {
        let config = start.level.config().clone();
        let (tree, first) = (Arc::clone(&self.tree), once(start));
        let child = ChildSpec::new(role(level45::ROLE), Restart::Permanent, move |context| {
            let (tree, first, config) = (Arc::clone(&tree), first(), config.clone());
            async move {
                let start = match first {
                    Some(start) => start,
                    None => boot::last_floor(&tree, config).await?,
                };
                let handle = Level45Actor::spawn(Arc::clone(&tree), start, context.supervisor).await?;
                tree.level45.set(handle.clone());
                Ok(Started::from(&handle))
            }
        });
        child.stop_within(STOP_WITHIN)
    }

    fn phased<L: Phased>(&self, part: Arc<PartCell<L>>) -> ChildSpec {
        let tree = Arc::clone(&self.tree);
        let child = ChildSpec::new(role(L::ROLE), Restart::Permanent, move |context| {
            let (tree, part) = (Arc::clone(&tree), Arc::clone(&part));
            async move {
                let (handle, started) = PhasedLevel::<L>::spawn(Arc::clone(&tree), part, context.supervisor).await?;
                L::link(&tree).set(handle);
                Ok(started)
            }
        });
        child.stop_within(STOP_WITHIN)
    }

    /// Looks after what cannot speak for itself, and asks for a snapshot every so often.
    fn watch(&self, state: &Rooted) -> Result<Timer, AgentError> {
        let (tree, root) = (Arc::clone(&self.tree), state.handle.clone());
        let mut looks = 0;
        let look = move |_| {
            looks += 1;
            if looks % WATCHES_PER_SNAPSHOT == 0 {
                tree.request_cut();
            }
            let stuck = [
                (kernel::ROLE, &tree.kernel_track, CYCLE_DEADLINE),
                (level45::ROLE, &tree.floor_track, tree.phase_deadline()),
            ];
            for (role, track, deadline) in stuck {
                if track.overdue(deadline).is_ok() {
                    root.signal(AgentMessage::Stuck(role));
                }
            }
        };
        let timer = self
            .tree
            .runtime
            .timers
            .every("watch", WATCH_PERIOD, WATCH_PERIOD, look);
        timer.map_err(|error| AgentError::NotStarted {
            agent: self.tree.shared.agent().clone(),
            reason: error.to_string(),
        })
    }
}

/// Gives a value the first time it is asked, and nothing after that.
fn once<T: Send + 'static>(value: T) -> impl Fn() -> Option<T> + Send + Sync + 'static {
    let slot = Mutex::new(Some(value));
    move || slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
