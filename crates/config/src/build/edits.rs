//! What a route changes in heads: `request-headers`, `response-headers` and what else comes to that.

use sluice_route::{FieldNames, Template, Variable};

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{FieldLine, HeadEdits, RouteEdits};
use crate::read::{Read, Section, Typed};

/// Whose head it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// What is gathered for [`HeadEdits`].
#[derive(Default)]
pub(super) struct Gathered {
    removes: Vec<String>,
    copies: Vec<(Box<str>, Box<str>)>,
    lines: Vec<FieldLine>,
}

impl Gathered {
    /// Has a field say this and nothing else, whatever was set before.
    pub(super) fn set(&mut self, name: &str, value: Template) {
        self.lines.retain(|line| &*line.name != name);
        self.removes.push(name.to_owned());
        self.lines.push(FieldLine {
            name: name.into(),
            value,
        });
    }

    fn into_edits(self) -> Option<Box<HeadEdits>> {
        let is_idle = self.removes.is_empty() && self.copies.is_empty() && self.lines.is_empty();
        let edits = HeadEdits {
            removes: FieldNames::new(self.removes.iter().map(String::as_str)),
            copies: self.copies.into(),
            lines: self.lines.into(),
        };
        (!is_idle).then(|| Box::new(edits))
    }
}

impl Builder<'_> {
    /// What the route of `section` changes; `captures` are those of its path, `None` where that is wrong.
    pub(super) fn edits(
        &mut self,
        section: &Section,
        captures: Option<&[Box<str>]>,
    ) -> Option<RouteEdits> {
        let request = match section.table("request-headers") {
            Some(table) => {
                let mut gathered = Gathered::default();
                self.headers(table, Side::Request, captures, &mut gathered)
                    .then_some(gathered)
            }
            None => Some(Gathered::default()),
        };
        let response = self.response_headers(section, captures);
        let rewrite = match section.table("rewrite") {
            Some(table) => self.rewrite(table, section, captures).map(Some),
            None => Some(None),
        };
        let cors = match section.table("cors") {
            Some(table) => self.cors(table, section).map(Some),
            None => Some(None),
        };
        Some(RouteEdits {
            request: request?.into_edits(),
            response: response?.into_edits(),
            rewrite: rewrite?.map(Box::new),
            cors: cors?.map(Box::new),
        })
    }

    /// What the route's keys say of answers, the plainest last: it goes before the others.
    fn response_headers(
        &mut self,
        section: &Section,
        captures: Option<&[Box<str>]>,
    ) -> Option<Gathered> {
        let mut gathered = Gathered::default();
        let mut is_right = Self::security_headers(section, &mut gathered).is_some();
        if section.table("cors").is_some() {
            let names = SAID_BY_CORS.iter().map(|name| (*name).to_owned());
            gathered.removes.extend(names);
        }
        if let Some(respond) = section.table("respond") {
            let side = Side::Response;
            is_right &= match fields(respond, "headers") {
                Some(set) => {
                    let names = set.iter().map(|(name, _)| name);
                    self.are_not_ours(&[], names, side)
                        & self.set(set, side, captures, &mut gathered)
                }
                None => false,
            };
        }
        if let Some(table) = section.table("response-headers") {
            is_right &= self.headers(table, Side::Response, captures, &mut gathered);
        }
        is_right.then_some(gathered)
    }

    /// Whether all is right with them.
    fn headers(
        &mut self,
        section: &Section,
        side: Side,
        captures: Option<&[Box<str>]>,
        gathered: &mut Gathered,
    ) -> bool {
        let removed = match section.set_at("remove") {
            Some(_) => section.items::<String>("remove"),
            None => Some(Vec::new()),
        };
        let tables = (
            fields(section, "set"),
            fields(section, "add"),
            fields(section, "copy"),
        );
        let (Some(removed), (Some(set), Some(added), Some(copied))) = (removed, tables) else {
            return false;
        };
        let names = set.iter().chain(added).map(|(name, _)| name);
        let changed = names.chain(copied.iter().map(|(_, to)| to));
        let mut is_right = self.are_not_ours(&removed, changed, side);
        is_right &= self.are_replaced_once(&removed, set, copied);
        is_right &= self.set(set, side, captures, gathered);
        gathered
            .removes
            .extend(removed.into_iter().map(|(name, _)| name));
        for (name, values) in added {
            let (Some(name), Typed::List(values)) = (text_of(name), &values.typed) else {
                continue;
            };
            for value in values {
                let value = self.value(value, side, captures);
                is_right &= value.is_some();
                gathered.lines.extend(value.map(|value| FieldLine {
                    name: name.into(),
                    value,
                }));
            }
        }
        for (from, to) in copied {
            let (Some(from), Some(to)) = (text_of(from), text_of(to)) else {
                continue;
            };
            gathered.removes.push(to.to_owned());
            gathered.copies.push((from.into(), to.into()));
        }
        is_right
    }

    /// Whether all is right with them.
    fn set(
        &mut self,
        fields: &[(Read, Read)],
        side: Side,
        captures: Option<&[Box<str>]>,
        gathered: &mut Gathered,
    ) -> bool {
        let mut is_right = true;
        for (name, value) in fields {
            match (text_of(name), self.value(value, side, captures)) {
                (Some(name), Some(value)) => gathered.set(name, value),
                _ => is_right = false,
            }
        }
        is_right
    }

    fn value(
        &mut self,
        value: &Read,
        side: Side,
        captures: Option<&[Box<str>]>,
    ) -> Option<Template> {
        let text = text_of(value)?;
        let template = self.template_at(text, &value.span, captures)?;
        self.foreign_variables(text, &value.span);
        if side == Side::Request && template.variables().any(|one| *one == Variable::Server) {
            self.server_is_unknown(&value.span);
            return None;
        }
        Some(template)
    }

    /// For texts that the server gets.
    pub(super) fn server_is_unknown(&mut self, span: &Span) {
        let what = "`{server}` is not known yet when the request's head is written: the server is chosen after that, and may be chosen again";
        let help = "in `response-headers` it can be used";
        self.findings
            .push(Diagnostic::error(span.clone(), what).help(help));
    }

    /// Fields that no route may change, of those in `removed` and `changed`; whether there are none.
    fn are_not_ours<'r>(
        &mut self,
        removed: &'r [(String, Span)],
        changed: impl Iterator<Item = &'r Read>,
        side: Side,
    ) -> bool {
        let mut is_right = true;
        let mut names: Vec<(&str, &Span)> = Vec::new();
        for read in changed {
            let Some(name) = text_of(read) else { continue };
            names.push((name, &read.span));
            if name.contains('*') {
                let what = format!("`{name}` is one name: `*` stands for any in `remove` alone");
                self.findings.error(&read.span, what);
                is_right = false;
            }
        }
        names.extend(removed.iter().map(|(name, span)| (name.as_str(), span)));
        for (name, span) in names {
            if let Some(help) = of_ours(name, side) {
                let what = format!("`{name}` cannot be changed here");
                self.findings
                    .push(Diagnostic::error(span.clone(), what).help(help));
                is_right = false;
            }
        }
        is_right
    }

    /// A field has one value; whether it is so.
    fn are_replaced_once(
        &mut self,
        removed: &[(String, Span)],
        set: &[(Read, Read)],
        copied: &[(Read, Read)],
    ) -> bool {
        let mut replaced: Vec<(&str, &Span)> = Vec::new();
        let mut is_right = true;
        let set = set.iter().map(|(name, _)| name);
        for read in set.chain(copied.iter().map(|(_, to)| to)) {
            let Some(name) = text_of(read) else { continue };
            let mut known = replaced.iter();
            if let Some((_, first)) = known.find(|(one, _)| one.eq_ignore_ascii_case(name)) {
                let what = format!("`{name}` gets its value from two places");
                self.findings.push(
                    Diagnostic::error(read.span.clone(), what)
                        .related((*first).clone(), "the other one"),
                );
                is_right = false;
            }
            replaced.push((name, &read.span));
        }
        for (name, span) in removed {
            let mut known = replaced.iter();
            if known.any(|(one, _)| one.eq_ignore_ascii_case(name)) {
                let what = format!("`{name}` is replaced: it need not be removed");
                self.findings.push(Diagnostic::warning(span.clone(), what));
            }
        }
        is_right
    }
}

