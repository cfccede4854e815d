//! Every configuration on the project's pages is a good one: no error, and no warning.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sluice_config::plan::{Authorities, Certificate, Countries, Ocsp, Secret};
use sluice_config::{Source, Surroundings, WrongFile, load};
use sluice_model::Country;
use sluice_route::CountryLookup;

use super::pages;

#[test]
fn every_configuration_on_a_page_is_good() {
    let mut count = 0;
    for (page, text) in pages() {
        // What is meant to be wrong names no language.
        for block in toml_blocks(&text) {
            let source = Source {
                name: page.display().to_string(),
                text: completed(block),
            };
            match load(&source, &Anything) {
                Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", loaded.warnings),
                Err(report) => panic!("{report}"),
            }
            count += 1;
        }
    }
    assert!(count > 3, "only {count} configurations found");
}

/// A page may show a single table: it gets what every file needs.
fn completed(block: &str) -> String {
    let mut text = block.to_owned();
    if !block.contains("[listeners.") {
        text.push_str("\n[listeners.web]\naddress = \":8080\"\n");
    }
    if !block.contains("[upstreams.") {
        text.push_str("\n[upstreams.app]\nservers = [\"127.0.0.1:9001\"]\n");
    }
    text
}

#[test]
fn only_blocks_of_toml_are_taken() {
    let text = "a\n```toml\nx = 1\n```\nb `toml`\n```sh\nls\n```\n```toml\ny = 2\n```\n";
    assert_eq!(toml_blocks(text), ["x = 1\n", "y = 2\n"]);
}

fn toml_blocks(text: &str) -> Vec<&str> {
    let after = text.split("```toml\n").skip(1);
    after
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect()
}

/// Every variable is set and every secret is there.
struct Anything;

/// Who knows of no country.
struct Nowhere;

impl CountryLookup for Nowhere {
    fn country_of(&self, _: IpAddr) -> Option<Country> {
        None
    }
}

impl Surroundings for Anything {
    fn env(&self, _: &str) -> Option<String> {
        Some("a-text-long-enough-for-a-secret".to_owned())
    }

    fn secret(&self, _: &Path) -> Result<String, String> {
        Ok("a-text-long-enough-for-a-secret".to_owned())
    }

    fn authorities(&self, ca: Option<&Path>) -> Result<Authorities, WrongFile> {
        Ok(Authorities {
            file: ca.map(Path::to_owned),
            certificates: Vec::new().into(),
        })
    }

    fn revoked(&self, crl: &Path) -> Result<(PathBuf, String), WrongFile> {
        Ok((crl.to_owned(), "lists".to_owned()))
    }

    fn file(&self, path: &Path) -> Result<(PathBuf, String), String> {
        let text = match path.to_str() {
            Some("users.htpasswd") => {
                "alice:$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u".to_owned()
            }
            Some("keys.txt") => format!("shop {}", "0".repeat(64)),
            Some("jwks.json") => r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#.to_owned(),
            Some("idp.pem") => "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n".to_owned(),
            _ => "a text that is long enough for a key of tickets".to_owned(),
        };
        Ok((path.to_owned(), text))
    }

    fn ocsp(&self, file: &Path, _: &Certificate) -> Result<Ocsp, WrongFile> {
        Ok(Ocsp {
            file: file.to_owned(),
            response: Vec::new().into(),
            flaw: None,
            next_update: None,
        })
    }

    fn countries(&self, path: &Path) -> Result<Countries, WrongFile> {
        Ok(Countries {
            file: path.to_owned(),
            hash: 0,
            lookup: Arc::new(Nowhere),
        })
    }

    fn folder(&self, path: &Path) -> Result<PathBuf, String> {
        Ok(path.to_owned())
    }

    fn certificate(&self, cert: &Path, key: &Path) -> Result<Certificate, WrongFile> {
        Ok(Certificate {
            cert: cert.to_owned(),
            key: key.to_owned(),
            chain: "a chain".into(),
            private_key: Secret::new("a key"),
            names: vec!["example.com".into()],
            not_before: SystemTime::UNIX_EPOCH,
            not_after: SystemTime::UNIX_EPOCH,
            ocsp: None,
        })
    }
}
