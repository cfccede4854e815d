//! Frames as they are written to `out` (RFC 9113, 4 and 6).

use sluice_wire::h2::{Flags, FrameHeader, Kind, MAX_FRAME, Reason, Setting};
use sluice_wire::hpack::Encoder;

use super::connection::Settings;
use super::core::{Core, Peer, SETTING, remember};

impl Core {
    pub(super) fn write_frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        let header = FrameHeader::bytes(payload.len(), kind, flags, stream);
        self.out.extend_from_slice(&header);
        self.out.extend_from_slice(payload);
    }

    /// Writes a field block, in as many frames as it takes.
    pub(super) fn write_block(
        &mut self,
        stream: u32,
        is_last: bool,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let end = if is_last { Flags::END_STREAM } else { 0 };
        let start = self.out.len();
        let placeholder = FrameHeader::bytes(0, Kind::Headers, 0, stream);
        self.out.extend_from_slice(&placeholder);
        let first = self.out.len();
        encode(&mut self.encoder, &mut self.out);
        let length = self.out.len() - first;
        if length <= MAX_FRAME {
            let flags = end | Flags::END_HEADERS;
            let header = FrameHeader::bytes(length, Kind::Headers, flags, stream);
            if let Some(room) = self.out.get_mut(start..first) {
                room.copy_from_slice(&header);
            }
            return;
        }
        let block = self.out.split_off(first);
        self.out.truncate(start);
        let parts = block.len().div_ceil(MAX_FRAME);
        for (number, part) in block.chunks(MAX_FRAME).enumerate() {
            let whole = if number + 1 == parts {
                Flags::END_HEADERS
            } else {
                0
            };
            if number == 0 {
                self.write_frame(Kind::Headers, end | whole, stream, part);
            } else {
                self.write_frame(Kind::Continuation, whole, stream, part);
            }
        }
    }

    /// Writes that a stream is over. What still comes on it is expected.
    pub(super) fn write_reset(&mut self, stream: u32, reason: Reason) {
        remember(&mut self.refused, stream);
        let Reason(code) = reason;
        self.write_frame(Kind::RstStream, 0, stream, &code.to_be_bytes());
        self.schedule();
    }

    pub(super) fn write_goaway(&mut self, last: u32, reason: Reason) {
        let Reason(code) = reason;
        let payload = (u64::from(last) << 32 | u64::from(code)).to_be_bytes();
        self.write_frame(Kind::Goaway, 0, 0, &payload);
        self.schedule();
    }

    pub(super) fn write_window_update(&mut self, stream: u32, more: u32) {
        self.write_frame(Kind::WindowUpdate, 0, stream, &more.to_be_bytes());
    }

    pub(super) fn write_settings(&mut self) {
        let Settings {
            max_concurrent_streams,
            initial_window,
            max_head,
            ..
        } = self.settings;
        let [first, last] = match self.peer {
            Peer::Client => [
                (Setting::MAX_CONCURRENT_STREAMS, max_concurrent_streams),
                (Setting::ENABLE_CONNECT_PROTOCOL, 1),
            ],
            Peer::Server => [
                (Setting::ENABLE_PUSH, 0),
                (Setting::MAX_CONCURRENT_STREAMS, 0),
            ],
        };
        let values = [
            first,
            (Setting::INITIAL_WINDOW_SIZE, initial_window),
            (Setting::MAX_HEADER_LIST_SIZE, max_head),
            last,
        ];
        let mut payload = Vec::with_capacity(values.len() * SETTING);
        for (name, value) in values {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.write_frame(Kind::Settings, 0, 0, &payload);
    }
}
