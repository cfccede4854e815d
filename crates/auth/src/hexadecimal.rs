//! Digests as hexadecimal digits.

/// The 32 bytes that 64 digits stand for, in either case.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(digest)
}

/// Bytes as digits in lower case, two for each.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    let pairs = bytes.iter().map(|byte| [byte >> 4, byte & 0xF]);
    pairs.flatten().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_64_digits() {
        let text = format!("0aFf{}", "0".repeat(60));
        assert_eq!(
            digest(&text).map(|digest| digest[..3].to_vec()),
            Some(vec![0x0a, 0xff, 0])
        );
        let lower = text.to_lowercase();
        assert_eq!(digest(&text).map(|bytes| digits(&bytes)), Some(lower));
        for wrong in [
            "",
            "00",
            &text[1..],
            &format!("{text}0"),
            &format!("{text}00"),
            &text.replace('F', "g"),
        ] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
