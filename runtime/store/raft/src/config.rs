//! What a voter must be told.

use rungs_store::cluster::limits::KEPT_DELETIONS;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Shortest and longest heartbeat. An election takes three to six of them.
const HEARTBEATS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];
/// [`Config::heartbeat`] of the only voter where nothing else is said: its start takes several.
const ALONE: Duration = Duration::from_millis(100);
/// The same of several voters. Each call between them has to be answered within one, also on a machine that has too much to
/// do: with 100 ms, voters on two busy cores found no leader for 45 s.
const TOGETHER: Duration = Duration::from_millis(200);
/// [`Config::catch_up`] where nothing else is said: a gigabyte at 20 MB/s.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(60);
/// Fewest characters of a secret.
const SECRET_CHARS: usize = 16;

/// How often the leader of so many voters shows that it lives, where nothing else is said.
pub fn heartbeat(voters: usize) -> Duration {
    if voters > 1 { TOGETHER } else { ALONE }
}

/// One of those who hold a replica. Its addresses stay the same for ever: they are in the log, by which the others (and
/// it itself) know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Its number: the voters are numbered from 1 without a gap, and number 1 begins when there is no cluster yet.
    pub id: u64,
    /// Where the other replicas reach it.
    pub replica: SocketAddr,
    /// Where clients, and those who join, reach it.
    pub client: SocketAddr,
}

/// What voters know and strangers do not.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Between replicas.
    pub replica: String,
    /// Between clients and replicas.
    pub client: String,
}

impl Secrets {
    /// The same secret for both.
    pub fn one(secret: &str) -> Self {
        let (replica, client) = (secret.to_owned(), secret.to_owned());
        Self { replica, client }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// When a commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before it is answered.
    AtOnce,
    /// At the latest this much later. What was answered survives the end of the process, and of the machine if a majority
    /// of the machines lives on; else what was answered in this time may be lost.
    Every(Duration),
}

/// A certificate that the others can verify by the roots their system trusts, which `SSL_CERT_FILE` adds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the log and the rows are kept. Made if need be.
    pub folder: PathBuf,
    /// Which of the voters this is.
    pub this: u64,
    /// All voters.
    pub voters: Vec<Voter>,
    /// The same for all voters.
    pub secrets: Secrets,
    /// Without it, all voters must be on the loopback interface.
    pub tls: Option<Tls>,
    /// When commits are on disk.
    pub sync: Sync,
    /// How often the leader shows that it lives. The same for all voters.
    pub heartbeat: Duration,
    /// For how many commits deletions are remembered. The same for all voters.
    pub kept_deletions: u64,
    /// Entries of the log (a batch of commits is one) after which all rows are copied to disk; as many are kept beside the
    /// copy. So many, at least, a voter may lack that was away without needing the copy, and at most twice as many are run
    /// again by one that was killed.
    pub entries_until_copy: u64,
    /// A replica that does not come to know in this time what the leader knew at its beginning has ended
    /// ([`RaftStore::ended`](crate::RaftStore::ended)). Longer than it takes to copy all rows from another voter.
    pub catch_up: Duration,
}

/// What a client must be told: a node that holds no replica.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where clients reach the voters; some of them are enough.
    pub voters: Vec<SocketAddr>,
    /// What clients know ([`Secrets::client`]).
    pub secret: String,
    /// Whether the voters have certificates, which are verified. Without, they must be on the loopback interface.
    pub tls: bool,
    /// As the voters have it.
    pub heartbeat: Duration,
    /// As the voters have it.
    pub kept_deletions: u64,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("voters", &self.voters)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Why a configuration cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The voters are not numbered from 1 without a gap, or this is none of them.
    #[error("voters are numbered from 1 without a gap, and voter {this} is one of them")]
    Voters {
        /// Which this should be.
        this: u64,
    },
    /// Without TLS, secrets and rows would go over the network for all to read.
    #[error("{0} is not on the loopback interface: other machines are reached with TLS only")]
    Open(SocketAddr),
    /// A secret is too short to be one.
    #[error("a secret has at least {SECRET_CHARS} characters")]
    ShortSecret,
    /// The heartbeat is out of bounds.
    #[error("a heartbeat of {} ms, allowed are {} to {}", .0.as_millis(), HEARTBEATS[0].as_millis(), HEARTBEATS[1].as_millis())]
    Heartbeat(Duration),
}

