//! What a node's operator sees and does: [`NodeControl`] over the node's parts.

use crate::assembly::Parts;
use crate::guests::absence;
use rungs_agent::AgentHandle;
use rungs_agent::messages::AgentState;
use rungs_host::faults::Fault;
use rungs_host::supervisor::NodeState;
use rungs_host::{KindDescription, LatencyReading, Refusal, Router as _, TreeNode};
use rungs_mesh::LinkMetrics;
use rungs_shell::NodeControl;
use rungs_shell::event_line::highest;
use rungs_shell::protocol::{AgentRow, FaultRow, FaultSpec, LinkRow, NodeReport, PeerReport, SetLog};
use rungs_types::{Address, AgentId, ErrorCode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// See the module. Holds the parts weakly: the admin actor must not keep a stopped node alive.
pub(crate) struct Control {
    parts: Weak<Parts>,
    rates: Mutex<Rates>,
    decisions: Mutex<Option<Decisions>>,
}

/// How late decisions were in the last window, which is closed by who asks after [`DECISION_WINDOW`].
struct Decisions {
    since: Instant,
    /// What was counted before the window.
    before: LatencyReading,
    /// Of the window before this one; absent while there is none.
    p99: Option<Duration>,
}

/// Cycles per second of each agent, measured anew when the last measurement is [`RATE_WINDOW`] old.
#[derive(Default)]
struct Rates {
    seen: BTreeMap<AgentId, Measured>,
}

#[derive(Clone, Copy)]
struct Measured {
    at: Instant,
    cycles: u64,
    per_s: f64,
}

/// A rate is measured over at least so long.
const RATE_WINDOW: Duration = Duration::from_millis(500);

/// Decisions are judged over at least so long.
const DECISION_WINDOW: Duration = Duration::from_secs(10);

impl Rates {
    fn of(&mut self, agent: &AgentId, cycles: u64, now: Instant) -> f64 {
        let last = self.seen.entry(agent.clone()).or_insert(Measured {
            at: now,
            cycles,
            per_s: 0.0,
        });
        let span = now.saturating_duration_since(last.at);
        if span >= RATE_WINDOW {
            let per_s = cycles.saturating_sub(last.cycles) as f64 / span.as_secs_f64();
            *last = Measured { at: now, cycles, per_s };
        }
        last.per_s
    }

    /// Agents that are gone are forgotten.
    fn keep(&mut self, agents: &[AgentRow]) {
        if self.seen.len() > agents.len() {
            self.seen
                .retain(|agent, _| agents.iter().any(|row| row.agent == *agent));
        }
    }
}

fn stopping() -> Refusal {
    Refusal::new(ErrorCode::NodeDown, "the node is stopping")
}

impl Control {
    pub(crate) fn new(parts: Weak<Parts>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            rates: Mutex::default(),
            decisions: Mutex::default(),
        })
    }

    fn decision_p99(&self, parts: &Parts) -> Option<Duration> {
        let (now, reading) = (parts.clock.now(), parts.decisions.read());
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let window = decisions.get_or_insert_with(|| Decisions {
            since: now,
            before: LatencyReading::default(),
            p99: None,
        });
        let in_window = reading.since(&window.before).quantile(0.99);
        if now.saturating_duration_since(window.since) >= DECISION_WINDOW {
            *window = Decisions {
                since: now,
                before: reading,
                p99: in_window,
            };
        }
        window.p99.or(in_window)
    }

    fn parts(&self) -> Result<Arc<Parts>, Refusal> {
        self.parts.upgrade().ok_or_else(stopping)
    }

    fn row(&self, parts: &Parts, agent: &AgentHandle) -> AgentRow {
        let status = agent.status();
        let entry = agent.entry();
        let (level, authority) = highest(&status.authority);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let cycles_per_s = rates.of(agent.id(), agent.cycle(), parts.clock.now());
        AgentRow {
            agent: agent.id().clone(),
            node: parts.directory.node().clone(),
            state: state_name(entry.state).to_owned(),
            environment: agent.spec().environment.clone(),
            level: level.to_string(),
            authority: authority.to_string(),
            cycles: agent.cycle(),
            cycles_per_s,
            eu: status.eu,
            res: status.res,
            forecast_ratio: status.forecast_ratio,
            freezes: status.freezes,
            late_cycles: status.late_cycles,
            waiting_for: status.waiting_for,
            autonomy_waits_for: status.autonomy_waits_for,
            ass: status.ass,
            authorities: status.authority,
        }
    }

    fn rows(&self, parts: &Parts) -> Vec<AgentRow> {
        let agents = parts
            .hosts
            .list()
            .into_iter()
            .filter_map(|entry| parts.hosts.get(&entry.agent));
        let rows: Vec<AgentRow> = agents.map(|agent| self.row(parts, &agent)).collect();
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).keep(&rows);
        rows
    }

    fn peers(parts: &Parts) -> Vec<PeerReport> {
        let metrics = parts.mesh.metrics();
        let known = parts.directory.members();
        let members = known.iter().filter(|name| *name != parts.directory.node());
        let peer = |name: &rungs_types::NodeName| {
            let link = metrics.iter().find(|link| link.node.name == *name);
            PeerReport {
                node: name.clone(),
                incarnation: link.map(|link| link.node.incarnation.0),
                up: link.is_some(),
                since_ms: link.map_or(0, |link| link.age.as_millis() as u64),
                round_trip_us: link
                    .and_then(|link| link.round_trip)
                    .map(|time| time.as_micros() as u64),
                bytes: link.map_or([0, 0], |link| [link.traffic.bytes_out, link.traffic.bytes_in]),
            }
        };
        members.map(peer).collect()
    }
}

