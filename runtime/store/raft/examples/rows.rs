//! How many rows of 4 KiB a second one voter takes, one by one and from many at a time, and gives back.

use rungs_store::cluster::{Commit, Consistency, RowId, Store, TableId, Write};
use rungs_store_raft::{Config, RaftStore, Secrets, Sync, Voter};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

const WITHIN: Duration = Duration::from_secs(30);
const ROW_BYTES: usize = 4096;
const READS: u64 = 500;

/// Rows a second of writers who each add rows one after the other.
async fn written(store: &Arc<RaftStore>, writers: u64, each: u64) -> f64 {
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for writer in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for number in 0..each {
                let row = RowId::new(TableId(20), [writer.to_be_bytes(), number.to_be_bytes()].concat());
                let commit = Commit::new([], [Write::put(row, vec![7; ROW_BYTES])]);
                store.commit(commit, WITHIN).await.expect("nothing else is going on");
            }
        });
    }
    tasks.join_all().await;
    (writers * each) as f64 / start.elapsed().as_secs_f64()
}

/// Reads a second, one after the other.
async fn read(store: &RaftStore, how: Consistency) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    for _ in 0..READS {
        let row = RowId::new(TableId(20), [0; 16]);
        store.get(row, how, WITHIN).await?;
    }
    Ok(READS as f64 / start.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for sync in [Sync::AtOnce, Sync::Every(Duration::from_millis(200))] {
        let folder = tempfile::TempDir::new()?;
        let (replica, client) = ("127.0.0.1:7811".parse()?, "127.0.0.1:7812".parse()?);
        let voters = vec![Voter { id: 1, replica, client }];
        let config = Config::new(
            folder.path().into(),
            1,
            voters,
            Secrets::one("a secret of this example"),
        );
        let store = Arc::new(RaftStore::open(Config { sync, ..config }, WITHIN).await?);
        println!("{sync:?}: {:.0} rows/s one by one", written(&store, 1, 500).await);
        println!("{sync:?}: {:.0} rows/s of 200 writers", written(&store, 200, 50).await);
        for how in [Consistency::Consistent, Consistency::Local] {
            println!("{sync:?}: {:.0} {how:?} reads/s", read(&store, how).await?);
        }
        Arc::into_inner(store).expect("the writers have ended").close().await?;
    }
    Ok(())
}
