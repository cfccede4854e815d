//! The facts of one request: what access log, metrics and whoever asks later read from, and nothing else.

use std::rc::Rc;
use std::time::{Duration, Instant};

use sluice_config::plan::{LimitId, RouteId};
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;
use sluice_upstream::{Cluster, Lane};
use sluice_wire::h1::{FieldKind, RequestHead, Version};

use crate::limits::Place;

use crate::l7::ForClient;

/// What is known of a request so far.
#[derive(Debug)]
pub(crate) struct Trip {
    /// When its first byte was seen.
    pub(crate) started: Instant,
    /// When the clock was last looked at for it. Looking costs 25 ns: where nothing was waited for since, this will do.
    pub(crate) now: Instant,
    /// Where it was routed to.
    pub(crate) route: Option<RouteId>,
    /// The side of the route's split that it is on.
    pub(crate) side: Option<usize>,
    /// The upstream it was forwarded to.
    pub(crate) cluster: Option<Rc<Cluster>>,
    /// The server it was sent to last.
    pub(crate) lane: Option<Rc<Lane>>,
    /// Servers and connections it was sent to, or could not be.
    pub(crate) attempts: u32,
    /// The status that went to the client; 0 while there is none.
    pub(crate) status: u16,
    /// Whether the status is the server's and not ours.
    pub(crate) answered_by_server: bool,
    /// From sending to the server until the head of its answer, of the last attempt.
    pub(crate) response_after: Option<Duration>,
    /// Bytes of the request's body.
    pub(crate) request_body: u64,
    /// Bytes of the answer's body.
    pub(crate) response_body: u64,
    /// Whether it was decided upon before the client's handshake was done.
    pub(crate) early: bool,
    /// Its places among those of its key that are under way.
    pub(crate) places: Vec<Place>,
    /// The rate limit that refused it.
    pub(crate) limited_by: Option<LimitId>,
    /// Why it ended.
    pub(crate) end: End,
    /// Why it was refused.
    pub(crate) refused: Option<BadRequest>,
    /// What only the access log wants to know.
    pub(crate) words: Option<Box<Words>>,
    /// What is changed in the answer.
    pub(crate) for_client: Option<Box<ForClient>>,
}

impl Trip {
    /// Looks at the clock.
    pub(crate) fn tick(&mut self) -> Instant {
        self.now = Instant::now();
        self.now
    }

    /// The answer begins: what is changed in it may speak of the server that it is from.
    pub(crate) fn complete_for_client(&mut self) {
        if let Some(for_client) = &mut self.for_client {
            let upstream = self.cluster.as_ref().map(|one| &*one.settings().name);
            let server = self.lane.as_ref().map(|lane| &**lane.endpoint().label());
            for_client.answered_by(upstream.unwrap_or_default(), server.unwrap_or_default());
        }
    }

    pub(crate) fn new(started: Instant) -> Self {
        Self {
            started,
            now: started,
            route: None,
            side: None,
            cluster: None,
            lane: None,
            attempts: 0,
            status: 0,
            answered_by_server: false,
            response_after: None,
            request_body: 0,
            response_body: 0,
            early: false,
            places: Vec::new(),
            limited_by: None,
            end: End::Ok,
            refused: None,
            words: None,
            for_client: None,
        }
    }
}

/// Why a request or session ended that was dropped while it was under way: its connection was cut, or something of ours
/// broke.
pub(crate) fn end_of_dropped() -> End {
    if std::thread::panicking() {
        End::Internal
    } else {
        End::Drained
    }
}

/// The words of a request's head that an access log repeats, one after the other in one vector.
#[derive(Debug)]
pub(crate) struct Words {
    text: Vec<u8>,
    ends: [usize; Word::COUNT],
    pub(crate) version: Version,
}

/// Which words are kept.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Word {
    Method,
    Target,
    Host,
    RequestId,
    UserAgent,
    Referer,
}

impl Word {
    const COUNT: usize = 6;
}

impl Words {
    /// Keeps the words of `head`, in `text`, which is empty.
    pub(crate) fn of(head: &RequestHead<'_, '_>, request_id: &str, mut text: Vec<u8>) -> Self {
        let mut ends = [0; Word::COUNT];
        let target = head.target.origin_form();
        let field = |kind| head.fields.first(kind).unwrap_or_default();
        let words = [
            head.method.as_str().as_bytes(),
            target.as_bytes(),
            head.host.as_bytes(),
            request_id.as_bytes(),
            field(FieldKind::UserAgent),
            field(FieldKind::Referer),
        ];
        for (word, end) in words.iter().zip(&mut ends) {
            text.extend_from_slice(word);
            *end = text.len();
        }
        Self {
            text,
            ends,
            version: head.version,
        }
    }

    /// The word; empty where the head had none.
    pub(crate) fn get(&self, word: Word) -> &[u8] {
        let position = word as usize;
        let end = self.ends.get(position).copied().unwrap_or_default();
        let before = position
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or_default();
        self.text.get(start..end).unwrap_or_default()
    }

    /// The word; `None` where the head had none.
    pub(crate) fn present(&self, word: Word) -> Option<&[u8]> {
        Some(self.get(word)).filter(|text| !text.is_empty())
    }
}
