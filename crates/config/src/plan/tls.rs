//! TLS, as a listener offers it to clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Secret;

/// `tls` of `[listeners.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `certificates`, at least one; the first is for clients that name no host of the others.
    pub certificates: Vec<Certificate>,
    /// `min-version`
    pub min_version: TlsVersion,
    /// `handshake-timeout`: from the accepted connection (or its PROXY header) to the end of the handshake.
    pub handshake_timeout: Duration,
    /// `ticket-keys`: what keys of session tickets are made of, the first for new ones; else `runtime.secret-key`, else nothing,
    /// which is keys made at random.
    pub ticket_keys: Vec<Secret>,
    /// Where `ticket-keys` were read from.
    pub ticket_keys_file: Option<PathBuf>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

/// One of `certificates`: what its files held when the plan was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Where the chain was read from.
    pub cert: PathBuf,
    /// Where the key was read from.
    pub key: PathBuf,
    /// The chain in PEM, the certificate itself first.
    pub chain: Arc<str>,
    /// The private key in PEM, which belongs to the chain.
    pub private_key: Secret,
    /// The host names that it is for, in lower case; a wildcard as `*.example.com`.
    pub names: Vec<Box<str>>,
    /// When it begins to be valid.
    pub not_before: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
}
