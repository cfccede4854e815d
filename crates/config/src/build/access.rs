//! `allow` and `deny` of routes, and the database of countries.

use std::path::Path;

use sluice_route::{Origin, Origins};

use super::Builder;
use super::matching::items;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Access, Countries};
use crate::read::{Section, Typed};

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
                countries_of_conditions(conditions, &mut spans);
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

/// Where conditions name countries, those within them included.
fn countries_of_conditions(section: &Section, spans: &mut Vec<Span>) {
    spans.extend(section.set_at("country").cloned());
    for key in ["not", "any"] {
        let parts = section.set_at(key).and_then(|_| section.read(key));
        if let Some(Typed::List(parts)) = parts.map(|read| &read.typed) {
            for part in parts {
                if let Typed::Table(part) = &part.typed {
                    countries_of_conditions(part, spans);
                }
            }
        }
    }
}
