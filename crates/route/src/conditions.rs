//! The conditions of one route.

use crate::facts::Facts;
use crate::host::{self, HostPattern};
use crate::path::PathPattern;
use crate::pattern::Pattern;

/// What a request must be for a route to take it: every condition must hold. One without conditions takes all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// One of these; empty: any host, and none.
    pub hosts: Vec<HostPattern>,
    /// The path; `None`: any.
    pub path: Option<PathPattern>,
    /// One of these, as written: `GET` does not include `HEAD`. Empty: any method.
    pub methods: Vec<Box<str>>,
    /// All of these.
    pub fields: Vec<FieldCondition>,
}

/// A condition on a header field: at least one line of it has a value that the pattern matches. The pattern `*` holds
/// whenever the field is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCondition {
    name: Box<str>,
    value: Pattern,
}

impl FieldCondition {
    /// A condition on the field called `name`, in any case.
    pub fn new(name: &str, value: Pattern) -> Self {
        Self {
            name: name.to_ascii_lowercase().into(),
            value,
        }
    }

    /// The field's name in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its value must be.
    pub fn value(&self) -> &Pattern {
        &self.value
    }

    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        facts
            .fields
            .any(&self.name, &mut |value| self.value.matches(value))
    }
}

impl Conditions {
    /// Whether every condition holds.
    pub fn hold(&self, facts: &Facts<'_>) -> bool {
        self.hold_for(&host::name_of(facts.host), facts)
    }

    /// The same where the name has been taken from the host already. In the order of cost.
    pub(crate) fn hold_for(&self, host: &str, facts: &Facts<'_>) -> bool {
        self.path_holds(facts)
            && self.method_holds(facts)
            && self.host_holds(host)
            && self.fields.iter().all(|field| field.holds(facts))
    }

    pub(crate) fn host_holds(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches_name(host))
    }

    pub(crate) fn path_holds(&self, facts: &Facts<'_>) -> bool {
        self.path
            .as_ref()
            .is_none_or(|path| path.matches(facts.path))
    }

    pub(crate) fn method_holds(&self, facts: &Facts<'_>) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| **method == *facts.method)
    }
}
