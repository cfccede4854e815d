//! `health` of `[upstreams.NAME]`

use std::time::Duration;

use sluice_health::CheckSettings;
use sluice_model::ServerAddress;
use sluice_route::Pattern;

use super::Builder;
use super::upstream::proxy_header;
use crate::diagnostic::Diagnostic;
use crate::plan::{
    CheckKind, HealthChecks, HttpCheck, JsonCondition, JsonTest, SendProxyProtocol, Server,
    UdpCheck, UpstreamProtocol,
};
use crate::read::{FromTyped, Read, Section, Typed};
use crate::suggest::all_of;
use crate::units::ShowDuration;

impl Builder<'_> {
    /// How servers are checked, if they are; `None` where that is wrong, which is then reported.
    #[expect(
        clippy::option_option,
        reason = "wrong, switched off, or done like this"
    )]
    pub(super) fn health(
        &mut self,
        upstream: &Section,
        servers: &[Server],
        spoken: Spoken,
    ) -> Option<Option<HealthChecks>> {
        let Some(section) = upstream.table("health") else {
            return upstream.set_at("health").is_none().then_some(None);
        };
        let spoken = self.spoken(section, spoken);
        let kind = self.check_kind(section, spoken);
        let times = self.check_times(section);
        let is_datagram = matches!(kind, Some(CheckKind::Udp(_)));
        let is_unix = |server: &Server| matches!(server.address, ServerAddress::Unix(_));
        if servers.iter().any(is_unix) {
            let keys: &[&str] = if is_datagram {
                &["port", "udp"]
            } else {
                &["port"]
            };
            self.out_of_place(section, keys, |key| {
                Diagnostic::error(0..0, format!("`{key}` is nothing for a Unix socket"))
                    .help("put the servers on Unix sockets into an upstream of their own")
            });
        }
        let (timeout, [interval, fast_interval, slow_interval]) = times?;
        Some(Some(HealthChecks {
            kind: kind?,
            port: section.value("port"),
            protocol: spoken.protocol?,
            is_ciphered: spoken.is_ciphered,
            send_proxy_protocol: spoken.send_proxy_protocol?,
            timeout,
            settings: CheckSettings {
                interval,
                fast_interval,
                slow_interval,
                slow_after: section.value("slow-after")?,
                jitter: section.value("jitter")?,
                healthy_after: section.value("healthy-after")?,
                unhealthy_after: section.value("unhealthy-after")?,
            },
        }))
    }

    /// The one of the kinds that is set.
    fn check_kind(&mut self, section: &Section, spoken: Spoken) -> Option<CheckKind> {
        let is_off = |key: &str| {
            let read = section.read(key).map(|read| &read.typed);
            matches!(read, Some(Typed::Flag(false)))
        };
        let mut set = KINDS
            .iter()
            .filter_map(|key| Some((*key, section.set_at(key)?)))
            .filter(|(key, _)| !is_off(key));
        let Some((first, first_at)) = set.next() else {
            self.findings.push(
                Diagnostic::error(section.span.clone(), "nothing says what is checked").help(
                    "one of `tcp = true`, `http = { path = \"/health\" }`, `grpc = {}` and `udp = { send = \"ping\" }`",
                ),
            );
            return None;
        };
        if let Some((second, at)) = set.next() {
            self.findings.push(
                Diagnostic::error(
                    at.clone(),
                    format!("`{second}` cannot stand beside `{first}`"),
                )
                .related(first_at.clone(), "this is checked")
                .help(format!(
                    "a server is checked by one of {}",
                    all_of(KINDS.iter().copied())
                )),
            );
            return None;
        }
        match first {
            "tcp" => section.value::<bool>("tcp").map(|_| CheckKind::Tcp),
            "http" => self.http_check(section.table("http")?).map(CheckKind::Http),
            "grpc" => {
                self.grpc_over_http1(section, spoken);
                let service: String = section.table("grpc")?.value("service")?;
                Some(CheckKind::Grpc {
                    service: service.into(),
                })
            }
            _ => {
                let udp = section.table("udp")?;
                Some(CheckKind::Udp(UdpCheck {
                    send: udp.value("send")?,
                    expect: right(udp, "expect")?,
                }))
            }
        }
    }

    fn grpc_over_http1(&mut self, section: &Section, spoken: Spoken) {
        let is_http1 = spoken.protocol == Some(UpstreamProtocol::Http1);
        if let Some(span) = section.set_at("grpc").filter(|_| is_http1) {
            self.findings.push(
                Diagnostic::error(span.clone(), "gRPC is not spoken over HTTP/1.1").help(
                    "add `protocol = \"h2\"` to the upstream, or here where only checks speak it",
                ),
            );
        }
    }

    /// What checks speak: as requests of the upstream do, but for what is said otherwise.
    fn spoken(&mut self, section: &Section, upstream: Spoken) -> Spoken {
        let is_ciphered = match section.with_span::<bool>("tls") {
            Some((true, span)) if !upstream.is_ciphered => {
                self.findings.push(
                    Diagnostic::error(span.clone(), "the upstream has no `tls`")
                        .help("it says whom to trust; without it nothing is ciphered"),
                );
                true
            }
            Some((is_ciphered, _)) => is_ciphered,
            None => upstream.is_ciphered,
        };
        let protocol = match section.value("protocol") {
            Some("h1") => Some(UpstreamProtocol::Http1),
            Some("h2") => Some(UpstreamProtocol::Http2),
            Some("h3") => Some(UpstreamProtocol::Http3),
            Some("auto") => Some(UpstreamProtocol::Chosen),
            _ => upstream.protocol,
        };
        let protocol = match protocol {
            // Nobody chooses, as of upstreams.
            Some(UpstreamProtocol::Chosen) if !is_ciphered => Some(UpstreamProtocol::Http1),
            Some(UpstreamProtocol::Http3) if !is_ciphered => {
                let key = ["protocol", "tls"]
                    .iter()
                    .find_map(|key| section.set_at(key));
                // Otherwise it was said of the upstream.
                if let Some(span) = key {
                    self.findings.push(
                        Diagnostic::error(span.clone(), "HTTP/3 is always ciphered").help(
                            "set `protocol = \"h1\"` or `tls` in `health`, whichever is meant",
                        ),
                    );
                }
                None
            }
            other => other,
        };
        let header = section.value("send-proxy-protocol").map(proxy_header);
        Spoken {
            protocol,
            is_ciphered,
            send_proxy_protocol: header.or(upstream.send_proxy_protocol),
        }
    }

    fn http_check(&mut self, table: &Section) -> Option<HttpCheck> {
        self.fields_of_ours(table);
        let method: Option<String> = table.value("method");
        if method.as_deref() == Some("HEAD") {
            self.out_of_place(table, &["body", "json"], |key| {
                Diagnostic::error(0..0, format!("an answer to HEAD has nothing for `{key}`"))
                    .help("ask with GET")
            });
        }
        let target: String = table.value("path")?;
        Some(HttpCheck {
            target: target.into(),
            method: method?.into(),
            host: right::<String>(table, "host")?.map(Into::into),
            headers: headers(table)?,
            statuses: statuses(table)?,
            body: right(table, "body")?,
            json: conditions(table)?,
        })
    }

    /// Fields that say where the request ends, or are said elsewhere.
    fn fields_of_ours(&mut self, table: &Section) {
        let Some(Typed::Fields(fields)) = table.read("headers").map(|read| &read.typed) else {
            return;
        };
        for (name, read) in fields {
            let Typed::Text(name) = &name.typed else {
                continue;
            };
            let help = match name.as_str() {
                "host" => "it is said by `host`, beside `path`",
                "connection" | "content-length" | "keep-alive" | "te" | "transfer-encoding"
                | "upgrade" => "a check has no body, and its connection is its own",
                _ => continue,
            };
            let message = format!("`{name}` is no field of a check");
            self.findings
                .push(Diagnostic::error(read.span.clone(), message).help(help));
        }
    }

    /// `timeout`, then the intervals: usual, fast, slow.
    fn check_times(&mut self, section: &Section) -> Option<(Duration, [Duration; 3])> {
        let (interval, at) = section.with_span::<Duration>("interval")?;
        let at = section.set_at("interval").map(|_| at.clone());
        for (key, why) in [
            (
                "timeout",
                "the next check would be due while one still waits",
            ),
            (
                "fast-interval",
                "it is for servers that may be changing, to know soon",
            ),
        ] {
            let Some((time, span)) = section.with_span::<Duration>(key) else {
                continue;
            };
            if time > interval {
                let message = format!(
                    "`{key}` is longer than `interval`, {}",
                    ShowDuration(interval)
                );
                self.findings.push(
                    Diagnostic::error(span.clone(), message)
                        .maybe_related(at.clone(), "the interval")
                        .help(why),
                );
            }
        }
        if let Some((slow, span)) = section.with_span::<Duration>("slow-interval")
            && slow < interval
        {
            let message = format!(
                "`slow-interval` is shorter than `interval`, {}",
                ShowDuration(interval)
            );
            self.findings.push(
                Diagnostic::error(span.clone(), message)
                    .maybe_related(at, "the interval")
                    .help("it is for servers that have been well for long"),
            );
        }
        let timeout: Option<Duration> = right(section, "timeout")?;
        let fast: Option<Duration> = right(section, "fast-interval")?;
        let slow: Option<Duration> = right(section, "slow-interval")?;
        Some((
            timeout.unwrap_or(TIMEOUT.min(interval)),
            [
                interval,
                fast.unwrap_or(FAST_INTERVAL.min(interval)),
                slow.unwrap_or(interval * 2),
            ],
        ))
    }
}

