//! What a snapshot keeps of the self-model: sufficient statistics in few bytes, as there may be 10,000 agents.
//!
//! Kept to two bytes or four: confidences, what is usual in the two known domains met last, usual errors. Kept by
//! their distribution, not their order in time: the outcomes of a skill, by halves. Kept of the weakness map: the 8
//! cells used last; of the registry: up to 4 domains that are still unknown, and the count. Not kept: the last values, what
//! was being learnt of an unknown domain, actions on trial, which are not judged, and the record of what can be brought
//! about, of which only the outcomes of goals are kept: it is full again after a thousand cycles.

pub(super) mod half;

use super::attain::{Attainment, Lessons, LessonsSummary};
use super::capability::{Matrix, MatrixSummary};
use super::evidence::trials::Trials;
use super::unknown::{Detector, DetectorSummary};
use super::weakness::{WeaknessMap, WeaknessSummary};
use super::{IntrospectState, group_count};
use crate::l48::scenario;
use crate::numeric::condense::Refused;
use rungs_types::Epoch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// See the module. Whatever it holds, [`IntrospectSummary::restore`] refuses it or gives a state that the phase can be in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntrospectSummary {
    matrix: MatrixSummary,
    weaknesses: WeaknessSummary,
    detector: DetectorSummary,
    lessons: LessonsSummary,
    epoch: Epoch,
}

impl IntrospectState {
    /// What a snapshot keeps of it.
    pub fn summary(&self) -> IntrospectSummary {
        IntrospectSummary {
            matrix: self.matrix.summary(),
            weaknesses: self.weaknesses.summary(),
            detector: self.detector.summary(),
            lessons: self.attainment.lessons().summary(),
            epoch: self.epoch,
        }
    }
}

impl IntrospectSummary {
    /// The state from which the phase goes on; `groups` has the group of each dimension.
    pub fn restore(&self, groups: &Arc<[u16]>) -> Result<IntrospectState, Refused> {
        let count = group_count(groups);
        Ok(IntrospectState {
            matrix: Matrix::from_summary(&self.matrix, count)?,
            weaknesses: WeaknessMap::from_summary(&self.weaknesses)?,
            detector: Detector::from_summary(&self.detector, Arc::clone(groups))?,
            trials: Trials::new(usize::from(count)),
            attainment: Arc::new(Attainment::with_lessons(
                groups.len(),
                Lessons::from_summary(&self.lessons)?,
            )),
            epoch: self.epoch,
            scenario: scenario::Kind::Baseline,
            groups: Arc::clone(groups),
        })
    }
}

#[cfg(test)]
mod tests;
