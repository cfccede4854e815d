//! `allow` and `deny` of routes, and the database of countries.

use std::path::Path;

use sluice_route::{Origin, Origins};

use super::Builder;
use super::matching::{items, places_of};
use crate::diagnostic::Diagnostic;
use crate::plan::{Access, Countries};
use crate::read::Section;

impl Builder<'_> {
    /// `[geo]`
    pub(super) fn countries(&mut self, section: &Section) -> Option<Countries> {
        let (path, span) = section.with_span::<String>("database")?;
        match self.surroundings.countries(Path::new(&path)) {
            Ok(countries) => Some(countries),
            Err(wrong) => {
                self.wrong_file(span, wrong);
                None
            }
        }
    }

    /// Without a database nothing may go by countries.
    pub(super) fn needs_no_countries(&mut self, file: &Section) {
        let mut spans = Vec::new();
        for route in file.tables("routes") {
            if let Some(conditions) = route.table("match") {
                places_of(conditions, "country", &mut spans);
            }
            spans.extend(["allow", "deny"].into_iter().filter_map(|key| {
                let items = route.items::<Origin>(key)?.into_iter();
                let mut countries = items.filter(|(item, _)| matches!(item, Origin::Country(_)));
                countries.next().map(|(_, span)| span)
            }));
        }
        for span in spans {
            self.findings.push(
                Diagnostic::error(span, "nothing here knows of countries").help(
                    "name a file in MaxMind's format: `geo.database = \"GeoLite2-Country.mmdb\"`",
                ),
            );
        }
    }
}

/// `allow` and `deny` of a route.
pub(super) fn access(section: &Section) -> Option<Access> {
    Some(Access {
        allow: Origins::new(items(section, "allow")?),
        deny: Origins::new(items(section, "deny")?),
    })
}
