//! `forward` of `[auth.NAME]`: the service that is asked.

use std::sync::Arc;

use crate::build::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::form::url::HttpUrl;
use crate::plan::{ForwardAuth, Upstream, UpstreamId};
use crate::read::{self, Section};
use crate::schema::keys;
use crate::syntax::{Entry, Table, Text, Value, ValueKind};

impl Builder<'_> {
    pub(super) fn forward_auth(
        &mut self,
        auth: &Section,
        section: &Section,
        upstreams: &mut Vec<Option<Upstream>>,
    ) -> Option<Arc<ForwardAuth>> {
        // All before the first `?`, so that each reports what is wrong with it.
        let passed = match section.set_at("request-headers") {
            Some(_) => self.field_names(section, "request-headers").map(Some),
            None => Some(None),
        };
        let copied = match section.set_at("copy-headers") {
            Some(_) => self.field_names(section, "copy-headers"),
            None => Some(Box::default()),
        };
        let (upstream, host, target) = match (section.set_at("url"), section.set_at("upstream")) {
            (Some(_), None) => {
                self.out_of_place(section, &["path"], |key| {
                    Diagnostic::error(
                        0..0,
                        format!("`{key}` stands beside `upstream`; a `url` has one already"),
                    )
                });
                let (text, span) = section.with_span::<String>("url")?;
                let url = HttpUrl::parse(&text)?;
                let service = self.service(&auth.name, &url, span);
                upstreams.push(service);
                let id = UpstreamId(upstreams.len() - 1);
                (id, url.authority.to_owned(), url.target())
            }
            (None, Some(_)) => {
                let id = self.named_upstream(section, "upstream")?;
                let name: String = section.value("upstream")?;
                (id, name, section.value("path")?)
            }
            (Some(url), Some(upstream)) => {
                self.findings.push(
                    Diagnostic::error(
                        upstream.clone(),
                        "a service is asked by one of `url` and `upstream`, but this one has both",
                    )
                    .related(url.clone(), "the other one"),
                );
                return None;
            }
            (None, None) => {
                self.findings.push(
                    Diagnostic::error(section.span.clone(), "it is not said where the service is")
                        .help("set `url = \"http://127.0.0.1:9100/verify\"`, or `upstream` and `path`"),
                );
                return None;
            }
        };
        Some(Arc::new(ForwardAuth {
            upstream,
            host: host.into(),
            target: target.into(),
            timeout: section.value("timeout")?,
            passed: passed?,
            copied: copied?,
            allows_on_failure: section.value::<&str>("on-failure")? == "allow",
        }))
    }

    /// Names of fields that can be passed on or set: not those that say how a message is framed and where it goes.
    fn field_names(&mut self, section: &Section, key: &str) -> Option<Box<[Box<str>]>> {
        let mut names = Vec::new();
        let mut fits = true;
        for (name, span) in section.items::<Box<str>>(key)? {
            fits &= self.may_be_set(&name, span);
            names.push(name);
        }
        fits.then(|| names.into())
    }

    /// Whether a field is one that can be passed from a message to another.
    pub(super) fn may_be_set(&mut self, name: &str, span: Span) -> bool {
        let fits = !OF_THE_MESSAGE.contains(&name);
        if !fits {
            self.findings.push(
                Diagnostic::error(span, format!("`{name}` belongs to each message by itself"))
                    .label("it cannot be passed from one to another"),
            );
        }
        fits
    }

    /// The upstream that stands for a URL.
    fn service(&mut self, name: &str, url: &HttpUrl<'_>, span: &Span) -> Option<Upstream> {
        let value = |kind| Value {
            span: span.clone(),
            kind,
        };
        let entry = |key: &str, kind| Entry {
            key: key.to_owned(),
            key_span: span.clone(),
            value: value(kind),
        };
        let address = ValueKind::Text(Text {
            value: url.address(),
            resolved: false,
        });
        let mut entries = vec![entry("servers", ValueKind::List(vec![value(address)]))];
        if url.is_https {
            entries.push(entry("tls", ValueKind::Flag(true)));
        }
        let table = Table {
            span: span.clone(),
            entries,
        };
        // No name of the file has a colon in it.
        let name = format!("auth:{name}");
        let section = read::named_table(
            &table,
            &keys::UPSTREAM,
            &name,
            self.source,
            self.surroundings,
            self.findings,
        );
        self.upstream(&section)
    }
}

/// In lower case.
const OF_THE_MESSAGE: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
