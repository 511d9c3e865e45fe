//! Nodes that hold each other's copies, over a network in memory and one store.

use super::messages::{DropCopies, GetCopy, Kept, PutCopies, SnapshotCopy};
use super::*;
use crate::placement::Shard;
use crate::records::STORE_DEADLINE;
use ractor::ActorCell;
use rungs_host::{Context, Endpoints, EventHub, Format, Payload, Refusal, Wire};
use rungs_mesh::hello::ClusterId;
use rungs_mesh::memory::{Faults, MemoryNetwork};
use rungs_mesh::{Mesh, MeshConfig, Outbound, Role, Roles};
use rungs_store::cluster::{
    Answer, Changes, Commit, CommitError, Consistency, Head, MemoryStore, Outcome, Page, ReadError, Revision, Row,
    RowId, Scan, Seen, Since, Store,
};
use rungs_store::{FileSnapshots, MemorySnapshots, Snapshot, SnapshotMeta, Snapshots, Stamp};
use rungs_types::{AgentId, Epoch, ErrorCode, NodeId, NodeName};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);
const VERSION: u16 = 1;

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

fn stamp(epoch: u64, sequence: u64) -> Stamp {
    let epoch = Epoch(epoch);
    Stamp { epoch, sequence }
}

/// One holder for all shards, which may change.
struct OneHolder {
    holder: Mutex<Option<NodeName>>,
    owns: AtomicBool,
    alone: bool,
}

impl OneHolder {
    fn new(holder: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            holder: Mutex::new(holder.map(name)),
            owns: AtomicBool::new(false),
            alone: holder.is_none(),
        })
    }
}

impl Holders for OneHolder {
    fn holder(&self, _: Shard) -> Option<NodeName> {
        self.holder.lock().expect("not poisoned").clone()
    }

    fn owns(&self, _: Shard) -> bool {
        self.owns.load(Ordering::Relaxed)
    }

    fn alone(&self) -> bool {
        self.alone
    }
}

struct Node {
    copies: Copies,
    mesh: Mesh,
    snapshots: Snapshots,
    holders: Arc<OneHolder>,
    supervisor: ActorCell,
    /// Of its shelf.
    folder: TempDir,
}

/// A cluster: its network and its store, which counts what it reads.
struct Cluster {
    network: MemoryNetwork,
    store: Arc<Counting>,
}

/// Counts scans and everything else that is asked of it.
#[derive(Default)]
struct Counting {
    inner: MemoryStore,
    scans: AtomicUsize,
    others: AtomicUsize,
}

impl Store for Counting {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.inner.commit(commit, within)
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.inner.get(row, how, within)
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        self.scans.fetch_add(1, Ordering::Relaxed);
        self.inner.scan(scan, how, within)
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        self.inner.changes(since, within)
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        self.inner.moved(past, within)
    }
}

impl Counting {
    fn asked(&self) -> (usize, usize) {
        (self.scans.load(Ordering::Relaxed), self.others.load(Ordering::Relaxed))
    }
}

impl Cluster {
    fn new() -> Self {
        Self {
            network: MemoryNetwork::new(5, Faults::default()),
            store: Arc::default(),
        }
    }

    /// A node whose copies go to `holder`; without one it is alone.
    async fn node(&self, id: &str, holder: Option<&str>) -> Node {
        self.node_with(id, holder, ShelfLimits::default()).await
    }

