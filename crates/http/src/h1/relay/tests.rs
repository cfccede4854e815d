//! Bodies over real socket pairs: what arrives, in which form, and what waits for whom.

use std::future::poll_fn;

use proptest::prelude::*;
use tokio::net::UnixStream;

use sluice_net::Socket;

use super::*;
use sluice_wire::h1::Version;

/// A relay between two socket pairs, whose far ends the test holds.
struct Bench {
    /// The sender's end; `None` once it was closed.
    sender: Option<UnixStream>,
    /// The receiver's end.
    receiver: UnixStream,
    source: Stream,
    target: Stream,
    scratch: Scratch,
    buffers: Buffers,
    pipes: Pipes,
    surplus: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let (sender, source) = UnixStream::pair().expect("pair");
        let (target, receiver) = UnixStream::pair().expect("pair");
        Self {
            sender: Some(sender),
            receiver,
            source: Socket::Unix(source).into(),
            target: Socket::Unix(target).into(),
            scratch: Scratch::default(),
            buffers: Buffers::default(),
            pipes: Pipes::default(),
            surplus: Vec::new(),
        }
    }

    async fn poll(&mut self, relay: &mut Relay) -> Poll<Result<(), RelayError>> {
        let sides = &mut Sides {
            source: &mut self.source,
            target: &mut self.target,
            scratch: &mut self.scratch,
            buffers: &mut self.buffers,
            pipes: &mut self.pipes,
            surplus: &mut self.surplus,
        };
        let outcome = poll_fn(|cx| Poll::Ready(relay.poll(cx, sides))).await;
        // The reactor gets its turn.
        tokio::task::yield_now().await;
        outcome
    }

    async fn pass_on(
        &mut self,
        relay: &mut Relay,
        head: &mut &[u8],
        received: &[u8],
    ) -> Result<(), RelayError> {
        let start = 7;
        let end = start + received.len();
        self.scratch.body_area()[start..end].copy_from_slice(received);
        let sides = &mut Sides {
            source: &mut self.source,
            target: &mut self.target,
            scratch: &mut self.scratch,
            buffers: &mut self.buffers,
            pipes: &mut self.pipes,
            surplus: &mut self.surplus,
        };
        poll_fn(|cx| Poll::Ready(relay.pass_on(cx, head, start, end, sides))).await
    }

    /// Sends what the socket takes of `bytes`; how much that was.
    fn send(&self, bytes: &[u8]) -> usize {
        let sender = self.sender.as_ref().expect("still open");
        sender.try_write(bytes).unwrap_or(0)
    }

    /// Appends at most `most` bytes that have arrived.
    fn receive(&self, most: usize, out: &mut Vec<u8>) -> usize {
        let mut room = vec![0; most];
        let count = self.receiver.try_read(&mut room).unwrap_or(0);
        out.extend_from_slice(&room[..count]);
        count
    }

    /// Sends `pieces` one by one, receives `sizes` bytes at a time in turn, until the relay ends or `closes` at the end
    /// of what is sent.
    async fn run(
        &mut self,
        relay: &mut Relay,
        pieces: &[&[u8]],
        sizes: &[usize],
        closes: bool,
    ) -> (Vec<u8>, Result<(), RelayError>) {
        let mut pieces = pieces.iter().copied().filter(|piece| !piece.is_empty());
        let mut piece: &[u8] = b"";
        let mut sizes = sizes.iter().cycle();
        let mut arrived = Vec::new();
        let mut outcome = None;
        for _ in 0..200_000 {
            if piece.is_empty() {
                piece = pieces.next().unwrap_or_default();
            }
            if !piece.is_empty() {
                piece = &piece[self.send(piece)..];
            } else if closes {
                self.sender = None;
            }
            if outcome.is_none()
                && let Poll::Ready(ended) = self.poll(relay).await
            {
                outcome = Some(ended);
            }
            tokio::task::yield_now().await;
            let count = self.receive(*sizes.next().expect("a cycle"), &mut arrived);
            if count == 0
                && let Some(outcome) = outcome.take_if(|_| piece.is_empty())
            {
                return (arrived, outcome);
            }
        }
        panic!("no end in sight: {relay:?}");
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(1)
        .build()
        .expect("runtime")
        .block_on(test)
}

