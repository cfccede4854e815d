//! `tcp`: a connection can be made, and where the upstream is ciphered, the handshake done.

use std::cell::Cell;

use crate::failure::{Failure, Step};
use crate::way::Way;

pub(super) async fn check(way: &Way, step: &Cell<Step>) -> Result<(), Failure> {
    way.connect(step).await?;
    Ok(())
}
