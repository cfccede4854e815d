//! One store, as one worker sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use sluice_config::plan;
use sluice_telemetry::metrics::{StoreMetrics, StoreOutcome};
use thiserror::Error;
use tokio::task::spawn_local;

use crate::connecting::{Dial, until_here};
use crate::script::Script;
use crate::standing::Standing;

/// The store did nothing, or it is not known whether it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the store is away")]
pub struct Away;

/// A store with its connection, which is made again when it is lost.
pub struct Store {
    settings: plan::Store,
    dial: Rc<Dial>,
    metrics: Arc<StoreMetrics>,
    standing: Arc<Standing>,
    connection: RefCell<Option<MultiplexedConnection>>,
    is_connecting: Cell<bool>,
    /// Timeouts since the last answer.
    late: Cell<u32>,
}

impl Store {
    /// Begins to connect; until then it is away. To be called on a runtime of one thread.
    pub fn open(
        settings: &plan::Store,
        standing: Arc<Standing>,
        metrics: Arc<StoreMetrics>,
    ) -> Rc<Self> {
        let store = Rc::new(Self {
            settings: settings.clone(),
            dial: Rc::new(Dial::new(settings)),
            metrics,
            standing,
            connection: RefCell::default(),
            is_connecting: Cell::default(),
            late: Cell::default(),
        });
        store.connect();
        store
    }

    /// What it was opened with.
    pub fn settings(&self) -> &plan::Store {
        &self.settings
    }

    /// Whether there is any use in asking it.
    pub fn is_here(&self) -> bool {
        self.connection.borrow().is_some()
    }

    /// The value of a key; `None` where it has none.
    ///
    /// # Errors
    /// [`Away`], here and in the others.
    pub async fn get(self: &Rc<Self>, key: &[u8]) -> Result<Option<Vec<u8>>, Away> {
        self.ask(redis::cmd("GET").arg(self.key(key))).await
    }

    /// Sets the value of a key, for `ttl`.
    pub async fn set(self: &Rc<Self>, key: &[u8], value: &[u8], ttl: Duration) -> Result<(), Away> {
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value);
        command.arg("PX").arg(milliseconds(ttl));
        self.ask(&command).await
    }

    /// Sets the value of a key where it has none, and says what it is then. Either way it lasts for `ttl` from now on.
    pub async fn get_or_set(
        self: &Rc<Self>,
        key: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Vec<u8>, Away> {
        let key = self.key(key);
        let mut invocation = GET_OR_SET.on(&key);
        invocation.arg(value).arg(milliseconds(ttl));
        self.invoke(&invocation).await
    }

    /// Forgets a key.
    pub async fn remove(self: &Rc<Self>, key: &[u8]) -> Result<(), Away> {
        self.ask(redis::cmd("DEL").arg(self.key(key))).await
    }

    /// Runs a program on a key, which returns whole numbers.
    pub async fn run(
        self: &Rc<Self>,
        script: &Script,
        key: &[u8],
        arguments: &[u64],
    ) -> Result<Vec<i64>, Away> {
        let key = self.key(key);
        let mut invocation = script.on(&key);
        for argument in arguments {
            invocation.arg(*argument);
        }
        self.invoke(&invocation).await
    }

    async fn ask<T: FromRedisValue>(self: &Rc<Self>, command: &Cmd) -> Result<T, Away> {
        let mut connection = self.connection()?;
        let answer = command.query_async(&mut connection).await;
        self.heard(answer)
    }

    async fn invoke<T: FromRedisValue>(
        self: &Rc<Self>,
        invocation: &redis::ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        let mut connection = self.connection()?;
        let answer = invocation.invoke_async(&mut connection).await;
        self.heard(answer)
    }

    fn connection(&self) -> Result<MultiplexedConnection, Away> {
        let connection = self.connection.borrow().clone();
        connection.ok_or_else(|| {
            self.metrics.operations.increment(StoreOutcome::Away);
            Away
        })
    }

    fn heard<T>(self: &Rc<Self>, answer: Result<T, RedisError>) -> Result<T, Away> {
        let error = match answer {
            Ok(value) => {
                self.late.set(0);
                self.metrics.operations.increment(StoreOutcome::Ok);
                return Ok(value);
            }
            Err(error) => error,
        };
        if error.is_timeout() {
            self.metrics.operations.increment(StoreOutcome::Timeout);
            self.late.set(self.late.get() + 1);
            if self.late.get() < LATE {
                return Err(Away);
            }
        } else {
            self.metrics.operations.increment(StoreOutcome::Failed);
        }
        if error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error() {
            self.is_lost(&error.to_string());
        } else if self.standing.went() {
            let store = &*self.settings.name;
            tracing::error!(store, %error, "the store refuses what it is asked: balancers do not know of each other");
        }
        Err(Away)
    }

    fn is_lost(self: &Rc<Self>, reason: &str) {
        // Others whose operations fail with the same connection come late.
        if self.connection.take().is_some() {
            self.metrics.connected.decrement();
            self.is_away_for(reason);
            self.connect();
        }
    }

    fn connect(self: &Rc<Self>) {
        if !self.is_connecting.replace(true) {
            spawn_local(until_here(Rc::downgrade(self)));
        }
    }

    pub(crate) fn dial(&self) -> &Rc<Dial> {
        &self.dial
    }

    pub(crate) fn is_here_by(&self, connection: MultiplexedConnection) {
        *self.connection.borrow_mut() = Some(connection);
        self.is_connecting.set(false);
        self.late.set(0);
        self.metrics.connected.increment();
        if self.standing.came() {
            tracing::info!(store = &*self.settings.name, "the store is back");
        }
    }

    pub(crate) fn is_away_for(&self, reason: &str) {
        if self.standing.went() {
            let store = &*self.settings.name;
            tracing::warn!(
                store,
                reason,
                "the store is away: going on by what is known here"
            );
        }
    }

    /// The key as it is called in the store.
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [self.settings.prefix.as_bytes(), key].concat()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.is_here() {
            self.metrics.connected.decrement();
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("settings", &self.settings)
            .field("is_here", &self.is_here())
            .finish_non_exhaustive()
    }
}

/// At least one: what lasts for nothing would be refused.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

static GET_OR_SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local known = redis.call('GET', KEYS[1])
         if known then
           redis.call('PEXPIRE', KEYS[1], ARGV[2])
           return known
         end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return ARGV[1]",
    )
});

/// So many operations that take too long, one after the other, and it is away.
const LATE: u32 = 3;
