//! HTTP/2 as a load needs it: requests encoded once and sent again and again, answers looked at for their status and
//! their length.
//!
//! `fields` encodes, `frames` cuts what is received into frames, `clients` asks, `servers` answers calls of gRPC.

mod clients;
mod fields;
mod frames;
mod servers;

use std::io::{self, Read, Write};

use super::ciphered::HOST;
use super::requests;
use fields::{Block, Memory};

pub(crate) use clients::H2Clients;
pub(super) use fields::integer;
pub(crate) use servers::{Calls, Reply};

/// What is asked for, and what an answer has to be.
pub(crate) struct Call {
    /// Heads of different lengths, dealt out to connections in turn.
    heads: Vec<Block>,
    /// The body, if any.
    data: Vec<u8>,
    /// Bytes of DATA in the answer.
    answer: usize,
    /// Whether the answer ends with trailers.
    trailers: bool,
}

impl Call {
    /// `GET path` as browsers send it, with heads of four to eight fields; the answer's body has `answer` bytes.
    pub(crate) fn get(path: &str, answer: usize) -> Self {
        let pseudo = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", HOST),
            (":path", path),
        ];
        let heads = requests::browser_fields()
            .map(|fields| Block::encode(pseudo.iter().chain(fields).copied()))
            .collect();
        Self {
            heads,
            data: Vec::new(),
            answer,
            trailers: false,
        }
    }

    /// A unary call of gRPC, as the servers of this load answer it.
    pub(crate) fn grpc() -> Self {
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", HOST),
            (":path", "/shop.Catalogue/Get"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "grpc-go/1.60.0"),
            ("grpc-accept-encoding", "gzip"),
        ];
        Self {
            heads: vec![Block::encode(head.into_iter())],
            data: message(GRPC_QUESTION),
            answer: message(GRPC_ANSWER).len(),
            trailers: true,
        }
    }

    /// Appends the call to `out` as the request on `stream`.
    fn put(&self, out: &mut Vec<u8>, stream: u32, block: &[u8]) {
        let end = frames::END_STREAM;
        if self.data.is_empty() {
            frames::put(
                out,
                frames::HEADERS,
                frames::END_HEADERS | end,
                stream,
                block,
            );
        } else {
            frames::put(out, frames::HEADERS, frames::END_HEADERS, stream, block);
            frames::put(out, frames::DATA, end, stream, &self.data);
        }
    }
}

/// Makes `call` once on a fresh connection and waits for the beginning of its answer.
pub(crate) fn probe(mut stream: impl Read + Write, call: &Call) -> io::Result<()> {
    let mut hello = Vec::new();
    frames::begin_client(&mut hello);
    let head = call.heads.first().ok_or(io::ErrorKind::InvalidInput)?;
    call.put(&mut hello, 1, head.next(&mut Memory::Fresh));
    stream.write_all(&hello)?;
    let mut received = Vec::new();
    let mut space = [0; 4096];
    while received.len() < PROBE_LIMIT {
        let length = stream.read(&mut space)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&space[..length]);
        let mut rest = received.as_slice();
        while let Some(frame) = frames::next(&mut rest) {
            if frame.kind == frames::HEADERS && frame.stream == 1 {
                return if fields::is_ok(frame.payload) {
                    Ok(())
                } else {
                    Err(io::Error::other("not answered with 200"))
                };
            }
        }
    }
    Err(io::Error::other("no answer among what was received"))
}

/// A message of gRPC with `length` bytes in it: not compressed, its length, and they.
fn message(length: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, length];
    bytes.resize(bytes.len() + usize::from(length), b'x');
    bytes
}

/// Bytes in the message that asks, and in the one that answers.
const GRPC_QUESTION: u8 = 64;
const GRPC_ANSWER: u8 = 128;
const PROBE_LIMIT: usize = 64 * 1024;
