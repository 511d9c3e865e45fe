//! Who a node is: its certificate, its key, the authority it trusts, and the cluster's cookie. Files in a cluster folder:
//!
//! ```text
//! ca/ca.pem  ca/cookie  ca/cluster-id     every node has them
//! ca/ca.key                               only where certificates are issued
//! nodes/NAME.pem  nodes/NAME.key          one pair for each node and shell
//! ```
//!
//! Keys and the cookie are readable by their owner only (mode 0600) and never shown by `Debug`.

use crate::ca::BACKDATE;
use crate::cluster::tls;
use crate::hello::ClusterId;
use crate::role::{ParseRoleError, Roles};
use rungs_types::NodeName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// A name that every certificate of a cluster carries beside the node's own: a dialer that knows only an address
/// verifies this one, and reads the node's name from the certificate.
pub const ANY_NODE: &str = "node.rungs.internal";
/// Beginning of the URI that carries a role.
pub(crate) const ROLE_URI: &str = "rungs:role/";
/// Largest file that is read as a certificate, key or secret.
const MAX_FILE_BYTES: u64 = 64 * 1024;
const COOKIE_BYTES: usize = 32;

/// Why an identity cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file does not contain what its name says.
    #[error("{}: not {expected}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// A certificate does not say whose it is.
    #[error("a certificate {problem}; expected the names {ANY_NODE} and one node, and roles as {ROLE_URI}ROLE")]
    Certificate {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A certificate names an unknown role.
    #[error(transparent)]
    Role(#[from] ParseRoleError),
    /// The certificate is that of another node.
    #[error("the certificate of {expected} names {found}")]
    Name {
        /// The name in the certificate.
        found: NodeName,
        /// The node it should be for.
        expected: NodeName,
    },
    /// The certificate lacks roles that the node has.
    #[error("a certificate with the roles {found}; expected at least {expected}")]
    Roles {
        /// The roles in the certificate.
        found: Roles,
        /// Those that the node has shown.
        expected: Roles,
    },
    /// The identity is of another cluster.
    #[error("an identity of cluster {found}; expected {expected}")]
    Cluster {
        /// Its cluster.
        found: ClusterId,
        /// The cluster it should be of.
        expected: ClusterId,
    },
    /// Keys, certificates or configurations that the libraries refuse.
    #[error("cryptography: {0}")]
    Crypto(String),
}

impl From<rcgen::Error> for IdentityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Crypto(error.to_string())
    }
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        Self::Crypto(error.to_string())
    }
}

/// Bytes that nobody is to see.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// 256 bits from the operating system.
    pub(crate) fn random() -> Result<Self, IdentityError> {
        Ok(Self(random_bytes::<COOKIE_BYTES>()?.to_vec()))
    }

    /// As hexadecimal text.
    pub(crate) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * COOKIE_BYTES || !digits.is_ascii() {
            return None;
        }
        let bytes = (0..COOKIE_BYTES).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16));
        bytes.collect::<Result<_, _>>().ok().map(Self)
    }
}

/// Bytes from the operating system's generator.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], IdentityError> {
    use rand::TryRng;
    let mut bytes = [0; N];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| IdentityError::Crypto(error.to_string()))?;
    Ok(bytes)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who a node is, and whom it trusts.
pub struct Identity {
    pub(crate) name: NodeName,
    pub(crate) roles: Roles,
    pub(crate) cluster: ClusterId,
    pub(crate) cookie: Secret,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("roles", &self.roles)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// The files of a cluster folder that concern everybody.
pub(crate) struct Shared {
    pub(crate) cluster: ClusterId,
    pub(crate) cookie: Secret,
    pub(crate) ca_pem: String,
}

impl Shared {
    /// Reads `ca/` of a cluster folder.
    pub(crate) fn load(dir: &Path) -> Result<Self, IdentityError> {
        let ca = dir.join("ca");
        let content = |name: &str, expected| IdentityError::Content {
            path: ca.join(name),
            expected,
        };
        let cluster = read_text(&ca.join("cluster-id"))?;
        let cookie = read_text(&ca.join("cookie"))?;
        Ok(Self {
            cluster: cluster
                .trim()
                .parse()
                .map_err(|_| content("cluster-id", "32 hexadecimal digits"))?,
            cookie: Secret::from_hex(cookie.trim()).ok_or_else(|| content("cookie", "64 hexadecimal digits"))?,
            ca_pem: read_text(&ca.join("ca.pem"))?,
        })
    }
}

impl Identity {
    /// Reads the identity of a node from a cluster folder.
    pub fn load(dir: &Path, name: &NodeName) -> Result<Self, IdentityError> {
        let shared = Shared::load(dir)?;
        let [certificate, key] = node_files(dir, name);
        let certificate_pem = read_text(&certificate)?;
        let key_pem = read_text(&key)?;
        let (found, roles) = certified(&first_certificate(&certificate_pem, &certificate)?)?;
        if found != *name {
            return Err(IdentityError::Name {
                found,
                expected: name.clone(),
            });
        }
        let identity = Self {
            name: found,
            roles,
            cluster: shared.cluster,
            cookie: shared.cookie,
            certificate_pem,
            key_pem,
            ca_pem: shared.ca_pem,
        };
        identity.key().map_err(|_| IdentityError::Content {
            path: key,
            expected: "a private key in PEM form",
        })?;
        Ok(identity)
    }

