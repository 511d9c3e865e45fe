use super::*;
use rungs_store::cluster::{MemoryStore, RowId};

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

fn named(text: &str, sequence: u64) -> Named {
    let epoch = Epoch(1);
    Named {
        agent: agent(text),
        stamp: Stamp { epoch, sequence },
        holder: Some(node("n2")),
        hash: Some([7; 32]),
    }
}

fn index(store: &Arc<MemoryStore>) -> Index {
    Index::new(node("n1"), Arc::clone(store) as Arc<dyn Store>)
}

/// Writes, and says which agents need not be written again.
async fn write(index: &Index, rows: Vec<Named>, epoch: Epoch) -> Vec<AgentId> {
    let mut done = Vec::new();
    let write = index.write(
        rows,
        |_| epoch,
        |written| done.extend(written.into_iter().map(|named| named.agent)),
    );
    write.await;
    done.sort();
    done
}

async fn raise(store: &MemoryStore, shard: Shard, from: Epoch, to: Epoch) {
    let fence = |epoch| Fence {
        shard: shard.number(),
        epoch,
    };
    let commit = Commit::new([Precondition::FenceIs(fence(from))], [Write::Raise(fence(to))]);
    let outcome = store.commit(commit, STORE_DEADLINE).await.expect("applied");
    assert!(matches!(outcome, Outcome::Committed(_)));
}

#[tokio::test]
async fn a_shard_reads_its_own_agents_in_one_go() {
    let store = Arc::new(MemoryStore::new());
    let index = index(&store);
    let names: Vec<String> = (0..3_000).map(|number| format!("acme/a-{number}")).collect();
    let rows: Vec<Named> = names
        .iter()
        .zip(1..)
        .map(|(name, sequence)| named(name, sequence))
        .collect();
    assert_eq!(write(&index, rows.clone(), Epoch(1)).await.len(), names.len());
    let shard = Shard::of(&agent("acme/a-17"));
    let found = index.of_shard(shard).await.expect("reads");
    let expected = names.iter().filter(|name| Shard::of(&agent(name)) == shard).count();
    assert_eq!(found.len(), expected);
    let indexed = Indexed {
        epoch: Epoch(1),
        sequence: 18,
        writer: node("n1"),
        holder: Some(node("n2")),
        hash: Some([7; 32]),
    };
    assert_eq!(found.get(&agent("acme/a-17")), Some(&indexed));
    assert_eq!(index.get(&agent("acme/a-17")).await, Ok(Some(indexed)));
    assert_eq!(index.get(&agent("a-17")).await, Ok(None), "another tenant's");
}

#[test]
fn commits_have_few_enough_fences_and_rows() {
    let rows = |names: Vec<String>| {
        let mut by_shard = Rows::new();
        for name in &names {
            by_shard
                .entry(Shard::of(&agent(name)))
                .or_default()
                .push(named(name, 1));
        }
        by_shard
    };
    let many = rows((0..3_000).map(|number| format!("a-{number}")).collect());
    let (shards, total) = (many.len(), many.values().map(Vec::len).sum::<usize>());
    let parts = commits(many);
    assert!(parts.iter().all(|part| part.len() <= MAX_PRECONDITIONS));
    assert_eq!(parts.iter().map(Rows::len).sum::<usize>(), shards);
    assert_eq!(parts.iter().flat_map(Rows::values).map(Vec::len).sum::<usize>(), total);
    let shard = Shard::of(&agent("a"));
    let crowded = Rows::from([(shard, vec![named("a", 1); MAX_WRITES * 2 + 1])]);
    let sizes: Vec<usize> = commits(crowded).iter().map(|part| part[&shard].len()).collect();
    assert_eq!(sizes, [MAX_WRITES, MAX_WRITES, 1]);
    assert_eq!(commits(Rows::new()), Vec::<Rows>::new());
}

#[tokio::test]
async fn who_has_lost_a_shard_writes_no_row_of_it_and_all_others() {
    let store = Arc::new(MemoryStore::new());
    let index = index(&store);
    let (lost, kept) = (agent("lost"), agent("kept"));
    let rows = |sequence| vec![named("lost", sequence), named("kept", sequence)];
    // Nobody has raised a fence yet: the epochs of owners are believed.
    assert_eq!(write(&index, rows(1), Epoch(1)).await, [kept.clone(), lost.clone()]);
    raise(&store, Shard::of(&lost), Epoch(0), Epoch(2)).await;
    assert_eq!(
        write(&index, rows(2), Epoch(1)).await,
        [kept.clone(), lost.clone()],
        "neither is tried again"
    );
    let sequence = async |agent| index.get(agent).await.expect("reads").expect("there").sequence;
    assert_eq!((sequence(&lost).await, sequence(&kept).await), (1, 2));
    // The one whose it is now.
    assert_eq!(write(&index, rows(3), Epoch(2)).await, [kept.clone(), lost.clone()]);
    assert_eq!((sequence(&lost).await, sequence(&kept).await), (3, 3));
    assert_eq!(index.delete(&lost, Epoch(1)).await, Ok(()));
    assert_eq!(sequence(&lost).await, 3);
    assert_eq!(index.delete(&lost, Epoch(2)).await, Ok(()));
    assert_eq!(index.get(&lost).await, Ok(None));
}

#[tokio::test]
async fn a_damaged_row_is_an_error_with_the_name_of_the_table() {
    let store = Arc::new(MemoryStore::new());
    let row = RowId::new(SnapshotIndex::ID, SnapshotIndex::key(&agent("a")));
    let commit = Commit::new([], [Write::put(row, b"\x00\x01noise".to_vec())]);
    store.commit(commit, STORE_DEADLINE).await.expect("applied");
    let error = index(&store)
        .of_shard(Shard::of(&agent("a")))
        .await
        .expect_err("damaged");
    assert_eq!(error.to_string(), "a row of snapshots cannot be read");
}
