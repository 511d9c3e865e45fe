//! Stopping actors and waiting for them, for a supervisor that is itself on its way out: no event reaches it any more.

use super::change::ShutdownReport;
use super::plan::KILL_GRACE;
use super::policy::StopOrder;
use futures::future::join_all;
use ractor::ActorCell;
use rungs_types::RolePath;
use std::time::Duration;
use tokio::time::Instant;

/// An actor to stop: its role, the actor, and how long it may drain.
pub(super) type ToStop = (RolePath, ActorCell, Duration);

/// Drains the actors, in the order given or together, each within its deadline and all until `until`; who does not end
/// is killed, who cannot be killed is left behind.
pub(super) async fn stop_all(actors: Vec<ToStop>, order: StopOrder, until: Instant) -> ShutdownReport {
    let stops = actors
        .into_iter()
        .map(|(role, cell, within)| stop(role, cell, within, until));
    let ends = match order {
        StopOrder::Together => join_all(stops).await,
        StopOrder::Reverse => in_turn(stops, until).await,
    };
    let mut report = ShutdownReport::default();
    for (role, end) in ends {
        match end {
            End::Drained => report.drained.push(role),
            End::Killed => report.killed.push(role),
            End::Abandoned => report.abandoned.push(role),
        }
    }
    report
}

/// One stop after another while there is time, then what is left together.
async fn in_turn<F: Future>(mut stops: impl Iterator<Item = F>, until: Instant) -> Vec<F::Output> {
    let mut ends = Vec::new();
    while Instant::now() < until
        && let Some(stop) = stops.next()
    {
        ends.push(stop.await);
    }
    ends.extend(join_all(stops).await);
    ends
}

enum End {
    Drained,
    Killed,
    Abandoned,
}

/// Drains one actor until the earlier of both deadlines, then kills it, then lets go of it.
async fn stop(role: RolePath, cell: ActorCell, within: Duration, until: Instant) -> (RolePath, End) {
    let left = until.saturating_duration_since(Instant::now());
    // An actor that has ended cannot be drained, and needs no waiting either.
    drop(cell.drain());
    if cell.wait(Some(within.min(left))).await.is_ok() {
        return (role, End::Drained);
    }
    tracing::warn!(%role, "child did not stop in time; killed");
    cell.kill();
    if cell.wait(Some(KILL_GRACE)).await.is_ok() {
        return (role, End::Killed);
    }
    tracing::error!(%role, "child did not end when killed; abandoned");
    (role, End::Abandoned)
}
