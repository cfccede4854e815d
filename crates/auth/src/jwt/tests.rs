//! Tokens that are made here by the keys of their servers, and what is wrong with others.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::engine::general_purpose::STANDARD;

use super::*;

const SECRET: &[u8] = b"a secret that is long enough for a test";
const NOW: u64 = 1_000_000;

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", encoded(signature))
}

fn token(claims: &str) -> String {
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, claims)
}

fn rules() -> Rules {
    Rules {
        algorithms: Box::default(),
        issuers: Box::new(["idp".into(), "other".into()]),
        audiences: Box::new(["api".into()]),
        leeway: 30,
    }
}

fn verdict(token: &str) -> Result<Claims, JwtError> {
    rules().verify(token, &Keys::secret(SECRET), NOW)
}

#[test]
fn claims_are_held_to_the_rules() {
    let right = r#"{"iss":"idp","aud":["x","api"],"exp":1000060,"nbf":1000030,"sub":"alice","n":7.5,"l":["a",1,true],"o":{}}"#;
    let claims = verdict(&token(right)).expect("right");
    assert_eq!(claims.expires(), 1_000_090);
    for (name, text) in [
        ("sub", Some("alice")),
        ("n", Some("7.5")),
        ("l", Some("a,1,true")),
        ("o", None),
        ("x", None),
    ] {
        assert_eq!(claims.text(name).as_deref(), text, "{name}");
    }
    for (claims, error) in [
        (r#"{"iss":"idp","aud":"api"}"#, JwtError::Expired),
        (
            r#"{"iss":"idp","aud":"api","exp":999970}"#,
            JwtError::Expired,
        ),
        (
            r#"{"iss":"idp","aud":"api","exp":"1000060"}"#,
            JwtError::Malformed,
        ),
        (
            r#"{"iss":"idp","aud":"api","exp":1000060,"nbf":1000031}"#,
            JwtError::Early,
        ),
        (
            r#"{"iss":"idp ","aud":"api","exp":1000060}"#,
            JwtError::Issuer,
        ),
        (r#"{"aud":"api","exp":1000060}"#, JwtError::Issuer),
        (
            r#"{"iss":"idp","aud":"ap","exp":1000060}"#,
            JwtError::Audience,
        ),
        (
            r#"{"iss":"idp","aud":[],"exp":1000060}"#,
            JwtError::Audience,
        ),
        ("[]", JwtError::Malformed),
    ] {
        assert_eq!(verdict(&token(claims)), Err(error), "{claims}");
    }
}

#[test]
fn heads_say_nothing_that_is_believed() {
    let claims = r#"{"iss":"idp","aud":"api","exp":1000060}"#;
    for (header, error) in [
        (r#"{"alg":"none"}"#, JwtError::Algorithm),
        (r#"{"alg":"hs256"}"#, JwtError::Algorithm),
        (r"{}", JwtError::Algorithm),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            JwtError::Critical,
        ),
        (r#"{"alg":"HS256","kid":7}"#, JwtError::Malformed),
        (r#"{"alg":"RS256"}"#, JwtError::NoKey),
        (r#"{"alg":"HS384"}"#, JwtError::Signature),
        ("x", JwtError::Malformed),
    ] {
        assert_eq!(verdict(&signed(header, claims)), Err(error), "{header}");
    }
    let only = Rules {
        algorithms: Box::new([Algorithm::Hs512]),
        ..rules()
    };
    assert_eq!(
        only.verify(&token(claims), &Keys::secret(SECRET), NOW),
        Err(JwtError::Algorithm)
    );
    let whole = token(claims);
    for wrong in [
        "",
        ".",
        "..",
        "a.b",
        &whole[1..],
        &format!("{whole}=="),
        &format!("{whole}.x"),
        &"a".repeat(LONGEST + 1),
    ] {
        assert_eq!(verdict(wrong), Err(JwtError::Malformed), "{wrong}");
    }
}

fn pem(der: &[u8]) -> String {
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    )
}

#[test]
fn a_public_key_verifies_and_is_no_secret() {
    let random = SystemRandom::new();
    let claims = r#"{"iss":"idp","aud":"api","exp":1000060}"#;
    let made = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let public = pem(made.public_key().as_der().expect("a key").as_ref());
    let (rules, keys) = (rules(), Keys::public(&public).expect("a key"));
    let signed = format!("{}.{}", encoded(r#"{"alg":"ES256"}"#), encoded(claims));
    let signature = made.sign(&random, signed.as_bytes()).expect("a signature");
    assert!(
        rules
            .verify(&format!("{signed}.{}", encoded(signature)), &keys, NOW)
            .is_ok()
    );

    // A token that takes the public key for a secret (RFC 8725, 2.1).
    let signed = format!("{}.{}", encoded(r#"{"alg":"HS256"}"#), encoded(claims));
    for secret in [public.as_bytes(), made.public_key().as_ref()] {
        let signature = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            signed.as_bytes(),
        );
        let forged = format!("{signed}.{}", encoded(signature));
        assert_eq!(rules.verify(&forged, &keys, NOW), Err(JwtError::NoKey));
    }
}

#[test]
fn sets_have_keys_by_their_ids() {
    let made = Ed25519KeyPair::generate().expect("a key");
    let x = encoded(made.public_key());
    let set = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"now","alg":"EdDSA","x":"{x}"}},{{"kty":"new"}},{{"kty":"oct","k":"AAAA","use":"enc"}}]}}"#
    );
    let keys = Keys::set(&set).expect("a set");
    assert!(!format!("{keys:?}").contains(&x));
    let rules = rules();
    let claims = encoded(r#"{"iss":"idp","aud":"api","exp":1000060}"#);
    let verdict = |header: &str| {
        let signed = format!("{}.{claims}", encoded(header));
        let signature = made.sign(signed.as_bytes());
        rules
            .verify(&format!("{signed}.{}", encoded(signature)), &keys, NOW)
            .map(drop)
    };
    assert_eq!(verdict(r#"{"alg":"EdDSA","kid":"now"}"#), Ok(()));
    assert_eq!(verdict(r#"{"alg":"EdDSA"}"#), Ok(()));
    assert_eq!(
        verdict(r#"{"alg":"EdDSA","kid":"old"}"#),
        Err(JwtError::NoKey)
    );
    for (wrong, error) in [
        ("", KeysError::NoSet),
        ("{}", KeysError::NoSet),
        (r#"{"keys":[]}"#, KeysError::Empty),
        (r#"{"keys":[{"kty":"new"}]}"#, KeysError::Empty),
        (
            r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#,
            KeysError::Malformed(1),
        ),
    ] {
        assert_eq!(Keys::set(wrong), Err(error), "{wrong}");
    }
    for (wrong, error) in [
        ("", KeysError::NoPem),
        (&pem(b"x")[..], KeysError::Unknown),
        ("-----BEGIN PUBLIC KEY-----", KeysError::NoPem),
    ] {
        assert_eq!(Keys::public(wrong), Err(error), "{wrong}");
    }
}

#[test]
fn other_keys_are_worth_a_look_only_where_the_claims_are_right() {
    let other = Keys::secret(b"another secret");
    for (claims, error) in [
        (
            r#"{"iss":"idp","aud":"api","exp":1000060}"#,
            JwtError::Signature,
        ),
        (r#"{"iss":"idp","aud":"api","exp":999}"#, JwtError::Expired),
        (r#"{"iss":"x","aud":"api","exp":1000060}"#, JwtError::Issuer),
        (
            r#"{"iss":"idp","aud":"x","exp":1000060}"#,
            JwtError::Audience,
        ),
    ] {
        assert_eq!(rules().verify(&token(claims), &other, NOW), Err(error));
        assert_eq!(error.may_be_for_other_keys(), error == JwtError::Signature);
    }
}

#[test]
fn secrets_that_anybody_may_read_are_no_keys() {
    let secret = r#"{"kty":"oct","k":"AAAA"}"#;
    let public =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let both = format!(r#"{{"keys":[{secret},{public}]}}"#);
    assert_eq!(Keys::set(&both).map(|keys| keys.len()), Ok(2));
    let only = format!(r#"{{"keys":[{public}]}}"#);
    assert_eq!(Keys::published(&both), Keys::set(&only));
    let none = format!(r#"{{"keys":[{secret}]}}"#);
    assert_eq!(Keys::published(&none), Err(KeysError::Empty));
}
