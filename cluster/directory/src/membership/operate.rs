//! What operators ask for, as proposals to the store. Each is made from a view; on a conflict, read and ask again.

use super::records::{MemberState, Need, Proposal, View, Write};
use crate::placement::candidate::PinConflict;
use crate::placement::{Plan, Shard, planner};
use rungs_types::NodeName;
use std::sync::Arc;

/// Why an operator's wish makes no proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// There is no such member, or it is dead or has left.
    #[error("{0} is no present member")]
    NotPresent(NodeName),
    /// The shard is pinned elsewhere.
    #[error(transparent)]
    Pinned(#[from] PinConflict),
}

/// Has all shards of a member handed over. It stays a member.
pub fn drain(view: &View, node: &NodeName) -> Result<Proposal, OperateError> {
    set(view, node, MemberState::Draining)
}

/// Gives a drained member its share again.
pub fn undrain(view: &View, node: &NodeName) -> Result<Proposal, OperateError> {
    set(view, node, MemberState::Joining)
}

fn set(view: &View, node: &NodeName, state: MemberState) -> Result<Proposal, OperateError> {
    let row = view.members.get(node).filter(|row| row.state.is_present());
    let row = row.ok_or_else(|| OperateError::NotPresent(node.clone()))?;
    let mut after = row.clone();
    after.state = state;
    Ok(Proposal {
        needs: vec![Need::Member(node.clone(), Some(row.clone()))],
        writes: vec![Write::Member(after)],
    })
}

/// Keeps a shard on a node.
pub fn pin(view: &View, shard: Shard, node: &NodeName) -> Result<Proposal, OperateError> {
    let mut pins = view.pins.as_ref().clone();
    pins.pin(shard, node.clone())?;
    Ok(Proposal {
        needs: vec![Need::Pins(Arc::clone(&view.pins))],
        writes: vec![Write::Pins(Arc::new(pins))],
    })
}

/// Lets a shard go where it would.
pub fn unpin(view: &View, shard: Shard) -> Proposal {
    let mut pins = view.pins.as_ref().clone();
    pins.unpin(shard);
    Proposal {
        needs: vec![Need::Pins(Arc::clone(&view.pins))],
        writes: vec![Write::Pins(Arc::new(pins))],
    }
}

/// What would move for balance, and the proposal that begins it; none if nothing would.
pub fn rebalance(view: &View) -> (Plan, Option<Proposal>) {
    let plan = planner::rebalance(&view.map, &view.candidates(&|_| false), &view.pins);
    let steps = plan.steps();
    let proposal = (!steps.is_empty()).then(|| {
        let map = view
            .map
            .apply(&steps)
            .expect("a plan fits the map that it was made for");
        Proposal {
            needs: vec![Need::Map(view.map.version())],
            writes: vec![Write::Map(Arc::new(map))],
        }
    });
    (plan, proposal)
}
