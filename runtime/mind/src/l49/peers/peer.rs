//! One modelled agent.

use super::belief::{GoalBelief, GoalKind};
use super::class::StrategyClass;
use super::ledger::{Ledger, Pledge, PledgeKind};
use super::trust::Trust;
use crate::l49::correlation;
use crate::numeric::bits::BitWindow;
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use rungs_types::AgentId;
use serde::{Deserialize, Serialize};

/// Interactions, checks and deliveries that are remembered, each.
pub const MAX_INTERACTIONS: usize = 20;
/// Interactions from which a strategy is told.
pub const MIN_INTERACTIONS: usize = 5;

/// What the two had of one interaction, each in [-1, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The agent's own outcome.
    pub own: f64,
    /// The other's.
    pub other: f64,
}

impl Interaction {
    fn is_sane(&self) -> bool {
        (-1.0..=1.0).contains(&self.own) && (-1.0..=1.0).contains(&self.other)
    }
}

/// What is believed of another agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPeer")]
pub struct Peer {
    id: AgentId,
    last_seen: u64,
    goals: GoalBelief,
    ledger: Ledger,
    /// Whether each checked claim and promise held.
    checks: BitWindow,
    /// Whether each promise was kept.
    deliveries: BitWindow,
    interactions: History<Interaction>,
    trust: Trust,
    /// A check came in since trust was last updated.
    fresh: bool,
}

/// What [`Peer`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawPeer {
    id: AgentId,
    last_seen: u64,
    goals: GoalBelief,
    ledger: Ledger,
    checks: BitWindow,
    deliveries: BitWindow,
    interactions: History<Interaction>,
    trust: Trust,
    fresh: bool,
}

impl TryFrom<RawPeer> for Peer {
    type Error = Refused;

    fn try_from(raw: RawPeer) -> Result<Self, Refused> {
        let RawPeer {
            id,
            last_seen,
            goals,
            ledger,
            checks,
            deliveries,
            interactions,
            trust,
            fresh,
        } = raw;
        let windows = [&checks, &deliveries]
            .iter()
            .all(|bits| usize::from(bits.capacity()) == MAX_INTERACTIONS);
        let sane = interactions.capacity() == MAX_INTERACTIONS && interactions.iter().all(|one| one.is_sane());
        if !windows || !sane || (fresh && checks.is_empty()) {
            return Err(Refused("the model of an agent"));
        }
        Ok(Self {
            id,
            last_seen,
            goals,
            ledger,
            checks,
            deliveries,
            interactions,
            trust,
            fresh,
        })
    }
}

impl Peer {
    /// An agent of which nothing is known but how far it may be trusted at first.
    pub(super) fn new(id: AgentId, trust: Trust, cycle: u64) -> Self {
        Self {
            id,
            last_seen: cycle,
            goals: GoalBelief::default(),
            ledger: Ledger::default(),
            checks: BitWindow::new(MAX_INTERACTIONS as u16),
            deliveries: BitWindow::new(MAX_INTERACTIONS as u16),
            interactions: History::new(MAX_INTERACTIONS),
            trust,
            fresh: false,
        }
    }

    /// Who it is.
    pub fn id(&self) -> &AgentId {
        &self.id
    }

    /// When it was last heard of.
    pub fn last_seen(&self) -> u64 {
        self.last_seen
    }

    /// What it wants.
    pub fn goals(&self) -> &GoalBelief {
        &self.goals
    }

    /// Its open claims and promises.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How far it is trusted.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// It was seen to pursue a goal of this kind.
    pub fn observe_goal(&mut self, kind: GoalKind, cycle: u64) {
        self.seen(cycle);
        self.goals.observe(kind);
    }

    /// It claimed or promised something. A promise that it pushes out by too many others is broken.
    pub fn pledge(&mut self, pledge: Pledge, cycle: u64) {
        self.seen(cycle);
        let pushed_out = self.ledger.take(pledge);
        if pushed_out.is_some_and(|pushed| pushed.kind == PledgeKind::Promise) {
            self.check(PledgeKind::Promise, false);
        }
    }

