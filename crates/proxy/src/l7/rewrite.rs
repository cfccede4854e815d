//! What a server is asked for instead of what the client asks for: another target, another host.

use sluice_config::plan::Rewrite;
use sluice_http::h1::request::Place;
use sluice_route::Requested;
use sluice_telemetry::metrics::BadRequest;

use super::refuse::Refused;
use super::values::Values;

/// Another place.
pub(super) struct Elsewhere {
    target: Option<String>,
    host: Option<String>,
}

impl Elsewhere {
    /// The place that the route means for the request of `values`. What a client sends may be no part of any.
    pub(super) fn of(rewrite: &Rewrite, values: &Values<'_>) -> Result<Self, Refused> {
        let mut target = None;
        if let Some(path) = &rewrite.path {
            let requested = Requested {
                path: values.facts.path,
                query: values.head.target.query(),
                captures: values.captures,
            };
            let mut written = String::new();
            let value = |variable: &_, out: &mut _| values.write(variable, out);
            path.target(&requested, value, &mut written)
                .map_err(|_| Refused::Bad(400, BadRequest::Target))?;
            target = Some(written);
        }
        let mut host = None;
        if let Some(template) = &rewrite.host {
            let mut written = Vec::new();
            template.render(|variable, out| values.write(variable, out), &mut written);
            let written = String::from_utf8(written).ok().filter(|host| is_host(host));
            host = Some(written.ok_or(Refused::Bad(400, BadRequest::Host))?);
        }
        Ok(Self { target, host })
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place {
            target: self.target.as_deref(),
            host: self.host.as_deref(),
        }
    }
}

/// Whether it has only what hosts and ports are made of, and no label is empty: of `{claim:tenant}.internal` a tenant is left.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let has_gap = text.starts_with(['.', ':']) || text.contains("..");
    !text.is_empty() && text.bytes().all(fits) && !has_gap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_is_made_of() {
        for (text, expected) in [
            ("a.example", true),
            ("a.example:8080", true),
            ("[::1]:80", true),
            ("", false),
            ("a.example.", true),
            (".internal", false),
            ("a..internal", false),
            (":8080", false),
            ("a b", false),
            ("a/b", false),
            ("a@b", false),
            ("caf%C3%A9", false),
            ("a\r\nb: c", false),
        ] {
            assert_eq!(is_host(text), expected, "{text}");
        }
    }
}
