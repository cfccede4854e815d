//! The files of the tests, and the environment they refer to.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_config::plan::{Authorities, Certificate, Countries, Ocsp, OcspFlaw, Secret};
use sluice_config::{FileRole, Source, Surroundings, WrongFile};
use sluice_model::Country;
use sluice_route::CountryLookup;

/// An environment that is the same everywhere.
pub(crate) struct World;

struct Nowhere;

impl CountryLookup for Nowhere {
    fn country_of(&self, _: IpAddr) -> Option<Country> {
        None
    }
}

impl Surroundings for World {
    fn env(&self, name: &str) -> Option<String> {
        let value = match name {
            "PORT" => "8080",
            "WORKERS" => "4",
            "WATCH" => "false",
            "APP" => "app",
            "EMPTY" => "",
            "WORD" => "hunter2",
            "SLUICE_ADMIN_TOKEN" => "hunter2hunter2",
            "SLUICE_SECRET_KEY" => "hunter2hunter2hunter2",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/run/secrets/key") => Ok("hunter2hunter2hunter2".to_owned()),
            Some("/run/secrets/empty") => Ok(String::new()),
            _ => Err("no such file or directory".to_owned()),
        }
    }

    /// What the names of the files say is in them.
    fn certificate(&self, cert: &Path, key: &Path) -> Result<Certificate, WrongFile> {
        let is = |path: &Path, word: &str| path.to_string_lossy().contains(word);
        if is(cert, "missing") {
            return Err(WrongFile::new(
                FileRole::Certificate,
                "there is no such file",
            ));
        }
        if is(key, "encrypted") {
            return Err(WrongFile::new(FileRole::Key, "the key is encrypted").help("decipher it"));
        }
        let day = |day: u64| UNIX_EPOCH + Duration::from_hours(24 * day);
        Ok(Certificate {
            cert: cert.to_owned(),
            key: key.to_owned(),
            chain: "a chain".into(),
            private_key: Secret::new("hunter2"),
            names: if is(cert, "nameless") {
                Vec::new()
            } else {
                vec!["example.com".into()]
            },
            not_before: day(if is(cert, "early") { 20_001 } else { 10_000 }),
            not_after: day(if is(cert, "expired") { 20_000 } else { 30_000 }),
            ocsp: None,
        })
    }

    fn authorities(&self, ca: Option<&Path>) -> Result<Authorities, WrongFile> {
        if ca.is_some_and(|ca| ca.to_string_lossy().contains("missing")) {
            return Err(WrongFile::new(FileRole::Authority, "there is no such file"));
        }
        Ok(Authorities {
            file: ca.map(Path::to_owned),
            certificates: Vec::new().into(),
        })
    }

    fn revoked(&self, crl: &Path) -> Result<(PathBuf, String), WrongFile> {
        if crl.to_string_lossy().contains("missing") {
            return Err(WrongFile::new(FileRole::Revoked, "there is no such file"));
        }
        Ok((crl.to_owned(), "lists".to_owned()))
    }

    /// What the names of the files say is in them.
    fn ocsp(&self, file: &Path, _certificate: &Certificate) -> Result<Ocsp, WrongFile> {
        let name = file.to_string_lossy();
        if name == "missing.ocsp" {
            return Err(WrongFile::new(FileRole::Ocsp, "there is no such file"));
        }
        let day = if name == "old.ocsp" { 20_000 } else { 20_001 };
        Ok(Ocsp {
            file: file.to_owned(),
            response: [1, 2, 3].into(),
            flaw: match &*name {
                "none.ocsp" => Some(OcspFlaw::NoAnswer),
                "other.ocsp" => Some(OcspFlaw::OtherCertificate),
                "revoked.ocsp" => Some(OcspFlaw::Revoked),
                "unknown.ocsp" => Some(OcspFlaw::Unknown),
                _ => None,
            },
            next_update: Some(UNIX_EPOCH + Duration::from_hours(24 * day)),
        })
    }

    fn content(&self, path: &Path) -> Result<(PathBuf, Arc<[u8]>), String> {
        if path.to_string_lossy().contains("missing") {
            return Err("there is no such file".to_owned());
        }
        Ok((path.to_owned(), b"sorry".as_slice().into()))
    }

    fn file(&self, path: &Path) -> Result<(PathBuf, String), String> {
        let key = "hunter2".repeat(5);
        match path.to_str() {
            Some("tickets") => Ok((path.to_owned(), format!("{key}\n\n{key}\n"))),
            Some("tickets-short") => Ok((path.to_owned(), format!("{key}\nhunter2\n"))),
            Some("tickets-empty") => Ok((path.to_owned(), "\n".to_owned())),
            Some("good.htpasswd" | "users.htpasswd") => {
                let hash = "$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u";
                Ok((path.to_owned(), format!("alice:{hash}\n")))
            }
            Some("weak.htpasswd") => Ok((path.to_owned(), "alice:$apr1$a$b\n".to_owned())),
            Some("good.keys" | "keys.txt") => {
                Ok((path.to_owned(), format!("shop {}\n", "0".repeat(64))))
            }
            Some("jwks.json") => {
                let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
                Ok((path.to_owned(), format!("{{\"keys\":[{key}]}}")))
            }
            Some("idp.pem") => {
                let key = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
                let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
                Ok((path.to_owned(), pem))
            }
            Some("plain.keys") => Ok((path.to_owned(), "shop hunter2\n".to_owned())),
            _ => Err("there is no such file".to_owned()),
        }
    }

    fn countries(&self, path: &Path) -> Result<Countries, WrongFile> {
        if path.to_string_lossy().contains("missing") {
            return Err(WrongFile::new(FileRole::Countries, "there is no such file"));
        }
        Ok(Countries {
            file: path.to_owned(),
            hash: 1,
            lookup: Arc::new(Nowhere),
        })
    }

    fn folder(&self, path: &Path) -> Result<PathBuf, String> {
        if path.starts_with("locked") {
            return Err("this process may not write there".to_owned());
        }
        Ok(path.to_owned())
    }

    fn now(&self) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_hours(24 * 20_000))
    }
}

/// The configuration files of a folder beside this one, or of a path from there, by name.
pub(crate) fn files(folder: &str) -> Vec<Source> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| Source {
            name: path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            text: std::fs::read_to_string(path).expect("a file that can be read"),
        })
        .collect()
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
