//! Splits: a route's requests shared between upstreams.

use std::sync::Arc;
use std::time::Duration;

use sluice_route::{Facts, Scheme, Side as Contender, side_by_chance, side_of};

use super::{HashKey, UpstreamId};

/// `split = [{ upstream, weight }, …]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// In the order of the file; one of them has a weight at least.
    pub sides: Vec<Side>,
    /// `split-by`
    pub by: SplitBy,
}

/// One of `split`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// `upstream`
    pub upstream: UpstreamId,
    /// Its name.
    pub name: Arc<str>,
    /// What tells it from the other sides of this split and any other.
    pub id: u64,
    /// `weight`
    pub weight: u32,
}

/// What decides about a request's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// Chance, for each request anew.
    Request,
    /// A part of the request, and chance for one that has no such part.
    Key(HashKey),
    /// A cookie of ours.
    Assigned(Assignment),
}

/// `split-by = { assign, … }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// `assign`: the cookie's name.
    pub name: Box<str>,
    /// `ttl`
    pub ttl: Duration,
    /// `domain`
    pub domain: Option<Box<str>>,
    /// `same-site`, as it is sent.
    pub same_site: &'static str,
    /// `secure`; `None` where the client's scheme says it.
    pub secure: Option<bool>,
}

/// The side that a request is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index into [`Split::sides`].
    pub side: usize,
    /// The position that the client is to be told, as it had none.
    pub assigned: Option<u64>,
}

impl Split {
    /// Where a client stands, by what it sends; the same in every process. `None` where chance decides.
    pub fn position(&self, facts: &Facts<'_>) -> Option<u64> {
        match &self.by {
            SplitBy::Request => None,
            SplitBy::Key(key) => key.of_request(facts),
            SplitBy::Assigned(cookie) => cookie.position(facts),
        }
    }

    /// The side of a request. `weights` are those of the sides as they are now, `chance` any bits. `None` where no side takes
    /// anything.
    pub fn place(
        &self,
        facts: &Facts<'_>,
        chance: u64,
        weights: impl Fn(usize) -> u32,
    ) -> Option<Placed> {
        let position = self.position(facts);
        let assigned = match (&self.by, position) {
            (SplitBy::Assigned(_), None) => Some(chance),
            _ => None,
        };
        let side = match position.or(assigned) {
            Some(position) => {
                let contenders = self.sides.iter().enumerate();
                side_of(
                    position,
                    contenders.map(|(index, side)| Contender {
                        id: side.id,
                        weight: weights(index),
                    }),
                )
            }
            None => side_by_chance(chance, (0..self.sides.len()).map(&weights)),
        };
        side.map(|side| Placed { side, assigned })
    }
}

impl Assignment {
    /// What the client's cookie says; `None` where it has none, or one that we never set.
    fn position(&self, facts: &Facts<'_>) -> Option<u64> {
        let mut position = None;
        facts.any_cookie(&self.name, &mut |value| {
            position = read(value);
            position.is_some()
        });
        position
    }

    /// The value of `Set-Cookie` (RFC 6265, 4.1) that tells a client its position.
    pub fn cookie(&self, position: u64, scheme: Scheme) -> String {
        let mut cookie = format!(
            "{}={position:016x}; Path=/; Max-Age={}",
            self.name,
            self.ttl.as_secs()
        );
        if let Some(domain) = &self.domain {
            cookie.push_str("; Domain=");
            cookie.push_str(domain);
        }
        cookie.push_str("; SameSite=");
        cookie.push_str(self.same_site);
        if self.secure.unwrap_or(scheme == Scheme::Https) {
            cookie.push_str("; Secure");
        }
        cookie.push_str("; HttpOnly");
        cookie
    }
}

/// A position as it stands in a cookie: 16 hexadecimal digits, in lower case.
fn read(value: &[u8]) -> Option<u64> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = value.len() == 16 && value.iter().all(is_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| fits)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
