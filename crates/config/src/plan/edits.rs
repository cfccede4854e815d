//! What a route changes on the way: fields of requests, fields of answers.

use sluice_route::{FieldNames, PathRewrite, Pattern, Template};

/// What a route changes in the heads of its requests and of their answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteEdits {
    /// `request-headers`
    pub request: Option<Box<HeadEdits>>,
    /// `response-headers`
    pub response: Option<Box<HeadEdits>>,
    /// `rewrite`
    pub rewrite: Option<Box<Rewrite>>,
    /// `cors`
    pub cors: Option<Box<Cors>>,
}

/// `cors`: which pages of other origins may read the answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Cors {
    /// `origins`
    pub origins: Origins,
    /// `methods`, as the field says them.
    pub methods: Box<str>,
    /// `headers`, as the field says them; `None` is those that are asked for.
    pub headers: Option<Box<str>>,
    /// `expose-headers`, as the field says them.
    pub expose: Option<Box<str>>,
    /// `credentials`
    pub credentials: bool,
    /// `max-age` in seconds.
    pub max_age: u64,
}

/// Whose pages.
#[derive(Clone, Debug, PartialEq)]
pub enum Origins {
    /// Everybody's; credentials are out of the question then.
    Any,
    /// Those of these origins.
    Of(Box<[Pattern]>),
}

impl Cors {
    /// Whether pages of this origin may.
    pub fn allows(&self, origin: &[u8]) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::Of(patterns) => patterns.iter().any(|pattern| pattern.matches(origin)),
        }
    }
}

/// `rewrite`: what a server is asked for instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// `strip-prefix`, `prefix`, `path` or `regex`
    pub path: Option<PathRewrite>,
    /// `host`: the `Host` that the server gets. What comes out may be no host where there are variables in it.
    pub host: Option<Template>,
}

/// What is changed in the fields of a head. Nothing in it touches how a message is framed, or what concerns one connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadEdits {
    /// Fields that are left out: what is removed, and what is replaced.
    pub removes: FieldNames,
    /// A field, and the one that gets its values; both in lower case.
    pub copies: Box<[(Box<str>, Box<str>)]>,
    /// Lines that are added, in the order of the file.
    pub lines: Box<[FieldLine]>,
}

/// A field line that is added.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldLine {
    /// In lower case.
    pub name: Box<str>,
    /// Where nothing comes out of it, there is no such line.
    pub value: Template,
}
