//! From the bytes of a connection to its hello: over as many records, received in as many pieces, as the client likes.

use super::HelloError;
use super::body::ClientHello;

/// The most bytes that a hello may take, its records' headers included. What browsers send is 0.5 to 2 KiB.
pub const MAX_HELLO: usize = 16 * 1024;

/// Reads a hello from what was received so far, again and again until it is whole. Looks at each byte once.
///
/// What was decided stays decided: bytes that come later change neither an error nor a hello, and how they are cut into
/// pieces does not matter.
#[derive(Debug, Default)]
pub struct HelloReader {
    /// Where the next record begins.
    next: usize,
    /// What the records so far carried, where that was not the whole hello.
    carried: Vec<u8>,
}

impl HelloReader {
    /// Goes on with `received`: everything that the connection has received so far, from its first byte. `None` where the
    /// hello is not whole yet.
    ///
    /// # Errors
    /// [`HelloError`]; no more is to be read then.
    pub fn read<'a>(
        &'a mut self,
        received: &'a [u8],
    ) -> Result<Option<ClientHello<'a>>, HelloError> {
        loop {
            let rest = received.get(self.next..).unwrap_or_default();
            let room = MAX_HELLO
                .checked_sub(self.next + HEADER)
                .ok_or(HelloError::TooLong)?;
            let Some(fragment) = record(rest, self.next == 0, room)? else {
                return Ok(None);
            };
            self.next += HEADER + fragment.len();
            if self.carried.is_empty() && is_whole(fragment)? {
                return body(fragment).map(Some);
            }
            self.carried.extend_from_slice(fragment);
            if is_whole(&self.carried)? {
                return body(&self.carried).map(Some);
            }
        }
    }
}

/// Type, version and length of a record.
const HEADER: usize = 5;
/// Type and length of a handshake message.
const MESSAGE_HEADER: usize = 4;
const MAX_RECORD: usize = 1 << 14;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// What the record at the start of `bytes` carries, at most `room` bytes; `None` where it is not whole yet.
fn record(bytes: &[u8], is_first: bool, room: usize) -> Result<Option<&[u8]>, HelloError> {
    match bytes.first() {
        None | Some(&HANDSHAKE) => {}
        Some(_) if is_first => return Err(HelloError::NotTls),
        Some(_) => return Err(HelloError::Unexpected),
    }
    if bytes.get(1).is_some_and(|major| *major != 3) {
        return Err(HelloError::Version);
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let [_, _, _, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length == 0 || length > MAX_RECORD {
        return Err(HelloError::RecordLength);
    }
    if length > room {
        return Err(HelloError::TooLong);
    }
    Ok(rest.get(..length))
}

/// Whether a handshake message, begun by these bytes, is whole. Only a hello is expected, with nothing behind it: what a
/// client sends next, it sends in a record of its own.
fn is_whole(message: &[u8]) -> Result<bool, HelloError> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(HelloError::Unexpected);
    }
    let Some((header, rest)) = message.split_first_chunk::<MESSAGE_HEADER>() else {
        return Ok(false);
    };
    let [_, high, middle, low] = *header;
    let [high, middle, low] = [high, middle, low].map(usize::from);
    let length = high << 16 | middle << 8 | low;
    if length > MAX_HELLO {
        return Err(HelloError::TooLong);
    }
    if rest.len() > length {
        return Err(HelloError::Unexpected);
    }
    Ok(rest.len() == length)
}

fn body(message: &[u8]) -> Result<ClientHello<'_>, HelloError> {
    ClientHello::parse(message.get(MESSAGE_HEADER..).unwrap_or_default())
}
