//! By what the tokens of `jwt` are signed: keys of a file, a secret, or what an issuer shows by URL.

use std::net::IpAddr;
use std::time::Duration;

use sluice_auth::jwt::{Keys, KeysError};
use sluice_model::ServerAddress;

use crate::build::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::form::url::HttpUrl;
use crate::plan::{KeySource, Secret, TokenKeys};
use crate::read::Section;

impl Builder<'_> {
    pub(super) fn token_keys(&mut self, section: &Section) -> Option<TokenKeys> {
        let all = ["jwks", "public-key", "secret"];
        let set: Vec<_> = all
            .into_iter()
            .filter_map(|key| Some((key, section.set_at(key)?.clone())))
            .collect();
        let [(key, _)] = set.as_slice() else {
            let at = set.get(1).map_or(&section.span, |(_, span)| span).clone();
            let what = "tokens are signed by one of `jwks`, `public-key` and `secret`";
            self.findings
                .push(Diagnostic::error(at, what).help("for example `jwks = \"file:keys.json\"`"));
            return None;
        };
        if *key == "jwks" {
            let (text, span) = section.with_span::<String>("jwks")?;
            if let Some(url) = HttpUrl::parse(&text) {
                return self.shown_keys(section, &text, &url, span);
            }
        }
        self.out_of_place(section, &["ca", "refresh"], |key| {
            Diagnostic::error(
                0..0,
                format!("`{key}` is about keys that are fetched, and these are not"),
            )
            .help("keys are fetched where `jwks` is a URL; files are read again when they change")
        });
        match *key {
            "secret" => {
                let secret: Secret = section.value("secret")?;
                Some(TokenKeys::Known {
                    file: None,
                    keys: Keys::secret(secret.reveal().as_bytes()),
                })
            }
            "jwks" => {
                let help = "it is what the issuer has at its `jwks_uri`";
                self.keys_of_file(section, key, Keys::set, help)
            }
            _ => {
                let help = "`openssl pkey -pubin -in FILE` and `openssl x509 -pubkey -noout -in FILE` write such a one";
                self.keys_of_file(section, key, Keys::public, help)
            }
        }
    }

    fn keys_of_file(
        &mut self,
        section: &Section,
        key: &str,
        parse: fn(&str) -> Result<Keys, KeysError>,
        help: &'static str,
    ) -> Option<TokenKeys> {
        let message = "this file of keys cannot be used";
        let (file, keys) = self.file_of(section, key, message, |text| {
            parse(text).map_err(|error| (error.to_string(), help))
        })?;
        Some(TokenKeys::Known {
            file: Some(file),
            keys,
        })
    }

    /// Keys that an issuer shows. Nothing is fetched to find out whether it does.
    fn shown_keys(
        &mut self,
        section: &Section,
        text: &str,
        url: &HttpUrl<'_>,
        span: &Span,
    ) -> Option<TokenKeys> {
        let refresh = match section.set_at("refresh") {
            Some(_) => Some(section.value::<Duration>("refresh")?),
            None => None,
        };
        let authorities = if url.is_https {
            let (ca, at) = match section.set_at("ca") {
                Some(_) => {
                    let (ca, at) = section.with_span::<String>("ca")?;
                    (Some(ca), at)
                }
                None => (None, span),
            };
            Some(self.authorities(ca.as_deref(), at)?)
        } else {
            self.out_of_place(section, &["ca"], |key| {
                Diagnostic::error(0..0, format!("`{key}` is about https, and `jwks` is http"))
            });
            if !is_this_machine(url) {
                self.findings.push(
                    Diagnostic::warning(
                        span.clone(),
                        "keys that come by plain http can be replaced on the way",
                    )
                    .label("whoever does that lets in whom they like")
                    .help("use https; a private authority's certificate is trusted by `ca`"),
                );
            }
            None
        };
        Some(TokenKeys::Shown(KeySource {
            url: text.into(),
            authorities,
            refresh,
        }))
    }
}

fn is_this_machine(url: &HttpUrl<'_>) -> bool {
    match url.address().parse() {
        Ok(ServerAddress::Ip(address)) => is_loopback(address.ip()),
        Ok(ServerAddress::Name { host, .. }) => host.eq_ignore_ascii_case("localhost"),
        Ok(ServerAddress::Unix(_)) | Err(_) => false,
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
