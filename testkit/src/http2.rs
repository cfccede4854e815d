//! A client that sends exactly the frames of HTTP/2 that it is given, right or wrong (RFC 9113, 4).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use crate::wait::{DEADLINE, wait_for};

/// A server that is told each frame it sends, right or wrong.
#[derive(Debug)]
pub struct Http2Server {
    listener: TcpListener,
}

impl Http2Server {
    /// Listens on a free loopback port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        Self { listener }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket")
    }

    /// The next connection, seen from the server's side: the client's preface is read, and empty settings are sent.
    #[track_caller]
    pub fn accept(&self) -> Http2Client {
        wait_for("a connection to a server of HTTP/2", || self.try_accept())
    }

    /// The next connection, where there is one already.
    pub fn try_accept(&self) -> Option<Http2Client> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).expect("blocking");
        let mut connection = Http2Client::over(stream);
        assert!(connection.fill(PREFACE.len()), "closed before the preface");
        let preface: Vec<u8> = connection.received.drain(..PREFACE.len()).collect();
        assert_eq!(preface, PREFACE);
        connection.send(&[Frame::settings(&[])]);
        Some(connection)
    }
}

/// One connection, of either side. It acknowledges nothing by itself.
#[derive(Debug)]
pub struct Http2Client {
    stream: TcpStream,
    received: VecDeque<u8>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Some of [`flag`].
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// What follows the header.
    pub payload: Vec<u8>,
}

/// The kinds of frames (RFC 9113, 6).
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames.
#[expect(missing_docs, reason = "the names are the RFC's")]
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

/// What a client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Frame {
    /// A frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.as_ref().to_vec(),
        }
    }

    /// HEADERS with a whole block of `fields`.
    pub fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Self {
        let block = header_block(fields);
        Self::new(kind::HEADERS, flags | flag::END_HEADERS, stream, block)
    }

    /// A GET that ends its stream.
    pub fn get(stream: u32, path: &str) -> Self {
        Self::headers(stream, flag::END_STREAM, &request("GET", path))
    }

    /// DATA
    pub fn data(stream: u32, flags: u8, payload: impl AsRef<[u8]>) -> Self {
        Self::new(kind::DATA, flags, stream, payload)
    }

    /// `RST_STREAM`
    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// `WINDOW_UPDATE`
    pub fn window(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// SETTINGS
    pub fn settings(settings: &[(u16, u32)]) -> Self {
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        Self::new(kind::SETTINGS, 0, 0, payload)
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a length of 24 bits");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Whether the frame has the flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number at `at` of the payload: the error code of `RST_STREAM` is at 0, that of GOAWAY at 4.
    pub fn number(&self, at: usize) -> u32 {
        let bytes = self.payload[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    }

    /// The status of a response's HEADERS, which is its first field.
    pub fn status(&self) -> u16 {
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        let mut rest = self.payload.as_slice();
        // Changes of the table's size may come first (RFC 7541, 6.3).
        while let [first, after @ ..] = rest
            && first & 0xE0 == 0x20
        {
            rest = after;
            if first & 0x1F == 0x1F {
                let end = rest.iter().position(|byte| byte & 0x80 == 0);
                rest = &rest[end.expect("a whole number") + 1..];
            }
        }
        match rest {
            [first @ 0x88..=0x8E, ..] => INDEXED[usize::from(first - 0x88)],
            // With the name of index 8: a literal, with or without Huffman's code.
            [0x48 | 0x08 | 0x18, length, value @ ..] => {
                let value = &value[..usize::from(length & 0x7F)];
                let digits = if length & 0x80 == 0 {
                    value.iter().map(|byte| u16::from(byte - b'0')).collect()
                } else {
                    huffman_digits(value)
                };
                digits.into_iter().fold(0, |sum, digit| sum * 10 + digit)
            }
            _ => panic!("no status first in {self:?}"),
        }
    }
}

/// The pseudo-fields of a request.
pub fn request<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":authority", "a.example"),
        (":path", path),
    ]
}

/// The fields that ask for a WebSocket (RFC 8441, 5).
pub fn websocket_request(path: &str) -> Vec<(&str, &str)> {
    [
        &request("CONNECT", path)[..],
        &[(":protocol", "websocket"), ("sec-websocket-version", "13")],
    ]
    .concat()
}

