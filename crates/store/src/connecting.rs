//! How a store is connected to, again and again until it is there.

use std::rc::{Rc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisResult,
};
use sluice_config::plan;
use sluice_model::ServerAddress;
use tokio::time::{sleep, timeout};

use crate::store::Store;

/// Where a store is, and how it is spoken with.
pub(crate) struct Dial {
    client: RedisResult<Client>,
    config: AsyncConnectionConfig,
}

impl Dial {
    pub(crate) fn new(settings: &plan::Store) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(settings.timeout))
            .set_concurrency_limit(AT_A_TIME);
        Self {
            client: client(settings),
            config,
        }
    }

    /// A connection on which the store has answered.
    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        let client = self.client.as_ref().map_err(ToString::to_string)?;
        let connecting = client.get_multiplexed_async_connection_with_config(&self.config);
        let connected = timeout(CONNECT_TIMEOUT * 2, connecting).await;
        let mut connection = connected
            .map_err(|_| "it does not answer".to_owned())?
            .map_err(|error| error.to_string())?;
        let pong: RedisResult<String> = redis::cmd("PING").query_async(&mut connection).await;
        pong.map_err(|error| error.to_string())?;
        Ok(connection)
    }
}

fn client(settings: &plan::Store) -> RedisResult<Client> {
    let address = match &settings.address {
        ServerAddress::Ip(address) => ConnectionAddr::Tcp(address.ip().to_string(), address.port()),
        ServerAddress::Name { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
        ServerAddress::Unix(path) => ConnectionAddr::Unix(path.clone()),
    };
    let mut who = RedisConnectionInfo::default()
        .set_db(settings.database.into())
        .set_skip_set_lib_name();
    if let Some(username) = &settings.username {
        who = who.set_username(username);
    }
    if let Some(password) = &settings.password {
        who = who.set_password(password.reveal());
    }
    Client::open(address.into_connection_info()?.set_redis_settings(who))
}

/// Connects `store`, whatever it takes, unless nobody needs it any more.
pub(crate) async fn until_here(store: Weak<Store>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(dial) = store.upgrade().map(|store| Rc::clone(store.dial())) else {
            return;
        };
        let connected = dial.connect().await;
        let Some(store) = store.upgrade() else {
            return;
        };
        match connected {
            Ok(connection) => return store.is_here_by(connection),
            Err(reason) => store.is_away_for(&reason),
        }
        drop(store);
        sleep(pause.mul_f32(0.5 + fastrand::f32() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Operations of one worker under way: those beyond wait for one to end, within their timeout.
const AT_A_TIME: usize = 1024;
