//! What health checks ask for, and what they expect.

use std::net::Ipv6Addr;

use sluice_route::Pattern;

use super::address::is_port;
use super::{Misfit, host_name};
use crate::plan::JsonTest;
use crate::read::Typed;

/// The target of a request in origin form (RFC 9112, 3.2.1).
pub(super) fn target(text: &str) -> Result<Typed, Misfit> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Misfit::new(
            "there are no spaces in a path and only ASCII: others are written as %20",
        ));
    }
    if text.contains('#') {
        return Err(Misfit::new("what follows `#` is never sent"));
    }
    if text.starts_with('/') {
        return Ok(Typed::Text(text.to_owned()));
    }
    let misfit = Misfit::new("a path begins with `/`");
    let rest = text.split_once("://").map(|(_, rest)| rest);
    Err(match rest {
        Some(rest) => {
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
            misfit.help(format!("did you mean \"{path}\"?"))
        }
        None => misfit.help(format!("did you mean \"/{text}\"?")),
    })
}

/// RFC 9110, 7.2
pub(super) fn authority(text: &str) -> Result<Typed, Misfit> {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => text,
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let fits = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.contains(':') && host_name(host).is_ok(),
    };
    if fits {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "a name such as app.example.com or an address, with a port where it needs one",
    ))
}

/// `200`, `200-299`, `2xx`: the first and the last.
pub(super) fn statuses(text: &str) -> Result<(u16, u16), Misfit> {
    let misfit =
        || Misfit::new("a status such as 200, a range such as 200-299, or a class such as 2xx");
    let status = |text: &str| {
        let status = text.trim().parse::<u16>().ok();
        status.filter(|status| (100..=599).contains(status))
    };
    if let Some(class) = text
        .strip_suffix("xx")
        .and_then(|class| status(&format!("{class}00")))
    {
        return Ok((class, class + 99));
    }
    let Some((first, last)) = text.split_once('-') else {
        let one = status(text).ok_or_else(misfit)?;
        return Ok((one, one));
    };
    let (first, last) = status(first).zip(status(last)).ok_or_else(misfit)?;
    if first > last {
        return Err(Misfit::new("the range ends before it begins")
            .help(format!("did you mean \"{last}-{first}\"?")));
    }
    Ok((first, last))
}

/// Names joined by `.`.
pub(super) fn json_path(text: &str) -> Result<Typed, Misfit> {
    if text.starts_with('$') {
        let rest = text.trim_start_matches(['$', '.']);
        return Err(
            Misfit::new("names joined by `.`, such as checks.database.status")
                .help(format!("did you mean \"{rest}\"?")),
        );
    }
    if text.split('.').any(str::is_empty) {
        return Err(Misfit::new(
            "names joined by `.`, such as checks.database.status, none of them empty",
        ));
    }
    Ok(Typed::Text(text.to_owned()))
}

/// A value, or a comparison with one.
pub(super) fn json_test(text: &str) -> Result<JsonTest, Misfit> {
    for swapped in ["=<", "=>"] {
        if let Some(rest) = text.strip_prefix(swapped) {
            let sign = if swapped == "=<" { "<=" } else { ">=" };
            return Err(Misfit::new(format!("`{swapped}` is no comparison"))
                .help(format!("did you mean \"{sign} {}\"?", rest.trim())));
        }
    }
    let found = SIGNS
        .iter()
        .find_map(|sign| Some((*sign, text.strip_prefix(sign)?.trim())));
    let Some((sign, value)) = found else {
        return pattern(text).map(JsonTest::Is);
    };
    if value.is_empty() {
        return Err(Misfit::new(format!("nothing follows `{sign}`")));
    }
    let number = || {
        let number = value
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite());
        number.ok_or_else(|| {
            Misfit::new(format!("only a number can follow `{sign}`")).help(format!(
                "for example \"{sign} 50\"; values with units cannot be compared"
            ))
        })
    };
    match sign {
        "<=" => number().map(JsonTest::AtMost),
        ">=" => number().map(JsonTest::AtLeast),
        "<" => number().map(JsonTest::Below),
        ">" => number().map(JsonTest::Above),
        "!=" => pattern(value).map(JsonTest::IsNot),
        _ => pattern(value).map(JsonTest::Is),
    }
}

