//! A voter with a certificate: those who trust its authority reach it, others do not. What is trusted is the system's, which
//! an environment variable adds to, so each case is a process of its own.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::process::Command;

/// Set for the voter only: folder and seconds.
const VOTER: &str = "RUNGS_TEST_RAFT_TLS";

/// Opens a store whose parts reach each other over TLS, and writes and reads a row.
async fn open(told: &str) {
    let (folder, seconds) = told.split_once(';').expect("two parts");
    let folder = Path::new(folder);
    let within = Duration::from_secs(seconds.parse().expect("a number"));
    let tls = Tls {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    };
    let config = Config {
        tls: Some(tls),
        ..config(&folder.join("store"), 1, voters(1))
    };
    let remote = crate::start::remote(&config);
    match RaftStore::open(config, within).await {
        Ok(store) => {
            let client = RaftStore::connect(remote, within).await.expect("connects");
            client.commit(Commit::new([], [put(1)]), WITHIN).await.expect("commits");
            println!(
                "opened {}.",
                store.head.moved(Revision(0), WITHIN).await.expect("reads").revision
            );
        }
        Err(error) => println!("refused: {error}."),
    }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("signs");
    (certificate.pem(), Issuer::new(parameters, key))
}

#[test]
fn only_who_trusts_the_authority_of_a_certificate_is_reached() {
    if let Ok(told) = std::env::var(VOTER) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.expect("a runtime").block_on(open(&told));
    }
    let (trusted, issuer) = authority("cluster");
    let (other, _) = authority("other");
    for (authority, seconds, expected) in [
        (&trusted, 60, "opened r1."),
        (&other, 2, "refused: a majority of the voters"),
    ] {
        let folder = tempfile::TempDir::new().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        write(
            "certificate.pem",
            &certificate.signed_by(&key, &issuer).expect("signs").pem(),
        );
        write("key.pem", &key.serialize_pem());
        write("authority.pem", authority);
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "tests::encrypted::only_who_trusts_the_authority_of_a_certificate_is_reached",
                "--exact",
                "--nocapture",
            ])
            .env(VOTER, format!("{};{seconds}", folder.path().display()))
            .env("SSL_CERT_FILE", folder.path().join("authority.pem"))
            .output()
            .expect("runs");
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(
            out.contains(expected),
            "{expected}: {out}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