fn as_it_is(framing: Framing) -> Relay {
    Relay::of_response(framing, Delivery::AsIs)
}

struct Case {
    name: &'static str,
    relay: fn() -> Relay,
    sent: &'static [u8],
    closes: bool,
    arrives: &'static [u8],
    surplus: &'static [u8],
    payload: u64,
}

const CASES: &[Case] = &[
    Case {
        name: "a length passes through, what follows is surplus",
        relay: || as_it_is(Framing::Length(5)),
        sent: b"helloHTTP",
        closes: false,
        arrives: b"hello",
        surplus: b"HTTP",
        payload: 5,
    },
    Case {
        name: "chunks pass through as they are",
        relay: || as_it_is(Framing::Chunked),
        sent: b"5\r\nhello\r\n0003\r\nyou\r\n0\r\n\r\nnext",
        closes: false,
        arrives: b"5\r\nhello\r\n0003\r\nyou\r\n0\r\n\r\n",
        surplus: b"next",
        payload: 8,
    },
    Case {
        name: "extensions are cut out",
        relay: || as_it_is(Framing::Chunked),
        sent: b"5;a=b\r\nhello\r\n0;last\r\n\r\n",
        closes: false,
        arrives: b"5\r\nhello\r\n0\r\n\r\n",
        surplus: b"",
        payload: 5,
    },
    Case {
        name: "trailers pass through",
        relay: || as_it_is(Framing::Chunked),
        sent: b"1\r\nx\r\n0\r\nChecksum: 7\r\nX-Took: 9\r\n\r\nrest",
        closes: false,
        arrives: b"1\r\nx\r\n0\r\nChecksum: 7\r\nX-Took: 9\r\n\r\n",
        surplus: b"rest",
        payload: 1,
    },
    Case {
        name: "what a trailer must not be is left out",
        relay: || as_it_is(Framing::Chunked),
        sent: b"1\r\nx\r\n0\r\nContent-Length: 7\r\nChecksum: 7\r\n\r\n",
        closes: false,
        arrives: b"1\r\nx\r\n0\r\nChecksum: 7\r\n\r\n",
        surplus: b"",
        payload: 1,
    },
    Case {
        name: "chunks are removed for those who know none",
        relay: || Relay::of_response(Framing::Chunked, Delivery::UntilClose),
        sent: b"5;x\r\nhello\r\n3\r\nyou\r\n0\r\nA: b\r\n\r\n",
        closes: false,
        arrives: b"helloyou",
        surplus: b"",
        payload: 8,
    },
    Case {
        name: "until close, to one who knows no chunks",
        relay: || Relay::of_response(Framing::UntilClose, Delivery::UntilClose),
        sent: b"hello",
        closes: true,
        arrives: b"hello",
        surplus: b"",
        payload: 5,
    },
    Case {
        name: "an empty body until close is one last chunk",
        relay: || Relay::of_response(Framing::UntilClose, Delivery::Chunk),
        sent: b"",
        closes: true,
        arrives: b"0\r\n\r\n",
        surplus: b"",
        payload: 0,
    },
    Case {
        name: "exactly the limit is not too large",
        relay: || Relay::of_request(Framing::Chunked, Some(5)),
        sent: b"5\r\nhello\r\n0\r\n\r\n",
        closes: false,
        arrives: b"5\r\nhello\r\n0\r\n\r\n",
        surplus: b"",
        payload: 5,
    },
];

#[test]
fn bodies_arrive_in_the_form_they_should() {
    for case in CASES {
        run(async {
            let mut bench = Bench::new();
            let mut relay = (case.relay)();
            let (arrived, outcome) = bench
                .run(&mut relay, &[case.sent], &[4096], case.closes)
                .await;
            assert!(outcome.is_ok(), "{}: {outcome:?}", case.name);
            let (arrived, wanted) = (arrived.escape_ascii(), case.arrives.escape_ascii());
            assert_eq!(arrived.to_string(), wanted.to_string(), "{}", case.name);
            assert_eq!(bench.surplus, case.surplus, "{}", case.name);
            assert_eq!(relay.payload(), case.payload, "{}", case.name);
            let used = case.sent.len() - case.surplus.len();
            assert_eq!(relay.received(), used as u64, "{}", case.name);
            assert!(relay.is_done() && relay.is_received(), "{}", case.name);
        });
    }
}

