//! A store beside a real Redis: what it keeps, and what becomes of it when that goes away and comes back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_config::plan::{self, Secret};
use sluice_store::{Away, Script, Store, Stores};
use sluice_telemetry::metrics::{StoreMetrics, StoreOutcome};
use testkit::{DEADLINE, RedisServer};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

const MINUTE: Duration = Duration::from_mins(1);

struct Opened {
    store: Rc<Store>,
    metrics: Arc<StoreMetrics>,
}

fn settings(server: &RedisServer) -> plan::Store {
    plan::Store {
        name: "main".into(),
        address: server.address().to_string().parse().expect("an address"),
        database: 0,
        username: None,
        password: None,
        timeout: Duration::from_secs(1),
        prefix: "test:".into(),
    }
}

fn open(settings: &plan::Store) -> Opened {
    let metrics = Arc::new(StoreMetrics::default());
    let standing = Stores::default().get("main");
    Opened {
        store: Store::open(settings, standing, Arc::clone(&metrics)),
        metrics,
    }
}

/// Until the store is here, or is not.
async fn until_here(store: &Store, wanted: bool) {
    let begun = Instant::now();
    while store.is_here() != wanted {
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {wanted}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let test = async { timeout(DEADLINE, test).await };
    let done = LocalSet::new().block_on(&runtime.expect("a runtime"), test);
    done.expect("it ends");
}

#[test]
fn what_is_kept() {
    let server = RedisServer::start();
    run(async {
        let Opened { store, metrics } = open(&settings(&server));
        assert_eq!(store.get(b"a").await, Err(Away), "it has not answered yet");
        until_here(&store, true).await;
        assert_eq!(store.get(b"a").await, Ok(None));
        assert_eq!(
            store.get_or_set(b"a", b"\0one", MINUTE).await,
            Ok(b"\0one".to_vec())
        );
        assert_eq!(
            store.get_or_set(b"a", b"two", MINUTE).await,
            Ok(b"\0one".to_vec())
        );
        assert_eq!(store.get(b"a").await, Ok(Some(b"\0one".to_vec())));
        assert_eq!(store.set(b"a", b"three", MINUTE).await, Ok(()));
        assert_eq!(store.get(b"a").await, Ok(Some(b"three".to_vec())));
        assert_eq!(store.remove(b"a").await, Ok(()));
        assert_eq!(store.get(b"a").await, Ok(None));
        assert_eq!(metrics.operations.value(StoreOutcome::Ok), 8);
        assert_eq!(metrics.operations.value(StoreOutcome::Away), 1);
        assert_eq!(metrics.connected.value(), 1);
        drop(store);
        assert_eq!(metrics.connected.value(), 0);
    });
}

#[test]
fn what_lasts_for_a_while_only() {
    let server = RedisServer::start();
    run(async {
        let Opened { store, .. } = open(&settings(&server));
        until_here(&store, true).await;
        let soon = Duration::from_millis(20);
        assert_eq!(store.set(b"a", b"one", soon).await, Ok(()));
        while store.get(b"a").await.expect("it is here").is_some() {
            yield_now().await;
        }
        // Who asks for it keeps it for longer.
        let left = Script::new("return {redis.call('PTTL', KEYS[1]), tonumber(ARGV[1]) + 1}");
        assert!(store.set(b"b", b"one", soon * 100).await.is_ok());
        assert!(store.get_or_set(b"b", b"two", MINUTE).await.is_ok());
        let answer = store.run(&left, b"b", &[41]).await.expect("it is here");
        assert_eq!(answer[1], 42);
        assert!((59_000..=60_000).contains(&answer[0]), "{answer:?}");
    });
}

#[test]
fn it_goes_away_and_comes_back() {
    let mut server = RedisServer::start();
    run(async {
        let Opened { store, metrics } = open(&settings(&server));
        until_here(&store, true).await;
        server.kill();
        assert_eq!(store.get(b"a").await, Err(Away));
        assert!(!store.is_here(), "that is not forgotten");
        assert_eq!(store.get(b"a").await, Err(Away));
        assert_eq!(metrics.operations.value(StoreOutcome::Failed), 1);
        assert_eq!(metrics.operations.value(StoreOutcome::Away), 1);
        server.restart();
        until_here(&store, true).await;
        assert_eq!(store.get(b"a").await, Ok(None));
    });
}

#[test]
fn one_that_does_not_answer_is_away() {
    let server = RedisServer::start();
    run(async {
        let settings = plan::Store {
            timeout: Duration::from_millis(20),
            ..settings(&server)
        };
        let Opened { store, metrics } = open(&settings);
        until_here(&store, true).await;
        server.freeze();
        for _ in 0..3 {
            assert!(store.is_here());
            assert_eq!(store.get(b"a").await, Err(Away));
        }
        assert!(!store.is_here());
        assert_eq!(metrics.operations.value(StoreOutcome::Timeout), 3);
        server.thaw();
        until_here(&store, true).await;
    });
}

#[test]
fn who_must_log_in_does() {
    let server = RedisServer::start_with(Some("hunter2"));
    run(async {
        let stranger = open(&settings(&server));
        let known = open(&plan::Store {
            password: Some(Secret::new("hunter2")),
            database: 3,
            ..settings(&server)
        });
        until_here(&known.store, true).await;
        assert_eq!(known.store.set(b"a", b"one", MINUTE).await, Ok(()));
        assert!(!stranger.store.is_here());
        assert!(!format!("{:?}", known.store).contains("hunter2"));
    });
}
