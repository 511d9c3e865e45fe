//! Mutual TLS: both sides show a certificate of the cluster's authority, and only TLS 1.3 is spoken. Each link gets two
//! keys from its TLS session, one for each direction, which nobody but the two ends can know; they mark the messages that
//! belong to the link (see [`super::gateway`]).

use crate::identity::{ANY_NODE, Identity, IdentityError, certified, validity};
use crate::role::Roles;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rungs_types::NodeName;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Bytes of a key that marks frames.
pub(crate) const KEY_BYTES: usize = 16;
/// What a connection is for: the session with a peer, or the frames that belong to one.
const SESSION: &[u8] = b"rungs-mesh/2";
const DATA: &[u8] = b"rungs-mesh-data/2";
const KEY_LABEL: &[u8] = b"EXPORTER-rungs-mesh-frame-key";
const BY_ACCEPTOR: &[u8] = b"sent by the acceptor";
const BY_DIALER: &[u8] = b"sent by the dialer";

/// The TLS of a node: see the module.
pub struct Tls {
    /// For connections that come in.
    pub acceptor: TlsAcceptor,
    /// For connections that go out; they verify [`any_node`].
    pub connector: TlsConnector,
    /// The same for data streams.
    pub(crate) data_connector: TlsConnector,
}

/// What a finished handshake has proven.
#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) name: NodeName,
    pub(crate) roles: Roles,
    /// The certificate that says so.
    pub(crate) certificate: CertificateDer<'static>,
    /// When it ends, since 1970.
    pub(crate) expiry: Duration,
    /// Marks the frames that this node sends.
    pub(crate) our_key: [u8; KEY_BYTES],
    /// Marks the frames of the peer.
    pub(crate) their_key: [u8; KEY_BYTES],
}

impl Tls {
    /// The configurations for an identity.
    pub fn new(identity: &Identity) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        roots.add(identity.authority()?)?;
        let roots = Arc::new(roots);
        let server = server_config(Arc::clone(&roots), identity.chain()?, identity.key()?)?;
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(identity.chain()?, identity.key()?)?;
        client.resumption = Resumption::disabled();
        client.alpn_protocols = vec![SESSION.to_vec()];
        let mut data = client.clone();
        data.alpn_protocols = vec![DATA.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            data_connector: TlsConnector::from(Arc::new(data)),
        })
    }
}

/// The name that a dialer verifies; the node's own name is read from the certificate afterwards.
pub fn any_node() -> ServerName<'static> {
    ServerName::try_from(ANY_NODE).expect("a constant host name")
}

/// What nobody can pass: it trusts an authority whose key is thrown away here. For the listener that ractor_cluster
/// cannot be started without.
pub fn impassable() -> Result<TlsAcceptor, IdentityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let leaf_key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["nobody.invalid".to_owned()])?
        .signed_by(&leaf_key, &Issuer::from_params(&params, &key))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone())?;
    let leaf_key = rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der())
        .map_err(|reason| IdentityError::Crypto(reason.to_owned()))?;
    let config = server_config(Arc::new(roots), vec![leaf.der().clone()], leaf_key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Whether those who trust the authority would trust the certificate at a time since 1970.
pub(crate) fn verify(
    chain: &[CertificateDer<'_>],
    authority: CertificateDer<'static>,
    now: Duration,
) -> Result<(), IdentityError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| IdentityError::Crypto(error.to_string()))?;
    let missing = IdentityError::Certificate { problem: "is missing" };
    let (certificate, between) = chain.split_first().ok_or(missing)?;
    verifier.verify_client_cert(certificate, between, UnixTime::since_unix_epoch(now))?;
    Ok(())
}

fn server_config(
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> Result<ServerConfig, IdentityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| IdentityError::Crypto(error.to_string()))?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    server.alpn_protocols = vec![SESSION.to_vec(), DATA.to_vec()];
    Ok(server)
}

/// Whether an accepted connection is a data stream.
pub(crate) fn is_data(session: &ServerConnection) -> bool {
    session.alpn_protocol() == Some(DATA)
}

/// What the handshake of an accepted connection has proven.
pub(crate) fn proven_as_server(session: &ServerConnection) -> Result<Proven, IdentityError> {
    let accepted = session.export_keying_material([0; KEY_BYTES], KEY_LABEL, Some(BY_ACCEPTOR))?;
    let dialed = session.export_keying_material([0; KEY_BYTES], KEY_LABEL, Some(BY_DIALER))?;
    proven(session.peer_certificates(), accepted, dialed)
}

/// What the handshake of a dialed connection has proven.
pub(crate) fn proven_as_client(session: &ClientConnection) -> Result<Proven, IdentityError> {
    let accepted = session.export_keying_material([0; KEY_BYTES], KEY_LABEL, Some(BY_ACCEPTOR))?;
    let dialed = session.export_keying_material([0; KEY_BYTES], KEY_LABEL, Some(BY_DIALER))?;
    proven(session.peer_certificates(), dialed, accepted)
}

fn proven(
    chain: Option<&[CertificateDer<'_>]>,
    our_key: [u8; KEY_BYTES],
    their_key: [u8; KEY_BYTES],
) -> Result<Proven, IdentityError> {
    let missing = IdentityError::Certificate { problem: "is missing" };
    let certificate = chain.and_then(<[_]>::first).ok_or(missing)?;
    let (name, roles) = certified(certificate)?;
    Ok(Proven {
        name,
        roles,
        expiry: validity(certificate)?.ends,
        certificate: certificate.clone().into_owned(),
        our_key,
        their_key,
    })
}

#[cfg(test)]
mod tests;
