//! `api-key`: a key in a header field or in the query.

use std::sync::Arc;

use sluice_config::plan::{ApiKeyAuth, KeyPlace};

use super::denial::Denial;
use super::{Verdict, name_lines};
use crate::l7::decide::Asked;
use crate::l7::identity::Identity;

impl Asked<'_, '_, '_> {
    pub(super) fn judge_by_key(&self, settings: &ApiKeyAuth) -> Verdict {
        let shown = match &settings.place {
            KeyPlace::Field(name) => self.only_field(name).map(without_scheme),
            KeyPlace::Parameter(name) => self.only_parameter(name),
        };
        let Some(key) = shown.filter(|key| !key.is_empty()) else {
            return Verdict::Out(Denial::missing(&settings.challenge));
        };
        match settings.keys.name_of(key) {
            Some(name) => {
                let lines = name_lines(settings.name_field.as_deref(), name);
                Verdict::In(Identity::of_name(Some(Arc::clone(name)), lines))
            }
            None => Verdict::Out(Denial::refused(&settings.challenge)),
        }
    }

    /// The value of a parameter that is there once, as it was written.
    fn only_parameter(&self, name: &str) -> Option<&[u8]> {
        let query = self.head.target.query()?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(key, _)| *key == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value.as_bytes())
    }
}

/// A key that was sent as a token (RFC 6750, 2.1).
fn without_scheme(value: &[u8]) -> &[u8] {
    match value.split_at_checked(BEARER.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) => key.trim_ascii_start(),
        _ => value,
    }
}

const BEARER: &[u8] = b"Bearer ";
