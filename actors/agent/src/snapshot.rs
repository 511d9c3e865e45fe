//! What of an agent survives its tree: numbered versions of one record, written and read through the host's codec.
//!
//! The record's head says where the agent stood; the parts behind it are each encoded by themselves, so that a change of
//! authority rewrites the head and the level it concerns, and copies the rest unread.
//!
//! Invariants:
//! 1. A node reads the last version and the one before (now there is only V1); what it cannot read is refused, reported
//!    and not guessed at.
//! 2. Only the last record of an agent that was stopped in order says so; after any other, the levels above L4.5 are
//!    demoted at the next start.

use crate::guard::GuardState;
use crate::kernel::KernelPart;
use rungs_host::codec::{self, CodecError};
use rungs_mind::l45::Level45State;
use rungs_mind::l48::baton::Bundle;
use rungs_mind::l48::emit::EmitState;
use rungs_mind::l48::introspect::{IntrospectState, IntrospectSummary};
use rungs_mind::l48::observe::{ObserveConfig, ObserveSummary, RestoreError};
use rungs_mind::l48::plan::{PlanState, PlanSummary};
use rungs_mind::l48::verify::VerifyState;
use rungs_mind::l48::{Introspect, Orchestrator, Plan};
use rungs_mind::l49;
use rungs_mind::l49::goals::GenerateState;
use rungs_mind::l49::peers::RelateState;
use rungs_mind::l49::resources::SurviveState;
use rungs_mind::l49::stability::AssessState;
use rungs_mind::l49::values::EvolveState;
use rungs_mind::ladder::Ladder;
use rungs_mind::qualify::{Audit48, Audit49};
use rungs_types::{AgentId, CheckpointId, Epoch};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version that is written, and the newest that is read.
pub const NEWEST_VERSION: u16 = 1;

/// A record as it is stored.
#[derive(Debug, Serialize, Deserialize)]
enum Versioned {
    V1(Record),
}

/// The record of one agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whose it is.
    pub(crate) agent: Option<AgentId>,
    /// The L3 cycle at which it stands.
    pub(crate) cycle: u64,
    /// The agent was stopped in order, and this is its last record.
    pub(crate) orderly: bool,
    /// Events up to it.
    pub(crate) event_seq: u64,
    /// The ladder; absent before the first change.
    pub(crate) ladder: Option<Ladder>,
    /// L3, encoded.
    pub(crate) kernel: Option<Vec<u8>>,
    /// L4.5, encoded.
    pub(crate) floor: Option<Vec<u8>>,
    /// The guard, encoded.
    pub(crate) guard: Option<Vec<u8>>,
    /// L4.8, encoded.
    pub(crate) level48: Option<Vec<u8>>,
    /// The audit of L4.8, encoded: at most 8 KiB, whatever the agent watches.
    pub(crate) audit: Option<Vec<u8>>,
    /// L4.9, encoded.
    pub(crate) level49: Option<Vec<u8>>,
}

/// Level 4.8 in a record: at most 8 KiB for 8 dimensions, so the world model is in it by its sufficient statistics.
#[derive(Debug, Serialize, Deserialize)]
struct Level48Record {
    epoch: Epoch,
    orchestrator: Orchestrator,
    checkpoint: CheckpointId,
    cycle: u64,
    observe: ObserveSummary,
    verify: Arc<VerifyState>,
    emit: Arc<EmitState>,
    /// The self-model, encoded by itself: one that cannot be used is begun anew, and the rest is kept.
    introspect: Option<Vec<u8>>,
    /// The plan, likewise.
    plan: Option<Vec<u8>>,
}

/// Level 4.9 in a record, with its audit.
#[derive(Debug, Serialize, Deserialize)]
struct Level49Record {
    epoch: Epoch,
    orchestrator: l49::Orchestrator,
    checkpoint: CheckpointId,
    cycle: u64,
    generate: Arc<GenerateState>,
    evolve: Arc<EvolveState>,
    survive: Arc<SurviveState>,
    relate: Arc<RelateState>,
    assess: Arc<AssessState>,
    audit: Audit49,
}

/// Why Level 4.9 in a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Level49Error {
    /// It does not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// It decodes to what the level cannot be in.
    #[error("its states contradict themselves")]
    Damaged,
}

/// Why Level 4.8 in a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Level48Error {
    /// It does not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Its world model is damaged, or of another environment.
    #[error("the world model: {0}")]
    World(#[from] RestoreError),
}