impl Config {
    /// Synced at once, with heartbeats for fast links.
    pub fn new(folder: PathBuf, this: u64, voters: Vec<Voter>, secrets: Secrets) -> Self {
        let this_many = voters.len();
        Self {
            folder,
            this,
            voters,
            secrets,
            tls: None,
            sync: Sync::AtOnce,
            heartbeat: heartbeat(this_many),
            kept_deletions: KEPT_DELETIONS,
            entries_until_copy: 5_000,
            catch_up: CATCH_UP,
        }
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let ids: BTreeSet<u64> = self.voters.iter().map(|voter| voter.id).collect();
        let numbered = (1..=self.voters.len() as u64).all(|id| ids.contains(&id));
        if !numbered || !ids.contains(&self.this) {
            return Err(ConfigError::Voters { this: self.this });
        }
        let addresses = self.voters.iter().flat_map(|voter| [voter.replica, voter.client]);
        check_closed(addresses, self.tls.is_some())?;
        let Secrets { replica, client } = &self.secrets;
        check_secret(replica)?;
        check_secret(client)?;
        check_heartbeat(self.heartbeat)
    }
}

impl Remote {
    /// Whether it can be.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.voters.is_empty() {
            return Err(ConfigError::Voters { this: 1 });
        }
        check_closed(self.voters.iter().copied(), self.tls)?;
        check_secret(&self.secret)?;
        check_heartbeat(self.heartbeat)
    }
}

fn check_closed(mut addresses: impl Iterator<Item = SocketAddr>, tls: bool) -> Result<(), ConfigError> {
    match addresses.find(|address| !address.ip().is_loopback()) {
        Some(open) if !tls => Err(ConfigError::Open(open)),
        Some(_) | None => Ok(()),
    }
}

fn check_secret(secret: &str) -> Result<(), ConfigError> {
    if secret.len() < SECRET_CHARS {
        return Err(ConfigError::ShortSecret);
    }
    Ok(())
}

fn check_heartbeat(heartbeat: Duration) -> Result<(), ConfigError> {
    if heartbeat < HEARTBEATS[0] || heartbeat > HEARTBEATS[1] {
        return Err(ConfigError::Heartbeat(heartbeat));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(this: u64, ids: &[u64], ip: &str) -> Config {
        let address = |port: u64| format!("{ip}:{port}").parse().expect("an address");
        let voters = ids.iter().map(|id| Voter {
            id: *id,
            replica: address(100 + id),
            client: address(200 + id),
        });
        let secrets = Secrets::one("sixteen letters!");
        Config::new(PathBuf::from("folder"), this, voters.collect(), secrets)
    }

    fn remote(config: &Config) -> Remote {
        Remote {
            voters: config.voters.iter().map(|voter| voter.client).collect(),
            secret: config.secrets.client.clone(),
            tls: config.tls.is_some(),
            heartbeat: config.heartbeat,
            kept_deletions: config.kept_deletions,
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(remote(&config(1, &[1], "127.0.0.1")).check(), Ok(()));
        let none = remote(&config(1, &[], "127.0.0.1")).check();
        assert_eq!(none, Err(ConfigError::Voters { this: 1 }));
        assert_eq!(config(1, &[1], "127.0.0.1").check(), Ok(()));
        assert_eq!(config(2, &[3, 1, 2], "[::1]").check(), Ok(()));
        for (this, ids) in [(1, [].as_slice()), (2, &[1]), (2, &[2]), (1, &[1, 3]), (1, &[1, 1])] {
            assert_eq!(
                config(this, ids, "127.0.0.1").check(),
                Err(ConfigError::Voters { this })
            );
        }
        let short = || "fifteen letters".to_owned();
        for secrets in [|s: &mut Secrets, t| s.replica = t, |s: &mut Secrets, t| s.client = t] {
            let mut config = config(1, &[1], "127.0.0.1");
            secrets(&mut config.secrets, short());
            assert_eq!(config.check(), Err(ConfigError::ShortSecret));
        }
        for heartbeat in [Duration::from_millis(19), Duration::from_millis(2001)] {
            let config = Config {
                heartbeat,
                ..config(1, &[1], "127.0.0.1")
            };
            assert_eq!(config.check(), Err(ConfigError::Heartbeat(heartbeat)));
        }
    }

    #[test]
    fn strangers_could_read_what_leaves_the_machine_without_tls() {
        let mut open = config(1, &[1], "10.0.0.1");
        assert!(matches!(open.check(), Err(ConfigError::Open(_))));
        assert!(matches!(remote(&open).check(), Err(ConfigError::Open(_))));
        let (certificate, key) = (PathBuf::from("c"), PathBuf::from("k"));
        open.tls = Some(Tls { certificate, key });
        assert_eq!(open.check(), Ok(()));
        assert_eq!(remote(&open).check(), Ok(()));
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = config(1, &[1], "127.0.0.1");
        assert!(!format!("{config:?}{:?}", remote(&config)).contains("sixteen"));
    }
}
