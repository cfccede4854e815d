//! The frames of a request stream (RFC 9114, 7): bytes in, what they carry out. Nothing is collected but a field section,
//! which has a limit.

use bytes::{Buf, Bytes, BytesMut};

use super::fault::{Code, Fault};
use super::noise::{FRAME, Noise};
use super::varint::{self, Written};

/// Reads frames from what is received.
#[derive(Debug)]
pub struct Frames {
    state: State,
    header: [u8; HEADER],
    filled: usize,
    max_section: usize,
    noise: Noise,
}

#[derive(Debug)]
enum State {
    Header,
    Data(u64),
    Section { left: usize, collected: BytesMut },
    Skip(u64),
}

/// What a frame carries.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A part of a body.
    Data(Bytes),
    /// A field section, encoded.
    Section(Bytes),
}

impl Frames {
    /// Field sections of more than `max_section` bytes are refused.
    pub fn new(max_section: usize, noise: Noise) -> Self {
        Self {
            state: State::Header,
            header: [0; HEADER],
            filled: 0,
            max_section,
            noise,
        }
    }

    /// The next piece in `bytes`; `None` where all of them are used.
    ///
    /// # Errors
    /// A frame where it must not be, a field section that is too long, or too much that means nothing.
    pub fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, Fault> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header => {
                    if let Some((kind, length)) = self.header(bytes) {
                        self.begin(kind, length)?;
                        if let State::Section { left: 0, .. } = self.state {
                            self.state = State::Header;
                            return Ok(Some(Piece::Section(Bytes::new())));
                        }
                    }
                }
                State::Data(left) => {
                    let data = take(bytes, left);
                    if *left == 0 {
                        self.state = State::Header;
                    }
                    return Ok(Some(Piece::Data(data)));
                }
                State::Skip(left) => {
                    take(bytes, left);
                    if *left == 0 {
                        self.state = State::Header;
                    }
                }
                State::Section { left, collected } => {
                    let count = (*left).min(bytes.len());
                    let part = bytes.split_to(count);
                    *left -= count;
                    if *left > 0 {
                        collected.extend_from_slice(&part);
                        continue;
                    }
                    let section = if collected.is_empty() {
                        part
                    } else {
                        collected.extend_from_slice(&part);
                        std::mem::take(collected).freeze()
                    };
                    self.state = State::Header;
                    return Ok(Some(Piece::Section(section)));
                }
            }
        }
        Ok(None)
    }

    /// The stream has ended: whether where it may (7.1).
    ///
    /// # Errors
    /// Within a frame.
    pub fn end(&self) -> Result<(), Fault> {
        if self.filled == 0 && matches!(self.state, State::Header) {
            Ok(())
        } else {
            Err(Fault::Connection(Code::FrameError))
        }
    }

    /// Reads on in a frame's header: two integers of variable length (RFC 9000, 16). Its kind and length, once whole.
    fn header(&mut self, bytes: &mut Bytes) -> Option<(u64, u64)> {
        while bytes.has_remaining() {
            let byte = bytes.get_u8();
            *self.header.get_mut(self.filled)? = byte;
            self.filled += 1;
            let header = self.header.get(..self.filled)?;
            let Some((kind, rest)) = varint::read(header) else {
                continue;
            };
            if let Some((length, _)) = varint::read(rest) {
                self.filled = 0;
                return Some((kind, length));
            }
        }
        None
    }

    fn begin(&mut self, kind: u64, length: u64) -> Result<(), Fault> {
        self.state = match kind {
            DATA if length > 0 => State::Data(length),
            HEADERS => {
                let left = usize::try_from(length).unwrap_or(usize::MAX);
                if left > self.max_section {
                    return Err(Fault::TooLarge);
                }
                State::Section {
                    left,
                    collected: BytesMut::new(),
                }
            }
            // Those of the control stream, and those of HTTP/2 that are no more (7.2.8, 11.2.1).
            2..=9 | MAX_PUSH_ID => return Err(Fault::Connection(Code::FrameUnexpected)),
            _ => {
                let length_in_memory = usize::try_from(length).unwrap_or(usize::MAX);
                if !self.noise.spend(length_in_memory.saturating_add(FRAME)) {
                    return Err(Fault::Connection(Code::ExcessiveLoad));
                }
                if length > 0 {
                    State::Skip(length)
                } else {
                    State::Header
                }
            }
        };
        Ok(())
    }
}

