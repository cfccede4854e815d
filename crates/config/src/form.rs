//! What single values mean: texts to addresses, patterns and names, each mistake with its reason and what was meant.

mod acme;
mod address;
mod cookie;
mod cors;
mod hash_key;
mod health;
mod hedge;
mod limit;
mod origin;
mod redis;
mod rewrite;
pub(crate) mod url;

use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use sluice_route::{HostPattern, PathPattern, Pattern};

use address::is_port;
use hash_key::hash_key;

use crate::plan::{FailureKind, LoadReport, LogTarget};
use crate::read::Typed;
use crate::schema::Form;
use crate::suggest::closest;

/// Why a text is not of the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// What is wrong with the words.
    pub(crate) reason: String,
    /// What was probably meant.
    pub(crate) help: Option<String>,
}

impl Misfit {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            help: None,
        }
    }

    fn of(error: &dyn Error) -> Self {
        Self::new(error.to_string())
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Form {
    /// What the form is, with its article.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Bind => "an address to listen on",
            Self::Server => "a server's address",
            Self::Ip => "an IP address",
            Self::Network => "a network",
            Self::Country => "a country",
            Self::Origin => "a network or a country",
            Self::Upstream => "the name of an upstream",
            Self::Listener => "the name of a listener",
            Self::Auth => "the name of an `[auth.NAME]`",
            Self::Name => "a name",
            Self::Host => "a host pattern",
            Self::Protocol => "the name of an application protocol",
            Self::Path => "a path pattern",
            Self::Pattern => "a pattern",
            Self::Method => "a method",
            Self::Any | Self::Template => "a text",
            Self::Location => "a path or URL",
            Self::PathPrefix => "what paths begin with",
            Self::PathRegex => "a regular expression of paths",
            Self::WebOrigin => "an origin",
            Self::FieldName => "the name of a header field",
            Self::FieldValue | Self::FieldTemplate => "the value of a header field",
            Self::CookieName => "the name of a cookie",
            Self::Pseudonym => "a name for `Via`",
            Self::LogTarget => "a place for log lines",
            Self::HashKey => "a key to hash",
            Self::LoadReport => "a place of load reports",
            Self::Failure => "a kind of failure",
            Self::HedgeAfter => "a percentile or a duration",
            Self::File => "the path of a file",
            Self::HostName => "a host name",
            Self::Domain | Self::CookieDomain => "a domain",
            Self::Mail => "an e-mail address",
            Self::HttpsUrl => "an https URL",
            Self::HttpUrl => "an http or https URL",
            Self::FileOrUrl => "the path of a file or a URL",
            Self::Target | Self::NewTarget | Self::CookiePath => "a path",
            Self::Authority | Self::NewHost => "a host",
            Self::Statuses => "a status or a range of them",
            Self::JsonPath => "a place in a JSON text",
            Self::JsonPointer => "a JSON pointer",
            Self::JsonTest => "a value or a comparison",
            Self::Datagram => "a datagram",
            Self::Redis => "the address of a Redis",
            Self::RateLimit => "the name of a rate limit",
            Self::RequestRate => "a rate such as \"100/s\"",
            Self::LimitKey => "a key of limits",
        }
    }

    /// Whether a text is one that holds a secret by mistake.
    pub(crate) fn hides(self, text: &str) -> bool {
        let is_url = self == Self::Redis || text.contains("://");
        is_url && text.contains('@')
    }

    /// Parses a text of this form.
    pub(crate) fn parse(self, text: &str) -> Result<Typed, Misfit> {
        match self {
            Self::Bind => text
                .parse()
                .map(Typed::Bind)
                .map_err(|error| address::misfit_bind(text, &error)),
            Self::Server => text
                .parse()
                .map(Typed::Server)
                .map_err(|error| address::misfit_server(text, &error)),
            Self::Ip => text.parse().map(Typed::Ip).map_err(|_| {
                Misfit::new("an address such as 192.0.2.1 or 2001:db8::1, without a port")
            }),
            Self::Network => network(text).map(Typed::Network),
            Self::Country => origin::country(text).map(Typed::Country),
            Self::Origin => origin::origin(text).map(Typed::Origin),
            Self::Upstream
            | Self::Listener
            | Self::Auth
            | Self::RateLimit
            | Self::Any
            | Self::Template => Ok(Typed::Text(text.to_owned())),
            Self::Name => name(text).map(|()| Typed::Text(text.to_owned())),
            Self::Host => HostPattern::parse(text)
                .map(Typed::Host)
                .map_err(|error| Misfit::of(&error)),
            Self::Protocol => protocol(text).map(|()| Typed::Text(text.to_owned())),
            Self::Path => PathPattern::parse(text)
                .map(Typed::Path)
                .map_err(|error| misfit_path(text, &error)),
            Self::Pattern => Pattern::parse(text)
                .map(Typed::Pattern)
                .map_err(|error| Misfit::of(&error)),
            Self::Method => method(text),
            Self::Location => location(text),
            Self::PathPrefix => rewrite::prefix(text),
            Self::NewTarget => rewrite::target(text),
            Self::PathRegex => rewrite::regex(text),
            Self::NewHost => rewrite::host(text),
            Self::FieldName => field_name(text).map(|()| Typed::Text(text.to_ascii_lowercase())),
            Self::FieldValue | Self::FieldTemplate => field_value(text),
            Self::CookieName => cookie::name(text),
            Self::CookieDomain => cookie::domain(text),
            Self::CookiePath => cookie::path(text),
            Self::WebOrigin => cors::origin(text).map(Typed::Pattern),
            Self::Pseudonym => pseudonym(text),
            Self::LogTarget => log_target(text).map(Typed::LogTarget),
            Self::HashKey => hash_key(text).map(Typed::HashKey),
            Self::LoadReport => load_report(text).map(Typed::LoadReport),
            Self::Failure => failure(text).map(Typed::Failure),
            Self::HedgeAfter => hedge::after(text).map(Typed::HedgeAfter),
            Self::File => file(text),
            Self::HostName => host_name(text),
            Self::Domain => acme::domain(text),
            Self::Mail => acme::mail(text),
            Self::HttpsUrl => acme::https_url(text),
            Self::HttpUrl => url::http_url(text),
            Self::FileOrUrl => url::file_or_url(text),
            Self::Target => health::target(text),
            Self::Authority => health::authority(text),
            Self::Statuses => health::statuses(text).map(Typed::Statuses),
            Self::JsonPath => health::json_path(text),
            Self::JsonPointer => json_pointer(text),
            Self::JsonTest => health::json_test(text).map(Typed::JsonTest),
            Self::Datagram => health::datagram(text).map(Typed::Datagram),
            Self::Redis => redis::address(text).map(Typed::Redis),
            Self::RequestRate => limit::rate(text).map(Typed::RequestRate),
            Self::LimitKey => limit::key(text).map(Typed::LimitKey),
        }
    }
}

