//! Making the index of rules.

use rustc_hash::FxHashMap;

use super::trial::Trial;
use super::way::Way;
use super::{Index, Node, narrow};
use crate::conditions::Conditions;
use crate::host::{HostKey, HostPattern};
use crate::path::{Form, PathPattern, Segment};

/// Up to so many rules are tried one by one, which costs less than looking them up by host.
const FEW: usize = 2;
/// And up to so many of a host, rather than looking them up by path.
const FEW_OF_A_HOST: usize = 4;
/// How deep the tree is at most; rules whose paths lead further are tried for all that come so far.
const DEPTH_MAX: usize = 32;

/// So much of the beginning of a segment leads to a rule, as a node has a bit for each length.
const BEGINNING_MAX: usize = u32::BITS as usize;

/// How a path goes on by a segment.
enum Step<'s> {
    Literal(&'s str),
    /// By any that begins so, which is not empty.
    Beginning(&'s str),
    Any,
}

/// An index that still grows.
#[derive(Default)]
struct Draft {
    shoots: FxHashMap<Way, Shoot>,
    texts: String,
}

/// What becomes a node.
struct Shoot {
    first: u32,
    below: Vec<Trial>,
    here: Vec<Trial>,
    literals: bool,
    any_segment: bool,
    beginnings: u32,
}

impl Index {
    pub(crate) fn new(rules: &[Conditions]) -> Self {
        let mut starts: FxHashMap<Way, Vec<(usize, Option<&HostPattern>)>> = FxHashMap::default();
        let (mut by_name, mut longest) = (false, 0);
        for (at, rule) in rules.iter().enumerate() {
            if rules.len() <= FEW || !is_found_by_name(rule) {
                starts.entry(Way::OTHERS).or_default().push((at, None));
                continue;
            }
            for host in &rule.hosts {
                let text = match host.key() {
                    HostKey::Exact(name) => {
                        by_name = true;
                        name
                    }
                    HostKey::Below(suffix) => {
                        longest = longest.max(suffix.len());
                        suffix
                    }
                    HostKey::Other => continue,
                };
                starts
                    .entry(Way::of(text))
                    .or_default()
                    .push((at, Some(host)));
            }
        }
        let mut draft = Draft::default();
        for (start, list) in starts {
            let few = list.len() <= FEW_OF_A_HOST;
            for (at, host) in list {
                let Some(rule) = rules.get(at) else { continue };
                let trial = Trial::new(at, rule, host, &mut draft.texts);
                let path = rule.path.as_ref().filter(|_| !few);
                draft.insert(trial, start, path.map(PathPattern::form));
            }
        }
        draft.grown(by_name, longest)
    }
}

impl Draft {
    /// Puts a rule where its path leads; `None` is any path.
    fn insert(&mut self, trial: Trial, start: Way, path: Option<&Form>) {
        match path {
            None => self.insert_at(trial, start, [].into_iter(), true),
            Some(Form::Exact(text)) => self.insert_at(trial, start, literals(text), false),
            Some(Form::Prefix(text)) => self.insert_at(trial, start, literals(text), true),
            Some(Form::Glob { literal, .. } | Form::Regex { literal, .. }) => {
                let (whole, part) = literal.rsplit_once('/').unwrap_or_default();
                let part = (!part.is_empty()).then_some(Step::Beginning(part));
                self.insert_at(trial, start, literals(whole).chain(part), true);
            }
            Some(Form::Segments { segments, rest }) => {
                let steps = segments.iter().map(|segment| match segment {
                    Segment::Literal(literal) => Step::Literal(literal),
                    Segment::Capture { before, .. } if before.is_empty() => Step::Any,
                    Segment::Capture { before, .. } => Step::Beginning(before),
                });
                self.insert_at(trial, start, steps, *rest);
            }
        }
    }

    /// `below`: whether the rule is for what is below, too.
    fn insert_at<'s>(
        &mut self,
        trial: Trial,
        start: Way,
        mut steps: impl Iterator<Item = Step<'s>>,
        below: bool,
    ) {
        let mut way = start;
        for step in steps.by_ref().take(DEPTH_MAX) {
            let shoot = self.shoot_for(&trial, way);
            way = match step {
                Step::Literal(literal) => {
                    shoot.literals = true;
                    way.literal(literal)
                }
                Step::Any => {
                    shoot.any_segment = true;
                    way.any_segment()
                }
                Step::Beginning(beginning) => {
                    let length = beginning.len().min(BEGINNING_MAX);
                    shoot.beginnings |= 1 << (length - 1);
                    way.beginning(beginning.as_bytes().get(..length).unwrap_or_default())
                }
            };
        }
        let leads_further = steps.next().is_some();
        let shoot = self.shoot_for(&trial, way);
        if below || leads_further {
            shoot.below.push(trial);
        } else {
            shoot.here.push(trial);
        }
    }

    /// The one on this way, which leads to the rule.
    fn shoot_for(&mut self, trial: &Trial, way: Way) -> &mut Shoot {
        let shoot = self.shoots.entry(way).or_default();
        shoot.first = shoot.first.min(trial.rule());
        shoot
    }

    fn grown(self, by_name: bool, longest: usize) -> Index {
        let mut trials = Vec::new();
        let nodes: FxHashMap<_, _> = self
            .shoots
            .into_iter()
            .map(|(way, shoot)| (way, shoot.grown(&mut trials)))
            .collect();
        Index {
            others: nodes.get(&Way::OTHERS).copied(),
            nodes,
            by_name,
            longest,
            trials: trials.into(),
            texts: self.texts.into(),
        }
    }
}