#[test]
fn the_form_does_not_depend_on_where_the_bytes_are_split() {
    for case in CASES {
        for at in 0..=case.sent.len() {
            let (first, second) = case.sent.split_at(at);
            // The first part came with the head, the second later.
            run(async {
                let mut bench = Bench::new();
                let mut relay = (case.relay)();
                let mut head = &b"HEAD\r\n\r\n"[..];
                bench
                    .pass_on(&mut relay, &mut head, first)
                    .await
                    .unwrap_or_else(|error| panic!("{} at {at}: {error}", case.name));
                assert!(head.is_empty(), "the head does not wait for the body");
                let mut arrived = Vec::new();
                if relay.is_done() {
                    tokio::task::yield_now().await;
                    bench.receive(4096, &mut arrived);
                } else {
                    let ended = bench.run(&mut relay, &[second], &[4096], case.closes).await;
                    assert!(ended.1.is_ok(), "{} at {at}: {:?}", case.name, ended.1);
                    arrived = ended.0;
                }
                let body = arrived.strip_prefix(b"HEAD\r\n\r\n").expect("head first");
                assert_eq!(
                    body.escape_ascii().to_string(),
                    case.arrives.escape_ascii().to_string(),
                    "{} at {at}",
                    case.name
                );
            });

            // The first part came with the head and is taken in, the second follows.
            let mut relay = (case.relay)();
            let mut out = Vec::new();
            let used = relay.take_in(first, &mut out).expect("well-formed");
            assert!(used == first.len() || relay.is_received(), "{}", case.name);
            let used = used + relay.take_in(&case.sent[used..], &mut out).expect("too");
            assert_eq!(case.sent[used..], *case.surplus, "{}", case.name);
            let wanted = case
                .arrives
                .strip_suffix(LAST_CHUNK)
                .unwrap_or(case.arrives);
            assert!(out.starts_with(wanted), "{} at {at}", case.name);
        }
    }
}

#[test]
fn what_ends_with_the_connection_is_wrapped_into_chunks() {
    run(async {
        let mut bench = Bench::new();
        let mut relay = Relay::of_response(Framing::UntilClose, Delivery::Chunk);
        let mut head = &b"HEAD\r\n\r\n"[..];
        bench
            .pass_on(&mut relay, &mut head, b"hello")
            .await
            .expect("sent");
        let (arrived, outcome) = bench.run(&mut relay, &[b"you"], &[4096], true).await;
        assert!(outcome.is_ok());
        assert_eq!(
            arrived.escape_ascii().to_string(),
            b"HEAD\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
                .escape_ascii()
                .to_string()
        );
    });
}

#[test]
fn a_head_longer_than_the_headroom_arrives_whole() {
    for delivery in [Delivery::AsIs, Delivery::Chunk] {
        run(async {
            let framing = match delivery {
                Delivery::Chunk => Framing::UntilClose,
                _ => Framing::Length(5),
            };
            let mut bench = Bench::new();
            let mut relay = Relay::of_response(framing, delivery);
            let long = vec![b'h'; Scratch::HEADROOM + 100];
            bench
                .pass_on(&mut relay, &mut &long[..], b"hello")
                .await
                .expect("sent");
            tokio::task::yield_now().await;
            let mut arrived = Vec::new();
            bench.receive(64 * 1024, &mut arrived);
            let body: &[u8] = match delivery {
                Delivery::Chunk => b"5\r\nhello\r\n",
                _ => b"hello",
            };
            assert!(arrived == [&long[..], body].concat(), "{delivery:?}");
        });
    }
}

#[test]
fn a_body_that_ends_too_early_is_truncated() {
    for (framing, sent) in [
        (Framing::Length(5), &b"hell"[..]),
        (Framing::Chunked, b"5\r\nhel"),
        (Framing::Chunked, b"5\r\nhello\r\n0\r\n"),
        (Framing::Chunked, b""),
    ] {
        run(async {
            let mut bench = Bench::new();
            let mut relay = as_it_is(framing);
            let (arrived, outcome) = bench.run(&mut relay, &[sent], &[64], true).await;
            assert!(matches!(outcome, Err(RelayError::Truncated)), "{outcome:?}");
            assert!(!relay.is_received() && !relay.is_done());
            assert!(!arrived.ends_with(b"0\r\n\r\n"));
        });
    }
}

