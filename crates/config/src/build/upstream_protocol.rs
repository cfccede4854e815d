//! `protocol` of an upstream, and what has to stand beside it.

use sluice_model::ServerAddress;

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Server, UpstreamProtocol};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn upstream_protocol(
        &mut self,
        section: &Section,
        servers: &[Server],
    ) -> Option<UpstreamProtocol> {
        // What is wrong in `tls` is said there.
        let is_plain = section
            .read("tls")
            .is_some_and(|read| matches!(read.typed, Typed::Flag(false)));
        let (protocol, span) = section.with_span("protocol")?;
        Some(match protocol {
            "h2" => UpstreamProtocol::Http2,
            "h3" => {
                self.beside_http3(section, servers, is_plain, span);
                UpstreamProtocol::Http3
            }
            "auto" if is_plain => {
                self.chosen_by_nobody(span);
                UpstreamProtocol::Http1
            }
            "auto" => UpstreamProtocol::Chosen,
            _ => UpstreamProtocol::Http1,
        })
    }

    /// ALPN is a part of TLS.
    fn chosen_by_nobody(&mut self, span: &Span) {
        self.findings.push(
            Diagnostic::warning(span.clone(), "without `tls` this is HTTP/1.1").help(
                "servers choose by ALPN, which is a part of TLS; for HTTP/2 without it: `protocol = \"h2\"`",
            ),
        );
    }

    /// HTTP/3 goes by QUIC, which is ciphered datagrams.
    fn beside_http3(&mut self, section: &Section, servers: &[Server], is_plain: bool, span: &Span) {
        if is_plain {
            self.findings.push(
                Diagnostic::error(span.clone(), "`h3` needs `tls`")
                    .help("HTTP/3 is always ciphered: `tls = true`, or a table that says by what authority servers are verified"),
            );
        }
        let is_unix = |server: &Server| matches!(server.address, ServerAddress::Unix(_));
        let unix = servers.iter().position(is_unix);
        if let Some(server) = unix.and_then(|server| server_span(section, server)) {
            self.findings.push(
                Diagnostic::error(server, "HTTP/3 does not go to Unix sockets")
                    .related(span.clone(), "HTTP/3 is asked for here")
                    .help("it goes by UDP, to an address and a port; for a Unix socket: `protocol = \"h1\"` or `\"h2\"`"),
            );
        }
        let sends = matches!(section.value("send-proxy-protocol"), Some("v1" | "v2"));
        if let Some(sending) = section.set_at("send-proxy-protocol").filter(|_| sends) {
            self.findings.push(
                Diagnostic::error(sending.clone(), "the PROXY protocol has no form for HTTP/3")
                    .related(span.clone(), "HTTP/3 is asked for here")
                    .help("leave it out: servers find the client's address in `X-Forwarded-For`"),
            );
        }
    }
}

fn server_span(section: &Section, server: usize) -> Option<Span> {
    match &section.read("servers")?.typed {
        Typed::List(items) => items.get(server).map(|item| item.span.clone()),
        _ => None,
    }
}
