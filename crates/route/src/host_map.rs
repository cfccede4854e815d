//! Host patterns without an order of their own: the narrowest that matches is found.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::host::{HostKey, HostPattern, host_name};

/// A set of host patterns. Of those that match a name, an exact one counts before `*.domain`, a longer domain before a
/// shorter one, these before globs and regular expressions, which are tried in their order, and `*` comes last.
#[derive(Clone, Default)]
pub struct HostMap {
    patterns: Vec<HostPattern>,
    exact: FxHashMap<Box<str>, usize>,
    /// By what names end with, from the dot on.
    below: FxHashMap<Box<str>, usize>,
    other: Vec<usize>,
    any: Option<usize>,
}

impl HostMap {
    /// Compiles the set. Of patterns that mean the same, the first counts.
    pub fn new(patterns: Vec<HostPattern>) -> Self {
        let mut map = Self::default();
        for (at, pattern) in patterns.iter().enumerate() {
            match pattern.key() {
                HostKey::Exact(name) => {
                    map.exact.entry(name.into()).or_insert(at);
                }
                HostKey::Below(suffix) => {
                    map.below.entry(suffix.into()).or_insert(at);
                }
                HostKey::Other if pattern.is_any() => {
                    map.any.get_or_insert(at);
                }
                HostKey::Other => map.other.push(at),
            }
        }
        map.patterns = patterns;
        map
    }

    /// The patterns, in the order in which they were given.
    pub fn patterns(&self) -> &[HostPattern] {
        &self.patterns
    }

    /// The position of the narrowest pattern that matches `host`.
    pub fn find(&self, host: &str) -> Option<usize> {
        let name = host_name(host);
        self.exact
            .get(&*name)
            .copied()
            .or_else(|| self.narrowest_below(&name))
            .or_else(|| {
                let matches = |at: &&usize| {
                    let pattern = self.patterns.get(**at);
                    pattern.is_some_and(|pattern| pattern.matches_name(&name))
                };
                self.other.iter().find(matches).copied()
            })
            .or(self.any)
    }

    /// The position of `*`, which is also for who names no host.
    pub fn any(&self) -> Option<usize> {
        self.any
    }

    /// The positions of a pattern and of an earlier one that means the same.
    pub fn repeated(&self) -> Option<(usize, usize)> {
        let mut patterns = self.patterns.iter().enumerate();
        patterns.find_map(|(at, pattern)| {
            let earlier = self.patterns.iter().take(at);
            let same = |other: &HostPattern| other.covers(pattern) && pattern.covers(other);
            let first = earlier.enumerate().find(|(_, other)| same(other))?.0;
            Some((at, first))
        })
    }

    fn narrowest_below(&self, name: &str) -> Option<usize> {
        if self.below.is_empty() {
            return None;
        }
        // Something must stand before the domain.
        let dots = name.match_indices('.').filter(|(dot, _)| *dot > 0);
        let mut suffixes = dots.filter_map(|(dot, _)| name.get(dot..));
        suffixes.find_map(|suffix| self.below.get(suffix).copied())
    }
}

impl fmt::Debug for HostMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.iter().map(HostPattern::as_str);
        f.debug_list().entries(patterns).finish()
    }
}

/// By the patterns as they were written.
impl PartialEq for HostMap {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for HostMap {}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(patterns: &[&str]) -> HostMap {
        let parse = |text: &&str| HostPattern::parse(text).expect("a pattern");
        HostMap::new(patterns.iter().map(parse).collect())
    }

    #[test]
    fn the_narrowest_is_found() {
        let patterns = [
            "*",
            "~a\\d\\.example\\.com",
            "*.example.com",
            "api-*.example.org",
            "*.b.example.com",
            "a.example.com",
        ];
        let map = map(&patterns);
        for (host, expected) in [
            ("a.example.com", "a.example.com"),
            ("A.Example.COM", "a.example.com"),
            ("x.a.example.com", "*.example.com"),
            ("x.b.example.com", "*.b.example.com"),
            ("x.y.b.example.com", "*.b.example.com"),
            ("b.example.com", "*.example.com"),
            ("a1.example.com", "*.example.com"),
            ("example.com", "*"),
            ("api-1.example.org", "api-*.example.org"),
            (".example.com", "*"),
            ("", "*"),
        ] {
            let found = map.find(host).expect("there is `*`");
            assert_eq!(patterns[found], expected, "{host}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows() {
        let map = map(&["a.example.com", "*.b.example.com", "~c\\d"]);
        assert_eq!(map.find("d.example.com"), None);
        assert_eq!(map.find("c1"), Some(2));
        assert_eq!(map.any(), None);
        assert_eq!(HostMap::default().find("a"), None);
    }

    #[test]
    fn it_narrows_as_the_patterns_match() {
        let map = map(&["*.example.com", "a.example.com", "*.a.example.com"]);
        for host in [
            "a.example.com",
            "b.example.com",
            "c.a.example.com",
            "example.com",
            "x",
        ] {
            let some = map.patterns().iter().any(|pattern| pattern.matches(host));
            assert_eq!(map.find(host).is_some(), some, "{host}");
        }
    }

    #[test]
    fn what_stands_twice() {
        assert_eq!(
            map(&["a.com", "*.a.com", "A.com."]).repeated(),
            Some((2, 0))
        );
        assert_eq!(map(&["a.com", "*.a.com", "*"]).repeated(), None);
        assert_eq!(map(&["*", "**"]).repeated(), Some((1, 0)));
    }
}
