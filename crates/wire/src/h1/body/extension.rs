//! The grammar of chunk extensions (RFC 9112, section 7.1.1), byte by byte.

use super::BodyError;
use crate::h1::connection::is_token_byte;

/// The longest extension of one chunk, in bytes.
const MAX_LEN: u16 = 256;

/// Where in the extensions of one chunk the reader is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Extension {
    place: Place,
    len: u16,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first `;`.
    #[default]
    Start,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    /// After a backslash.
    Escaped,
    /// After the closing quote, where whitespace may follow if `;` does.
    AfterQuoted,
    AfterValue,
}

impl Extension {
    /// Takes the next byte, which is not CR.
    pub(super) fn take(&mut self, byte: u8) -> Result<(), BodyError> {
        self.len += 1;
        if self.len > MAX_LEN {
            return Err(BodyError::ChunkExtensionTooLong);
        }
        self.place = self.place.after(byte).ok_or(BodyError::ChunkExtension)?;
        Ok(())
    }

    /// The line ends here.
    pub(super) fn end(self) -> Result<(), BodyError> {
        match self.place {
            Place::Name | Place::Value | Place::AfterQuoted => Ok(()),
            _ => Err(BodyError::ChunkExtension),
        }
    }
}

impl Place {
    fn after(self, byte: u8) -> Option<Self> {
        let blank = matches!(byte, b' ' | b'\t');
        let text = blank || (byte > b' ' && byte != 0x7F);
        let token = is_token_byte(byte);
        Some(match self {
            Self::Start if byte == b';' => Self::BeforeName,
            Self::BeforeName if blank => Self::BeforeName,
            Self::BeforeName | Self::Name if token => Self::Name,
            Self::Name | Self::AfterName if blank => Self::AfterName,
            Self::Name | Self::AfterName if byte == b'=' => Self::BeforeValue,
            Self::Name | Self::AfterName | Self::Value | Self::AfterQuoted | Self::AfterValue
                if byte == b';' =>
            {
                Self::BeforeName
            }
            Self::BeforeValue if blank => Self::BeforeValue,
            Self::BeforeValue if byte == b'"' => Self::Quoted,
            Self::BeforeValue | Self::Value if token => Self::Value,
            Self::Value | Self::AfterQuoted | Self::AfterValue if blank => Self::AfterValue,
            Self::Quoted if byte == b'"' => Self::AfterQuoted,
            Self::Quoted if byte == b'\\' => Self::Escaped,
            Self::Quoted | Self::Escaped if text => Self::Quoted,
            _ => return None,
        })
    }
}
