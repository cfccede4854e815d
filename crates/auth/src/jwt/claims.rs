//! What a token claims (RFC 7519, 4).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::JwtError;

/// The claims of a token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// An object.
    values: Value,
    expires: u64,
}

impl Claims {
    /// Only what comes to an end: a token without `exp` would let in for ever.
    pub(super) fn new(values: Map<String, Value>, leeway: u64) -> Result<Self, JwtError> {
        let expires = match values.get("exp") {
            None => return Err(JwtError::Expired),
            Some(value) => seconds(value).ok_or(JwtError::Malformed)?,
        };
        Ok(Self {
            values: Value::Object(values),
            expires: expires.saturating_add(leeway),
        })
    }

    pub(super) fn check_time(&self, now: u64, leeway: u64) -> Result<(), JwtError> {
        if now >= self.expires {
            return Err(JwtError::Expired);
        }
        match self.values.get("nbf") {
            None => Ok(()),
            Some(value) => {
                let begins = seconds(value).ok_or(JwtError::Malformed)?;
                if now.saturating_add(leeway) < begins {
                    return Err(JwtError::Early);
                }
                Ok(())
            }
        }
    }

    /// Whether a claim is one of these texts, or a list with one of them.
    pub(super) fn has_text(&self, name: &str, wanted: &[Box<str>]) -> bool {
        let is_wanted = |text: &str| wanted.iter().any(|one| **one == *text);
        match self.values.get(name) {
            Some(Value::String(text)) => is_wanted(text),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).any(is_wanted),
            _ => false,
        }
    }

    /// When they are worth nothing any more, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// A claim. Where the name begins with `/`, it is a JSON pointer (RFC 6901) to one within others: `/realm_access/roles`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if name.starts_with('/') {
            return self.values.pointer(name);
        }
        self.values.get(name)
    }

    /// The same as a text: numbers and `true` as they are written, items of a list joined by commas. `None` where it is missing, or an
    /// object.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.get(name)? {
            Value::Array(items) => {
                let items: Option<Vec<_>> = items.iter().map(scalar).collect();
                Some(items?.join(",").into())
            }
            value => scalar(value),
        }
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(if *flag { "true" } else { "false" }.into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A moment (RFC 7519, 2, `NumericDate`), which may have a fraction.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| *number >= 0.0)?;
        // Beyond what can be written it is for ever all the same.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative, and rounded down"
        )]
        Some(number as u64)
    })
}
