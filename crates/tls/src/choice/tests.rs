use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519, RSA_PSS_SHA256};

use super::*;
use crate::certificate::parse;

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> Arc<CertifiedKey> {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    Arc::new(parse(&certificate.pem(), &key.serialize_pem()).expect("a pair"))
}

fn names(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| Box::from(*name)).collect()
}

#[test]
fn the_exact_name_goes_before_a_wildcard_and_that_before_the_first() {
    let (first, exact, wild) = (
        key(&PKCS_ECDSA_P256_SHA256),
        key(&PKCS_ECDSA_P256_SHA256),
        key(&PKCS_ECDSA_P256_SHA256),
    );
    let lists = [
        names(&["first.test"]),
        names(&["a.test", "b.a.test"]),
        names(&["*.a.test"]),
    ];
    let all = [&first, &exact, &wild];
    let choice = Choice::new(
        lists
            .iter()
            .map(Vec::as_slice)
            .zip(all.map(|key| Arc::clone(key).into())),
    );
    for (name, wanted) in [
        (Some("first.test"), &first),
        (Some("a.test"), &exact),
        (Some("A.Test"), &exact),
        (Some("b.a.test"), &exact),
        (Some("c.a.test"), &wild),
        (Some("d.c.a.test"), &first),
        (Some("test"), &first),
        (Some(""), &first),
        (None, &first),
    ] {
        let chosen = choice.choose(name, &[ECDSA_NISTP256_SHA256]).expect("one");
        assert!(Arc::ptr_eq(&chosen, wanted), "{name:?}");
    }
}

#[test]
fn a_client_gets_the_cheapest_key_that_it_can_check() {
    let (rsa, ed, ec) = (
        key(&PKCS_RSA_SHA256),
        key(&PKCS_ED25519),
        key(&PKCS_ECDSA_P256_SHA256),
    );
    let name = names(&["a.test"]);
    let all = [&rsa, &ed, &ec];
    let choice = Choice::new(all.map(|key| (name.as_slice(), Arc::clone(key).into())));
    for (offered, wanted) in [
        (&[RSA_PSS_SHA256, ED25519, ECDSA_NISTP256_SHA256][..], &ec),
        (&[RSA_PSS_SHA256, ED25519], &ed),
        (&[RSA_PSS_SHA256], &rsa),
        (&[], &ec),
    ] {
        for name in [Some("a.test"), None] {
            let chosen = choice.choose(name, offered).expect("one");
            assert!(Arc::ptr_eq(&chosen, wanted), "{name:?} {offered:?}");
        }
    }
}

#[test]
fn what_is_issued_is_served_for_its_hosts_from_then_on() {
    let issued = Arc::new(Issued::default());
    let file = key(&PKCS_ECDSA_P256_SHA256);
    let hosts = names(&["a.test", "new.test"]);
    let in_file = names(&["first.test", "a.test"]);
    let choice = Choice::new([(&in_file[..], Arc::clone(&file).into())])
        .awaiting(&hosts, Arc::clone(&issued));
    let alone = Choice::new([]).awaiting(&hosts, Arc::clone(&issued));
    let serves =
        |choice: &Choice, name: Option<&str>| choice.choose(name, &[ECDSA_NISTP256_SHA256]);
    let is_file = |name| serves(&choice, name).is_some_and(|key| Arc::ptr_eq(&key, &file));

    assert!(is_file(Some("a.test")), "until the other is there");
    assert!(
        serves(&choice, Some("new.test")).is_none(),
        "no other host's"
    );
    assert!(is_file(None) && is_file(Some("other.test")));
    assert!(serves(&alone, Some("a.test")).is_none());
    assert!(serves(&alone, None).is_none());

    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
    let pem = params.self_signed(&pair).expect("a certificate").pem();
    let certificate = crate::load("a".into(), "a".into(), &pem, &pair.serialize_pem());
    issued.put(certificate.expect("a pair")).expect("a pair");
    let new = issued.key().expect("it is there");
    let is_new =
        |choice: &Choice, name| serves(choice, name).is_some_and(|key| Arc::ptr_eq(&key, &new));
    assert!(is_new(&choice, Some("A.test")) && is_new(&choice, Some("new.test")));
    assert!(is_file(None) && is_file(Some("first.test")));
    assert!(is_new(&alone, None) && is_new(&alone, Some("new.test")));
    let only_rsa = choice
        .choose(Some("a.test"), &[RSA_PSS_SHA256])
        .expect("any");
    assert!(
        Arc::ptr_eq(&only_rsa, &file),
        "neither can be checked: as without"
    );
}
