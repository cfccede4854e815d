//! The keys of TLS, towards clients and towards servers.

use std::time::Duration;

use super::{HOUR, MILLISECOND, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `tls` of `[listeners.NAME]`
pub(crate) static TLS: Shape = Shape {
    place: "`tls` of `[listeners.NAME]`",
    doc: "TLS 1.2 and 1.3 towards clients.",
    keys: &[
        Key::new(
            "certificates",
            Kind::List {
                item: &Kind::Table(&CERTIFICATE),
                min: 1,
            },
            Default::Depends("none; needed where `acme` is not set"),
            "The certificates, chosen by the host that a client names (SNI) from the names in each; the first for whoever names another \
             or none. Several may be for one name with keys of different types: a client gets one that it can check.",
        )
        .also(&["certificate", "certs", "cert", "crt"]),
        Key::new(
            "acme",
            Kind::Table(&ACME),
            Default::Absent("no certificate is asked for"),
            "A certificate that an authority issues while the balancer runs, and renews (ACME), alone or beside `certificates`. \
             [acme.md](acme.md) says more.",
        )
        .also(&["letsencrypt", "lets-encrypt", "auto", "autocert", "certresolver"]),
        Key::new(
            "min-version",
            Kind::Choice(&[Choice::new("1.2"), Choice::new("1.3")]),
            Default::Is("\"1.2\""),
            "The oldest version of TLS that is spoken.",
        )
        .also(&["ssl-min-ver", "minimum-version", "protocols", "versions"]),
        Key::new(
            "handshake-timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"10s\""),
            "How long a handshake may take.",
        ),
        Key::new(
            "hsts",
            duration(Duration::ZERO, TEN_YEARS),
            Default::Absent("no such field"),
            "http only: adds `Strict-Transport-Security` to every answer: for this long, browsers use https only. `\"0s\"` takes it back.",
        )
        .also(&["strict-transport-security"]),
        Key::new(
            "client-auth",
            Kind::Table(&CLIENT_AUTH),
            Default::Absent("clients are not asked for a certificate"),
            "Certificates of clients (mutual TLS).",
        )
        .also(&["mtls", "client-ca", "verify"]),
        Key::new(
            "ticket-keys",
            Kind::Text(Form::File),
            Default::Depends("keys made of `runtime.secret-key` where that is set, else at random"),
            "A file of which the keys of session tickets are made, the same on several balancers so that each can resume the sessions of \
             the others: a text of at least 32 characters a line, such as `openssl rand -base64 48` prints. The first is for new tickets, all are \
             for those that come back. Read again when it changes.",
        )
        .also(&["tls-ticket-keys", "session-ticket-key", "ticket-key"]),
        Key::new(
            "early-data",
            Kind::Either(&[Kind::Flag, Kind::Table(&EARLY_DATA)]),
            Default::Is("false"),
            "http only: takes requests within the handshake of a client that comes again (0-RTT), over HTTP/3 too. Only for safe methods; \
             servers are told by `Early-Data: 1` and must know what that means (RFC 8470). Sessions are then kept here, not in tickets.",
        )
        .also(&["0-rtt", "zero-rtt", "ssl-early-data", "allow-0rtt"]),
    ],
};

/// `early-data` of `tls`, as a table
static EARLY_DATA: Shape = Shape {
    place: "`early-data` of `tls` of `[listeners.NAME]`",
    doc: "What is taken within the handshake.",
    keys: &[Key::new(
        "max-size",
        Kind::Size {
            min: 1 << 10,
            max: 1 << 20,
        },
        Default::Is("\"16KiB\""),
        "Bytes that a client may send before its handshake is done; over HTTP/3, `initial-window` bounds them.",
    )
    .also(&["max", "size", "max-early-data"])],
};

/// `acme` of `tls`
pub(crate) static ACME: Shape = Shape {
    place: "`acme` of `tls` of `[listeners.NAME]`",
    doc: "A certificate by ACME (RFC 8555): which, from whom, and how they see that the names are ours. To set it is to agree to the terms \
          of service of the authority.",
    keys: &[
        Key::new(
            "domains",
            Kind::List {
                item: &Kind::Text(Form::Domain),
                min: 1,
            },
            Default::Required("[\"example.com\", \"www.example.com\"]"),
            "The host names, all in one certificate. No wildcards: they need DNS-01, which is not spoken.",
        )
        .also(&["domain", "names", "hosts", "san", "main"]),
        Key::new(
            "contact",
            Kind::Text(Form::Mail),
            Default::Absent("the account has no contact"),
            "The e-mail address that the authority may write to.",
        )
        .also(&["email", "mail"]),
        Key::new(
            "directory",
            Kind::Text(Form::HttpsUrl),
            Default::Is("\"https://acme-v02.api.letsencrypt.org/directory\""),
            "The authority's directory, Let's Encrypt's where nothing is said. For trying things out they have \
             `https://acme-staging-v02.api.letsencrypt.org/directory`.",
        )
        .also(&["ca-server", "caserver", "server", "url", "issuer", "directory-url"]),
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Absent("the authorities that this machine trusts"),
            "A PEM file with the certificates by which the directory is known to be the one it says it is; for private authorities. Read \
             again when it changes.",
        )
        .also(&["ca-file", "roots", "ca-certificates"]),
        Key::new(
            "storage",
            Kind::Text(Form::File),
            Default::Is("\"acme\""),
            "The folder where accounts and certificates are kept, with their keys; made where it is missing. A relative path is meant from the \
             configuration file. One process at a time may use it.",
        )
        .also(&["folder", "cache", "cache-dir", "data"]),
        Key::new(
            "challenge",
            Kind::Choice(&[Choice::new("http-01"), Choice::new("tls-alpn-01")]),
            Default::Depends(
                "`\"tls-alpn-01\"` where the listener is on port 443 or no http listener is without `tls`, else `\"http-01\"`",
            ),
            "How the authority sees that the names are ours. `http-01`: it asks for a file at port 80 of each name, which every http listener \
             answers. `tls-alpn-01`: it looks for a special certificate at port 443 of each name, which every listener with `tls` shows to \
             nobody else.",
        )
        .also(&["challenges", "http-challenge", "tls-challenge", "challenge-type"]),
    ],
};

