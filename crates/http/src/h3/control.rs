//! What the other side says on its streams of one direction (RFC 9114, 6.2; RFC 9204, 4.2): its settings and its farewell, what it
//! says of QPACK's dynamic table, and what means nothing. Bytes in, what is known out.

use super::fault::Code;
use super::varint::{self, Written};

/// Which side we are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The other side is a client.
    Client,
    /// The other side is a server.
    Server,
}

/// What was heard on all streams of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent facts of the connection"
)]
pub struct Heard {
    has_control: bool,
    has_encoder: bool,
    has_decoder: bool,
    /// Whether its settings are here.
    pub has_settings: bool,
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 9220, 3)
    pub takes_connect: bool,
    /// The number in its farewell (GOAWAY): of a server, that of the first request which it does not serve.
    pub farewell: Option<u64>,
    max_push_id: u64,
}

/// A stream that the other side has opened.
#[derive(Debug)]
pub struct Speech {
    peer: Peer,
    topic: Topic,
    /// Of a frame, or of the number that the stream begins with.
    partial: Vec<u8>,
    /// Bytes of a frame that means nothing.
    skipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    Unknown,
    Control,
    Encoder,
    Decoder,
    /// It means nothing.
    Ignored,
}

impl Speech {
    /// A stream of which nothing was received.
    pub fn of(peer: Peer) -> Self {
        Self {
            peer,
            topic: Topic::Unknown,
            partial: Vec::new(),
            skipped: 0,
        }
    }

    /// Whether it means nothing: the other side may be told not to go on.
    pub fn is_ignored(&self) -> bool {
        self.topic == Topic::Ignored
    }