fn state_name(state: AgentState) -> &'static str {
    match state {
        AgentState::Starting => "starting",
        AgentState::Running => "running",
        AgentState::Waiting => "waiting",
        AgentState::Parked => "parked",
        AgentState::Stopped => "stopped",
    }
}

fn link_row(node: &rungs_types::NodeName, link: &LinkMetrics) -> LinkRow {
    let backlog = &link.backlog;
    LinkRow {
        node: node.clone(),
        peer: link.node.to_string(),
        age_ms: link.age.as_millis() as u64,
        round_trip_us: link.round_trip.map(|time| time.as_micros() as u64),
        bytes: [link.traffic.bytes_out, link.traffic.bytes_in],
        sent: [link.told, link.asked],
        received: [link.delivered, link.refused],
        refused_by_peer: link.refused_by_peer,
        pending_asks: link.pending_asks,
        queued: backlog.queued.map(|load| load.messages),
        unacknowledged: [backlog.unacknowledged.messages, backlog.unacknowledged.bytes],
        resumed: link.resumed,
        repeated_frames: [backlog.resent_frames, link.duplicate_frames],
    }
}

fn branch(role: &str, note: String, children: Vec<TreeNode>) -> TreeNode {
    TreeNode {
        role: role.to_owned(),
        state: NodeState::Running,
        generation: 1,
        restarts: 0,
        actor: None,
        mailbox_depth: None,
        note,
        children,
    }
}

/// The branch with this role, wherever it is.
fn find(nodes: Vec<TreeNode>, role: &str) -> Option<TreeNode> {
    nodes.into_iter().find_map(|node| {
        if node.role == role {
            Some(node)
        } else {
            find(node.children, role)
        }
    })
}

impl NodeControl for Control {
    fn report(&self) -> NodeReport {
        let Ok(parts) = self.parts() else {
            return NodeReport {
                draining: true,
                ..NodeReport::default()
            };
        };
        let rows = self.rows(&parts);
        NodeReport {
            node: parts.mesh.node().to_string(),
            roles: parts.roles.clone(),
            pid: std::process::id(),
            uptime_ms: parts.clock.elapsed().as_millis() as u64,
            agents: rows.iter().filter(|row| row.state != "parked").count() as u32,
            parked: rows.iter().filter(|row| row.state == "parked").count() as u32,
            passive: parts.activation.counts().passive() as u64,
            cycles_per_s: rows
                .iter()
                .map(|row| row.cycles_per_s)
                .fold(0.0, |sum, rate| sum + rate),
            decision_us_p99: self.decision_p99(&parts).map(|p99| p99.as_micros() as u64),
            copy_age_ms: parts.copies.age().map(|age| age.as_millis() as u64),
            resident_bytes: resident_bytes(),
            abandoned_threads: parts.compute.stats().abandoned as u32,
            faults_allowed: parts.faults_allowed,
            draining: parts.stop.is_requested(),
            peers: Self::peers(&parts),
        }
    }