/// Appends the header of a frame of DATA.
pub(super) fn put_data_header(length: usize, out: &mut BytesMut) {
    put_header(DATA, length, out);
}

/// Appends the header of a frame of HEADERS.
pub(super) fn put_section_header(length: usize, out: &mut BytesMut) {
    put_header(HEADERS, length, out);
}

fn put_header(kind: u64, length: usize, out: &mut BytesMut) {
    out.extend_from_slice(Written::new(kind).as_bytes());
    out.extend_from_slice(Written::new(length as u64).as_bytes());
}

fn take(bytes: &mut Bytes, left: &mut u64) -> Bytes {
    let count = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    *left -= count as u64;
    bytes.split_to(count)
}

/// Two integers at their longest.
const HEADER: usize = 16;
const DATA: u64 = 0;
const HEADERS: u64 = 1;
const MAX_PUSH_ID: u64 = 0xD;

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8], chunk: usize) -> Result<(Vec<u8>, Vec<Bytes>), Fault> {
        let mut frames = Frames::new(100, Noise::default());
        let (mut data, mut sections) = (Vec::new(), Vec::new());
        for part in bytes.chunks(chunk) {
            let mut part = Bytes::copy_from_slice(part);
            while let Some(piece) = frames.next(&mut part)? {
                match piece {
                    Piece::Data(bytes) => data.extend_from_slice(&bytes),
                    Piece::Section(section) => sections.push(section),
                }
            }
        }
        frames.end()?;
        Ok((data, sections))
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let bytes = [
            &b"\x01\x03abc"[..],
            b"\x00\x40\x04body",
            b"\x21\x02xx",
            b"\x00\x00",
            b"\x40\x52\x80\x00\x00\x01y",
            b"\x00\x01!",
            b"\x01\x02de",
        ]
        .concat();
        for chunk in 1..=bytes.len() {
            let (data, sections) = pieces(&bytes, chunk).expect("frames");
            assert_eq!(data, b"body!", "{chunk}");
            assert_eq!(sections, ["abc", "de"], "{chunk}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let table: &[(&[u8], Fault)] = &[
            (b"\x00\x05abc", Fault::Connection(Code::FrameError)),
            (b"\x00", Fault::Connection(Code::FrameError)),
            (b"\x01\x05ab", Fault::Connection(Code::FrameError)),
            (b"\x04\x00", Fault::Connection(Code::FrameUnexpected)),
            (b"\x07\x01\x00", Fault::Connection(Code::FrameUnexpected)),
            (b"\x0d\x01\x00", Fault::Connection(Code::FrameUnexpected)),
            (b"\x09\x01\x00", Fault::Connection(Code::FrameUnexpected)),
            (b"\x01\x40\x65", Fault::TooLarge),
            (
                b"\x21\xc0\x00\x00\xff\x00\x00\x00\x00",
                Fault::Connection(Code::ExcessiveLoad),
            ),
        ];
        for (bytes, fault) in table {
            assert_eq!(pieces(bytes, 64), Err(*fault), "{bytes:?}");
        }
    }

    #[test]
    fn frames_without_meaning_are_put_up_with_for_a_while() {
        assert!(pieces(&b"\x00\x00".repeat(2_000), 512).is_ok());
        let flood = pieces(&b"\x00\x00".repeat(2_100), 512);
        assert_eq!(flood, Err(Fault::Connection(Code::ExcessiveLoad)));
    }

    #[test]
    fn headers_are_written_as_they_are_read() {
        for length in [0, 63, 64, 16_383, 16_384, 1 << 20] {
            let mut header = BytesMut::new();
            put_data_header(length, &mut header);
            let (kind, rest) = varint::read(&header).expect("a kind");
            assert_eq!(
                (kind, varint::read(rest)),
                (DATA, Some((length as u64, &[][..])))
            );
        }
    }
}
