//! Encoded field sections of HTTP/3: any bytes in, and what must hold of the look at them.

use bytes::Bytes;
use sluice_http::h3::{has_pseudo, look_at};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let encoded = Bytes::copy_from_slice(input);
    let Ok(section) = look_at(encoded.clone()) else {
        assert!(
            has_pseudo(&encoded),
            "nothing but pseudo-fields is found fault with"
        );
        return;
    };
    let left = &section.encoded;
    if section.protocol.is_none() {
        assert_eq!(*left, encoded);
    } else {
        let same = left.iter().zip(input).take_while(|(a, b)| a == b).count();
        let cut = input.len() - left.len();
        assert!(
            cut > 0 && input.ends_with(&left[same.min(left.len())..]),
            "one line is cut out"
        );
    }
    if section.protocol.is_some() || section.has_target {
        assert!(has_pseudo(&encoded));
    }
    // Looked at again nothing else is found.
    let again = look_at(left.clone()).expect("what is left is in order");
    assert_eq!(again.encoded, *left);
    assert_eq!(again.protocol, None);
    assert_eq!(again.has_target, section.has_target);
}
