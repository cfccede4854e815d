//! Countries by their codes.

use std::fmt;
use std::str::FromStr;

/// A country by its code of two letters (ISO 3166-1 alpha-2, and `XK` for Kosovo, which databases use).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// A text that is no country's code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no code of a country, which is two letters of ISO 3166-1 such as DE")]
pub struct CountryError {
    /// The code that was probably meant.
    pub meant: Option<Country>,
}

impl Country {
    /// The code in upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The country of a code, in any case; only codes that are assigned.
    pub fn of_code(code: &str) -> Option<Self> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        let bytes = bytes.map(|byte| byte.to_ascii_uppercase());
        let mut codes = CODES.split_ascii_whitespace();
        let is_assigned = codes.any(|one| one.as_bytes() == bytes);
        is_assigned.then_some(Self(bytes))
    }
}

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        Self::of_code(text).ok_or_else(|| {
            let mistaken = MISTAKEN.iter();
            let mut meant = mistaken.filter(|(wrong, _)| text.eq_ignore_ascii_case(wrong));
            CountryError {
                meant: meant.next().and_then(|(_, right)| Self::of_code(right)),
            }
        })
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What people write, and what they mean by it.
const MISTAKEN: &[(&str, &str)] = &[
    ("UK", "GB"),
    ("EN", "GB"),
    ("EL", "GR"),
    ("JAP", "JP"),
    ("USA", "US"),
    ("GER", "DE"),
    ("DEU", "DE"),
    ("FRA", "FR"),
    ("GBR", "GB"),
    ("CHN", "CN"),
    ("RUS", "RU"),
];

const CODES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ \
BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ \
DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY \
HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY \
MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ \
NA NC NE NF NG NI NL NO NP NR NU NZ OM \
PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ \
TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ \
VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_iso_3166_in_any_case() {
        assert_eq!(CODES.split_ascii_whitespace().count(), 249 + 1);
        assert_eq!(
            "de".parse::<Country>().map(|one| one.to_string()),
            Ok("DE".to_owned())
        );
        for wrong in ["", "D", "DEU", "ZZ", "ÄÖ", "d e", "1A"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_people_mistake_is_known() {
        for (wrong, right) in MISTAKEN {
            let error = wrong.parse::<Country>().unwrap_err();
            assert_eq!(error.meant, Country::of_code(right));
            assert!(error.meant.is_some());
        }
    }
}
