//! Names and hashed passwords, as `htpasswd` writes them: bcrypt or argon2.
//!
//! To check a password takes long, and that is what such hashes are for: who checks one does not do so where others wait.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use thiserror::Error;

/// Who has a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Users {
    by_name: BTreeMap<Box<str>, Hash>,
    /// What passwords of those are compared with whom nobody knows: so that it takes as long.
    nobody: Hash,
}

/// Why a text holds no passwords. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordsError {
    /// There is none.
    #[error("there is nobody in it")]
    Empty,
    /// A line without a colon or a name.
    #[error("line {0} is not a name, a colon and a hash")]
    Line(usize),
    /// A name that could not be passed on.
    #[error("the name on line {0} holds spaces or control characters, or is longer than 128 bytes")]
    Name(usize),
    /// The same name again.
    #[error("the name on line {0} was there before")]
    Twice(usize),
    /// A hash that is found out by trying.
    #[error("the password on line {0} is hashed by {1}, which is found out by trying")]
    Weak(usize, &'static str),
    /// A password that is no hash at all, or a hash of another kind.
    #[error("the password on line {0} is not hashed by bcrypt or argon2")]
    Unknown(usize),
    /// A hash that takes far too long, or too much memory.
    #[error("the hash on line {0} would take too long to check, or too much memory")]
    Slow(usize),
}

#[derive(Clone, PartialEq, Eq)]
enum Hash {
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        /// All but the last byte of what is computed, which bcrypt leaves out.
        digest: [u8; 23],
    },
    Argon2 {
        algorithm: Algorithm,
        memory: u32,
        passes: u32,
        lanes: u32,
        salt: Box<[u8]>,
        digest: Box<[u8]>,
    },
}

impl Users {
    /// Reads lines of a name, a colon and a hash. Empty lines and those that begin with `#` are passed over.
    pub fn parse(text: &str) -> Result<Self, PasswordsError> {
        let mut by_name = BTreeMap::new();
        let mut nobody = None;
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').ok_or(PasswordsError::Line(number))?;
            let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
            if name.is_empty() {
                return Err(PasswordsError::Line(number));
            }
            if name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
                return Err(PasswordsError::Name(number));
            }
            let hash = Hash::parse(hash, number)?;
            nobody.get_or_insert_with(|| hash.clone());
            if by_name.insert(name.into(), hash).is_some() {
                return Err(PasswordsError::Twice(number));
            }
        }
        let nobody = nobody.ok_or(PasswordsError::Empty)?;
        Ok(Self { by_name, nobody })
    }

    /// Whether the password is that of the name. Takes as long as the hash is meant to, tens of milliseconds and more, also where nobody
    /// is called so.
    pub fn has(&self, name: &str, password: &[u8]) -> bool {
        let known = self.by_name.get(name);
        let fits = known.unwrap_or(&self.nobody).fits(password);
        fits && known.is_some()
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}

impl Hash {
    fn parse(text: &str, line: usize) -> Result<Self, PasswordsError> {
        let mut parts = text.split('$');
        let (Some(""), Some(kind)) = (parts.next(), parts.next()) else {
            return Err(if text.starts_with("{SHA}") {
                PasswordsError::Weak(line, "SHA-1")
            } else {
                PasswordsError::Unknown(line)
            });
        };
        let unknown = PasswordsError::Unknown(line);
        match kind {
            "2a" | "2b" | "2y" => Self::bcrypt(&mut parts, line)?.ok_or(unknown),
            "argon2id" => Self::argon2(Algorithm::Argon2id, &mut parts, line)?.ok_or(unknown),
            "argon2i" => Self::argon2(Algorithm::Argon2i, &mut parts, line)?.ok_or(unknown),
            "argon2d" => Self::argon2(Algorithm::Argon2d, &mut parts, line)?.ok_or(unknown),
            "apr1" | "1" => Err(PasswordsError::Weak(line, "MD5")),
            "5" | "6" => Err(PasswordsError::Weak(line, "SHA-2")),
            _ => Err(unknown),
        }
    }

