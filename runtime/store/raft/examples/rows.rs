//! How many rows of 4 KiB a second one voter takes, one by one and from many at a time, and gives back.

use rungs_store::cluster::{Commit, Consistency, RowId, Store, TableId, Write};
use rungs_store_raft::{Config, RaftStore, Secrets, Sync, Voter};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

const WITHIN: Duration = Duration::from_secs(30);
const ROW_BYTES: usize = 4096;

/// Writers add rows, each one at a time.
async fn write(store: &Arc<RaftStore>, writers: u64, each: u64) -> Result<f64, Box<dyn Error>> {
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for writer in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for number in 0..each {
                let row = RowId::new(TableId(20), [writer.to_be_bytes(), number.to_be_bytes()].concat());
                let commit = Commit::new([], [Write::put(row, vec![7; ROW_BYTES])]);
                store.commit(commit, WITHIN).await.expect("commits");
            }
        });
    }
    tasks.join_all().await;
    Ok((writers * each) as f64 / start.elapsed().as_secs_f64())
}

async fn read(store: &RaftStore, how: Consistency, reads: u64) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    for _ in 0..reads {
        store.get(RowId::new(TableId(20), vec![0; 16]), how, WITHIN).await?;
    }
    Ok(reads as f64 / start.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for sync in [Sync::AtOnce, Sync::Every(Duration::from_millis(200))] {
        let folder = tempfile::TempDir::new()?;
        let (replica, client) = ("127.0.0.1:7811".parse()?, "127.0.0.1:7812".parse()?);
        let secret = || "a secret of this example".to_owned();
        let (replica_secret, client_secret) = (secret(), secret());
        let secrets = Secrets {
            replica: replica_secret,
            client: client_secret,
        };
        let config = Config::new(
            folder.path().to_owned(),
            1,
            vec![Voter { id: 1, replica, client }],
            secrets,
        );
        let store = Arc::new(RaftStore::open(Config { sync, ..config }, WITHIN).await?);
        println!("{sync:?}: {:.0} rows/s one by one", write(&store, 1, 500).await?);
        println!("{sync:?}: {:.0} rows/s of 200 writers", write(&store, 200, 50).await?);
        println!(
            "{sync:?}: {:.0} consistent reads/s",
            read(&store, Consistency::Consistent, 500).await?
        );
        println!(
            "{sync:?}: {:.0} local reads/s",
            read(&store, Consistency::Local, 500).await?
        );
        Arc::into_inner(store).ok_or("nobody else has it")?.close().await?;
    }
    Ok(())
}
