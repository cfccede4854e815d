//! How a subject has to be set up, so that the limits of the tables are its limits.

/// The longest request head, in bytes; 431 above.
pub const MAX_HEAD: usize = 1024;

/// The longest request target, in bytes; 414 above.
pub const MAX_TARGET: usize = 256;

/// The most fields of a request; 431 above.
pub const MAX_FIELDS: usize = 16;

/// The largest request body, in bytes; 413 above.
pub const MAX_BODY: usize = 100;

/// Paths that begin like this have no route: 404. Everything else goes to the origin.
pub const UNROUTED: &str = "/-";

/// Fields that a proxy may add for the server; what it says there is not compared.
pub const ADDED: &[&str] = &[
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];
