//! `jwt` of `[auth.NAME]`: what tokens have to claim, and what servers are told of it.

use std::sync::Arc;
use std::time::Duration;

use sluice_auth::jwt::{Algorithm, Rules};

use crate::build::Builder;
use crate::plan::{JwtAuth, ToldClaims};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn jwt_auth(&mut self, section: &Section) -> Option<Arc<JwtAuth>> {
        // All before the first `?`, so that each reports what is wrong with it.
        let keys = self.token_keys(section);
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
