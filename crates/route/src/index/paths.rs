//! Which rules are worth trying for a path: a tree of segments.

use rustc_hash::FxHashMap;

use super::Search;
use crate::conditions::Conditions;
use crate::path::{Form, PathPattern, Segment, segment_length};

/// Up to so many rules are tried one by one, which costs less than looking them up.
const FEW: usize = 4;

/// Rules by their paths. Each list is in the order of the rules.
#[derive(Clone)]
pub(super) enum Paths {
    Few(Box<[usize]>),
    Many(Box<Node>),
}

/// A segment of the tree, reached by the segments before it.
#[derive(Clone)]
pub(super) struct Node {
    /// The first rule in this node and all below.
    first: usize,
    /// Rules for the path that ends here.
    here: Vec<usize>,
    /// Rules for this path and any below.
    below: Vec<usize>,
    literals: FxHashMap<Box<str>, Self>,
    /// Where any segment leads that is not empty.
    capture: Option<Box<Self>>,
}

impl Paths {
    pub(super) fn new(rules: &[Conditions], list: Vec<usize>) -> Self {
        if list.len() <= FEW {
            return Self::Few(list.into());
        }
        let mut root = Node::default();
        for at in list {
            let path = rules.get(at).and_then(|rule| rule.path.as_ref());
            root.insert(path.map(PathPattern::form), at);
        }
        Self::Many(Box::new(root))
    }

    pub(super) fn search(&self, search: &mut Search<'_>) {
        match self {
            Self::Few(list) => search.try_each(list),
            Self::Many(root) => root.search(search.facts.path, search),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            first: usize::MAX,
            here: Vec::new(),
            below: Vec::new(),
            literals: FxHashMap::default(),
            capture: None,
        }
    }
}

impl Node {
    /// Puts a rule where its path leads; `None` is any path.
    fn insert(&mut self, path: Option<&Form>, at: usize) {
        match path {
            None | Some(Form::Regex { .. }) => self.insert_below([].into_iter(), true, at),
            Some(Form::Exact(text)) => self.insert_below(literals(text), false, at),
            Some(Form::Prefix(text)) => self.insert_below(literals(text), true, at),
            Some(Form::Glob { literal, .. }) => {
                let whole = literal.rsplit_once('/').map_or("", |(whole, _)| whole);
                self.insert_below(literals(whole), true, at);
            }
            Some(Form::Segments { segments, rest }) => {
                let steps = segments.iter().map(|segment| match segment {
                    Segment::Literal(literal) => Some(&**literal),
                    Segment::Capture { .. } => None,
                });
                self.insert_below(steps, *rest, at);
            }
        }
    }

    /// Each step is a literal, or `None` for a capture.
    fn insert_below<'s>(
        &mut self,
        mut steps: impl Iterator<Item = Option<&'s str>>,
        below: bool,
        at: usize,
    ) {
        let mut node = self;
        for _ in 0..DEPTH_MAX {
            node.first = node.first.min(at);
            node = match steps.next() {
                None if below => return node.below.push(at),
                None => return node.here.push(at),
                Some(Some(literal)) => node.literals.entry(literal.into()).or_default(),
                Some(None) => node.capture.get_or_insert_default(),
            };
        }
        node.first = node.first.min(at);
        node.below.push(at);
    }

    /// `path` is what is left of it: it starts with a slash unless it ends here.
    fn search(&self, path: &str, search: &mut Search<'_>) {
        if !search.may_improve(self.first) {
            return;
        }
        search.try_each(&self.below);
        let Some(left) = path.strip_prefix('/') else {
            if path.is_empty() {
                search.try_each(&self.here);
            }
            return;
        };
        let end = segment_length(left);
        let (Some(segment), Some(rest)) = (left.get(..end), left.get(end..)) else {
            return;
        };
        if let Some(node) = self.literals.get(segment) {
            node.search(rest, search);
        }
        if let Some(node) = &self.capture {
            node.search(rest, search);
        }
    }
}

/// How deep the tree is at most; paths that lead further are tried by all requests that come so far.
const DEPTH_MAX: usize = 32;

/// The segments of a path that starts with a slash or is empty.
fn literals(path: &str) -> impl Iterator<Item = Option<&str>> {
    path.split('/').skip(1).map(Some)
}
