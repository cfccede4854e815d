//! Bodies in, what is passed on and what is left out; each also in every split in two, and byte by byte.

use super::{BodyError, Chunks, Decoder, MAX_TRAILER_FIELDS, MAX_TRAILER_SECTION, Step};
use crate::h1::Framing;

/// What came of decoding: bytes passed on, how many were used, payload counted, whether the body ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    out: String,
    used: usize,
    payload: u64,
    done: bool,
}

fn decode(framing: Framing, chunks: Chunks, pieces: &[&[u8]]) -> Result<Outcome, BodyError> {
    let mut decoder = Decoder::new(framing, chunks);
    let mut out = Vec::new();
    let mut used = 0;
    'pieces: for piece in pieces {
        let mut input = *piece;
        loop {
            let step = decoder.decode(input)?;
            let len = match step {
                Step::Forward(len) => {
                    out.extend_from_slice(&input[..len]);
                    len
                }
                Step::Skip(len) => len,
                Step::Trailers(len) => {
                    out.extend_from_slice(decoder.trailers());
                    len
                }
                Step::NeedMore => {
                    assert!(
                        input.is_empty(),
                        "all input is used before more is asked for"
                    );
                    continue 'pieces;
                }
                Step::Done => break 'pieces,
            };
            assert!(len > 0, "{step:?} makes headway");
            used += len;
            input = &input[len..];
        }
    }
    Ok(Outcome {
        out: String::from_utf8(out).unwrap(),
        used,
        payload: decoder.payload(),
        done: decoder.is_done(),
    })
}

/// Decodes whole, in all splits in two, and byte by byte; all must agree.
fn decode_every_way(framing: Framing, chunks: Chunks, input: &[u8]) -> Result<Outcome, BodyError> {
    let whole = decode(framing, chunks, &[input]);
    for at in 0..=input.len() {
        let (head, tail) = input.split_at(at);
        assert_eq!(
            decode(framing, chunks, &[head, tail]),
            whole,
            "split at {at}"
        );
    }
    let bytes: Vec<_> = input.chunks(1).collect();
    assert_eq!(decode(framing, chunks, &bytes), whole, "byte by byte");
    whole
}

#[test]
fn the_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 64, "{} bytes", size_of::<Decoder>());
}

#[test]
fn framings_without_chunks() {
    // framing, input, out, payload, done
    let table: &[(Framing, &str, &str, bool)] = &[
        (Framing::None, "GET /", "", true),
        (Framing::None, "", "", true),
        (Framing::Length(0), "GET /", "", true),
        (Framing::Length(3), "", "", false),
        (Framing::Length(3), "ab", "ab", false),
        (Framing::Length(3), "abc", "abc", true),
        (Framing::Length(3), "abcGET /", "abc", true),
        (Framing::Length(u64::MAX), "abc", "abc", false),
        (Framing::UntilClose, "abc", "abc", false),
        (Framing::UntilClose, "", "", false),
    ];
    for &(framing, input, out, done) in table {
        let outcome = decode_every_way(framing, Chunks::Kept, input.as_bytes()).unwrap();
        let expected = Outcome {
            out: out.to_owned(),
            used: out.len(),
            payload: out.len() as u64,
            done,
        };
        assert_eq!(outcome, expected, "{framing:?} {input}");
    }
}

#[test]
fn the_end_of_the_connection() {
    let finish = |framing, input: &[u8]| {
        let mut decoder = Decoder::new(framing, Chunks::Kept);
        let mut input = input;
        while let Step::Forward(len) = decoder.decode(input).unwrap() {
            input = &input[len..];
        }
        let result = decoder.finish();
        (result, decoder.is_done())
    };
    assert_eq!(finish(Framing::None, b""), (Ok(()), true));
    assert_eq!(finish(Framing::UntilClose, b"abc"), (Ok(()), true));
    assert_eq!(finish(Framing::Length(3), b"abc"), (Ok(()), true));
    assert_eq!(
        finish(Framing::Length(3), b"ab"),
        (Err(BodyError::Truncated), false)
    );
    assert_eq!(finish(Framing::Chunked, b"0\r\n\r\n"), (Ok(()), true));
    for short in ["", "0", "0\r\n", "0\r\n\r", "3\r\nabc", "3\r\nabc\r\n"] {
        let outcome = finish(Framing::Chunked, short.as_bytes());
        assert_eq!(outcome, (Err(BodyError::Truncated), false), "{short:?}");
    }
}

