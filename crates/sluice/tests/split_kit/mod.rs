//! The file of a site whose requests two upstreams share.

use std::net::SocketAddr;

/// The upstreams `v1` and `v2`, a server each, behind these routes.
pub(crate) fn file([one, two]: [SocketAddr; 2], routes: &str) -> String {
    format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

{routes}

[upstreams.v1]
servers = ["{one}"]

[upstreams.v2]
servers = ["{two}"]

[runtime]
workers = 2

[admin]
address = "127.0.0.1:<port:admin>"
"#
    )
}
