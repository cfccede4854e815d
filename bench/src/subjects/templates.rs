//! Which of the files in `bench/peers` a subject is started with.

use super::Kind;
use super::settings::{Protocol, Setup};

/// What `kind` is started with for such a job.
pub(super) fn of(kind: Kind, protocol: Protocol, setup: Setup) -> &'static str {
    match setup {
        Setup::Plain => plain(kind, protocol),
        Setup::Balanced(_) => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-balance.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-balance.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-balance.cfg"),
            Kind::Envoy => include_str!("../../peers/envoy-balance.yaml"),
            Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Events => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-events.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-events.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-events.cfg"),
            Kind::Envoy => include_str!("../../peers/envoy-events.yaml"),
            Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Storm => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-storm.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-storm.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-storm.cfg"),
            Kind::Envoy => include_str!("../../peers/envoy-storm.yaml"),
            Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Routes => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-routes.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-routes.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-routes.cfg"),
            Kind::Envoy | Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Edits => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-edits.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-edits.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-edits.cfg"),
            Kind::Envoy | Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Limit => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-limit.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-limit.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-limit.cfg"),
            Kind::Envoy | Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Token => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-token.toml"),
            Kind::Haproxy => include_str!("../../peers/haproxy-token.cfg"),
            Kind::Nginx | Kind::Envoy | Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Sticky => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-sticky.toml"),
            Kind::Nginx => include_str!("../../peers/nginx-sticky.conf"),
            Kind::Haproxy => include_str!("../../peers/haproxy-sticky.cfg"),
            Kind::Envoy | Kind::Bare | Kind::Forwarder => "",
        },
        Setup::Guarded => match kind {
            Kind::Sluice => include_str!("../../peers/sluice-guarded.toml"),
            // What it is compared with has nothing of it.
            _ => plain(kind, protocol),
        },
    }
}

/// Files that it reads beside, by their names.
pub(super) fn beside(kind: Kind, setup: Setup) -> &'static [(&'static str, &'static str)] {
    match (kind, setup) {
        (Kind::Nginx, Setup::Routes) => &[(
            "services.conf",
            include_str!("../../peers/nginx-routes-services.conf"),
        )],
        (Kind::Haproxy, Setup::Routes) => {
            &[("routes.map", include_str!("../../peers/haproxy-routes.map"))]
        }
        _ => &[],
    }
}

fn plain(kind: Kind, protocol: Protocol) -> &'static str {
    match (kind, protocol) {
        (Kind::Sluice | Kind::Bare, Protocol::Http) => include_str!("../../peers/sluice.toml"),
        (Kind::Sluice, Protocol::Tls) => include_str!("../../peers/sluice-tls.toml"),
        (Kind::Sluice, Protocol::Grpc) => include_str!("../../peers/sluice-grpc.toml"),
        (Kind::Sluice, Protocol::H3) => include_str!("../../peers/sluice-h3.toml"),
        (Kind::Sluice, Protocol::H2) => include_str!("../../peers/sluice-h2.toml"),
        (Kind::Sluice, Protocol::Tcp) => include_str!("../../peers/sluice-tcp.toml"),
        (Kind::Sluice, Protocol::Udp) => include_str!("../../peers/sluice-udp.toml"),
        (Kind::Nginx, Protocol::Udp) => include_str!("../../peers/nginx-udp.conf"),
        (Kind::Nginx, Protocol::Http) => include_str!("../../peers/nginx.conf"),
        (Kind::Nginx, Protocol::Tls) => include_str!("../../peers/nginx-tls.conf"),
        (Kind::Nginx, Protocol::Grpc) => include_str!("../../peers/nginx-grpc.conf"),
        (Kind::Nginx, Protocol::H3) => include_str!("../../peers/nginx-h3.conf"),
        (Kind::Nginx, Protocol::H2) => include_str!("../../peers/nginx-h2.conf"),
        (Kind::Nginx, Protocol::Tcp) => include_str!("../../peers/nginx-tcp.conf"),
        (Kind::Haproxy, Protocol::Http) => include_str!("../../peers/haproxy.cfg"),
        (Kind::Haproxy, Protocol::Tls) => include_str!("../../peers/haproxy-tls.cfg"),
        (Kind::Haproxy, Protocol::Grpc) => include_str!("../../peers/haproxy-grpc.cfg"),
        (Kind::Haproxy, Protocol::H3) => include_str!("../../peers/haproxy-h3.cfg"),
        (Kind::Haproxy, Protocol::H2) => include_str!("../../peers/haproxy-h2.cfg"),
        (Kind::Haproxy, Protocol::Tcp) => include_str!("../../peers/haproxy-tcp.cfg"),
        (Kind::Envoy, Protocol::Http) => include_str!("../../peers/envoy.yaml"),
        (Kind::Envoy, Protocol::Tls) => include_str!("../../peers/envoy-tls.yaml"),
        (Kind::Envoy, Protocol::Grpc) => include_str!("../../peers/envoy-grpc.yaml"),
        (Kind::Envoy, Protocol::H3) => include_str!("../../peers/envoy-h3.yaml"),
        (Kind::Envoy, Protocol::H2) => include_str!("../../peers/envoy-h2.yaml"),
        (Kind::Envoy, Protocol::Tcp) => include_str!("../../peers/envoy-tcp.yaml"),
        // Not measured: `Subject::able` leaves them out.
        (Kind::Haproxy | Kind::Envoy, Protocol::Udp) | (Kind::Forwarder | Kind::Bare, _) => "",
    }
}
