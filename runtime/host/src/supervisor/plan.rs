//! The decisions of a supervisor, pure: exits and time in, decisions and steps out. Time is a [`Duration`] since
//! whatever moment the caller counts from, and jitter comes from a seed, so the same run decides the same.
//!
//! A decision ([`Plan::on_exit`], `&self`) answers an exit; [`Plan::apply`] takes it over. What is then to be done is
//! read off the table by [`Plan::steps`], which may be asked at any time: a late or doubled wake-up changes nothing.
//!
//! Invariants: a child is started only while no child that must stop before it is still alive; under rest-for-one a
//! child runs only on top of children that run; a child that stops is never waited for beyond its deadline and
//! [`KILL_GRACE`].

mod terms;

pub use terms::{ChildState, Decision, Exit, PlanError, Request, Step, Then};

use super::policy::{Exhausted, MAX_RESTARTS, Policy, Restart, StopOrder, Strategy};
use rungs_types::RolePath;
use std::collections::VecDeque;
use std::time::Duration;

/// Most children of one supervisor, so that no list of links grows without bound.
pub const MAX_CHILDREN: usize = 1024;
/// How long a killed child may take to end before it counts as one that cannot be killed.
pub const KILL_GRACE: Duration = Duration::from_secs(1);

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Child {
    /// Who it is.
    pub role: RolePath,
    /// Which exits are followed by a restart.
    pub restart: Restart,
    /// How long it may drain.
    pub stop_within: Duration,
    /// Starts so far; 1 is the first.
    pub generation: u32,
    /// Restarts after exits, ever.
    pub restarts: u64,
    /// What it is doing.
    pub state: ChildState,
    // Times of the restarts within the window, at most MAX_RESTARTS.
    recent: VecDeque<Duration>,
}

/// The table of children in order of start.
#[derive(Debug, Clone)]
pub struct Plan {
    policy: Policy,
    seed: u64,
    children: Vec<Child>,
    closing: bool,
}

