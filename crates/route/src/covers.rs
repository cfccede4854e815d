//! Whether one route leaves nothing for another: what makes a route unreachable.

use ipnet::IpNet;
use sluice_model::Country;

use crate::conditions::{
    ClaimCondition, Conditions, CookieCondition, FieldCondition, JsonCondition, ParameterCondition,
};

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
            && self
                .cookies
                .iter()
                .all(|cookie| cookie.follows_from(&later.cookies))
            && self
                .parameters
                .iter()
                .all(|parameter| parameter.follows_from(&later.parameters))
            && self.json.iter().all(|one| one.follows_from(&later.json))
            && self
                .claims
                .iter()
                .all(|claim| claim.follows_from(&later.claims))
            && self.covers_clients(later)
            && self.covers_countries(later)
            && self.covers_subject(later)
            && (self.scheme.is_none() || self.scheme == later.scheme)
            && self.not.iter().all(|not| later.not.contains(not))
            && (self.any.is_empty()
                || self.any == later.any
                || self.any.iter().any(|any| any.covers(later)))
    }

    fn covers_clients(&self, later: &Self) -> bool {
        let is_within = |network: &IpNet| self.clients.iter().any(|wider| wider.contains(network));
        self.clients.is_empty()
            || (!later.clients.is_empty() && later.clients.iter().all(is_within))
    }

    fn covers_countries(&self, later: &Self) -> bool {
        let is_among = |country: &Country| self.countries.contains(country);
        self.countries.is_empty()
            || (!later.countries.is_empty() && later.countries.iter().all(is_among))
    }

    fn covers_subject(&self, later: &Self) -> bool {
        match (&self.tls_subject, &later.tls_subject) {
            (None, _) => true,
            (Some(wider), Some(subject)) => wider.covers(subject),
            (Some(_), None) => false,
        }
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

impl CookieCondition {
    fn follows_from(&self, cookies: &[Self]) -> bool {
        cookies
            .iter()
            .any(|cookie| cookie.name == self.name && self.value.covers(&cookie.value))
    }
}

impl JsonCondition {
    fn follows_from(&self, all: &[Self]) -> bool {
        all.iter()
            .any(|one| one.pointer == self.pointer && self.value.covers(&one.value))
    }
}

impl ClaimCondition {
    fn follows_from(&self, claims: &[Self]) -> bool {
        let verifies = |one: &usize| self.verifiers.contains(one);
        claims.iter().any(|one| {
            let is_verified = match &*one.verifiers {
                [] => self.verifiers.is_empty(),
                verifiers => verifiers.iter().all(verifies),
            };
            one.name == self.name && is_verified && self.value.covers(&one.value)
        })
    }
}

impl ParameterCondition {
    fn follows_from(&self, parameters: &[Self]) -> bool {
        parameters
            .iter()
            .any(|one| one.name == self.name && self.value.covers(&one.value))
    }
}
