//! Connection ids that name the worker (RFC 9000, 5.1): six random bytes and the worker's number, hidden by a hash of them
//! under a key that only this process has, so that an id tells nobody else anything.

use std::hash::{BuildHasher, RandomState};

use quinn::{ConnectionId, ConnectionIdGenerator};

/// Makes and reads ids.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    key: RandomState,
    worker: u16,
}

impl Ids {
    /// For the workers of one listener.
    pub(crate) fn new(key: RandomState, worker: u16) -> Self {
        Self { key, worker }
    }

    /// The worker that a datagram is for, where it names one: it belongs to a connection that is set up. The first ones of
    /// a connection come from one address, and the kernel keeps them together.
    pub(crate) fn worker_of(&self, datagram: &[u8]) -> Option<u16> {
        let first = *datagram.first()?;
        let id = if first & LONG == 0 {
            datagram.get(1..=LENGTH)?
        } else if first & TYPE == HANDSHAKE {
            let length = usize::from(*datagram.get(5)?);
            datagram.get(6..6 + length)?
        } else {
            return None;
        };
        let (random, hidden) = id.split_first_chunk::<RANDOM>()?;
        let hidden = u16::from_be_bytes(hidden.try_into().ok()?);
        Some(hidden ^ self.mask(*random))
    }

    fn mask(&self, random: [u8; RANDOM]) -> u16 {
        let [first, second, ..] = self.key.hash_one(random).to_le_bytes();
        u16::from_le_bytes([first, second])
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        // A fresh key of the standard library's is what randomness there is without asking the kernel each time: the hash
        // of a counter under a key that nobody knows.
        let random = RandomState::new().hash_one(self.worker).to_le_bytes();
        let mut id = [0; LENGTH];
        if let (Some(random), Some((head, tail))) = (
            random.first_chunk::<RANDOM>(),
            id.split_first_chunk_mut::<RANDOM>(),
        ) {
            *head = *random;
            let hidden = self.worker ^ self.mask(*random);
            tail.copy_from_slice(&hidden.to_be_bytes());
        }
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

const LENGTH: usize = 8;
const RANDOM: usize = 6;
/// The first bit of a long header (RFC 9000, 17.2).
const LONG: u8 = 0x80;
const TYPE: u8 = 0x30;
const HANDSHAKE: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_worker() {
        let key = RandomState::new();
        let reader = Ids::new(key.clone(), 0);
        let mut seen = std::collections::HashSet::new();
        for worker in [0, 1, 7, 300] {
            let mut ids = Ids::new(key.clone(), worker);
            for _ in 0..100 {
                let id = ids.generate_cid();
                assert!(seen.insert(id), "ids repeat");
                let short = [&[0x40][..], &id, b"rest"].concat();
                assert_eq!(reader.worker_of(&short), Some(worker));
                let long = [&[0xE0, 0, 0, 0, 1, 8][..], &id, b"rest"].concat();
                assert_eq!(reader.worker_of(&long), Some(worker));
                let initial = [&[0xC0, 0, 0, 0, 1, 8][..], &id, b"rest"].concat();
                assert_eq!(reader.worker_of(&initial), None);
            }
        }
    }

    #[test]
    fn what_is_too_short_names_none() {
        let ids = Ids::new(RandomState::new(), 0);
        for datagram in [
            &b""[..],
            b"\x40",
            b"\x40short",
            b"\xe0\0\0\0\x01",
            b"\xe0\0\0\0\x01\x02ab",
            b"\xe0\0\0\0\x01\xffab",
        ] {
            assert_eq!(ids.worker_of(datagram), None, "{datagram:?}");
        }
    }
}
