//! Plans that take over from each other, and plans that cannot, over real workers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use sluice_config::{Source, Surroundings, load};

use super::binding::is_same_socket;
use super::*;

struct Nothing;

impl Surroundings for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret(&self, _path: &Path) -> Result<String, String> {
        Err("there are no files".to_owned())
    }
}

fn plan(text: &str) -> Arc<Plan> {
    let source = Source {
        name: "test".to_owned(),
        text: text.to_owned(),
    };
    let loaded = load(&source, &Nothing).unwrap_or_else(|report| panic!("{report:?}"));
    Arc::new(loaded.plan)
}

/// One listener that answers with `word`, and whatever else is in `more`.
fn answering(word: &str, address: &str, more: &str) -> Arc<Plan> {
    plan(&format!(
        "[[routes]]\nrespond.status = 200\nrespond.body = '{word}'\n[listeners.web]\naddress = '{address}'\n{more}\n"
    ))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(test)
}

async fn fleet(plan: &Arc<Plan>) -> Fleet {
    let registry = Arc::new(Registry::new("test"));
    let mut fleet = Fleet::start(Some(2), &registry).expect("threads");
    fleet.apply(plan).await.expect("a plan that can run");
    fleet
}

fn bound(fleet: &Fleet, name: &str) -> SocketAddr {
    let (_, address) = fleet
        .bound()
        .iter()
        .find(|(bound, _)| &**bound == name)
        .expect("bound");
    match address {
        BoundAddress::Ip(address) => *address,
        BoundAddress::Unix(path) => panic!("{path:?}"),
    }
}

