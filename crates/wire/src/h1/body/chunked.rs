//! The chunked transfer coding (RFC 9112, section 7.1), read byte for byte as the grammar has it: no whitespace around
//! sizes, no sign, no bare line ends.
//!
//! Chunk extensions are checked and cut out: nobody along the way needs them, and they have carried smuggled requests.

use super::extension::Extension;
use super::trailers::Trailers;
use super::{BodyError, Chunks, Step};

#[derive(Debug)]
pub(super) struct Chunked {
    place: Place,
    chunks: Chunks,
    /// Digits of the current size so far.
    digits: u8,
    extension: Extension,
    /// Bytes of extensions not yet outweighed by bytes of payload.
    extension_debt: u32,
    /// Bytes left of the current chunk; while its header is read, the size so far.
    left: u64,
    /// Only where the body has trailers.
    trailers: Option<Box<Trailers>>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    Extension,
    HeaderCr,
    HeaderLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// Behind the last chunk: an empty line or the first trailer.
    Section,
    SectionLf,
    Trailers,
    Done,
}

/// Sizes have at most this many digits, leading zeros included.
const MAX_DIGITS: u8 = 16;

/// How far extensions, all told, may be ahead of the payload, in bytes.
const MAX_EXTENSION_DEBT: u32 = 16 * 1024;

impl Chunked {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self {
            place: Place::Size,
            chunks,
            digits: 0,
            extension: Extension::default(),
            extension_debt: 0,
            left: 0,
            trailers: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    pub(super) fn is_at_payload(&self) -> bool {
        self.place == Place::Payload
    }

    pub(super) fn trailers(&self) -> &[u8] {
        self.trailers
            .as_ref()
            .map_or(b"", |trailers| trailers.kept())
    }

    /// `input` must not be empty.
    pub(super) fn decode(&mut self, input: &[u8], payload: &mut u64) -> Result<Step, BodyError> {
        if self.place == Place::Payload && self.chunks == Chunks::Removed {
            return Ok(Step::Forward(self.pass_payload(input, payload)));
        }
        // Twice at most: an extension may turn out to have ended where the input begins.
        loop {
            let used = self.walk(input, payload)?;
            if used > 0 {
                return Ok(match self.chunks {
                    Chunks::Kept => Step::Forward(used),
                    Chunks::Removed => Step::Skip(used),
                });
            }
            if self.place != Place::Extension {
                return self.collect_trailers(input);
            }
            let used = self.cut_extension(input)?;
            if used > 0 {
                return Ok(Step::Skip(used));
            }
        }
    }

    /// Goes on through what is treated alike: for [`Chunks::Kept`] everything up to an extension or a trailer, for
    /// [`Chunks::Removed`] also only up to payload. Returns how far it came.
    fn walk(&mut self, input: &[u8], payload: &mut u64) -> Result<usize, BodyError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.place {
                Place::Size => match byte {
                    b'0'..=b'9' => self.add_digit(byte - b'0')?,
                    b'a'..=b'f' => self.add_digit(byte - b'a' + 10)?,
                    b'A'..=b'F' => self.add_digit(byte - b'A' + 10)?,
                    b'\r' if self.digits > 0 => self.place = Place::HeaderLf,
                    b';' if self.digits > 0 => {
                        self.place = Place::Extension;
                        self.extension = Extension::default();
                        break;
                    }
                    _ => return Err(BodyError::ChunkSize),
                },
                Place::HeaderCr => self.expect(byte, b'\r', Place::HeaderLf)?,
                Place::HeaderLf => {
                    let next = if self.left == 0 {
                        Place::Section
                    } else {
                        Place::Payload
                    };
                    self.expect(byte, b'\n', next)?;
                    self.digits = 0;
                }
                Place::Payload if self.chunks == Chunks::Removed => break,
                Place::Payload => {
                    at += self.pass_payload(input.get(at..).unwrap_or_default(), payload);
                    continue;
                }
                Place::PayloadCr => self.expect(byte, b'\r', Place::PayloadLf)?,
                Place::PayloadLf => self.expect(byte, b'\n', Place::Size)?,
                Place::Section if byte == b'\r' => self.place = Place::SectionLf,
                Place::Section => {
                    self.place = Place::Trailers;
                    break;
                }
                Place::SectionLf if byte == b'\n' => {
                    self.place = Place::Done;
                    return Ok(at + 1);
                }
                Place::SectionLf => return Err(BodyError::Trailers),
                Place::Extension | Place::Trailers | Place::Done => break,
            }
            at += 1;
        }
        Ok(at)
    }

    #[inline]
    fn add_digit(&mut self, digit: u8) -> Result<(), BodyError> {
        self.digits += 1;
        if self.digits > MAX_DIGITS {
            return Err(BodyError::ChunkSizeOverflow);
        }
        self.left = (self.left << 4) | u64::from(digit);
        // Others keep it in a signed word.
        if i64::try_from(self.left).is_err() {
            return Err(BodyError::ChunkSizeOverflow);
        }
        Ok(())
    }

    #[inline]
    fn expect(&mut self, byte: u8, expected: u8, next: Place) -> Result<(), BodyError> {
        if byte != expected {
            return Err(BodyError::ChunkEnd);
        }
        self.place = next;
        Ok(())
    }

    #[inline]
    fn pass_payload(&mut self, input: &[u8], payload: &mut u64) -> usize {
        let used = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(input.len());
        self.left -= used as u64;
        *payload = payload.saturating_add(used as u64);
        self.extension_debt = self
            .extension_debt
            .saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        if self.left == 0 {
            self.place = Place::PayloadCr;
        }
        used
    }

    fn cut_extension(&mut self, input: &[u8]) -> Result<usize, BodyError> {
        let mut used: u32 = 0;
        for &byte in input {
            if byte == b'\r' {
                self.extension.end()?;
                self.place = Place::HeaderCr;
                break;
            }
            self.extension.take(byte)?;
            used += 1;
        }
        self.extension_debt += used;
        if self.extension_debt > MAX_EXTENSION_DEBT {
            return Err(BodyError::ChunkExtensionTooLong);
        }
        Ok(used as usize)
    }

    fn collect_trailers(&mut self, input: &[u8]) -> Result<Step, BodyError> {
        let trailers = self.trailers.get_or_insert_default();
        let (used, whole) = trailers.take(input)?;
        if !whole {
            return Ok(Step::Skip(used));
        }
        self.place = Place::Done;
        match self.chunks {
            Chunks::Kept => Ok(Step::Trailers(used)),
            Chunks::Removed => Ok(Step::Skip(used)),
        }
    }
}
