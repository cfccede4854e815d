//! Field blocks: HEADERS and CONTINUATION, and what they begin or end (RFC 9113, 4.3, 6.2, 8.1).

use sluice_wire::h2::{Flags, FrameHeader, LARGEST, Reason};

use super::core::{Begun, Core, Farewell, Peer};
use super::receive::without_padding;
use super::streams::StreamState;
use crate::exchange::{DraftedRequest, Refusal, Supplies, take_trailer};
use crate::websocket;

/// A block that is not whole.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    ends: bool,
    depends_on_itself: bool,
    bytes: Vec<u8>,
}

impl Core {
    pub(super) fn take_headers(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        supplies: &mut impl Supplies,
    ) -> Result<(), Reason> {
        let id = header.stream;
        self.patience.earn_request();
        if id == 0 || id.is_multiple_of(2) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let mut block = without_padding(header, payload)?;
        let mut depends_on_itself = false;
        if header.has(Flags::PRIORITY) {
            let (priority, rest) = block
                .split_first_chunk::<5>()
                .ok_or(Reason::FRAME_SIZE_ERROR)?;
            let [a, b, c, d, _] = *priority;
            depends_on_itself = u32::from_be_bytes([a, b, c, d]) & LARGEST == id;
            block = rest;
        }
        let ends = header.has(Flags::END_STREAM);
        if header.has(Flags::END_HEADERS) {
            return self.take_block(id, ends, depends_on_itself, block, supplies);
        }
        self.block = Some(Block {
            stream: id,
            ends,
            depends_on_itself,
            bytes: block.to_vec(),
        });
        Ok(())
    }

