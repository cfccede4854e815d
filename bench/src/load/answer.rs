//! Answers as the clients take them: looked at for their status and their
//! length, the body thrown away.

use memchr::memmem::Finder;

use super::flow::Flow;
use super::socket::Moved;

/// How far the answer a connection waits for has come.
#[derive(Default)]
pub(crate) struct Answer {
    /// A head that is not yet whole.
    partial: Vec<u8>,
    /// Bytes of the body still to come, once the head is there.
    remaining: usize,
    /// The name and the value of the cookie that it sets.
    cookie: Cookie,
}

/// Whether anybody wants to know of cookies, and what there is to know.
#[derive(Default)]
enum Cookie {
    #[default]
    Unwanted,
    Wanted,
    Set(Vec<u8>),
}

/// What all connections of a thread read with.
pub(crate) struct Reader {
    scratch: Vec<u8>,
    head_end: Finder<'static>,
}

/// What one look at an answer came to.
pub(crate) enum Progress {
    Waiting,
    Complete,
    Failed(&'static str),
}

impl Answer {
    /// One that is to set a cookie.
    pub(crate) fn with_cookie() -> Self {
        Self {
            cookie: Cookie::Wanted,
            ..Self::default()
        }
    }

    /// Whether it is one that is to set a cookie.
    pub(crate) fn has_to_set_cookie(&self) -> bool {
        !matches!(self.cookie, Cookie::Unwanted)
    }

    /// The cookie that it has set; from now on, nobody wants to know.
    pub(crate) fn take_cookie(&mut self) -> Option<Vec<u8>> {
        match std::mem::take(&mut self.cookie) {
            Cookie::Set(cookie) => Some(cookie),
            Cookie::Unwanted | Cookie::Wanted => None,
        }
    }

    /// Reads what is there, until an answer of 200 with a body of `body_length` bytes is whole.
    pub(crate) fn advance(
        &mut self,
        flow: &mut Flow,
        reader: &mut Reader,
        body_length: usize,
    ) -> Progress {
        loop {
            if self.remaining > 0 {
                match flow.discard(&mut reader.scratch[..self.remaining.min(SCRATCH)]) {
                    Moved::Bytes(0) | Moved::Broken => {
                        return Progress::Failed("the answer's body was cut short");
                    }
                    Moved::WouldBlock => return Progress::Waiting,
                    Moved::Bytes(length) => self.remaining -= length,
                }
                if self.remaining == 0 {
                    return Progress::Complete;
                }
                continue;
            }
            let length = match flow.receive(&mut reader.scratch[..HEAD_READ]) {
                Moved::Bytes(0) => return Progress::Failed("the connection was closed"),
                Moved::Broken => return Progress::Failed("the connection was reset"),
                Moved::WouldBlock => return Progress::Waiting,
                Moved::Bytes(length) => length,
            };
            let mut received = &reader.scratch[..length];
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(received);
                received = &self.partial;
            }
            let Some(end) = reader.head_end.find(received) else {
                if received.len() > HEAD_LIMIT {
                    return Progress::Failed("the answer's head has no end");
                }
                if self.partial.is_empty() {
                    self.partial = received.to_vec();
                }
                return Progress::Waiting;
            };
            if !received.starts_with(b"HTTP/1.1 200 ") {
                return Progress::Failed("the answer is not 200");
            }
            if let Cookie::Wanted = self.cookie
                && let Some(cookie) = cookie(&received[..end])
            {
                self.cookie = Cookie::Set(cookie);
            }
            let body = received.len() - end - 4;
            self.partial = Vec::new();
            if body > body_length {
                return Progress::Failed("the answer is longer than it should be");
            }
            self.remaining = body_length - body;
            if self.remaining == 0 {
                return Progress::Complete;
            }
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            scratch: vec![0; SCRATCH],
            head_end: Finder::new(b"\r\n\r\n"),
        }
    }
}

/// The name and the value of the cookie that an answer with this head sets.
fn cookie(head: &[u8]) -> Option<Vec<u8>> {
    let mut cookies = head.split(|&byte| byte == b'\n').filter_map(|line| {
        let (name, value) = line.split_at_checked(SET_COOKIE.len())?;
        name.eq_ignore_ascii_case(SET_COOKIE).then_some(value)
    });
    let pair = cookies.next()?.split(|&byte| byte == b';').next()?;
    Some(pair.trim_ascii().to_vec())
}

const SET_COOKIE: &[u8] = b"set-cookie:";
/// What a head is read into; what comes beyond it is body and is not looked at.
const HEAD_READ: usize = 4 * 1024;
const HEAD_LIMIT: usize = 16 * 1024;
const SCRATCH: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_its_name_and_value() {
        let head = b"HTTP/1.1 200 OK\r\nDate: now\r\nset-Cookie: a=b; Path=/\r\nX: y";
        assert_eq!(cookie(head).as_deref(), Some(&b"a=b"[..]));
        assert_eq!(cookie(b"HTTP/1.1 200 OK\r\nCookie: a=b"), None);
    }
}
