//! The ethical kernel: an immutable list of predicates over the typed action.
//!
//! Invariants:
//! 1. An action that breaks a predicate is refused at every level; no authority, advice or mood is looked at.
//! 2. What cannot be checked (output too long to search, a cost that is not stated) is refused.
//! 3. The list's hash is a constant of the build ([`BUILD_HASH`]). [`EthicalKernel::is_intact`] is asked every 10 cycles;
//!    where it fails, the agent is parked and an incident is raised (the host's doing), and the node goes on.

use crate::l3;
use rungs_types::{Level, TenantName};
use sha2::{Digest, Sha256};

/// Longest output that is searched for secrets, in bytes; a longer one is refused.
pub const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// Shortest secret that is searched for, in bytes; a shorter one would be found everywhere.
pub const MIN_SECRET_BYTES: usize = 8;
/// What a private key carries, whoever's it is.
const PRIVATE_KEY_MARK: &str = "PRIVATE KEY-----";
/// How the tokens of well-known services begin, and how many letters, digits, dashes and underscores follow at least.
const TOKEN_MARKS: [&str; 5] = ["AKIA", "ghp_", "github_pat_", "xoxb-", "sk-ant-"];
const MIN_TOKEN_BYTES: usize = 16;

/// SHA-256 of the statements of [`Predicate::ALL`], in order.
pub const BUILD_HASH: [u8; 32] = [
    0xfa, 0x62, 0xfc, 0xf4, 0x09, 0x3e, 0xc3, 0x7c, 0x21, 0xa2, 0x7c, 0x62, 0x69, 0xfa, 0x2f, 0xe3, 0x80, 0x00, 0x0f,
    0x10, 0xb1, 0x02, 0x37, 0x7b, 0xc0, 0xd1, 0xe9, 0x27, 0x0e, 0x50, 0xb4, 0x55,
];

/// What an action may never be. The discriminants and statements are part of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Predicate {
    /// It needs a scope that was not granted.
    OutsideScopes,
    /// It cannot be undone, and nobody has permitted it.
    IrreversibleWithoutPermit,
    /// It is directed against the guard, the audit or this kernel.
    AgainstGuard,
    /// It costs more than was reserved for it.
    BeyondReservation,
    /// It reaches into another tenant.
    AnotherTenant,
    /// It deletes a goal that a user has set.
    UserGoalDeleted,
    /// It creates an agent or delegates authority, by L4.9 or below.
    AuthorityCreated,
    /// It adds a dimension to the values.
    ValueAdded,
    /// It lets a secret out.
    SecretInOutput,
}

impl Predicate {
    /// All of them.
    pub const ALL: [Predicate; 9] = [
        Predicate::OutsideScopes,
        Predicate::IrreversibleWithoutPermit,
        Predicate::AgainstGuard,
        Predicate::BeyondReservation,
        Predicate::AnotherTenant,
        Predicate::UserGoalDeleted,
        Predicate::AuthorityCreated,
        Predicate::ValueAdded,
        Predicate::SecretInOutput,
    ];

    /// What it forbids, in words.
    pub fn statement(self) -> &'static str {
        match self {
            Predicate::OutsideScopes => "not outside granted scopes",
            Predicate::IrreversibleWithoutPermit => "no irreversible effect without a permit",
            Predicate::AgainstGuard => "not against guard, audit or kernel",
            Predicate::BeyondReservation => "not beyond the reservation",
            Predicate::AnotherTenant => "not another tenant",
            Predicate::UserGoalDeleted => "no user goal deleted",
            Predicate::AuthorityCreated => "no agent created and no authority delegated by L4.9 or below",
            Predicate::ValueAdded => "no value dimension added",
            Predicate::SecretInOutput => "no secret in output",
        }
    }

    /// Whether the deed breaks it.
    fn is_broken_by(self, deed: &Deed<'_>) -> bool {
        let has = |wanted: fn(&Effect) -> bool| deed.effects.iter().any(wanted);
        match self {
            Predicate::OutsideScopes => deed
                .scopes_needed
                .iter()
                .any(|scope| !deed.scopes_granted.contains(scope)),
            Predicate::IrreversibleWithoutPermit => has(|e| matches!(e, Effect::Irreversible { permitted: false })),
            Predicate::AgainstGuard => has(|e| {
                matches!(
                    e,
                    Effect::Alters(Protected::Guard | Protected::Audit | Protected::Kernel)
                )
            }),
            Predicate::BeyondReservation => !deed.cost.is_within(&deed.reserved),
            Predicate::AnotherTenant => deed.tenant != deed.target_tenant,
            Predicate::UserGoalDeleted => has(|e| matches!(e, Effect::DeletesGoal { of_user: true })),
            Predicate::AuthorityCreated => {
                deed.level <= Level::L49 && has(|e| matches!(e, Effect::CreatesAgent | Effect::DelegatesAuthority))
            }
            Predicate::ValueAdded => has(|e| matches!(e, Effect::AddsValueDimension)),
            Predicate::SecretInOutput => deed.outputs.iter().any(|output| reveals(output, deed.secrets)),
        }
    }
}

/// A part of the agent that no action may be directed against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// The existential guard.
    Guard,
    /// The audit trail.
    Audit,
    /// The ethical kernel.
    Kernel,
}

