//! A balancer that clients come into by tokens of two issuers, by keys and by passwords.

use std::fs;

use testkit::{Balancer, EchoServer, Response, TempDir};

use crate::http_proxy::{Setup, start};
use crate::jwt_kit::Issuer;

/// `open:sesame`, by `bcrypt` of Python.
const ALICE: &str = "alice:$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u\n";
/// `secret`, and `hunter2`.
const KEYS: &str = "shop 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n\
     cart f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7\n";

/// Two issuers whose tokens let in by `tokens` and `others`, and files of `keys` and `people`.
pub(crate) struct House {
    pub(crate) issuer: Issuer,
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) other: Issuer,
    folder: TempDir,
    app: EchoServer,
}

impl House {
    pub(crate) fn new() -> Self {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let folder = TempDir::new().expect("a folder");
        for (name, text) in [
            ("tokens.pem", &*issuer.pem()),
            ("others.pem", &*other.pem()),
            ("users", ALICE),
            ("keys", KEYS),
        ] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        Self {
            issuer,
            other,
            folder,
            app: EchoServer::start("app"),
        }
    }

    pub(crate) fn start(&self, tables: &str) -> Balancer {
        let beside = self.folder.path().display();
        let tables = format!(
            "[auth.tokens]\njwt = {{ public-key = \"file:{beside}/tokens.pem\" }}\n\
             [auth.others]\njwt = {{ public-key = \"file:{beside}/others.pem\" }}\n\
             [auth.keys]\napi-key = {{ header = \"x-api-key\", keys = \"file:{beside}/keys\" }}\n\
             [auth.people]\nbasic = {{ users = \"file:{beside}/users\" }}\n\
             {tables}"
        );
        let setup = Setup {
            listener: "protocols = [\"h1\", \"h2\"]",
            tables: &tables,
            ..Setup::default()
        };
        start(&[self.app.address()], setup)
    }
}

/// A route for whatever no other one takes, so that every way to come in is used.
pub(crate) const REST: &str = "[[routes]]\nname = \"rest\"\nauth = [\"tokens\", \"others\", \"keys\", \"people\"]\nrespond.body = \"rest\"\n";

pub(crate) fn ask(balancer: &Balancer, target: &str, fields: &str) -> Response {
    balancer.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}
