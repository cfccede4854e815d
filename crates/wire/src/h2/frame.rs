//! The header of a frame.

use super::{FRAME_HEADER, LARGEST};

/// What every frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes that follow: 0 to 2^24 - 1.
    pub length: usize,
    /// What they mean; `None` for what is not known here.
    pub kind: Option<Kind>,
    /// The flags, whose meaning depends on the kind.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

impl FrameHeader {
    /// Reads a header.
    #[inline]
    pub fn read(bytes: [u8; FRAME_HEADER]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        Self {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind: Kind::from_number(kind),
            flags,
            // The highest bit means nothing (4.1).
            stream: u32::from_be_bytes(stream) & LARGEST,
        }
    }

    /// The header of a frame of a known kind.
    #[inline]
    pub fn bytes(length: usize, kind: Kind, flags: u8, stream: u32) -> [u8; FRAME_HEADER] {
        let [low, middle, high, ..] = length.to_le_bytes();
        let [a, b, c, d] = stream.to_be_bytes();
        [high, middle, low, kind as u8, flags, a, b, c, d]
    }

    /// Whether a flag is set.
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The kinds of frames (6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the RFC names them")]
pub enum Kind {
    Data = 0,
    Headers = 1,
    Priority = 2,
    RstStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    Goaway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::RstStream,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::Goaway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            _ => return None,
        })
    }
}

/// Flags of frames.
#[derive(Debug)]
pub struct Flags;

impl Flags {
    /// `DATA`, `HEADERS`: nothing of the stream follows.
    pub const END_STREAM: u8 = 0x1;
    /// `SETTINGS`, `PING`: it answers one of ours.
    pub const ACK: u8 = 0x1;
    /// `HEADERS`, `CONTINUATION`: the field block is whole.
    pub const END_HEADERS: u8 = 0x4;
    /// `DATA`, `HEADERS`: padding follows the payload.
    pub const PADDED: u8 = 0x8;
    /// `HEADERS`: five bytes of a priority come first.
    pub const PRIORITY: u8 = 0x20;
}

/// Numbers of settings (6.5.2; RFC 8441, 3).
#[derive(Debug)]
pub struct Setting;

impl Setting {
    /// `SETTINGS_HEADER_TABLE_SIZE`
    pub const HEADER_TABLE_SIZE: u16 = 1;
    /// `SETTINGS_ENABLE_PUSH`
    pub const ENABLE_PUSH: u16 = 2;
    /// `SETTINGS_MAX_CONCURRENT_STREAMS`
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    /// `SETTINGS_INITIAL_WINDOW_SIZE`
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    /// `SETTINGS_MAX_FRAME_SIZE`
    pub const MAX_FRAME_SIZE: u16 = 5;
    /// `SETTINGS_MAX_HEADER_LIST_SIZE`
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL`
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let bytes = FrameHeader::bytes(0x01_02_03, Kind::Headers, Flags::END_HEADERS, 77);
        assert_eq!(bytes, [1, 2, 3, 1, 4, 0, 0, 0, 77]);
        let header = FrameHeader::read(bytes);
        assert_eq!((header.length, header.stream), (0x01_02_03, 77));
        assert_eq!(header.kind, Some(Kind::Headers));
        assert!(header.has(Flags::END_HEADERS) && !header.has(Flags::END_STREAM));
    }

    #[test]
    fn the_reserved_bit_means_nothing_and_kinds_may_be_unknown() {
        let header = FrameHeader::read([0, 0, 0, 200, 0, 0x80, 0, 0, 1]);
        assert_eq!((header.stream, header.kind), (1, None));
    }
}