/// What is said by `cors`, and not by servers then.
const SAID_BY_CORS: &[&str] = &[
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// Why a field is not for routes to change, in lower case.
fn of_ours(name: &str, side: Side) -> Option<&'static str> {
    Some(match name {
        "connection" | "keep-alive" | "proxy-connection" | "te" | "upgrade" => {
            "it is about one connection, and sluice has one of its own on each side"
        }
        "content-length" | "transfer-encoding" | "trailer" => {
            "it says where the message ends, which sluice passes on as it is"
        }
        _ if side == Side::Response => return None,
        "host" => "`rewrite = { host = \"…\" }` changes it",
        "expect" | "max-forwards" | "grpc-timeout" => {
            "it is for every hop to act on, and sluice does"
        }
        "x-client-cert-subject" | "x-client-cert-fingerprint" => {
            "`tls.client-auth` of the listener has it sent, so that servers can rely on it"
        }
        _ => return None,
    })
}

/// The names and values of a table; `None` where it is wrong.
fn fields<'s>(section: &'s Section, key: &str) -> Option<&'s [(Read, Read)]> {
    match &section.read(key)?.typed {
        Typed::Fields(fields) => Some(fields),
        _ => None,
    }
}

fn text_of(read: &Read) -> Option<&str> {
    match &read.typed {
        Typed::Text(text) => Some(text),
        _ => None,
    }
}
