//! The demo's servers: each says its name, and can be told to be slow or to fail.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};

/// A running server.
pub(super) struct DemoServer {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
}

/// The ports that the guide would like to name; where one is taken, any free one will do.
const SERVERS: [(&str, u16); 3] = [("server-1", 9001), ("server-2", 9002), ("server-3", 9003)];

/// Starts the servers on a thread of their own, which ends with the process.
pub(super) fn start() -> anyhow::Result<Vec<DemoServer>> {
    let mut servers = Vec::new();
    let mut listeners = Vec::new();
    for (name, port) in SERVERS {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
            .with_context(|| format!("{name} cannot be bound"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        servers.push(DemoServer { name, address });
        listeners.push((name, listener));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("demo-servers".to_owned())
        .spawn(move || runtime.block_on(serve(listeners)))?;
    Ok(servers)
}

/// How a server behaves now.
#[derive(Default)]
struct Behaviour {
    name: &'static str,
    delay_ms: AtomicU64,
    fail_percent: AtomicU64,
    served: AtomicU64,
}

async fn serve(listeners: Vec<(&'static str, TcpListener)>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (name, listener) in listeners {
        let behaviour = Arc::new(Behaviour {
            name,
            ..Behaviour::default()
        });
        let app = Router::new()
            .route("/demo/slow", post(slow))
            .route("/demo/fail", post(fail))
            .route("/demo/well", post(well))
            .fallback(any(answer))
            .with_state(behaviour);
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                tasks.spawn(async move { axum::serve(listener, app).await });
            }
            Err(error) => tracing::error!(%error, name, "a demo server cannot run"),
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn answer(
    State(behaviour): State<Arc<Behaviour>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let delay = behaviour.delay_ms.load(Relaxed);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let name = behaviour.name;
    if hits(&behaviour.fail_percent) {
        let text = format!("{name} fails, as it was told to\n");
        return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
    }
    let number = behaviour.served.fetch_add(1, Relaxed) + 1;
    if uri.path() != "/echo" {
        return format!("{name}: {method} {uri}, request {number} here\n").into_response();
    }
    let mut fields = String::new();
    for (field, value) in &headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // Writing to a string cannot fail.
        let _ = writeln!(fields, "{field}: {value}");
    }
    let length = body.len();
    format!("{name} saw\n{method} {uri}\n{fields}\nand a body of {length} bytes\n").into_response()
}

async fn slow(State(behaviour): State<Arc<Behaviour>>, RawQuery(query): RawQuery) -> String {
    let delay = number(query.as_deref(), "ms").unwrap_or(500).min(60_000);
    behaviour.delay_ms.store(delay, Relaxed);
    format!("{} now takes {delay} ms for each request\n", behaviour.name)
}

async fn fail(State(behaviour): State<Arc<Behaviour>>, RawQuery(query): RawQuery) -> String {
    let percent = number(query.as_deref(), "percent").unwrap_or(100).min(100);
    behaviour.fail_percent.store(percent, Relaxed);
    format!("{} now fails {percent} % of its requests\n", behaviour.name)
}

async fn well(State(behaviour): State<Arc<Behaviour>>) -> String {
    behaviour.delay_ms.store(0, Relaxed);
    behaviour.fail_percent.store(0, Relaxed);
    format!("{} is well\n", behaviour.name)
}

fn hits(percent: &AtomicU64) -> bool {
    fastrand::u64(0..100) < percent.load(Relaxed)
}

/// The number in `name=123` of a query.
fn number(query: Option<&str>, name: &str) -> Option<u64> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_queries() {
        assert_eq!(number(Some("a=1&ms=250"), "ms"), Some(250));
        assert_eq!(number(Some("ms=x"), "ms"), None);
        assert_eq!(number(None, "ms"), None);
    }

    #[test]
    fn a_share_of_all_or_none() {
        assert!((0..1_000).all(|_| hits(&AtomicU64::new(100))));
        assert!(!(0..1_000).any(|_| hits(&AtomicU64::new(0))));
    }
}
