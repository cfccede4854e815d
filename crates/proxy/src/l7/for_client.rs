//! What an answer says beside what the server says: what its route adds, leaves out and copies, and lines of our own, cookies among
//! them. The same holds for answers of ours.

use std::fmt;
use std::rc::Rc;

use sluice_config::plan::{HeadEdits, RouteId};
use sluice_http::h1::edits::{Edits, write_line};
use sluice_route::{Variable, blank_line_ends};

use super::identity::Identity;
use super::values::Values;
use crate::auth::Verified;
use crate::live::LiveListener;

/// What is changed in the answer to one request. Written while the request's head is at hand, but for what is known only of the answer.
#[derive(Default)]
pub(crate) struct ForClient {
    /// The route whose `response-headers` hold.
    route: Option<(Rc<LiveListener>, RouteId)>,
    /// Whole lines.
    lines: Vec<u8>,
    /// Places in them, in order, where something is missing.
    gaps: Vec<(usize, Gap)>,
    /// The token by which the client was let in.
    token: Option<Rc<Verified>>,
}

/// What is not known before there is an answer.
#[derive(Debug)]
enum Gap {
    Upstream,
    Server,
    Claim(Box<str>),
}

impl Gap {
    fn of(variable: &Variable) -> Option<Self> {
        match variable {
            Variable::Upstream => Some(Self::Upstream),
            Variable::Server => Some(Self::Server),
            Variable::Claim(name) => Some(Self::Claim(name.clone())),
            _ => None,
        }
    }
}

impl ForClient {
    /// What the route has for every answer.
    pub(super) fn of_route(
        edits: &HeadEdits,
        values: &Values<'_>,
        listener: &Rc<LiveListener>,
        id: RouteId,
    ) -> Self {
        let mut gaps = Vec::new();
        let mut lines = room_for(edits);
        write_lines(edits, &mut lines, |variable, out| {
            let gap = Gap::of(variable);
            let is_open = gap.is_some();
            match gap {
                Some(gap) => gaps.push((out.len(), gap)),
                None => values.write(variable, out),
            }
            is_open
        });
        Self {
            route: Some((Rc::clone(listener), id)),
            lines,
            gaps,
            token: None,
        }
    }

    /// The client was let in.
    pub(super) fn let_in(&mut self, identity: &Identity) {
        self.token = identity.token().cloned();
    }

    /// Adds a field line.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        write_line(name, value, &mut self.lines);
    }

    /// Fills in what was not known.
    pub(crate) fn answered_by(&mut self, upstream: &str, server: &str) {
        if self.gaps.is_empty() {
            return;
        }
        // From the last one on: so the places before it stay as they are.
        for (at, gap) in std::mem::take(&mut self.gaps).into_iter().rev() {
            let claim = match &gap {
                Gap::Claim(name) => self
                    .token
                    .as_ref()
                    .and_then(|token| token.claims.text(name)),
                Gap::Upstream | Gap::Server => None,
            };
            let text = match gap {
                Gap::Upstream => upstream,
                Gap::Server => server,
                Gap::Claim(_) => claim.as_deref().unwrap_or_default(),
            };
            self.lines.splice(at..at, text.bytes());
            let written = self.lines.get_mut(at..at + text.len());
            blank_line_ends(written.unwrap_or_default());
        }
        drop_empty(&mut self.lines);
    }

    pub(super) fn edits(&self) -> Edits<'_> {
        let edits = self.route_edits();
        Edits {
            removes: edits.map(|edits| &edits.removes),
            copies: edits.map_or(&[], |edits| &edits.copies),
            lines: &self.lines,
        }
    }

    fn route_edits(&self) -> Option<&HeadEdits> {
        let (listener, id) = self.route.as_ref()?;
        let route = listener.live.plan.routes.get(id.0)?;
        route.edits.response.as_deref()
    }
}

impl fmt::Debug for ForClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForClient")
            .field("lines", &self.lines.escape_ascii().to_string())
            .field("gaps", &self.gaps)
            .finish_non_exhaustive()
    }
}

