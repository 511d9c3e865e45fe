//! What is kept of how a store is reached: the secrets that the nodes of a cluster share, and, of a node with a store of
//! its own, its addresses.
//!
//! A voter's addresses are in its log and stay the same for ever. They are chosen once, on a loopback address that hardly
//! anybody else uses, so that no other program asks for one of the ports while a node is down.

use rand::TryRng as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file in the data folder of a node that says how its own store is reached.
pub const OWN_FILE: &str = "store.toml";
/// The folder of a replica in the data folder of its node.
pub const REPLICA_FOLDER: &str = "store";
/// Largest such file, in bytes.
const MAX_FILE_BYTES: u64 = 4096;
/// Loopback addresses that are tried before it is given up.
const MAX_ADDRESSES: usize = 8;
/// Permissions that others than the owner must not have on a file with secrets.
const OTHERS: u32 = 0o077;

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFileError {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is larger than what is ever written.
    #[error("{}: more than {MAX_FILE_BYTES} bytes; expected at most that", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// Not what is written.
    #[error("{}: {}", path.display(), error.message())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<toml::de::Error>,
    },
    /// Others may read it.
    #[error("{}: others than its owner may use it (mode {mode:o}); expected mode 600", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No loopback address has enough free ports.
    #[error("no loopback address has free ports for the store: {0}")]
    NoPorts(std::io::Error),
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreFileError {
    let path = path.to_owned();
    move |error| StoreFileError::Io { path, error }
}

/// What voters and clients of a store know and strangers do not.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSecrets {
    /// Between replicas.
    pub replica_secret: String,
    /// Between clients and replicas.
    pub client_secret: String,
}

impl fmt::Debug for StoreSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecrets")
    }
}

impl StoreSecrets {
    /// New ones.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn choose() -> std::io::Result<Self> {
        Ok(Self {
            replica_secret: secret()?,
            client_secret: secret()?,
        })
    }

    /// Reads them from a file that its owner alone may use.
    ///
    /// # Errors
    /// If it cannot be read, is not such a file, or others may use it.
    pub fn read(path: &Path) -> Result<Self, StoreFileError> {
        let mode = std::fs::metadata(path).map_err(io(path))?.mode() & 0o777;
        if mode & OTHERS != 0 {
            let path = path.to_owned();
            return Err(StoreFileError::Open { path, mode });
        }
        read(path)
    }

    /// Writes them for the owner alone.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self, path: &Path) -> Result<(), StoreFileError> {
        keep(path, self)
    }
}

/// How a node's own store is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnStore {
    /// Where it would be reached by other replicas.
    pub replica: SocketAddr,
    /// Where it would be reached by clients.
    pub client: SocketAddr,
    /// See [`StoreSecrets`].
    pub replica_secret: String,
    /// See [`StoreSecrets`].
    pub client_secret: String,
}

impl fmt::Debug for OwnStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStore")
            .field("replica", &self.replica)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl OwnStore {
    /// What the data folder of a node says, if it ever had a store of its own.
    ///
    /// # Errors
    /// If the file cannot be read or is not what a node wrote.
    pub fn read(data: &Path) -> Result<Option<Self>, StoreFileError> {
        match read(&data.join(OWN_FILE)) {
            // What else stands in the way is told by who makes the folder.
            Err(StoreFileError::Io { error, .. })
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            own => own.map(Some),
        }
    }

    /// Chooses addresses and secrets, and keeps them.
    ///
    /// # Errors
    /// If there are no free ports, or the file cannot be written.
    pub fn choose(data: &Path) -> Result<Self, StoreFileError> {
        let path = data.join(OWN_FILE);
        let StoreSecrets {
            replica_secret,
            client_secret,
        } = StoreSecrets::choose().map_err(io(&path))?;
        let own = match free_addresses(2)?[..] {
            [replica, client] => Self {
                replica,
                client,
                replica_secret,
                client_secret,
            },
            _ => unreachable!("as many as were asked for"),
        };
        keep(&path, &own)?;
        Ok(own)
    }

    /// Its secrets.
    pub fn secrets(&self) -> StoreSecrets {
        StoreSecrets {
            replica_secret: self.replica_secret.clone(),
            client_secret: self.client_secret.clone(),
        }
    }
}

