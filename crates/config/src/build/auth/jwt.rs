//! `jwt` of `[auth.NAME]`: by what tokens are signed, and what they have to claim.

use std::sync::Arc;
use std::time::Duration;

use sluice_auth::jwt::{Algorithm, Keys, KeysError, Rules};

use crate::build::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{JwtAuth, Secret, TokenKeys, ToldClaims};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn jwt_auth(&mut self, section: &Section) -> Option<Arc<JwtAuth>> {
        // All before the first `?`, so that each reports what is wrong with it.
        let keys = self.jwt_keys(section);
        let claims = self.told_claims(section);
        let texts = |key: &str| -> Option<Box<[Box<str>]>> {
            if section.set_at(key).is_none() {
                return Some(Box::default());
            }
            let items = section.items::<Box<str>>(key)?.into_iter();
            Some(items.map(|(item, _)| item).collect())
        };
        let mut algorithms = Vec::new();
        if section.set_at("algorithms").is_some() {
            let names = section.items::<&'static str>("algorithms")?.into_iter();
            algorithms.extend(names.filter_map(|(name, _)| Algorithm::of_name(name)));
        }
        Some(Arc::new(JwtAuth {
            keys: keys?,
            rules: Rules {
                algorithms: algorithms.into(),
                issuers: texts("issuer")?,
                audiences: texts("audience")?,
                leeway: section.value::<Duration>("leeway")?.as_secs(),
            },
            claims: claims?,
            strips: section.value("strip")?,
        }))
    }

    fn jwt_keys(&mut self, section: &Section) -> Option<TokenKeys> {
        let all = ["jwks", "public-key", "secret"];
        let set: Vec<_> = all
            .into_iter()
            .filter_map(|key| Some((key, section.set_at(key)?.clone())))
            .collect();
        let parsed = |text: &str, parse: fn(&str) -> Result<Keys, KeysError>, help| {
            parse(text).map_err(|error| (error.to_string(), help))
        };
        let known = |file, keys| TokenKeys::Known { file, keys };
        let message = "this file of keys cannot be used";
        match set.as_slice() {
            [("secret", _)] => {
                let secret: Secret = section.value("secret")?;
                Some(known(None, Keys::secret(secret.reveal().as_bytes())))
            }
            [("jwks", span)] => {
                let (path, _) = section.with_span::<String>("jwks")?;
                if path.contains("://") {
                    let what = "`jwks` by URL is not supported yet";
                    self.findings.push(Diagnostic::error(span.clone(), what));
                    return None;
                }
                let help = "it is what the issuer has at its `jwks_uri`";
                let read = self.file_of(section, "jwks", message, |text| {
                    parsed(text, Keys::set, help)
                });
                read.map(|(path, keys)| known(Some(path), keys))
            }
            [(key, _)] => {
                let help = "`openssl pkey -pubin -in FILE` and `openssl x509 -pubkey -noout -in FILE` write such a one";
                let read = self.file_of(section, key, message, |text| {
                    parsed(text, Keys::public, help)
                });
                read.map(|(path, keys)| known(Some(path), keys))
            }
            _ => {
                let at = set.get(1).map_or(&section.span, |(_, span)| span).clone();
                let what = "tokens are signed by one of `jwks`, `public-key` and `secret`";
                self.findings.push(
                    Diagnostic::error(at, what).help("for example `jwks = \"file:keys.json\"`"),
                );
                None
            }
        }
    }

    fn told_claims(&mut self, section: &Section) -> Option<ToldClaims> {
        if section.set_at("claims-to-headers").is_none() {
            return Some(Box::default());
        }
        let Typed::Map(map) = &section.read("claims-to-headers")?.typed else {
            return None;
        };
        let mut claims = Vec::new();
        let mut fits = true;
        for (claim, field) in map {
            if let (Typed::Text(claim), Typed::Text(name)) = (&claim.typed, &field.typed) {
                fits &= self.may_be_set(name, field.span.clone());
                claims.push((claim.as_str().into(), name.as_str().into()));
            }
        }
        fits.then(|| claims.into())
    }
}
