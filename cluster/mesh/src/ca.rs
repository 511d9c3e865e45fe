//! The cluster's own certificate authority: made on first use, kept in the cluster folder, issues the certificates of
//! nodes and shells. It is meant for development and for clusters whose operator has no authority of their own.
//!
//! Invariant: the folder `ca` appears complete or not at all, also when two processes make it at the same time.

use crate::hello::ClusterId;
use crate::identity::{
    ANY_NODE, Identity, IdentityError, ROLE_URI, Secret, Shared, create_dir, random_bytes, write_file,
};
use crate::role::{Role, Roles};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rungs_types::NodeName;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a certificate of a node or shell is valid.
pub const NODE_VALIDITY: Duration = Duration::from_secs(7 * DAY_SECS);
/// How long the authority is valid.
pub const CA_VALIDITY: Duration = Duration::from_secs(3650 * DAY_SECS);
/// How far before its issue a certificate is already valid, for clocks that differ.
pub(crate) const BACKDATE: Duration = Duration::from_secs(3600);
const DAY_SECS: u64 = 24 * 3600;
/// The authority's key in a cluster folder.
pub(crate) const KEY_FILE: &str = "ca/ca.key";

/// The certificate authority of a cluster.
pub struct Ca {
    dir: PathBuf,
    shared: Shared,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Ca {
    /// The authority in a cluster folder; makes one if there is none.
    pub fn create_or_load(dir: &Path) -> Result<Self, IdentityError> {
        if !dir.join("ca").exists() {
            create(dir)?;
        }
        Self::load(dir)
    }

    /// The authority in a cluster folder.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let shared = Shared::load(dir)?;
        let path = dir.join(KEY_FILE);
        let content = |expected| IdentityError::Content {
            path: path.clone(),
            expected,
        };
        let key = std::fs::read_to_string(&path).map_err(|error| IdentityError::File {
            path: path.clone(),
            error,
        })?;
        let key = KeyPair::from_pem(&key).map_err(|_| content("a private key in PEM form"))?;
        let issuer = Issuer::from_ca_cert_pem(&shared.ca_pem, key)?;
        Ok(Self {
            dir: dir.to_owned(),
            shared,
            issuer,
        })
    }

    /// The cluster it is the authority of.
    pub fn cluster(&self) -> &ClusterId {
        &self.shared.cluster
    }

    /// Issues a certificate for a node or shell, valid for [`NODE_VALIDITY`]. Nothing is written; see
    /// [`Identity::save`].
    pub fn issue(&self, name: &NodeName, roles: &[Role]) -> Result<Identity, IdentityError> {
        self.issue_for(name, roles, NODE_VALIDITY)
    }

    /// The same with another validity, in whole seconds: the shorter, the less a stolen key is good for. A running node
    /// has the next one in time (see [`Renewal`](crate::cluster::Renewal)).
    pub fn issue_for(&self, name: &NodeName, roles: &[Role], validity: Duration) -> Result<Identity, IdentityError> {
        self.issue_from(name, roles, now_unix(), validity)
    }