/// The longer ones first.
const SIGNS: &[&str] = &["<=", ">=", "!=", "==", "<", ">", "="];

fn pattern(text: &str) -> Result<Pattern, Misfit> {
    Pattern::parse(text).map_err(|error| Misfit::of(&error))
}

/// A text, or bytes after `hex:`.
pub(super) fn datagram(text: &str) -> Result<Vec<u8>, Misfit> {
    let bytes = match text.strip_prefix("hex:") {
        None => text.as_bytes().to_vec(),
        Some(digits) => hex(digits).ok_or_else(|| {
            Misfit::new("bytes of two digits each, such as hex:0a1b or hex:0a 1b")
        })?,
    };
    match bytes.len() {
        0 => Err(Misfit::new(
            "an empty datagram is answered by hardly anybody",
        )),
        1..=DATAGRAM_BYTES => Ok(bytes),
        _ => Err(Misfit::new(format!("at most {DATAGRAM_BYTES} bytes"))),
    }
}

/// What goes through any network in one piece.
const DATAGRAM_BYTES: usize = 1_200;

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16))
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).ok();
    rest.is_empty()
        .then(|| pairs.iter().filter_map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T>(outcome: Result<T, Misfit>) -> Option<T> {
        outcome.ok()
    }

    #[test]
    fn statuses_are_one_or_a_range_or_a_class() {
        for (text, expected) in [
            ("200", Some((200, 200))),
            ("200-299", Some((200, 299))),
            ("200 - 204", Some((200, 204))),
            ("4xx", Some((400, 499))),
            ("5xx", Some((500, 599))),
            ("6xx", None),
            ("xx", None),
            ("299-200", None),
            ("600", None),
            ("99", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(said(statuses(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_condition_is_a_value_or_a_comparison() {
        let is = |text| JsonTest::Is(Pattern::parse(text).expect("a pattern"));
        for (text, expected) in [
            ("healthy", Some(is("healthy"))),
            ("ok*", Some(is("ok*"))),
            ("= 5", Some(is("5"))),
            ("==true", Some(is("true"))),
            ("< 95", Some(JsonTest::Below(95.0))),
            ("<=0.5", Some(JsonTest::AtMost(0.5))),
            ("> -1", Some(JsonTest::Above(-1.0))),
            (">= 1e3", Some(JsonTest::AtLeast(1_000.0))),
            ("=< 5", None),
            ("<", None),
            ("< 5ms", None),
            ("< inf", None),
            ("!=", None),
            ("~(", None),
        ] {
            assert_eq!(said(json_test(text)), expected, "{text}");
        }
    }

    #[test]
    fn datagrams_are_texts_or_bytes() {
        for (text, expected) in [
            ("ping", Some(b"ping".to_vec())),
            ("hex:00 fF", Some(vec![0, 255])),
            ("hex:0", None),
            ("hex:0g", None),
            ("hex:", None),
            ("", None),
        ] {
            assert_eq!(said(datagram(text)), expected, "{text}");
        }
        assert!(datagram(&"x".repeat(1_201)).is_err());
    }

    #[test]
    fn targets_and_hosts_are_what_a_request_may_hold() {
        for fits in ["/", "/a?b=c%20d"] {
            assert!(target(fits).is_ok(), "{fits}");
        }
        for wrong in [
            "",
            "health",
            "http://a/b",
            "/a b",
            "/a\r\nx: y",
            "/\u{e9}",
            "/a#b",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        for fits in ["app", "app:80", "192.0.2.1:80", "[::1]", "[::1]:80"] {
            assert!(authority(fits).is_ok(), "{fits}");
        }
        for wrong in ["", "::1", "a b", "a/b", "http://a", "a\r\nx: y", "[a]:80"] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }
}
