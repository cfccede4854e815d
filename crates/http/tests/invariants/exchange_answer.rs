//! Answers of HTTP/1.1 on their way to a client of HTTP/2 or HTTP/3: any bytes in, in any pieces and through any window, and
//! what is sent is interim heads, one head, its body and its trailers, as the bytes have them, or the stream is reset.
//!
//! The input is three characters and then the bytes: `h` for the answer to HEAD, `t` to a request for a tunnel, else any
//! other; the length of the pieces in which they are written, 0 for one; the length of the client's window.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sluice_http::exchange::{Exchange, Progress, Receiving, RequestBody, Sending, Served};
use sluice_net::Layered as _;
use sluice_wire::h1::{
    Chunks, Decoder, FieldStorage, Framing, Limits, ResponseHead, Step, parse_response,
};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let Some(([kind, piece, window], bytes)) = input.split_first_chunk() else {
        return;
    };
    let number = |digit: &u8| match digit {
        b'0'..=b'9' => Some(usize::from(digit - b'0')),
        _ => None,
    };
    let (Some(piece), Some(window)) = (number(piece), number(window).filter(|room| *room > 0))
    else {
        return;
    };
    let asked = match kind {
        b'h' => Asked::Head,
        b't' => Asked::Tunnel,
        _ => Asked::Other,
    };
    let wanted = Sent::of(bytes, asked);
    let seen = write(bytes, asked, piece, window);
    assert_eq!(seen.interim, wanted.interim);
    assert_eq!(seen.head, wanted.head);
    assert_eq!(seen.end, wanted.end);
    assert_eq!(seen.trailers, wanted.trailers);
    if wanted.is_wrong {
        // What stands before the mistake may be sent or not.
        assert!(wanted.data.starts_with(&seen.data));
    } else {
        assert_eq!(seen.data, wanted.data);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Head,
    Tunnel,
    Other,
}

/// A head as it is sent: its status and its fields.
type Head = (u16, Vec<(String, Vec<u8>)>);

/// What is sent for an answer.
#[derive(Debug, Default)]
struct Sent {
    interim: Vec<Head>,
    head: Option<Head>,
    data: Vec<u8>,
    trailers: Vec<u8>,
    end: End,
    is_wrong: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum End {
    /// The stream was broken off.
    #[default]
    Reset,
    /// The answer is whole.
    Whole,
    /// The tunnel was closed.
    Closed,
}

impl Sent {
    /// What is to be sent, by the bytes in one piece and with all the room there can be.
    fn of(mut bytes: &[u8], asked: Asked) -> Self {
        let mut sent = Self::default();
        loop {
            let mut storage = FieldStorage::new();
            let parsed = parse_response(bytes, &mut storage, &LIMITS, asked == Asked::Head);
            let Ok(Some(head)) = parsed else {
                sent.is_wrong = parsed.is_err();
                return sent;
            };
            bytes = &bytes[head.len..];
            match (head.status, asked) {
                (101, Asked::Tunnel) => {
                    sent.head = Some(written(&head));
                    sent.data = bytes.to_vec();
                    sent.end = End::Closed;
                    return sent;
                }
                (101, _) => {
                    sent.is_wrong = true;
                    return sent;
                }
                (100..200, _) => sent.interim.push(written(&head)),
                (200..300, Asked::Tunnel) => {
                    // The server did not do what it was asked for.
                    sent.head = Some((502, vec![("content-length".into(), b"0".to_vec())]));
                    sent.end = End::Whole;
                    return sent;
                }
                _ => {
                    sent.head = Some(written(&head));
                    sent.body(bytes, head.framing);
                    return sent;
                }
            }
        }
    }

