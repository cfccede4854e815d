//! The session that a request belongs to: which server it has, and what becomes of that when another one answers.
//!
//! ```text
//!   decide ── Session::of ──► forward: ask ──► Asked::home ──► picked ──► answered
//!             cookie, table            store                   table      table, Set-Cookie
//!                                                              store      store
//! ```

mod shared;

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use sluice_config::plan::{SameSite, SessionKey, Sticky, StickyCookie};
use sluice_route::Facts;
use sluice_session::{PIN_LENGTH, Pin, ServerName, SessionName};
use sluice_upstream::{Cluster, Lane, Sessions, Tried};
use sluice_wire::h1::{FieldKind, Fields};

use self::shared::Shared;
use super::outgoing::Outgoing;
use crate::clock::Clock;
use crate::live::Live;
use crate::trip::Trip;

/// What is known of the session that a request belongs to.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// The position of its server in the cluster; `None` where it has none.
    home: Option<u32>,
    /// What it is called in the table.
    name: Option<SessionName>,
    /// Whether it has had a server before, be it gone or not.
    is_known: bool,
    /// Whether it is time to set its cookie again.
    is_aging: bool,
    /// Whether the client has sent a cookie of ours, good or not: servers do not get to see it.
    pub(super) has_cookie: bool,
    /// Where other balancers know of it too.
    shared: Option<Shared>,
}

impl Session {
    /// What the request's head says of it.
    pub(super) fn of(
        cluster: &Cluster,
        live: &Live,
        facts: &Facts<'_>,
        now: Instant,
        clock: &Clock,
    ) -> Self {
        let (Some(sticky), Some(sessions)) = (&cluster.settings().sticky, cluster.sessions())
        else {
            return Self::default();
        };
        match sticky {
            Sticky::Cookie(cookie) => {
                Self::by_cookie(cookie, cluster, sessions, facts, unix(clock, now))
            }
            Sticky::Remembered(remembered) => {
                let mut session = Self::default();
                let store = remembered.store.as_deref();
                session.shared = store
                    .and_then(|store| live.store_named(store))
                    .map(|store| {
                        let upstream = &cluster.settings().name;
                        Shared::new(store, sessions, upstream, remembered.ttl)
                    });
                session.by_table(&remembered.by, cluster, sessions, facts, now);
                session
            }
        }
    }

    fn by_cookie(
        cookie: &StickyCookie,
        cluster: &Cluster,
        sessions: &Sessions,
        facts: &Facts<'_>,
        now: u64,
    ) -> Self {
        let mut session = Self::default();
        let mut looked_at = 0;
        let mut found = None;
        facts.any_cookie(&cookie.name, &mut |value| {
            looked_at += 1;
            found = Pin::read(sessions.signer(), value);
            found.is_some() || looked_at == MOST_COOKIES
        });
        session.has_cookie = looked_at > 0;
        let ttl = cookie.ttl.unwrap_or(Duration::MAX).as_secs();
        if let Some(pin) = found.filter(|pin| pin.age(now) <= ttl) {
            session.is_known = true;
            session.is_aging = pin.age(now) > ttl / 2;
            session.goes_to(cluster, pin.server);
        }
        session
    }

    fn by_table(
        &mut self,
        by: &SessionKey,
        cluster: &Cluster,
        sessions: &Sessions,
        facts: &Facts<'_>,
        now: Instant,
    ) {
        let (Some(name), Some(table)) = (name_of(by, sessions, facts), sessions.table()) else {
            return;
        };
        self.name = Some(name);
        let now = cluster.moment(now);
        if let Some(found) = table.find(name, now) {
            self.is_known = true;
            self.goes_to(cluster, found.server);
            if let Some(shared) = self.shared.as_ref().filter(|one| one.is_due(found, now)) {
                shared.agree(name, found.server, now);
            }
        }
    }

    /// Whether balancers share it.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Asks the store for its server, where this balancer does not know it or would have to leave it: because that server takes
    /// no requests, or has failed this one. Another balancer may have moved it already.
    pub(super) async fn ask(&mut self, cluster: &Cluster, tried: &Tried, now: Instant) {
        let is_good = self
            .home()
            .is_some_and(|home| !cluster.is_left(home, now) && !tried.contains(home));
        if let (Some(shared), Some(name), false) = (&self.shared, self.name, is_good)
            && let Some(server) = shared.ask(name, cluster.moment(now)).await
        {
            self.is_known = true;
            self.goes_to(cluster, server);
        }
    }

    fn goes_to(&mut self, cluster: &Cluster, server: ServerName) {
        let home = cluster.home(server);
        self.home = home.and_then(|home| u32::try_from(home).ok());
    }

    /// The position of its server, for [`sluice_upstream::Asked`].
    pub(super) fn home(&self) -> Option<usize> {
        self.home.map(|home| home as usize)
    }
}

impl Outgoing {
    /// A server was picked: where sessions are told by what clients send, those that begin at the same time are to agree.
    pub(super) fn picked(&mut self, lane: &Rc<Lane>, now: Instant) {
        let session = &mut self.session;
        let Some(name) = session.name.filter(|_| !session.is_known) else {
            return;
        };
        let cluster = &self.cluster;
        let (Some(server), Some(table)) = (
            cluster.server_name(lane),
            cluster.sessions().and_then(|sessions| sessions.table()),
        ) else {
            return;
        };
        let now = cluster.moment(now);
        let written = table.keep(name, server, now);
        if let Some(shared) = &session.shared {
            shared.agree(name, written.known.unwrap_or(server), now);
        }
        session.is_known = true;
        session.goes_to(cluster, written.known.unwrap_or(server));
        let metrics = cluster.metrics();
        if written.known.is_none() {
            metrics.sessions_started.increment();
        }
        if written.pushed_out {
            metrics.sessions_pushed_out.increment();
        }
    }

