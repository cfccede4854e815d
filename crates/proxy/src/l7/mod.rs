//! HTTP: one request after the other on a client's connection.
//!
//! ```text
//! serve ── waits for a request, again and again; of HTTP/2 and HTTP/3, h2 and h3 ── a task for each stream (streams)
//!   └─ pipeline ── the way of one request, a page
//!        ├─ receive ── bytes to head
//!        ├─ decide ─── head to decision: route, who is let in (access), whose pages may read it (cors), then forward (place of a split,
//!        │             outgoing, with another path or host by rewrite), answer, redirect or refuse; what the answer says (for_client)
//!        ├─ inquiry ── who the client is, where that has to be waited for: then it is decided once more
//!        ├─ admission ─ what else has to be waited for: its turn
//!        ├─ forward ── tries servers until one answers
//!        │    ├─ hedge ──── asks another while the first is slow
//!        │    └─ exchange ── one request and its answer on one connection to a server
//!        ├─ mirror ─── a copy for another upstream, once all is done
//!        ├─ respond ── answers of our own; every failure's status in one file
//!        └─ record ─── metrics and access log, from the trip
//! ```

mod access;
mod admission;
mod client;
mod collect;
mod cors;
mod decide;
mod exchange;
mod failure;
mod fallback;
mod for_client;
mod forward;
mod grpc;
mod h2;
mod h3;
mod hedge;
mod identity;
mod inquiry;
mod lease;
mod limits;
mod mirror;
mod outgoing;
mod pipeline;
mod place;
mod receive;
mod record;
mod refuse;
mod respond;
mod rewrite;
mod serve;
mod sticky;
mod streams;
mod takings;
mod tries;
mod tunnel;
mod turn;
mod values;

pub(crate) use for_client::ForClient;
pub(crate) use h3::serve as serve_h3;
pub(crate) use serve::serve;
