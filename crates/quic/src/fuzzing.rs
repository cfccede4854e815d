//! What holds of the worker that a datagram names, for any bytes. The corpus and the fuzz target check it.

use std::hash::RandomState;
use std::ops::Range;

use quinn::ConnectionIdGenerator as _;

use crate::ids::Ids;

/// Reads the worker of a datagram, which comes after two bytes that are a worker's number. An id of that worker, put in the
/// place of the one that is there, leads to it.
///
/// # Panics
/// Something does not hold: a worker is read where there is no id of ours, or an id leads elsewhere, or what stands around
/// it changes that.
pub fn check(input: &[u8]) {
    let Some((worker, datagram)) = input.split_first_chunk() else {
        return;
    };
    let worker = u16::from_be_bytes(*worker);
    let key = RandomState::new();
    let reader = Ids::new(key.clone(), worker.wrapping_add(1));
    let named = reader.worker_of(datagram);
    let Some(place) = place_of_id(datagram) else {
        assert_eq!(named, None, "there is no id in {datagram:?}");
        return;
    };
    assert!(named.is_some(), "there is an id in {datagram:?}");

    let mut around = datagram.to_vec();
    for (index, byte) in around.iter_mut().enumerate() {
        let is_read = index == 0 || (index == ID_LENGTH_AT && place.start > index);
        if !is_read && !place.contains(&index) {
            *byte = !*byte;
        }
    }
    around.push(0);
    assert_eq!(reader.worker_of(&around), named, "what is around the id");

    let id = Ids::new(key, worker).generate_cid();
    let mut ours = datagram.to_vec();
    ours.splice(place, id.iter().copied());
    assert_eq!(reader.worker_of(&ours), Some(worker), "in {ours:?}");
}

/// Where an id of ours would be: after the first byte of a short header, after the version and the length in the long header
/// of a handshake packet (RFC 9000, 17.2 and 17.3).
fn place_of_id(datagram: &[u8]) -> Option<Range<usize>> {
    let place = match datagram.first()? {
        0..0x80 => 1..9,
        first if first & 0b0011_0000 == 0b0010_0000 && *datagram.get(ID_LENGTH_AT)? == 8 => 6..14,
        _ => return None,
    };
    (datagram.len() >= place.end).then_some(place)
}

/// The first byte and the version come before it.
const ID_LENGTH_AT: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus() {
        testkit::corpus_at_every_length("quic_ids", check);
    }
}
