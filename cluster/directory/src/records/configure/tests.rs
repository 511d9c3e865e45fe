use super::*;
use rungs_store::cluster::{
    Answer, Changes, CommitError, Head, MemoryStore, Page, ReadError, Revision, Row, RowId, Scan, Seen, Since, Store,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn records() -> Records {
    Records::new(Arc::new(MemoryStore::new()))
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

fn spec(name: &str) -> AgentSpec {
    AgentSpec::new(name.parse().expect("a valid name"))
}

fn seeded(name: &str, seed: u64) -> AgentSpec {
    AgentSpec { seed, ..spec(name) }
}

fn ordered(name: &str) -> AgentRecord {
    let (spec, origin) = (spec(name), Origin::Order);
    AgentRecord { spec, origin }
}

async fn writer_of(records: &Records, name: &str) -> Option<(u64, Origin)> {
    let record = records.get(&spec(name).agent).await.expect("reads")?;
    Some((record.spec.seed, record.origin))
}

fn by(name: &str, seed: u64) -> Option<(u64, Origin)> {
    Some((seed, Origin::Configuration(Some(node(name)))))
}

fn configured(written: usize, deleted: &[&str]) -> Result<Configured, RecordError> {
    let deleted = deleted.iter().map(|name| spec(name).agent).collect();
    Ok(Configured { written, deleted })
}

#[tokio::test]
async fn a_configuration_adds_changes_and_takes_away_its_own_records_only() {
    let (records, n1) = (records(), node("n1"));
    assert_eq!(records.add(&ordered("mine")).await, Ok(true));
    let first = records.configure(&n1, &[spec("a"), spec("b"), spec("mine")]).await;
    assert_eq!(first, configured(2, &[]));
    let second = [seeded("a", 9), spec("c")];
    assert_eq!(records.configure(&n1, &second).await, configured(2, &["b"]));
    assert_eq!(writer_of(&records, "a").await, by("n1", 9));
    assert_eq!(records.get(&spec("mine").agent).await, Ok(Some(ordered("mine"))));
    assert_eq!(records.configure(&n1, &second).await, configured(0, &[]));
}

#[tokio::test]
async fn who_writes_an_agent_first_keeps_it_and_another_writes_it_anew_when_it_is_dropped() {
    let (records, n1, n2) = (records(), node("n1"), node("n2"));
    assert_eq!(records.configure(&n1, &[seeded("a", 1)]).await, configured(1, &[]));
    let other = [seeded("a", 2), seeded("b", 2)];
    for written in [1, 0] {
        assert_eq!(records.configure(&n2, &other).await, configured(written, &[]));
    }
    assert_eq!(writer_of(&records, "a").await, by("n1", 1));
    assert_eq!(records.configure(&n1, &[]).await, configured(0, &["a"]));
    assert_eq!(writer_of(&records, "a").await, None);
    assert_eq!(writer_of(&records, "b").await, by("n2", 2));
    assert_eq!(records.configure(&n2, &other).await, configured(1, &[]));
    assert_eq!(writer_of(&records, "a").await, by("n2", 2));
}

#[tokio::test]
async fn a_record_that_does_not_say_whose_it_is_goes_to_whoever_lists_it() {
    let (records, n1, n2) = (records(), node("n1"), node("n2"));
    for name in ["a", "b"] {
        let (spec, origin) = (spec(name), Origin::Configuration(None));
        assert_eq!(records.add(&AgentRecord { spec, origin }).await, Ok(true));
    }
    assert_eq!(records.configure(&n2, &[spec("a")]).await, configured(1, &["b"]));
    assert_eq!(records.configure(&n1, &[spec("a")]).await, configured(0, &[]));
    assert_eq!(writer_of(&records, "a").await, by("n2", spec("a").seed));
}

#[tokio::test]
async fn of_nodes_that_start_at_the_same_time_each_agent_is_written_by_one() {
    let records = records();
    let specs: Vec<AgentSpec> = (0..600).map(|number| spec(&format!("a-{number}"))).collect();
    let nodes = ["n1", "n2", "n3"].map(node);
    let all = nodes.iter().map(|node| records.configure(node, &specs));
    let all = try_join_all(all).await.expect("all are written");
    assert_eq!(all.iter().map(|one| one.written).sum::<usize>(), 600);
    let none = nodes.iter().map(|node| records.configure(node, &[]));
    let none = try_join_all(none).await.expect("all are deleted");
    assert_eq!(none.iter().map(|one| one.deleted.len()).sum::<usize>(), 600);
}

/// A store in which somebody else always was faster, so often.
struct Contended {
    store: MemoryStore,
    times: AtomicUsize,
}

impl Store for Contended {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        Box::pin(async move {
            let left = self.times.load(Ordering::Relaxed);
            if left > 0 {
                self.times.store(left - 1, Ordering::Relaxed);
                let (agent, origin) = (spec("a").agent, Origin::Configuration(Some(node("n1"))));
                let spec = seeded("a", left as u64);
                let put = put::<AgentTable>(&agent, &AgentRecord { spec, origin });
                self.store.commit(Commit::new([], [put]), within).await?;
            }
            self.store.commit(commit, within).await
        })
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        self.store.get(row, how, within)
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        self.store.scan(scan, how, within)
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        self.store.changes(since, within)
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        self.store.moved(past, within)
    }
}

#[tokio::test]
async fn a_record_that_others_change_is_decided_on_anew_but_not_for_ever() {
    for (times, is_written) in [(0, true), (1, true), (MAX_TRIES - 1, true), (MAX_TRIES, false)] {
        let store = Arc::new(Contended {
            store: MemoryStore::new(),
            times: AtomicUsize::new(times),
        });
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        let result = records.configure(&node("n1"), &[seeded("a", 99)]).await;
        if is_written {
            assert_eq!(result, configured(1, &[]), "{times}");
            assert_eq!(writer_of(&records, "a").await, by("n1", 99));
        } else {
            assert_eq!(result, Err(RecordError::Contended(spec("a").agent)));
        }
    }
}