    pub(super) fn take_continuation(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        supplies: &mut impl Supplies,
    ) -> Result<(), Reason> {
        let Some(mut block) = self.block.take() else {
            return Err(Reason::PROTOCOL_ERROR);
        };
        if payload.is_empty() {
            self.patience.spend();
        }
        // It has to be read to its end, as the tables of both sides have to stay the same: so it is bounded.
        if block.bytes.len() + payload.len() > self.most_of_a_block() {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        block.bytes.extend_from_slice(payload);
        if header.has(Flags::END_HEADERS) {
            let Block {
                stream,
                ends,
                depends_on_itself,
                bytes,
            } = block;
            return self.take_block(stream, ends, depends_on_itself, &bytes, supplies);
        }
        self.block = Some(block);
        Ok(())
    }

    fn take_block(
        &mut self,
        id: u32,
        ends: bool,
        depends_on_itself: bool,
        block: &[u8],
        supplies: &mut impl Supplies,
    ) -> Result<(), Reason> {
        let is_new = id > self.last_opened;
        match self.peer {
            Peer::Server if is_new => Err(Reason::PROTOCOL_ERROR),
            Peer::Server if self.streams.find(id).is_none_or(StreamState::awaits_head) => {
                self.take_answer(id, ends, block)
            }
            Peer::Client if is_new => {
                self.last_opened = id;
                self.take_request(id, ends, depends_on_itself, block, supplies)
            }
            _ => self.take_trailers(id, ends, depends_on_itself, block),
        }
    }

    fn take_request(
        &mut self,
        id: u32,
        ends: bool,
        depends_on_itself: bool,
        block: &[u8],
        supplies: &mut impl Supplies,
    ) -> Result<(), Reason> {
        let mut head = supplies.buffer();
        self.draft.clear(self.max_list());
        let draft = &mut self.draft;
        let decoded = self
            .decoder
            .decode(block, |name, value| draft.take(name, value, &mut head));
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        if ends {
            self.end_remote(id);
        }
        if self.farewell == Farewell::Said {
            // It was told that this one is not served, and may have been under way.
            return Ok(());
        }
        if self.active >= self.settings.max_concurrent_streams {
            self.patience.spend();
            self.refuse(id, Reason::REFUSED_STREAM);
            return Ok(());
        }
        let key = || websocket::key(supplies.random());
        match self.draft.finish(!ends, key, &mut head) {
            Ok(drafted) if !depends_on_itself => self.begin(id, ends, head, drafted),
            Ok(_) => self.refuse_request(id, ends, Refusal::Malformed),
            Err(refusal) => self.refuse_request(id, ends, refusal),
        }
        Ok(())
    }

    fn begin(&mut self, id: u32, ends: bool, head: Vec<u8>, drafted: DraftedRequest) {
        let window = self.receive_window_of_new();
        let mut stream = StreamState::new(id, window, self.initial_send_window);
        stream.remote_ended = ends;
        stream.expected = drafted.length;
        self.active += 1;
        let key = self.streams.insert(stream);
        self.begun.push_back(Begun::Request { key, head, drafted });
    }

    /// Answers a request that nobody serves.
    fn refuse_request(&mut self, id: u32, ends: bool, refusal: Refusal) {
        self.begun.push_back(Begun::Refused(refusal));
        let status = match refusal {
            Refusal::Malformed => {
                return self.refuse(id, Reason::PROTOCOL_ERROR);
            }
            Refusal::Protocol => 501,
            Refusal::TooLarge => 431,
        };
        self.write_block(id, true, |encoder, out| {
            encoder.begin(out);
            encoder.status(status, out);
        });
        if !ends {
            self.write_reset(id, Reason::NO_ERROR);
        }
        self.schedule();
    }

    /// An answer's head, or an interim response before it.
    fn take_answer(&mut self, id: u32, ends: bool, block: &[u8]) -> Result<(), Reason> {
        let most = self.max_list();
        let mut nobody = None;
        let answer = match self.streams.find(id) {
            Some(stream) if stream.reset.is_none() => &mut stream.answer,
            // It was broken off. The tables have to stay the same all the same.
            _ => &mut nobody,
        };
        let mut answer = answer.take();
        let mut draft = answer.as_deref_mut().map(|answer| answer.begin(most));
        let decoded = self.decoder.decode(block, |name, value| {
            if let Some(draft) = &mut draft {
                draft.take(name, value);
            }
        });
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        let Some(finished) = draft.map(|draft| draft.finish(ends)) else {
            return Ok(());
        };
        if let Some(stream) = self.streams.find(id) {
            stream.answer = answer;
            if let Some(finished) = finished {
                stream.expected = finished.length;
                stream.wake();
            }
        }
        if finished.is_none() {
            self.refuse(id, Reason::PROTOCOL_ERROR);
        } else if ends {
            self.end_remote(id);
        }
        Ok(())
    }

    /// A second block ends a request; anywhere else it is out of place.
    fn take_trailers(
        &mut self,
        id: u32,
        ends: bool,
        depends_on_itself: bool,
        block: &[u8],
    ) -> Result<(), Reason> {
        let mut trailers = Vec::new();
        let mut is_good = ends && !depends_on_itself;
        let (mut size, most) = (0, self.max_list());
        let decoded = self.decoder.decode(block, |name, value| {
            size += name.len() + value.len();
            is_good = is_good && size <= most && take_trailer(name, value, &mut trailers);
        });
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        let Some(stream) = self.streams.find(id) else {
            if self.ended.contains(&id) || self.refused.contains(&id) {
                return self.note_late(id);
            }
            // It was passed over, and cannot be opened any more (5.1.1).
            return Err(Reason::PROTOCOL_ERROR);
        };
        if stream.remote_ended {
            return Err(Reason::STREAM_CLOSED);
        }
        if stream.reset.is_some() {
            return self.note_late(id);
        }
        if !is_good || stream.expected.is_some_and(|left| left > 0) {
            self.refuse(id, Reason::PROTOCOL_ERROR);
            return Ok(());
        }
        stream.trailers = trailers;
        self.end_remote(id);
        Ok(())
    }

    fn max_list(&self) -> usize {
        usize::try_from(self.settings.max_head).unwrap_or(usize::MAX)
    }

    fn most_of_a_block(&self) -> usize {
        self.max_list().saturating_mul(2).saturating_add(LEEWAY)
    }
}

/// What a block may have beyond twice what its fields may.
const LEEWAY: usize = 16 * 1024;
