//! `[auth.NAME]`: ways to show who one is, and what of them a route asks for.

use std::sync::Arc;
use std::time::Duration;

use super::{AuthId, UpstreamId};

/// `[auth.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The name in the file.
    pub name: Arc<str>,
    /// What clients show, and to whom.
    pub kind: AuthKind,
}

impl Auth {
    /// The upstream that is asked, where one is.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match &self.kind {
            AuthKind::Forward(forward) => Some(forward.upstream),
        }
    }

    /// The fields for the server that only this may set, in lower case: the client's of these names are dropped.
    pub fn own_fields(&self) -> Vec<Box<str>> {
        match &self.kind {
            AuthKind::Forward(forward) => forward.copied.to_vec(),
        }
    }
}

/// What clients show, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthKind {
    /// `forward`
    Forward(Arc<ForwardAuth>),
}

/// `forward`: another service is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardAuth {
    /// Whose servers are asked: `upstream`, or the one that stands for `url`.
    pub upstream: UpstreamId,
    /// What the service is called in `Host`.
    pub host: Box<str>,
    /// The path and query that are asked for.
    pub target: Box<str>,
    /// `timeout`: of all of it.
    pub timeout: Duration,
    /// `request-headers`, in lower case; `None` passes all of them on.
    pub passed: Option<Box<[Box<str>]>>,
    /// `copy-headers`, in lower case.
    pub copied: Box<[Box<str>]>,
    /// `on-failure = "allow"`
    pub allows_on_failure: bool,
}

/// `auth` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAuth {
    /// Any one of these lets in. At least one.
    pub any: Box<[AuthId]>,
    /// The client's fields that are not passed on, in lower case: those that only these may set.
    pub dropped: Box<[Box<str>]>,
}
