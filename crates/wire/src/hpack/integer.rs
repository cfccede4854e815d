//! Integers with a prefix (RFC 7541, 5.1).

/// Reads an integer whose first byte's lowest `bits` bits hold its beginning; `None` where `input` ends within it or it is larger
/// than anything here means. Advances `input`.
#[inline]
pub(crate) fn read(input: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, mut rest) = input.split_first()?;
    let mask = (1 << bits) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (next, after) = rest.split_first()?;
            rest = after;
            value += usize::from(next & 0x7F) << shift;
            if next & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > LARGEST_SHIFT {
                return None;
            }
        }
    }
    *input = rest;
    Some(value)
}

/// Appends `value`, whose first byte begins with the bits of `pattern`.
#[inline]
pub(crate) fn write(value: usize, bits: u32, pattern: u8, out: &mut Vec<u8>) {
    let mask = (1_usize << bits) - 1;
    let low = |value: usize| value.to_le_bytes()[0];
    if value < mask {
        return out.push(pattern | low(value));
    }
    out.push(pattern | low(mask));
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(low(rest & 0x7F) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// Four bytes after the first: 2^28, far more than any block may hold.
const LARGEST_SHIFT: u32 = 21;
