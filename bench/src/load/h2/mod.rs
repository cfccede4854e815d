//! HTTP/2 as a load needs it: requests encoded once and sent again and again, answers looked at for their status and
//! their length.
//!
//! `fields` encodes, `frames` cuts what is received into frames, `clients` asks.

mod clients;
mod fields;
mod frames;

use std::io::{self, Read, Write};

use super::ciphered::HOST;
use super::requests;
use fields::Block;

pub(crate) use clients::H2Clients;

/// What is asked for, and what an answer has to be.
pub(crate) struct Call {
    /// Heads of different lengths, dealt out to connections in turn.
    heads: Vec<Block>,
    /// Bytes of DATA in the answer.
    answer: usize,
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
        Self { heads, answer }
    }
}

/// Makes `call` once on a fresh connection and waits for the beginning of its answer.
pub(crate) fn probe(mut stream: impl Read + Write, call: &Call) -> io::Result<()> {
    let mut hello = Vec::new();
    frames::begin_client(&mut hello);
    let head = call.heads.first().ok_or(io::ErrorKind::InvalidInput)?;
    frames::put(
        &mut hello,
        frames::HEADERS,
        frames::END_STREAM | frames::END_HEADERS,
        1,
        &head.first,
    );
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

const PROBE_LIMIT: usize = 64 * 1024;
