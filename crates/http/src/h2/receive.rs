//! What is done with each frame that comes in (RFC 9113, 4 to 6).
//!
//! An error is the end of the connection, with its reason. What concerns one stream alone resets that.

use sluice_wire::h2::{
    FRAME_HEADER, Flags, FrameHeader, INITIAL_WINDOW, Kind, LARGEST, MAX_FRAME, PREFACE, Reason,
    Setting,
};

use super::core::{Core, FAREWELL, Farewell, Peer, SETTING, remember};
use crate::exchange::Supplies;

impl Core {
    /// Takes received bytes.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        supplies: &mut impl Supplies,
    ) -> Result<(), Reason> {
        self.heard = true;
        let mut bytes = self.take_preface(bytes)?;
        while !self.partial.is_empty() {
            let wanted = match self.partial.first_chunk() {
                None => FRAME_HEADER,
                Some(header) => FRAME_HEADER + self.length_of(*header)?,
            };
            let missing = wanted.saturating_sub(self.partial.len());
            let (now, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial.extend_from_slice(now);
            bytes = rest;
            if now.len() < missing {
                return Ok(());
            }
            if missing > 0 && wanted == FRAME_HEADER {
                continue;
            }
            let frame = std::mem::take(&mut self.partial);
            self.take_frame(&frame, supplies)?;
        }
        while let Some(header) = bytes.first_chunk() {
            let length = FRAME_HEADER + self.length_of(*header)?;
            let Some((frame, rest)) = bytes.split_at_checked(length) else {
                break;
            };
            self.take_frame(frame, supplies)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn take_preface<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Reason> {
        let missing = PREFACE.get(self.preface..).unwrap_or_default();
        let (now, rest) = bytes.split_at(missing.len().min(bytes.len()));
        if !missing.starts_with(now) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        self.preface += now.len();
        Ok(rest)
    }

    /// The length of a frame's payload, which is looked at before any of it is waited for.
    fn length_of(&self, header: [u8; FRAME_HEADER]) -> Result<usize, Reason> {
        let header = FrameHeader::read(header);
        let is_first = !self.has_settings;
        if is_first && header.kind != Some(Kind::Settings) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if header.length > MAX_FRAME {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        Ok(header.length)
    }

    fn take_frame(&mut self, frame: &[u8], supplies: &mut impl Supplies) -> Result<(), Reason> {
        let Some((header, payload)) = frame.split_first_chunk() else {
            return Ok(());
        };
        let header = FrameHeader::read(*header);
        let goes_on = |stream| header.kind == Some(Kind::Continuation) && header.stream == stream;
        if self
            .block
            .as_ref()
            .is_some_and(|block| !goes_on(block.stream))
        {
            return Err(Reason::PROTOCOL_ERROR);
        }
        match header.kind {
            Some(Kind::Data) => self.take_data(header, payload),
            Some(Kind::Headers) => self.take_headers(header, payload, supplies),
            Some(Kind::Continuation) => self.take_continuation(header, payload, supplies),
            Some(Kind::Priority) => self.take_priority(header, payload),
            Some(Kind::RstStream) => self.take_reset(header, payload),
            Some(Kind::Settings) => self.take_settings(header, payload),
            Some(Kind::PushPromise) => Err(Reason::PROTOCOL_ERROR),
            Some(Kind::Ping) => self.take_ping(header, payload),
            Some(Kind::Goaway) => self.take_goaway(header, payload),
            Some(Kind::WindowUpdate) => self.take_window_update(header, payload),
            None => {
                self.patience.spend();
                Ok(())
            }
        }?;
        // A server is trusted to have a reason.
        if self.peer == Peer::Client && self.patience.is_exhausted() {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        Ok(())
    }

    fn take_data(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        let data = without_padding(header, payload)?;
        let ends = header.has(Flags::END_STREAM);
        if data.is_empty() && !ends {
            self.patience.spend();
        } else {
            self.patience.earn_little();
        }
        self.check_open(header.stream)?;
        // Padding and what nobody reads counts too.
        let length = i32::try_from(payload.len()).unwrap_or(i32::MAX);
        self.receive_window -= i64::from(length);
        if self.receive_window < 0 {
            return Err(Reason::FLOW_CONTROL_ERROR);
        }
        let held = self.take_body(header.stream, data, length, ends)?;
        let dropped = payload.len() - held;
        self.release_shared(u32::try_from(dropped).unwrap_or_default());
        Ok(())
    }

    /// Takes a part of a stream's body; how much of it is held until it is read.
    fn take_body(
        &mut self,
        id: u32,
        data: &[u8],
        length: i32,
        ends: bool,
    ) -> Result<usize, Reason> {
        let Some(stream) = self.streams.find(id) else {
            self.note_late(id)?;
            return Ok(0);
        };
        if stream.remote_ended {
            return Err(Reason::STREAM_CLOSED);
        }
        if stream.reset.is_some() {
            self.note_late(id)?;
            return Ok(0);
        }
        stream.receive_window = stream.receive_window.saturating_sub(length);
        if stream.receive_window < 0 {
            self.refuse(id, Reason::FLOW_CONTROL_ERROR);
            return Ok(0);
        }
        let count = data.len() as u64;
        // The body must be as long as was said (8.1.1).
        let (expected, is_good) = match stream.expected {
            None => (None, true),
            Some(left) => {
                let left = left.checked_sub(count);
                (left, left.is_some_and(|left| !ends || left == 0))
            }
        };
        stream.expected = expected;
        if !is_good {
            self.refuse(id, Reason::PROTOCOL_ERROR);
            return Ok(0);
        }
        let padding =
            u32::try_from(length).unwrap_or_default() - u32::try_from(count).unwrap_or_default();
        stream.unannounced = stream.unannounced.saturating_add(padding);
        stream.received.extend_from_slice(data);
        if ends {
            self.end_remote(id);
        } else {
            stream.wake();
        }
        Ok(data.len())
    }

    /// The other side has ended its part of a stream.
    pub(super) fn end_remote(&mut self, id: u32) {
        remember(&mut self.ended, id);
        if let Some(stream) = self.streams.find(id) {
            stream.remote_ended = true;
            stream.wake();
            if stream.local_ended && stream.reset.is_none() {
                self.one_less();
            }
        }
    }

    /// Something came on a stream that is over: expected where we have ended it.
    pub(super) fn note_late(&mut self, id: u32) -> Result<(), Reason> {
        if self.ended.contains(&id) {
            return Err(Reason::STREAM_CLOSED);
        }
        if !self.refused.contains(&id) {
            self.patience.spend();
            self.refuse(id, Reason::STREAM_CLOSED);
        }
        Ok(())
    }

    /// Nothing but HEADERS and PRIORITY may come on a stream that was not opened (5.1).
    fn check_open(&self, id: u32) -> Result<(), Reason> {
        let is_idle = id == 0 || id.is_multiple_of(2) || id > self.last_opened;
        if is_idle {
            return Err(Reason::PROTOCOL_ERROR);
        }
        Ok(())
    }

    fn take_priority(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.patience.spend();
        if header.stream == 0 {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Some((on, [_])) = payload.split_first_chunk() else {
            return self.break_stream(header.stream, Reason::FRAME_SIZE_ERROR);
        };
        if u32::from_be_bytes(*on) & LARGEST == header.stream {
            return self.break_stream(header.stream, Reason::PROTOCOL_ERROR);
        }
        Ok(())
    }

    /// An error of a stream; where there is none that could be reset, of the connection.
    fn break_stream(&mut self, id: u32, reason: Reason) -> Result<(), Reason> {
        let stream = self.streams.find(id);
        if stream.is_none_or(|stream| stream.is_closed()) {
            return Err(reason);
        }
        self.refuse(id, reason);
        Ok(())
    }

    fn take_reset(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.patience.spend();
        let Ok(code) = payload.try_into().map(u32::from_be_bytes) else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        self.check_open(header.stream)?;
        remember(&mut self.ended, header.stream);
        if let Some(stream) = self.streams.find(header.stream)
            && stream.reset.is_none()
        {
            let was_open = !stream.is_closed();
            if self.peer == Peer::Server && stream.remote_ended {
                // The answer is whole: the server only wants no more of the request (8.1).
                stream.local_ended = true;
            } else {
                stream.reset = Some(Reason(code));
            }
            stream.wake();
            if was_open {
                self.one_less();
            }
        }
        Ok(())
    }

    fn take_settings(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.patience.spend();
        let is_answer = header.has(Flags::ACK);
        if header.stream != 0 {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let (settings, rest) = payload.as_chunks::<SETTING>();
        if !rest.is_empty() || (is_answer && !payload.is_empty()) {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        self.has_settings = true;
        if is_answer {
            self.our_settings_hold();
            return Ok(());
        }
        for [a, b, value @ ..] in settings {
            self.take_setting(u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value))?;
        }
        self.write_frame(Kind::Settings, Flags::ACK, 0, &[]);
        self.schedule();
        Ok(())
    }

    /// The other side follows our settings from here on: it was bound to the defaults before.
    fn our_settings_hold(&mut self) {
        if std::mem::replace(&mut self.acknowledged, true) {
            return;
        }
        let ours = i32::try_from(self.settings.initial_window).unwrap_or(i32::MAX);
        for stream in self.streams.each() {
            let spent = INITIAL_WINDOW.saturating_sub(stream.receive_window);
            stream.receive_window = ours.saturating_sub(spent);
        }
    }

    fn take_setting(&mut self, name: u16, value: u32) -> Result<(), Reason> {
        match name {
            Setting::HEADER_TABLE_SIZE => {
                self.encoder
                    .resize(usize::try_from(value).unwrap_or(usize::MAX));
            }
            Setting::ENABLE_PUSH | Setting::ENABLE_CONNECT_PROTOCOL if value > 1 => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            Setting::INITIAL_WINDOW_SIZE => {
                let window = i32::try_from(value).map_err(|_| Reason::FLOW_CONTROL_ERROR)?;
                let change = i64::from(window) - i64::from(self.initial_send_window);
                self.initial_send_window = window;
                for stream in self.streams.each() {
                    let window = i64::from(stream.send_window) + change;
                    stream.send_window =
                        i32::try_from(window).map_err(|_| Reason::FLOW_CONTROL_ERROR)?;
                }
                self.wake_waiting();
            }
            Setting::MAX_FRAME_SIZE if !(MAX_FRAME..1 << 24).contains(&(value as usize)) => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            Setting::MAX_CONCURRENT_STREAMS => {
                self.server.max_streams = value;
                self.wake_openers();
            }
            Setting::ENABLE_CONNECT_PROTOCOL => self.server.takes_connect = value == 1,
            // The others are about what we do not do, or advice.
            _ => {}
        }
        Ok(())
    }

    fn take_ping(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.patience.spend();
        if header.stream != 0 {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Ok(data) = <[u8; 8]>::try_from(payload) else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        if !header.has(Flags::ACK) {
            self.write_frame(Kind::Ping, Flags::ACK, 0, &data);
            self.schedule();
        } else if data == FAREWELL && self.farewell == Farewell::Begun {
            self.farewell = Farewell::Said;
            self.write_goaway(self.last_opened, Reason::NO_ERROR);
        }
        Ok(())
    }

    /// A client closes when it is done. A server names the last stream that it looks at (6.8).
    fn take_goaway(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        self.patience.spend();
        if header.stream != 0 {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Some((last, [_, _, _, _, ..])) = payload.split_first_chunk() else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        if self.peer == Peer::Server {
            self.server.is_leaving = true;
            self.leave_out(u32::from_be_bytes(*last) & LARGEST);
        }
        Ok(())
    }

    /// Streams after the `last` were not looked at.
    fn leave_out(&mut self, last: u32) {
        let mut left_out = 0;
        for stream in self.streams.each().filter(|stream| stream.id > last) {
            if !stream.is_closed() {
                left_out += 1;
                stream.is_left_out = true;
                stream.reset = Some(Reason::REFUSED_STREAM);
                stream.wake();
            }
        }
        for _ in 0..left_out {
            self.one_less();
        }
        self.wake_openers();
        self.schedule();
    }

    fn take_window_update(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), Reason> {
        let Ok(more) = payload.try_into().map(u32::from_be_bytes) else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        let more = i32::try_from(more & LARGEST).unwrap_or_default();
        if header.stream == 0 {
            if more == 0 {
                return Err(Reason::PROTOCOL_ERROR);
            }
            let window = self.send_window.checked_add(more);
            self.send_window = window.ok_or(Reason::FLOW_CONTROL_ERROR)?;
            self.wake_waiting();
            return Ok(());
        }
        self.check_open(header.stream)?;
        let Some(stream) = self.streams.find(header.stream) else {
            return Ok(());
        };
        if stream.reset.is_some() {
            return Ok(());
        }
        let fault = match stream.send_window.checked_add(more) {
            _ if more == 0 => Reason::PROTOCOL_ERROR,
            None => Reason::FLOW_CONTROL_ERROR,
            Some(window) => {
                stream.send_window = window;
                if std::mem::take(&mut stream.waits_for_room) {
                    stream.wake();
                }
                return Ok(());
            }
        };
        self.refuse(header.stream, fault);
        Ok(())
    }
}

/// The payload of a frame that may be padded (6.1).
pub(super) fn without_padding(header: FrameHeader, payload: &[u8]) -> Result<&[u8], Reason> {
    if !header.has(Flags::PADDED) {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(Reason::FRAME_SIZE_ERROR)?;
    let length = rest.len().checked_sub(usize::from(*padding));
    let length = length.ok_or(Reason::PROTOCOL_ERROR)?;
    Ok(rest.get(..length).unwrap_or_default())
}