    async fn node_with(&self, id: &str, holder: Option<&str>, limits: ShelfLimits) -> Node {
        let id: NodeId = id.parse().expect("a node id");
        let roles = Roles::of(&[Role::Member]);
        let config = MeshConfig {
            node: id.clone(),
            roles,
            cluster: ClusterId::from_bits(1),
        };
        let transport = self.network.transport(id.clone(), roles);
        let mesh = Mesh::start(config, transport, Arc::new(Endpoints::new()), EventHub::default())
            .await
            .expect("starts");
        let holders = OneHolder::new(holder);
        let folder = TempDir::new().expect("a folder");
        let outgoing = Outgoing::new(Arc::clone(&holders) as _);
        let snapshots = Snapshots::new(MemorySnapshots::new()).followed(Arc::clone(&outgoing) as _);
        let copies = Copies::new(CopiesParts {
            node: id.name.clone(),
            mesh: mesh.clone(),
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            snapshots: snapshots.clone(),
            outgoing,
            shelf: Shelf::open(folder.path(), limits).expect("opens"),
        });
        let spec = rungs_host::supervisor::SupervisorSpec {
            policy: rungs_host::supervisor::Policy::ONE_FOR_ONE,
            seed: 0,
            timers: rungs_host::Timers::start(),
            children: Vec::new(),
            observer: None,
        };
        let supervisor = rungs_host::SupervisorHandle::spawn(spec, None)
            .await
            .expect("starts")
            .cell();
        copies.start(supervisor.clone()).await.expect("starts");
        copies.parts.shelf.load().await.expect("reads");
        Node {
            copies,
            mesh,
            snapshots,
            holders,
            supervisor,
            folder,
        }
    }

    /// Two nodes that hold each other's copies.
    async fn two(&self) -> [Node; 2] {
        let nodes = [self.node("n1~1", Some("n2")).await, self.node("n2~1", Some("n1")).await];
        nodes[0].sees("n2").await;
        nodes[1].sees("n1").await;
        nodes
    }
}

impl Node {
    async fn sees(&self, node: &str) {
        let mut peers = self.mesh.watch();
        let there = peers.wait_for(|peers| peers.contains_key(&name(node))).await;
        there.expect("the mesh lives");
    }

    async fn misses(&self, node: &str) {
        let mut peers = self.mesh.watch();
        let gone = peers.wait_for(|peers| !peers.contains_key(&name(node))).await;
        gone.expect("the mesh lives");
    }

    fn set_holder(&self, holder: Option<&str>) {
        *self.holders.holder.lock().expect("not poisoned") = holder.map(name);
    }

    /// The agent writes a snapshot.
    async fn write(&self, agent: &AgentId, content: &str) -> Stamp {
        let put = self.snapshots.put(agent.clone(), VERSION, content.as_bytes().to_vec());
        put.await.expect("writes").stamp()
    }

    /// The agent is to start here.
    async fn recall(&self, agent: &AgentId, epoch: u64) {
        self.copies
            .recall(agent, Epoch(epoch), VERSION)
            .await
            .expect("the store answers");
    }

    /// What the agent would start from.
    async fn found(&self, agent: &AgentId) -> Option<(Stamp, String)> {
        let latest = self.snapshots.latest(agent.clone(), VERSION).await.expect("reads");
        let snapshot = latest.snapshot?;
        let text = String::from_utf8(snapshot.bytes).expect("text");
        Some((snapshot.meta.stamp(), text))
    }

    async fn settled(&self) {
        assert!(self.copies.settle(SECOND * 60).await, "everything is copied");
    }

    async fn ask<W: Wire>(&self, of: &str, message: &W) -> Result<W::Reply, Refusal> {
        let payload = Payload::of(message, Format::Binary)?;
        let to = address(&name(of));
        let message = Outbound {
            to: &to,
            payload: &payload,
            context: &Context::default(),
            sent_by: None,
        };
        self.mesh.ask(&name(of), message, SECOND).await?.decode()
    }

    /// It is gone for good.
    async fn dies(self) {
        self.supervisor.kill();
        self.mesh.stop().await;
    }

    async fn holds(&self, agent: &AgentId) -> Option<Stamp> {
        let copy = self.copies.parts.shelf.get(agent, VERSION).await.expect("reads");
        copy.map(|copy| copy.meta.stamp())
    }
}

