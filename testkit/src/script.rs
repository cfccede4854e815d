//! What a scripted server does on a connection: a list of steps, written in the order in which they happen.

use crate::wait::Gate;

/// The steps of one connection. The connection is closed after the last.
///
/// ```
/// use testkit::{Gate, Script};
/// let gate = Gate::new();
/// let slow_body = Script::new()
///     .read_request()
///     .write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
///     .wait(&gate)
///     .write("llo");
/// # drop(slow_body);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
    /// Begins again after the last step, until the client closes.
    pub(crate) forever: bool,
}

/// One thing that a scripted server does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    ReadHead,
    ReadRequest,
    ReadUntil(Vec<u8>),
    ReadExactly(u64),
    ReadToEnd,
    Write(Vec<u8>),
    WritePieces(Vec<u8>, usize),
    WriteLast(Vec<u8>),
    Switch(Vec<u8>),
    Wait(Gate),
    HalfClose,
    Reset,
    StayOpen,
}

impl Script {
    /// Accepts, and closes at once unless steps follow.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a request and answers it, again and again, until the client closes.
    pub fn answer(response: impl AsRef<[u8]>) -> Self {
        Self::new().read_request().write(response).forever()
    }

    /// Answers 200 with this body on a connection that stays open.
    pub fn ok(body: &str) -> Self {
        let length = body.len();
        Self::answer(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Accepts and never says anything.
    pub fn silent() -> Self {
        Self::new().stay_open()
    }

    /// Reads a request head, not its body.
    #[must_use]
    pub fn read_head(self) -> Self {
        self.then(Step::ReadHead)
    }

    /// Reads a request with its body.
    #[must_use]
    pub fn read_request(self) -> Self {
        self.then(Step::ReadRequest)
    }

    /// Reads until these bytes have come.
    #[must_use]
    pub fn read_until(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::ReadUntil(bytes.as_ref().to_vec()))
    }

    /// Reads this many bytes.
    #[must_use]
    pub fn read_exactly(self, count: u64) -> Self {
        self.then(Step::ReadExactly(count))
    }

    /// Reads until the client closes its side.
    #[must_use]
    pub fn read_to_end(self) -> Self {
        self.then(Step::ReadToEnd)
    }

    /// Writes bytes in one go.
    #[must_use]
    pub fn write(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Write(bytes.as_ref().to_vec()))
    }

    /// Writes bytes in pieces of `size`, each its own segment as far as the kernel lets it be.
    #[must_use]
    pub fn write_pieces(self, bytes: impl AsRef<[u8]>, size: usize) -> Self {
        assert!(size > 0, "pieces have at least one byte");
        self.then(Step::WritePieces(bytes.as_ref().to_vec(), size))
    }

    /// Writes bytes and closes the server's side, in one segment where they fit into one: who has the bytes can know that
    /// nothing follows.
    #[must_use]
    pub fn write_last(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::WriteLast(bytes.as_ref().to_vec()))
    }

    /// Reads the head of a request for WebSocket and accepts it (RFC 6455, 4.2.2), with these bytes right behind.
    #[must_use]
    pub fn switch(self, early: impl AsRef<[u8]>) -> Self {
        self.then(Step::Switch(early.as_ref().to_vec()))
    }

    /// Goes on only when the test opens the gate.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    /// Closes the server's side; reading goes on.
    #[must_use]
    pub fn half_close(self) -> Self {
        self.then(Step::HalfClose)
    }

    /// Ends the connection with a reset; nothing follows.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Holds the connection open, reading, until the client closes it or the server is dropped.
    #[must_use]
    pub fn stay_open(self) -> Self {
        self.then(Step::StayOpen)
    }

    /// Begins again after the last step, until the client closes.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.forever = true;
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
