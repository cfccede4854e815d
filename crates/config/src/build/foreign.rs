//! Variables as other balancers write them: for us they are words like others, and whoever writes one is told what is meant.

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};

impl Builder<'_> {
    /// Warns of variables of other balancers in a text in which ours could stand.
    pub(super) fn foreign_variables(&mut self, text: &str, span: &Span) {
        let written = self.source.get(span.clone()).unwrap_or_default();
        for (word, ours) in written_otherwise(text) {
            // The words of a resolved reference are not in the file.
            let Some(at) = written.find(word) else {
                continue;
            };
            let place = span.start + at..span.start + at + word.len();
            let what = format!("`{word}` goes out as it is written");
            self.findings.push(
                Diagnostic::warning(place, what)
                    .help(format!("variables stand in braces: `{ours}`")),
            );
        }
    }
}

/// Each `$name` and `%[name]` that stands for something elsewhere, and what stands for it here.
fn written_otherwise(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        let rest = text.get(at + 1..).unwrap_or_default();
        let (name, length) = match c {
            '$' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (rest.get(..end), end + 1)
            }
            '%' if rest.starts_with('[') => {
                let end = rest.find(']').unwrap_or_default();
                (rest.get(1..end), end + 2)
            }
            _ => continue,
        };
        let ours = name.and_then(variable_meant_by);
        let word = text.get(at..at + length);
        found.extend(word.zip(ours));
    }
    found
}

/// The variable that is called so elsewhere, as it is written here.
pub(super) fn variable_meant_by(name: &str) -> Option<String> {
    let of_ours = NAMES
        .iter()
        .find(|(_, others)| others.contains(&name))
        .map(|(ours, _)| (*ours).to_owned());
    of_ours.or_else(|| {
        PREFIXES.iter().find_map(|(before, after, ours)| {
            let name = name.strip_prefix(before)?.strip_suffix(after)?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let name = (!name.is_empty() && name.chars().all(is_name)).then_some(name)?;
            Some(match *ours {
                "header" => format!("{{header:{}}}", name.replace('_', "-")),
                ours => format!("{{{ours}:{name}}}"),
            })
        })
    })
}

/// Ours, and what nginx, HAProxy and Caddy call them.
const NAMES: &[(&str, &[&str])] = &[
    (
        "{client-ip}",
        &[
            "remote_addr",
            "binary_remote_addr",
            "proxy_add_x_forwarded_for",
            "remote_host",
            "src",
        ],
    ),
    ("{client-port}", &["remote_port", "src_port"]),
    ("{host}", &["host", "server_name", "http_host"]),
    ("{method}", &["request_method", "method"]),
    (
        "{path}?{query}",
        &["request_uri", "uri_with_query", "url", "pathq"],
    ),
    ("{path}", &["uri", "document_uri", "path"]),
    ("{query}", &["args", "query_string", "query"]),
    ("{scheme}", &["scheme"]),
    ("{request-id}", &["request_id", "unique-id"]),
    ("{server}", &["upstream_addr"]),
    ("{upstream}", &["proxy_host"]),
    ("{tls-version}", &["ssl_protocol", "ssl_fc_protocol"]),
    ("{tls-subject}", &["ssl_client_s_dn", "ssl_c_s_dn"]),
    (
        "{country}",
        &["geoip_country_code", "geoip2_data_country_code"],
    ),
];

/// What stands before and behind a name of the client's choice, and the kind of variable that it is.
const PREFIXES: &[(&str, &str, &str)] = &[
    ("http_", "", "header"),
    ("cookie_", "", "cookie"),
    ("jwt_claim_", "", "claim"),
    ("req.hdr(", ")", "header"),
    ("hdr(", ")", "header"),
    ("req.cook(", ")", "cookie"),
    ("cook(", ")", "cookie"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        for (text, expected) in [
            (
                "https://$host$request_uri",
                "$host={host} $request_uri={path}?{query}",
            ),
            (
                "$http_x_forwarded_for,$cookie_Uid",
                "$http_x_forwarded_for={header:x-forwarded-for} $cookie_Uid={cookie:Uid}",
            ),
            (
                "%[src] %[req.hdr(User-Agent)]",
                "%[src]={client-ip} %[req.hdr(User-Agent)]={header:User-Agent}",
            ),
            ("/x?$filter=a&%5B=$5", ""),
            ("$ %[ %[] $$", ""),
            ("100% $", ""),
            ("{host} é$hosts", ""),
        ] {
            let found: Vec<_> = written_otherwise(text)
                .into_iter()
                .map(|(word, ours)| format!("{word}={ours}"))
                .collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