impl Shoot {
    fn grown(mut self, trials: &mut Vec<Trial>) -> Node {
        // They are, but where two ways are the same one.
        self.below.sort_by_key(Trial::rule);
        self.here.sort_by_key(Trial::rule);
        let node = Node {
            first: self.first,
            trials: narrow(trials.len()),
            below: narrow(self.below.len()),
            here: narrow(self.here.len()),
            literals: self.literals,
            any_segment: self.any_segment,
            beginnings: self.beginnings,
        };
        trials.extend(self.below);
        trials.extend(self.here);
        node
    }
}

impl Default for Shoot {
    fn default() -> Self {
        Self {
            first: u32::MAX,
            below: Vec::new(),
            here: Vec::new(),
            literals: false,
            any_segment: false,
            beginnings: 0,
        }
    }
}

/// Whether each host that the rule is for leads to it.
fn is_found_by_name(rule: &Conditions) -> bool {
    let is_tried = |host: &HostPattern| matches!(host.key(), HostKey::Other);
    !rule.hosts.is_empty() && !rule.hosts.iter().any(is_tried)
}

/// The segments of a path that starts with a slash or is empty.
fn literals(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('/').skip(1).map(Step::Literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captures::Captures;
    use crate::facts::{Facts, NoFields, Scheme};

    #[test]
    fn no_rule_is_tried_that_begins_otherwise() {
        for path in [
            "/v{x}-N",
            "/vN-{x}",
            "/a/vN{x}/b",
            "/vN*.png",
            "/a/vN*/b/*",
            "~/vN-[0-9]+",
            "~/a/vN/(b|c).*",
            "~^/vN(a|ab)$",
        ] {
            let rule = |number: usize| Conditions {
                path: Some(
                    path.replace('N', &format!("{number:03}"))
                        .parse()
                        .expect("a path"),
                ),
                ..Conditions::default()
            };
            let rules: Vec<_> = (0..100).map(rule).collect();
            let index = Index::new(&rules);
            let most = index.nodes.values().map(|node| node.below + node.here);
            // What stands behind a capture leads nowhere.
            let expected = if path == "/v{x}-N" { 100 } else { 1 };
            assert_eq!(most.max(), Some(expected), "{path}");
        }
    }

    #[test]
    fn rules_that_meet_on_one_way_are_tried_in_order() {
        let rules = ["/a", "/*"].map(|path| Conditions {
            path: Some(path.parse().expect("a path")),
            ..Conditions::default()
        });
        let mut draft = Draft::default();
        for at in [1, 0] {
            let trial = Trial::new(at, &rules[at], None, &mut draft.texts);
            draft.insert(trial, Way::OTHERS, None);
        }
        let index = draft.grown(false, 0);
        for (path, expected) in [("/a", 0), ("/b", 1)] {
            let facts = Facts {
                host: "",
                path,
                query: None,
                method: "GET",
                fields: &NoFields,
                client: std::net::Ipv4Addr::LOCALHOST.into(),
                scheme: Scheme::Http,
                tls_subject: None,
                countries: None,
                json: None,
                identity: None,
            };
            let found = index.find(&rules, &facts, "", &mut Captures::new());
            assert_eq!(found, Some(expected), "{path}");
        }
    }
}
