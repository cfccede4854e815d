//! TLS, as a listener offers it to clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Ocsp, Secret};

/// `tls` of `[listeners.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `certificates`, at least one where there is no `acme`; the first is for clients that name no host of the others.
    pub certificates: Vec<Certificate>,
    /// `acme`
    pub acme: Option<Acme>,
    /// `min-version`
    pub min_version: TlsVersion,
    /// `handshake-timeout`: from the accepted connection (or its PROXY header) to the end of the handshake.
    pub handshake_timeout: Duration,
    /// `client-auth`; without it clients are not asked for a certificate.
    pub client_auth: Option<ClientAuth>,
    /// `ticket-keys`: what keys of session tickets are made of, the first for new ones; else `runtime.secret-key`, else nothing,
    /// which is keys made at random.
    pub ticket_keys: Vec<Secret>,
    /// Where `ticket-keys` were read from.
    pub ticket_keys_file: Option<PathBuf>,
    /// `early-data`: how many bytes clients may send before their handshake is done; `None` where they may not.
    pub early_data: Option<u32>,
}

/// `acme` of `tls`: a certificate that an authority issues while we run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// `domains`, at least one, in lower case, none of them twice.
    pub domains: Vec<Box<str>>,
    /// `contact`: an e-mail address.
    pub contact: Option<Box<str>>,
    /// `directory`: an `https` URL.
    pub directory: Box<str>,
    /// `ca`: whom the directory's own certificate has to be from; `None` is whom this machine trusts.
    pub authorities: Option<Authorities>,
    /// `storage`: a folder, which may not be there yet.
    pub storage: PathBuf,
    /// `challenge`
    pub challenge: Challenge,
}

impl Acme {
    /// Whether both are for one and the same certificate, which is ordered once.
    pub fn is_same_order(&self, other: &Self) -> bool {
        self.storage == other.storage
            && self.directory == other.directory
            && self.domains.len() == other.domains.len()
            && self.domains.iter().all(|one| other.domains.contains(one))
    }
}

/// How an authority sees that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 8555, 8.3
    Http01,
    /// RFC 8737
    TlsAlpn01,
}

/// `client-auth` of `tls`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// `ca`: who issues certificates for clients.
    pub authorities: Authorities,
    /// `mode = "require"`: whether a client without a certificate is refused.
    pub required: bool,
    /// `crl`: lists of certificates that are revoked, in PEM.
    pub revoked: Option<Arc<str>>,
    /// Where the lists were read from.
    pub revoked_file: Option<PathBuf>,
}

/// `tls` of `[upstreams.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Whose certificates servers must have: `ca`, else the authorities that this machine trusts. `None` is `verify = false`:
    /// any certificate will do.
    pub authorities: Option<Authorities>,
    /// `server-name`: what servers are asked for and must have a certificate for, in place of the hosts of their addresses.
    pub server_name: Option<Arc<str>>,
    /// `cert` and `key`: what servers are shown.
    pub certificate: Option<Certificate>,
}

/// Certificates of authorities, as they were when the plan was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// Where they were read from; `None` is the machine's own.
    pub file: Option<PathBuf>,
    /// Each in DER.
    pub certificates: Arc<[Box<[u8]>]>,
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
    /// The host names and IP addresses that it is for, in lower case; a wildcard as `*.example.com`.
    pub names: Vec<Box<str>>,
    /// When it begins to be valid.
    pub not_before: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
    /// `ocsp`: what is shown to clients beside it.
    pub ocsp: Option<Ocsp>,
}