impl Plan {
    /// An empty table; `seed` spreads the pauses of equal supervisors.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            seed,
            children: Vec::new(),
            closing: false,
        }
    }

    /// The children in order of start.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A child by role.
    pub fn child(&self, role: &RolePath) -> Option<&Child> {
        self.children.iter().find(|child| child.role == *role)
    }

    /// Adds an idle child behind all others.
    pub fn add(&mut self, role: RolePath, restart: Restart, stop_within: Duration) -> Result<(), PlanError> {
        if self.closing {
            return Err(PlanError::Closing);
        }
        if self.child(&role).is_some() {
            return Err(PlanError::Duplicate { role });
        }
        if self.children.len() >= MAX_CHILDREN {
            return Err(PlanError::Full);
        }
        self.children.push(Child {
            role,
            restart,
            stop_within,
            generation: 0,
            restarts: 0,
            state: ChildState::Idle,
            recent: VecDeque::new(),
        });
        Ok(())
    }

    /// Takes a request over; asking for what is already so changes nothing.
    pub fn request(&mut self, role: &RolePath, request: Request, now: Duration) -> Result<(), PlanError> {
        if self.closing && request == Request::Start {
            return Err(PlanError::Closing);
        }
        let index = self
            .index(role)
            .ok_or_else(|| PlanError::Unknown { role: role.clone() })?;
        let child = &mut self.children[index];
        let then = match request {
            Request::Start => Then::Wait { due: now },
            Request::Stop => Then::Idle,
            Request::Remove => Then::Forget,
        };
        match (child.state, request) {
            (ChildState::Running | ChildState::Waiting { .. }, Request::Start) => {}
            (ChildState::Running, Request::Stop | Request::Remove) => child.state = stopping(then),
            (ChildState::Stopping { told_at, killed_at, .. }, _) => {
                child.state = ChildState::Stopping {
                    told_at,
                    killed_at,
                    then,
                };
            }
            (ChildState::Idle | ChildState::Waiting { .. } | ChildState::Parked, _) => {
                child.recent.clear();
                self.settle(index, then);
            }
        }
        Ok(())
    }

    /// From now on nothing starts; every child is to stop and to be forgotten.
    pub fn close(&mut self) {
        self.closing = true;
        for child in &mut self.children {
            child.state = match child.state {
                ChildState::Running => stopping(Then::Forget),
                ChildState::Stopping { told_at, killed_at, .. } => ChildState::Stopping {
                    told_at,
                    killed_at,
                    then: Then::Forget,
                },
                ChildState::Idle | ChildState::Waiting { .. } | ChildState::Parked => ChildState::Idle,
            };
        }
    }

    /// What the exit of a child means.
    pub fn on_exit(&self, role: &RolePath, generation: u32, exit: &Exit, now: Duration) -> Decision {
        let Some(index) = self.index(role) else {
            return Decision::Stale;
        };
        let child = &self.children[index];
        if child.generation != generation {
            return Decision::Stale;
        }
        let role = child.role.clone();
        match child.state {
            ChildState::Idle | ChildState::Waiting { .. } | ChildState::Parked => return Decision::Stale,
            ChildState::Stopping { then, .. } => return Decision::AsTold { role, then },
            ChildState::Running => {}
        }
        let restarts = match child.restart {
            Restart::Permanent => true,
            Restart::Transient => *exit != Exit::Clean,
            Restart::Temporary => false,
        };
        if !restarts {
            return Decision::Forget { role };
        }
        let stop = self.dependants(index);
        let counted = match self.policy.exhausted {
            Exhausted::Escalate => self.children.iter().map(|child| self.recent(child, now)).sum(),
            Exhausted::Park => self.recent(child, now),
        };
        match self.policy.exhausted {
            _ if counted < self.policy.max_restarts.min(MAX_RESTARTS) => Decision::Restart {
                after: self.policy.backoff(self.recent(child, now), self.jitter(child)),
                role,
                stop,
            },
            Exhausted::Escalate => Decision::Escalate {
                role,
                restarts: counted,
            },
            Exhausted::Park => Decision::Park { role, stop },
        }
    }

    /// Takes a decision over.
    pub fn apply(&mut self, decision: &Decision, now: Duration) {
        match decision {
            Decision::Stale | Decision::Escalate { .. } => {}
            Decision::AsTold { role, then } => {
                if let Some(index) = self.index(role) {
                    self.settle(index, *then);
                }
            }
            Decision::Forget { role } => self.children.retain(|child| child.role != *role),
            Decision::Restart { role, stop, after } => {
                let due = now.saturating_add(*after);
                let window = self.policy.window();
                if let Some(child) = self.child_mut(role) {
                    child.state = ChildState::Waiting { due };
                    child.restarts += 1;
                    child.recent.push_back(now);
                    while child.recent.len() > MAX_RESTARTS as usize || is_old(child.recent.front(), now, window) {
                        child.recent.pop_front();
                    }
                }
                self.stop_all(stop, Then::Wait { due });
            }
            Decision::Park { role, stop } => {
                if let Some(child) = self.child_mut(role) {
                    child.state = ChildState::Parked;
                }
                self.stop_all(stop, Then::Wait { due: now });
            }
        }
    }

    /// What is to be done now; each step is reported back by [`Plan::done`] before the next question.
    pub fn steps(&self, now: Duration) -> Vec<Step> {
        let indices = 0..self.children.len();
        let stops = indices.clone().rev().filter_map(|index| self.stop_step(index, now));
        let starts = indices.filter_map(|index| self.start_step(index, now));
        stops.chain(starts).collect()
    }

    /// The step has been carried out.
    pub fn done(&mut self, step: &Step, now: Duration) {
        let (Step::Drain(role) | Step::Kill(role) | Step::Abandon(role) | Step::Start(role, _)) = step;
        let Some(index) = self.index(role) else {
            return;
        };
        let child = &mut self.children[index];
        match (step, &mut child.state) {
            (Step::Drain(_), ChildState::Stopping { told_at, .. }) => *told_at = Some(now),
            (Step::Kill(_), ChildState::Stopping { killed_at, .. }) => *killed_at = Some(now),
            (Step::Abandon(_), ChildState::Stopping { then, .. }) => {
                let then = *then;
                self.settle(index, then);
            }
            (Step::Start(_, generation), ChildState::Waiting { .. }) => {
                child.generation = *generation;
                child.state = ChildState::Running;
            }
            _ => {}
        }
    }

    /// When [`Plan::steps`] will have something new without any event, if ever.
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        let times = self.children.iter().filter_map(|child| match child.state {
            ChildState::Waiting { due } => (due > now && !self.closing).then_some(due),
            ChildState::Stopping {
                killed_at: Some(at), ..
            } => Some(at.saturating_add(KILL_GRACE)),
            ChildState::Stopping { told_at: Some(at), .. } => Some(at.saturating_add(child.stop_within)),
            _ => None,
        });
        times.min()
    }

    fn stop_step(&self, index: usize, now: Duration) -> Option<Step> {
        let child = &self.children[index];
        let ChildState::Stopping { told_at, killed_at, .. } = child.state else {
            return None;
        };
        let role = child.role.clone();
        match (told_at, killed_at) {
            (None, _) => {
                let waits = self.policy.stop_order == StopOrder::Reverse && self.stops_after(index);
                (!waits).then_some(Step::Drain(role))
            }
            (Some(told), None) => (now >= told.saturating_add(child.stop_within)).then_some(Step::Kill(role)),
            (Some(_), Some(killed)) => (now >= killed.saturating_add(KILL_GRACE)).then_some(Step::Abandon(role)),
        }
    }

    fn start_step(&self, index: usize, now: Duration) -> Option<Step> {
        let child = &self.children[index];
        let ChildState::Waiting { due } = child.state else {
            return None;
        };
        let stands = match self.policy.strategy {
            Strategy::OneForOne => true,
            Strategy::RestForOne => {
                let below = &self.children[..index];
                let firm = |child: &Child| matches!(child.state, ChildState::Running | ChildState::Idle);
                below.iter().all(firm) && !self.stops_after(index)
            }
        };
        let start = stands && due <= now && !self.closing;
        start.then(|| Step::Start(child.role.clone(), child.generation.saturating_add(1)))
    }

    /// A child that started later is still on its way out.
    fn stops_after(&self, index: usize) -> bool {
        let stops = |child: &Child| matches!(child.state, ChildState::Stopping { .. });
        self.children[index + 1..].iter().any(stops)
    }

    /// Running children that depend on this one, last started first.
    fn dependants(&self, index: usize) -> Vec<RolePath> {
        match self.policy.strategy {
            Strategy::OneForOne => Vec::new(),
            Strategy::RestForOne => {
                let later = self.children[index + 1..].iter().rev();
                let running = later.filter(|child| child.state == ChildState::Running);
                running.map(|child| child.role.clone()).collect()
            }
        }
    }

    fn stop_all(&mut self, roles: &[RolePath], then: Then) {
        for role in roles {
            if let Some(child) = self.child_mut(role) {
                let temporary = child.restart == Restart::Temporary;
                child.state = stopping(if temporary { Then::Forget } else { then });
            }
        }
    }

    fn settle(&mut self, index: usize, then: Then) {
        match then {
            Then::Idle => self.children[index].state = ChildState::Idle,
            Then::Wait { due } => self.children[index].state = ChildState::Waiting { due },
            Then::Forget => drop(self.children.remove(index)),
        }
    }

    fn recent(&self, child: &Child, now: Duration) -> u32 {
        let young = |at: &&Duration| !is_old(Some(at), now, self.policy.window());
        child.recent.iter().filter(young).count() as u32
    }

    /// A number that differs between children and between the restarts of one.
    fn jitter(&self, child: &Child) -> u64 {
        let role = child.role.as_str().bytes();
        let role = role.fold(0_u64, |hash, byte| mix(hash ^ u64::from(byte)));
        mix(self.seed ^ role.wrapping_add(u64::from(child.generation)))
    }

    fn index(&self, role: &RolePath) -> Option<usize> {
        self.children.iter().position(|child| child.role == *role)
    }

    fn child_mut(&mut self, role: &RolePath) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.role == *role)
    }
}

fn stopping(then: Then) -> ChildState {
    ChildState::Stopping {
        told_at: None,
        killed_at: None,
        then,
    }
}

fn is_old(at: Option<&Duration>, now: Duration, window: Duration) -> bool {
    at.is_some_and(|at| now.saturating_sub(*at) >= window)
}

/// One step of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