#[test]
fn malformed_chunks_are_an_error_and_leave_the_head_unsent() {
    for sent in [
        &b"5 \r\nhello"[..],
        b"\n",
        b"-1\r\n",
        b"5\nhello",
        b"ffffffffffffffff\r\n",
    ] {
        run(async {
            let mut bench = Bench::new();
            let mut head = &b"HEAD"[..];
            let mut relay = as_it_is(Framing::Chunked);
            let outcome = bench.pass_on(&mut relay, &mut head, sent).await;
            assert!(
                matches!(outcome, Err(RelayError::Malformed(_))),
                "{outcome:?}"
            );
            assert_eq!(head, b"HEAD", "the client can still be told");
            tokio::task::yield_now().await;
            assert_eq!(bench.receive(64, &mut Vec::new()), 0);
        });
    }
}

#[test]
fn nothing_is_sent_of_what_breaks_the_limit() {
    // All of it in one go: a server that got the last chunk would act upon it.
    let whole = b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    run(async {
        let mut bench = Bench::new();
        let mut relay = Relay::of_request(Framing::Chunked, Some(5));
        let (arrived, outcome) = bench.run(&mut relay, &[whole], &[64], false).await;
        assert!(matches!(outcome, Err(RelayError::TooLarge)), "{outcome:?}");
        assert_eq!(arrived, b"");
    });
    let mut out = Vec::new();
    let outcome = Relay::of_request(Framing::Chunked, Some(5)).take_in(whole, &mut out);
    assert!(matches!(outcome, Err(RelayError::TooLarge)), "{outcome:?}");
}

#[test]
fn while_the_target_takes_nothing_nothing_is_received() {
    run(async {
        let mut bench = Bench::new();
        let body: Vec<u8> = (0..=250_u8).cycle().take(4_000_000).collect();
        let mut relay = as_it_is(Framing::Length(body.len() as u64));
        let mut sent = 0;
        // Until both sockets are full and the relay waits.
        for _ in 0..1000 {
            sent += bench.send(&body[sent..]);
            assert!(bench.poll(&mut relay).await.is_pending());
        }
        assert!(relay.waits_for_target());
        assert!(sent < body.len(), "the sender is held up");
        let before = relay.progress();
        let waiting = relay.streamed() - relay.sent();
        assert!(
            waiting <= SPLICE_MOST as u64,
            "at most one pipe's worth is kept"
        );
        for _ in 0..100 {
            assert!(bench.poll(&mut relay).await.is_pending());
        }
        assert_eq!(relay.progress(), before);
        assert!(!relay.is_received());

        // A receiver that wakes up gets all of it, and each byte it takes is progress.
        let (arrived, outcome) = bench
            .run(&mut relay, &[&body[sent..]], &[100_000], false)
            .await;
        assert!(outcome.is_ok());
        assert!(arrived == body);
        assert!(relay.is_done());
    });
}

#[test]
fn a_target_that_is_gone_is_the_targets_fault() {
    run(async {
        let mut bench = Bench::new();
        let (other, receiver) = UnixStream::pair().expect("pair");
        drop(std::mem::replace(&mut bench.receiver, receiver));
        let mut relay = as_it_is(Framing::Length(100));
        bench.send(b"hello");
        let mut outcome = Poll::Pending;
        for _ in 0..100 {
            outcome = bench.poll(&mut relay).await;
            if outcome.is_ready() {
                break;
            }
        }
        assert!(
            matches!(outcome, Poll::Ready(Err(RelayError::Target(_)))),
            "{outcome:?}"
        );
        drop(other);
    });
}

