//! State shared with other balancers.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::ServerAddress;

use super::Secret;

/// `[stores.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub name: Arc<str>,
    /// Where the Redis of `redis` is.
    pub address: ServerAddress,
    /// The number of its database.
    pub database: u32,
    /// `username`
    pub username: Option<Box<str>>,
    /// `password`
    pub password: Option<Secret>,
    /// `timeout`: how long an operation may take.
    pub timeout: Duration,
    /// `prefix`: what the names of all keys begin with.
    pub prefix: Box<str>,
}

/// What `redis` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    /// Where it is.
    pub address: ServerAddress,
    /// The number of the database; 0 where none is named.
    pub database: u32,
}