/// Fields as literals that no table keeps (RFC 7541, 6.2.2).
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            write_length(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// RFC 7541, 5.1, with a prefix of seven bits.
fn write_length(length: usize, block: &mut Vec<u8>) {
    if length < 127 {
        block.push(u8::try_from(length).expect("small"));
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(0x80 | u8::try_from(rest % 128).expect("small"));
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("small"));
}

/// Three digits in the code of RFC 7541, Appendix B: 0 to 2 have five bits, 3 to 9 six.
fn huffman_digits(bytes: &[u8]) -> Vec<u16> {
    let bits: Vec<u16> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let number = |bits: &[u16]| bits.iter().fold(0, |sum, bit| sum * 2 + bit);
    let mut rest = bits.as_slice();
    let mut digits = Vec::new();
    for _ in 0..3 {
        let five = number(&rest[..5]);
        let (digit, used) = if five < 3 {
            (five, 5)
        } else {
            (number(&rest[..6]) - 0x19 + 3, 6)
        };
        digits.push(digit);
        rest = &rest[used..];
    }
    digits
}

impl Http2Client {
    /// Connects, and sends the preface and settings that ask for fields without a table.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[(1, 0)])
    }

    /// Connects, and sends the preface and settings.
    pub fn connect_with(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::open(address);
        client.send_bytes(PREFACE);
        client.send(&[Frame::settings(settings)]);
        client
    }

    /// Connects, and sends nothing.
    pub fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("connecting"))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a read deadline");
        stream
            .set_write_timeout(Some(DEADLINE))
            .expect("a write deadline");
        Self {
            stream,
            received: VecDeque::new(),
        }
    }

    /// Sends frames in one go.
    pub fn send(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.send_bytes(&bytes);
    }

    /// Sends bytes, whatever they are. The other side may have had enough already: that is no error here.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends nothing more.
    pub fn half_close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame; `None` once the connection is closed. Panics where neither comes.
    pub fn receive(&mut self) -> Option<Frame> {
        if !self.fill(9) {
            return None;
        }
        let header: Vec<u8> = self.received.drain(..9).collect();
        let number = |range: std::ops::Range<usize>| {
            header[range]
                .iter()
                .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte))
        };
        let length = usize::try_from(number(0..3)).expect("24 bits");
        if !self.fill(length) {
            return None;
        }
        Some(Frame {
            kind: header[3],
            flags: header[4],
            stream: number(5..9),
            payload: self.received.drain(..length).collect(),
        })
    }

    /// The next frame of this kind on this stream; others are passed over. `None` once the connection is closed.
    pub fn find(&mut self, kind: u8, stream: u32) -> Option<Frame> {
        while let Some(frame) = self.receive() {
            if frame.kind == kind && frame.stream == stream {
                return Some(frame);
            }
        }
        None
    }

    /// [`Self::find`] where the connection must not close before.
    #[track_caller]
    pub fn expect(&mut self, kind: u8, stream: u32) -> Frame {
        self.find(kind, stream)
            .unwrap_or_else(|| panic!("closed before a frame of kind {kind} on stream {stream}"))
    }

    /// The body of a response, from after its HEADERS to its end, and the frame that ended it. Gives no window back.
    #[track_caller]
    pub fn body(&mut self, stream: u32) -> (Vec<u8>, Frame) {
        let mut body = Vec::new();
        loop {
            let frame = self.receive().expect("the rest of a body");
            if frame.stream != stream {
                continue;
            }
            let ends = frame.kind == kind::RST_STREAM
                || (matches!(frame.kind, kind::DATA | kind::HEADERS)
                    && frame.has(flag::END_STREAM));
            if frame.kind == kind::DATA {
                body.extend(&frame.payload);
            }
            if ends {
                return (body, frame);
            }
        }
    }

    /// Receives until so many bytes are there; `false` where the connection is closed before.
    fn fill(&mut self, count: usize) -> bool {
        let mut room = [0; 16 * 1024];
        while self.received.len() < count {
            match self.stream.read(&mut room) {
                Ok(0) => return false,
                Ok(read) => self.received.extend(&room[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("no frame and no end: {error}"),
            }
        }
        true
    }
}