    fn tree(&self, agent: Option<&AgentId>) -> Result<TreeNode, Refusal> {
        let parts = self.parts()?;
        let node = parts.directory.node();
        match agent {
            None => {
                let children = vec![
                    branch("system", String::new(), parts.system.view().snapshot()),
                    branch(
                        "agents",
                        match parts.hosts.list().len() {
                            1 => "1 agent".to_owned(),
                            count => format!("{count} agents"),
                        },
                        parts.hosts.view().snapshot(),
                    ),
                    branch("users", String::new(), parts.users.view().snapshot()),
                ];
                Ok(branch(node.as_str(), parts.mesh.node().to_string(), children))
            }
            Some(agent) => {
                let missing = || Refusal::new(ErrorCode::NotFound, &format!("{node} has no agent {agent}"));
                let known = parts.hosts.get(agent).ok_or_else(missing)?;
                find(parts.hosts.view().snapshot(), &agent.to_string())
                    .ok_or_else(missing)
                    .map(|mut tree| {
                        tree.role = agent.to_string();
                        let status = known.status();
                        tree.note = match status.waiting_for.is_empty() {
                            true => status.autonomy_waits_for,
                            false => status.waiting_for,
                        };
                        tree
                    })
            }
        }
    }

    fn agents(&self) -> Vec<AgentRow> {
        let Ok(parts) = self.parts() else { return Vec::new() };
        self.rows(&parts)
    }

    fn actors(&self) -> Vec<Address> {
        self.parts()
            .map(|parts| parts.endpoints.addresses())
            .unwrap_or_default()
    }

    fn describe(&self, target: &Address) -> Result<Vec<KindDescription>, Refusal> {
        let parts = self.parts()?;
        let missing = || {
            Refusal::new(
                ErrorCode::NotFound,
                &format!("{} has no {target}", parts.directory.node()),
            )
        };
        Ok(parts.endpoints.get(target).ok_or_else(missing)?.describe())
    }

    fn inject(&self, target: &Address, fault: FaultSpec) -> Result<(), Refusal> {
        let parts = self.parts()?;
        if parts.endpoints.get(target).is_none() {
            return Err(absence(&parts.hosts, parts.directory.node(), target));
        }
        let fault = match fault {
            FaultSpec::Panic => Fault::Panic,
            FaultSpec::StallAwait => Fault::StallAwait,
            FaultSpec::StallSpin => Fault::StallSpin,
            FaultSpec::Delay { ms } => Fault::DelayMs(ms),
            FaultSpec::Drop { count } => Fault::Drop(count),
        };
        let refused = |error: rungs_host::faults::FaultError| Refusal::new(ErrorCode::Refused, &error.to_string());
        parts.faults.inject(target.clone(), fault).map_err(refused)
    }

    fn clear_fault(&self, target: &Address) -> Result<bool, Refusal> {
        Ok(self.parts()?.faults.clear(target))
    }

    fn faults(&self) -> Result<Vec<FaultRow>, Refusal> {
        let parts = self.parts()?;
        let row = |(target, fault)| FaultRow {
            node: parts.directory.node().clone(),
            target,
            fault: match fault {
                Fault::Panic => FaultSpec::Panic,
                Fault::StallAwait => FaultSpec::StallAwait,
                Fault::StallSpin => FaultSpec::StallSpin,
                Fault::DelayMs(ms) => FaultSpec::Delay { ms },
                Fault::Drop(count) => FaultSpec::Drop { count },
            },
        };
        Ok(parts.faults.list().into_iter().map(row).collect())
    }

    fn links(&self) -> Result<Vec<LinkRow>, Refusal> {
        let parts = self.parts()?;
        let metrics = parts.mesh.metrics();
        Ok(metrics
            .iter()
            .map(|link| link_row(parts.directory.node(), link))
            .collect())
    }

    fn log(&self, order: &SetLog) -> Result<(), Refusal> {
        let parts = self.parts()?;
        let none = || Refusal::new(ErrorCode::Refused, "this program does not let its log be changed");
        let telemetry = parts.telemetry.as_ref().ok_or_else(none)?;
        let refused =
            |error: rungs_host::telemetry::TelemetryError| Refusal::new(ErrorCode::Refused, &error.to_string());
        telemetry
            .set(&order.level, order.target.as_deref())
            .map(drop)
            .map_err(refused)
    }

    fn shut_down(&self) {
        if let Ok(parts) = self.parts() {
            parts.stop.ask();
        }
    }
}

/// Resident memory of this process, from `/proc`; 0 where there is none. What is mapped from files does not count: the
/// store's log is, and the system takes such pages back when it needs them.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
