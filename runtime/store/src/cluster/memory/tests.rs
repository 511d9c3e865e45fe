use super::*;
use crate::cluster::commit::{TableId, Write};
use crate::cluster::conformance::{Act, Guard, Step, Subject, check, run};
use proptest::prelude::*;
use std::sync::Arc;

const KEPT: u64 = 50;

fn subject() -> Subject {
    Subject {
        store: Arc::new(MemoryStore::keeping(KEPT)),
        kept_deletions: KEPT,
    }
}

#[tokio::test(start_paused = true)]
async fn memory_conforms() {
    let subject = subject();
    check(&subject).await;
    // What one run leaves behind does not trouble the next.
    check(&subject).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_let_go_at_the_deadline() {
    let store = MemoryStore::new();
    let start = tokio::time::Instant::now();
    let within = Duration::from_secs(3);
    assert_eq!(store.moved(Revision(0), within).await, Ok(Head::default()));
    assert_eq!(start.elapsed(), within);
    let put = Write::put(RowId::new(TableId(20), b"a"), b"");
    store.commit(Commit::new([], [put]), within).await.expect("commits");
    let head = store.moved(Revision(0), within).await.expect("reads");
    assert_eq!((head.revision, start.elapsed()), (Revision(1), within));
}

fn any_step() -> impl Strategy<Value = Step> {
    let guard = prop_oneof![Just(Guard::Absent), Just(Guard::Unchanged), Just(Guard::Outdated)];
    let act = prop_oneof![Just(Act::Delete), any::<u8>().prop_map(Act::Put)];
    let guards = proptest::collection::vec((0..6_u8, guard), 0..3);
    let acts = proptest::collection::vec((0..6_u8, act), 1..4);
    (guards, acts).prop_map(|(guards, acts)| Step { guards, acts })
}

proptest! {
    #[test]
    fn memory_is_as_the_model(steps in proptest::collection::vec(any_step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(run(&subject(), TableId(20), &steps));
    }
}
