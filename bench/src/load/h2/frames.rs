//! Frames of HTTP/2 (RFC 9113, 4 and 6): taken off what was received, and put together.

use super::fields::Memory;

/// One frame as it was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

/// Takes the first frame off `bytes`; none when it is not there whole.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Option<Frame<'a>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [a, b, c, kind, flags, stream @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream) & STREAM,
        payload,
    })
}

/// Appends a frame to `out`.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// What a client's connection begins with: nothing pushed, and a window that has not to be given back for long.
pub(super) fn begin_client(out: &mut Vec<u8>) {
    out.extend_from_slice(PREFACE);
    let mut settings = Vec::new();
    setting(&mut settings, ENABLE_PUSH, 0);
    setting(&mut settings, INITIAL_WINDOW_SIZE, STREAM_WINDOW);
    put(out, SETTINGS, 0, 0, &settings);
    widen(out);
}

/// What a server's connection begins with.
pub(super) fn begin_server(out: &mut Vec<u8>) {
    let mut settings = Vec::new();
    setting(&mut settings, MAX_CONCURRENT_STREAMS, STREAMS);
    setting(&mut settings, INITIAL_WINDOW_SIZE, STREAM_WINDOW);
    put(out, SETTINGS, 0, 0, &settings);
    widen(out);
}

/// Counts a frame of DATA as `taken`, and widens the connection's window when that is due.
pub(super) fn took(taken: &mut u32, frame: &Frame<'_>, out: &mut Vec<u8>) {
    *taken += u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
    if *taken >= WIDENED {
        *taken -= WIDENED;
        widen(out);
    }
}

/// What a `WINDOW_UPDATE` adds to the connection's window.
pub(super) fn widened(frame: &Frame<'_>) -> i64 {
    let bytes = frame
        .payload
        .first_chunk::<4>()
        .filter(|_| frame.stream == 0);
    bytes.map_or(0, |&bytes| i64::from(u32::from_be_bytes(bytes) & STREAM))
}

/// Gives the other side [`WIDENED`] bytes more for the whole connection.
pub(super) fn widen(out: &mut Vec<u8>) {
    put(out, WINDOW_UPDATE, 0, 0, &WIDENED.to_be_bytes());
}

/// What the other side has to be given in return for a frame of the connection itself, if anything.
///
/// A side that says in its settings that it has less room for fields than is usual gets none to remember.
pub(super) fn answer(
    frame: &Frame<'_>,
    memory: &mut Memory,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    match frame.kind {
        SETTINGS if frame.flags & ACK == 0 => {
            let (settings, _) = frame.payload.as_chunks::<6>();
            for &[a, b, value @ ..] in settings {
                let name = u16::from_be_bytes([a, b]);
                if name == HEADER_TABLE_SIZE && u32::from_be_bytes(value) < TABLE {
                    *memory = Memory::None;
                }
            }
            put(out, SETTINGS, ACK, 0, &[]);
        }
        PING if frame.flags & ACK == 0 => put(out, PING, ACK, 0, frame.payload),
        CONTINUATION | PUSH_PROMISE => return Err("a frame that nobody expects"),
        _ => {}
    }
    Ok(())
}

fn setting(out: &mut Vec<u8>, name: u16, value: u32) {
    out.extend_from_slice(&name.to_be_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

/// Bytes before a frame's payload.
const HEAD: usize = 9;
const STREAM: u32 = (1 << 31) - 1;
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const STREAM_WINDOW: u32 = 1 << 20;
/// Requests at the same time that a server takes on a connection.
const STREAMS: u32 = 128;
/// A connection's window at its beginning.
pub(super) const WINDOW: i64 = 65_535;
/// What a connection's window is widened by, at its beginning and whenever as much has been received.
pub(super) const WIDENED: u32 = 1 << 29;
/// The memory for fields that both sides have where nothing else is said.
const TABLE: u32 = 4096;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITY: u8 = 0x20;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back_frame_by_frame() {
        let mut bytes = Vec::new();
        put(&mut bytes, DATA, END_STREAM, 7, b"abc");
        put(&mut bytes, PING, 0, 0, &[1; 8]);
        let mut rest = &bytes[..bytes.len() - 1];
        let first = next(&mut rest).unwrap();
        assert_eq!(
            (first.kind, first.flags, first.stream, first.payload),
            (DATA, END_STREAM, 7, b"abc".as_slice())
        );
        assert_eq!(next(&mut rest), None, "the second lacks a byte");
        assert_eq!(rest.len(), 16);
    }

    #[test]
    fn settings_and_pings_are_answered_and_their_answers_are_not() {
        let said = |kind, flags, payload: &[u8]| {
            let mut out = Vec::new();
            let frame = Frame {
                kind,
                flags,
                stream: 0,
                payload,
            };
            let mut memory = Memory::Fresh;
            answer(&frame, &mut memory, &mut out).map(|()| (out, memory))
        };
        let taken = vec![0, 0, 0, 4, 1, 0, 0, 0, 0];
        assert_eq!(said(SETTINGS, 0, &[]), Ok((taken.clone(), Memory::Fresh)));
        assert_eq!(said(SETTINGS, ACK, &[]), Ok((vec![], Memory::Fresh)));
        assert_eq!(said(PING, 0, &[9; 8]).unwrap().0.len(), 17);
        let no_table = [0, 1, 0, 0, 0, 0];
        assert_eq!(said(SETTINGS, 0, &no_table), Ok((taken, Memory::None)));
        assert!(said(CONTINUATION, 0, &[]).is_err());
    }
}
