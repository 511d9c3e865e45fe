use super::*;
use crate::role::Role;
use std::sync::LazyLock;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// When the first certificate is issued, since 1970: an authority is not valid before its making.
static ISSUED: LazyLock<Duration> = LazyLock::new(|| Duration::from_secs(now_unix().as_secs()));

fn name() -> NodeName {
    NodeName::new("n1").expect("a name")
}

/// A cluster folder with a certificate for six days, and that certificate.
fn folder() -> (tempfile::TempDir, Ca, Identity) {
    let dir = tempfile::tempdir().expect("a folder");
    let ca = Ca::create_or_load(dir.path()).expect("made");
    let identity = ca
        .issue_from(&name(), &[Role::Voter], *ISSUED, DAY * 6)
        .expect("issued");
    identity.save(dir.path()).expect("saved");
    (dir, ca, identity)
}

fn problem(look: Look) -> String {
    assert!(look.next.is_none());
    look.problem.map_or(String::new(), |problem| problem.to_string())
}

#[test]
fn the_share_of_a_lifetime_is_counted_from_its_issue() {
    let (_dir, _ca, identity) = folder();
    let validity = identity.validity().expect("a certificate");
    assert_eq!(
        (validity.issued(), validity.lifetime(), validity.ends),
        (*ISSUED, DAY * 6, *ISSUED + DAY * 6)
    );
    for (days, share) in [(0, 0.0), (3, 0.5), (6, 1.0), (9, 1.5)] {
        assert_eq!(validity.share(*ISSUED + DAY * days), share);
    }
    assert_eq!(validity.share(*ISSUED - DAY), 0.0);
}

#[test]
fn where_the_authority_is_the_node_issues_the_next_certificate_for_as_long_again_and_keeps_it() {
    let (dir, _ca, first) = folder();
    let from = Renewal::Files(dir.path().to_owned());
    let early = from.look(&first, *ISSUED + DAY * 4 - Duration::from_secs(1));
    assert_eq!(problem(early), "");
    let now = *ISSUED + DAY * 4;
    let next = from.look(&first, now).next.expect("two thirds have passed");
    let validity = next.validity().expect("a certificate");
    assert_eq!((validity.issued(), validity.lifetime()), (now, DAY * 6));
    assert_eq!(next.roles(), first.roles());
    let kept = Identity::load(dir.path(), &name()).expect("loads");
    assert_eq!(kept.certificate_pem, next.certificate_pem);
    let done = from.look(&next, now);
    assert_eq!(problem(done), "");

    let (dir, _ca, first) = folder();
    let next = Renewal::Authority(dir.path().to_owned())
        .look(&first, now)
        .next
        .expect("issued");
    assert_ne!(next.certificate_pem, first.certificate_pem);
    let kept = Identity::load(dir.path(), &name()).expect("loads");
    assert_eq!(
        kept.certificate_pem, first.certificate_pem,
        "what is not a file's is not written"
    );
}

#[test]
fn where_it_is_not_the_node_takes_what_was_issued_last_and_put_in_place_of_its_files() {
    let (dir, ca, first) = folder();
    std::fs::remove_file(dir.path().join(KEY_FILE)).expect("it is there");
    let from = Renewal::Files(dir.path().to_owned());
    let now = *ISSUED + DAY * 5;
    assert_eq!(problem(from.look(&first, now)), "");
    assert!(
        Renewal::Authority(dir.path().to_owned())
            .look(&first, now)
            .next
            .is_none()
    );
    let put = |roles: &[Role], issued| {
        let identity = ca.issue_from(&name(), roles, issued, DAY * 6).expect("issued");
        identity.save(dir.path()).expect("saved");
        identity.certificate_pem
    };
    put(&[Role::Voter], *ISSUED - DAY);
    assert_eq!(problem(from.look(&first, now)), "", "an older one");
    put(&[Role::Voter], now + DAY);
    assert_eq!(problem(from.look(&first, now)), "", "one of tomorrow");
    put(&[Role::Member], now);
    let lacks = "a certificate with the roles member; expected at least voter";
    assert_eq!(problem(from.look(&first, now)), lacks);
    let good = put(&[Role::Voter, Role::Admin], now);
    let next = from.look(&first, now).next.expect("a successor");
    assert_eq!(next.certificate_pem, good);
    assert_eq!(problem(from.look(&next, now)), "");
}

#[test]
fn what_its_peers_would_not_believe_is_not_taken() {
    let (dir, ca, first) = folder();
    let from = Renewal::Files(dir.path().to_owned());
    let now = *ISSUED + DAY;
    // Of another authority, in the files of this cluster.
    let (_other_dir, other, _) = folder();
    let mut foreign = other.issue_from(&name(), &[Role::Voter], now, DAY).expect("issued");
    foreign.save(dir.path()).expect("saved");
    let said = problem(from.look(&first, now));
    assert!(said.contains("UnknownIssuer"), "{said}");
    foreign.cluster = other.cluster().clone();
    let error = first.check_successor(&foreign, now).expect_err("another cluster");
    assert!(matches!(error, IdentityError::Cluster { .. }), "{error}");
    // One that has ended already, and one whose key is another's.
    let ended = ca.issue_from(&name(), &[Role::Voter], now, DAY).expect("issued");
    let error = first.check_successor(&ended, now + DAY * 2).expect_err("ended");
    assert!(error.to_string().contains("certificate expired"), "{error}");
    let mut mixed = ca.issue_from(&name(), &[Role::Voter], now, DAY).expect("issued");
    mixed.key_pem = ended.key_pem;
    let error = first.check_successor(&mixed, now).expect_err("another key");
    assert!(error.to_string().starts_with("cryptography: "), "{error}");
}

#[test]
fn who_has_no_next_certificate_is_warned_in_time_and_told_what_to_do() {
    let (_dir, _ca, first) = folder();
    let validity = first.validity().expect("a certificate");
    let from = Renewal::Files("/certs".into());
    let said = |days: f64, problem| warning(&from, &name(), validity, *ISSUED + DAY.mul_f64(days), problem);
    assert_eq!(said(4.4, None), None);
    let remedy = "put the next one at /certs/nodes/n1.pem and /certs/nodes/n1.key, and it is taken without a restart";
    let ends = format!("the certificate of n1 ends in 1 d 12 h: {remedy}");
    assert_eq!(said(4.5, None), Some(Warning::Ends(ends)));
    let ended = format!("the certificate of n1 has ended, and no node and no shell can reach it: {remedy} (no key)");
    assert_eq!(said(6.0, Some("no key")), Some(Warning::Ended(ended)));
    let early = "the next certificate of n1 is not taken (no key)".to_owned();
    assert_eq!(said(1.0, Some("no key")), Some(Warning::Ends(early)));
}

#[test]
fn times_are_told_in_words() {
    for (seconds, words) in [(5, "5 s"), (60, "1 min"), (3660, "1 h 1 min"), (93_600, "1 d 2 h")] {
        assert_eq!(in_words(Duration::from_secs(seconds)), words);
    }
}