#[test]
fn what_waits_goes_first() {
    run(async {
        let mut bench = Bench::new();
        let mut relay = as_it_is(Framing::Length(5));
        relay.send_first(Outbox::holding(b"HEAD".to_vec()));
        assert!(!relay.is_done());
        let (arrived, outcome) = bench.run(&mut relay, &[b"hello"], &[64], false).await;
        assert!(outcome.is_ok());
        assert_eq!(arrived, b"HEADhello");

        let mut none = as_it_is(Framing::None);
        none.send_first(Outbox::holding(b"HEAD".to_vec()));
        assert!(none.is_received() && !none.is_done());
        let (arrived, outcome) = bench.run(&mut none, &[], &[64], false).await;
        assert!(outcome.is_ok() && none.is_done());
        assert_eq!(arrived, b"HEAD");
        assert!(none.streamed() == 0, "nothing was received for it");
    });
}

/// Puts `body` into chunks of the given sizes.
fn chunked(body: &[u8], sizes: &[usize], extension: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = rest.len().min(*sizes.next().expect("a cycle"));
        let (chunk, after) = rest.split_at(size);
        out.extend_from_slice(format!("{size:X}{extension}\r\n").as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// The payload of a chunked body, by the plainest of readers.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let line = bytes
            .windows(2)
            .position(|two| two == b"\r\n")
            .expect("a line");
        let digits = std::str::from_utf8(&bytes[..line]).expect("digits");
        let size = usize::from_str_radix(digits, 16).expect("a size, no extension");
        bytes = &bytes[line + 2..];
        out.extend_from_slice(&bytes[..size]);
        assert_eq!(&bytes[size..size + 2], b"\r\n");
        bytes = &bytes[size + 2..];
        if size == 0 {
            assert!(bytes.is_empty(), "nothing behind the last chunk");
            return out;
        }
    }
}

/// Cuts `bytes` into pieces of the given sizes.
fn pieces<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let size = bytes.len().min(*sizes.next().expect("a cycle"));
        let (piece, rest) = bytes.split_at(size);
        out.push(piece);
        bytes = rest;
    }
    out
}

fn sizes(most: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..most, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_payload_is_the_same_however_it_is_cut(
        length in prop_oneof![0_usize..300, 100_000_usize..600_000],
        seed in any::<u8>(),
        chunks in sizes(70_000),
        reads in sizes(90_000),
        takes in sizes(40_000),
        extension in prop_oneof![Just(""), Just(";a=b")],
        form in 0..4,
    ) {
        // Small pieces of large bodies take long and show nothing that small bodies do not.
        let scale = |sizes: &[usize], most: usize| -> Vec<usize> {
            sizes.iter().map(|size| (*size).max(length / most).max(1)).collect()
        };
        let chunks = scale(&chunks, 2000);
        let body: Vec<u8> = (0..=252_u8).cycle().map(|n| n ^ seed).take(length).collect();
        let wire = chunked(&body, &chunks, if length > 1000 { "" } else { extension });
        let (mut relay, sent, closes) = match form {
            0 => (as_it_is(Framing::Length(length as u64)), &body, false),
            1 => (as_it_is(Framing::Chunked), &wire, false),
            2 => (Relay::of_response(Framing::Chunked, Delivery::UntilClose), &wire, false),
            _ => (Relay::of_response(Framing::UntilClose, Delivery::Chunk), &body, true),
        };
        let sent = pieces(sent, &scale(&reads, 500));
        let (arrived, outcome) = run(async {
            Bench::new().run(&mut relay, &sent, &scale(&takes, 500), closes).await
        });
        prop_assert!(outcome.is_ok(), "{outcome:?}");
        prop_assert_eq!(relay.payload(), length as u64);
        let payload = if form % 2 == 1 { unchunked(&arrived) } else { arrived };
        prop_assert!(payload == body, "{} bytes of {length}", payload.len());
    }
}

#[test]
fn deliveries() {
    use Framing::{Chunked, Length, None, UntilClose};
    use Version::{Http10, Http11};
    for (framing, client, delivery) in [
        (None, Http11, Delivery::None),
        (None, Http10, Delivery::None),
        (Length(0), Http11, Delivery::AsIs),
        (Length(9), Http10, Delivery::AsIs),
        (Chunked, Http11, Delivery::AsIs),
        (Chunked, Http10, Delivery::UntilClose),
        (UntilClose, Http11, Delivery::Chunk),
        (UntilClose, Http10, Delivery::UntilClose),
    ] {
        assert_eq!(
            Delivery::of(framing, client),
            delivery,
            "{framing:?} {client:?}"
        );
    }
}
