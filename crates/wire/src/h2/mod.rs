//! The frames of HTTP/2 (RFC 9113, 4 and 6): their headers, and the numbers that stand in them.

mod frame;
mod reason;

pub use frame::{Flags, FrameHeader, Kind, Setting};
pub use reason::Reason;

/// What a client that speaks HTTP/2 begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The length of a frame's header.
pub const FRAME_HEADER: usize = 9;
/// The largest payload of a frame that may be sent to whom has said nothing else (6.5.2).
pub const MAX_FRAME: usize = 16_384;
/// The window of streams and connections until something else is said (6.9.2).
pub const INITIAL_WINDOW: i32 = 65_535;
/// The largest window (6.9.1), and the largest number of a stream.
pub const LARGEST: u32 = 0x7FFF_FFFF;
