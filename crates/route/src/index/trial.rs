//! A rule, as far as it takes to try it.

use std::borrow::Cow;

use super::narrow;
use crate::captures::Captures;
use crate::conditions::Conditions;
use crate::facts::Facts;
use crate::host::{HostKey, HostPattern, ends_below};
use crate::path::{self, Form};

/// What a rule asks for, in few bytes. Most ask for a host and a path that are texts, which are compared without a look at the
/// rule itself: that lies in several places, and among thousands of rules none of them is in the cache.
#[derive(Clone, Copy)]
pub(super) struct Trial {
    /// Where the host's text stands, and behind it the path's.
    text: usize,
    host_length: u32,
    path_length: u32,
    rule: u32,
    host: Host,
    path: Path,
    /// Whether the rule asks for more than host and path.
    more: bool,
}

#[derive(Clone, Copy)]
enum Host {
    Any,
    /// The name that is the text.
    Equal,
    /// Names that end with the text.
    Below,
    /// What the rule says.
    Other,
}

#[derive(Clone, Copy)]
enum Path {
    Any,
    /// The path that is the text.
    Equal,
    /// Paths that begin with the text.
    Below,
    /// Paths whose segments are those of the text.
    Segments,
    /// And what is below them.
    SegmentsBelow,
    /// What the rule says.
    Other,
}

impl Trial {
    /// A rule for one of its hosts, or for all of them where that is `None`. Its texts are put behind the others.
    pub(super) fn new(
        at: usize,
        rule: &Conditions,
        host: Option<&HostPattern>,
        texts: &mut String,
    ) -> Self {
        let (host, name) = match (host, &*rule.hosts) {
            (None, []) => (Host::Any, ""),
            (Some(one), _) | (None, [one]) => match one.key() {
                HostKey::Exact(name) => (Host::Equal, name),
                HostKey::Below(suffix) => (Host::Below, suffix),
                HostKey::Other => (Host::Other, ""),
            },
            (None, _) => (Host::Other, ""),
        };
        let (path, place) = path_of(rule);
        let text = texts.len();
        texts.push_str(name);
        texts.push_str(&place);
        Self {
            text,
            host_length: narrow(name.len()),
            path_length: narrow(place.len()),
            rule: narrow(at),
            host,
            path,
            more: rule.ask_for_more(),
        }
    }

    /// The rule's place in the order.
    pub(super) fn rule(&self) -> u32 {
        self.rule
    }

    /// Whether the rule holds. `rules` and `texts` are those that it was made of.
    pub(super) fn holds(
        &self,
        rules: &[Conditions],
        texts: &str,
        host: &str,
        facts: &Facts<'_>,
    ) -> bool {
        self.path_holds(rules, texts, facts)
            && self.host_holds(rules, texts, host)
            && (!self.more || self.asked(rules, |rule| rule.more_hold(host, facts)))
    }

    /// Notes what the rule's path captures, where it holds.
    pub(super) fn capture(
        &self,
        rules: &[Conditions],
        texts: &str,
        path: &str,
        captures: &mut Captures,
    ) {
        match self.path {
            Path::Any | Path::Equal => {}
            Path::Segments | Path::SegmentsBelow => {
                self.walk(texts, path, |start, end| captures.push(start, end));
            }
            Path::Below => {
                let start = self.path_length as usize + 1;
                captures.push(start.min(path.len()), path.len());
            }
            Path::Other => {
                let rule = rules.get(self.rule as usize);
                if let Some(pattern) = rule.and_then(|rule| rule.path.as_ref()) {
                    pattern.capture(path, captures);
                }
            }
        }
    }

    fn path_holds(&self, rules: &[Conditions], texts: &str, facts: &Facts<'_>) -> bool {
        let text = self.path_text(texts);
        match self.path {
            Path::Any => true,
            Path::Equal => text == Some(facts.path),
            Path::Below => text.is_some_and(|text| path::below(text, facts.path).is_some()),
            Path::Segments | Path::SegmentsBelow => self.walk(texts, facts.path, |_, _| {}),
            Path::Other => self.asked(rules, |rule| rule.path_holds(facts)),
        }
    }

    fn walk(&self, texts: &str, path: &str, captured: impl FnMut(usize, usize)) -> bool {
        let rest = matches!(self.path, Path::SegmentsBelow);
        let text = self.path_text(texts);
        text.is_some_and(|text| path::walk_written(text, rest, path, captured))
    }

    fn path_text<'t>(&self, texts: &'t str) -> Option<&'t str> {
        let start = self.text + self.host_length as usize;
        texts.get(start..start + self.path_length as usize)
    }

    fn host_holds(&self, rules: &[Conditions], texts: &str, host: &str) -> bool {
        let text = texts.get(self.text..self.text + self.host_length as usize);
        match self.host {
            Host::Any => true,
            Host::Equal => text == Some(host),
            Host::Below => text.is_some_and(|suffix| ends_below(host, suffix)),
            Host::Other => self.asked(rules, |rule| rule.host_holds(host)),
        }
    }

    fn asked(&self, rules: &[Conditions], holds: impl Fn(&Conditions) -> bool) -> bool {
        rules.get(self.rule as usize).is_some_and(holds)
    }
}

/// What a rule's path asks for, and its text.
fn path_of(rule: &Conditions) -> (Path, Cow<'_, str>) {
    match rule.path.as_ref().map(path::PathPattern::form) {
        None => (Path::Any, "".into()),
        Some(Form::Exact(text)) => (Path::Equal, (&**text).into()),
        Some(Form::Prefix(text)) => (Path::Below, (&**text).into()),
        Some(Form::Segments { segments, rest }) => match path::written(segments) {
            Some(text) if *rest => (Path::SegmentsBelow, text.into()),
            Some(text) => (Path::Segments, text.into()),
            None => (Path::Other, "".into()),
        },
        Some(Form::Glob { .. } | Form::Regex { .. }) => (Path::Other, "".into()),
    }
}
