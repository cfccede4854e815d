//! Issuers that do what they are told, in virtual time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sluice_auth::jwt::Keys;
use sluice_fetch::FetchError;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::*;
use crate::issuers::fetching::Fetched;

/// An issuer, its keeper and the set between them.
struct Stage {
    key_set: Arc<KeySet>,
    registry: Arc<Registry>,
    issuer: Arc<Issuer>,
    task: AbortHandle,
}

#[derive(Default)]
struct Issuer {
    /// What its keys are; `None` while it is away.
    keys: Mutex<Option<Keys>>,
    asked: AtomicUsize,
}

impl Issuer {
    fn shows(&self, secret: Option<&[u8]>) {
        *self.keys.lock().expect("keys") = secret.map(Keys::secret);
    }
}

impl Fetches for Arc<Issuer> {
    async fn fetch(&mut self) -> Result<Fetched, KeySetError> {
        self.asked.fetch_add(1, Relaxed);
        let keys = self.keys.lock().expect("keys").clone();
        // An answer takes a moment.
        sleep(Duration::from_millis(100)).await;
        let keys = keys.ok_or(FetchError::Unreachable("away".to_owned()))?;
        Ok(Fetched {
            keys,
            cache_control: Some("max-age=300".to_owned()),
        })
    }
}

impl Stage {
    /// An issuer with these keys.
    fn new(secret: Option<&[u8]>) -> Self {
        let (key_set, issuer) = (Arc::<KeySet>::default(), Arc::<Issuer>::default());
        issuer.shows(secret);
        let registry = Arc::new(Registry::new("1"));
        registry
            .key_sets()
            .begin("tokens", "https://idp.example.com/keys");
        let keeper = Keeper {
            auth: "tokens".into(),
            source: KeySource {
                url: "https://idp.example.com/keys".into(),
                authorities: None,
                refresh: None,
            },
            key_set: Arc::clone(&key_set),
            registry: Arc::clone(&registry),
            fetches: Arc::clone(&issuer),
        };
        let task = tokio::spawn(keeper.run()).abort_handle();
        Self {
            key_set,
            registry,
            issuer,
            task,
        }
    }

    fn asked(&self) -> usize {
        self.issuer.asked.load(Relaxed)
    }

    /// Whether tokens are verified by these now.
    fn has(&self, secret: &[u8]) -> bool {
        !self.key_set.is_empty() && !self.key_set.put(Keys::secret(secret))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_when_they_are_old() {
    let stage = Stage::new(Some(b"a"));
    stage.key_set.renewed().await;
    assert!(stage.has(b"a"));
    stage.issuer.shows(Some(b"b"));
    pass(269).await;
    assert_eq!(stage.asked(), 1);
    pass(32).await;
    assert_eq!(stage.asked(), 2);
    assert!(stage.has(b"b"));
}

#[tokio::test(start_paused = true)]
async fn made_up_tokens_have_keys_fetched_now_and_then_only() {
    let stage = Stage::new(Some(b"a"));
    stage.key_set.renewed().await;
    assert_eq!(stage.asked(), 1);
    // For 100 seconds, four times a second.
    for _ in 0..400 {
        stage.key_set.renewed().await;
        sleep(Duration::from_millis(250)).await;
    }
    let asked = stage.asked();
    assert!((9..=12).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_new_are_soon_asked_for_again() {
    let stage = Stage::new(Some(b"a"));
    stage.key_set.renewed().await;
    for secret in [b"b", b"c"] {
        stage.issuer.shows(Some(secret));
        stage.key_set.renewed().await;
        assert!(stage.has(secret));
        let asked = stage.asked();
        stage.key_set.renewed().await;
        assert_eq!(stage.asked(), asked, "but not at once");
        pass(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_wait_for_one_and_the_same_fetch() {
    let stage = Stage::new(None);
    let first = Instant::now();
    tokio::join!(stage.key_set.renewed(), stage.key_set.renewed());
    assert_eq!(first.elapsed(), Duration::from_millis(100));
    assert_eq!(stage.asked(), 1);
    stage.issuer.shows(Some(b"a"));
    tokio::join!(stage.key_set.renewed(), stage.key_set.renewed());
    assert_eq!(stage.asked(), 2);
    assert!(stage.has(b"a"), "the first to come is in time");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_is_asked_again_and_its_keys_stay() {
    let stage = Stage::new(Some(b"a"));
    stage.key_set.renewed().await;
    stage.issuer.shows(None);
    pass(3600).await;
    assert!(stage.has(b"a"));
    let asked = stage.asked();
    assert!((12..30).contains(&asked), "{asked}");
    stage.issuer.shows(Some(b"b"));
    pass(601).await;
    assert!(stage.has(b"b"));
    let mut page = String::new();
    stage.registry.render(&mut page);
    let failed = format!(
        "sluice_auth_key_fetches_total{{auth=\"tokens\",outcome=\"failure\"}} {}",
        asked - 1
    );
    assert!(page.contains(&failed), "{failed}\n{page}");
}
