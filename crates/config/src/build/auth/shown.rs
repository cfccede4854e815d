//! `basic` and `api-key` of `[auth.NAME]`: what clients show, and the files with what lets them in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_auth::{ApiKeys, PasswordsError, Users};

use crate::build::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{ApiKeyAuth, BasicAuth, KeyPlace};
use crate::read::Section;

impl Builder<'_> {
    pub(super) fn basic_auth(
        &mut self,
        auth: &Section,
        section: &Section,
    ) -> Option<Arc<BasicAuth>> {
        let read = self.file_of(section, "users", "this file of passwords cannot be used", |text| {
            Users::parse(text).map_err(|error| {
                let help = match error {
                    PasswordsError::Slow(_) => "bcrypt costs 16 at most, argon2 takes 256 MiB, 32 passes and 16 lanes at most",
                    _ => "`htpasswd -B -C 10 FILE NAME` adds a line with bcrypt",
                };
                (error.to_string(), help)
            })
        });
        let realm = match section.set_at("realm") {
            Some(_) => section.value::<String>("realm"),
            None => Some(auth.name.clone()),
        };
        let (file, users) = read?;
        Some(Arc::new(BasicAuth {
            file,
            users,
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", quoted(&realm?)).into(),
            name_field: self.name_field(section)?,
            strips: section.value("strip")?,
        }))
    }

    pub(super) fn api_key_auth(&mut self, section: &Section) -> Option<Arc<ApiKeyAuth>> {
        let read = self.file_of(
            section,
            "keys",
            "this file of keys cannot be used",
            |text| {
                let help = "a line is a name and what `printf %s \"$KEY\" | sha256sum` says";
                ApiKeys::parse(text).map_err(|error| (error.to_string(), help))
            },
        );
        let place = match (section.set_at("header"), section.set_at("query")) {
            (Some(_), None) => KeyPlace::Field(section.value("header")?),
            (None, Some(_)) => {
                self.out_of_place(section, &["strip"], |key| {
                    Diagnostic::error(
                        0..0,
                        format!("`{key}` is about a header field, and the key is in the query"),
                    )
                });
                KeyPlace::Parameter(section.value("query")?)
            }
            (set, other) => {
                let at = set.and(other).unwrap_or(&section.span).clone();
                let what = "a key is in one of `header` and `query`";
                self.findings
                    .push(Diagnostic::error(at, what).help("for example `header = \"x-api-key\"`"));
                return None;
            }
        };
        let (file, keys) = read?;
        let named = match &place {
            KeyPlace::Field(name) => format!("header=\"{name}\""),
            KeyPlace::Parameter(name) => format!("query=\"{}\"", quoted(name)),
        };
        Some(Arc::new(ApiKeyAuth {
            file,
            keys,
            place,
            challenge: format!("ApiKey {named}").into(),
            name_field: self.name_field(section)?,
            strips: section.value("strip")?,
        }))
    }

    /// The file that a key names, and what its text means.
    pub(super) fn file_of<T>(
        &mut self,
        section: &Section,
        key: &str,
        message: &str,
        parse: impl Fn(&str) -> Result<T, (String, &'static str)>,
    ) -> Option<(PathBuf, T)> {
        let (path, span) = section.with_span::<String>(key)?;
        let wrong = |reason: &str| Diagnostic::error(span.clone(), message).label(reason);
        let (path, text) = match self.surroundings.file(Path::new(&path)) {
            Ok(read) => read,
            Err(reason) => {
                self.findings.push(wrong(&reason));
                return None;
            }
        };
        match parse(&text) {
            Ok(parsed) => Some((path, parsed)),
            Err((reason, help)) => {
                self.findings.push(wrong(&reason).help(help));
                None
            }
        }
    }

    /// `name-header`; the outer `None` where it is wrong.
    #[expect(clippy::option_option, reason = "a wrong one is not a missing one")]
    fn name_field(&mut self, section: &Section) -> Option<Option<Box<str>>> {
        let Some(span) = section.set_at("name-header") else {
            return Some(None);
        };
        let span = span.clone();
        let name: Box<str> = section.value("name-header")?;
        self.may_be_set(&name, span).then_some(Some(name))
    }
}

/// As it stands within quotes (RFC 9110, 5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