impl Record {
    /// The bytes of the record.
    pub(crate) fn encode(self) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Versioned::V1(self))
    }

    /// Reads what [`Record::encode`] wrote, in this version or the one before.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let Versioned::V1(record) = codec::decode(bytes)?;
        Ok(record)
    }

    /// Puts in the floor and what stands on it, as they were after one report.
    pub(crate) fn set_cut(
        &mut self,
        kernel: &KernelPart,
        floor: Option<&Level45State>,
        guard: Option<&GuardState>,
    ) -> Result<(), CodecError> {
        self.cycle = kernel.cycle;
        self.kernel = Some(codec::encode(kernel)?);
        if let Some(floor) = floor {
            self.floor = Some(codec::encode(floor)?);
        }
        if let Some(guard) = guard {
            self.guard = Some(codec::encode(guard)?);
        }
        Ok(())
    }

    /// Puts in Level 4.8, with its last verified states.
    pub(crate) fn set_level48(
        &mut self,
        epoch: Epoch,
        orchestrator: &Orchestrator,
        bundle: &Bundle,
    ) -> Result<(), CodecError> {
        let record = Level48Record {
            epoch,
            orchestrator: orchestrator.clone(),
            checkpoint: bundle.checkpoint,
            cycle: bundle.cycle,
            observe: bundle.observe.summary(),
            verify: Arc::clone(&bundle.verify),
            emit: Arc::clone(&bundle.emit),
            introspect: Some(codec::encode(&bundle.introspect.summary())?),
            plan: Some(codec::encode(&bundle.plan.summary())?),
        };
        self.level48 = Some(codec::encode(&record)?);
        Ok(())
    }

    /// Puts in the audit of Level 4.8.
    pub(crate) fn set_audit(&mut self, audit: &Audit48) -> Result<(), CodecError> {
        self.audit = Some(codec::encode(audit)?);
        Ok(())
    }

    /// The audit of Level 4.8, if it is in the record.
    pub(crate) fn audit(&self) -> Result<Option<Audit48>, CodecError> {
        decode_part(self.audit.as_deref())
    }

    /// Puts in Level 4.9, with its last verified states and its audit.
    pub(crate) fn set_level49(
        &mut self,
        epoch: Epoch,
        orchestrator: &l49::Orchestrator,
        bundle: &l49::Bundle,
        audit: &Audit49,
    ) -> Result<(), CodecError> {
        let record = Level49Record {
            epoch,
            orchestrator: orchestrator.clone(),
            checkpoint: bundle.checkpoint,
            cycle: bundle.cycle,
            generate: Arc::clone(&bundle.generate),
            evolve: Arc::clone(&bundle.evolve),
            survive: Arc::clone(&bundle.survive),
            relate: Arc::clone(&bundle.relate),
            assess: Arc::clone(&bundle.assess),
            audit: audit.clone(),
        };
        self.level49 = Some(codec::encode(&record)?);
        Ok(())
    }

    /// Level 4.9, if it is in the record: its epoch, where it stands with its last verified states, and its audit.
    pub(crate) fn level49(&self) -> Result<Option<(Epoch, l49::Orchestrator, Audit49)>, Level49Error> {
        let Some(record) = decode_part::<Level49Record>(self.level49.as_deref())? else {
            return Ok(None);
        };
        let bundle = l49::Bundle {
            checkpoint: record.checkpoint,
            cycle: record.cycle,
            generate: record.generate,
            evolve: record.evolve,
            survive: record.survive,
            relate: record.relate,
            assess: record.assess,
        };
        if !bundle.is_valid() || !record.orchestrator.is_valid() {
            return Err(Level49Error::Damaged);
        }
        Ok(Some((
            record.epoch,
            record.orchestrator.with_bundle(bundle),
            record.audit,
        )))
    }

    /// L3, if it is in the record.
    pub(crate) fn kernel(&self) -> Result<Option<KernelPart>, CodecError> {
        decode_part(self.kernel.as_deref())
    }

    /// L4.5, if it is in the record.
    pub(crate) fn floor(&self) -> Result<Option<Level45State>, CodecError> {
        decode_part(self.floor.as_deref())
    }

    /// The guard, if it is in the record.
    pub(crate) fn guard(&self) -> Result<Option<GuardState>, CodecError> {
        decode_part(self.guard.as_deref())
    }

    /// Level 4.8, if it is in the record: its epoch, and where it stands with its last verified states, the world model
    /// of this configuration. A self-model that is not in it, does not decode, or is of other groups of sensors is begun
    /// anew; the latter two with a warning.
    pub(crate) fn level48(
        &self,
        config: ObserveConfig,
        groups: &Arc<[u16]>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Epoch, Orchestrator)>, Level48Error> {
        let Some(record) = decode_part::<Level48Record>(self.level48.as_deref())? else {
            return Ok(None);
        };
        let bundle = Bundle {
            checkpoint: record.checkpoint,
            cycle: record.cycle,
            observe: Arc::new(record.observe.restore(config)?),
            introspect: self_model(record.introspect.as_deref(), groups, warnings),
            plan: plan(record.plan.as_deref(), config.seed, warnings),
            verify: record.verify,
            emit: record.emit,
        };
        Ok(Some((record.epoch, record.orchestrator.with_bundle(bundle))))
    }
}

fn self_model(bytes: Option<&[u8]>, groups: &Arc<[u16]>, warnings: &mut Vec<String>) -> Arc<IntrospectState> {
    let restored = match decode_part::<IntrospectSummary>(bytes) {
        Ok(Some(summary)) => summary.restore(groups).map(Some).map_err(|refused| refused.to_string()),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let kept = restored.unwrap_or_else(|reason| {
        warnings.push(format!("the self-model in the snapshot is begun anew: {reason}"));
        None
    });
    kept.map_or_else(|| Introspect::new(Arc::clone(groups)).state(), Arc::new)
}

fn plan(bytes: Option<&[u8]>, seed: u64, warnings: &mut Vec<String>) -> Arc<PlanState> {
    let restored = match decode_part::<PlanSummary>(bytes) {
        Ok(Some(summary)) => summary.restore().map(Some).map_err(|refused| refused.to_string()),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let kept = restored.unwrap_or_else(|reason| {
        warnings.push(format!("the plan in the snapshot is begun anew: {reason}"));
        None
    });
    kept.map_or_else(|| Plan::new(seed).state(), Arc::new)
}

fn decode_part<T: serde::de::DeserializeOwned>(bytes: Option<&[u8]>) -> Result<Option<T>, CodecError> {
    bytes.map(codec::decode).transpose()
}

#[cfg(test)]
mod tests;
