//! The cookies of a request, as a field has them (RFC 6265, 4.2.1).

use memchr::memchr;

/// The pairs of a `Cookie` field's value, in order, each `NAME=VALUE` as it was sent.
pub fn cookie_pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = Some(field);
    let pairs = std::iter::from_fn(move || {
        let rest = left?;
        let end = memchr(b';', rest);
        left = end.and_then(|end| rest.get(end + 1..));
        Some(rest.get(..end.unwrap_or(rest.len()))?.trim_ascii())
    });
    pairs.filter(|pair| !pair.is_empty())
}

/// The value in a pair of that name. Names of cookies differ by case.
pub fn cookie_value<'c>(pair: &'c [u8], name: &str) -> Option<&'c [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_as_they_were_sent() {
        for (field, expected) in [
            ("", &[][..]),
            (" ; ;;", &[]),
            ("a=1", &["a=1"]),
            ("a=1; b=2;c", &["a=1", "b=2", "c"]),
            ("  a=1 ;\tb = 2 ; ", &["a=1", "b = 2"]),
        ] {
            let pairs: Vec<_> = cookie_pairs(field.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|pair| pair.as_bytes()).collect();
            assert_eq!(pairs, expected, "{field}");
        }
    }

    #[test]
    fn a_value_is_that_of_the_whole_name() {
        for (pair, value) in [
            ("a=1", Some("1")),
            ("a=", Some("")),
            ("a==", Some("=")),
            ("a", None),
            ("ab=1", None),
            ("A=1", None),
            ("a =1", None),
        ] {
            let found = cookie_value(pair.as_bytes(), "a");
            assert_eq!(found, value.map(str::as_bytes), "{pair}");
        }
    }
}
