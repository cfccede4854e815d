//! `Authorization: Basic` (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A name and a password, as a client has sent them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    bytes: Box<[u8]>,
    /// Where the colon between the two is.
    colon: usize,
}

impl Credentials {
    /// The name; empty where it is no text.
    pub fn name(&self) -> &str {
        let name = self.bytes.get(..self.colon).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The password.
    pub fn password(&self) -> &[u8] {
        self.bytes.get(self.colon + 1..).unwrap_or_default()
    }

    /// Both, as they were sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Reads the value of `Authorization`; `None` where it is of another scheme, malformed, or longer than any that is meant.
pub fn basic_credentials(value: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || encoded.len() > LONGEST {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    Some(Credentials {
        bytes: bytes.into(),
        colon,
    })
}

const SCHEME: &[u8] = b"Basic ";
/// Characters of base64.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send() {
        let credentials = basic_credentials(b"basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==").expect("both");
        assert_eq!(credentials.name(), "Aladdin");
        assert_eq!(
            credentials.password(),
            b"open:sesame",
            "a password may have colons"
        );
        assert!(!format!("{credentials:?}").contains("ala"));
        let long = format!("Basic {}", "YTph".repeat(300));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Basic YQ==",
            "Bearer YTpi",
            "Basic YTp",
            "Basic !!!!",
            &long,
        ] {
            assert_eq!(basic_credentials(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