/// Checks a name that the user gives to a listener, a route or an upstream.
pub(crate) fn name(text: &str) -> Result<(), Misfit> {
    let fits = text.len() <= NAME_BYTES
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(Misfit::new(format!(
            "a name begins with a letter or digit and goes on with letters, digits, `-`, `_` and `.`, {NAME_BYTES} at most"
        )))
    }
}

/// Checks the name of a header field (RFC 9110 §5.1).
pub(crate) fn field_name(text: &str) -> Result<(), Misfit> {
    if is_token(text) {
        return Ok(());
    }
    let misfit = Misfit::new("a field name is made of letters, digits and `-`");
    Err(match text.strip_suffix(':') {
        Some(name) if is_token(name) => misfit.help(format!("leave the colon away: `{name}`")),
        _ => misfit,
    })
}

/// Names end up in metric labels and log lines.
const NAME_BYTES: usize = 128;

fn network(text: &str) -> Result<IpNet, Misfit> {
    if let Ok(net) = text.parse::<IpNet>() {
        // Who writes 10.0.0.1/8 may mean one address, and would let in sixteen million.
        if net != net.trunc() {
            let (address, whole) = (net.addr(), net.trunc());
            return Err(
                Misfit::new("it names one address, and a network of many").help(format!(
                    "\"{whole}\" is the network, \"{address}\" the address alone"
                )),
            );
        }
        return Ok(net);
    }
    text.parse::<IpAddr>()
        .map(IpNet::from)
        .map_err(|_| Misfit::new("an address or a network such as 10.0.0.0/8 or 2001:db8::/32"))
}

/// RFC 6901, 3
fn json_pointer(text: &str) -> Result<Typed, Misfit> {
    if !text.starts_with('/') {
        let meant = text.trim_start_matches(['$', '.']).replace('.', "/");
        return Err(Misfit::new("names behind slashes, such as /user/tier")
            .help(format!("did you mean \"/{meant}\"?")));
    }
    let mut escapes = text.split('~').skip(1);
    if !escapes.all(|rest| rest.starts_with(['0', '1'])) {
        return Err(Misfit::new(
            "`~` stands before 0 or 1: `~0` is a `~`, `~1` a `/`",
        ));
    }
    Ok(Typed::Text(text.to_owned()))
}

/// RFC 7301 §3.1, of the names that can be written: those registered are such.
fn protocol(text: &str) -> Result<(), Misfit> {
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(())
    } else {
        Err(Misfit::new(
            "a name as clients send it in ALPN, such as h2, http/1.1 or acme-tls/1",
        ))
    }
}

fn misfit_path(text: &str, error: &dyn Error) -> Misfit {
    let misfit = Misfit::of(error);
    let meant = format!("/{text}");
    if !text.is_empty() && !text.starts_with(['/', '~']) && PathPattern::parse(&meant).is_ok() {
        return misfit.help(format!("did you mean \"{meant}\"?"));
    }
    misfit
}

