//! The node's own actors, below the supervisor `system`, in the order in which they start.

use crate::assembly::Parts;
use crate::control::Control;
use crate::goals::{Goals, GoalsActor};
use anyhow::Context as _;
use rungs_agent::goals::ACCEPTOR_ROLE;
use rungs_directory::actor::DirectoryActor;
use rungs_directory::inbox::GoalInbox;
use rungs_directory::member::{self, MemberParts};
use rungs_directory::routing::Routes;
use rungs_directory::{activation, copies};
use rungs_host::supervisor::{ChildSpec, Policy, Restart, StartContext, Started, SupervisorHandle, SupervisorSpec};
use rungs_host::{Handle, Mailbox, Timers};
use rungs_shell::protocol::ADMIN_ROLE;
use rungs_shell::session::admin_of;
use rungs_shell::{Admin, NodeControl, admin};
use rungs_types::RolePath;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long one of them may take to start.
const START_DEADLINE: Duration = Duration::from_secs(3);

/// Starts all of them.
/// A supervisor of the node.
pub(crate) async fn supervisor(timers: &Timers, policy: Policy, seed: u64) -> crate::Result<SupervisorHandle> {
    let spec = SupervisorSpec {
        policy,
        seed,
        timers: timers.clone(),
        children: Vec::new(),
        observer: None,
    };
    Ok(SupervisorHandle::spawn(spec, None).await?)
}

pub(crate) async fn start(
    parts: &Arc<Parts>,
    routes: &Arc<Routes>,
    membership: &Arc<MemberParts>,
) -> crate::Result<()> {
    let directory = parts.directory.clone();
    let directory = ChildSpec::new(
        RolePath::new("directory")?,
        Restart::Permanent,
        move |context: StartContext| {
            let directory = directory.clone();
            async move {
                Ok(Started::from(
                    &DirectoryActor::start(directory, context.supervisor).await?,
                ))
            }
        },
    );
    parts.system.add(directory, START_DEADLINE).await?;
    start_copies(parts).await?;
    start_activator(parts, routes).await?;
    start_goals(parts).await?;
    start_membership(parts, membership).await?;
    let weak = Arc::downgrade(parts);
    let control = Control::new(Weak::clone(&weak));
    let admin = ChildSpec::new(
        RolePath::new(ADMIN_ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (control, weak) = (Arc::clone(&control) as Arc<dyn NodeControl>, Weak::clone(&weak));
            async move {
                let (actor, _) = ractor::Actor::spawn_linked(None, Admin, control, context.supervisor).await?;
                let handle = Handle::new(actor, Mailbox::default());
                let parts = weak.upgrade().context("the node is stopping")?;
                parts
                    .endpoints
                    .register(admin_of(parts.directory.node()), admin::endpoint(handle.clone()));
                Ok(Started::from(&handle))
            }
        },
    );
    parts.system.add(admin, START_DEADLINE).await?;
    Ok(())
}

/// What other nodes ask for copies of snapshots, and what has this node's own copied.
async fn start_copies(parts: &Arc<Parts>) -> crate::Result<()> {
    let copies = parts.copies.clone();
    let child = ChildSpec::new(
        RolePath::new(copies::ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let copies = copies.clone();
            async move { Ok(copies.start(context.supervisor).await?) }
        },
    );
    parts.system.add(child, START_DEADLINE).await?;
    Ok(())
}

/// Who accepts goals for all agents, and offers those that wait to the agents of this node.
async fn start_goals(parts: &Arc<Parts>) -> crate::Result<()> {
    let goals = Goals {
        directory: parts.directory.clone(),
        records: parts.records.clone(),
        inbox: GoalInbox::new(Arc::clone(&parts.store.store) as _),
    };
    let timers = parts.timers.clone();
    let goals = ChildSpec::new(
        RolePath::new(ACCEPTOR_ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (goals, timers) = (goals.clone(), timers.clone());
            async move {
                Ok(Started::from(
                    &GoalsActor::start(goals, &timers, context.supervisor).await?,
                ))
            }
        },
    );
    parts.system.add(goals, START_DEADLINE).await?;
    Ok(())
}

/// The activator, with the shards that are this node's: none at first, and after a restart of the actor those it had.
async fn start_activator(parts: &Arc<Parts>, routes: &Arc<Routes>) -> crate::Result<()> {
    let (routes, activation) = (Arc::clone(routes), parts.activation.clone());
    let activator = ChildSpec::new(
        RolePath::new(activation::ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (routes, activation) = (Arc::clone(&routes), activation.clone());
            async move { Ok(activation.start(routes.owned(), context.supervisor).await?) }
        },
    );
    parts.system.add(activator, START_DEADLINE).await?;
    Ok(())
}

async fn start_membership(parts: &Arc<Parts>, membership: &Arc<MemberParts>) -> crate::Result<()> {
    let (member, membership) = (parts.member.clone(), Arc::clone(membership));
    let membership = ChildSpec::new(
        RolePath::new(member::ROLE)?,
        Restart::Permanent,
        move |context: StartContext| {
            let (member, membership) = (member.clone(), Arc::clone(&membership));
            async move { Ok(member.start(&membership, context.supervisor).await?) }
        },
    );
    parts.system.add(membership, START_DEADLINE).await?;
    Ok(())
}
