//! Certificates of a test's own, a balancer that serves them, and `openssl s_client` as the client.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};
use testkit::{DEADLINE, TempDir};

/// A folder of certificates, all of one authority.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate's files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("to write");
        // What tools sign with.
        std::fs::write(folder.path().join("ca.key"), key.serialize_pem()).expect("to write");
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// What else it signs with.
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for these names with an ECDSA key, in files called `file`.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> Files {
        self.issue_with(file, names, &rcgen::PKCS_ECDSA_P256_SHA256, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        file: &str,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Files {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = Files {
            cert: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        };
        // The key first: the balancer may look at any moment.
        std::fs::write(&files.key, key.serialize_pem()).expect("to write");
        std::fs::write(&files.cert, certificate.pem()).expect("to write");
        files
    }
}

impl Files {
    /// As an item of `certificates`.
    pub(crate) fn item(&self) -> String {
        format!(
            "{{ cert = \"{}\", key = \"{}\" }}",
            self.cert.display(),
            self.key.display()
        )
    }
}

/// `tls.certificates` of these.
#[allow(
    dead_code,
    reason = "one of the files that share this does not need it"
)]
pub(crate) fn certificates(files: &[&Files]) -> String {
    let items: Vec<String> = files.iter().map(|files| files.item()).collect();
    format!("tls.certificates = [{}]\n", items.join(", "))
}

/// Pieces of its output that wait to be looked at.
const PIECES: usize = 4096;

/// A running `openssl s_client`, spoken through. It is killed when dropped.
pub(crate) struct SClient {
    child: Child,
    output: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl SClient {
    /// Connects; `more` are further arguments. What it tells of the handshake comes before what the server sends.
    pub(crate) fn connect(address: SocketAddr, more: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &address.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut stdout = child.stdout.take().expect("a pipe");
        let (sender, output) = sync_channel(PIECES);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            output,
            seen: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.child.stdin.as_mut().expect("not ended");
        stdin.write_all(bytes.as_ref()).expect("it reads");
        stdin.flush().expect("it reads");
    }

    /// Waits for `part`; everything up to and with it, from the beginning.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let last = Instant::now() + DEADLINE;
        loop {
            let text = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(at) = text.find(part) {
                self.seen = text.as_bytes()[at + part.len()..].to_vec();
                return text[..at + part.len()].to_owned();
            }
            let left = last.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.extend_from_slice(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("no {part:?} in {text}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {part:?}: {text}"),
            }
        }
    }

    /// Waits for its end; what it said beside what was waited for.
    #[track_caller]
    pub(crate) fn wait_end(mut self) -> String {
        let last = Instant::now() + DEADLINE;
        loop {
            let left = last.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.extend_from_slice(&bytes),
                Err(RecvTimeoutError::Disconnected) => {
                    return String::from_utf8_lossy(&self.seen).into_owned();
                }
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
    }

    /// Ends our side.
    #[allow(
        dead_code,
        reason = "one of the files that share this does not need it"
    )]
    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }
}

impl Drop for SClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// curl, which trusts `ca`, to `https://HOST:PORT/…` at `address`.
pub(crate) fn https(
    address: SocketAddr,
    ca: &Path,
    host: &str,
    target: &str,
    more: &[&str],
) -> testkit::Finished {
    let port = address.port();
    let url = format!("https://{host}:{port}{target}");
    let resolve = format!("{host}:{port}:{}", address.ip());
    let ca = ca.to_str().expect("UTF-8");
    testkit::curl(&[&["--cacert", ca, "--resolve", &resolve, &url], more].concat())
}
