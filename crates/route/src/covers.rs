//! Whether one route leaves nothing for another: what makes a route unreachable.

use crate::conditions::{Conditions, FieldCondition};

impl Conditions {
    /// Whether every request for which `later` holds is surely one for which `self` holds too, so that behind `self`
    /// it is never reached. May say no where the answer is yes (of two regular expressions only equal ones are known
    /// to cover each other), never the other way.
    pub fn covers(&self, later: &Self) -> bool {
        self.covers_hosts(later)
            && self.covers_path(later)
            && self.covers_methods(later)
            && self
                .fields
                .iter()
                .all(|field| field.follows_from(&later.fields))
    }

    fn covers_hosts(&self, later: &Self) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        if later.hosts.is_empty() {
            return self.hosts.iter().any(crate::HostPattern::is_any);
        }
        later
            .hosts
            .iter()
            .all(|host| self.hosts.iter().any(|wider| wider.covers(host)))
    }

    fn covers_path(&self, later: &Self) -> bool {
        match (&self.path, &later.path) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wider), Some(path)) => wider.covers(path),
        }
    }

    fn covers_methods(&self, later: &Self) -> bool {
        self.methods.is_empty()
            || (!later.methods.is_empty()
                && later
                    .methods
                    .iter()
                    .all(|method| self.methods.contains(method)))
    }
}

impl FieldCondition {
    fn follows_from(&self, fields: &[Self]) -> bool {
        fields
            .iter()
            .any(|field| field.name() == self.name() && self.value().covers(field.value()))
    }
}