fn copy(agent: &AgentId, stamp: Stamp, content: &str) -> SnapshotCopy {
    let meta = SnapshotMeta {
        epoch: stamp.epoch,
        sequence: stamp.sequence,
        version: VERSION,
    };
    let bytes = content.as_bytes().to_vec();
    SnapshotCopy::new(agent.clone(), Snapshot { meta, bytes })
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_knew_follows_it_when_its_node_has_died() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("acme/ops");
    one.recall(&ops, 1).await;
    assert_eq!(one.write(&ops, "first").await, stamp(1, 1));
    assert_eq!(one.write(&ops, "second").await, stamp(1, 2));
    one.settled().await;
    assert_eq!(one.copies.age(), Some(Duration::ZERO));
    one.dies().await;
    two.misses("n1").await;
    two.recall(&ops, 2).await;
    assert_eq!(two.found(&ops).await, Some((stamp(1, 2), "second".to_owned())));
    assert_eq!(two.write(&ops, "third").await, stamp(2, 3), "numbers go on");
    assert_eq!(two.copies.parts.shelf.size().0, 0, "it is on the disk once");
}

#[tokio::test(start_paused = true)]
async fn a_third_node_gets_the_copy_from_its_holder() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let three = cluster.node("n3~1", Some("n2")).await;
    three.sees("n2").await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "known").await;
    one.settled().await;
    one.dies().await;
    three.misses("n1").await;
    three.recall(&ops, 2).await;
    assert_eq!(three.found(&ops).await, Some((stamp(1, 1), "known".to_owned())));
    let latest = three.snapshots.latest(ops.clone(), VERSION).await.expect("reads");
    assert_eq!(latest.missing, None);
    assert_eq!(two.holds(&ops).await, Some(stamp(1, 1)), "and it stays there");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_handed_over_comes_with_all_that_was_written() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "first").await;
    one.settled().await;
    one.set_holder(None);
    assert_eq!(one.write(&ops, "last").await, stamp(1, 2));
    assert_eq!(two.holds(&ops).await, Some(stamp(1, 1)));
    // The index names the first, which is here; who wrote it has the last.
    super::sender::index_round(&one.copies.parts, &one.copies.index, 0).await;
    two.recall(&ops, 2).await;
    assert_eq!(two.found(&ops).await, Some((stamp(1, 2), "last".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_of_the_later_epoch_wins_over_more_of_them_on_the_node_of_before() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "1").await;
    one.settled().await;
    one.set_holder(None);
    for content in ["2", "3", "4"] {
        one.write(&ops, content).await;
    }
    cluster.network.partition(&name("n1"), &name("n2"));
    two.set_holder(None);
    two.recall(&ops, 2).await;
    assert_eq!(two.found(&ops).await, Some((stamp(1, 1), "1".to_owned())));
    assert_eq!(two.write(&ops, "other").await, stamp(2, 2));
    // Nobody takes a copy of it, but the index comes to name it.
    tokio::time::sleep(SECOND * 40).await;
    cluster.network.heal();
    one.sees("n2").await;
    assert_eq!(one.found(&ops).await, Some((stamp(1, 4), "4".to_owned())));
    one.recall(&ops, 3).await;
    assert_eq!(one.found(&ops).await, Some((stamp(2, 2), "other".to_owned())));
    assert_eq!(one.write(&ops, "next").await, stamp(3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_no_node_has_any_more_is_told_with_the_snapshot_that_is_used() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "first").await;
    one.settled().await;
    one.set_holder(None);
    one.write(&ops, "second").await;
    super::sender::index_round(&one.copies.parts, &one.copies.index, 0).await;
    one.dies().await;
    two.misses("n1").await;
    two.recall(&ops, 2).await;
    let latest = two.snapshots.latest(ops.clone(), VERSION).await.expect("reads");
    assert_eq!(latest.snapshot.map(|snapshot| snapshot.meta.stamp()), Some(stamp(1, 1)));
    assert_eq!(latest.missing, Some(stamp(1, 2)));
    assert_eq!(two.write(&ops, "third").await, stamp(2, 2));
    let latest = two.snapshots.latest(ops, VERSION).await.expect("reads");
    assert_eq!(latest.missing, None, "it is over");
}

#[tokio::test(start_paused = true)]
async fn a_copy_counts_also_before_the_index_names_it() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "just now").await;
    while two.holds(&ops).await.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    one.dies().await;
    two.recall(&ops, 2).await;
    assert_eq!(two.found(&ops).await, Some((stamp(1, 1), "just now".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_stale_copy_is_refused_and_its_sender_learns_of_the_later_one() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    let put = async |epoch, sequence| {
        let copies = vec![copy(&ops, stamp(epoch, sequence), "x")];
        one.ask("n2", &PutCopies { copies }).await
    };
    assert_eq!(put(2, 4).await, Ok(vec![Kept::Kept]));
    let later = Kept::Later {
        epoch: Epoch(2),
        sequence: 4,
    };
    assert_eq!(put(1, 9).await, Ok(vec![later.clone()]));
    assert_eq!(put(2, 3).await, Ok(vec![later]));
    assert_eq!(two.holds(&ops).await, Some(stamp(2, 4)));
    // The one that has lost the shard does not go on trying.
    one.recall(&ops, 1).await;
    one.write(&ops, "stale").await;
    one.settled().await;
    assert_eq!(
        (one.copies.age(), two.holds(&ops).await),
        (Some(Duration::ZERO), Some(stamp(2, 4)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_against_the_limits_is_refused_as_a_whole() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let refused = one
        .ask("n2", &PutCopies { copies: Vec::new() })
        .await
        .expect_err("refused");
    assert_eq!(refused.message, "0 copies in one message; expected 1 to 64");
    let mut changed = copy(&agent("a"), stamp(1, 1), "content");
    changed.bytes[0] ^= 1;
    let copies = vec![changed, copy(&agent("b"), stamp(1, 1), "content")];
    let kept = one.ask("n2", &PutCopies { copies }).await.expect("answered");
    assert!(matches!(&kept[..], [Kept::Refused { .. }, Kept::Kept]), "{kept:?}");
    assert_eq!(
        (two.holds(&agent("a")).await, two.holds(&agent("b")).await),
        (None, Some(stamp(1, 1)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_damaged_copy_is_not_handed_out_but_the_one_before() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    for content in ["good", "bad"] {
        one.write(&ops, content).await;
        one.settled().await;
    }
    let path = "default/ops/00000000000000000001-00000000000000000002.snap";
    let file = two.folder.path().join(path);
    let mut bytes = std::fs::read(&file).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let question = GetCopy {
        agent: ops.clone(),
        newest_version: VERSION,
    };
    let found = one.ask("n2", &question).await.expect("answered").expect("one");
    assert_eq!(
        (found.stamp(), found.bytes.as_slice()),
        (stamp(1, 1), b"good".as_slice())
    );
    one.dies().await;
    two.misses("n1").await;
    two.recall(&ops, 2).await;
    assert_eq!(two.found(&ops).await, Some((stamp(1, 1), "good".to_owned())));
    let latest = two.snapshots.latest(ops, VERSION).await.expect("reads");
    assert_eq!(latest.missing, Some(stamp(1, 2)));
}

#[tokio::test(start_paused = true)]
async fn while_the_holder_is_down_copies_wait_and_only_the_last_is_sent_then() {
    let cluster = Cluster::new();
    let one = cluster.node("n1~1", Some("n2")).await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    for content in ["1", "2", "3", "4", "5"] {
        one.write(&ops, content).await;
        tokio::time::sleep(SECOND * 30).await;
    }
    let age = one.copies.age().expect("it is not alone");
    assert!(age >= SECOND * 150 && age < SECOND * 151, "{age:?}: since the first");
    let two = cluster.node("n2~1", Some("n1")).await;
    one.sees("n2").await;
    one.settled().await;
    assert_eq!(
        (two.holds(&ops).await, one.copies.age()),
        (Some(stamp(1, 5)), Some(Duration::ZERO))
    );
    let files = std::fs::read_dir(two.folder.path().join("default/ops")).expect("there");
    assert_eq!(files.count(), 1, "the others were not sent");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_does_not_answer_is_tried_again() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    two.supervisor.kill();
    two.supervisor.wait(None).await.expect("it ends");
    one.write(&ops, "x").await;
    tokio::time::sleep(SECOND * 2).await;
    assert!(one.copies.age() >= Some(SECOND * 2));
    let spec = rungs_host::supervisor::SupervisorSpec {
        policy: rungs_host::supervisor::Policy::ONE_FOR_ONE,
        seed: 0,
        timers: rungs_host::Timers::start(),
        children: Vec::new(),
        observer: None,
    };
    let again = rungs_host::SupervisorHandle::spawn(spec, None).await.expect("starts");
    two.copies.start(again.cell()).await.expect("starts again");
    one.settled().await;
    assert_eq!(two.holds(&ops).await, Some(stamp(1, 1)));
}

#[tokio::test(start_paused = true)]
async fn an_agent_at_rest_is_copied_to_the_holder_that_comes_after() {
    let cluster = Cluster::new();
    let [one, _two] = cluster.two().await;
    let three = cluster.node("n3~1", Some("n1")).await;
    one.sees("n3").await;
    let ops = agent("ops");
    one.recall(&ops, 1).await;
    one.write(&ops, "x").await;
    one.copies.rested(&ops);
    one.settled().await;
    one.set_holder(Some("n3"));
    assert_eq!(three.holds(&ops).await, None);
    one.holders.owns.store(true, Ordering::Relaxed);
    let shards = u32::from(crate::SHARDS);
    tokio::time::sleep(super::sender::REPAIR_PERIOD * (shards + 100)).await;
    assert_eq!(three.holds(&ops).await, Some(stamp(1, 1)));
    let row = one.copies.index.get(&ops).await.expect("reads").expect("there");
    assert_eq!((row.holder, row.hash.is_some()), (Some(name("n3")), true));
    let asked = |node: &Node| node.mesh.metrics().iter().map(|link| link.asked).sum::<u64>();
    let before = asked(&one);
    tokio::time::sleep(super::sender::REPAIR_PERIOD * (shards + 100)).await;
    assert_eq!(asked(&one), before, "once");
}

#[tokio::test(start_paused = true)]
async fn many_agents_are_copied_in_few_messages_and_the_shelf_keeps_to_its_limits() {
    let cluster = Cluster::new();
    let one = cluster.node("n1~1", Some("n2")).await;
    let limits = ShelfLimits {
        agents: 150,
        bytes: 1 << 20,
    };
    let two = cluster.node_with("n2~1", Some("n1"), limits).await;
    for number in 0..200 {
        let agent = agent(&format!("a-{number}"));
        one.recall(&agent, 1).await;
        one.write(&agent, "content").await;
    }
    one.sees("n2").await;
    one.settled().await;
    assert_eq!(two.copies.parts.shelf.size(), (150, 150 * (64 + 7)));
    let asked = one.mesh.metrics()[0].asked;
    assert!(asked <= 20, "{asked} messages");
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_read_once_and_an_agent_looked_for_once() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let mut by_shard: BTreeMap<Shard, Vec<AgentId>> = BTreeMap::new();
    for number in 0..200 {
        let agent = agent(&format!("a-{number}"));
        by_shard.entry(Shard::of(&agent)).or_default().push(agent);
    }
    let pair = by_shard
        .into_values()
        .find(|agents| agents.len() > 1)
        .expect("200 of 4,096");
    for agent in &pair {
        one.recall(agent, 1).await;
        one.write(agent, "x").await;
    }
    one.settled().await;
    one.dies().await;
    two.misses("n1").await;
    let before = cluster.store.asked();
    for _ in 0..3 {
        let (first, second) = tokio::join!(
            two.copies.recall(&pair[0], Epoch(2), VERSION),
            two.copies.recall(&pair[1], Epoch(2), VERSION)
        );
        assert_eq!((first, second), (Ok(()), Ok(())));
    }
    assert_eq!(cluster.store.asked(), (before.0 + 1, before.1));
    for agent in &pair {
        assert_eq!(two.found(agent).await, Some((stamp(1, 1), "x".to_owned())));
    }
    two.recall(&pair[0], 3).await;
    assert_eq!(cluster.store.asked().0, before.0 + 2, "in another epoch, again");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_alone_asks_nobody() {
    let cluster = Cluster::new();
    let one = cluster.node("n1~1", None).await;
    let ops = agent("ops");
    one.recall(&ops, 7).await;
    assert_eq!(one.write(&ops, "x").await, stamp(7, 1), "but it knows its epoch");
    tokio::time::sleep(SECOND * 20).await;
    one.settled().await;
    one.copies.forget(&ops).await;
    assert_eq!((cluster.store.asked(), one.copies.age()), ((0, 0), None));
    assert_eq!(one.found(&ops).await, Some((stamp(7, 1), "x".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn of_an_agent_that_is_no_more_no_copy_and_no_row_stays() {
    let cluster = Cluster::new();
    let [one, two] = cluster.two().await;
    let [running, resting] = ["running", "resting"].map(agent);
    for agent in [&running, &resting] {
        one.recall(agent, 1).await;
        one.write(agent, "x").await;
    }
    one.copies.rested(&resting);
    one.settled().await;
    for agent in [&running, &resting] {
        assert!(two.holds(agent).await.is_some());
        one.copies.forget(agent).await;
        assert_eq!(
            (two.holds(agent).await, one.copies.index.get(agent).await),
            (None, Ok(None))
        );
        // What its own node has stays: it goes on from there if it is registered again.
        assert!(one.found(agent).await.is_some());
    }
    let question = DropCopies {
        agent: running,
        epoch: Epoch(1),
        sequence: 1,
    };
    assert_eq!(one.ask("n2", &question).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_index_that_cannot_be_read_stops_the_start_and_not_a_later_one() {
    let cluster = Cluster::new();
    let [one, _two] = cluster.two().await;
    let ops = agent("ops");
    let row = rungs_store::cluster::table::row_id::<super::index::SnapshotIndex>(&ops);
    let write = |value: &[u8]| Commit::new([], [rungs_store::cluster::Write::put(row.clone(), value)]);
    let put = cluster.store.inner.commit(write(b"\x00\x09"), STORE_DEADLINE);
    put.await.expect("applied");
    let refusal = one.copies.recall(&ops, Epoch(1), VERSION).await.expect_err("newer");
    assert_eq!(refusal.code, ErrorCode::Incompatible);
    let delete = Commit::new([], [rungs_store::cluster::Write::Delete(row.clone())]);
    cluster
        .store
        .inner
        .commit(delete, STORE_DEADLINE)
        .await
        .expect("applied");
    one.recall(&ops, 1).await;
}

#[tokio::test]
async fn files_follow_as_well() {
    let folder = TempDir::new().expect("a folder");
    let outgoing = Outgoing::new(OneHolder::new(Some("n2")) as _);
    let files = FileSnapshots::open(folder.path()).expect("opens");
    let snapshots = Snapshots::new(files).followed(Arc::clone(&outgoing) as _);
    outgoing.enter(Shard::of(&agent("a")), Epoch(3));
    outgoing.enter(Shard::of(&agent("a")), Epoch(2));
    let meta = snapshots.put(agent("a"), VERSION, b"x".to_vec()).await.expect("writes");
    assert_eq!(meta.stamp(), stamp(3, 1), "an epoch never falls");
    assert!(
        outgoing.age().is_some_and(|age| age > Duration::ZERO),
        "it waits to be copied"
    );
}
