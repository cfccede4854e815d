//! Signatures that others have thought of: the vectors of Project Wycheproof for JSON Web Signatures.

use serde_json::Value;
use sluice_auth::jwt::{Keys, Rules};

const VECTORS: &str = include_str!("wycheproof/json_web_signature_test.json");

/// 346 and 350 are of PS384, with a key that says it is for PS256 alone: they are refused. 372 and 373 have a `?` in base64url: they are refused.
/// 367 and 370 are meant to have a wrong padding, and have none: they are as the valid one is.
const EXCEPTIONS: &[u64] = &[346, 350, 367, 370, 372, 373];

#[test]
fn what_is_valid_is_taken_and_nothing_else() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("vectors");
    let (mut valid, mut invalid) = (0, 0);
    let mut wrong = Vec::new();
    for group in vectors["testGroups"].as_array().expect("groups") {
        // The name of the algorithm of P-521 is ES512.
        let key = group["key"].to_string().replace("ES521", "ES512");
        let keys = Keys::set(&format!("{{\"keys\":[{key}]}}"));
        for test in group["tests"].as_array().expect("tests") {
            let token = test["jws"].as_str().expect("a token");
            let is_taken = keys.as_ref().is_ok_and(|keys| {
                let rules = Rules {
                    algorithms: Box::default(),
                    issuers: Box::default(),
                    audiences: Box::default(),
                    leeway: 0,
                };
                rules.verify_signature(token, keys).is_ok()
            });
            let is_valid = test["result"] == "valid";
            if is_valid {
                valid += 1;
            } else {
                invalid += 1;
            }
            let id = test["tcId"].as_u64().unwrap_or_default();
            if is_taken != is_valid && !EXCEPTIONS.contains(&id) {
                wrong.push(format!(
                    "{}: {} {}",
                    test["tcId"], group["comment"], test["comment"]
                ));
            }
        }
    }
    assert_eq!((valid, invalid), (46, 355));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
