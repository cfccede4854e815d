//! Rates of requests, and whose they are.

use std::time::Duration;

use sluice_limit::Rate;

use super::hash_key::is_address;
use super::{Misfit, field_name};
use crate::plan::KeyPart;
use crate::suggest::closest;

/// `100/s`, `/m`, `/h` or `/d`.
pub(super) fn rate(text: &str) -> Result<Rate, Misfit> {
    let Some((count, unit)) = text.split_once('/') else {
        let misfit = Misfit::new("it is a number and a time, such as 100/s or 1000/m");
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return Err(
            match text.strip_suffix("r/s").or(text.strip_suffix("rps")) {
                _ if is_number => misfit.help(format!("did you mean \"{text}/s\"?")),
                Some(count) => misfit.help(format!("did you mean \"{count}/s\"?")),
                None => misfit,
            },
        );
    };
    let per = UNITS.iter().find(|(name, _)| *name == unit);
    let Some((_, per)) = per else {
        let misfit = Misfit::new("the time is one of s, m, h and d");
        let slip = SLIPS
            .iter()
            .find(|(slip, _)| slip.eq_ignore_ascii_case(unit));
        return Err(match slip {
            Some((_, meant)) => misfit.help(format!("did you mean \"{count}/{meant}\"?")),
            None => match per_one(count, unit) {
                Some((rate, burst)) => {
                    misfit.help(format!("with `burst = {burst}` that is \"{rate}\""))
                }
                None => misfit,
            },
        });
    };
    let number = whole(count).ok_or_else(|| {
        let misfit = Misfit::new("before the `/` there is a whole number and nothing else");
        match whole(count.trim_end_matches(|c: char| c.is_ascii_alphabetic())) {
            Some(count) => misfit.help(format!("did you mean \"{count}/{unit}\"?")),
            None => misfit,
        }
    })?;
    Rate::new(number, *per).ok_or_else(|| match number {
        0 => Misfit::new("none at all is no rate").help("`deny` of a route keeps clients out"),
        _ => Misfit::new("no more than 10000000/s"),
    })
}

/// `4/10s` by the longer time of one that it is a whole number in: `24/m`; and how many may come at once.
fn per_one(count: &str, several: &str) -> Option<(String, u32)> {
    let burst = whole(count)?;
    let (name, unit) = UNITS.iter().find(|(name, _)| several.ends_with(name))?;
    let times = whole(several.strip_suffix(name)?)?;
    let time = u64::from(times) * unit.as_secs();
    UNITS.iter().find_map(|(name, unit)| {
        let (seconds, count) = (unit.as_secs(), u64::from(burst));
        let is_whole =
            time > 0 && (count * seconds).is_multiple_of(time) && count * seconds >= time;
        is_whole.then(|| (format!("{}/{name}", count * seconds / time), burst))
    })
}

fn whole(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

const UNITS: &[(&str, Duration)] = &[
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
    ("d", Duration::from_hours(24)),
];

const SLIPS: &[(&str, &str)] = &[
    ("sec", "s"),
    ("second", "s"),
    ("1s", "s"),
    ("min", "m"),
    ("minute", "m"),
    ("1m", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("1h", "h"),
    ("day", "d"),
    ("1d", "d"),
];

/// One of `key`.
pub(super) fn key(text: &str) -> Result<KeyPart, Misfit> {
    let name = |name: &str| match field_name(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(_) if name.is_empty() => Err(Misfit::new("the name is missing")),
        Err(misfit) => Err(misfit),
    };
    match text.split_once(':') {
        None if text == "client-ip" => Ok(KeyPart::ClientIp),
        None if text == "path" => Ok(KeyPart::Path),
        None if text == "auth-name" => Ok(KeyPart::AuthName),
        None if text == "route" => Ok(KeyPart::Route),
        None if text == "global" => Ok(KeyPart::Global),
        Some(("header", of)) => Ok(KeyPart::Header(name(of)?.to_ascii_lowercase().into())),
        Some(("cookie", of)) => Ok(KeyPart::Cookie(name(of)?.into())),
        Some(("jwt", "")) => Err(Misfit::new("the name of the claim is missing")),
        Some(("jwt", of)) => Ok(KeyPart::Claim(of.into())),
        _ => Err(no_key(text)),
    }
}

fn no_key(text: &str) -> Misfit {
    let misfit = Misfit::new(
        "it is client-ip, header:NAME, cookie:NAME, jwt:CLAIM, auth-name, path, route or global",
    );
    let (word, name) = text.split_once(':').unwrap_or((text, "NAME"));
    let known = [
        "client-ip",
        "header",
        "cookie",
        "jwt",
        "auth-name",
        "path",
        "route",
        "global",
    ];
    match closest(word, known) {
        _ if is_address(text) => misfit.help("did you mean \"client-ip\"?"),
        _ if matches!(word, "claim" | "token") => {
            misfit.help(format!("did you mean \"jwt:{name}\"?"))
        }
        Some(meant @ ("header" | "cookie" | "jwt")) => {
            misfit.help(format!("did you mean \"{meant}:{name}\"?"))
        }
        Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
        None if field_name(text).is_ok() => misfit.help(format!("did you mean \"header:{text}\"?")),
        None => misfit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, count, seconds) in [
            ("1/s", 1, 1),
            ("100/m", 100, 60),
            ("5/h", 5, 3_600),
            ("7/d", 7, 86_400),
        ] {
            let found = rate(text).expect("a rate");
            assert_eq!((found.count(), found.per().as_secs()), (count, seconds));
            assert_eq!(found.to_string(), text);
        }
        for text in [
            "",
            "/s",
            "0/s",
            "-1/s",
            "1.5/s",
            "10",
            "10/",
            "10/week",
            "10000001/s",
            "99999999999/d",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
        let help = |text| rate(text).expect_err("no rate").help;
        assert_eq!(help("10").as_deref(), Some("did you mean \"10/s\"?"));
        assert_eq!(help("10rps").as_deref(), Some("did you mean \"10/s\"?"));
        assert_eq!(help("10/minute").as_deref(), Some("did you mean \"10/m\"?"));
        assert_eq!(help("10r/s").as_deref(), Some("did you mean \"10/s\"?"));
        for (text, meant) in [
            ("4/10s", "with `burst = 4` that is \"24/m\""),
            ("100/10s", "with `burst = 100` that is \"10/s\""),
            ("1/90m", "with `burst = 1` that is \"16/d\""),
        ] {
            assert_eq!(help(text).as_deref(), Some(meant));
        }
        for text in ["+1/s", "1.5/s", "/s", "4/0s", "1/2d", "4/+10s", "a/10s"] {
            assert_eq!(help(text), None, "{text}");
        }
    }
}