#[test]
fn what_remains_is_known_of_a_stated_length() {
    let mut decoder = Decoder::new(Framing::Length(5), Chunks::Kept);
    assert_eq!(decoder.remaining(), Some(5));
    decoder.decode(b"abc").unwrap();
    assert_eq!(decoder.remaining(), Some(2));
    decoder.decode(b"abc").unwrap();
    assert_eq!(decoder.remaining(), Some(0));
    assert_eq!(
        Decoder::new(Framing::Chunked, Chunks::Kept).remaining(),
        None
    );
}

#[test]
fn a_whole_chunked_body_is_one_run() {
    let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let mut decoder = Decoder::new(Framing::Chunked, Chunks::Kept);
    assert_eq!(decoder.decode(body), Ok(Step::Forward(body.len())));
    assert!(decoder.is_done());
    assert_eq!(decoder.payload(), 11);
}

#[test]
fn chunked_bodies() {
    // input, kept, removed, payload
    let table: &[(&str, &str, &str)] = &[
        ("0\r\n\r\n", "0\r\n\r\n", ""),
        ("000\r\n\r\n", "000\r\n\r\n", ""),
        (
            "5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        (
            "A\r\n0123456789\r\n0\r\n\r\n",
            "A\r\n0123456789\r\n0\r\n\r\n",
            "0123456789",
        ),
        (
            "a\r\n0123456789\r\n0\r\n\r\n",
            "a\r\n0123456789\r\n0\r\n\r\n",
            "0123456789",
        ),
        (
            "0000000000000003\r\nabc\r\n0\r\n\r\n",
            "0000000000000003\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            "2\r\n\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            "2\r\n\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            "\r\nx",
        ),
        // What looks like a last chunk inside a chunk is payload.
        (
            "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
            "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
            "0\r\n\r\n",
        ),
        // Extensions.
        ("3;a\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
        (
            "3;a=b\r\nabc\r\n0;c\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            "3; a = b ; c\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            "3;a=\"b;\\\"c d\"\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            "3;a=\"\";b\t;c=d\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        (
            "1;a\r\nx\r\n1;b\r\ny\r\n0;c=d\r\n\r\n",
            "1\r\nx\r\n1\r\ny\r\n0\r\n\r\n",
            "xy",
        ),
        // Trailers.
        ("0\r\nA: b\r\n\r\n", "0\r\nA: b\r\n\r\n", ""),
        (
            "1\r\nx\r\n0\r\nA: b\r\nC:  d \r\n\r\n",
            "1\r\nx\r\n0\r\nA: b\r\nC:  d \r\n\r\n",
            "x",
        ),
        ("0;x\r\nA:\r\n\r\n", "0\r\nA:\r\n\r\n", ""),
        (
            "0\r\nContent-Length: 5\r\nA: b\r\n\r\n",
            "0\r\nA: b\r\n\r\n",
            "",
        ),
        (
            "0\r\nA: b\r\nhost: c\r\nD: e\r\n\r\n",
            "0\r\nA: b\r\nD: e\r\n\r\n",
            "",
        ),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", ""),
        (
            "0\r\nAUTHORIZATION: a\r\nX-Forwarded-For: b\r\nX-Forwarded-Weird: b\r\nSet-Cookie: c\r\nIf-Match: d\r\nETag: e\r\nConnection: f\r\nTrailer: g\r\nCookie: h\r\n\r\n",
            "0\r\nETag: e\r\n\r\n",
            "",
        ),
    ];
    for (input, kept, removed) in table {
        let whole = format!("{input}POST / HTTP/1.1\r\n");
        for (chunks, out) in [(Chunks::Kept, kept), (Chunks::Removed, removed)] {
            let outcome = decode_every_way(Framing::Chunked, chunks, whole.as_bytes()).unwrap();
            let expected = Outcome {
                out: (*out).to_owned(),
                used: input.len(),
                payload: removed.len() as u64,
                done: true,
            };
            assert_eq!(outcome, expected, "{input:?} {chunks:?}");
        }
    }
}

#[test]
fn refused_chunks() {
    let table: &[(&[u8], BodyError)] = &[
        // Sizes.
        (b"\r\n", BodyError::ChunkSize),
        (b"\n", BodyError::ChunkSize),
        (b"x\r\n", BodyError::ChunkSize),
        (b"g\r\n", BodyError::ChunkSize),
        (b"+1\r\n", BodyError::ChunkSize),
        (b"-1\r\n", BodyError::ChunkSize),
        (b"0x1\r\n", BodyError::ChunkSize),
        (b"0X1\r\n", BodyError::ChunkSize),
        (b" 1\r\n", BodyError::ChunkSize),
        (b"\t1\r\n", BodyError::ChunkSize),
        (b"1 \r\n", BodyError::ChunkSize),
        (b"1\t\r\n", BodyError::ChunkSize),
        (b"1 ;a\r\n", BodyError::ChunkSize),
        (b"1 1\r\n", BodyError::ChunkSize),
        (b"1_0\r\n", BodyError::ChunkSize),
        (b"1,1\r\n", BodyError::ChunkSize),
        (b"1.0\r\n", BodyError::ChunkSize),
        (b";a\r\n", BodyError::ChunkSize),
        (b"1\0\r\n", BodyError::ChunkSize),
        (b"\xef\xbc\x91\r\n", BodyError::ChunkSize),
        (b"1\n", BodyError::ChunkSize),
        (b"1\r\nx\r\n\r\n", BodyError::ChunkSize),
        (b"8000000000000000\r\n", BodyError::ChunkSizeOverflow),
        (b"ffffffffffffffff\r\n", BodyError::ChunkSizeOverflow),
        (b"00000000000000001\r\n", BodyError::ChunkSizeOverflow),
        (b"10000000000000001\r\n", BodyError::ChunkSizeOverflow),
        // Line ends.
        (b"1\rx", BodyError::ChunkEnd),
        (b"1\r\r\n", BodyError::ChunkEnd),
        (b"1\r\nxy\r\n", BodyError::ChunkEnd),
        (b"1\r\nx\n", BodyError::ChunkEnd),
        (b"1\r\nx\ry", BodyError::ChunkEnd),
        (b"1\r\nx0\r\n\r\n", BodyError::ChunkEnd),
        (b"2\r\nx\r\n0\r\n\r\n", BodyError::ChunkEnd),
        (b"1;a\rb\r\n", BodyError::ChunkEnd),
        // Extensions.
        (b"1;\r\n", BodyError::ChunkExtension),
        (b"1;;a\r\n", BodyError::ChunkExtension),
        (b"1;=b\r\n", BodyError::ChunkExtension),
        (b"1;a=\r\n", BodyError::ChunkExtension),
        (b"1;a=;b\r\n", BodyError::ChunkExtension),
        (b"1;a=b c\r\n", BodyError::ChunkExtension),
        (b"1;a b\r\n", BodyError::ChunkExtension),
        (b"1;a \r\n", BodyError::ChunkExtension),
        (b"1;a=b \r\n", BodyError::ChunkExtension),
        (b"1;a=\"b\r\n", BodyError::ChunkExtension),
        (b"1;a=\"b\\\r\n", BodyError::ChunkExtension),
        (b"1;a=\"b\"c\r\n", BodyError::ChunkExtension),
        (b"1;a\n", BodyError::ChunkExtension),
        (b"1;a=\"\n\"\r\n", BodyError::ChunkExtension),
        (b"1;a\0\r\n", BodyError::ChunkExtension),
        (b"1;a=\"\x7f\"\r\n", BodyError::ChunkExtension),
        (b"1;\xc3\xa9\r\n", BodyError::ChunkExtension),
        (b"1;(a)\r\n", BodyError::ChunkExtension),
        // Trailers.
        (b"0\r\n\rx", BodyError::Trailers),
        (b"0\r\nA: b\n\r\n", BodyError::Trailers),
        (b"0\r\n\n", BodyError::Trailers),
        (b"0\r\nA: b\r\n\n", BodyError::Trailers),
        (b"0\r\nA\r\n\r\n", BodyError::Trailers),
        (b"0\r\nA : b\r\n\r\n", BodyError::Trailers),
        (b"0\r\n: b\r\n\r\n", BodyError::Trailers),
        (b"0\r\n A: b\r\n\r\n", BodyError::Trailers),
        (b"0\r\nA: b\r\n c\r\n\r\n", BodyError::Trailers),
        (b"0\r\nA: b\rc\r\n\r\n", BodyError::Trailers),
        (b"0\r\nA: \0\r\n\r\n", BodyError::Trailers),
        (
            b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            BodyError::Trailers,
        ),
        (b"0\r\n0\r\n\r\n", BodyError::Trailers),
    ];
    for (input, error) in table {
        for chunks in [Chunks::Kept, Chunks::Removed] {
            let refused = decode_every_way(Framing::Chunked, chunks, input).unwrap_err();
            assert_eq!(refused, *error, "{:?}", String::from_utf8_lossy(input));
        }
    }
}

#[test]
fn extensions_are_bounded() {
    let chunk = |extension: usize, payload: usize| {
        format!(
            "{payload:x};{}\r\n{}\r\n",
            "a".repeat(extension - 1),
            "x".repeat(payload)
        )
    };
    assert!(decode_every_way(Framing::Chunked, Chunks::Kept, chunk(256, 1).as_bytes()).is_ok());
    let error =
        decode_every_way(Framing::Chunked, Chunks::Kept, chunk(257, 1).as_bytes()).unwrap_err();
    assert_eq!(error, BodyError::ChunkExtensionTooLong);

    // Many that are out of proportion to the payload are too much, however short each is ...
    let nagging = chunk(100, 1).repeat(1000);
    let error = decode(Framing::Chunked, Chunks::Kept, &[nagging.as_bytes()]).unwrap_err();
    assert_eq!(error, BodyError::ChunkExtensionTooLong);
    // ... but a long stream may have them.
    let signed = chunk(100, 200).repeat(1000);
    let outcome = decode(Framing::Chunked, Chunks::Removed, &[signed.as_bytes()]).unwrap();
    assert_eq!(outcome.payload, 200_000);
}

#[test]
fn trailers_are_bounded() {
    let section = |len: usize| format!("A: {}\r\n\r\n", "b".repeat(len - "A: \r\n\r\n".len()));
    let fits = format!("0\r\n{}", section(MAX_TRAILER_SECTION));
    let outcome = decode(Framing::Chunked, Chunks::Kept, &[fits.as_bytes()]).unwrap();
    assert_eq!((outcome.out, outcome.done), (fits, true));

    let long = format!("0\r\n{}", section(MAX_TRAILER_SECTION + 1));
    let whole = decode(Framing::Chunked, Chunks::Kept, &[long.as_bytes()]).unwrap_err();
    assert_eq!(whole, BodyError::TrailersTooLong);
    let bytes: Vec<_> = long.as_bytes().chunks(1).collect();
    let byte_by_byte = decode(Framing::Chunked, Chunks::Kept, &bytes).unwrap_err();
    assert_eq!(byte_by_byte, BodyError::TrailersTooLong);

    let fields = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(
        decode(
            Framing::Chunked,
            Chunks::Kept,
            &[fields(MAX_TRAILER_FIELDS).as_bytes()]
        )
        .is_ok()
    );
    let many = fields(MAX_TRAILER_FIELDS + 1);
    let error = decode(Framing::Chunked, Chunks::Kept, &[many.as_bytes()]).unwrap_err();
    assert_eq!(error, BodyError::TrailersTooLong);
}
