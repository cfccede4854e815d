//! Where clients may come from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sluice_route::{CountryLookup, Facts, Origins};

/// `allow` and `deny` of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// `allow`: where clients have to come from; empty: from anywhere.
    pub allow: Origins,
    /// `deny`: where none may come from, even if it is allowed too.
    pub deny: Origins,
}

impl Access {
    /// Whether the client may come in.
    pub fn admits(&self, facts: &Facts<'_>) -> bool {
        !self.deny.contain(facts) && (self.allow.is_empty() || self.allow.contain(facts))
    }
}

/// `[geo]`: a database of countries. Two are equal if they were read from the same bytes of the same file.
#[derive(Clone)]
pub struct Countries {
    /// The file, which is watched.
    pub file: PathBuf,
    /// What tells its bytes from others.
    pub hash: u64,
    /// What is asked.
    pub lookup: Arc<dyn CountryLookup + Send + Sync>,
}

impl PartialEq for Countries {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.hash == other.hash
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Countries").field(&self.file).finish()
    }
}