    /// Writes certificate and key into a cluster folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        let [certificate, key] = node_files(dir, &self.name);
        create_dir(&dir.join("nodes"))?;
        write_file(&key, &self.key_pem, 0o600)?;
        write_file(&certificate, &self.certificate_pem, 0o644)
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// What the certificate allows the node to be.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// When the certificate ends, since 1970.
    pub fn ends(&self) -> Result<Duration, IdentityError> {
        Ok(self.validity()?.ends)
    }

    pub(crate) fn validity(&self) -> Result<Validity, IdentityError> {
        validity(
            self.chain()?
                .first()
                .ok_or(IdentityError::Certificate { problem: "is missing" })?,
        )
    }

    /// Whether a running node can go over from this identity to `next` at a time since 1970: its name and its cluster stay,
    /// no role that it has told its peers is lost, and they trust the certificate, which is valid.
    pub fn check_successor(&self, next: &Identity, now: Duration) -> Result<(), IdentityError> {
        if next.name != self.name {
            return Err(IdentityError::Name {
                found: next.name.clone(),
                expected: self.name.clone(),
            });
        }
        if next.cluster != self.cluster {
            return Err(IdentityError::Cluster {
                found: next.cluster.clone(),
                expected: self.cluster.clone(),
            });
        }
        if !next.roles.contains_all(self.roles) {
            return Err(IdentityError::Roles {
                found: next.roles,
                expected: self.roles,
            });
        }
        tls::verify(&next.chain()?, self.authority()?, now)?;
        // Whether its key is that of the certificate.
        tls::Tls::new(next).map(drop)
    }

    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
        CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| IdentityError::Certificate {
                problem: "is not in PEM form",
            })
    }

    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, IdentityError> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())
            .map_err(|_| IdentityError::Crypto("the key is not in PEM form".to_owned()))
    }

    pub(crate) fn authority(&self) -> Result<CertificateDer<'static>, IdentityError> {
        CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).map_err(|_| IdentityError::Certificate {
            problem: "of the authority is not in PEM form",
        })
    }
}

pub(crate) fn node_files(dir: &Path, name: &NodeName) -> [PathBuf; 2] {
    let nodes = dir.join("nodes");
    [nodes.join(format!("{name}.pem")), nodes.join(format!("{name}.key"))]
}

fn first_certificate(pem: &str, path: &Path) -> Result<CertificateDer<'static>, IdentityError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| IdentityError::Content {
        path: path.to_owned(),
        expected: "a certificate in PEM form",
    })
}

/// The time in which a certificate is valid, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) begins: Duration,
    pub(crate) ends: Duration,
}

impl Validity {
    /// When it was issued: an authority dates it back (see [`BACKDATE`]).
    pub(crate) fn issued(self) -> Duration {
        let issued = self.begins + BACKDATE;
        if issued < self.ends { issued } else { self.begins }
    }

    /// For how long it was issued.
    pub(crate) fn lifetime(self) -> Duration {
        self.ends.saturating_sub(self.issued())
    }

    /// The share of its lifetime that has passed, in [0, ∞).
    pub(crate) fn share(self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.issued()).as_secs_f64();
        passed / self.lifetime().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// When a certificate is valid.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, IdentityError> {
    let parsed = parsed(certificate)?;
    let since_1970 = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Ok(Validity {
        begins: since_1970(parsed.validity().not_before.timestamp()),
        ends: since_1970(parsed.validity().not_after.timestamp()),
    })
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IdentityError> {
    let problem = IdentityError::Certificate {
        problem: "is not an X.509 certificate",
    };
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.map(|(_, parsed)| parsed).map_err(|_| problem)
}

/// The name and the roles in a certificate. Whether to believe it is decided by the verification of its chain.
pub(crate) fn certified(certificate: &CertificateDer<'_>) -> Result<(NodeName, Roles), IdentityError> {
    let problem = |problem| IdentityError::Certificate { problem };
    let parsed = parsed(certificate)?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|_| problem("has two lists of names"))?
        .ok_or(problem("has no names"))?;
    let mut node = None;
    let mut roles = Vec::new();
    for name in &names.value.general_names {
        match name {
            GeneralName::DNSName(ANY_NODE) => {}
            GeneralName::DNSName(text) if node.is_none() => node = Some(*text),
            GeneralName::DNSName(_) => return Err(problem("names two nodes")),
            GeneralName::URI(uri) => match uri.strip_prefix(ROLE_URI) {
                Some(role) => roles.push(role.parse()?),
                None => return Err(problem("has an unknown URI")),
            },
            _ => return Err(problem("has a name of another kind")),
        }
    }
    let node = node.ok_or(problem("names no node"))?;
    let node = NodeName::new(node).map_err(|_| problem("has a name that is not a node name"))?;
    Ok((node, Roles::of(&roles)))
}

pub(crate) fn create_dir(path: &Path) -> Result<(), IdentityError> {
    std::fs::create_dir_all(path).map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> IdentityError {
    IdentityError::File {
        path: path.to_owned(),
        error,
    }
}

fn read_text(path: &Path) -> Result<String, IdentityError> {
    let size = std::fs::metadata(path).map_err(|error| file_error(path, error))?.len();
    if size > MAX_FILE_BYTES {
        return Err(IdentityError::Content {
            path: path.to_owned(),
            expected: "a file of at most 64 KiB",
        });
    }
    std::fs::read_to_string(path).map_err(|error| file_error(path, error))
}

/// Writes a file beside its place and moves it there, so that nobody reads half of it.
pub(crate) fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), IdentityError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| file_error(path, error))
}
