//! When a head that comes in pieces is worth parsing.

/// How far a head that comes in pieces was searched for its end.
///
/// Parsing begins at the first byte each time. Done with every piece, the work for a head that trickles in would grow with
/// the square of its length; here each byte is looked at once, and the head parsed a few times.
#[derive(Debug, Default, Clone, Copy)]
pub struct HeadEnd {
    searched: usize,
    has_line: bool,
}

impl HeadEnd {
    /// Whether parsing can find out what it could not the last time. `head` is all that has come so far, from the first
    /// byte of the head.
    ///
    /// It can when the first line has become whole, so that what is no HTTP is noticed before its sender waits for an
    /// answer; when an empty line has come, by whatever line ends; and when there are `max_head` bytes.
    pub fn is_due(&mut self, head: &[u8], max_head: usize) -> bool {
        let start = std::mem::replace(&mut self.searched, head.len());
        let fresh = head.get(start..).unwrap_or_default();
        let mut is_due = head.len() >= max_head;
        for at in memchr::memchr_iter(b'\n', fresh) {
            let line = head.get(..start + at).unwrap_or_default();
            is_due |= !self.has_line || matches!(line, [.., b'\n'] | [.., b'\n', b'\r']);
            self.has_line = true;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FieldStorage, Limits, parse_response};
    use super::*;

    const LIMITS: Limits = Limits {
        max_head: 4096,
        max_target: 0,
        max_fields: 128,
    };

    /// The lengths at which a head is parsed that comes in pieces of `size`.
    fn due_at(input: &[u8], size: usize) -> Vec<usize> {
        let mut end = HeadEnd::default();
        let lengths = (size..input.len())
            .step_by(size)
            .chain(std::iter::once(input.len()));
        lengths
            .filter(|&length| end.is_due(&input[..length], LIMITS.max_head))
            .collect()
    }

    #[test]
    fn a_head_that_trickles_in_is_parsed_twice() {
        let fields = "Name: value\r\n".repeat(100);
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        assert_eq!(due_at(head.as_bytes(), 1), [17, head.len()]);
        assert_eq!(due_at(head.as_bytes(), 10), [20, head.len()]);
        assert_eq!(due_at(head.as_bytes(), head.len()), [head.len()]);
    }

    #[test]
    fn a_head_without_end_is_parsed_at_the_limit() {
        for line in ["A: b\r\n", "A"] {
            let endless = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(4096));
            let due = due_at(&endless.as_bytes()[..4096], 1);
            assert_eq!(due, [17, 4096]);
            let mut storage = FieldStorage::new();
            let input = &endless.as_bytes()[..4096];
            assert!(parse_response(input, &mut storage, &LIMITS, false).is_err());
        }
    }

    #[test]
    fn no_end_is_missed() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\nA: b\n\n",
            "HTTP/1.1 200 OK\r\nA: b\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\n",
            "\r\n\r\n",
            "\n",
        ] {
            for size in 1..=head.len() {
                let due = due_at(head.as_bytes(), size);
                assert_eq!(due.last(), Some(&head.len()), "{head:?} by {size}");
            }
        }
    }

    #[test]
    fn where_parsing_is_not_due_it_finds_nothing() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA:\r\nB: \x80\r\n\r\nhello";
        let mut end = HeadEnd::default();
        let mut found = Vec::new();
        for length in 1..=head.len() {
            let due = end.is_due(&head[..length], LIMITS.max_head);
            let mut storage = FieldStorage::new();
            let parsed = parse_response(&head[..length], &mut storage, &LIMITS, false);
            if parsed.expect("a good head").is_some() && found.is_empty() {
                assert!(due, "at {length}");
                found.push(length);
            }
        }
        assert_eq!(found, [head.len() - 5]);
    }
}
