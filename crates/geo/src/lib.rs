//! Where an address is: countries by a database in `MaxMind`'s format.
//!
//! The bytes of a file flow in when a plan is built; an address flows in for each request that asks, and a country flows out. Pure:
//! nothing here opens a file.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

use std::fmt;
use std::net::IpAddr;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};
use sluice_model::Country;
use sluice_route::CountryLookup;

/// A database of countries.
pub struct Countries {
    reader: Reader<Vec<u8>>,
    form: Form,
}

/// Bytes that are no database of countries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongDatabase {
    /// Not `MaxMind`'s format, or broken.
    #[error("this is no database in MaxMind's format (.mmdb): {0}")]
    Format(String),
    /// A database of something else.
    #[error("this is a database of `{0}`, which says nothing of countries")]
    NoCountries(String),
}

/// Where in an entry the country stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `country.iso_code`, as `MaxMind` and DB-IP have it.
    Nested,
    /// `country_code`, as smaller databases have it.
    Flat,
}

impl Countries {
    /// A database from the bytes of its file.
    pub fn read(bytes: Vec<u8>) -> Result<Self, WrongDatabase> {
        let reader =
            Reader::from_source(bytes).map_err(|error| WrongDatabase::Format(error.to_string()))?;
        let form = Form::of(&reader)?;
        Ok(Self { reader, form })
    }
}

impl CountryLookup for Countries {
    fn country_of(&self, address: IpAddr) -> Option<Country> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        Country::of_code(self.form.code(&found)?)
    }
}

impl Form {
    /// By the first entries that have something to say.
    fn of(reader: &Reader<Vec<u8>>) -> Result<Self, WrongDatabase> {
        let wrong = |error: MaxMindDbError| WrongDatabase::Format(error.to_string());
        let entries = reader.networks(WithinOptions::default()).map_err(wrong)?;
        for entry in entries.take(LOOKED_AT) {
            let entry = entry.map_err(wrong)?;
            let forms = [Self::Nested, Self::Flat];
            let fits = |form: &Self| form.code(&entry).is_some();
            if let Some(form) = forms.into_iter().find(fits) {
                return Ok(form);
            }
        }
        let kind = reader.metadata().database_type.clone();
        Err(WrongDatabase::NoCountries(kind))
    }

    fn code<'d>(self, found: &LookupResult<'d, Vec<u8>>) -> Option<&'d str> {
        let path: &[PathElement<'_>] = match self {
            Self::Nested => &[PathElement::Key("country"), PathElement::Key("iso_code")],
            Self::Flat => &[PathElement::Key("country_code")],
        };
        found.decode_path(path).ok().flatten()
    }
}

/// How many entries are looked at for what a database is about: of some there is nothing known.
const LOOKED_AT: usize = 10_000;

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.reader.metadata().database_type;
        f.debug_tuple("Countries").field(kind).finish()
    }
}

#[cfg(test)]
mod tests;
