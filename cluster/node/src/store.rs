//! The node's store: a replica in its data folder. The node is its only voter, so what it keeps is its own.
//!
//! A voter's addresses are in its log and stay the same for ever. They are chosen at the first start, on a loopback address
//! of this node alone, so that no other program asks for one of the ports while the node is down.

use anyhow::Context as _;
use rand::TryRng as _;
use rungs_store_raft::{Config, RaftStore, Secrets, Voter};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How long the store may take to be ready: it may have to read its whole log.
const OPEN_WITHIN: Duration = Duration::from_secs(60);
/// The folder of the replica, and the file beside it that says how it is reached.
const FOLDER: &str = "store";
const FILE: &str = "store.toml";
/// Largest such file, in bytes.
const MAX_FILE_BYTES: u64 = 4096;
/// Loopback addresses that are tried before the start is given up.
const MAX_ADDRESSES: usize = 8;

/// How the replica is reached.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reached {
    replica: SocketAddr,
    client: SocketAddr,
    replica_secret: String,
    client_secret: String,
}

/// Opens the store of a node, or makes it.
pub(crate) async fn open(data: &Path) -> anyhow::Result<RaftStore> {
    let file = data.join(FILE);
    let reached = match read(&file)? {
        Some(reached) => reached,
        None => choose(&file)?,
    };
    let (secrets, voter) = (
        Secrets {
            replica: reached.replica_secret,
            client: reached.client_secret,
        },
        Voter {
            id: 1,
            replica: reached.replica,
            client: reached.client,
        },
    );
    let config = Config::new(data.join(FOLDER), 1, vec![voter], secrets);
    let store = RaftStore::open(config, OPEN_WITHIN).await;
    store.with_context(|| format!("cannot open the store in {}", data.join(FOLDER).display()))
}

fn read(file: &Path) -> anyhow::Result<Option<Reached>> {
    let bytes = match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.with_context(|| file.display().to_string())?.len(),
    };
    anyhow::ensure!(
        bytes <= MAX_FILE_BYTES,
        "{} has {bytes} bytes; expected at most {MAX_FILE_BYTES}",
        file.display()
    );
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let reached = toml::from_str(&text).with_context(|| format!("{} is not what a node wrote", file.display()))?;
    Ok(Some(reached))
}

/// Chooses addresses and secrets, and keeps them.
fn choose(file: &Path) -> anyhow::Result<Reached> {
    let (replica, client) = (0..MAX_ADDRESSES)
        .find_map(|_| free_ports().ok())
        .context("no loopback address has two free ports")?;
    let reached = Reached {
        replica,
        client,
        replica_secret: secret()?,
        client_secret: secret()?,
    };
    let text = toml::to_string(&reached).context("cannot write down how the store is reached")?;
    // Beside the target, then renamed: half a file would be in the way for ever.
    let beside = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let written = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()))
        .and_then(|()| std::fs::rename(&beside, file));
    written.with_context(|| file.display().to_string())?;
    Ok(reached)
}

fn random<const BYTES: usize>() -> std::io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// 256 bits of the system's randomness, as a text.
fn secret() -> std::io::Result<String> {
    Ok(random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Two free ports on a loopback address that hardly anybody else uses.
fn free_ports() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let [a, b, c] = random()?;
    // Linux has all of 127.0.0.0/8.
    let ip = if cfg!(target_os = "linux") {
        Ipv4Addr::new(127, a, b, c.clamp(1, 254))
    } else {
        Ipv4Addr::LOCALHOST
    };
    let bind = || TcpListener::bind((IpAddr::V4(ip), 0));
    let (replica, client) = (bind()?, bind()?);
    Ok((replica.local_addr()?, client.local_addr()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_store_is_reached_is_chosen_once_and_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(FILE);
        assert!(read(&file).expect("nothing is wrong").is_none());
        let chosen = choose(&file).expect("there is room");
        let again = read(&file).expect("it was just written").expect("it is there");
        assert_eq!((again.replica, again.client), (chosen.replica, chosen.client));
        assert_eq!(again.client_secret, chosen.client_secret);
        assert_ne!(chosen.replica_secret, chosen.client_secret);
        assert!(chosen.replica.ip().is_loopback() && chosen.replica != chosen.client);
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(FILE);
        std::fs::write(&file, "replica = 7").expect("written");
        let error = read(&file).expect_err("damaged").to_string();
        assert!(error.contains("store.toml is not what a node wrote"), "{error}");
        std::fs::write(&file, "#".repeat(5000)).expect("written");
        let error = read(&file).expect_err("too large").to_string();
        assert!(error.contains("5000 bytes; expected at most 4096"), "{error}");
    }
}
