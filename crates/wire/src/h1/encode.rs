//! Writing the chunked transfer coding (RFC 9112, section 7.1).

/// Room for the longest chunk header: sixteen hexadecimal digits and CRLF.
pub const CHUNK_HEADER_LEN: usize = 18;

/// What follows the bytes of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The line before a chunk of `len` bytes. `len` must not be 0: that would end the body ([`LAST_CHUNK`] does).
#[inline]
pub fn chunk_header(len: u64, room: &mut [u8; CHUNK_HEADER_LEN]) -> &[u8] {
    debug_assert!(len > 0, "a chunk of no bytes ends the body");
    let [digits @ .., cr, lf] = room;
    (*cr, *lf) = (b'\r', b'\n');
    let mut start = digits.len();
    let mut rest = len;
    for digit in digits.iter_mut().rev() {
        let nibble = (rest & 0xF) as u8;
        *digit = if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' - 10 + nibble
        };
        start -= 1;
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_HEADER_LEN, chunk_header};

    #[test]
    fn headers_are_hexadecimal() {
        for len in [1, 9, 10, 15, 16, 255, 4096, 65_535, 1 << 40, u64::MAX] {
            let mut room = [0; CHUNK_HEADER_LEN];
            assert_eq!(
                chunk_header(len, &mut room),
                format!("{len:x}\r\n").as_bytes()
            );
        }
    }
}
