//! Which rules are worth trying for a request: found by host, then by path.
//!
//! The index may name a rule that does not match, since every rule it names is tried, but never leaves one out that
//! does. So it can only cost time, not decide, and it may go by hashes alone.
//!
//! Among ten thousand rules a lookup waits for memory, not for the processor. So it touches little of it: a node and a
//! trial of half a cache line each, and the text that the request is compared with.

mod grow;
mod trial;
mod way;

use rustc_hash::FxHashMap;

use crate::captures::Captures;
use crate::conditions::Conditions;
use crate::facts::Facts;
use crate::path::segment_length;

use trial::Trial;
use way::Way;

/// A table over the rules of a router.
#[derive(Clone, Default)]
pub(crate) struct Index {
    /// What there is along the ways that requests can take.
    nodes: FxHashMap<Way, Node>,
    /// Where rules begin that no host name finds.
    others: Option<Node>,
    /// Whether some begin at a whole host name.
    by_name: bool,
    /// The length of the longest text that names must end with for some, which bounds what a long host can cost.
    longest: usize,
    trials: Box<[Trial]>,
    texts: Box<str>,
}

/// What is tried when a lookup has come so far, and where it may go on.
#[derive(Clone, Copy)]
struct Node {
    /// The first rule in this node and all below.
    first: u32,
    /// Where its trials begin.
    trials: u32,
    /// So many are for this path and any below.
    below: u32,
    /// And so many after these for the path that ends here.
    here: u32,
    /// Whether it goes on by segments that are literals.
    literals: bool,
    /// Whether it goes on by any segment.
    any_segment: bool,
    /// By beginnings of which lengths of a segment it goes on: a bit for each, from the lowest, which is for one byte.
    beginnings: u32,
}

/// Two of them in a line of the cache.
const _: () = assert!(size_of::<(Way, Node)>() == 32);

impl Index {
    /// The first rule that holds; what its path captured is put into `captures`. `rules` are those that the index was made
    /// of, `host` what [`host_name`](crate::host::host_name) made of the one in `facts`.
    pub(crate) fn find(
        &self,
        rules: &[Conditions],
        facts: &Facts<'_>,
        host: &str,
        captures: &mut Captures,
    ) -> Option<usize> {
        let mut search = Search {
            index: self,
            rules,
            facts,
            host,
            best: None,
            before: u32::MAX,
        };
        search.begin();
        let best = search.best?;
        best.capture(rules, &self.texts, facts.path, captures);
        Some(best.rule() as usize)
    }
}

/// A search for the first rule that holds. Keeps the best so far, behind which nothing more is tried.
struct Search<'a> {
    index: &'a Index,
    rules: &'a [Conditions],
    facts: &'a Facts<'a>,
    host: &'a str,
    best: Option<&'a Trial>,
    /// Only rules before this one would be better.
    before: u32,
}

impl Search<'_> {
    fn begin(&mut self) {
        let (index, host, path) = (self.index, self.host, self.facts.path);
        if index.by_name {
            self.look(Way::of(host), path);
        }
        if index.longest > 0 {
            let earliest = host.len().saturating_sub(index.longest);
            for dot in memchr::memchr_iter(b'.', host.as_bytes()) {
                if dot >= earliest
                    && let Some(suffix) = host.get(dot..)
                {
                    self.look(Way::of(suffix), path);
                }
            }
        }
        if let Some(others) = &index.others {
            self.descend(others, Way::OTHERS, path);
        }
    }

    fn look(&mut self, way: Way, path: &str) {
        if let Some(node) = self.index.nodes.get(&way) {
            self.descend(node, way, path);
        }
    }

    /// `path` is what is left of it: it starts with a slash unless it ends here.
    fn descend(&mut self, node: &Node, way: Way, path: &str) {
        if node.first >= self.before {
            return;
        }
        let (below, here) = (node.trials as usize, (node.trials + node.below) as usize);
        self.try_each(below, here);
        if !(node.literals || node.any_segment || node.beginnings > 0 || node.here > 0) {
            return;
        }
        let Some(left) = path.strip_prefix('/') else {
            if path.is_empty() {
                self.try_each(here, here + node.here as usize);
            }
            return;
        };
        let (segment, rest) = left.split_at(segment_length(left));
        if node.literals {
            self.look(way.literal(segment), rest);
        }
        if node.any_segment {
            self.look(way.any_segment(), rest);
        }
        let mut lengths = node.beginnings;
        while lengths > 0 {
            let length = lengths.trailing_zeros() as usize + 1;
            let Some(beginning) = segment.as_bytes().get(..length) else {
                return;
            };
            self.look(way.beginning(beginning), rest);
            lengths &= lengths - 1;
        }
    }

    fn try_each(&mut self, from: usize, to: usize) {
        for trial in self.index.trials.get(from..to).unwrap_or_default() {
            if trial.rule() >= self.before {
                return;
            }
            if trial.holds(self.rules, &self.index.texts, self.host, self.facts) {
                self.best = Some(trial);
                self.before = trial.rule();
                return;
            }
        }
    }
}

/// Numbers of rules and lengths of texts: four thousand million are more than a file can hold.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