/// What an action would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Something that can be taken back.
    Reversible,
    /// Something that cannot.
    Irreversible {
        /// A permit for it is held.
        permitted: bool,
    },
    /// Alters, disables or bypasses a protected part.
    Alters(Protected),
    /// Deletes a goal.
    DeletesGoal {
        /// A user has set it.
        of_user: bool,
    },
    /// Creates an agent.
    CreatesAgent,
    /// Gives authority to another.
    DelegatesAuthority,
    /// Adds a dimension to the values.
    AddsValueDimension,
}

/// What something costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Money, in millionths of a US dollar.
    pub micro_usd: u64,
    /// Tokens of language models.
    pub tokens: u64,
    /// Time of a processor, in microseconds.
    pub cpu_us: u64,
}

impl Cost {
    /// No part of it is more than that of the other.
    pub fn is_within(&self, reserved: &Cost) -> bool {
        self.micro_usd <= reserved.micro_usd && self.tokens <= reserved.tokens && self.cpu_us <= reserved.cpu_us
    }
}

/// The typed action: everything that a predicate looks at, and nothing that would excuse it.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Who proposes it.
    pub level: Level,
    /// Whose agent it is.
    pub tenant: &'a TenantName,
    /// Whose things it reaches.
    pub target_tenant: &'a TenantName,
    /// Scopes that it needs.
    pub scopes_needed: &'a [&'a str],
    /// Scopes that were granted.
    pub scopes_granted: &'a [&'a str],
    /// What it would do.
    pub effects: &'a [Effect],
    /// What it costs at most.
    pub cost: Cost,
    /// What was reserved for it.
    pub reserved: Cost,
    /// What it would say to the outside.
    pub outputs: &'a [&'a str],
    /// The secrets that the agent can resolve, by value.
    pub secrets: &'a [&'a str],
}

/// The kernel. The same in every agent of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EthicalKernel {
    predicates: Vec<Predicate>,
}

impl Default for EthicalKernel {
    fn default() -> Self {
        Self {
            predicates: Predicate::ALL.to_vec(),
        }
    }
}

impl EthicalKernel {
    /// A kernel with a list of another origin: what [`EthicalKernel::is_intact`] exists to find.
    pub fn with_predicates(predicates: Vec<Predicate>) -> Self {
        Self { predicates }
    }

    /// SHA-256 of the list as it is now.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for predicate in &self.predicates {
            hasher.update(predicate.statement().as_bytes());
            hasher.update(b"\n");
        }
        hasher.finalize().into()
    }

    /// The list is that of the build.
    pub fn is_intact(&self) -> bool {
        self.hash() == BUILD_HASH
    }

    /// The first predicate that the deed breaks, if it breaks one.
    pub fn check(&self, deed: &Deed<'_>) -> Result<(), Predicate> {
        match self.predicates.iter().find(|predicate| predicate.is_broken_by(deed)) {
            Some(predicate) => Err(*predicate),
            None => Ok(()),
        }
    }
}

/// The scope that an action of the kernel needs; `None` for one that stays inside the agent.
pub fn scope_of(action: &l3::Action) -> Option<&'static str> {
    match action {
        l3::Action::Hold | l3::Action::SwitchForecaster { .. } => None,
        l3::Action::SampleFaster { .. } | l3::Action::SampleSlower { .. } => Some("environment.sample"),
        l3::Action::RaiseIncident { .. } | l3::Action::ClearIncident => Some("incident.write"),
        l3::Action::AskPeer { .. } => Some("peer.ask"),
        l3::Action::ChangePeriod { .. } => Some("agent.period"),
    }
}

/// The scopes that the kernel's own actions can need.
pub const KERNEL_SCOPES: [&str; 4] = ["environment.sample", "incident.write", "peer.ask", "agent.period"];

/// The gate of a kernel: the ethical kernel, and what the agent was granted.
#[derive(Debug, Clone, Copy)]
pub struct EthicalGate<'a> {
    /// The predicates.
    pub kernel: &'a EthicalKernel,
    /// Whose agent it is.
    pub tenant: &'a TenantName,
    /// Scopes that were granted.
    pub scopes_granted: &'a [&'a str],
    /// What an action of the kernel costs at most, and what is reserved for it.
    pub cost: Cost,
    /// What is reserved for it.
    pub reserved: Cost,
}

impl l3::Gate for EthicalGate<'_> {
    fn permit(&mut self, action: &l3::Action) -> Result<(), l3::Refusal> {
        let scope = scope_of(action);
        let deed = Deed {
            level: Level::L3,
            tenant: self.tenant,
            target_tenant: self.tenant,
            scopes_needed: scope.as_slice(),
            scopes_granted: self.scopes_granted,
            effects: &[Effect::Reversible],
            cost: self.cost,
            reserved: self.reserved,
            outputs: &[],
            secrets: &[],
        };
        self.kernel.check(&deed).map_err(|_| l3::Refusal::Ethics)
    }
}

/// Whether the output contains one of the secrets or what looks like one, or is too long to tell.
fn reveals(output: &str, secrets: &[&str]) -> bool {
    output.len() > MAX_OUTPUT_BYTES
        || secrets
            .iter()
            .any(|secret| secret.len() >= MIN_SECRET_BYTES && output.contains(secret))
        || output.contains(PRIVATE_KEY_MARK)
        || TOKEN_MARKS.iter().any(|mark| {
            output
                .match_indices(mark)
                .any(|(at, _)| is_token(&output[at + mark.len()..]))
        })
}

/// Whether what follows a mark is long enough for a token.
fn is_token(rest: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    rest.chars().take(MIN_TOKEN_BYTES).filter(|c| part(*c)).count() == MIN_TOKEN_BYTES
}

#[cfg(test)]
mod tests;
