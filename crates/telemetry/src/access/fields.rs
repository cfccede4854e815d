//! Every field's name in the JSON access log. `docs/logs.md` is generated from here.

/// One field of a JSON line.
#[derive(Debug)]
pub struct Field {
    /// The member's name.
    pub name: &'static str,
    /// Which lines have it: `http`, `tcp`, `udp` or `both`.
    pub lines: &'static str,
    /// What it tells, and in which unit.
    pub help: &'static str,
}

/// The reference of all fields as a Markdown table.
pub fn markdown() -> String {
    let head = ["| field | lines | tells |\n|---|---|---|\n".to_owned()];
    let rows = ALL
        .iter()
        .map(|field| format!("| `{}` | {} | {} |\n", field.name, field.lines, field.help));
    head.into_iter().chain(rows).collect()
}

macro_rules! fields {
    ($( $ident:ident = $name:literal $lines:ident $help:literal; )+) => {
        $( pub(crate) const $ident: &str = $name; )+

        /// Every field, in the order they are written.
        pub static ALL: &[Field] = &[$( Field { name: $name, lines: stringify!($lines), help: $help } ),+];
    };
}

fields! {
    TIME = "time" both "When the first byte of the request came in (`tcp`: when the connection was accepted), RFC 3339 in UTC with milliseconds.";
    KIND = "kind" both "`http` for a request, `tcp` or `udp` for a session. What is said of `tcp` here holds for `udp` too; its sessions begin with a client's first datagram.";
    LISTENER = "listener" both "The listener's name.";
    CLIENT_IP = "client_ip" both "The client's address. Absent on Unix sockets.";
    CLIENT_PORT = "client_port" both "The client's port. Absent on Unix sockets.";
    SNI = "sni" both "The server name that a TLS client asked for, where the listener has `tls` or `sni`.";
    METHOD = "method" http "The method. Absent, as are `target` and `version`, if no request line could be read.";
    HOST = "host" http "The host asked for.";
    TARGET = "target" http "The request target, as it came.";
    VERSION = "version" http "`HTTP/1.0`, `HTTP/1.1`, `HTTP/2.0` or `HTTP/3.0`.";
    STATUS = "status" http "The final status. Absent if no answer was begun.";
    REQUEST_BYTES = "request_bytes" http "Bytes of the request's body, without framing.";
    RESPONSE_BYTES = "response_bytes" http "Bytes of the answer's body, without framing.";
    RECEIVED_DATAGRAMS = "received_datagrams" udp "Datagrams from the client.";
    SENT_DATAGRAMS = "sent_datagrams" udp "Datagrams to the client.";
    RECEIVED_BYTES = "received_bytes" tcp "Bytes from the client.";
    SENT_BYTES = "sent_bytes" tcp "Bytes to the client.";
    DURATION_MS = "duration_ms" both "Milliseconds, with three decimals, from the first byte of the request until the end of its answer (`tcp`: from accepting until both sides were closed).";
    UPSTREAM_MS = "upstream_ms" http "Milliseconds, with three decimals, from choosing a server until the head of its answer, of the last attempt.";
    ROUTE = "route" http "The route's name. Absent if none matched.";
    UPSTREAM = "upstream" both "The upstream's name.";
    SERVER = "server" both "The address of the server that was tried last.";
    ATTEMPTS = "attempts" both "How many servers were tried; 0 if the answer came from the balancer itself.";
    REQUEST_ID = "request_id" http "The request's identifier, the one in `X-Request-ID`.";
    TLS_VERSION = "tls_version" both "`TLSv1.2` or `TLSv1.3`. Absent, as is `tls_cipher`, where nothing is ciphered.";
    TLS_CIPHER = "tls_cipher" both "The cipher suite, by its IANA name.";
    EARLY_DATA = "early_data" http "`true` for a request that was served before the TLS handshake was done (0-RTT). Absent otherwise.";
    END = "end" both "Why it ended, one of the words below.";
    LIMIT = "limit" http "The rate limit that refused the request. Absent otherwise.";
    USER_AGENT = "user_agent" http "The field `User-Agent`.";
    REFERER = "referer" http "The field `Referer`.";
}
