//! Pages of other origins: what browsers ask beforehand is answered here, and every answer says whose pages may read it
//! (the Fetch standard, 3.2).

use sluice_config::plan::{Cors, Origins};
use sluice_wire::h1::Method;

use super::decide::{Asked, Decision};
use super::respond;
use crate::trip::Trip;

impl Asked<'_, '_, '_> {
    /// Has the answer say whose pages may read it.
    pub(super) fn tell_origin(&self, cors: &Cors, trip: &mut Trip) {
        let origin = self.head.fields.named("origin");
        let allowed = origin.filter(|origin| cors.allows(origin));
        let is_preflight = self.is_preflight();
        let told = trip.for_client.get_or_insert_default();
        match (&cors.origins, allowed) {
            (Origins::Any, _) => told.add("Access-Control-Allow-Origin", b"*"),
            (Origins::Of(_), Some(origin)) => told.add("Access-Control-Allow-Origin", origin),
            (Origins::Of(_), None) => {}
        }
        match (&cors.origins, is_preflight) {
            (_, true) => told.add("Vary", ASKED),
            (Origins::Of(_), false) => told.add("Vary", b"Origin"),
            (Origins::Any, false) => {}
        }
        if allowed.is_some() && cors.credentials {
            told.add("Access-Control-Allow-Credentials", b"true");
        }
        if let Some(names) = &cors.expose
            && allowed.is_some()
            && !is_preflight
        {
            told.add("Access-Control-Expose-Headers", names.as_bytes());
        }
    }

    /// The answer where a browser asks what a page may do.
    pub(super) fn preflight(&self, cors: &Cors, trip: &mut Trip) -> Option<(Decision, usize)> {
        if !self.is_preflight() {
            return None;
        }
        let fields = &self.head.fields;
        let origin = fields.named("origin");
        if !origin.is_some_and(|origin| cors.allows(origin)) {
            return Some(self.answer(trip, 403, |reply, out| respond::plain(403, reply, out)));
        }
        let told = trip.for_client.get_or_insert_default();
        told.add("Access-Control-Allow-Methods", cors.methods.as_bytes());
        let asked = fields.named("access-control-request-headers");
        let headers = cors.headers.as_deref().map(str::as_bytes).or(asked);
        if let Some(names) = headers {
            told.add("Access-Control-Allow-Headers", names);
        }
        let max_age = cors.max_age.to_string();
        told.add("Access-Control-Max-Age", max_age.as_bytes());
        Some(self.answer(trip, 204, |reply, out| respond::empty(204, reply, out)))
    }

    fn is_preflight(&self) -> bool {
        let has = |name| self.head.fields.named(name).is_some();
        self.head.method == Method::Options && has("origin") && has("access-control-request-method")
    }
}

const ASKED: &[u8] = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