/// The lines that a server gets of its route.
pub(super) fn lines_for_server(edits: &HeadEdits, values: &Values<'_>) -> Vec<u8> {
    let mut lines = room_for(edits);
    write_lines(edits, &mut lines, |variable, out| {
        values.write(variable, out);
        false
    });
    lines
}

/// Taken at once, and not bit by bit as lines are added.
fn room_for(edits: &HeadEdits) -> Vec<u8> {
    Vec::with_capacity(edits.lines.len() * USUAL_LINE)
}

/// Appends the lines, without those of which nothing comes. `value` appends what a variable stands for, and says whether that is
/// still missing.
fn write_lines(
    edits: &HeadEdits,
    lines: &mut Vec<u8>,
    mut value: impl FnMut(&Variable, &mut Vec<u8>) -> bool,
) {
    for line in &edits.lines {
        let start = lines.len();
        lines.extend_from_slice(line.name.as_bytes());
        lines.extend_from_slice(b": ");
        let before = lines.len();
        let mut is_open = false;
        line.value
            .render(|variable, out| is_open |= value(variable, out), lines);
        if is_open || lines.len() > before {
            lines.extend_from_slice(b"\r\n");
        } else {
            lines.truncate(start);
        }
    }
}

/// Takes out lines without a value.
fn drop_empty(lines: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(rest) = lines.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let end = at + end.map_or(rest.len(), |end| end + 1);
        let line = lines.get(at..end).unwrap_or_default();
        if line.ends_with(b": \r\n") {
            lines.drain(at..end);
        } else {
            at = end;
        }
    }
}

/// Bytes of a field line; most have less.
const USUAL_LINE: usize = 64;

#[cfg(test)]
mod tests {
    use sluice_config::plan::FieldLine;
    use sluice_route::Template;

    use super::*;

    fn edits(lines: &[(&str, &str)]) -> HeadEdits {
        HeadEdits {
            lines: lines
                .iter()
                .map(|(name, value)| FieldLine {
                    name: (*name).into(),
                    value: Template::parse(value, &[""; 0]).expect("a template"),
                })
                .collect(),
            ..HeadEdits::default()
        }
    }

    #[test]
    fn lines_of_which_nothing_comes_are_left_out() {
        let edits = edits(&[
            ("a", "{cookie:a}"),
            ("b", "x{cookie:a}"),
            ("c", "{cookie:a}{cookie:b}"),
        ]);
        let mut lines = Vec::new();
        write_lines(&edits, &mut lines, |variable, out| {
            if *variable == Variable::Cookie("b".into()) {
                out.extend_from_slice(b"1\r\n2");
            }
            false
        });
        assert_eq!(lines.escape_ascii().to_string(), "b: x\\r\\nc: 1  2\\r\\n");
    }

    #[test]
    fn what_is_known_late_is_filled_in_late() {
        let edits = edits(&[
            ("a", "{upstream}/{server}!"),
            ("b", "{server}"),
            ("c", "fixed"),
            ("d", "{upstream}{upstream}"),
        ]);
        let filled = |upstream, server| {
            let mut gaps = Vec::new();
            let mut lines = Vec::new();
            write_lines(&edits, &mut lines, |variable, out| {
                let gap = Gap::of(variable);
                let is_open = gap.is_some();
                gaps.extend(gap.map(|gap| (out.len(), gap)));
                is_open
            });
            let mut one = ForClient {
                route: None,
                lines,
                gaps,
                token: None,
            };
            one.add("e", b"f\r\ng");
            one.answered_by(upstream, server);
            one.answered_by("never", "twice");
            String::from_utf8(one.lines)
                .expect("text")
                .replace("\r\n", ";")
        };
        assert_eq!(
            filled("app", "10.0.0.1:80"),
            "a: app/10.0.0.1:80!;b: 10.0.0.1:80;c: fixed;d: appapp;e: f  g;"
        );
        assert_eq!(
            filled("", ""),
            "a: /!;c: fixed;e: f  g;",
            "an answer of ours"
        );
    }
}
