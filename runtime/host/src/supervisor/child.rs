//! A child before it runs ([`ChildSpec`]) and once it has started ([`Started`]).

use super::policy::Restart;
use super::tree::{Note, TreeView};
use crate::delivered::Handle;
use crate::mailbox::Mailbox;
use futures::future::BoxFuture;
use ractor::ActorCell;
use rungs_types::RolePath;
use std::sync::Arc;
use std::time::Duration;

/// How long a child may drain, unless its [`ChildSpec`] says otherwise.
pub const DEFAULT_STOP_WITHIN: Duration = Duration::from_secs(5);
/// How long a child may take to start, unless its [`ChildSpec`] says otherwise.
pub const DEFAULT_START_WITHIN: Duration = Duration::from_secs(10);

/// Why a child did not start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

pub(super) type Start = Arc<dyn Fn(StartContext) -> BoxFuture<'static, Result<Started, StartError>> + Send + Sync>;

/// What a child needs to know to start.
#[derive(Debug, Clone)]
pub struct StartContext {
    /// To be linked to, by `spawn_linked`.
    pub supervisor: ActorCell,
    /// The child's role.
    pub role: RolePath,
    /// Which start this is; 1 is the first.
    pub generation: u32,
}

/// A child that has started.
#[derive(Debug, Clone)]
pub struct Started {
    pub(super) cell: ActorCell,
    pub(super) mailbox: Option<Arc<Mailbox>>,
    pub(super) subtree: Option<TreeView>,
    pub(super) note: Note,
}

impl From<ActorCell> for Started {
    fn from(cell: ActorCell) -> Self {
        Self {
            cell,
            mailbox: None,
            subtree: None,
            note: Note::default(),
        }
    }
}

impl<M: Send + 'static> From<&Handle<M>> for Started {
    fn from(handle: &Handle<M>) -> Self {
        Self {
            mailbox: Some(Arc::clone(handle.mailbox())),
            ..Self::from(handle.cell())
        }
    }
}

impl Started {
    /// Shows the child's own children below it.
    #[must_use]
    pub fn with_subtree(mut self, subtree: TreeView) -> Self {
        self.subtree = Some(subtree);
        self
    }

    /// Shows a text beside the child.
    #[must_use]
    pub fn with_note(mut self, note: Note) -> Self {
        self.note = note;
        self
    }
}

/// A child to be: its role, its policy and how to start it.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) role: RolePath,
    pub(super) restart: Restart,
    pub(super) stop_within: Duration,
    pub(super) start_within: Duration,
    pub(super) start: Start,
    pub(super) started_before: u32,
}

impl std::fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChildSpec({}, {:?})", self.role, self.restart)
    }
}

impl ChildSpec {
    /// `start` spawns the actor linked to the supervisor of its context. It runs in the supervisor's handler: it must not
    /// ask the supervisor anything.
    pub fn new<F>(role: RolePath, restart: Restart, start: impl Fn(StartContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Started, StartError>> + Send + 'static,
    {
        Self {
            role,
            restart,
            stop_within: DEFAULT_STOP_WITHIN,
            start_within: DEFAULT_START_WITHIN,
            start: Arc::new(move |context| Box::pin(start(context))),
            started_before: 0,
        }
    }

    /// Shows these starts, too: those of children of this role that were removed.
    #[must_use]
    pub fn started_before(mut self, starts: u32) -> Self {
        self.started_before = starts;
        self
    }

    /// How long it may drain before it is killed. A child that supervises needs more than its own children.
    #[must_use]
    pub fn stop_within(mut self, deadline: Duration) -> Self {
        self.stop_within = deadline;
        self
    }

    /// How long its start may take before it counts as failed.
    #[must_use]
    pub fn start_within(mut self, deadline: Duration) -> Self {
        self.start_within = deadline;
        self
    }

    /// Its role.
    pub fn role(&self) -> &RolePath {
        &self.role
    }
}
