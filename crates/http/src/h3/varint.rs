//! Integers of variable length (RFC 9000, 16).

/// Reads an integer; `None` where `bytes` ends within it. What follows it, too.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = 1_usize << (first >> 6);
    let (value, rest) = bytes.split_at_checked(length)?;
    let value = value
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    // Without the two bits that tell the length.
    let mask = u64::MAX >> (64 - (length * 8 - 2));
    Some((value & mask, rest))
}

/// An integer, in as few bytes as it takes. What is longer than any buffer does not come up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    bytes: [u8; 8],
    length: usize,
}

impl Written {
    pub(super) fn new(value: u64) -> Self {
        // The two highest bits tell the length.
        let (prefix, length) = match value {
            0..=0x3F => (0, 1),
            0x40..=0x3FFF => (0x40, 2),
            0x4000..=0x3FFF_FFFF => (0x80, 4),
            _ => (0xC0, 8),
        };
        let mut bytes = (value << (64 - length * 8)).to_be_bytes();
        if let Some(first) = bytes.first_mut() {
            *first |= prefix;
        }
        Self { bytes, length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9000, A.1, and the edges.
    #[test]
    fn integers_are_written_as_they_are_read() {
        let table: &[(u64, &[u8])] = &[
            (151_288_809_941_952_652, b"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c"),
            (494_878_333, b"\x9d\x7f\x3e\x7d"),
            (15_293, b"\x7b\xbd"),
            (37, b"\x25"),
            (0, b"\0"),
            (63, b"\x3f"),
            (64, b"\x40\x40"),
            (16_383, b"\x7f\xff"),
            (16_384, b"\x80\0\x40\0"),
        ];
        for (value, bytes) in table {
            assert_eq!(Written::new(*value).as_bytes(), *bytes);
            assert_eq!(read(bytes), Some((*value, &[][..])));
            assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(read(b"\x40\x25!"), Some((37, &b"!"[..])));
    }
}