/// What is spoken with servers; `None` for what is wrong, which was reported.
#[derive(Clone, Copy)]
pub(super) struct Spoken {
    pub(super) protocol: Option<UpstreamProtocol>,
    pub(super) is_ciphered: bool,
    pub(super) send_proxy_protocol: Option<SendProxyProtocol>,
}

const KINDS: &[&str] = &["tcp", "http", "grpc", "udp"];

/// The default of `timeout`, where `interval` is not less.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The default of `fast-interval`, where `interval` is not less.
const FAST_INTERVAL: Duration = Duration::from_secs(1);

/// The value of a key that need not be set; `None` where it is wrong, which was reported.
#[expect(clippy::option_option, reason = "wrong, not set, or set")]
fn right<T: FromTyped>(section: &Section, key: &str) -> Option<Option<T>> {
    match section.set_at(key) {
        Some(_) => section.value(key).map(Some),
        None => Some(None),
    }
}

fn headers(table: &Section) -> Option<Vec<(Box<str>, Box<str>)>> {
    if table.set_at("headers").is_none() {
        return Some(Vec::new());
    }
    let Typed::Fields(fields) = &table.read("headers")?.typed else {
        return None;
    };
    let field = |(name, read): &(Read, Read)| match (&name.typed, &read.typed) {
        (Typed::Text(name), Typed::Text(value)) => {
            Some((name.as_str().into(), value.as_str().into()))
        }
        _ => None,
    };
    fields.iter().map(field).collect()
}

