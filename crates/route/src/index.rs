//! Which rules are worth trying for a request: found by host, then by path.
//!
//! The index may name a rule that does not match, since every rule it names is tried, but never leaves one out that
//! does. So it can only cost time, not decide.

mod paths;

use rustc_hash::FxHashMap;

use crate::conditions::Conditions;
use crate::facts::Facts;
use crate::host::HostKey;

use paths::Paths;

/// A table over the rules of a router.
#[derive(Clone, Default)]
pub(crate) struct Index {
    /// By whole host names.
    exact: FxHashMap<Box<str>, Paths>,
    /// By domains below which a name must be.
    below: FxHashMap<Box<str>, Paths>,
    /// The length of the longest domain in `below`, which bounds what a long host can cost.
    longest: usize,
    /// The rules that no host name finds.
    other: Paths,
}

/// Up to so many rules are tried one by one, which costs less than looking them up.
const FEW: usize = 2;

/// A search for the first rule that holds. Keeps the best so far, behind which nothing more is tried.
pub(crate) struct Search<'a> {
    rules: &'a [Conditions],
    /// Which of them ask for more than path, method and host.
    more: &'a [bool],
    facts: &'a Facts<'a>,
    host: &'a str,
    best: usize,
}

impl Index {
    pub(crate) fn new(rules: &[Conditions]) -> Self {
        let mut exact: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        let mut below: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
        let mut other = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if rules.len() <= FEW || rule.hosts.is_empty() {
                other.push(at);
                continue;
            }
            for host in &rule.hosts {
                let list = match host.key() {
                    HostKey::Exact(name) => exact.entry(name).or_default(),
                    HostKey::Below(domain) => below.entry(domain).or_default(),
                    HostKey::Other => &mut other,
                };
                if list.last() != Some(&at) {
                    list.push(at);
                }
            }
        }
        let compile = |table: FxHashMap<&str, Vec<usize>>| {
            table
                .into_iter()
                .map(|(host, list)| (host.into(), Paths::new(rules, list)))
                .collect()
        };
        Self {
            longest: below.keys().map(|domain| domain.len()).max().unwrap_or(0),
            exact: compile(exact),
            below: compile(below),
            other: Paths::new(rules, other),
        }
    }

    pub(crate) fn search(&self, search: &mut Search<'_>) {
        if !self.exact.is_empty()
            && let Some(paths) = self.exact.get(search.host)
        {
            paths.search(search);
        }
        if !self.below.is_empty() {
            let host = search.host;
            let shortest_cut = host.len().saturating_sub(self.longest + 1);
            for dot in memchr::memchr_iter(b'.', host.as_bytes()) {
                if dot >= shortest_cut
                    && let Some(paths) = host.get(dot + 1..).and_then(|name| self.below.get(name))
                {
                    paths.search(search);
                }
            }
        }
        self.other.search(search);
    }
}

impl<'a> Search<'a> {
    /// `host` is what [`name_of`](crate::host::name_of) made of the one in `facts`.
    pub(crate) fn new(
        rules: &'a [Conditions],
        more: &'a [bool],
        facts: &'a Facts<'a>,
        host: &'a str,
    ) -> Self {
        Self {
            rules,
            more,
            facts,
            host,
            best: usize::MAX,
        }
    }

    /// The first rule that holds of those that were tried.
    pub(crate) fn found(&self) -> Option<usize> {
        (self.best != usize::MAX).then_some(self.best)
    }

    /// Tries rules, which are in order.
    fn try_each(&mut self, list: &[usize]) {
        for &at in list {
            if !self.may_improve(at) {
                return;
            }
            if self.holds(at) {
                self.best = at;
                return;
            }
        }
    }

    fn holds(&self, at: usize) -> bool {
        let (Some(rule), Some(&more)) = (self.rules.get(at), self.more.get(at)) else {
            return false;
        };
        rule.place_holds(self.host, self.facts) && (!more || rule.more_hold(self.host, self.facts))
    }

    /// Whether a rule, or any after it, would come before the best so far.
    fn may_improve(&self, at: usize) -> bool {
        at < self.best
    }
}
