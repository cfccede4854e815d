//! The frames of a request stream of HTTP/3: any bytes in, however they are cut.

use bytes::Bytes;
use sluice_http::h3::{Fault, Frames, Noise, Piece};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let whole = read(input, input.len().max(1));
    for chunk in [1, 2, 3, 7, 64] {
        assert_eq!(read(input, chunk), whole, "in parts of {chunk}");
    }
    let carried = whole.data.len() + whole.sections.iter().map(Bytes::len).sum::<usize>();
    assert!(carried <= input.len(), "more came out than went in");
    assert!(
        whole
            .sections
            .iter()
            .all(|section| section.len() <= MAX_SECTION)
    );
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    sections: Vec<Bytes>,
    /// How many bytes of data came before each section.
    order: Vec<usize>,
    fault: Option<Fault>,
}

fn read(input: &[u8], chunk: usize) -> Seen {
    let mut frames = Frames::new(MAX_SECTION, Noise::default());
    let mut seen = Seen::default();
    for part in input.chunks(chunk) {
        let mut part = Bytes::copy_from_slice(part);
        loop {
            match frames.next(&mut part) {
                Ok(Some(Piece::Data(data))) => {
                    assert!(!data.is_empty());
                    seen.data.extend_from_slice(&data);
                }
                Ok(Some(Piece::Section(section))) => {
                    seen.order.push(seen.data.len());
                    seen.sections.push(section);
                }
                Ok(None) => {
                    assert!(part.is_empty(), "it stops before the end");
                    break;
                }
                Err(fault) => {
                    seen.fault = Some(fault);
                    return seen;
                }
            }
        }
    }
    seen.fault = frames.end().err();
    seen
}

const MAX_SECTION: usize = 64;
