//! Where accounts and certificates are kept: a folder for each authority, in it an account and a file for each certificate.
//!
//! Files are replaced as a whole and can be read by their owner only. A certificate and its key are in one file, so that no crash can
//! leave one of them without the other.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sluice_config::plan::{Acme, Certificate};
use thiserror::Error;

/// The places of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    folder: PathBuf,
    certificate: PathBuf,
}

/// What went wrong with which file.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub(crate) struct StorageError {
    path: PathBuf,
    reason: String,
}

impl Storage {
    pub(crate) fn of(acme: &Acme) -> Self {
        let folder = acme.storage.join(folder_name(&acme.directory));
        let certificate = folder.join(file_name(&acme.domains));
        Self {
            folder,
            certificate,
        }
    }

    /// Where the account is, which all orders with this authority share.
    pub(crate) fn account(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    /// What is kept at `path`; `None` where there is nothing yet.
    pub(crate) fn read(path: &Path) -> Result<Option<String>, StorageError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::new(path, error)),
        }
    }

    /// Puts `text` in the place of what was at `path`.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<(), StorageError> {
        let wrong = |error| StorageError::new(path, error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(wrong)?;
        let new = path.with_extension("new");
        // One that a crash has left may have other rights.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(wrong)?;
        file.write_all(text.as_bytes()).map_err(wrong)?;
        file.sync_all().map_err(wrong)?;
        fs::rename(&new, path).map_err(wrong)?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(wrong)
    }

    /// Puts what is at `path` aside, for whoever wants to look at it.
    pub(crate) fn set_aside(path: &Path) -> Result<(), StorageError> {
        fs::rename(path, path.with_extension("old")).map_err(|error| StorageError::new(path, error))
    }

    /// The certificate that is kept for these domains; `None` where there is none.
    pub(crate) fn certificate(
        &self,
        domains: &[Box<str>],
    ) -> Result<Option<Certificate>, StorageError> {
        let path = &self.certificate;
        let Some(text) = Self::read(path)? else {
            return Ok(None);
        };
        self.parse(domains, &text)
            .map(Some)
            .map_err(|reason| StorageError::new(path, reason))
    }

    /// A certificate from its chain and its key in PEM, as it is kept.
    pub(crate) fn certificate_of(
        &self,
        domains: &[Box<str>],
        private_key: &str,
        chain: &str,
    ) -> Result<(Certificate, String), String> {
        let text = format!("{}\n{}\n", private_key.trim(), chain.trim());
        let certificate = self.parse(domains, &text)?;
        Ok((certificate, text))
    }

    pub(crate) fn keep_certificate(&self, text: &str) -> Result<(), StorageError> {
        self.write(&self.certificate, text)
    }

    fn parse(&self, domains: &[Box<str>], text: &str) -> Result<Certificate, String> {
        let path = || self.certificate.clone();
        let at = text.find(BEGIN).ok_or("no certificate is in it")?;
        let (private_key, chain) = text.split_at(at);
        let certificate =
            sluice_tls::load(path(), path(), chain, private_key).map_err(|wrong| wrong.reason)?;
        let missing = domains.iter().find(|one| !certificate.names.contains(one));
        missing.map_or(Ok(certificate), |domain| {
            Err(format!("it is not for {domain}"))
        })
    }
}

impl StorageError {
    fn new(path: &Path, reason: impl Into<Box<dyn std::error::Error>>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into().to_string(),
        }
    }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Of the directory's URL what a person tells authorities apart by.
fn folder_name(directory: &str) -> String {
    let rest = directory.strip_prefix("https://").unwrap_or(directory);
    let plain = |letter: char| match letter {
        'a'..='z' | '0'..='9' | '.' | '-' => letter,
        'A'..='Z' => letter.to_ascii_lowercase(),
        _ => '-',
    };
    let name: String = rest.chars().map(plain).collect();
    name.trim_matches(['-', '.']).chars().take(200).collect()
}

/// The first domain, and where there are more a number that stands for all of them, in whatever order.
fn file_name(domains: &[Box<str>]) -> String {
    let first = domains.first().map_or("certificate", |first| first);
    if domains.len() == 1 {
        return format!("{first}.pem");
    }
    let mut sorted: Vec<&str> = domains.iter().map(|one| &**one).collect();
    sorted.sort_unstable();
    let first = sorted.first().copied().unwrap_or(first);
    format!("{first}+{}-{:08x}.pem", domains.len() - 1, fnv1a(&sorted))
}

/// The same on every machine and in every version, unlike the hashes of the standard library.
fn fnv1a(words: &[&str]) -> u32 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests;