    /// The agent checked a claim or a promise of it against its own observation. True if that was open.
    pub fn checked(&mut self, kind: PledgeKind, id: u64, held: bool, cycle: u64) -> bool {
        let open = self.ledger.close(kind, id, cycle).is_some();
        if open {
            self.seen(cycle);
            self.check(kind, held);
        }
        open
    }

    /// The two interacted. An outcome outside [-1, 1] is cut; one that is not a number is none.
    pub fn interacted(&mut self, own: f64, other: f64, cycle: u64) {
        self.seen(cycle);
        if !own.is_nan() && !other.is_nan() {
            let [own, other] = [own, other].map(|outcome| outcome.clamp(-1.0, 1.0));
            self.interactions.push(Interaction { own, other });
        }
    }

    /// One pass of the level: promises that are overdue are broken, and trust follows reliability if anything was
    /// checked since the last pass. Silence neither earns nor loses trust.
    pub fn pass(&mut self, cycle: u64) {
        for late in self.ledger.overdue(cycle) {
            if late.kind == PledgeKind::Promise {
                self.check(PledgeKind::Promise, false);
            }
        }
        if std::mem::take(&mut self.fresh) {
            self.trust = self
                .reliability()
                .map_or(self.trust, |reliability| self.trust.after(reliability));
        }
    }

    fn seen(&mut self, cycle: u64) {
        self.last_seen = self.last_seen.max(cycle);
    }

    fn check(&mut self, kind: PledgeKind, held: bool) {
        self.checks.push(held);
        if kind == PledgeKind::Promise {
            self.deliveries.push(held);
        }
        self.fresh = true;
    }

    /// Observed reliability: share of the last 20 checked claims and promises that held; `None` of none.
    pub fn reliability(&self) -> Option<f64> {
        self.checks.share()
    }

    /// Capability estimate: the share of its promises that it kept, (kept + 1) / (promises + 2) over the last 20. 0.5 of
    /// one that promised nothing.
    pub fn capability(&self) -> f64 {
        let tally = self.deliveries.tally();
        f64::from(tally.count + 1) / f64::from(tally.len + 2)
    }

    /// |trust - reliability| (criterion MA-2: below 0.15); `None` before a check.
    pub fn calibration_error(&self) -> Option<f64> {
        Some((self.trust.get() - self.reliability()?).abs())
    }

    /// Interactions remembered.
    pub fn interactions(&self) -> usize {
        self.interactions.len()
    }

    /// Interactions and checks remembered: how much is known of it.
    pub fn evidence(&self) -> usize {
        self.interactions.len() + usize::from(self.checks.len())
    }

    /// Share of the last 20 interactions that were good for the agent; `None` of none.
    pub fn positive_rate(&self) -> Option<f64> {
        let count = self.interactions.len();
        let good = self.interactions.iter().filter(|one| one.own > 0.0).count();
        (count > 0).then(|| good as f64 / count as f64)
    }

    /// Correlation of the two outcomes, in [-1, 1]; 0 where one of them does not vary.
    pub fn alignment(&self) -> f64 {
        let pairs: Vec<_> = self.interactions.iter().map(|one| (one.own, one.other)).collect();
        correlation(&pairs).unwrap_or(0.0)
    }

    /// What it does; unknown below 5 interactions.
    pub fn class(&self) -> StrategyClass {
        let known = self
            .positive_rate()
            .filter(|_| self.interactions.len() >= MIN_INTERACTIONS);
        known.map_or(StrategyClass::Unknown, |rate| StrategyClass::of(rate, self.alignment()))
    }

    /// How sure the agent is of what this one will do, in [0, 1]: the share of 20 interactions that there are, times how
    /// often it was predicted (0.5 before a prediction).
    pub fn confidence(&self) -> f64 {
        let share = self.interactions.len() as f64 / MAX_INTERACTIONS as f64;
        share * self.goals.accuracy().unwrap_or(0.5)
    }
}