    /// `$2y$10$` and 22 characters of salt with 31 of digest behind.
    fn bcrypt<'t>(
        parts: &mut impl Iterator<Item = &'t str>,
        line: usize,
    ) -> Result<Option<Self>, PasswordsError> {
        let (cost, rest) = (parts.next(), parts.next());
        let cost: Option<u32> = cost.and_then(|cost| cost.parse().ok());
        let split = rest.and_then(|rest| rest.split_at_checked(22));
        let (Some(cost), Some((salt, digest)), None) = (cost, split, parts.next()) else {
            return Ok(None);
        };
        if cost > HIGHEST_COST {
            return Err(PasswordsError::Slow(line));
        }
        let decoded = |text: &str| BCRYPT_BASE64.decode(text).ok();
        let salt = decoded(salt).and_then(|salt| salt.try_into().ok());
        let digest = decoded(digest).and_then(|digest| digest.try_into().ok());
        Ok(match (salt, digest) {
            (Some(salt), Some(digest)) if cost >= 4 => Some(Self::Bcrypt { cost, salt, digest }),
            _ => None,
        })
    }

    /// `$argon2id$v=19$m=65536,t=3,p=4$` and salt and digest.
    fn argon2<'t>(
        algorithm: Algorithm,
        parts: &mut impl Iterator<Item = &'t str>,
        line: usize,
    ) -> Result<Option<Self>, PasswordsError> {
        let (version, settings) = (parts.next(), parts.next());
        let (salt, digest, rest) = (parts.next(), parts.next(), parts.next());
        let (Some("v=19"), Some(settings), Some(salt), Some(digest), None) =
            (version, settings, salt, digest, rest)
        else {
            return Ok(None);
        };
        let setting = |name: char| -> Option<u32> {
            let mut named = settings.split(',');
            let text = named.find_map(|one| one.strip_prefix(name)?.strip_prefix('='))?;
            text.parse().ok()
        };
        let (Some(memory), Some(passes), Some(lanes)) = (setting('m'), setting('t'), setting('p'))
        else {
            return Ok(None);
        };
        if memory > MOST_MEMORY || passes > MOST_PASSES || lanes > MOST_LANES {
            return Err(PasswordsError::Slow(line));
        }
        let decoded = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        let (Some(salt), Some(digest)) = (decoded(salt), decoded(digest)) else {
            return Ok(None);
        };
        let fits = (8..=64).contains(&salt.len())
            && (16..=64).contains(&digest.len())
            && Params::new(memory, passes, lanes, Some(digest.len())).is_ok();
        Ok(fits.then(|| Self::Argon2 {
            algorithm,
            memory,
            passes,
            lanes,
            salt: salt.into(),
            digest: digest.into(),
        }))
    }

    fn fits(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt { cost, salt, digest } => {
                // It takes 72 bytes with the NUL at the end of the password; the rest never counted.
                let mut password = password.to_vec();
                password.push(0);
                password.truncate(72);
                let computed = bcrypt::bcrypt(*cost, *salt, &password);
                let computed = computed.get(..digest.len()).unwrap_or_default();
                verify_slices_are_equal(computed, digest).is_ok()
            }
            Self::Argon2 {
                algorithm,
                memory,
                passes,
                lanes,
                salt,
                digest,
            } => {
                let Ok(params) = Params::new(*memory, *passes, *lanes, Some(digest.len())) else {
                    return false;
                };
                let mut computed = vec![0; digest.len()];
                let argon2 = Argon2::new(*algorithm, Version::V0x13, params);
                argon2
                    .hash_password_into(password, salt, &mut computed)
                    .is_ok()
                    && verify_slices_are_equal(&computed, digest).is_ok()
            }
        }
    }
}

const BCRYPT_BASE64: GeneralPurpose =
    GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));
const LONGEST_NAME: usize = 128;
/// Some seconds.
const HIGHEST_COST: u32 = 16;
/// In KiB.
const MOST_MEMORY: u32 = 256 << 10;
const MOST_PASSES: u32 = 32;
const MOST_LANES: u32 = 16;

#[cfg(test)]
mod tests;