    /// The same as if it were issued at a time given as seconds since 1970.
    pub(crate) fn issue_from(
        &self,
        name: &NodeName,
        roles: &[Role],
        now: Duration,
        validity: Duration,
    ) -> Result<Identity, IdentityError> {
        let mut params = params(name.as_str(), now, validity)?;
        params.subject_alt_names = vec![
            SanType::DnsName(ANY_NODE.try_into()?),
            SanType::DnsName(name.as_str().try_into()?),
        ];
        let roles = Roles::of(roles);
        for role in roles.iter() {
            params
                .subject_alt_names
                .push(SanType::URI(format!("{ROLE_URI}{role}").try_into()?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            name: name.clone(),
            roles,
            cluster: self.shared.cluster.clone(),
            cookie: self.shared.cookie.clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            ca_pem: self.shared.ca_pem.clone(),
        })
    }
}

/// Makes the folder `ca` beside its place and moves it there; if another process was faster, its folder stays.
fn create(dir: &Path) -> Result<(), IdentityError> {
    let temporary = dir.join(format!("ca.{}", std::process::id()));
    create_dir(&temporary)?;
    let cookie = Secret::random()?;
    let cluster = ClusterId::from_bits(u128::from_be_bytes(random_bytes()?));
    let mut params = params(&format!("rungs {cluster}"), now_unix(), CA_VALIDITY)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write_file(&temporary.join("ca.key"), &key.serialize_pem(), 0o600)?;
    write_file(&temporary.join("ca.pem"), &certificate.pem(), 0o644)?;
    write_file(&temporary.join("cookie"), &cookie.to_hex(), 0o600)?;
    write_file(&temporary.join("cluster-id"), &cluster.to_string(), 0o644)?;
    let place = dir.join("ca");
    let moved = std::fs::rename(&temporary, &place);
    if moved.is_err() {
        // The name is taken: what is there counts. What cannot be removed here harms nobody.
        drop(std::fs::remove_dir_all(&temporary));
    }
    match moved {
        Err(error) if !place.exists() => Err(IdentityError::File { path: place, error }),
        _ => Ok(()),
    }
}

fn params(common_name: &str, now: Duration, validity: Duration) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BACKDATE);
    params.not_after = epoch + now + validity;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a certificate is dated by the wall clock, on the machines that issue and check it"
)]
pub(crate) fn now_unix() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::certified;
    use std::os::unix::fs::PermissionsExt;

    fn name(text: &str) -> NodeName {
        NodeName::new(text).expect("a name")
    }

    #[test]
    fn an_issued_identity_is_read_back_from_its_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let ca = Ca::create_or_load(dir.path()).expect("made");
        let identity = ca.issue(&name("n_1"), &[Role::Member, Role::Voter]).expect("issued");
        identity.save(dir.path()).expect("saved");
        let read = Identity::load(dir.path(), &name("n_1")).expect("loaded");
        assert_eq!((read.name(), read.cluster()), (identity.name(), ca.cluster()));
        assert_eq!(read.roles().to_string(), "voter+member");
        let chain = read.chain().expect("a chain");
        let (subject, roles) = certified(&chain[0]).expect("says whose it is");
        assert_eq!((subject, roles), (name("n_1"), read.roles()));
        let again = Ca::create_or_load(dir.path()).expect("loaded");
        assert_eq!(again.cluster(), ca.cluster());
    }

    #[test]
    fn keys_and_cookie_are_for_their_owner_only_and_not_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        let ca = Ca::create_or_load(dir.path()).expect("made");
        let identity = ca.issue(&name("n1"), &[Role::Member]).expect("issued");
        identity.save(dir.path()).expect("saved");
        for file in ["ca/ca.key", "ca/cookie", "nodes/n1.key"] {
            let mode = std::fs::metadata(dir.path().join(file))
                .expect("exists")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let shown = format!("{identity:?} {ca:?} {:?}", identity.cookie);
        assert!(
            !shown.contains("PRIVATE") && !shown.contains(&identity.cookie.to_hex()),
            "{shown}"
        );
    }

    #[test]
    fn a_missing_or_damaged_file_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let missing = Identity::load(dir.path(), &name("n1"))
            .expect_err("nothing there")
            .to_string();
        assert!(missing.contains("ca/cluster-id"), "{missing}");
        let ca = Ca::create_or_load(dir.path()).expect("made");
        ca.issue(&name("n2"), &[])
            .expect("issued")
            .save(dir.path())
            .expect("saved");
        let [pem, key] = ["nodes/n2.pem", "nodes/n2.key"].map(|file| dir.path().join(file));
        std::fs::copy(&pem, dir.path().join("nodes/n1.pem")).expect("copied");
        std::fs::copy(&key, dir.path().join("nodes/n1.key")).expect("copied");
        let other = Identity::load(dir.path(), &name("n1"))
            .expect_err("another node's")
            .to_string();
        assert_eq!(other, "the certificate of n1 names n2");
        std::fs::write(&key, "no key").expect("written");
        let damaged = Identity::load(dir.path(), &name("n2")).expect_err("no key").to_string();
        assert!(damaged.ends_with("n2.key: not a private key in PEM form"), "{damaged}");
        std::fs::write(dir.path().join("ca/cookie"), "zz").expect("written");
        let cookie = Identity::load(dir.path(), &name("n2"))
            .expect_err("no cookie")
            .to_string();
        assert!(cookie.ends_with("ca/cookie: not 64 hexadecimal digits"), "{cookie}");
    }
}
