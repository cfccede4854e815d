//! Where clients come from.

use sluice_model::Country;
use sluice_route::Origin;

use super::{Misfit, network};

/// The code of a country.
pub(super) fn country(text: &str) -> Result<Country, Misfit> {
    text.parse().map_err(|error: sluice_model::CountryError| {
        let misfit = Misfit::of(&error);
        match error.meant {
            Some(meant) => misfit.help(format!("did you mean `{meant}`?")),
            None => misfit,
        }
    })
}

/// A network, or `country:` with a code.
pub(super) fn origin(text: &str) -> Result<Origin, Misfit> {
    match text.split_once(':') {
        Some((word, code)) if word.eq_ignore_ascii_case("country") => {
            country(code.trim_ascii()).map(Origin::Country)
        }
        _ => network(text).map(Origin::Network).map_err(|_| {
            let misfit = Misfit::new(
                "an address, a network such as 10.0.0.0/8, or a country such as country:DE",
            );
            match Country::of_code(text) {
                Some(meant) => misfit.help(format!("did you mean `country:{meant}`?")),
                None => misfit,
            }
        }),
    }
}
