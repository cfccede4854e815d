//! Why a request or a session ended: one set of words for metrics, access log and whoever reads a trip.

use crate::word::words;

words! {
    /// Why a request (or a TCP session) ended.
    pub enum End {
        /// The whole answer reached the client, or both sides of a session closed in order.
        Ok = "ok",
        /// The client went away before its answer was complete.
        ClientClosed = "client-closed",
        /// The client was too slow in sending its request or in taking its answer.
        ClientTimeout = "client-timeout",
        /// The request was malformed, ambiguous or above a limit.
        BadRequest = "bad-request",
        /// No route matched.
        NoRoute = "no-route",
        /// `allow` or `deny` of the route keeps clients out that come from there.
        Denied = "denied",
        /// The client has not shown by `auth` of the route that it may come in.
        Unauthorized = "unauthorized",
        /// Whether the client may come in could not be found out.
        AuthFailed = "auth-failed",
        /// The client had more than a rate limit of the route lets it have.
        RateLimited = "rate-limited",
        /// The upstream had no server to give the request to.
        NoServer = "no-server",
        /// No server of the upstream was well, and none is tried all the same (`fail-closed`, or down by hand).
        AllDown = "all-down",
        /// As many requests were under way as `adaptive-concurrency` of the upstream allowed, and there is no queue.
        ConcurrencyLimit = "concurrency-limit",
        /// Every server was full, and the upstream's queue as well.
        QueueFull = "queue-full",
        /// No server had a free place within the time that a request may wait in the queue.
        QueueTimeout = "queue-timeout",
        /// It waited in the queue, which was full, and made room for a request of higher priority.
        PushedOut = "pushed-out",
        /// It had waited in the queue for longer than `target` while the queue was overloaded.
        Shed = "shed",
        /// Memory was short: only what matters most was served.
        NoMemory = "no-memory",
        /// The last server tried could not be connected to.
        ConnectFailed = "connect-failed",
        /// The last server tried did not take the connection within the connect timeout.
        ConnectTimeout = "connect-timeout",
        /// WebSocket was asked for, and the last server tried takes none over HTTP/2 or HTTP/3.
        NoWebSocket = "no-websocket",
        /// The server did not answer in time.
        UpstreamTimeout = "upstream-timeout",
        /// The server closed or reset the connection before its answer was complete.
        UpstreamClosed = "upstream-closed",
        /// The server's answer was not valid HTTP.
        UpstreamInvalid = "upstream-invalid",
        /// A session or tunnel was silent for longer than its idle timeout.
        IdleTimeout = "idle-timeout",
        /// A UDP session that made room for another: its listener had its `max-sessions`, or descriptors ran out.
        Evicted = "evicted",
        /// Cut off because the drain timeout passed.
        Drained = "drained",
        /// A defect or a lack of resources in the balancer itself.
        Internal = "internal",
    }
}