    /// The server of `trip` has answered with these fields. Returns the value of the cookie that the client is to be given.
    pub(super) fn answered(
        &mut self,
        fields: &Fields<'_, '_>,
        trip: &Trip,
        scheme: &str,
        clock: &Clock,
    ) -> Option<String> {
        let cluster = &self.cluster;
        let sticky = cluster.settings().sticky.as_ref()?;
        let sessions = cluster.sessions()?;
        let lane = trip.lane.as_ref()?;
        let stays = self.stays(lane, trip.now);
        let session = &self.session;
        let metrics = cluster.metrics();
        if !stays && session.is_known {
            metrics.sessions_moved.increment();
        }
        match sticky {
            Sticky::Cookie(cookie) => {
                if stays && !session.is_aging {
                    return None;
                }
                if !session.is_known {
                    metrics.sessions_started.increment();
                }
                let pin = Pin {
                    // While it is away, it still belongs where it did.
                    server: match session.home().filter(|_| stays) {
                        Some(home) => cluster.server_name(cluster.lanes().get(home)?)?,
                        None => cluster.server_name(lane)?,
                    },
                    issued: unix(clock, trip.now),
                };
                Some(set_cookie(cookie, pin.sign(sessions.signer()), scheme))
            }
            Sticky::Remembered(remembered) => {
                let moved = session.name.filter(|_| !stays);
                let learned = learned(&remembered.by, sessions, fields)
                    // Some applications set it with each answer.
                    .filter(|name| !stays || session.name != Some(*name));
                if moved.is_some() || learned.is_some() {
                    self.remember(moved, learned, lane, trip.now);
                }
                None
            }
        }
    }

    /// Whether the session belongs where it did after this answer: at its server, or elsewhere just this once.
    fn stays(&self, lane: &Rc<Lane>, now: Instant) -> bool {
        let cluster = &self.cluster;
        let Some(home) = self.session.home() else {
            return false;
        };
        if cluster.is_home(home, lane) || self.tries.tried.is_home_full() {
            return true;
        }
        // Its server has not answered because it has failed, unless another one was asked too and was faster.
        let is_hedged = self.hedge.as_ref().is_some_and(|hedge| hedge.is_hedged());
        is_hedged && !cluster.is_left(home, now)
    }

    #[cold]
    fn remember(
        &self,
        moved: Option<SessionName>,
        learned: Option<SessionName>,
        lane: &Rc<Lane>,
        now: Instant,
    ) {
        let cluster = &self.cluster;
        let (Some(server), Some(table)) = (
            cluster.server_name(lane),
            cluster.sessions().and_then(|sessions| sessions.table()),
        ) else {
            return;
        };
        let now = cluster.moment(now);
        let metrics = cluster.metrics();
        for name in [moved, learned].into_iter().flatten() {
            let written = table.put(name, server, now);
            if let Some(shared) = &self.session.shared {
                shared.tell(name, server);
            }
            if written.pushed_out {
                metrics.sessions_pushed_out.increment();
            }
        }
        if learned.is_some() {
            metrics.sessions_started.increment();
        }
    }
}

/// What tells the session, by its name.
fn name_of(by: &SessionKey, sessions: &Sessions, facts: &Facts<'_>) -> Option<SessionName> {
    let mut name = None;
    let mut found = |value: &[u8]| {
        name = Some(sessions.signer().session(value));
        true
    };
    match by {
        SessionKey::ClientIp => return Some(sessions.signer().session_of(facts.client)),
        SessionKey::Header(field) => facts.fields.any(field, &mut found),
        // Applications write it into their links for clients without cookies.
        SessionKey::AppCookie(cookie) => {
            facts.any_cookie(cookie, &mut found)
                || facts
                    .path_parameter(cookie)
                    .is_some_and(|value| found(value.as_bytes()))
        }
    };
    name
}

/// The session that the server begins with this answer.
fn learned(by: &SessionKey, sessions: &Sessions, fields: &Fields<'_, '_>) -> Option<SessionName> {
    let SessionKey::AppCookie(cookie) = by else {
        return None;
    };
    let lines = fields
        .iter()
        .filter(|field| field.kind == FieldKind::SetCookie);
    let mut values = lines.filter_map(|field| {
        let pair = field.value.split(|byte| *byte == b';').next()?;
        let value = pair.trim_ascii().strip_prefix(cookie.as_bytes())?;
        value.strip_prefix(b"=").filter(|value| !value.is_empty())
    });
    values.next().map(|value| sessions.signer().session(value))
}

/// RFC 6265, 4.1.1
fn set_cookie(cookie: &StickyCookie, value: [u8; PIN_LENGTH], scheme: &str) -> String {
    let mut line = String::with_capacity(160);
    let value = std::str::from_utf8(&value).unwrap_or_default();
    // Writing to a text cannot fail.
    let _ = write!(line, "{}={value}; Path={}", cookie.name, cookie.path);
    if let Some(domain) = &cookie.domain {
        let _ = write!(line, "; Domain={domain}");
    }
    if let Some(ttl) = cookie.ttl {
        let _ = write!(line, "; Max-Age={}", ttl.as_secs());
    }
    let is_none = cookie.same_site == SameSite::None;
    if cookie.secure.unwrap_or(is_none || scheme == "https") {
        line.push_str("; Secure");
    }
    let _ = write!(line, "; HttpOnly; SameSite={}", cookie.same_site.word());
    line
}

fn unix(clock: &Clock, now: Instant) -> u64 {
    let since = clock.time_of(now).duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// How many cookies of our name are looked at: each costs a signature.
const MOST_COOKIES: usize = 4;
