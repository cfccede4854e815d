//! Paths and hosts that requests are rewritten to.

use sluice_route::{PathPattern, normalise_path};

use super::{Misfit, health, misfit_path};
use crate::read::Typed;

/// What paths begin with, as normalised paths do, without a slash at its end: nothing for `/`.
pub(super) fn prefix(text: &str) -> Result<Typed, Misfit> {
    if let Some(special) = text.chars().find(|c| "*{}?#~".contains(*c)) {
        let misfit = Misfit::new(format!(
            "it is taken as it is: there is no `{special}` in it"
        ));
        return Err(match text.strip_suffix("/*") {
            Some(meant) if !meant.is_empty() => misfit.help(format!("did you mean \"{meant}\"?")),
            _ => misfit,
        });
    }
    let mut buffer = String::new();
    match normalise_path(text, &mut buffer) {
        Ok(path) if !text.is_empty() => {
            let bare = path.strip_suffix('/').unwrap_or(path);
            Ok(Typed::Text(bare.to_owned()))
        }
        Ok(_) => Err(Misfit::new("it begins with `/`")),
        Err(error) => {
            let misfit = Misfit::of(&error);
            Err(if text.starts_with('/') {
                misfit
            } else {
                misfit.help(format!("did you mean \"/{text}\"?"))
            })
        }
    }
}

/// A path, with a query or without, with variables.
pub(super) fn target(text: &str) -> Result<Typed, Misfit> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Misfit::new(
            "there are no spaces in a path and only ASCII: others are written as %20",
        ));
    }
    if text.contains('#') {
        return Err(Misfit::new("what follows `#` is never sent"));
    }
    let path = text.split('?').next().unwrap_or_default();
    if let Some(group) = numbered_group(text) {
        return Err(
            Misfit::new(format!("captures stand in braces here, not as `{group}`"))
                .help("name the group, `(?<id>…)`, and write `{id}`"),
        );
    }
    if !(path.starts_with('/') || path.starts_with("{path}")) {
        return Err(
            Misfit::new("a path begins with `/`").help(format!("did you mean \"/{text}\"?"))
        );
    }
    // With every variable as a plain word.
    let mut plain = String::new();
    let mut depth = 0_usize;
    for c in path.chars() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                plain.push('x');
            }
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let begins = if plain.starts_with('/') { "" } else { "/" };
    let whole = format!("{begins}{plain}");
    match normalise_path(&whole, &mut String::new()) {
        Ok(_)
            if !whole
                .split('/')
                .any(|segment| matches!(segment, "." | "..")) =>
        {
            Ok(Typed::Text(text.to_owned()))
        }
        Ok(_) => Err(Misfit::new("there are no `.` and `..` in it")),
        Err(error) => Err(Misfit::of(&error)),
    }
}

/// A regular expression, with or without the `~` that it has elsewhere.
pub(super) fn regex(text: &str) -> Result<Typed, Misfit> {
    let marked = match text.strip_prefix('~') {
        Some(_) => text.to_owned(),
        None => format!("~{text}"),
    };
    PathPattern::parse(&marked)
        .map(Typed::Path)
        .map_err(|error| misfit_path(&marked, &error))
}

/// A value of `Host`, with variables.
pub(super) fn host(text: &str) -> Result<Typed, Misfit> {
    if !text.contains('{') {
        return health::authority(text);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]{}".contains(&byte);
    if text.bytes().all(fits) {
        return Ok(Typed::Text(text.to_owned()));
    }
    Err(Misfit::new(
        "there are letters, digits, `-` and `.` in a host, and a port behind `:`",
    ))
}

/// `$1` or `\1`, as others write captures.
fn numbered_group(text: &str) -> Option<&str> {
    let at = text.find(['$', '\\'])?;
    let digits = text.get(at + 1..)?;
    let is_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    is_digit.then(|| text.get(at..at + 2)).flatten()
}