/// `client-auth` of `tls`
pub(crate) static CLIENT_AUTH: Shape = Shape {
    place: "`client-auth` of `tls` of `[listeners.NAME]`",
    doc: "Whom clients must be certified by. Servers are told the certificate's subject in `X-Client-Cert-Subject` and its SHA-256 in \
          `X-Client-Cert-Fingerprint`; these fields are removed from what clients send, on every listener of the file.",
    keys: &[
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Required("\"clients.pem\""),
            "A PEM file with the certificates of those who issue certificates for clients. Read again when it changes.",
        )
        .also(&["ca-file", "client-ca"]),
        Key::new(
            "mode",
            Kind::Choice(&[Choice::new("require"), Choice::new("request")]),
            Default::Is("\"require\""),
            "`require` refuses clients without a certificate; `request` lets them in, and refuses those with a wrong one.",
        )
        .also(&["verify"]),
        Key::new(
            "crl",
            Kind::Text(Form::File),
            Default::Absent("no certificate is taken for revoked"),
            "A PEM file with lists of revoked certificates, one of each authority that issues for clients. Read again when it changes.",
        )
        .also(&["crl-file", "revoked"]),
    ],
};

/// One of `certificates` of `tls`
pub(crate) static CERTIFICATE: Shape = Shape {
    place: "`certificates` of `tls` of `[listeners.NAME]`",
    doc: "A certificate and its key, each in a PEM file. Relative paths are meant from the configuration file. All are read again when they \
          change.",
    keys: &[
        Key::new(
            "cert",
            Kind::Text(Form::File),
            Default::Required("\"example.com.pem\""),
            "The certificate, and behind it those that lead to a root.",
        )
        .also(&["certificate", "crt", "chain", "fullchain", "file"]),
        Key::new(
            "key",
            Kind::Text(Form::File),
            Default::Required("\"example.com.key\""),
            "Its private key: RSA, ECDSA or Ed25519, in PKCS#8, PKCS#1 or SEC1 form, not encrypted.",
        )
        .also(&["private-key", "certificate-key"]),
        Key::new(
            "ocsp",
            Kind::Text(Form::File),
            Default::Absent("clients are shown none"),
            "A DER file with an answer of OCSP for the certificate, as `openssl ocsp -respout` writes it: clients that ask are shown it in the \
             handshake (stapling), until it is out of date.",
        )
        .also(&["ocsp-response", "stapling", "staple"]),
    ],
};

/// `tls` of `[upstreams.NAME]`, as a table
pub(crate) static UPSTREAM_TLS: Shape = Shape {
    place: "`tls` of `[upstreams.NAME]`",
    doc: "TLS 1.2 and 1.3 towards the servers of an upstream.",
    keys: &[
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Absent("the authorities that this machine trusts"),
            "A PEM file with the certificates of those who may have issued the servers' own. Read again when it changes.",
        )
        .also(&["ca-file", "cafile", "trusted-certificate", "roots"]),
        Key::new(
            "server-name",
            Kind::Text(Form::HostName),
            Default::Depends("the host of each server's address"),
            "The name that servers are asked for (SNI) and that their certificates must be for.",
        )
        .also(&["sni", "server-hostname", "verify-host"]),
        Key::new(
            "cert",
            Kind::Text(Form::File),
            Default::Absent("servers are shown none"),
            "A PEM file with the certificate that servers are shown, for those that ask for one.",
        )
        .also(&["certificate", "client-certificate", "crt"]),
        Key::new(
            "key",
            Kind::Text(Form::File),
            Default::Absent("set where `cert` is"),
            "Its private key.",
        )
        .also(&["private-key", "client-key"]),
        Key::new(
            "verify",
            Kind::Flag,
            Default::Is("true"),
            "Whether servers must prove who they are. `false` takes any certificate, so whoever stands on the way can read and change \
             everything.",
        )
        .also(&["insecure", "skip-verify"]),
    ],
};

const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);
