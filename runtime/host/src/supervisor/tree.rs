//! The supervision tree as the shell shows it. Each supervisor publishes its children into a [`TreeView`]; reading it
//! sends no message, so the tree is visible also when the supervisor is stuck.

use crate::mailbox::Mailbox;
use arc_swap::ArcSwap;
use rungs_types::RolePath;
use serde::{Deserialize, Deserializer, Serialize};
use std::cell::Cell;
use std::sync::Arc;

/// Deepest tree that is shown and that decodes.
pub const MAX_TREE_DEPTH: usize = 16;
/// Most nodes of one snapshot; what is left out is counted in the note of its parent.
pub const MAX_TREE_NODES: usize = 4096;

/// What a child is doing, for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Known, not asked to run.
    Idle,
    /// Started.
    Running,
    /// On its way out.
    Stopping,
    /// To be started soon.
    Waiting,
    /// Failed too often; rests until it is started by hand.
    Parked,
}

/// One actor of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TreeNode {
    /// Its role below its parent.
    pub role: String,
    /// What it is doing.
    pub state: NodeState,
    /// Starts so far; 1 is the first.
    pub generation: u32,
    /// Restarts after exits, since its supervisor started.
    pub restarts: u64,
    /// ractor's number of the actor while it runs; for reading only.
    pub actor: Option<u64>,
    /// Messages in its mailbox, if it is bounded by ours.
    pub mailbox_depth: Option<u32>,
    /// What it says of itself, such as `authority half`; may be empty.
    pub note: String,
    /// The actors it supervises, in order of start.
    #[serde(deserialize_with = "shallow")]
    pub children: Vec<TreeNode>,
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Reads the children of a node, at most [`MAX_TREE_DEPTH`] below each other: bytes from a peer must not be able to
/// nest deeper than the stack.
fn shallow<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<TreeNode>, D::Error> {
    struct Level;
    impl Drop for Level {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    let _level = Level;
    if DEPTH.get() > MAX_TREE_DEPTH {
        let text = format!("a tree deeper than {MAX_TREE_DEPTH}");
        return Err(serde::de::Error::custom(text));
    }
    Vec::deserialize(source)
}

/// What an actor says of itself in the tree; cheap to set, read by whoever shows the tree.
#[derive(Debug, Clone, Default)]
pub struct Note(Arc<ArcSwap<String>>);

impl Note {
    /// Replaces the text.
    pub fn set(&self, text: impl Into<String>) {
        self.0.store(Arc::new(text.into()));
    }

    /// The text.
    pub fn get(&self) -> Arc<String> {
        self.0.load_full()
    }
}

/// A row that a supervisor publishes.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) role: RolePath,
    pub(super) state: NodeState,
    pub(super) generation: u32,
    pub(super) restarts: u64,
    pub(super) actor: Option<u64>,
    pub(super) mailbox: Option<Arc<Mailbox>>,
    pub(super) note: Note,
    pub(super) subtree: Option<TreeView>,
}

/// What one supervisor publishes of its children; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct TreeView(Arc<ArcSwap<Vec<Row>>>);

impl TreeView {
    /// Nothing published yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn publish(&self, rows: Vec<Row>) {
        self.0.store(Arc::new(rows));
    }

    /// The children and what is below them, at most [`MAX_TREE_NODES`] and [`MAX_TREE_DEPTH`] deep.
    pub fn snapshot(&self) -> Vec<TreeNode> {
        let mut left = MAX_TREE_NODES;
        self.nodes(&mut left, 1).0
    }

    /// The nodes, and how many were left out.
    fn nodes(&self, left: &mut usize, depth: usize) -> (Vec<TreeNode>, usize) {
        let rows = self.0.load();
        if depth > MAX_TREE_DEPTH {
            return (Vec::new(), rows.len());
        }
        let shown = rows.len().min(*left);
        *left -= shown;
        let nodes = rows[..shown].iter().map(|row| row.node(left, depth)).collect();
        (nodes, rows.len() - shown)
    }
}

impl Row {
    fn node(&self, left: &mut usize, depth: usize) -> TreeNode {
        let below = self.subtree.as_ref().map(|tree| tree.nodes(left, depth + 1));
        let (children, omitted) = below.unwrap_or_default();
        let mut note = self.note.get().to_string();
        if omitted > 0 {
            note.push_str(&format!(" ({omitted} more below)"));
        }
        TreeNode {
            role: self.role.to_string(),
            state: self.state,
            generation: self.generation,
            restarts: self.restarts,
            actor: self.actor,
            mailbox_depth: self.mailbox.as_ref().map(|mailbox| mailbox.depth()),
            note,
            children,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn row(role: &str, subtree: Option<TreeView>) -> Row {
        Row {
            role: RolePath::new(role).expect("a role"),
            state: NodeState::Running,
            generation: 1,
            restarts: 0,
            actor: None,
            mailbox: None,
            note: Note::default(),
            subtree,
        }
    }

    fn nested(levels: usize) -> TreeNode {
        let leaf = row("leaf", None).node(&mut 1, 1);
        (1..levels).fold(leaf, |below, _| TreeNode {
            children: vec![below.clone()],
            ..below
        })
    }

    #[test]
    fn a_snapshot_shows_what_is_published_below_each_other() {
        let (root, below) = (TreeView::new(), TreeView::new());
        let mailbox = Arc::new(Mailbox::bounded(2, 10));
        let _credit = mailbox.admit(1).expect("room");
        let kernel = Row {
            mailbox: Some(Arc::clone(&mailbox)),
            ..row("kernel", None)
        };
        below.publish(vec![kernel.clone(), row("l48", None)]);
        root.publish(vec![row("agent", Some(below.clone()))]);
        kernel.note.set("cycle 7");
        let tree = root.snapshot();
        assert_eq!(tree.len(), 1);
        let roles: Vec<_> = tree[0].children.iter().map(|node| node.role.as_str()).collect();
        assert_eq!(roles, ["kernel", "l48"]);
        assert_eq!(tree[0].children[0].mailbox_depth, Some(1));
        assert_eq!(tree[0].children[0].note, "cycle 7");
    }

    #[test]
    fn a_snapshot_is_bounded_and_says_what_it_leaves_out() {
        let (root, below) = (TreeView::new(), TreeView::new());
        below.publish(vec![row("child", None); MAX_TREE_NODES]);
        root.publish(vec![row("host", Some(below))]);
        let tree = root.snapshot();
        assert_eq!(tree[0].children.len(), MAX_TREE_NODES - 1);
        assert_eq!(tree[0].note, " (1 more below)");
        let circle = TreeView::new();
        circle.publish(vec![row("self", Some(circle.clone()))]);
        let bytes = codec::encode(&circle.snapshot()).expect("encodes");
        assert!(codec::decode::<Vec<TreeNode>>(&bytes).is_ok());
    }

    #[test]
    fn a_tree_nested_too_deep_does_not_decode() {
        for (levels, decodes) in [(1, true), (MAX_TREE_DEPTH, true), (MAX_TREE_DEPTH + 1, false)] {
            let bytes = codec::encode(&nested(levels)).expect("encodes");
            assert_eq!(codec::decode::<TreeNode>(&bytes).is_ok(), decodes, "{levels} levels");
        }
        // The refusal leaves no depth behind.
        let bytes = codec::encode(&nested(MAX_TREE_DEPTH)).expect("encodes");
        assert!(codec::decode::<TreeNode>(&bytes).is_ok());
    }
}
