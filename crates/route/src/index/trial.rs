//! A rule, as far as it takes to try it.

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
    host: Wanted,
    path: Wanted,
    /// Whether the rule asks for more than host and path.
    more: bool,
}

#[derive(Clone, Copy)]
enum Wanted {
    Any,
    /// What is equal to the text.
    Equal,
    /// Names that end with the text, paths that begin with it.
    Below,
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
            (None, []) => (Wanted::Any, ""),
            (Some(one), _) | (None, [one]) => match one.key() {
                HostKey::Exact(name) => (Wanted::Equal, name),
                HostKey::Below(suffix) => (Wanted::Below, suffix),
                HostKey::Other => (Wanted::Other, ""),
            },
            (None, _) => (Wanted::Other, ""),
        };
        let (path, place) = match rule.path.as_ref().map(path::PathPattern::form) {
            None => (Wanted::Any, ""),
            Some(Form::Exact(text)) => (Wanted::Equal, &**text),
            Some(Form::Prefix(text)) => (Wanted::Below, &**text),
            Some(_) => (Wanted::Other, ""),
        };
        let text = texts.len();
        texts.push_str(name);
        texts.push_str(place);
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
    pub(super) fn capture(&self, rules: &[Conditions], path: &str, captures: &mut Captures) {
        match self.path {
            Wanted::Any | Wanted::Equal => {}
            Wanted::Below => {
                let start = self.path_length as usize + 1;
                captures.push(start.min(path.len()), path.len());
            }
            Wanted::Other => {
                let rule = rules.get(self.rule as usize);
                if let Some(pattern) = rule.and_then(|rule| rule.path.as_ref()) {
                    pattern.capture(path, captures);
                }
            }
        }
    }

    fn path_holds(&self, rules: &[Conditions], texts: &str, facts: &Facts<'_>) -> bool {
        let start = self.text + self.host_length as usize;
        let text = texts.get(start..start + self.path_length as usize);
        match self.path {
            Wanted::Any => true,
            Wanted::Equal => text == Some(facts.path),
            Wanted::Below => text.is_some_and(|text| path::below(text, facts.path).is_some()),
            Wanted::Other => self.asked(rules, |rule| rule.path_holds(facts)),
        }
    }

    fn host_holds(&self, rules: &[Conditions], texts: &str, host: &str) -> bool {
        let text = texts.get(self.text..self.text + self.host_length as usize);
        match self.host {
            Wanted::Any => true,
            Wanted::Equal => text == Some(host),
            Wanted::Below => text.is_some_and(|suffix| ends_below(host, suffix)),
            Wanted::Other => self.asked(rules, |rule| rule.host_holds(host)),
        }
    }

    fn asked(&self, rules: &[Conditions], holds: impl Fn(&Conditions) -> bool) -> bool {
        rules.get(self.rule as usize).is_some_and(holds)
    }
}