/// So many free ports on one loopback address that hardly anybody else uses.
///
/// # Errors
/// If no address has as many.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, StoreFileError> {
    let mut last = std::io::ErrorKind::AddrInUse.into();
    for _ in 0..MAX_ADDRESSES {
        match free_ports(count) {
            Ok(addresses) => return Ok(addresses),
            Err(error) => last = error,
        }
    }
    Err(StoreFileError::NoPorts(last))
}

fn free_ports(count: usize) -> std::io::Result<Vec<SocketAddr>> {
    let [a, b, c] = random()?;
    // Linux has all of 127.0.0.0/8.
    let ip = if cfg!(target_os = "linux") {
        Ipv4Addr::new(127, a, b, c.clamp(1, 254))
    } else {
        Ipv4Addr::LOCALHOST
    };
    // All are held before the first is given back, so that they differ.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((IpAddr::V4(ip), 0)))
        .collect::<std::io::Result<_>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}

fn random<const BYTES: usize>() -> std::io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let filled = rand::rngs::SysRng.try_fill_bytes(&mut bytes);
    filled.map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// 256 bits of the system's randomness, as a text.
fn secret() -> std::io::Result<String> {
    Ok(random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, StoreFileError> {
    let file = std::fs::File::open(path).map_err(io(path))?;
    let mut text = String::new();
    // Read up to the limit, whatever length is claimed.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(io(path))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(StoreFileError::TooLarge { path: path.to_owned() });
    }
    toml::from_str(&text).map_err(|error| StoreFileError::Damaged {
        path: path.to_owned(),
        error: Box::new(error),
    })
}

/// Beside the target, then renamed: half a file would be in the way for ever.
fn keep<T: Serialize>(path: &Path, what: &T) -> Result<(), StoreFileError> {
    let text = toml::to_string(what).expect("every field has a TOML form");
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let written = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn how_a_store_is_reached_is_chosen_once_and_is_for_this_user_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(OwnStore::read(dir.path()).expect("nothing is wrong"), None);
        let chosen = OwnStore::choose(dir.path()).expect("there is room");
        let again = OwnStore::read(dir.path()).expect("it was just written");
        assert_eq!(again.as_ref(), Some(&chosen));
        assert_ne!(chosen.replica_secret, chosen.client_secret);
        assert!(chosen.replica.ip().is_loopback() && chosen.replica != chosen.client);
        let mode = std::fs::metadata(dir.path().join(OWN_FILE))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{chosen:?}{:?}", chosen.secrets()).contains(&chosen.client_secret));
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(OWN_FILE);
        let refused = |text: &str| {
            std::fs::write(&file, text).expect("written");
            OwnStore::read(dir.path()).expect_err("damaged").to_string()
        };
        let error = refused("replica = 7");
        assert!(error.contains("store.toml: invalid type: integer `7`"), "{error}");
        let error = refused(&"#".repeat(5000));
        assert!(error.contains("more than 4096 bytes; expected at most that"), "{error}");
    }

    #[test]
    fn secrets_that_others_may_read_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("secrets.toml");
        let secrets = StoreSecrets::choose().expect("there is randomness");
        secrets.keep(&file).expect("written");
        assert_eq!(StoreSecrets::read(&file).expect("as written"), secrets);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
        let error = StoreSecrets::read(&file)
            .expect_err("the group may read it")
            .to_string();
        assert!(
            error.ends_with("others than its owner may use it (mode 640); expected mode 600"),
            "{error}"
        );
        std::fs::remove_file(&file).expect("it is there");
        let error = StoreSecrets::read(&file).expect_err("it is gone").to_string();
        assert!(error.contains("secrets.toml: No such file"), "{error}");
    }

    #[test]
    fn addresses_differ_and_are_on_one_loopback_address() {
        let addresses = free_addresses(6).expect("there is room");
        let different: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert_eq!(different.len(), 6);
        assert!(
            addresses
                .iter()
                .all(|address| address.ip() == addresses[0].ip() && address.ip().is_loopback())
        );
    }
}