fn statuses(table: &Section) -> Option<Vec<(u16, u16)>> {
    let Typed::List(items) = &table.read("status")?.typed else {
        return None;
    };
    let range = |read: &Read| match &read.typed {
        Typed::Number(status) => u16::try_from(*status).ok().map(|status| (status, status)),
        Typed::Statuses(range) => Some(*range),
        _ => None,
    };
    // One that is wrong was reported, and left out.
    items.iter().map(range).collect()
}

fn conditions(table: &Section) -> Option<Vec<JsonCondition>> {
    if table.set_at("json").is_none() {
        return Some(Vec::new());
    }
    let Typed::Map(entries) = &table.read("json")?.typed else {
        return None;
    };
    let condition = |(key, value): &(Read, Read)| {
        let Typed::Text(path) = &key.typed else {
            return None;
        };
        let is = |text: String| Pattern::parse(&text).ok().map(JsonTest::Is);
        Some(JsonCondition {
            path: path.split('.').map(Into::into).collect(),
            test: match &value.typed {
                Typed::Flag(flag) => is(flag.to_string())?,
                Typed::Number(number) => is(number.to_string())?,
                Typed::JsonTest(test) => test.clone(),
                _ => return None,
            },
        })
    };
    entries.iter().map(condition).collect()
}
