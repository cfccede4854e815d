//! A file of `examples/`, run as it is but for its addresses and the folder of its certificates.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use testkit::{Balancer, Options, Response};

/// The folder of the examples.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// An example with other addresses in the place of its own, each by the same wherever it stands.
pub(crate) struct Example {
    text: String,
    replaced: BTreeMap<&'static str, String>,
}

impl Example {
    pub(crate) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(name)).expect("an example");
        Self {
            text,
            replaced: BTreeMap::new(),
        }
    }

    /// Puts a server in the place of an address.
    pub(crate) fn server(mut self, address: &'static str, server: SocketAddr) -> Self {
        self.replaced.insert(address, server.to_string());
        self
    }

    /// Lets a listener have a free port.
    #[allow(
        dead_code,
        reason = "one of the files that share this does not need it"
    )]
    pub(crate) fn listener(mut self, address: &'static str, name: &str) -> Self {
        self.replaced
            .insert(address, format!("127.0.0.1:<port:{name}>"));
        self
    }

    /// Takes the certificates from this folder.
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) fn certificates(mut self, folder: &Path) -> Self {
        self.replaced
            .insert("\"certs/", format!("\"{}/", folder.display()));
        self
    }

    /// Puts another text in the place of one.
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) fn text(mut self, own: &'static str, replacement: String) -> Self {
        self.replaced.insert(own, replacement);
        self
    }

    pub(crate) fn run(self) -> Balancer {
        self.run_with(&Options::default())
    }

    pub(crate) fn run_with(mut self, options: &Options) -> Balancer {
        for (own, replacement) in &self.replaced {
            assert!(self.text.contains(own), "no {own} in:\n{}", self.text);
            self.text = self.text.replace(own, replacement);
        }
        Balancer::start_with(env!("CARGO_BIN_EXE_sluice"), &self.text, options)
    }
}

/// The answer to a `GET` with these field lines.
#[allow(dead_code, reason = "some of the files that share this need it")]
pub(crate) fn ask(balancer: &Balancer, target: &str, fields: &str) -> Response {
    balancer.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

/// How many of so many are served.
#[allow(dead_code, reason = "some of the files that share this need it")]
pub(crate) fn served(balancer: &Balancer, count: usize, target: &str, fields: &str) -> usize {
    let statuses = (0..count).map(|_| ask(balancer, target, fields).status);
    statuses.filter(|status| *status == 200).count()
}