fn method(text: &str) -> Result<Typed, Misfit> {
    if text == "*" {
        return Err(Misfit::new(
            "every method is meant where `method` is not set",
        ));
    }
    if !is_token(text) {
        return Err(Misfit::new("a method is one word such as GET"));
    }
    if text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let upper = text.to_ascii_uppercase();
        let meant = closest(&upper.to_ascii_lowercase(), METHODS.iter().copied()).unwrap_or(&upper);
        return Err(Misfit::new(
            "methods are compared with their case, and requests send capitals",
        )
        .help(format!("did you mean \"{meant}\"?")));
    }
    Ok(Typed::Text(text.to_owned()))
}

/// The methods that people send, to know a misspelt one.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

fn location(text: &str) -> Result<Typed, Misfit> {
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(Misfit::new(
            "there are no spaces and control characters in a URL",
        ));
    }
    let whole = ["/", "{", "http://", "https://"]
        .iter()
        .any(|start| text.starts_with(start));
    let by_the_client = ["{header:", "{cookie:", "{query}"]
        .iter()
        .any(|start| text.starts_with(start));
    if by_the_client {
        return Err(
            Misfit::new("whoever sends the request would say to which site it leads")
                .help(format!("a path stays on this site: \"/{text}\"")),
        );
    }
    if whole {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "a redirect goes to a path, which begins with `/`, or to a whole URL, `https://…`",
    ))
}

fn field_value(text: &str) -> Result<Typed, Misfit> {
    let fits = !text.is_empty()
        && text.trim() == text
        && text
            .bytes()
            .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if fits {
        Ok(Typed::Text(text.to_owned()))
    } else {
        Err(Misfit::new(
            "a field value is not empty, holds no control characters and no spaces at its ends",
        ))
    }
}

/// RFC 9110 §7.6.3: a pseudonym is a token; a host with a port is taken as well.
fn pseudonym(text: &str) -> Result<Typed, Misfit> {
    let host = text.rsplit_once(':').filter(|(_, port)| is_port(port));
    if is_token(host.map_or(text, |(host, _)| host)) {
        Ok(Typed::Text(text.to_owned()))
    } else {
        Err(Misfit::new(
            "a word without spaces, such as the host name of this proxy",
        ))
    }
}

fn log_target(text: &str) -> Result<LogTarget, Misfit> {
    match text {
        "stdout" => Ok(LogTarget::Stdout),
        "stderr" => Ok(LogTarget::Stderr),
        _ => match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(LogTarget::File(PathBuf::from(path))),
            Some(_) => Err(Misfit::new("the path is missing: `file:/path`")),
            None => {
                let misfit = Misfit::new("`stdout`, `stderr` or `file:/path`");
                Err(match closest(text, ["stdout", "stderr"]) {
                    Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
                    None if text.contains(['/', '.']) => {
                        misfit.help(format!("did you mean \"file:{text}\"?"))
                    }
                    None => misfit,
                })
            }
        },
    }
}

fn failure(text: &str) -> Result<FailureKind, Misfit> {
    match text {
        "connect-failure" => return Ok(FailureKind::ConnectFailure),
        "reset" => return Ok(FailureKind::Reset),
        "timeout" => return Ok(FailureKind::Timeout),
        "4xx" => return Ok(FailureKind::Class(4)),
        "5xx" => return Ok(FailureKind::Class(5)),
        _ => {}
    }
    if let Some(status) = text.parse().ok().filter(|_| text.len() == 3) {
        return if (400..600).contains(&status) {
            Ok(FailureKind::Status(status))
        } else {
            Err(Misfit::new("a status that is a failure is from 400 to 599"))
        };
    }
    let misfit = Misfit::new("it is connect-failure, reset, timeout, a status or 5xx");
    let known = ["connect-failure", "reset", "timeout", "4xx", "5xx"];
    Err(match closest(text, known) {
        Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
        None => misfit,
    })
}

fn load_report(text: &str) -> Result<LoadReport, Misfit> {
    if text == "orca" {
        return Ok(LoadReport::Orca);
    }
    if let Some(name) = text.strip_prefix("header:") {
        field_name(name)?;
        return Ok(LoadReport::Field(name.to_ascii_lowercase().into()));
    }
    let misfit = Misfit::new("it is orca or header:NAME");
    Err(match closest(text, ["orca"]) {
        Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
        None if field_name(text).is_ok() => misfit.help(format!("did you mean \"header:{text}\"?")),
        None => misfit,
    })
}

/// What a certificate can be for (RFC 1123 §2.1).
fn host_name(text: &str) -> Result<Typed, Misfit> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "a name such as app.example.com, or an IP address, without a port",
    ))
}

fn file(text: &str) -> Result<Typed, Misfit> {
    if text.is_empty() || text.contains('\0') {
        return Err(Misfit::new("the path of a file is missing"));
    }
    if text.starts_with("-----BEGIN") {
        return Err(Misfit::new("this is what would be in the file").help("write it to a file"));
    }
    let path = text.strip_prefix("file:").filter(|path| !path.is_empty());
    Ok(Typed::Text(path.unwrap_or(text).to_owned()))
}

/// RFC 9110 §5.6.2
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
