//! Reading a stored audit back.

use super::alarm::Alarms;
use super::block::Blocks;
use super::correction::Corrections;
use super::goals::Goals;
use super::instability::Instability;
use super::strategy::Strategies;
use super::{Audit48, PROBE_CYCLES};
use crate::numeric::condense::Refused;
use rungs_types::Epoch;
use serde::{Deserialize, Serialize};

/// What [`Audit48`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawAudit48 {
    seed: u64,
    cycle: u64,
    epoch: Option<Epoch>,
    froze: bool,
    blocks: Blocks,
    since_probe: u32,
    probes: u64,
    alarms: Alarms,
    corrections: Corrections,
    goals: Goals,
    instability: Instability,
    strategies: Strategies,
}

impl TryFrom<RawAudit48> for Audit48 {
    type Error = Refused;

    fn try_from(raw: RawAudit48) -> Result<Self, Refused> {
        raw.blocks.check()?;
        raw.alarms.check()?;
        raw.corrections.check()?;
        if raw.since_probe >= PROBE_CYCLES {
            return Err(Refused("the probes of an audit"));
        }
        Ok(Self {
            seed: raw.seed,
            cycle: raw.cycle,
            epoch: raw.epoch,
            froze: raw.froze,
            blocks: raw.blocks,
            since_probe: raw.since_probe,
            probes: raw.probes,
            alarms: raw.alarms,
            corrections: raw.corrections,
            goals: raw.goals.checked()?,
            instability: raw.instability,
            strategies: raw.strategies,
        })
    }
}

impl From<Audit48> for RawAudit48 {
    fn from(audit: Audit48) -> Self {
        Self {
            seed: audit.seed,
            cycle: audit.cycle,
            epoch: audit.epoch,
            froze: audit.froze,
            blocks: audit.blocks,
            since_probe: audit.since_probe,
            probes: audit.probes,
            alarms: audit.alarms,
            corrections: audit.corrections,
            goals: audit.goals,
            instability: audit.instability,
            strategies: audit.strategies,
        }
    }
}
