use super::*;
use crate::ca::{Ca, NODE_VALIDITY};
use crate::role::Role;
use std::time::{Duration, SystemTime};

fn identity(ca: &Ca, name: &str) -> Identity {
    let name = NodeName::new(name).expect("a name");
    ca.issue(&name, &[Role::Voter, Role::Member]).expect("issued")
}

fn authority() -> (tempfile::TempDir, Ca) {
    let dir = tempfile::tempdir().expect("a folder");
    let ca = Ca::create_or_load(dir.path()).expect("made");
    (dir, ca)
}

/// The proofs of the acceptor and of the dialer, or `None` if they do not shake hands.
async fn handshake(acceptor: &Identity, dialer: &Identity) -> Option<(Proven, Proven)> {
    let (server, client) = tokio::io::duplex(64 * 1024);
    let [at_server, at_client] = [acceptor, dialer].map(|identity| Tls::new(identity).expect("a configuration"));
    let (server, client) = tokio::join!(
        at_server.acceptor.accept(server),
        at_client.connector.connect(any_node(), client)
    );
    let server = proven_as_server(server.ok()?.get_ref().1).ok()?;
    let client = proven_as_client(client.ok()?.get_ref().1).ok()?;
    Some((server, client))
}

#[tokio::test]
async fn both_ends_learn_name_and_roles_and_share_two_keys() {
    let (_dir, ca) = authority();
    let (acceptor, dialer) = handshake(&identity(&ca, "n1"), &identity(&ca, "n2"))
        .await
        .expect("shakes hands");
    assert_eq!((acceptor.name.as_str(), dialer.name.as_str()), ("n2", "n1"));
    assert_eq!(acceptor.roles.to_string(), "voter+member");
    assert_ne!(acceptor.certificate, dialer.certificate);
    assert_eq!(
        (acceptor.our_key, acceptor.their_key),
        (dialer.their_key, dialer.our_key)
    );
    assert_ne!(acceptor.our_key, acceptor.their_key);
    let (again, _) = handshake(&identity(&ca, "n1"), &identity(&ca, "n2"))
        .await
        .expect("shakes hands");
    assert_ne!(again.our_key, acceptor.our_key, "each link has its own");
}

#[tokio::test]
async fn another_authority_is_refused_by_both_ends() {
    let ((_dir, ca), (_other_dir, other)) = (authority(), authority());
    let (ours, theirs) = (identity(&ca, "n1"), identity(&other, "n2"));
    assert!(handshake(&ours, &theirs).await.is_none());
    assert!(handshake(&theirs, &ours).await.is_none());
}

#[tokio::test]
async fn a_certificate_is_refused_before_and_after_its_time() {
    let (_dir, ca) = authority();
    let valid = identity(&ca, "n1");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let name = NodeName::new("n2").expect("a name");
    let issued = |at| ca.issue_from(&name, &[], at, NODE_VALIDITY).expect("issued");
    let hour = Duration::from_secs(3600);
    for (at, accepted) in [
        (now, true),
        (now - NODE_VALIDITY + hour, true),
        (now - NODE_VALIDITY - hour, false),
        (now + hour * 2, false),
    ] {
        let shaken = handshake(&valid, &issued(at)).await.is_some();
        assert_eq!(shaken, accepted, "issued at {at:?}, it is {now:?}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_an_error_that_says_so() {
    let (_dir, ca) = authority();
    let valid = identity(&ca, "n1");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let name = NodeName::new("n2").expect("a name");
    let second = Duration::from_secs(1);
    let expired = ca.issue_from(&name, &[], now - second * 60, second).expect("issued");
    for (acceptor, dialer) in [(&valid, &expired), (&expired, &valid)] {
        let (server, client) = tokio::io::duplex(64 * 1024);
        let [at_server, at_client] = [acceptor, dialer].map(|identity| Tls::new(identity).expect("a configuration"));
        let (server, client) = tokio::join!(
            at_server.acceptor.accept(server),
            at_client.connector.connect(any_node(), client)
        );
        // Who refuses says why; the other side is told by an alert, a dialer when it reads next.
        let refused_by_acceptor = server.err().map(|error| error.to_string()).unwrap_or_default();
        let refused_by_dialer = client.err().map(|error| error.to_string()).unwrap_or_default();
        let said = format!("{refused_by_acceptor} {refused_by_dialer}").to_lowercase();
        assert!(said.contains("expired"), "{said}");
    }
}

#[tokio::test]
async fn nobody_passes_the_listener_that_cannot_be_left_out() {
    let (_dir, ca) = authority();
    let dialer = Tls::new(&identity(&ca, "n1")).expect("a configuration");
    let (server, client) = tokio::io::duplex(64 * 1024);
    let impassable = impassable().expect("a configuration");
    let (server, client) = tokio::join!(impassable.accept(server), dialer.connector.connect(any_node(), client));
    assert!(server.is_err() && client.is_err());
}
