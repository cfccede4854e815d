//! What our cookie says: a server, and since when. Signed, so that only balancers with the secret can say it.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the server's name |
//! | 6 | when it was issued, in seconds since 1970 |
//! | 16 | HMAC-SHA256 of the above, its first half (RFC 2104, 5) |
//!
//! All numbers are big-endian, and the whole is written in base64url without padding: 40 characters, each of which is a
//! part of the signed bytes, so that there is one text for each pin.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::signer::{ServerName, Signer};

/// That a session belongs to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The server.
    pub server: ServerName,
    /// When that was said, in seconds since 1970; the lower 48 bits count.
    pub issued: u64,
}

/// How many characters the value of a cookie has.
pub const PIN_LENGTH: usize = 40;

impl Pin {
    /// The value of a cookie that says so.
    pub fn sign(self, signer: &Signer) -> [u8; PIN_LENGTH] {
        let mut bytes = [0; SIGNED + SIGNATURE];
        let server = self.server.0.to_be_bytes();
        let issued = self.issued.to_be_bytes();
        let said = server.iter().chain(issued.iter().skip(2));
        for (to, from) in bytes.iter_mut().zip(said) {
            *to = *from;
        }
        let (said, signature) = bytes.split_at_mut(SIGNED);
        let tag = signer.signature(said);
        for (to, from) in signature.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        let mut text = [b'A'; PIN_LENGTH];
        // It is as long as it has to be.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        text
    }

    /// What the value of a cookie says; `None` where it is none of ours, or was changed. How long that takes does not depend on
    /// what is wrong with its signature.
    pub fn read(signer: &Signer, value: &[u8]) -> Option<Self> {
        if value.len() != PIN_LENGTH {
            return None;
        }
        let mut bytes = [0; SIGNED + SIGNATURE];
        let length = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (said, signature) = bytes.split_at(SIGNED);
        let tag = signer.signature(said);
        verify_slices_are_equal(tag.as_ref().get(..SIGNATURE)?, signature).ok()?;
        let (server, issued) = said.split_first_chunk::<8>()?;
        let number = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(Self {
            server: ServerName(u64::from_be_bytes(*server)),
            issued: issued.iter().fold(0, number),
        })
    }

    /// How many seconds ago it was issued. Clocks of balancers differ: what is of the future is of now.
    pub fn age(self, now: u64) -> u64 {
        now.saturating_sub(self.issued)
    }
}

const SIGNED: usize = 14;
const SIGNATURE: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer() -> Signer {
        Signer::new(b"0123456789abcdef", "app")
    }

    #[test]
    fn the_form_never_changes() {
        let pin = Pin {
            server: ServerName(0x0102_0304_0506_0708),
            issued: 1_700_000_000,
        };
        let value = pin.sign(&signer());
        assert_eq!(
            std::str::from_utf8(&value),
            Ok("AQIDBAUGBwgAAGVT8QAcnB4prupgi_ov_ZSd8acu")
        );
    }

    #[test]
    fn those_of_another_secret_or_upstream_are_none() {
        let pin = Pin {
            server: ServerName(7),
            issued: 7,
        };
        let value = pin.sign(&signer());
        for other in [
            Signer::new(b"0123456789abcdeg", "app"),
            Signer::new(b"0123456789abcdef", "api"),
        ] {
            assert_eq!(Pin::read(&other, &value), None);
        }
    }

    #[test]
    fn every_other_character_is_found_out() {
        let pin = Pin {
            server: ServerName(7),
            issued: 1_700_000_000,
        };
        let value = pin.sign(&signer());
        for position in 0..PIN_LENGTH {
            for byte in 0..=u8::MAX {
                let mut changed = value;
                changed[position] = byte;
                let expected = (changed == value).then_some(pin);
                assert_eq!(
                    Pin::read(&signer(), &changed),
                    expected,
                    "{position} {byte}"
                );
            }
        }
    }

    #[test]
    fn ages() {
        let pin = Pin {
            server: ServerName(7),
            issued: 100,
        };
        assert_eq!(pin.age(160), 60);
        assert_eq!(pin.age(40), 0);
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read(server: u64, issued in 0..1_u64 << 48) {
            let pin = Pin { server: ServerName(server), issued };
            prop_assert_eq!(Pin::read(&signer(), &pin.sign(&signer())), Some(pin));
        }

        #[test]
        fn anything_else_is_nothing(value in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(Pin::read(&signer(), &value), None);
        }

        #[test]
        fn parts_are_nothing(server: u64, issued in 0..1_u64 << 48, length in 0..PIN_LENGTH, more in "[A-Za-z0-9_=-]{1,9}") {
            let value = Pin { server: ServerName(server), issued }.sign(&signer());
            prop_assert_eq!(Pin::read(&signer(), &value[..length]), None);
            let longer = [&value, more.as_bytes()].concat();
            prop_assert_eq!(Pin::read(&signer(), &longer), None);
        }
    }
}
