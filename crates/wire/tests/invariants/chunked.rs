//! Chunked bodies: any bytes in, in any pieces, and what must hold of what comes out. The first byte of the input
//! chooses the size of the pieces.

use sluice_wire::h1::{BodyError, Chunks, Decoder, Framing, Step};

/// What came of one body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What is passed on.
    pub(crate) out: Vec<u8>,
    /// Bytes of the input that belong to the body, so far.
    pub(crate) used: usize,
    /// Bytes of payload counted.
    pub(crate) payload: u64,
    /// Whether the body has ended.
    pub(crate) done: bool,
}

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let Some((&size, input)) = input.split_first() else {
        return;
    };
    let piece = usize::from(size % 16) + 1;
    let kept = decode_alike(Chunks::Kept, input, piece);
    let removed = decode_alike(Chunks::Removed, input, piece);
    let (kept, removed) = match (kept, removed) {
        (Ok(kept), Ok(removed)) => (kept, removed),
        (Err(kept), Err(removed)) => return assert_eq!(kept, removed),
        (kept, removed) => panic!("kept: {kept:?}, removed: {removed:?}"),
    };
    assert_eq!(
        (kept.used, kept.payload, kept.done),
        (removed.used, removed.payload, removed.done)
    );
    assert_eq!(removed.payload, removed.out.len() as u64);
    if kept.done {
        // What is passed on is itself a body of the same payload, and has nothing more to be cut out.
        let again =
            decode(Chunks::Kept, &kept.out, kept.out.len()).expect("what we pass on, we accept");
        assert_eq!(again.out, kept.out);
        assert_eq!(
            (again.used, again.payload, again.done),
            (kept.out.len(), kept.payload, true)
        );
        let payload = decode(Chunks::Removed, &kept.out, 1).expect("what we pass on, we accept");
        assert_eq!(payload.out, removed.out);
    }
}

/// Decodes whole, byte by byte and in pieces; all must agree.
pub(crate) fn decode_alike(
    chunks: Chunks,
    input: &[u8],
    piece: usize,
) -> Result<Outcome, BodyError> {
    let whole = decode(chunks, input, input.len().max(1));
    for size in [1, piece] {
        assert_eq!(decode(chunks, input, size), whole, "in pieces of {size}");
    }
    whole
}

/// Decodes in pieces of one size.
pub(crate) fn decode(chunks: Chunks, input: &[u8], piece: usize) -> Result<Outcome, BodyError> {
    let mut decoder = Decoder::new(Framing::Chunked, chunks);
    let mut out = Vec::new();
    let mut used = 0;
    'pieces: for mut piece in input.chunks(piece.max(1)) {
        loop {
            let len = match decoder.decode(piece)? {
                Step::Forward(len) => {
                    out.extend_from_slice(&piece[..len]);
                    len
                }
                Step::Skip(len) => len,
                Step::Trailers(len) => {
                    out.extend_from_slice(decoder.trailers());
                    len
                }
                Step::NeedMore => continue 'pieces,
                Step::Done => break 'pieces,
            };
            assert!(len > 0, "every step makes headway");
            used += len;
            piece = &piece[len..];
        }
    }
    let (payload, done) = (decoder.payload(), decoder.is_done());
    assert_eq!(decoder.finish().is_ok(), done);
    Ok(Outcome {
        out,
        used,
        payload,
        done,
    })
}