    /// Takes received bytes.
    ///
    /// # Errors
    /// What the connection is closed with.
    pub fn take(&mut self, bytes: &[u8], heard: &mut Heard) -> Result<(), Code> {
        for byte in bytes {
            if self.skipped > 0 {
                self.skipped -= 1;
                continue;
            }
            if self.topic == Topic::Ignored {
                return Ok(());
            }
            self.partial.push(*byte);
            match self.topic {
                Topic::Unknown => self.take_kind(heard)?,
                Topic::Control => self.take_frame(heard)?,
                Topic::Encoder => {
                    // The size of the table that was not offered may be set to what it is (RFC 9204, 4.3.1).
                    if *byte != SIZE_OF_NOTHING {
                        return Err(Code::QpackEncoderStreamError);
                    }
                    self.partial.clear();
                }
                Topic::Decoder => self.take_word()?,
                Topic::Ignored => {}
            }
        }
        Ok(())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// It must not.
    pub fn end(&self) -> Result<(), Code> {
        match self.topic {
            Topic::Control | Topic::Encoder | Topic::Decoder => Err(Code::ClosedCriticalStream),
            Topic::Unknown | Topic::Ignored => Ok(()),
        }
    }

    fn take_kind(&mut self, heard: &mut Heard) -> Result<(), Code> {
        let Some((kind, _)) = varint::read(&self.partial) else {
            return Ok(());
        };
        self.partial.clear();
        let (topic, before) = match kind {
            0x00 => (Topic::Control, &mut heard.has_control),
            0x01 if self.peer == Peer::Client => return Err(Code::StreamCreationError),
            // No push was allowed for.
            0x01 => return Err(Code::IdError),
            0x02 => (Topic::Encoder, &mut heard.has_encoder),
            0x03 => (Topic::Decoder, &mut heard.has_decoder),
            _ => {
                self.topic = Topic::Ignored;
                return Ok(());
            }
        };
        self.topic = topic;
        if std::mem::replace(before, true) {
            return Err(Code::StreamCreationError);
        }
        Ok(())
    }

    fn take_frame(&mut self, heard: &mut Heard) -> Result<(), Code> {
        let Some((kind, rest)) = varint::read(&self.partial) else {
            return Ok(());
        };
        let Some((length, payload)) = varint::read(rest) else {
            return Ok(());
        };
        if !heard.has_settings && kind != SETTINGS {
            return Err(Code::MissingSettings);
        }
        let most = match kind {
            SETTINGS => LONGEST_SETTINGS,
            GOAWAY | MAX_PUSH_ID | CANCEL_PUSH => LONGEST_INTEGER,
            // Those of requests, and those of HTTP/2 that are no more (7.2.8, 11.2.1).
            0..=9 => return Err(Code::FrameUnexpected),
            _ => {
                self.partial.clear();
                self.skipped = length;
                return Ok(());
            }
        };
        if length > most {
            return Err(if kind == SETTINGS {
                Code::ExcessiveLoad
            } else {
                Code::FrameError
            });
        }
        if (payload.len() as u64) < length {
            return Ok(());
        }
        self.frame(kind, payload, heard)?;
        self.partial.clear();
        Ok(())
    }

    fn frame(&self, kind: u64, payload: &[u8], heard: &mut Heard) -> Result<(), Code> {
        if kind == SETTINGS {
            if std::mem::replace(&mut heard.has_settings, true) {
                return Err(Code::FrameUnexpected);
            }
            return settings(payload, heard);
        }
        let (number, rest) = varint::read(payload).ok_or(Code::FrameError)?;
        if !rest.is_empty() {
            return Err(Code::FrameError);
        }
        match (kind, self.peer) {
            (GOAWAY, peer) => {
                // A server names a request (5.2).
                let is_request = peer == Peer::Client || number.is_multiple_of(4);
                if !is_request || heard.farewell.is_some_and(|before| number > before) {
                    return Err(Code::IdError);
                }
                heard.farewell = Some(number);
            }
            (MAX_PUSH_ID, Peer::Client) => {
                if number < heard.max_push_id {
                    return Err(Code::IdError);
                }
                heard.max_push_id = number;
            }
            (MAX_PUSH_ID, Peer::Server) => return Err(Code::FrameUnexpected),
            // Nothing was pushed, and nothing allowed to be.
            _ => return Err(Code::IdError),
        }
        Ok(())
    }

    /// What the other side's decoder says: with nothing in the table it has nothing to acknowledge, and may only say that it lets a
    /// stream go (RFC 9204, 4.4).
    fn take_word(&mut self) -> Result<(), Code> {
        let is_cancellation = self.partial.first().is_some_and(|first| first >> 6 == 1);
        if !is_cancellation || self.partial.len() > LONGEST_WORD {
            return Err(Code::QpackDecoderStreamError);
        }
        let is_long = self.partial.first() == Some(&0x7F);
        let goes_on = self.partial.last().is_some_and(|last| last & 0x80 != 0);
        if !is_long || (self.partial.len() > 1 && !goes_on) {
            self.partial.clear();
        }
        Ok(())
    }
}

fn settings(mut payload: &[u8], heard: &mut Heard) -> Result<(), Code> {
    let mut seen = Vec::new();
    while !payload.is_empty() {
        let (id, rest) = varint::read(payload).ok_or(Code::FrameError)?;
        let (value, rest) = varint::read(rest).ok_or(Code::FrameError)?;
        payload = rest;
        // Those of HTTP/2 (7.2.4.1), and any that is said twice.
        if matches!(id, 2..=5) || seen.contains(&id) || (is_flag(id) && value > 1) {
            return Err(Code::SettingsError);
        }
        if id == ENABLE_CONNECT_PROTOCOL {
            heard.takes_connect = value == 1;
        }
        if seen.len() >= MOST_SETTINGS {
            return Err(Code::ExcessiveLoad);
        }
        seen.push(id);
    }
    Ok(())
}

fn is_flag(id: u64) -> bool {
    matches!(id, ENABLE_CONNECT_PROTOCOL | H3_DATAGRAM)
}

/// What we say first: the kind of the stream, and our settings. A client is told that WebSocket may pass.
pub(super) fn greeting(peer: Peer, max_head: u64) -> Vec<u8> {
    let mut settings = Vec::new();
    put(&mut settings, &[MAX_FIELD_SECTION_SIZE, max_head]);
    if peer == Peer::Client {
        put(&mut settings, &[ENABLE_CONNECT_PROTOCOL, 1]);
    }
    let mut out = Vec::new();
    put(&mut out, &[0x00, SETTINGS, settings.len() as u64]);
    out.extend_from_slice(&settings);
    out
}

/// Says that requests from this number on are not served.
pub(super) fn put_farewell(out: &mut Vec<u8>, id: u64) {
    let length = Written::new(id).as_bytes().len() as u64;
    put(out, &[GOAWAY, length, id]);
}

fn put(out: &mut Vec<u8>, integers: &[u64]) {
    for integer in integers {
        out.extend_from_slice(Written::new(*integer).as_bytes());
    }
}

const CANCEL_PUSH: u64 = 0x3;
const SETTINGS: u64 = 0x4;
const GOAWAY: u64 = 0x7;
const MAX_PUSH_ID: u64 = 0xD;
const MAX_FIELD_SECTION_SIZE: u64 = 0x6;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x8;
/// RFC 9297, 2.1.1
const H3_DATAGRAM: u64 = 0x33;
/// Far more than there are.
const LONGEST_SETTINGS: u64 = 4096;
const MOST_SETTINGS: usize = 256;
const LONGEST_INTEGER: u64 = 8;
/// A number of a stream, by a prefix of 6 bits.
const LONGEST_WORD: usize = 11;
/// Set Dynamic Table Capacity, to 0.
const SIZE_OF_NOTHING: u8 = 0x20;

#[cfg(test)]
mod tests;
