//! Routes: what is done with a request that meets their conditions, and how often it is tried.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Priority, Share};
use sluice_route::{Location, Template};

use super::{Access, Hedge, LimitId, Mirror, RouteAuth, RouteEdits, Split, UpstreamId};

/// `[[routes]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `name`; `route-N` (counted from 1 in the file) where absent, `default` for the one made when there are no routes.
    pub name: Arc<str>,
    /// `allow`, `deny`
    pub access: Access,
    /// What is done with a request that matches.
    pub action: Action,
    /// `timeout`: from the request's last byte sent to the response's head received.
    pub timeout: Duration,
    /// `max-body`: bytes of a request body; 413 above. `None` is no limit.
    pub max_body: Option<u64>,
    /// `retry`
    pub retry: Retry,
    /// `fallback`
    pub fallback: Option<Fallback>,
    /// `hedge`
    pub hedge: Option<Hedge>,
    /// `mirror`
    pub mirror: Option<Mirror>,
    /// `priority`
    pub priority: RoutePriority,
    /// `rate-limits`: all of them must let a request pass.
    pub rate_limits: Vec<LimitId>,
    /// What is changed on the way.
    pub edits: RouteEdits,
    /// `auth`; `None` lets everybody in.
    pub auth: Option<Box<RouteAuth>>,
}

/// `priority`: how much a route's requests matter when not all can be served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePriority {
    /// The field in which trusted clients say it, in lower case.
    pub field: Option<Box<str>>,
    /// The priority of all others.
    pub default: Priority,
}

/// `fallback`: what becomes of a request that its own upstream has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// `upstream`
    Upstream(UpstreamId),
    /// `status`, `body`, `content-type`
    Answer(FixedAnswer),
}

/// An answer without variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    /// 200 to 599
    pub status: u16,
    /// The body.
    pub body: Arc<str>,
    /// `content-type`; `text/plain; charset=utf-8` by default.
    pub content_type: Arc<str>,
}

/// `retry = { attempts, on, … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `attempts`: tries at most, 1 to 8.
    pub attempts: usize,
    /// `connect-failure` in `on`
    pub connect_failure: bool,
    /// `reset` in `on`
    pub reset: bool,
    /// The statuses in `on`.
    pub statuses: RetryStatuses,
    /// `timeout` in `on`, with its `per-try-timeout`
    pub per_try_timeout: Option<Duration>,
    /// `backoff`: what the pauses begin with; `None` where there are none, and no server is tried twice.
    pub backoff: Option<Duration>,
    /// `budget`
    pub budget: Share,
    /// `budget-floor`
    pub budget_floor: u32,
    /// `buffer`: bytes of a body that are kept.
    pub buffer: usize,
    /// `retry-unsafe`
    pub any_method: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 8,
            connect_failure: true,
            reset: true,
            statuses: RetryStatuses::default(),
            per_try_timeout: None,
            backoff: None,
            budget: Share::of_percent(20),
            budget_floor: 10,
            buffer: 64 << 10,
            any_method: false,
        }
    }
}

/// Statuses of answers that are not passed on where another server may do better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryStatuses(u8);

impl RetryStatuses {
    /// Adds a status; others than 429, 500, 502, 503 and 504 are left out.
    pub fn insert(&mut self, status: u16) {
        self.0 |= Self::bit(status);
    }

    /// Whether it is one of them.
    pub fn contains(self, status: u16) -> bool {
        self.0 & Self::bit(status) != 0
    }

    fn bit(status: u16) -> u8 {
        match status {
            429 => 1,
            500 => 1 << 1,
            502 => 1 << 2,
            503 => 1 << 3,
            504 => 1 << 4,
            _ => 0,
        }
    }
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `upstream`
    Forward(UpstreamId),
    /// `split`
    Split(Split),
    /// `respond`
    Respond(Respond),
    /// `redirect`
    Redirect(Redirect),
}

impl Action {
    /// Where requests go.
    pub fn upstreams(&self) -> impl Iterator<Item = UpstreamId> {
        let (one, several) = match self {
            Self::Forward(upstream) => (Some(*upstream), [].as_slice()),
            Self::Split(split) => (None, split.sides.as_slice()),
            Self::Respond(_) | Self::Redirect(_) => (None, [].as_slice()),
        };
        let sides = several.iter().map(|side| side.upstream);
        one.into_iter().chain(sides)
    }
}

/// `respond`
#[derive(Clone, Debug, PartialEq)]
pub struct Respond {
    /// 200 to 599
    pub status: u16,
    /// `body`, `json` or `file`
    pub body: RespondBody,
    /// `content-type`, or what the body is.
    pub content_type: Arc<str>,
}

/// The body of a fixed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum RespondBody {
    /// A text; variables are filled in.
    Text(Template),
    /// A text of JSON in whose strings variables are filled in, escaped.
    Json(Template),
    /// What a file held when the plan was made.
    File {
        /// The file.
        file: PathBuf,
        /// What is in it.
        content: Arc<[u8]>,
    },
}

/// `redirect = { to, status }`
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// The `Location`; captures and variables are filled in.
    pub to: Location,
    /// 301, 302, 303, 307 or 308; 308 by default.
    pub status: u16,
}
