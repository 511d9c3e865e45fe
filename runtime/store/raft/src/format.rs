//! Brings a store up to the format of this program, or refuses it.

use crate::schema::{FORMAT, HAS_NOTES, LAST_NOTE, NOTE, NOTES, STEPS};
use crate::start::OpenError;
use rungs_store::cluster::format::steps;
use rungs_store_replica::{Error, Param, Replica};
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Heartbeats after which a call is given up and made again.
const PATIENCE_HEARTBEATS: u32 = 20;

/// Takes the steps that have not been taken.
pub(crate) async fn bring_up(replica: &Replica, pace: Duration, until: Instant) -> Result<(), OpenError> {
    loop {
        // A call to a leader that dies does not return.
        let patience = until.min(Instant::now() + pace * PATIENCE_HEARTBEATS);
        match timeout_at(patience, found(replica)).await {
            Err(_) => tracing::debug!("nobody says what the format is"),
            Ok(Err(error)) => tracing::debug!(%error, "the format is not known yet"),
            Ok(Ok(found)) => match steps(found, FORMAT)?.next() {
                None => return Ok(()),
                // If it fails, another voter has taken it, or it is tried again.
                Some(step) => match timeout_at(patience, take(replica, step)).await {
                    Err(_) => tracing::debug!(step, "nobody says whether a step was taken"),
                    Ok(Err(error)) => tracing::debug!(step, %error, "a step was not taken"),
                    Ok(Ok(())) => continue,
                },
            },
        }
        if Instant::now() >= until {
            return Err(OpenError::NoMajority);
        }
        sleep_until((Instant::now() + pace).min(until)).await;
    }
}

/// The number of the last step that was taken.
async fn found(replica: &Replica) -> Result<u32, Error> {
    if number(replica, HAS_NOTES).await? == 0 {
        return Ok(0);
    }
    let last = number(replica, LAST_NOTE).await?;
    Ok(u32::try_from(last).unwrap_or(u32::MAX))
}

async fn number(replica: &Replica, sql: &'static str) -> Result<i64, Error> {
    let mut rows = replica.query_leader(Cow::Borrowed(sql), Vec::new()).await?;
    match rows.first_mut() {
        Some(row) => row.try_get("n"),
        None => Err(Error::QueryReturnedNoRows(Cow::Borrowed(sql))),
    }
}

async fn take(replica: &Replica, step: u32) -> Result<(), Error> {
    let mut statements = vec![(Cow::Borrowed(NOTES), Vec::new())];
    statements.push((Cow::Borrowed(NOTE), vec![Param::Integer(step.into())]));
    let at = usize::try_from(step).unwrap_or(usize::MAX).saturating_sub(1);
    let new = STEPS.get(at).copied().unwrap_or_default();
    statements.extend(new.iter().map(|sql| (Cow::Borrowed(*sql), Vec::new())));
    for outcome in replica.transaction(statements).await? {
        outcome?;
    }
    Ok(())
}
