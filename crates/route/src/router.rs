//! Finding the route of a request.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use crate::captures::Captures;
use crate::conditions::Conditions;
use crate::explain::Verdict;
use crate::facts::Facts;
use crate::host;
use crate::index::Index;

/// The rules of one listener, compiled. Two are equal when their rules are.
///
/// A few rules are tried one by one. Many are looked up by host and path, so that only those are tried for which both
/// may hold. Regular expressions of paths, and hosts that are globs or regular expressions, are always tried.
#[derive(Clone, Default)]
pub struct Router {
    rules: Box<[Conditions]>,
    /// Whether any rule looks at the host.
    by_host: bool,
    /// Whether any rule looks into bodies.
    by_json: bool,
    index: Index,
}

impl Router {
    /// Compiles rules, which are tried in this order.
    pub fn new(rules: Vec<Conditions>) -> Self {
        Self {
            index: Index::new(&rules),
            by_host: rules.iter().any(Conditions::go_by_host),
            by_json: rules.iter().any(Conditions::go_by_json),
            rules: rules.into(),
        }
    }

    /// The index of the first rule whose every condition holds; what its path pattern captured is put into `captures`.
    pub fn find(&self, facts: &Facts<'_>, captures: &mut Captures) -> Option<usize> {
        captures.clear();
        let host = if self.by_host {
            host::host_name(facts.host)
        } else {
            Cow::Borrowed("")
        };
        self.index.find(&self.rules, facts, &host, captures)
    }

    /// Whether bodies that are JSON are wanted among the facts.
    pub fn wants_json(&self) -> bool {
        self.by_json
    }

    /// What every rule, in order, says of a request.
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<Verdict> {
        self.rules
            .iter()
            .map(|rule| Verdict::of(rule, facts))
            .collect()
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Conditions] {
        &self.rules
    }
}

impl PartialEq for Router {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.rules).finish()
    }
}
