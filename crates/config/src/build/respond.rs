//! The body of a fixed answer.

use std::path::Path;
use std::sync::Arc;

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::RespondBody;
use crate::read::Section;

impl Builder<'_> {
    /// The body and its media type.
    pub(super) fn respond_body(
        &mut self,
        section: &Section,
        captures: Option<&[Box<str>]>,
    ) -> Option<(RespondBody, Arc<str>)> {
        let mut set = ["body", "json", "file"]
            .iter()
            .filter_map(|key| section.set_at(key).map(|span| (*key, span)))
            .collect::<Vec<_>>();
        set.sort_by_key(|(_, span)| span.start);
        let (body, usual) = match set.as_slice() {
            [] | [("body", _)] => {
                let text = self.template(section, "body", captures)?;
                (RespondBody::Text(text), PLAIN)
            }
            [("json", _)] => {
                let text = self.template(section, "json", captures)?;
                (RespondBody::Json(text), "application/json")
            }
            [_] => {
                let (name, span) = section.with_span::<String>("file")?;
                let read = self.surroundings.content(Path::new(&name));
                let (file, content) = read
                    .inspect_err(|reason| {
                        let what = "this file cannot be used as an answer";
                        self.findings
                            .push(Diagnostic::error(span.clone(), what).label(reason.as_str()));
                    })
                    .ok()?;
                (RespondBody::File { file, content }, media_type(&name))
            }
            [(first, at), (second, span), ..] => {
                let what = format!("an answer has one body, but here are `{first}` and `{second}`");
                self.findings.push(
                    Diagnostic::error((*span).clone(), what)
                        .related((*at).clone(), "the other one"),
                );
                return None;
            }
        };
        let content_type = match section.set_at("content-type") {
            Some(_) => section.value("content-type")?,
            None => usual.into(),
        };
        Some((body, content_type))
    }
}

/// What a file is by the ending of its name.
fn media_type(name: &str) -> &'static str {
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    let known = ENDINGS.iter().find(|(known, _)| *known == ending);
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// What pages, and answers of services, are made of.
const ENDINGS: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("txt", PLAIN),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];