    fn body(&mut self, mut bytes: &[u8], framing: Framing) {
        let mut decoder = Decoder::new(framing, Chunks::Removed);
        while !decoder.is_done() {
            let Ok(step) = decoder.decode(bytes) else {
                self.is_wrong = true;
                return;
            };
            let (Step::Forward(used) | Step::Skip(used) | Step::Trailers(used)) = step else {
                break;
            };
            if matches!(step, Step::Forward(_)) {
                self.data.extend_from_slice(&bytes[..used]);
            }
            bytes = &bytes[used..];
        }
        if decoder.is_done() {
            self.end = End::Whole;
            if decoder.trailers() != b"\r\n" {
                self.trailers = decoder.trailers().to_vec();
            }
        }
    }
}

fn written(head: &ResponseHead<'_, '_>) -> Head {
    let fields = head.fields.iter().filter(|field| !field.hop_by_hop);
    let fields = fields.map(|field| (field.name.to_owned(), field.value.to_vec()));
    (head.status, fields.collect())
}

/// Writes the bytes to a stream and drops it; what was sent.
fn write(bytes: &[u8], asked: Asked, piece: usize, window: usize) -> Sent {
    let sent = Rc::<RefCell<Sent>>::default();
    let progress = Rc::<Cell<Progress>>::default();
    let client = Client {
        sent: Rc::clone(&sent),
        stage: Stage::Head,
        window,
        room: 0,
    };
    let body = match asked {
        Asked::Tunnel => RequestBody::Tunnel,
        Asked::Head | Asked::Other => RequestBody::None,
    };
    let is_head = asked == Asked::Head;
    let mut served = Served::new(client, body, is_head, None, Rc::clone(&progress));
    let length = if piece == 0 { bytes.len() } else { piece };
    let is_taken = bytes
        .chunks(length.max(1))
        .all(|piece| write_piece(&mut served, piece));
    drop(served);
    let sent = sent.take();
    let is_whole = sent.end == End::Whole;
    assert_eq!(progress.get() == Progress::Answered, is_whole);
    assert!(is_taken || sent.end == End::Reset, "refused, yet sent");
    sent
}

/// Whether all of it was taken.
fn write_piece(served: &mut Served<Client>, mut piece: &[u8]) -> bool {
    let cx = &mut Context::from_waker(Waker::noop());
    // The window is shut every other time.
    let mut patience = 2;
    while !piece.is_empty() {
        match served.poll_write(cx, piece) {
            Poll::Ready(Ok(count)) => {
                assert!((1..=piece.len()).contains(&count), "{count} taken");
                piece = &piece[count..];
                patience = 2;
            }
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                return false;
            }
            Poll::Pending => patience -= 1,
        }
        assert!(patience > 0, "waits though there is room");
    }
    true
}

/// A client that takes a few bytes at a time, and minds their order.
#[derive(Debug)]
struct Client {
    sent: Rc<RefCell<Sent>>,
    stage: Stage,
    window: usize,
    /// What of the window is open.
    room: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Tunnel,
    Over,
}

impl Client {
    fn end(&mut self, end: End) {
        assert_ne!(self.stage, Stage::Over, "it ends twice");
        self.stage = Stage::Over;
        self.sent.borrow_mut().end = end;
    }
}

impl Exchange for Client {
    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<io::Error> {
        Poll::Pending
    }

    fn send_interim(&mut self, _: &mut Context<'_>, head: &ResponseHead<'_, '_>) -> io::Result<()> {
        assert_eq!(self.stage, Stage::Head);
        assert!((100..200).contains(&head.status) && head.status != 101);
        self.sent.borrow_mut().interim.push(written(head));
        Ok(())
    }

    fn send_head(
        &mut self,
        _: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
        is_whole: bool,
    ) -> io::Result<()> {
        assert_eq!(self.stage, Stage::Head, "a second head");
        assert!(head.status == 101 || head.status >= 200);
        self.sent.borrow_mut().head = Some(written(head));
        self.stage = match head.status {
            101 => Stage::Tunnel,
            _ => Stage::Body,
        };
        if is_whole {
            self.end(End::Whole);
        }
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_held_back(&self) -> bool {
        false
    }

    fn reset(&mut self) {
        self.end(End::Reset);
    }
}

impl Sending for Client {
    fn poll_window(&mut self, _: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        assert!(wanted > 0, "room for nothing");
        if self.room == 0 {
            self.room = self.window;
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.room.min(wanted)))
    }

    fn send_data(&mut self, _: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()> {
        assert!(matches!(self.stage, Stage::Body | Stage::Tunnel));
        assert!(is_last || !data.is_empty(), "a frame that says nothing");
        let room = self.room.checked_sub(data.len());
        self.room = room.expect("no more than the window");
        self.sent.borrow_mut().data.extend_from_slice(data);
        match (is_last, self.stage) {
            (true, Stage::Tunnel) => self.end(End::Closed),
            (true, _) => self.end(End::Whole),
            (false, _) => {}
        }
        Ok(())
    }

    fn send_trailers(&mut self, _: &mut Context<'_>, section: &[u8]) -> io::Result<()> {
        assert_eq!(self.stage, Stage::Body);
        assert!(section.ends_with(b"\r\n\r\n"), "not a whole section");
        self.sent.borrow_mut().trailers = section.to_vec();
        self.end(End::Whole);
        Ok(())
    }

    fn push(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// The request has no body.
impl Receiving for Client {
    fn poll_data(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(Ok(None))
    }

    fn release(&mut self, _: usize) {}

    fn poll_trailers(&mut self, _: &mut Context<'_>, _: &mut Vec<u8>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// As much as answers of ours take.
const LIMITS: Limits = Limits {
    max_head: 128 * 1024,
    max_target: 0,
    max_fields: 256,
};
