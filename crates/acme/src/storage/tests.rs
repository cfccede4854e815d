use std::os::unix::fs::PermissionsExt as _;

use sluice_config::plan::Challenge;

use super::*;

fn acme(folder: &Path, domains: &[&str]) -> Acme {
    Acme {
        domains: domains.iter().map(|one| Box::from(*one)).collect(),
        contact: None,
        directory: "https://ca.internal:14000/acme/Dir?x".into(),
        authorities: None,
        storage: folder.to_owned(),
        challenge: Challenge::Http01,
    }
}

/// A chain and its key in PEM.
fn pair(names: &[&str]) -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn what_is_kept_is_found_again_and_only_the_owner_can_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = acme(folder.path(), &["b.test", "a.test"]);
    let storage = Storage::of(&wanted);
    let none = storage.certificate(&wanted.domains).expect("no mistake");
    assert!(none.is_none());

    let (chain, key) = pair(&["a.test", "b.test"]);
    let (certificate, text) = storage
        .certificate_of(&wanted.domains, &key, &chain)
        .expect("for these");
    storage.keep_certificate(&text).expect("to write");
    storage.keep_certificate(&text).expect("to replace");
    let found = storage.certificate(&wanted.domains).expect("to read");
    assert_eq!(found.as_ref(), Some(&certificate));

    let own = folder.path().join("ca.internal-14000-acme-dir-x");
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&own), 0o700);
    assert_eq!(mode(&certificate.cert), 0o600);
    let files: Vec<_> = fs::read_dir(&own).expect("a folder").collect();
    assert_eq!(files.len(), 1, "nothing is left over: {files:?}");
}

#[test]
fn a_set_of_domains_has_one_file_in_whatever_order() {
    let place = |domains: &[&str]| Storage::of(&acme(Path::new("/x"), domains)).certificate;
    assert_eq!(place(&["a.test", "b.test"]), place(&["b.test", "a.test"]));
    assert_ne!(place(&["a.test", "b.test"]), place(&["a.test", "c.test"]));
    assert_ne!(place(&["a.test", "b.test"]), place(&["a.test"]));
    assert!(place(&["a.test"]).ends_with("a.test.pem"));
}

#[test]
fn what_is_not_for_us_is_not_used() {
    let storage = Storage::of(&acme(Path::new("/x"), &["a.test"]));
    let (chain, key) = pair(&["b.test"]);
    let (_, other) = pair(&["a.test"]);
    let wanted = [Box::from("a.test")];
    let reason = |key: &str, chain: &str| {
        let used = storage.certificate_of(&wanted, key, chain);
        used.expect_err("of no use")
    };
    assert_eq!(reason(&key, &chain), "it is not for a.test");
    assert_eq!(
        reason(&other, &chain),
        "this is not the key of that certificate"
    );
    assert_eq!(reason(&key, ""), "no certificate is in it");
}