/// The answer to a request on a connection of its own.
fn answer(mut stream: impl io::Read + io::Write) -> String {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("send");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("receive");
    text.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

fn answer_at(address: SocketAddr) -> String {
    answer(connect(address))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("patience");
    stream
}

async fn end(fleet: Fleet) {
    assert!(
        fleet.drain(Duration::from_secs(5)).await,
        "it ends in order"
    );
}

#[test]
fn a_plan_that_cannot_be_bound_changes_nothing() {
    run(async {
        let mut fleet = fleet(&answering("one", "127.0.0.1:0", "")).await;
        let address = bound(&fleet, "web");
        let mut kept = connect(address);

        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let free = testkit::free_address();
        let more = format!(
            "[listeners.free]\naddress = '{free}'\n[listeners.taken]\naddress = '{}'",
            taken.local_addr().expect("address")
        );
        let error = fleet
            .apply(&answering("two", "127.0.0.1:0", &more))
            .await
            .expect_err("taken");
        let text = error.to_string();
        assert!(
            text.contains("`taken`") && text.contains("something else listens"),
            "{text}"
        );

        assert_eq!(fleet.bound().len(), 1);
        assert_eq!(bound(&fleet, "web"), address);
        assert_eq!(answer_at(address), "one");
        assert!(
            TcpStream::connect(free).is_err(),
            "what was bound is let go"
        );
        kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("send");
        let mut start = [0; 12];
        kept.read_exact(&mut start)
            .expect("the connection is untouched");
        assert_eq!(&start, b"HTTP/1.1 200");
        drop(kept);

        // And a plan that can be run still is.
        fleet
            .apply(&answering("three", "127.0.0.1:0", ""))
            .await
            .expect("fine");
        assert_eq!(
            bound(&fleet, "web"),
            address,
            "nothing of the socket has changed"
        );
        assert_eq!(answer_at(address), "three");
        end(fleet).await;
    });
}

#[test]
fn only_listeners_whose_socket_changed_are_bound_anew() {
    run(async {
        let before = answering(
            "one",
            "127.0.0.1:0",
            "[listeners.b]\naddress = '127.0.0.1:0'\nbacklog = 10",
        );
        let mut fleet = fleet(&before).await;
        let (web, b) = (bound(&fleet, "web"), bound(&fleet, "b"));

        let more = "idle-timeout = '9s'\nmax-head = '9KiB'\n[listeners.b]\naddress = '127.0.0.1:0'\nbacklog = 20";
        let after = answering("two", "127.0.0.1:0", more);
        let new = fleet.bind_new(&after).expect("bind");
        let positions: Vec<_> = new.iter().map(|(position, _)| *position).collect();
        let names: Vec<_> = positions
            .iter()
            .map(|at| &*after.listeners[*at].name)
            .collect();
        assert_eq!(names, ["b"]);
        drop(new);
        fleet.apply(&after).await.expect("fine");
        assert_eq!(bound(&fleet, "web"), web);
        assert_ne!(bound(&fleet, "b"), b, "the kernel chooses a port again");
        assert_eq!(answer_at(bound(&fleet, "b")), "two");

        // A listener that goes listens no more.
        let gone = bound(&fleet, "b");
        fleet
            .apply(&answering("three", "127.0.0.1:0", ""))
            .await
            .expect("fine");
        assert_eq!(fleet.bound().len(), 1);
        until(|| TcpStream::connect(gone).is_err()).await;
        assert_eq!(answer_at(web), "three");
        end(fleet).await;
        until(|| TcpStream::connect(web).is_err()).await;
    });
}

/// Looks again and again, for a bounded while.
async fn until(mut holds: impl FnMut() -> bool) {
    let last = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(
            tokio::time::Instant::now() < last,
            "it did not come to hold"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn sockets_are_the_same_by_name_address_and_options() {
    let listener = |text: &str| {
        let plan = plan(&format!("[[routes]]\nrespond.status = 200\n{text}"));
        plan.listeners[0].clone()
    };
    let known = listener("[listeners.a]\naddress = '127.0.0.1:1'");
    for (text, same) in [
        ("[listeners.a]\naddress = '127.0.0.1:1'", true),
        (
            "[listeners.a]\naddress = '127.0.0.1:1'\nidle-timeout = '1s'",
            true,
        ),
        (
            "[listeners.a]\naddress = '127.0.0.1:1'\nproxy-protocol = 'accept'",
            true,
        ),
        ("[listeners.b]\naddress = '127.0.0.1:1'", false),
        ("[listeners.a]\naddress = '127.0.0.1:2'", false),
        ("[listeners.a]\naddress = '127.0.0.2:1'", false),
        ("[listeners.a]\naddress = '127.0.0.1:1'\nbacklog = 7", false),
        (
            "[listeners.a]\naddress = '127.0.0.1:1'\ntcp-keep-alive = 'off'",
            false,
        ),
        (
            "[listeners.a]\naddress = '127.0.0.1:1'\nfast-open = 5",
            false,
        ),
    ] {
        assert_eq!(is_same_socket(&known, &listener(text)), same, "{text}");
    }
}

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let file = format!("sluice-fleet-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(file))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_unix_socket_serves_on_where_a_plan_comes_to_nothing() {
    run(async {
        let place = Place::new("unix");
        let address = format!("unix:{}", place.0.display());
        let at = || answer(std::os::unix::net::UnixStream::connect(&place.0).expect("connect"));
        let mut fleet = fleet(&answering("one", &address, "")).await;
        assert_eq!(at(), "one");

        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let more = format!(
            "backlog = 7\n[listeners.taken]\naddress = '{}'",
            taken.local_addr().expect("address")
        );
        fleet
            .apply(&answering("two", &address, &more))
            .await
            .expect_err("taken");
        assert_eq!(at(), "one");

        fleet
            .apply(&answering("three", &address, "backlog = 7"))
            .await
            .expect("fine");
        assert_eq!(at(), "three");
        end(fleet).await;
        assert!(!place.0.exists(), "it is cleaned up");
    });
}

#[test]
fn an_access_log_that_cannot_be_opened_changes_nothing() {
    run(async {
        let mut fleet = fleet(&answering("one", "127.0.0.1:0", "")).await;
        let address = bound(&fleet, "web");
        let more = "backlog = 7\n[logs]\naccess = { format = 'json', to = 'file:/no/such/folder/access.log' }";
        let error = fleet.apply(&answering("two", "127.0.0.1:0", more)).await;
        assert!(matches!(error, Err(ApplyError::AccessLog(_))), "{error:?}");
        assert_eq!(bound(&fleet, "web"), address);
        assert_eq!(answer_at(address), "one");
        end(fleet).await;
    });
}

#[test]
fn a_name_that_leads_nowhere_changes_nothing() {
    run(async {
        let mut fleet = fleet(&answering("one", "127.0.0.1:0", "")).await;
        let wrong = plan(
            "[listeners.web]\naddress = '127.0.0.1:0'\nbacklog = 7\n[upstreams.app]\nservers = ['no-such-host.invalid:80']",
        );
        let error = fleet.apply(&wrong).await.expect_err("nowhere");
        assert!(
            error.to_string().contains("no-such-host.invalid:80"),
            "{error}"
        );
        assert_eq!(answer_at(bound(&fleet, "web")), "one");
        end(fleet).await;
    });
}
