use super::*;
use crate::cluster::key::{Key, Parts};
use crate::cluster::{Commit, MemoryStore};

const WITHIN: Duration = Duration::from_secs(1);

/// Agents by tenant and name, with the shard in the first version and the load beside it in the second.
struct Agents<const SCHEMA: u16>;

impl<const SCHEMA_: u16> Table for Agents<SCHEMA_> {
    const ID: TableId = TableId(20);
    const NAME: &'static str = "agents";
    const SCHEMA: u16 = SCHEMA_;
    const INDEXES: &'static [&'static str] = &["shard"];
    type Key = (String, String);
    type Value = (u64, u64);

    fn key((tenant, name): &Self::Key) -> Vec<u8> {
        Key::new().text(tenant).text(name).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<Self::Key> {
        let mut parts = Parts::of(bytes);
        let mut text = || String::from_utf8(parts.text()?).ok();
        Some((text()?, text()?))
    }

    fn encode((shard, load): &Self::Value) -> Vec<u8> {
        match SCHEMA_ {
            1 => Key::new().number(*shard).bytes(),
            _ => Key::new().number(*shard).number(*load).bytes(),
        }
    }

    fn decode(schema: u16, bytes: &[u8]) -> Option<Self::Value> {
        let mut parts = Parts::of(bytes);
        let shard = parts.number()?;
        let load = if schema == 1 { 0 } else { parts.number()? };
        parts.is_done().then_some((shard, load))
    }

    fn indexes(_: &Self::Key, (shard, _): &Self::Value) -> Vec<Option<Vec<u8>>> {
        vec![Some(Key::new().number(*shard).bytes())]
    }
}

fn id(tenant: &str, name: &str) -> (String, String) {
    (tenant.to_owned(), name.to_owned())
}

async fn store(writes: impl IntoIterator<Item = Write>) -> Arc<dyn Store> {
    let store = MemoryStore::new();
    store.commit(Commit::new([], writes), WITHIN).await.expect("commits");
    Arc::new(store)
}

#[tokio::test(start_paused = true)]
async fn entries_are_found_by_key_and_by_index() {
    let all = [("b", "x", 1), ("a", "y", 2), ("a", "x", 2), ("aa", "x", 1)];
    let store = store(all.map(|(tenant, name, shard)| put::<Agents<2>>(&id(tenant, name), &(shard, 7)))).await;
    let agents = Typed::<Agents<2>>::of(store);
    let how = Consistency::Local;
    let found = agents.get(&id("a", "y"), how, WITHIN).await.expect("reads");
    assert_eq!(
        found.value.map(|entry| (entry.value, entry.revision)),
        Some(((2, 7), found.head.revision))
    );
    assert_eq!(agents.get(&id("a", "z"), how, WITHIN).await.expect("reads").value, None);
    let of_a = Key::new().text("a").bytes();
    let page = agents.page(By::Key, &of_a, None, how, WITHIN).await.expect("reads");
    let keys = |entries: Entries<Agents<2>>| entries.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>();
    assert_eq!(page.next, None);
    assert_eq!(keys(page), [id("a", "x"), id("a", "y")]);
    let shard = Key::new().number(1).bytes();
    let page = agents
        .page(By::Index(0), &shard, None, how, WITHIN)
        .await
        .expect("reads");
    assert_eq!(keys(page), [id("aa", "x"), id("b", "x")]);
}

#[tokio::test(start_paused = true)]
async fn older_values_are_read_and_newer_ones_refused_by_name() {
    let store = store([
        put::<Agents<1>>(&id("a", "old"), &(3, 7)),
        put::<Agents<2>>(&id("a", "new"), &(3, 7)),
    ])
    .await;
    let now = Typed::<Agents<2>>::of(Arc::clone(&store));
    let found = now
        .get(&id("a", "old"), Consistency::Local, WITHIN)
        .await
        .expect("reads");
    assert_eq!(found.value.map(|entry| entry.value), Some((3, 0)));
    let before = Typed::<Agents<1>>::of(store);
    let refused = before.get(&id("a", "new"), Consistency::Local, WITHIN).await;
    let (table, found, newest) = ("agents", 2, 1);
    assert_eq!(refused, Err(TableError::Newer { table, found, newest }));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_entry_is_refused() {
    let row = |value: &[u8]| Row {
        key: Key::new().text("a").text("b").bytes(),
        value: value.to_vec(),
        revision: Revision(1),
    };
    let damaged = Err(TableError::Damaged { table: "agents" });
    for value in [b"".as_slice(), b"\0", b"\0\x01", b"\0\x02\0\0\0\0\0\0\0\x01"] {
        assert_eq!(entry::<Agents<2>>(&row(value)), damaged, "{value:?}");
    }
    let key = Row {
        key: vec![7],
        ..row(b"\0\x01\0\0\0\0\0\0\0\x01")
    };
    assert_eq!(entry::<Agents<2>>(&key), damaged);
}
