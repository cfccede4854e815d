//! Finding the route of a request.

use crate::captures::Captures;
use crate::conditions::Conditions;
use crate::explain::Verdict;
use crate::facts::Facts;
use crate::host;

/// The rules of one listener, compiled. Two are equal when their rules are.
#[derive(Clone, Debug, Default)]
pub struct Router {
    rules: Box<[Conditions]>,
}

impl Router {
    /// Compiles rules, which are tried in this order.
    pub fn new(rules: Vec<Conditions>) -> Self {
        Self {
            rules: rules.into(),
        }
    }

    /// The index of the first rule whose every condition holds; what its path pattern captured is put into `captures`.
    pub fn find(&self, facts: &Facts<'_>, captures: &mut Captures) -> Option<usize> {
        captures.clear();
        let host = host::name_of(facts.host);
        let found = self
            .rules
            .iter()
            .position(|rule| rule.hold_for(&host, facts))?;
        if let Some(path) = self.rules.get(found).and_then(|rule| rule.path.as_ref()) {
            path.capture(facts.path, captures);
        }
        Some(found)
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
