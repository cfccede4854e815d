//! What a session's server was sent before it answered anything: kept for another one, should it turn out to be gone.

/// The datagrams, in their order; all that the server was sent, or none.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    bytes: Vec<u8>,
    ends: [u16; MOST],
    count: usize,
    has_given_up: bool,
}

impl Unanswered {
    /// Keeps one more. Where there is no room nothing is kept any more: a part of what a client said is worth nothing.
    pub(super) fn note(&mut self, datagram: &[u8]) {
        if self.has_given_up {
            return;
        }
        let end = self.bytes.len() + datagram.len();
        let place = self.ends.get_mut(self.count).filter(|_| end <= ROOM);
        match (place, u16::try_from(end)) {
            (Some(place), Ok(end)) => {
                *place = end;
                self.bytes.extend_from_slice(datagram);
                self.count += 1;
            }
            _ => self.give_up(),
        }
    }

    /// Keeps nothing any more, and frees what it took.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            has_given_up: true,
            ..Self::default()
        };
    }

    /// Whether what is sent now is still to be kept.
    pub(super) fn is_open(&self) -> bool {
        !self.has_given_up
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The datagrams, in the order in which they were sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().take(self.count).filter_map(move |end| {
            let end = usize::from(*end);
            self.bytes.get(std::mem::replace(&mut start, end)..end)
        })
    }
}

/// Datagrams that are kept of a session.
const MOST: usize = 4;
/// Bytes that are kept of a session: a question, or the beginning of a handshake.
const ROOM: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(unanswered: &Unanswered) -> Vec<&[u8]> {
        let all: Vec<_> = unanswered.iter().collect();
        assert_eq!(all.len(), unanswered.len());
        all
    }

    #[test]
    fn keeps_them_apart_and_in_order() {
        let mut unanswered = Unanswered::default();
        for datagram in [&b"one"[..], b"", b"three"] {
            unanswered.note(datagram);
        }
        assert_eq!(kept(&unanswered), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn keeps_all_or_nothing() {
        let mut by_count = Unanswered::default();
        for _ in 0..MOST {
            by_count.note(b"x");
        }
        assert_eq!(by_count.len(), MOST);
        by_count.note(b"x");
        assert!(kept(&by_count).is_empty());
        by_count.note(b"x");
        assert!(kept(&by_count).is_empty(), "a later part is no whole");

        let mut by_size = Unanswered::default();
        by_size.note(&[0; ROOM]);
        assert_eq!(by_size.len(), 1);
        by_size.note(b"x");
        assert!(kept(&by_size).is_empty());
    }

    #[test]
    fn an_answer_ends_it() {
        let mut unanswered = Unanswered::default();
        unanswered.note(b"x");
        unanswered.give_up();
        unanswered.note(b"y");
        assert!(kept(&unanswered).is_empty());
    }
}
