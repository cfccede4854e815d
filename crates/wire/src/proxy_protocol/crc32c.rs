//! CRC-32C (Castagnoli), for the checksum of version 2 headers. Rare and short, so a table of bytes is enough.

/// The checksum of several pieces, one after the other.
pub(super) fn crc32c<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> u32 {
    let mut sum = u32::MAX;
    for byte in pieces.into_iter().flatten() {
        let [lowest, ..] = sum.to_le_bytes();
        let step = TABLE
            .get(usize::from(lowest ^ byte))
            .copied()
            .unwrap_or_default();
        sum = (sum >> 8) ^ step;
    }
    !sum
}

/// The polynomial, bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

#[expect(clippy::indexing_slicing, reason = "computed while compiling")]
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index: u32 = 0;
    while index < 256 {
        let mut sum = index;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ POLYNOMIAL
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[index as usize] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn known_sums() {
        // The check values of RFC 3720, appendix B.4, and the customary one.
        assert_eq!(crc32c([&b"123456789"[..]]), 0xE306_9283);
        assert_eq!(crc32c([&b"1234"[..], b"", b"56789"]), 0xE306_9283);
        assert_eq!(crc32c([&[0; 32][..]]), 0x8A91_36AA);
        assert_eq!(crc32c([&[0xFF; 32][..]]), 0x62A8_AB43);
        assert_eq!(crc32c([]), 0);
    }
}
